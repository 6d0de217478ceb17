/**
 * Who may become a voter, and what a change would do to whoever must agree (4.2.1, H59, H60): judged by the
 * leader, from what its peers have answered.
 *
 * 4.2.1: "the replication of entries to the new server is split into rounds … If the last round lasts less than an
 * election timeout, then the leader adds the new server to the cluster". A round goes on to what the leader's log
 * had when the round began; rounds follow each other for as long as there is a leader.
 */
import { effectiveMembership } from './log.ts'
import { isJoint } from './membership.ts'
import type { ChangeProblem, MembershipChange } from './membership.ts'
import { changeDue } from './next-membership.ts'
import type { Peer } from './progress.ts'
import { majorityOf } from './quorum.ts'
import type { RaftState } from './raft.ts'
import { isEstablished } from './role.ts'
import type { Leader } from './role.ts'
import type { Membership, NodeId } from './types.ts'

/** It has answered in this term, and within an election timeout. */
export function isAnswering(raft: RaftState, peer: Peer): boolean {
  const hasAnswered = peer.ackedRound > 0 || peer.matchIndex > 0
  return hasAnswered && raft.time.monotonicMs - peer.heardAtMs < raft.config.electionTimeoutMs
}

/** Not heard for an election timeout, in which it could have been: a peer counts from the beginning of the term. */
function isSilent(raft: RaftState, peer: Peer | undefined): boolean {
  return peer === undefined || raft.time.monotonicMs - peer.heardAtMs >= raft.config.electionTimeoutMs
}

/** What its log lacks durably is less than an election timeout's worth. */
export function isCaughtUp(raft: RaftState, peer: Peer): boolean {
  const { throughIndex, startedAtMs, wasQuick } = peer.round
  const isLate =
    peer.matchIndex < throughIndex && raft.time.monotonicMs - startedAtMs >= raft.config.electionTimeoutMs
  return wasQuick && !isLate && isAnswering(raft, peer)
}

/** A leader that was made a learner goes by its own disk, which may be slower than those that let it commit. */
function keepsUp(raft: RaftState, leader: Leader, id: NodeId): boolean {
  if (id === raft.config.id) return raft.log.durableIndex >= raft.commitIndex
  const peer = leader.peers.get(id)
  return peer !== undefined && isCaughtUp(raft, peer)
}

/** Learners that may be promoted now, in the order of the membership; none on a node that does not lead. */
export function promotable(raft: RaftState): NodeId[] {
  const { role, log } = raft
  if (role.kind !== 'leader') return []
  return effectiveMembership(log).membership.learners.filter((id) => {
    const peer = role.peers.get(id)
    return peer !== undefined && isCaughtUp(raft, peer)
  })
}

/** The change that the policy asks for now: replacing lost incarnations, and `voters` voters. */
export function membershipDue(raft: RaftState, voters: number): MembershipChange | undefined {
  const { role, log } = raft
  if (role.kind !== 'leader' || role.transfer !== null || !isEstablished(raft)) return undefined
  const standing = effectiveMembership(log)
  if (standing.index > raft.commitIndex || isJoint(standing.membership)) return undefined
  const answering = [...role.peers.values()].filter((peer) => !isSilent(raft, peer)).map(({ id }) => id)
  return changeDue(standing, {
    voters,
    caughtUp: promotable(raft),
    answering: [raft.config.id, ...answering],
  })
}

/** What stands in the way of a change, as the peers are now. */
export function problemNow(
  raft: RaftState,
  leader: Leader,
  current: Membership,
  change: MembershipChange,
): ChangeProblem | undefined {
  const peers = (ids: readonly NodeId[]) =>
    ids.flatMap((id) => (id === raft.config.id ? [] : [{ id, peer: leader.peers.get(id) }]))
  const answers = (peer: Peer | undefined) => peer !== undefined && isAnswering(raft, peer)

  const promoted = change.voters.filter((id) => !current.voters.includes(id))
  const slow = promoted.find((id) => !keepsUp(raft, leader, id))
  if (slow !== undefined) {
    return {
      reason: 'notCaughtUp',
      message: `${slow} does not keep up with the log: a new voter is a learner first, and within an election timeout of the leader`,
    }
  }
  const names = new Set(promoted.map((id) => change.members[id]!.name))
  const replaced = Object.keys(current.members).filter(
    (id) => !Object.hasOwn(change.members, id) && names.has(current.members[id]!.name),
  )
  for (const { id, peer } of peers(replaced)) {
    if (isSilent(raft, peer)) continue
    return { reason: 'stillAnswers', message: `${id} is to be replaced, but it still answers` }
  }
  const silent = peers(change.voters).filter(({ peer }) => !answers(peer))
  const alive = change.voters.length - silent.length
  if (alive >= majorityOf(change.voters.length)) return undefined
  const ids = silent.map(({ id }) => id).join(', ')
  return {
    reason: 'noQuorum',
    message: `of ${change.voters.length} voters ${ids} would be silent: no quorum could agree`,
  }
}
