/**
 * Elections (3.4) with PreVote (9.6), CheckQuorum (6.2) and loyalty to a living leader (4.2.3).
 *
 * A node asks whether it would win before it disturbs anybody: a pre-vote changes nothing in whoever
 * answers. A voter refuses while it has heard a leader lately; how lately depends on why the candidate
 * asks, but never less than lease and drift unless the leader itself has let go of both.
 */
import { farewell } from './change.ts'
import { hearVoterTime, startClock, voterTime } from './clock.ts'
import type { VoterTime } from './clock.ts'
import { endTransfer, giveUpTransfer } from './handover.ts'
import { effectiveMembership, isUpToDate, lastId } from './log.ts'
import { isSoleVoter, isVoter, memberIds } from './membership.ts'
import type { CampaignReason, PreVote, PreVoteResult, RequestVote, RequestVoteResult } from './message.ts'
import { isHardStateDurable, send, setVote } from './outbox.ts'
import { outcomeOf } from './quorum.ts'
import type { RaftState } from './raft.ts'
import { beginRound, voidLease } from './read.ts'
import { appendOwn } from './replication.ts'
import { becomeCandidate, becomeFollower, becomeLeader, becomePreCandidate } from './role.ts'
import type { Candidate, Leader } from './role.ts'
import { armElectionTimer, nextDeadline, quorumDeadline } from './timer.ts'
import type { NodeId } from './types.ts'

/** Time has passed. */
export function onTick(raft: RaftState): void {
  const { role, time, config } = raft
  const now = time.monotonicMs
  const lateMs = now - nextDeadline(raft)
  if (lateMs < 0) return
  // Late by more than a whole timeout: this node stood still, and nobody is blamed for that (H08).
  const stoodStill = lateMs > config.electionTimeoutMs
  if (stoodStill) raft.stallCount++
  if (role.kind === 'leader') onLeaderTick(raft, role, stoodStill)
  else if (stoodStill && !isAlone(raft)) armElectionTimer(raft)
  else onElectionTimeout(raft)
}

function onLeaderTick(raft: RaftState, leader: Leader, stoodStill: boolean): void {
  const now = raft.time.monotonicMs
  if (stoodStill) {
    voidLease(leader)
    leader.quorumGraceUntilMs = now + raft.config.electionTimeoutMs
  }
  if (now >= quorumDeadline(raft, leader)) return becomeFollower(raft, raft.term, null)
  if (leader.transfer !== null && now >= leader.transfer.deadlineMs) giveUpTransfer(raft, leader)
  if (now < leader.heartbeatDeadlineMs) return
  beginRound(raft, leader)
  farewell(raft, leader)
}

function onElectionTimeout(raft: RaftState): void {
  endTransfer(raft, 'timedOut')
  if (raft.role.kind === 'follower') raft.role.leader = null
  const reason = raft.time.monotonicMs < raft.leaderLostUntilMs ? 'leaderLost' : 'timeout'
  if (mayCampaign(raft) && !isLoyal(raft, reason)) campaign(raft, reason)
  else armElectionTimer(raft)
}

function isAlone(raft: RaftState): boolean {
  return isSoleVoter(effectiveMembership(raft.log).membership, raft.config.id)
}

/**
 * 4.2.2: "a server that is not part of its own latest configuration should still start new elections, as it
 * might still be needed until the C_new entry is committed. It does not count its own vote".
 */
export function isElectable(raft: RaftState): boolean {
  const { config, log } = raft
  const latest = effectiveMembership(log)
  const before = log.memberships.at(-2)
  if (isVoter(latest.membership, config.id)) return true
  return before !== undefined && latest.index > raft.commitIndex && isVoter(before.membership, config.id)
}

export function mayCampaign(raft: RaftState): boolean {
  const isInstalling = raft.install?.finishing === true
  const isSilenced = raft.time.monotonicMs < raft.votesFromMs || raft.tailInDoubt || raft.removal !== null
  return isElectable(raft) && !isInstalling && !isSilenced
}

/**
 * The only voter needs no timer to know that nobody else leads, unless it has just heard a leader: a membership
 * counts before it is committed, and the leader that is leaving may still answer by its lease.
 */
export function campaignIfAlone(raft: RaftState): void {
  if (raft.role.kind !== 'follower' || !isAlone(raft)) return
  if (mayCampaign(raft) && !isLoyal(raft, 'timeout')) campaign(raft, 'timeout')
}

/** Asks for pre-votes, or at once for votes when the leader itself hands over (3.10). */
export function campaign(raft: RaftState, reason: CampaignReason): void {
  // It knows of nobody who leads, whomever it has handed over to.
  endTransfer(raft, 'timedOut')
  if (reason === 'transfer') return standForElection(raft, reason)
  const role = becomePreCandidate(raft, reason)
  armElectionTimer(raft)
  const last = lastId(raft.log)
  role.answers.set(raft.config.id, true)
  for (const id of otherVoters(raft)) {
    send(raft, id, {
      type: 'preVote',
      term: raft.term + 1,
      round: role.round,
      lastIndex: last.index,
      lastTerm: last.term,
      reason,
    })
  }
  settlePreVote(raft)
}

function otherVoters(raft: RaftState): NodeId[] {
  const { membership } = effectiveMembership(raft.log)
  return memberIds(membership).filter((id) => id !== raft.config.id && isVoter(membership, id))
}

