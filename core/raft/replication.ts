/**
 * The leader's side of replication (3.5), and commitment (3.6.2).
 *
 * Nothing is sent when something is proposed: once a turn each follower gets what its progress allows, so
 * that a turn's entries travel together. Entries leave while the leader's own disk still writes them
 * (10.2.1); it counts itself by its durable index alone, like everybody else (H12).
 */
import { assert } from '../assert.ts'
import { clusterTimeNow } from './clock.ts'
import {
  append,
  bytesBetween,
  effectiveMembership,
  lastAtOrBefore,
  lastId,
  lastIndex,
  slice,
  termAt,
} from './log.ts'
import { memberIds } from './membership.ts'
import { ROOM_MAX_BYTES } from './message.ts'
import type { AppendEntriesResult } from './message.ts'
import { send } from './outbox.ts'
import { accepted, acknowledge, becomeProbe, becomeSnapshot, createPeer, refused } from './progress.ts'
import type { Peer, Replicate } from './progress.ts'
import { quorumValue } from './quorum.ts'
import type { RaftState } from './raft.ts'
import { answerRound, entryBefore, provenEntry } from './read.ts'
import type { Leader } from './role.ts'
import type { Entry, EntryId, EntryKind, Index, Membership, NodeId } from './types.ts'

/** Most entries under way to one follower, whatever their size. */
const INFLIGHT_ENTRIES_MAX = 4096

/** Bytes under way to a follower that has no room, about. */
const FULL_WINDOW_BYTES = 64 * 1024

const NO_DATA = new Uint8Array(0)

interface Content {
  readonly kind: EntryKind
  readonly data?: Uint8Array
  readonly membership?: Membership
}

/** Appends to its own log what a leader wants the cluster to agree on. */
export function appendOwn(raft: RaftState, leader: Leader, contents: readonly Content[]): EntryId[] {
  const { log, term, time } = raft
  const clusterTime = clusterTimeNow(raft, time)
  let index = lastIndex(log)
  const entries = contents.map(({ kind, data = NO_DATA, membership }): Entry => {
    index++
    const entry = { index, term, kind, clusterTime, wallTime: time.wallMs, data }
    return membership === undefined ? entry : { ...entry, membership }
  })
  append(log, entries)
  if (entries.some((entry) => entry.membership !== undefined)) {
    // Its voters have promised nothing yet, or less: the lease begins anew with the next round that they confirm.
    leader.leaseFrom = null
    welcomePeers(raft, leader)
  }
  return entries.map((entry) => ({ index: entry.index, term: entry.term }))
}

/** A membership counts as soon as it is in the log (4.1): its new members are sent the log from now on. */
function welcomePeers(raft: RaftState, leader: Leader): void {
  const { config, log, time } = raft
  for (const id of memberIds(effectiveMembership(log).membership)) {
    if (id === config.id || leader.peers.has(id)) continue
    leader.peers.set(id, createPeer(id, lastIndex(log) + 1, time.monotonicMs))
  }
}

/** Once a turn: sends each follower what it lacks, within what may be under way to it. */
export function replicate(raft: RaftState, leader: Leader): void {
  for (const peer of leader.peers.values()) {
    const { progress } = peer
    if (progress.kind === 'snapshot') continue
    if (progress.nextIndex <= raft.log.base.index) {
      becomeSnapshot(peer, raft.log.snapshot, raft.time.monotonicMs)
    } else if (progress.kind === 'probe') {
      if (progress.asked !== null || progress.nextIndex > lastIndex(raft.log)) continue
      const throughIndex = sendEntries(raft, peer, progress.nextIndex)
      progress.asked = { throughIndex, round: leader.round }
    } else {
      stream(raft, peer, progress)
    }
  }
}

function stream(raft: RaftState, peer: Peer, progress: Replicate): void {
  const { log, config } = raft
  // To one without room goes no more than it takes to learn when it has some; an expiry finds its reserve.
  const windowBytes = peer.room.bytes > 0 ? config.inflightBytes : FULL_WINDOW_BYTES
  const hasWindow = () =>
    bytesBetween(log, peer.matchIndex, progress.nextIndex - 1) < windowBytes &&
    progress.nextIndex - 1 - peer.matchIndex < INFLIGHT_ENTRIES_MAX
  while (progress.nextIndex <= lastIndex(log) && hasWindow()) {
    progress.nextIndex = sendEntries(raft, peer, progress.nextIndex) + 1
  }
  // Nobody else tells an idle follower that what it has is committed.
  if (peer.toldCommitIndex < Math.min(raft.commitIndex, peer.matchIndex)) {
    sendAppend(raft, peer, provenEntry(raft, peer), [])
  }
}

