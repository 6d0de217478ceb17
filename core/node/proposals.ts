/**
 * Who waits for which command. Commands that arrive between two turns gather in one batch, already
 * encoded; a turn hands the batch to the core as an entry and remembers at which (index, term) it
 * stands. A waiter is settled when its entry is applied, or when its deadline passes.
 *
 * The outcome is exact: a command that no entry holds yet is taken out of its batch when its waiter
 * leaves, so it never happens; one that an entry holds may still happen, and the error says so (H71).
 */
import { Writer } from '../bytes.ts'
import { ConcordError, refusedAs } from '../errors.ts'
import type { CommandResult } from '../machine/index.ts'
import type { EntryId, Index, Term } from '../raft/index.ts'

export interface Waiter {
  readonly resolve: (result: unknown) => void
  readonly reject: (error: Error) => void
  /** Monotonic milliseconds. */
  readonly deadlineMs: number
  /** A `requestId` makes a retry safe even when the outcome is unknown. */
  readonly guarded: boolean
  /** From the machine's result to the caller's; absent when they are the same object. */
  readonly map: ((result: CommandResult) => unknown) | undefined
  /** Of the encoded command, its length included. */
  bytes: number
  /** An entry holds the command: it may take effect, whoever has left. */
  placed: boolean
  /** Answered early, by a deadline or a signal: the result, when it comes, has no taker. */
  settled: boolean
}

/** Commands that are, or will be, one entry: the waiters' bytes one after another. */
interface Batch {
  data: Uint8Array
  waiters: Waiter[]
  earliestMs: number
}

interface Placed extends Batch {
  readonly index: Index
  readonly term: Term
}

/** So that an entry of many tiny commands is still applied in a few milliseconds. */
const MAX_COMMANDS = 4096

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
  #placed: Placed[] = []
  #head = 0
  #queuedBytes = 0

  constructor(limits: ProposalLimits) {
    this.#limits = limits
  }

  get hasUnplaced(): boolean {
    return this.#gathering.length > 0 || this.#sealed.length > 0
  }

  get isIdle(): boolean {
    return !this.hasUnplaced && this.#head === this.#placed.length
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

  /** The entries to be: data for the core, oldest first. `place` says where they stand. */
  unplaced(): readonly Uint8Array[] {
    this.#seal()
    this.#prune()
    return this.#sealed.map((batch) => batch.data)
  }

  /** The core has appended all that `unplaced` gave, at these places. */
  place(ids: readonly EntryId[]): void {
    for (const [position, { data, waiters, earliestMs }] of this.#sealed.entries()) {
      const { index, term } = ids[position] as EntryId
      for (const waiter of waiters) waiter.placed = true
      this.#placed.push({ data, waiters, earliestMs, index, term })
    }
    this.#sealed = []
  }

  /**
   * The entry (index, term) was applied. Its waiters get their results. A batch that stood at an
   * index where another entry was committed is certainly lost: its term's entry never will be there.
   */
  settle(index: Index, term: Term, results: readonly CommandResult[]): void {
    for (;;) {
      const batch = this.#placed[this.#head]
      if (batch === undefined || batch.index > index) return
      this.#dropHead()
      if (batch.index === index && batch.term === term) deliver(batch.waiters, results)
      else rejectAll(batch.waiters, lost)
    }
  }

  /** Answers those whose deadline has passed. */
  expire(nowMs: number, leaderKnown: boolean): void {
    for (let at = this.#head; at < this.#placed.length; at++) {
      expireIn(this.#placed[at] as Placed, nowMs, timedOut)
    }
    if (this.#earliestMs <= nowMs) this.#seal()
    for (const batch of this.#sealed) expireIn(batch, nowMs, leaderKnown ? notInTime : noLeader)
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
    for (let at = this.#head; at < this.#placed.length; at++) {
      rejectAll((this.#placed[at] as Placed).waiters, unknown)
    }
    this.#sealed = []
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

  #dropHead(): void {
    this.#queuedBytes -= (this.#placed[this.#head] as Placed).data.length
    this.#head++
    if (this.#head === this.#placed.length || this.#head > 1024) {
      this.#placed = this.#placed.slice(this.#head)
      this.#head = 0
    }
  }
}

function deliver(waiters: readonly Waiter[], results: readonly CommandResult[]): void {
  for (let at = 0; at < waiters.length; at++) {
    const waiter = waiters[at] as Waiter
    if (waiter.settled) continue
    const result = results[at] as CommandResult
    if ('refused' in result) waiter.reject(refusedAs(result.refused, result.details))
    else if (waiter.map === undefined) waiter.resolve(result)
    else mapped(waiter, result)
  }
}

/** What opens a value of the answer may throw, a plugin at the door for one. The command has happened. */
function mapped(waiter: Waiter, result: CommandResult): void {
  try {
    waiter.resolve(waiter.map?.(result))
  } catch (error) {
    waiter.reject(afterwards(error, waiter.guarded))
  }
}

function afterwards(error: unknown, guarded: boolean): Error {
  if (!ConcordError.is(error) || error.outcome === 'unknown') return error as Error
  const { code, message, details } = error
  return new ConcordError(code, `the command took effect, and its answer cannot be given: ${message}`, {
    outcome: 'unknown',
    retryable: guarded,
    cause: error,
    details,
  })
}

function rejectAll(waiters: readonly Waiter[], error: (guarded: boolean) => Error): void {
  for (const waiter of waiters) {
    if (waiter.settled) continue
    waiter.settled = true
    waiter.reject(error(waiter.guarded))
  }
}

function expireIn(batch: Batch, nowMs: number, error: (guarded: boolean) => Error): void {
  if (batch.earliestMs > nowMs) return
  batch.earliestMs = Infinity
  for (const waiter of batch.waiters) {
    if (waiter.settled) continue
    if (waiter.deadlineMs > nowMs) batch.earliestMs = Math.min(batch.earliestMs, waiter.deadlineMs)
    else rejectAll([waiter], error)
  }
}

function timedOut(guarded: boolean): ConcordError {
  return new ConcordError('TIMEOUT', 'no quorum confirmed the write in time; it may still take effect', {
    retryable: guarded,
  })
}

function notInTime(): ConcordError {
  return new ConcordError('TIMEOUT', 'the write was not started in time and will not happen', {
    outcome: 'not-applied',
    retryable: true,
  })
}

function noLeader(): ConcordError {
  return new ConcordError('NO_LEADER', 'no leader is known; nothing was proposed')
}

function lost(): ConcordError {
  return new ConcordError('LEADERSHIP_LOST', 'another leader took over before the write was replicated', {
    outcome: 'not-applied',
    retryable: true,
  })
}
