/**
 * Timers are deadlines on the monotonic clock, judged when a tick comes (3.4). A tick that comes later
 * than a whole election timeout means that this node stood still, not that its leader did.
 */
import { quorumValue } from './quorum.ts'
import { effectiveMembership } from './log.ts'
import { draw } from './prng.ts'
import type { RaftState } from './raft.ts'
import type { Leader } from './role.ts'
import type { NodeId } from './types.ts'

/** A fresh randomized timeout, in [1x, 2x); short steps while the leader is taken to be dead. */
export function armElectionTimer(raft: RaftState): void {
  const { config, time } = raft
  const { state, value } = draw(raft.random)
  raft.random = state
  const leaderIsLost = time.monotonicMs < raft.leaderLostUntilMs
  const least = leaderIsLost ? config.heartbeatMs : config.electionTimeoutMs
  raft.electionDeadlineMs = time.monotonicMs + least * (1 + value)
}

/** CheckQuorum (6.2): a leader that a quorum has not answered for an election timeout is none. */
export function quorumDeadline(raft: RaftState, leader: Leader): number {
  return Math.max(quorumHeardAtMs(raft, leader) + raft.config.electionTimeoutMs, leader.quorumGraceUntilMs)
}

/** A quorum has answered since. Infinity: this node is one alone. */
export function quorumHeardAtMs(raft: RaftState, leader: Leader): number {
  const heardAt = (id: NodeId) =>
    id === raft.config.id ? Infinity : (leader.peers.get(id)?.heardAtMs ?? -Infinity)
  return quorumValue(effectiveMembership(raft.log).membership, heardAt)
}

export function nextDeadline(raft: RaftState): number {
  if (raft.storageFailed) return Infinity
  const { role } = raft
  if (role.kind !== 'leader') return raft.electionDeadlineMs
  const transferMs = role.transfer?.deadlineMs ?? Infinity
  return Math.min(role.heartbeatDeadlineMs, quorumDeadline(raft, role), transferMs)
}
