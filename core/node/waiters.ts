/**
 * How whoever waits for a command is answered: with its result, or with why there is none and whether it may have
 * happened (H71). When that is, proposals.ts knows.
 */
import { ConcordError, refusedAs } from '../errors.ts'
import type { CommandResult } from '../machine/index.ts'
import type { NodeId } from '../raft/index.ts'

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

/** Those who wait for one entry. */
export interface Awaiting {
  waiters: Waiter[]
  /** The first deadline among them. */
  earliestMs: number
}

export function deliver(waiters: readonly Waiter[], results: readonly CommandResult[]): void {
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

export function rejectAll(waiters: readonly Waiter[], error: (guarded: boolean) => Error): void {
  for (const waiter of waiters) {
    if (waiter.settled) continue
    waiter.settled = true
    waiter.reject(error(waiter.guarded))
  }
}

export function expireIn(batch: Awaiting, nowMs: number, error: (guarded: boolean) => Error): void {
  if (batch.earliestMs > nowMs) return
  batch.earliestMs = Infinity
  for (const waiter of batch.waiters) {
    if (waiter.settled) continue
    if (waiter.deadlineMs > nowMs) batch.earliestMs = Math.min(batch.earliestMs, waiter.deadlineMs)
    else rejectAll([waiter], error)
  }
}

export function timedOut(guarded: boolean): ConcordError {
  return new ConcordError('TIMEOUT', 'no quorum confirmed the write in time; it may still take effect', {
    retryable: guarded,
  })
}

export function notInTime(): ConcordError {
  return new ConcordError('TIMEOUT', 'the write was not started in time and will not happen', {
    outcome: 'not-applied',
    retryable: true,
  })
}

/** What a node without a leader is at: whoever reads the error wants to know whom to look for. */
export interface Seeking {
  readonly role: string
  readonly term: number
  readonly voters: readonly NodeId[]
}

/** `what` a leader has not done, or is not. */
export function noLeader(what: string, { role, term, voters }: Seeking): ConcordError {
  const among = voters.length === 0 ? 'no voters are known' : `voters are ${voters.join(', ')}`
  const text = `no leader ${what}; this node is a ${role} in term ${term}, ${among}`
  return new ConcordError('NO_LEADER', text, { details: { role, term, voters } })
}

export function passedOver(guarded: boolean): ConcordError {
  const why = 'this node lost touch and was caught up by a snapshot; the write may have taken effect'
  return new ConcordError('CONNECTION_LOST', why, { retryable: guarded })
}

export function lost(): ConcordError {
  return new ConcordError('LEADERSHIP_LOST', 'another leader took over before the write was replicated', {
    outcome: 'not-applied',
    retryable: true,
  })
}
