/**
 * Changing the membership (4.3): proposing a joint one, moving on from it when it is committed, and letting
 * go of whoever has no place any more, the leader included. What a membership is: membership.ts.
 */
import { effectiveMembership, lastIndex } from './log.ts'
import { enterJoint, isJoint, isVoter, leaveJoint, memberIds, problemWith } from './membership.ts'
import type { ChangeProblem, ChangeRefusal, MembershipChange } from './membership.ts'
import { send } from './outbox.ts'
import { problemNow } from './promotion.ts'
import { quorumValue } from './quorum.ts'
import type { RaftState } from './raft.ts'
import { appendOwn } from './replication.ts'
import { becomeFollower, isEstablished } from './role.ts'
import type { Leader } from './role.ts'
import type { EntryId } from './types.ts'

export type MembershipProposal =
  | { readonly ok: true; readonly id: EntryId }
  /** Nothing was appended. */
  | ({ readonly ok: false } & ChangeProblem)

const refuse = (reason: ChangeRefusal, message: string): MembershipProposal => ({
  ok: false,
  reason,
  message,
})

/**
 * Appends the first step of a change; the second follows by itself when the first is committed. Refused
 * until an entry of this term is committed (H54), while another change is under way, when the membership is
 * not the expected one (H55), and when it could not be carried out as the peers are now (promotion.ts).
 */
export function proposeMembership(raft: RaftState, change: MembershipChange): MembershipProposal {
  const { role, log } = raft
  if (role.kind !== 'leader' || role.transfer !== null) return refuse('notLeader', 'this node does not lead')
  if (!isEstablished(raft)) return refuse('notEstablished', 'no entry of this term is committed yet')
  const { index, membership } = effectiveMembership(log)
  if (index > raft.commitIndex || isJoint(membership)) {
    return refuse('inProgress', `the change at index ${index} is not finished`)
  }
  if (index !== change.expected) {
    return refuse('changedMeanwhile', `expected the membership of index ${change.expected}, found ${index}`)
  }
  const problem = problemWith(membership, change) ?? problemNow(raft, role, membership, change)
  if (problem !== undefined) return { ok: false, ...problem }
  const [id] = appendOwn(raft, role, [{ kind: 'membership', membership: enterJoint(membership, change) }])
  return { ok: true, id: id! }
}

/** Once a turn: "once C_old,new has been committed, … it is now safe for the leader to create C_new" (4.3). */
export function moveMembershipOn(raft: RaftState, leader: Leader): void {
  const { index, membership } = effectiveMembership(raft.log)
  if (index > raft.commitIndex || !isEstablished(raft) || !isJoint(membership)) return
  appendOwn(raft, leader, [{ kind: 'membership', membership: leaveJoint(membership) }])
}

/** With each heartbeat: those who have left are forgotten when they have heard so, or are silent anyway. */
export function farewell(raft: RaftState, leader: Leader): void {
  const { index, membership } = effectiveMembership(raft.log)
  if (index > raft.commitIndex || isJoint(membership)) return
  const members = new Set(memberIds(membership))
  const silentBefore = raft.time.monotonicMs - raft.config.electionTimeoutMs
  for (const peer of leader.peers.values()) {
    const isDone = peer.toldCommitIndex >= index || peer.heardAtMs < silentBefore
    if (!members.has(peer.id) && isDone) leader.peers.delete(peer.id)
  }
  if (!isVoter(membership, raft.config.id)) stepAside(raft, leader)
}

/** 4.2.2: a leader that is not in C_new leads until a quorum of it knows that C_new is committed (H57). */
function stepAside(raft: RaftState, leader: Leader): void {
  const { index, membership } = effectiveMembership(raft.log)
  const told = quorumValue(membership, (id) => leader.peers.get(id)?.toldCommitIndex ?? 0)
  if (told < index) return
  const ready = membership.voters.find((id) => leader.peers.get(id)?.matchIndex === lastIndex(raft.log))
  if (ready !== undefined) send(raft, ready, { type: 'timeoutNow', term: raft.term })
  becomeFollower(raft, raft.term, null)
}
