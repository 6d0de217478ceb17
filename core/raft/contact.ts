/**
 * How long ago this node knew what a leader knows: for whoever serves from the applied state and must not go by one
 * that is old. To hear a leader is not enough: what it has committed by then must be applied here, too.
 */
import type { RaftState } from './raft.ts'
import { isEstablished } from './role.ts'
import { quorumHeardAtMs } from './timer.ts'
import type { Index } from './types.ts'

export interface Contact {
  /** What the leader had committed in a message, and when that came: kept until it is applied, then the next. */
  readonly index: Index
  readonly atMs: number
  /** The same of the message before it, which is applied. */
  readonly beforeMs: number
}

export const NO_CONTACT: Contact = { index: 0, atMs: -Infinity, beforeMs: -Infinity }

/** A message of the leader says how far its log is committed. */
export function hearCommit(raft: RaftState, index: Index): void {
  const { contact, time } = raft
  if (raft.appliedIndex < contact.index) return
  raft.contact = { index, atMs: time.monotonicMs, beforeMs: contact.atMs }
}

/** Up to when this node's state is known to be a leader's: its own while a quorum follows it, or the one it hears. */
export function contactAtMs(raft: RaftState): number {
  const { role, contact } = raft
  if (role.kind === 'leader') return isEstablished(raft) ? quorumHeardAtMs(raft, role) : -Infinity
  return raft.appliedIndex >= contact.index ? contact.atMs : contact.beforeMs
}