/** Sends one message of entries from `from` on; the index of the last one. */
function sendEntries(raft: RaftState, peer: Peer, from: Index): Index {
  const entries = slice(raft.log, from, lastIndex(raft.log), raft.config.maxMessageBytes)
  assert(entries[0]?.index === from, `no entry ${from} to send`)
  sendAppend(raft, peer, entryBefore(raft, from), entries)
  return from + entries.length - 1
}

function sendAppend(raft: RaftState, peer: Peer, prev: EntryId, entries: readonly Entry[]): void {
  const through = entries.at(-1)?.index ?? peer.matchIndex
  peer.toldCommitIndex = Math.max(peer.toldCommitIndex, Math.min(raft.commitIndex, through))
  send(raft, peer.id, {
    type: 'appendEntries',
    term: raft.term,
    prevIndex: prev.index,
    prevTerm: prev.term,
    entries,
    commitIndex: raft.commitIndex,
    round: 0,
    clusterTime: clusterTimeNow(raft, raft.time),
  })
}

/** A follower of this term has answered. */
export function onAppendEntriesResult(
  raft: RaftState,
  leader: Leader,
  peer: Peer,
  message: AppendEntriesResult,
): void {
  const { log } = raft
  const { matchIndex, receivedIndex, refusal, round, roomBytes } = message
  peer.room = { bytes: roomBytes, index: receivedIndex }
  const rose = acknowledge(peer, Math.min(matchIndex, lastIndex(log)))
  if (peer.progress.kind === 'snapshot') resumeFromLog(raft, peer)
  else if (refusal === null) accepted(peer, receivedIndex, round)
  else refused(peer, refusal.prevIndex, agreeAt(raft, refusal.hintIndex, refusal.hintTerm), receivedIndex)
  if (rose) advanceCommit(raft, leader)
  answerRound(raft, leader, peer, message)
}

/** For new commands: what the peer's disk takes behind all that our log holds. */
export function roomOf(raft: RaftState, { room }: Peer): number {
  if (room.bytes === ROOM_MAX_BYTES) return Infinity
  return room.bytes - bytesBetween(raft.log, room.index, lastIndex(raft.log))
}

/** New commands find so many bytes on the disks of a quorum, this one's set aside; Infinity for one that leads not. */
export function quorumRoomBytes(raft: RaftState): number {
  const { role, config } = raft
  if (role.kind !== 'leader') return Infinity
  const room = (id: NodeId): number => {
    if (id === config.id) return Infinity
    const peer = role.peers.get(id)
    return peer === undefined ? 0 : roomOf(raft, peer)
  }
  return quorumValue(effectiveMembership(raft.log).membership, room)
}

/** Where our log may agree with a follower whose last entry of interest is (index, term). */
function agreeAt(raft: RaftState, hintIndex: Index, hintTerm: number): Index {
  const ours = lastAtOrBefore(raft.log, hintIndex, hintTerm)
  // What we have compacted is committed: the answer lies there, and only the snapshot leads to it.
  return ours.index === 0 ? Math.min(hintIndex, raft.log.base.index - 1) : ours.index
}

/** The log reaches back to what the follower has: no snapshot is needed any more. */
export function resumeFromLog(raft: RaftState, peer: Peer): void {
  if (peer.progress.kind !== 'snapshot' || peer.matchIndex < raft.log.base.index) return
  becomeProbe(peer, peer.matchIndex + 1)
}

/**
 * 3.6.2: what a quorum holds durably is committed, if it is of this term; what came before it is then
 * committed too, and never by counting (Figure 3.7, H13).
 */
export function advanceCommit(raft: RaftState, leader: Leader): void {
  const { log, config } = raft
  const matchIndex = (id: NodeId) =>
    id === config.id ? log.durableIndex : (leader.peers.get(id)?.matchIndex ?? 0)
  const index = quorumValue(effectiveMembership(log).membership, matchIndex)
  assert(index <= lastId(log).index, `a quorum holds entry ${index}, which this leader lacks`)
  if (index > raft.commitIndex && termAt(log, index) === raft.term) raft.commitIndex = index
}
