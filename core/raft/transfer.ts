/**
 * Handing leadership over (3.10): take no proposals, let the target catch up, tell it to campaign at once.
 * Given up after an election timeout; the lease is gone for the rest of the term either way.
 */
import { effectiveMembership, lastIndex } from './log.ts'
import { isVoter } from './membership.ts'
import { send } from './outbox.ts'
import type { RaftState } from './raft.ts'
import type { Leader } from './role.ts'
import { campaign, mayCampaign } from './election.ts'
import type { NodeId } from './types.ts'

export function onTransfer(raft: RaftState, to: NodeId): void {
  const { role, config, time } = raft
  if (role.kind !== 'leader' || role.transfer !== null || !role.peers.has(to)) return
  if (!isVoter(effectiveMembership(raft.log).membership, to)) return
  role.transfer = { to, deadlineMs: time.monotonicMs + config.electionTimeoutMs, sent: false }
}

/** Once a turn: the target has all there is. */
export function completeTransfer(raft: RaftState, leader: Leader): void {
  const { transfer } = leader
  if (transfer === null || transfer.sent) return
  if (leader.peers.get(transfer.to)?.matchIndex !== lastIndex(raft.log)) return
  transfer.sent = true
  leader.timeoutNowSent = true
  send(raft, transfer.to, { type: 'timeoutNow', term: raft.term })
}

export function onTimeoutNow(raft: RaftState, from: NodeId): void {
  const { role } = raft
  if (role.kind !== 'follower' || role.leader !== from || !mayCampaign(raft)) return
  campaign(raft, 'transfer')
}
