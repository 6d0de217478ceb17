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
    if (this.writer.length >= this.#limits.entryBytes) this.#seal()
  }

  /** The entries to be: data for the core, oldest first. `place` says where they stand. */
  unplaced(): readonly Uint8Array[] {
    this.#seal()
    return this.#sealed.map((batch) => batch.data)
  }

  /** The core has appended all that `unplaced` gave, at these places. */
  place(ids: readonly EntryId[]): void {
    for (const [position, batch] of this.#sealed.entries()) {
      const { index, term } = ids[position] as EntryId
      this.#placed.push({
        data: batch.data,
        waiters: batch.waiters,
        earliestMs: batch.earliestMs,
        index,
        term,
      })
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
    for (let at = this.#head; at < this.#placed.length; at++) expireIn(this.#placed[at] as Placed, nowMs)
    if (this.#earliestMs <= nowMs) this.#seal()
    for (const batch of this.#sealed) {
      if (batch.earliestMs > nowMs) continue
      const leaving = batch.waiters.filter((waiter) => waiter.deadlineMs <= nowMs)
      this.#remove(batch, leaving)
      rejectAll(leaving, () => (leaderKnown ? notInTime() : noLeader()))
    }
    this.#sealed = this.#sealed.filter((batch) => batch.waiters.length > 0)
  }

  /**
   * The caller gives up. True: the command was in no entry and now never will be. False: it may
   * still take effect, or has already been answered.
   */
  withdraw(waiter: Waiter): boolean {
    waiter.settled = true
    if (this.#gathering.includes(waiter)) this.#seal()
    const batch = this.#sealed.find((candidate) => candidate.waiters.includes(waiter))
    if (batch === undefined) return false
    this.#remove(batch, [waiter])
    this.#sealed = this.#sealed.filter((candidate) => candidate.waiters.length > 0)
    return true
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

  /** Cuts the commands of `leaving` out of a batch that no entry holds yet. */
  #remove(batch: Batch, leaving: readonly Waiter[]): void {
    const kept = new Writer()
    const waiters: Waiter[] = []
    let at = 0
    for (const waiter of batch.waiters) {
      const end = at + waiter.bytes
      if (!leaving.includes(waiter)) {
        kept.bytes(batch.data.subarray(at, end))
        waiters.push(waiter)
      }
      at = end
    }
    this.#queuedBytes -= batch.data.length - kept.length
    batch.data = kept.take()
    batch.waiters = waiters
    batch.earliestMs = waiters.reduce((earliest, { deadlineMs }) => Math.min(earliest, deadlineMs), Infinity)
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

/** A caller's mapping may meet a value that its own hooks refuse to decode: that is his alone. */
function mapped(waiter: Waiter, result: CommandResult): void {
  try {
    waiter.resolve(waiter.map?.(result))
  } catch (error) {
    waiter.reject(error as Error)
  }
}

function rejectAll(waiters: readonly Waiter[], error: (guarded: boolean) => Error): void {
  for (const waiter of waiters) {
    if (waiter.settled) continue
    waiter.settled = true
    waiter.reject(error(waiter.guarded))
  }
}

function expireIn(batch: Placed, nowMs: number): void {
  if (batch.earliestMs > nowMs) return
  batch.earliestMs = Infinity
  for (const waiter of batch.waiters) {
    if (waiter.settled) continue
    if (waiter.deadlineMs > nowMs) batch.earliestMs = Math.min(batch.earliestMs, waiter.deadlineMs)
    else rejectAll([waiter], timedOut)
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