function settlePreVote(raft: RaftState): void {
  const { role } = raft
  if (role.kind !== 'preCandidate') return
  const outcome = outcomeOf(effectiveMembership(raft.log).membership, role.answers)
  if (outcome === 'won') standForElection(raft, role.reason)
  else if (outcome === 'lost') becomeFollower(raft, raft.term, null)
}

/** A new term, and requests for votes that leave when the own vote is durable. */
function standForElection(raft: RaftState, reason: CampaignReason): void {
  becomeCandidate(raft, reason)
  armElectionTimer(raft)
  const last = lastId(raft.log)
  for (const id of otherVoters(raft)) {
    send(raft, id, {
      type: 'requestVote',
      term: raft.term,
      lastIndex: last.index,
      lastTerm: last.term,
      reason,
    })
  }
}

/** The own vote counts like any other, once it is durable (H01). */
export function countOwnVote(raft: RaftState): void {
  const { role, config } = raft
  if (role.kind !== 'candidate' || role.answers.has(config.id) || !isHardStateDurable(raft)) return
  countVote(raft, role, config.id, {
    granted: true,
    ...voterTime(raft),
  })
}

type Vote = Pick<RequestVoteResult, 'granted'> & VoterTime

function countVote(raft: RaftState, role: Candidate, from: NodeId, vote: Vote): void {
  const { membership } = effectiveMembership(raft.log)
  if (!isVoter(membership, from) || role.answers.has(from)) return
  role.answers.set(from, vote.granted)
  if (vote.granted) hearVoterTime(raft, role, vote)
  const outcome = outcomeOf(membership, role.answers)
  // Without the own vote on disk there is no term to lead, whoever else has agreed.
  if (outcome === 'won' && isHardStateDurable(raft)) lead(raft, role)
  else if (outcome === 'lost') becomeFollower(raft, raft.term, null)
}

/** 3.4 and 6.4: show the others that there is a leader; its no-op commits whatever came before. */
function lead(raft: RaftState, elected: Candidate): void {
  startClock(raft, elected)
  const leader = becomeLeader(raft)
  appendOwn(raft, leader, [{ kind: 'noop' }])
  beginRound(raft, leader)
}

/** Loyalty: a voter that has a leader helps nobody to depose it (4.2.3). */
function isLoyal(raft: RaftState, reason: CampaignReason): boolean {
  const { config, time } = raft
  if (reason === 'transfer') return false
  if (raft.role.kind === 'leader' || time.monotonicMs < raft.votesFromMs) return true
  const least = reason === 'leaderLost' ? config.leaseMs + config.driftMs : config.electionTimeoutMs
  return time.monotonicMs - raft.leaderHeardAtMs < least
}

/** 9.6. Reads, and writes nothing: not the term, the vote, the timers or the leader (H03). */
export function onPreVote(raft: RaftState, from: NodeId, message: PreVote): void {
  const granted =
    message.term > raft.term &&
    !raft.tailInDoubt &&
    !isLoyal(raft, message.reason) &&
    isUpToDate(raft.log, { index: message.lastIndex, term: message.lastTerm })
  send(raft, from, { type: 'preVoteResult', term: raft.term, round: message.round, granted })
}

export function onPreVoteResult(raft: RaftState, from: NodeId, message: PreVoteResult): void {
  if (raft.role.kind !== 'preCandidate' || message.round !== raft.role.round) return
  raft.role.answers.set(from, message.granted)
  settlePreVote(raft)
}

/**
 * Whether a request for a vote is not even read. 4.2.3: "If a server receives a RequestVote request within
 * the minimum election timeout of hearing from a current leader, it does not update its term".
 */
export function disregards(raft: RaftState, message: RequestVote): boolean {
  return message.term > raft.term && isLoyal(raft, message.reason)
}

/**
 * 3.4, 3.6.1. Granted by term and log alone: a learner whose promotion has not reached it votes too,
 * when somebody who knows more asks it (H59).
 */
export function onRequestVote(raft: RaftState, from: NodeId, message: RequestVote): void {
  const granted =
    (raft.votedFor === null || raft.votedFor === from) &&
    !raft.tailInDoubt &&
    !isLoyal(raft, message.reason) &&
    isUpToDate(raft.log, { index: message.lastIndex, term: message.lastTerm })
  if (granted) {
    if (raft.role.kind === 'preCandidate') becomeFollower(raft, raft.term, null)
    setVote(raft, from)
    armElectionTimer(raft)
  }
  send(raft, from, {
    type: 'requestVoteResult',
    term: raft.term,
    granted,
    ...voterTime(raft),
  })
}

export function onRequestVoteResult(raft: RaftState, from: NodeId, message: RequestVoteResult): void {
  if (raft.role.kind === 'candidate') countVote(raft, raft.role, from, message)
}

/** The transport has lost the leader: ask for pre-votes as soon as its lease cannot hold any more. */
export function onPeerLost(raft: RaftState, peer: NodeId): void {
  const { role, config, time } = raft
  if (role.kind !== 'follower' || role.leader !== peer) return
  raft.leaderLostUntilMs = time.monotonicMs + config.electionTimeoutMs
  armElectionTimer(raft)
  const leaseOver = raft.leaderHeardAtMs + config.leaseMs + config.driftMs
  const spread = raft.electionDeadlineMs - time.monotonicMs - config.heartbeatMs
  raft.electionDeadlineMs = Math.max(time.monotonicMs, leaseOver) + spread
}
