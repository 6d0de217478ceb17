/**
 * What is asked of a node, the way it goes, and how it fails where no answer comes: with the truth about what may
 * have happened. No sockets here.
 */
import { ConcordError } from '../errors.ts'
import type { CallPatience, Clock } from '../ports.ts'
import type { Answer, RequestHead } from './shapes.ts'

/** The node is given less time than the caller has, so that its answer, the exact one, comes first. */
const HEAD_START = 0.8
const MAX_HEAD_START_MS = 100

/** One request. */
export interface Ask {
  readonly head: RequestHead
  readonly values: readonly unknown[]
  /** Whether it may change something: what its loss means. */
  readonly isWrite: boolean
  /** A retry is safe: it has a request id. */
  readonly isGuarded?: boolean | undefined
  /** By the clock of `Links`; infinite for what takes as long as it takes. */
  readonly deadlineMs: number
  readonly signal?: AbortSignal | undefined
}

/** One connection. What belongs to a session, as an iterator does, is asked of the connection that told of it. */
export interface Link {
  ask(ask: Ask): Promise<Told>
}

/** An answer, and who gave it. */
export interface Told extends Answer {
  readonly from: Link
}

export interface Links {
  readonly clock: Clock
  /** At how many endpoints the cluster is reached. */
  readonly alternatives: number
  /** Nobody is asked any more. */
  readonly isClosed: boolean
  /** The connection there is, or the next one. Rejects with what `connect` does, within the caller's patience. */
  link(patience: CallPatience): Promise<Link>
  /** New calls go elsewhere; what is under way on it ends there, and iterators go on. */
  leave(link: Link): void
}

export function withTimeLeft(head: RequestHead, leftMs: number): RequestHead {
  if (leftMs === Infinity) return head
  return { ...head, timeoutMs: nodesShareOf(leftMs) }
}

/** Of the time that the caller has. */
export const nodesShareOf = (leftMs: number): number =>
  Math.max(1, leftMs * HEAD_START, leftMs - MAX_HEAD_START_MS)

export function lostConnection(ask: Ask, cause: Error, known?: 'not-applied'): ConcordError {
  const outcome = known ?? (ask.isWrite ? 'unknown' : 'not-applied')
  const text =
    outcome === 'unknown'
      ? 'the connection to the node was lost; the operation may have happened'
      : 'the connection to the node was lost'
  return new ConcordError('CONNECTION_LOST', text, {
    outcome,
    retryable: outcome === 'not-applied' || ask.isGuarded === true,
    cause,
  })
}

export function late(ask: Ask, known?: 'not-applied'): ConcordError {
  const outcome = known ?? (ask.isWrite ? 'unknown' : 'not-applied')
  const text =
    outcome === 'unknown'
      ? 'the node did not answer in time; the operation may still take effect'
      : 'the node did not answer in time'
  return new ConcordError('TIMEOUT', text, {
    outcome,
    retryable: outcome === 'not-applied' || ask.isGuarded === true,
  })
}
