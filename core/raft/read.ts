/**
 * Reads without the log (6.4): rounds of heartbeats, ReadIndex, and the leader's lease (6.4.1).
 *
 * A round is named by (term, counter): the term stands in every message and is matched exactly, the
 * counter begins anew with each leader. An answer confirms its round and those before it, never a later
 * one (H26). All reads of a turn share a round; each keeps the commitIndex of its own arrival (H27).
 *
 * The lease counts from what the clocks said before the confirmed round was sent, and ends before any quorum may vote
 * for another. A voter says with its answers for how long it votes for nobody; it waits for driftMs more. So the lease
 * is as long as a quorum of those who have answered has promised, whatever this node's own config would like.
 */
import { clusterTimeNow } from './clock.ts'
import { effectiveMembership, termAt } from './log.ts'
import { isSoleVoter } from './membership.ts'
import type { AppendEntriesResult } from './message.ts'
import { send } from './outbox.ts'
import type { Peer } from './progress.ts'
import { quorumValue } from './quorum.ts'
import type { RaftState } from './raft.ts'
import { isEstablished, leaderOf } from './role.ts'
import type { Leader } from './role.ts'
import type { EntryId, Index, NodeId, Time } from './types.ts'

/** Unconfirmed rounds under way; reads that come while so many are wait for the next heartbeat's. */
const ROUNDS_MAX = 64

export function read(raft: RaftState, id: number): void {
  if (raft.role.kind !== 'leader') {
    raft.out.refusedReads.push({ id, leader: leaderOf(raft) })
    return
  }
  const index = isEstablished(raft) ? raft.commitIndex : null
  raft.role.reads.push({ id, index, clusterTime: clusterTimeNow(raft, raft.time), round: null })
}

/** Once a turn: one round for all reads that have none yet, once an entry of this term is committed. */
export function confirmReads(raft: RaftState, leader: Leader): void {
  if (!isEstablished(raft)) return
  const waiting = leader.reads.at(-1)
  if (waiting === undefined || waiting.round !== null || leader.samples.length >= ROUNDS_MAX) return
  beginRound(raft, leader)
}

/** Shows the leader to everybody. Its answers confirm whatever had arrived before it began. */
export function beginRound(raft: RaftState, leader: Leader): void {
  const { time, config } = raft
  leader.round++
  leader.samples.push({ round: leader.round, time })
  leader.heartbeatDeadlineMs = time.monotonicMs + config.heartbeatMs
  if (isEstablished(raft)) joinRound(raft, leader)
  for (const peer of leader.peers.values()) sendHeartbeat(raft, leader, peer)
  settleRounds(raft, leader)
}

function joinRound(raft: RaftState, leader: Leader): void {
  for (let i = leader.reads.length - 1; i >= 0 && leader.reads[i]!.round === null; i--) {
    const pending = leader.reads[i]!
    pending.index ??= raft.commitIndex
    pending.round = leader.round
  }
}

function sendHeartbeat(raft: RaftState, leader: Leader, peer: Peer): void {
  const { progress } = peer
  const prev = progress.kind === 'probe' ? entryBefore(raft, progress.nextIndex) : provenEntry(raft, peer)
  if (progress.kind === 'replicate' && progress.mark === null && progress.nextIndex - 1 > peer.matchIndex) {
    progress.mark = { round: leader.round, sentIndex: progress.nextIndex - 1 }
  }
  peer.toldCommitIndex = Math.max(peer.toldCommitIndex, Math.min(raft.commitIndex, peer.matchIndex))
  send(raft, peer.id, {
    type: 'appendEntries',
    term: raft.term,
    prevIndex: prev.index,
    prevTerm: prev.term,
    entries: [],
    commitIndex: raft.commitIndex,
    round: leader.round,
    clusterTime: clusterTimeNow(raft, raft.time),
  })
}

/** The entry that a message beginning at `nextIndex` has to name; 0 and 0 when it is not held any more. */
export function entryBefore(raft: RaftState, nextIndex: Index): EntryId {
  const term = termAt(raft.log, nextIndex - 1)
  return typeof term === 'number' ? { index: nextIndex - 1, term } : { index: 0, term: 0 }
}

/** The last entry that the follower is known to have: naming it lets it commit that far. */
export function provenEntry(raft: RaftState, peer: Peer): EntryId {
  return entryBefore(raft, peer.matchIndex + 1)
}

/** A follower has answered a round of this term. */
export function answerRound(
  raft: RaftState,
  leader: Leader,
  peer: Peer,
  { round, promiseMs }: Pick<AppendEntriesResult, 'round' | 'promiseMs'>,
): void {
  if (round <= peer.ackedRound || round > leader.round) return
  peer.ackedRound = round
  peer.promiseMs = promiseMs
  settleRounds(raft, leader)
}

/** Moves the lease and answers reads as far as a quorum (in a joint membership, both) has confirmed. */
function settleRounds(raft: RaftState, leader: Leader): void {
  const ackedRound = (id: NodeId) =>
    id === raft.config.id ? leader.round : (leader.peers.get(id)?.ackedRound ?? 0)
  const confirmed = quorumValue(effectiveMembership(raft.log).membership, ackedRound)
  const sampleCount = leader.samples.findLastIndex((sample) => sample.round <= confirmed) + 1
  if (sampleCount > 0) takeLease(raft, leader, leader.samples.splice(0, sampleCount).at(-1)!)
  const firstOpen = leader.reads.findIndex(({ round }) => round === null || round > confirmed)
  const done = leader.reads.splice(0, firstOpen < 0 ? Infinity : firstOpen)
  for (const { id, index, clusterTime } of done) raft.out.reads.push({ id, index: index!, clusterTime })
}

/** A promise of an answer to a later round counts, too: it lasts longer still. */
function takeLease(raft: RaftState, leader: Leader, { round, time }: Leader['samples'][number]): void {
  const promiseMs = (id: NodeId) => {
    if (id === raft.config.id) return raft.config.leaseMs
    const peer = leader.peers.get(id)
    return peer !== undefined && peer.ackedRound >= round ? peer.promiseMs : 0
  }
  leader.leaseFrom = time
  leader.leaseMs = Math.min(
    raft.config.leaseMs,
    quorumValue(effectiveMembership(raft.log).membership, promiseMs),
  )
}

/** By how much more the wall clock has moved than the monotonic one. */
export const apartMs = (from: Time, to: Time): number =>
  to.wallMs - from.wallMs - (to.monotonicMs - from.monotonicMs)

/** This node stood still: what was sent before that proves nothing about now (H08, H28). */
export function voidLease(leader: Leader): void {
  leader.leaseFrom = null
  leader.samples = []
}

/**
 * The index at which a read is linearizable at `time`, given bounded clock drift; undefined without a
 * lease. To be asked again just before the answer goes out.
 */
export function leaseRead(raft: RaftState, time: Time): Index | undefined {
  const { role, config } = raft
  if (role.kind !== 'leader' || !isEstablished(raft)) return undefined
  if (isSoleVoter(effectiveMembership(raft.log).membership, config.id)) return raft.commitIndex
  if (role.timeoutNowSent || role.leaseFrom === null) return undefined
  const passedMs = time.monotonicMs - role.leaseFrom.monotonicMs
  // A monotonic clock may stand still in a suspend; the wall clock then tells.
  if (passedMs >= role.leaseMs || Math.abs(apartMs(role.leaseFrom, time)) > config.driftMs) return undefined
  return raft.commitIndex
}
