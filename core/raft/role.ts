/**
 * The four roles (Figure 3.3, with the pre-candidate of 9.6). A field lives in the role that has it, so
 * that what was true of a role cannot outlive it: answers, progress, reads and lease end with it.
 */
import { assert } from '../assert.ts'
import { lastIndex, effectiveMembership } from './log.ts'
import { memberIds } from './membership.ts'
import type { CampaignReason } from './message.ts'
import { dropInstall, raiseTerm, setVote } from './outbox.ts'
import { createPeer } from './progress.ts'
import type { Peer } from './progress.ts'
import type { RaftState } from './raft.ts'
import { armElectionTimer } from './timer.ts'
import type { Index, NodeId, Term, Time } from './types.ts'

export interface Follower {
  readonly kind: 'follower'
  /** The leader of this term; null until it has been heard. */
  leader: NodeId | null
  /** Our log equals that leader's up to here; what is above may have to go. */
  receivedIndex: Index
  /** Entries were accepted whose write is under way: the leader is told when it is done. */
  owesResult: boolean
}

export interface PreCandidate {
  readonly kind: 'preCandidate'
  readonly reason: CampaignReason
  readonly round: number
  readonly answers: Map<NodeId, boolean>
}

export interface Candidate {
  readonly kind: 'candidate'
  readonly reason: CampaignReason
  /** Our own is among them once it is durable (H01). */
  readonly answers: Map<NodeId, boolean>
  /** Of those of that term: lowest estimate of cluster time, as its distance from our monotonic clock. */
  clusterOffsetMs: number | null
  /** The latest term of a leader whom any of them has heard in this run; 0: none has. */
  clockTerm: Term
  /** Of all of them, whoever has restarted included: the lowest, and the latest term. */
  lowestOffsetMs: number | null
  lowestTerm: Term
  /** Each of them has heard a leader, in this run or before. */
  allReckon: boolean
}

export interface PendingRead {
  readonly id: number
  /** commitIndex when it arrived; null while no entry of this term is committed (6.4 step 1). */
  index: Index | null
  clusterTime: number
  /** The round whose confirmation answers it; null until one begins. */
  round: number | null
}

export interface Leader {
  readonly kind: 'leader'
  /** Index of its no-op: nothing may be answered before it is committed. */
  readonly noopIndex: Index
  readonly peers: Map<NodeId, Peer>
  heartbeatDeadlineMs: number
  /** Not deposed for want of a quorum before this: after its election, or after it stood still. */
  quorumGraceUntilMs: number
  /** Rounds of heartbeats begun in this term. */
  round: number
  /** The clocks just before each unconfirmed round was sent. */
  samples: { readonly round: number; readonly time: Time }[]
  /** The clocks just before the newest confirmed round was sent: the lease counts from here (6.4.1). */
  leaseFrom: Time | null
  /** For how long it lasts. */
  leaseMs: number
  reads: PendingRead[]
  transfer: { readonly to: NodeId; readonly deadlineMs: number; sent: boolean } | null
  /** TimeoutNow was sent in this term: another leader may rise at any moment, so there is no lease. */
  timeoutNowSent: boolean
}

export type Role = Follower | PreCandidate | Candidate | Leader

/** The leader as far as this node knows. */
export function leaderOf(raft: RaftState): NodeId | null {
  if (raft.role.kind === 'leader') return raft.config.id
  return raft.role.kind === 'follower' ? raft.role.leader : null
}

/** It leads, and an entry of its own term is committed, and with it all before: it may answer (6.4, H06). */
export function isEstablished(raft: RaftState): boolean {
  return raft.role.kind === 'leader' && raft.commitIndex >= raft.role.noopIndex
}

/** Ends the role held so far. Its reads are refused; its proposals are judged by what is committed (H24). */
export function becomeFollower(raft: RaftState, term: Term, leader: NodeId | null): void {
  const before = raft.role
  if (term > raft.term) raiseTerm(raft, term)
  raft.role = { kind: 'follower', leader, receivedIndex: 0, owesResult: false }
  if (before.kind !== 'follower') armElectionTimer(raft)
  if (before.kind === 'leader') {
    raft.heir = before.transfer?.to ?? null
    for (const read of before.reads) raft.out.refusedReads.push({ id: read.id, leader })
  }
}

export function becomePreCandidate(raft: RaftState, reason: CampaignReason): PreCandidate {
  assert(raft.role.kind !== 'leader', 'a leader does not campaign')
  raft.preVoteRound++
  const role: PreCandidate = { kind: 'preCandidate', reason, round: raft.preVoteRound, answers: new Map() }
  raft.role = role
  return role
}

/** 3.4: a new term, and its vote for itself; neither counts before it is durable. */
export function becomeCandidate(raft: RaftState, reason: CampaignReason): Candidate {
  assert(raft.role.kind !== 'leader', 'a leader does not campaign')
  raiseTerm(raft, raft.term + 1)
  setVote(raft, raft.config.id)
  const role: Candidate = {
    kind: 'candidate',
    reason,
    answers: new Map(),
    clusterOffsetMs: null,
    clockTerm: 0,
    lowestOffsetMs: null,
    lowestTerm: 0,
    allReckon: true,
  }
  raft.role = role
  return role
}

export function becomeLeader(raft: RaftState): Leader {
  const { config, log, time } = raft
  assert(raft.role.kind === 'candidate', 'only a candidate becomes leader')
  assert(raft.votedFor === config.id, 'a leader has voted for itself')
  dropInstall(raft)
  const nextIndex = lastIndex(log) + 1
  const others = memberIds(effectiveMembership(log).membership).filter((id) => id !== config.id)
  const role: Leader = {
    kind: 'leader',
    noopIndex: nextIndex,
    peers: new Map(others.map((id) => [id, createPeer(id, nextIndex, time.monotonicMs)])),
    heartbeatDeadlineMs: time.monotonicMs,
    quorumGraceUntilMs: time.monotonicMs + config.electionTimeoutMs,
    round: 0,
    samples: [],
    leaseFrom: null,
    leaseMs: 0,
    reads: [],
    transfer: null,
    timeoutNowSent: false,
  }
  raft.role = role
  return role
}
