/**
 * How far one follower has come, and how the leader treats it (3.5, 10.2.1 for the pipeline, 5.1 for the
 * snapshot). What only makes sense in one way of treating it lives in that way's variant.
 *
 *     probe --- an answer shows where the logs agree ---> replicate
 *     replicate --- something was lost or refused ------> probe
 *     probe, replicate --- the entry before is compacted -> snapshot --- installed --> probe
 *
 * What is under way is not counted but read off the pointers: the entries above matchIndex and below
 * nextIndex. A count that is derived cannot leak (H22).
 */
import { ROOM_MAX_BYTES } from './message.ts'
import type { Index, NodeId, SnapshotMeta } from './types.ts'

/** Looking for the place where the logs agree: one message at a time. */
export interface Probe {
  readonly kind: 'probe'
  /** The next entry to send; the entry before it is what is asked about. */
  nextIndex: Index
  /** The question under way: the last entry sent with it, and the round of heartbeats it came after. */
  asked: { readonly throughIndex: Index; readonly round: number } | null
}

/** In step: entries are sent before earlier ones are acknowledged. */
export interface Replicate {
  readonly kind: 'replicate'
  nextIndex: Index
  /** What had been sent before a heartbeat: when its answer has not seen that, it was lost. */
  mark: { readonly round: number; readonly sentIndex: Index } | null
}

/** Too far behind for the log: receives the snapshot `meta`. */
export interface Snapshot {
  readonly kind: 'snapshot'
  readonly meta: SnapshotMeta
  /** Bytes that the follower has written. */
  ackedOffset: number
  /** Bytes sent, the next piece begins here. */
  sentOffset: number
  sentAll: boolean
  /** A piece has been asked of the store and has not come yet. */
  reading: boolean
  /** When the follower's offset last moved. */
  movedAtMs: number
}

export type Progress = Probe | Replicate | Snapshot

export interface Peer {
  readonly id: NodeId
  /** Durable there and equal to ours up to here; never falls in a term. Invariant: below nextIndex. */
  matchIndex: Index
  /** When its last answer in this term came. */
  heardAtMs: number
  /** What its last answer has promised: see `AppendEntriesResult`; 0 before it has answered in this term. */
  promiseMs: number
  /** The room on its disk behind the entry `index`, by its last answer; see `AppendEntriesResult`. */
  room: { readonly bytes: number; readonly index: Index }
  /** The highest round of heartbeats it has answered. */
  ackedRound: number
  /** The highest commitIndex it has been sent. */
  toldCommitIndex: Index
  /** 4.2.1: the round of catching up that it is in. */
  readonly round: Round
  progress: Progress
}

/** Replication up to what the leader's log had when the round began. */
export interface Round {
  throughIndex: Index
  startedAtMs: number
  /** The round before took less than an election timeout. */
  wasQuick: boolean
}

/** A leader knows nothing of a follower at first, and hopes that its log is as long as its own. */
export function createPeer(id: NodeId, nextIndex: Index, nowMs: number): Peer {
  return {
    id,
    matchIndex: 0,
    heardAtMs: nowMs,
    promiseMs: 0,
    room: { bytes: ROOM_MAX_BYTES, index: nextIndex - 1 },
    ackedRound: 0,
    toldCommitIndex: 0,
    round: { throughIndex: nextIndex - 1, startedAtMs: nowMs, wasQuick: false },
    progress: { kind: 'probe', nextIndex, asked: null },
  }
}

export function becomeProbe(peer: Peer, nextIndex: Index): void {
  peer.progress = { kind: 'probe', nextIndex: Math.max(nextIndex, peer.matchIndex + 1), asked: null }
}

export function becomeReplicate(peer: Peer, nextIndex: Index): void {
  peer.progress = { kind: 'replicate', nextIndex: Math.max(nextIndex, peer.matchIndex + 1), mark: null }
}

export function becomeSnapshot(peer: Peer, meta: SnapshotMeta, nowMs: number): void {
  peer.progress = {
    kind: 'snapshot',
    meta,
    ackedOffset: 0,
    sentOffset: 0,
    sentAll: false,
    reading: false,
    movedAtMs: nowMs,
  }
}

/** The next entry it will be sent; behind a snapshot, the entry after it. */
export function nextIndexOf(peer: Peer): Index {
  return peer.progress.kind === 'snapshot' ? peer.progress.meta.index + 1 : peer.progress.nextIndex
}

/** Raises matchIndex, and with it whatever must stay above it. False for old news (H18). */
export function acknowledge(peer: Peer, matchIndex: Index): boolean {
  if (matchIndex <= peer.matchIndex) return false
  peer.matchIndex = matchIndex
  if (peer.progress.kind !== 'snapshot' && peer.progress.nextIndex <= matchIndex) {
    peer.progress.nextIndex = matchIndex + 1
  }
  return true
}

/** It has answered: when that ends a round, the next one goes on to `lastIndex`. */
export function noteRound(
  { round, matchIndex }: Peer,
  lastIndex: Index,
  nowMs: number,
  quickMs: number,
): void {
  if (matchIndex < round.throughIndex) return
  round.wasQuick = nowMs - round.startedAtMs < quickMs
  round.throughIndex = lastIndex
  round.startedAtMs = nowMs
}

/** Its log holds everything through `receivedIndex`: settles what was asked, or finds that much was lost. */
export function accepted(peer: Peer, receivedIndex: Index, round: number): void {
  const { progress } = peer
  if (progress.kind === 'probe') {
    if (receivedIndex < progress.nextIndex - 1) return
    // The entries sent with the question will be acknowledged on their own, or a later round shows them lost.
    const sentIndex =
      progress.asked === null || round > progress.asked.round ? 0 : progress.asked.throughIndex
    becomeReplicate(peer, Math.max(receivedIndex, sentIndex) + 1)
  } else if (progress.kind === 'replicate' && progress.mark !== null && round >= progress.mark.round) {
    if (receivedIndex < progress.mark.sentIndex) becomeProbe(peer, receivedIndex + 1)
    else progress.mark = null
  }
}

/**
 * It lacks the entry `prevIndex`; the logs may agree at `agreeIndex` at the latest. An answer to a question
 * that is no longer asked changes nothing.
 */
export function refused(peer: Peer, prevIndex: Index, agreeIndex: Index, receivedIndex: Index): void {
  const { progress } = peer
  if (prevIndex <= peer.matchIndex) return
  if (progress.kind === 'probe' && prevIndex === progress.nextIndex - 1) {
    becomeProbe(peer, Math.min(prevIndex, agreeIndex + 1))
  } else if (progress.kind === 'replicate') {
    becomeProbe(peer, receivedIndex + 1)
  }
}
