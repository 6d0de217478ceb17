/**
 * Who waits for which command. Commands that arrive between two turns gather in one batch, already
 * encoded; a turn takes the batches, hands them to the core as entries, here or on the node that leads, and
 * remembers at which (index, term) each stands. A waiter is settled when its entry is applied on this node,
 * or when its deadline passes.
 *
 * The outcome is exact: a command that no entry holds yet is taken out of its batch when its waiter
 * leaves, so it never happens; one that an entry holds may still happen, and the error says so (H71).
 */
import { Writer } from '../bytes.ts'
import type { ConcordError } from '../errors.ts'
import type { CommandResult } from '../machine/index.ts'
import type { EntryId, Index, Term } from '../raft/index.ts'
import {
  type Awaiting,
  type Waiter,
  deliver,
  expireIn,
  lost,
  passedOver,
  rejectAll,
  timedOut,
} from './waiters.ts'

/** Commands that are, or will be, one entry: the waiters' bytes one after another. */
interface Batch extends Awaiting {
  data: Uint8Array
}

interface Placed extends Batch {
  readonly index: Index
  readonly term: Term
}

/** Batches that somebody is placing: from here on they may take effect. */
export interface Taken {
  /** The entries to be: data for the core, oldest first. */
  readonly datas: readonly Uint8Array[]
}

/** What came of an entry, kept while another node may yet say that it is one of ours. */
interface Outcome extends EntryId {
  readonly results: readonly CommandResult[]
}

/** So that an entry of many tiny commands is still applied in a few milliseconds. */
const MAX_COMMANDS = 4096

/** Results kept while entries are being placed elsewhere: an answer that is later than these comes too late. */
const MAX_OUTCOMES = 1024

export interface ProposalLimits {
  /** An entry closes when it has grown to this; a larger command is an entry of its own. */
  readonly entryBytes: number
  /** Bound of all that is encoded and not yet applied. */
  readonly queueBytes: number
}

export class Proposals {
  /** The next command is encoded here, then `add`ed; whoever fails to encode truncates back. */
  writer = new Writer()
  readonly #limits: ProposalLimits
  #gathering: Waiter[] = []
  #earliestMs = Infinity
  #sealed: Batch[] = []
  readonly #taken = new Map<Taken, readonly Batch[]>()
  #outcomes: Outcome[] = []
  #settledIndex: Index = 0
  #placed: Placed[] = []
  #head = 0
  #queuedBytes = 0

  constructor(limits: ProposalLimits) {
    this.#limits = limits
  }

  get hasUnplaced(): boolean {
    return this.#gathering.length > 0 || this.#sealed.length > 0
  }

