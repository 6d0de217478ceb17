/**
 * Handing leadership over (3.10): take no proposals, let the target catch up, tell it to campaign at once.
 * Given up after an election timeout; the lease is gone for the rest of the term either way. How it ends, and who
 * learns it: handover.ts.
 */
import { campaign, mayCampaign } from './election.ts'
import type { TransferOutcome } from './handover.ts'
import { effectiveMembership, lastIndex } from './log.ts'
import { send } from './outbox.ts'
import type { Peer } from './progress.ts'
import { isAnswering, isCaughtUp } from './promotion.ts'
import type { RaftState } from './raft.ts'
import { roomOf } from './replication.ts'
import type { Leader } from './role.ts'
import type { NodeId } from './types.ts'

export function onTransfer(raft: RaftState, named: NodeId | undefined): void {
  const { role, config, time } = raft
  const end = (outcome: TransferOutcome) => raft.out.transfersEnded.push({ to: named ?? null, outcome })
  if (role.kind !== 'leader') return void end('notLeader')
  if (role.transfer !== null) {
    if (named !== undefined && named !== role.transfer.to) end('inProgress')
    return
  }
  if (named === config.id) return void end('done')
  const { voters } = effectiveMembership(raft.log).membership
  if (named !== undefined && !voters.includes(named)) return void end('notAVoter')
  const to = named ?? chooseHeir(raft, role, voters)
  if (to === undefined) return void end('noTarget')
  role.transfer = { to, deadlineMs: time.monotonicMs + config.electionTimeoutMs, sent: false }
}

/** Of the voters that answer and stay, the one that lacks least. */
function chooseHeir(raft: RaftState, leader: Leader, voters: readonly NodeId[]): NodeId | undefined {
  let heir: Peer | undefined
  for (const id of voters) {
    const peer = leader.peers.get(id)
    if (peer === undefined || !isAnswering(raft, peer)) continue
    if (heir === undefined || peer.matchIndex > heir.matchIndex) heir = peer
  }
  return heir?.id
}

/** Of the voters that keep up and have room for so much of new commands, the one that lacks least. */
export function heirWithRoom(raft: RaftState, bytes: number): NodeId | undefined {
  const { role, log } = raft
  if (role.kind !== 'leader' || role.transfer !== null) return undefined
  let heir: Peer | undefined
  for (const id of effectiveMembership(log).membership.voters) {
    const peer = role.peers.get(id)
    if (peer === undefined || !isCaughtUp(raft, peer) || roomOf(raft, peer) < bytes) continue
    if (heir === undefined || peer.matchIndex > heir.matchIndex) heir = peer
  }
  return heir?.id
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