  /** Nobody waits. What stands in a log may still come when all who wanted it have been answered. */
  get isIdle(): boolean {
    if (this.hasUnplaced) return false
    for (let at = this.#head; at < this.#placed.length; at++) if (isAwaited(this.#placed[at]!)) return false
    for (const batches of this.#taken.values()) if (batches.some(isAwaited)) return false
    return true
  }

  /** Encoded and not yet applied. */
  get queuedBytes(): number {
    return this.#queuedBytes + this.writer.length
  }

  get isFull(): boolean {
    return this.queuedBytes >= this.#limits.queueBytes
  }

  /** Takes what was encoded into `writer` from `start` on as the command of `waiter`, behind its length. */
  add(start: number, waiter: Waiter): void {
    this.writer.insertVarint(start, this.writer.length - start)
    waiter.bytes = this.writer.length - start
    if (start > 0 && this.writer.length > this.#limits.entryBytes) this.#sealBefore(start)
    this.#gathering.push(waiter)
    if (waiter.deadlineMs < this.#earliestMs) this.#earliestMs = waiter.deadlineMs
    const isWhole = this.writer.length >= this.#limits.entryBytes || this.#gathering.length >= MAX_COMMANDS
    if (isWhole) this.#seal()
  }

  /**
   * Takes what no entry holds yet, up to `maxBytes` or one batch that is larger; undefined when all of it was
   * withdrawn. Whoever takes it says what came of it: `place`, `putBack` or `lose`.
   */
  take(maxBytes = Infinity): Taken | undefined {
    this.#seal()
    this.#prune()
    if (this.#sealed.length === 0) return undefined
    let bytes = 0
    const first = this.#sealed.findIndex(({ data }, at) => (bytes += data.length) > maxBytes && at > 0)
    const batches = this.#sealed.splice(0, first < 0 ? Infinity : first)
    for (const { waiters } of batches) for (const waiter of waiters) waiter.placed = true
    const taken: Taken = { datas: batches.map(({ data }) => data) }
    this.#taken.set(taken, batches)
    return taken
  }

  /** They stand at these places in the log of the leader. */
  place(taken: Taken, ids: readonly EntryId[]): void {
    for (const [position, batch] of this.#endTaking(taken).entries()) {
      const { index, term } = ids[position] as EntryId
      if (index <= this.#settledIndex) this.#settleLate(batch, index, term)
      else this.#insert({ ...batch, index, term })
    }
    this.#forgetOutcomes()
  }

  /** They are certainly in no log: they wait for the next one who takes them. */
  putBack(taken: Taken): void {
    const batches = this.#endTaking(taken)
    for (const { waiters } of batches) for (const waiter of waiters) waiter.placed = false
    this.#sealed = [...batches, ...this.#sealed]
    this.#forgetOutcomes()
  }

  /** Nobody will ever say where they stand, or whether: this is what their waiters are told. */
  lose(taken: Taken, error: (guarded: boolean) => Error): void {
    for (const { data, waiters } of this.#endTaking(taken)) {
      this.#queuedBytes -= data.length
      rejectAll(waiters, error)
    }
    this.#forgetOutcomes()
  }

  /**
   * The entry (index, term) was applied. Its waiters get their results. A batch that stood at an
   * index where another entry was committed is certainly lost: its term's entry never will be there.
   */
  settle(index: Index, term: Term, results: readonly CommandResult[]): void {
    this.#settledIndex = index
    if (this.#taken.size > 0) this.#remember({ index, term, results })
    for (;;) {
      const batch = this.#placed[this.#head]
      if (batch === undefined || batch.index > index) return
      this.#dropHead()
      if (batch.index === index && batch.term === term) deliver(batch.waiters, results)
      else rejectAll(batch.waiters, lost)
    }
  }

  /** A snapshot brought this node to `index`: what became of the entries up to there, nobody here has seen. */
  passOver(index: Index): void {
    this.#settledIndex = index
    for (;;) {
      const batch = this.#placed[this.#head]
      if (batch === undefined || batch.index > index) return
      this.#dropHead()
      rejectAll(batch.waiters, passedOver)
    }
  }

  /** Answers those whose deadline has passed; `unsent`: those whose command is in no entry. */
  expire(nowMs: number, unsent: () => ConcordError): void {
    for (let at = this.#head; at < this.#placed.length; at++) {
      expireIn(this.#placed[at] as Placed, nowMs, timedOut)
    }
    for (const batches of this.#taken.values()) {
      for (const batch of batches) expireIn(batch, nowMs, timedOut)
    }
    if (this.#earliestMs <= nowMs) this.#seal()
    for (const batch of this.#sealed) expireIn(batch, nowMs, unsent)
    this.#prune()
  }

  /**
   * The caller gives up. True: the command was in no entry, and now never will be. False: it may still
   * take effect. Only marks it: a getter of another caller's value may be what gives up.
   */
  withdraw(waiter: Waiter): boolean {
    waiter.settled = true
    return !waiter.placed
  }

  /** The node stops: what stands in the log may have happened, the rest has not. */
  failAll(refused: () => Error, unknown: (guarded: boolean) => Error): void {
    this.#seal()
    for (const batch of this.#sealed) rejectAll(batch.waiters, refused)
    for (const batches of this.#taken.values()) for (const { waiters } of batches) rejectAll(waiters, unknown)
    for (let at = this.#head; at < this.#placed.length; at++) {
      rejectAll((this.#placed[at] as Placed).waiters, unknown)
    }
    this.#sealed = []
    this.#taken.clear()
    this.#outcomes = []
    this.#placed = []
    this.#head = 0
    this.#queuedBytes = 0
  }

  #seal(): void {
    if (this.#gathering.length > 0) this.#close(this.writer.take())
  }

  /** The last command would make the entry too large: it opens the next one. */
  #sealBefore(start: number): void {
    const data = this.writer.take()
    if (this.#gathering.length > 0) this.#close(data.subarray(0, start))
    this.writer.bytes(data.subarray(start))
  }

  #close(data: Uint8Array): void {
    this.#sealed.push({ data, waiters: this.#gathering, earliestMs: this.#earliestMs })
    this.#queuedBytes += data.length
    this.#gathering = []
    this.#earliestMs = Infinity
  }

  /** Cuts the commands of those who have left out of the batches that no entry holds yet. */
  #prune(): void {
    for (const batch of this.#sealed) if (batch.waiters.some(({ settled }) => settled)) this.#cut(batch)
    if (this.#sealed.some(({ waiters }) => waiters.length === 0)) {
      this.#sealed = this.#sealed.filter(({ waiters }) => waiters.length > 0)
    }
  }

  #cut(batch: Batch): void {
    const kept = new Writer(batch.data.length)
    let at = 0
    for (const { settled, bytes } of batch.waiters) {
      if (!settled) kept.bytes(batch.data.subarray(at, at + bytes))
      at += bytes
    }
    this.#queuedBytes -= batch.data.length - kept.length
    batch.data = kept.take()
    batch.waiters = batch.waiters.filter(({ settled }) => !settled)
    batch.earliestMs = batch.waiters.reduce(
      (earliest, { deadlineMs }) => Math.min(earliest, deadlineMs),
      Infinity,
    )
  }

  /** None when the node has stopped meanwhile: then everybody has been answered. */
  #endTaking(taken: Taken): readonly Batch[] {
    const batches = this.#taken.get(taken) ?? []
    this.#taken.delete(taken)
    return batches
  }

  /** In the order of the log: places that another node has given may come after later ones. */
  #insert(batch: Placed): void {
    let at = this.#placed.length
    while (at > this.#head && (this.#placed[at - 1] as Placed).index > batch.index) at--
    this.#placed.splice(at, 0, batch)
  }

  /** The entry was applied here before the leader's word of where it stands had come. */
  #settleLate({ data, waiters }: Batch, index: Index, term: Term): void {
    this.#queuedBytes -= data.length
    const outcome = this.#outcomes.find((each) => each.index === index)
    if (outcome === undefined) rejectAll(waiters, passedOver)
    else if (outcome.term === term) deliver(waiters, outcome.results)
    else rejectAll(waiters, lost)
  }

  #remember(outcome: Outcome): void {
    this.#outcomes.push(outcome)
    if (this.#outcomes.length > MAX_OUTCOMES) this.#outcomes.shift()
  }

  #forgetOutcomes(): void {
    if (this.#taken.size === 0) this.#outcomes = []
  }

  #dropHead(): void {
    this.#queuedBytes -= (this.#placed[this.#head] as Placed).data.length
    this.#head++
    if (this.#head === this.#placed.length || this.#head > 1024) {
      this.#placed = this.#placed.slice(this.#head)
      this.#head = 0
    }
  }
}

const isAwaited = ({ waiters }: Batch): boolean => waiters.some(({ settled }) => !settled)
