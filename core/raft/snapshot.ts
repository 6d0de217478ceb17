/**
 * Snapshots (chapter 5): compacting the log behind them, and InstallSnapshot in chunks (Figure 5.3).
 *
 * The core never touches a snapshot's bytes: it wishes for reads and writes in `Ready`, and inputs answer.
 * The leader keeps a window of chunks under way; the follower acknowledges what has been written. What
 * is lost is sent again from the follower's own count, so a transfer resumes where it stood, also when its sender
 * leads again in a later term. From another leader it begins anew: two nodes' snapshots of one index hold the same
 * state, but where their bytes are cut into frames depends on what was written while they were taken.
 */
import { assert } from '../assert.ts'
import { clusterTimeNow } from './clock.ts'
import { followLeader, sendOwedResult } from './following.ts'
import { adoptSnapshot, bytesBetween, compact, membershipAt, restart, termAt } from './log.ts'
import type { InstallSnapshot, InstallSnapshotResult } from './message.ts'
import { send } from './outbox.ts'
import { acknowledge, becomeSnapshot } from './progress.ts'
import type { Peer, Snapshot } from './progress.ts'
import type { Install, RaftState } from './raft.ts'
import { advanceCommit, resumeFromLog } from './replication.ts'
import type { Follower, Leader } from './role.ts'
import type { EntryId, Index, NodeId, SnapshotMeta } from './types.ts'

/** Small enough that a heartbeat behind one is not late on a slow link (H10). */
const CHUNK_BYTES = 64 * 1024
/** Most bytes sent to one follower and not yet written there. */
const WINDOW_BYTES = 16 * CHUNK_BYTES
/** How much more than `retainBytes` is kept while a follower that answers still needs it. */
const RETAIN_FACTOR = 4

// ------------------------------------------------------------------------------------ compaction

/** What a snapshot of the machine at `index` must carry (5.1, H52). */
export function snapshotMeta(raft: RaftState, index: Index): SnapshotMeta {
  const { log } = raft
  assert(index >= log.snapshot.index && index <= raft.appliedIndex, `no snapshot can be taken at ${index}`)
  if (index === log.snapshot.index) return log.snapshot
  const { term, clusterTime, wallTime } = log.entries[index - log.base.index - 1]!
  return { index, term, clusterTime, wallTime, membership: membershipAt(log, index) }
}

export function onSnapshotTaken(raft: RaftState, meta: SnapshotMeta): void {
  if (meta.index <= raft.log.snapshot.index) return
  assert(meta.index <= raft.appliedIndex, `a snapshot at ${meta.index}, ahead of what is applied`)
  adoptSnapshot(raft.log, meta)
  compactLog(raft)
}

function compactLog(raft: RaftState): void {
  const { log } = raft
  const target = Math.min(compactionTarget(raft), log.stagedIndex)
  if (target <= log.base.index) return
  compact(log, target)
  raft.out.compact = target
}

/** Keeps `retainBytes` behind the snapshot, and more for followers that are only a little behind. */
function compactionTarget(raft: RaftState): Index {
  const { log, config, role, time } = raft
  const usual = indexBytesBehind(raft, config.retainBytes)
  if (role.kind !== 'leader') return usual
  let needed = log.snapshot.index
  for (const peer of role.peers.values()) {
    if (peer.heardAtMs < time.monotonicMs - config.electionTimeoutMs) continue
    const has = peer.progress.kind === 'snapshot' ? peer.progress.meta.index : peer.matchIndex
    needed = Math.min(needed, has)
  }
  return needed >= usual
    ? usual
    : Math.max(needed, indexBytesBehind(raft, config.retainBytes * RETAIN_FACTOR))
}

/** The first index behind which at most `bytes` lie up to the snapshot. Sizes add up: a binary search. */
function indexBytesBehind({ log }: RaftState, bytes: number): Index {
  let low = log.base.index
  let high = log.snapshot.index
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (bytesBetween(log, middle, log.snapshot.index) <= bytes) high = middle
    else low = middle + 1
  }
  return low
}

// --------------------------------------------------------------------------------- the leader's side

/** Once a turn: asks for the next chunk of each transfer that has room in its window. */
export function readChunks(raft: RaftState, leader: Leader): void {
  for (const { id, progress } of leader.peers.values()) {
    if (progress.kind !== 'snapshot' || progress.reading || progress.sentAll) continue
    if (progress.sentOffset - progress.ackedOffset >= WINDOW_BYTES) continue
    progress.reading = true
    const { meta, sentOffset } = progress
    raft.out.snapshotReads.push({ to: id, meta, offset: sentOffset, maxBytes: CHUNK_BYTES })
  }
}

export interface ChunkRead {
  readonly to: NodeId
  readonly index: Index
  readonly offset: number
  readonly data: Uint8Array
  readonly done: boolean
}

export function onChunkRead(raft: RaftState, chunk: ChunkRead): void {
  const progress = transferTo(raft, chunk.to, chunk.index)
  if (progress === undefined) return
  progress.reading = false
  // The transfer has gone back since this was asked for.
  if (chunk.offset !== progress.sentOffset || progress.sentAll) return
  progress.sentOffset += chunk.data.length
  progress.sentAll = chunk.done
  send(raft, chunk.to, {
    type: 'installSnapshot',
    term: raft.term,
    meta: chunk.offset === 0 ? progress.meta : idOf(progress.meta),
    offset: chunk.offset,
    data: chunk.data,
    done: chunk.done,
    clusterTime: clusterTimeNow(raft, raft.time),
  })
}

/** Begins anew with the newest snapshot, but not before `rewindStalled` lets it: a store may fail at once. */
export function onReadFailed(raft: RaftState, to: NodeId, index: Index): void {
  if (transferTo(raft, to, index) === undefined) return
  const peer = (raft.role as Leader).peers.get(to)!
  becomeSnapshot(peer, raft.log.snapshot, raft.time.monotonicMs)
  if (peer.progress.kind === 'snapshot') peer.progress.reading = true
}

function transferTo(raft: RaftState, to: NodeId, index: Index): Snapshot | undefined {
  const progress = raft.role.kind === 'leader' ? raft.role.peers.get(to)?.progress : undefined
  return progress?.kind === 'snapshot' && progress.meta.index === index ? progress : undefined
}

/** It answers heartbeats but its offset has not moved for long: something was lost. */
export function rewindStalled(raft: RaftState, peer: Peer): void {
  const { progress } = peer
  const now = raft.time.monotonicMs
  if (progress.kind !== 'snapshot' || now - progress.movedAtMs < raft.config.electionTimeoutMs) return
  goTo(progress, progress.ackedOffset, now)
}

function goTo(progress: Snapshot, offset: number, nowMs: number): void {
  progress.ackedOffset = offset
  progress.sentOffset = offset
  progress.sentAll = false
  progress.reading = false
  progress.movedAtMs = nowMs
}

export function onInstallSnapshotResult(
  raft: RaftState,
  leader: Leader,
  peer: Peer,
  message: InstallSnapshotResult,
): void {
  const { log, time } = raft
  const rose = acknowledge(peer, message.matchIndex)
  const { progress } = peer
  if (progress.kind === 'snapshot') {
    if (peer.matchIndex >= log.base.index) resumeFromLog(raft, peer)
    else if (peer.matchIndex >= progress.meta.index) becomeSnapshot(peer, log.snapshot, time.monotonicMs)
    else if (message.snapshotIndex === progress.meta.index) moveOffset(progress, message, time.monotonicMs)
  }
  if (rose) advanceCommit(raft, leader)
}

function moveOffset(progress: Snapshot, { offset, gap }: InstallSnapshotResult, nowMs: number): void {
  // A gap; or it has more than it was sent in this term, from when this node has led before.
  if (gap || offset > progress.sentOffset) goTo(progress, offset, nowMs)
  if (offset <= progress.ackedOffset) return
  progress.ackedOffset = offset
  progress.movedAtMs = nowMs
}

// ------------------------------------------------------------------------------- the follower's side

export function onInstallSnapshot(raft: RaftState, from: NodeId, message: InstallSnapshot): void {
  const role = followLeader(raft, from, message)
  const { meta, offset, data, done } = message
  if (meta.index <= raft.commitIndex) return sayNotNeeded(raft, role, meta.index)
  if (raft.install?.finishing === true) return
  const isOurs = raft.install?.from === from && isSame(raft.install.meta, meta)
  if (!isOurs) {
    if (!isWhole(meta) || offset > 0) return sendProgress(raft, from, meta.index, 0, true)
    raft.install = { from, meta, offset: 0, writtenOffset: 0, finishing: false }
  }
  const install = raft.install!
  if (offset > install.offset) return sendProgress(raft, from, meta.index, install.offset, true)
  if (offset < install.offset) return sendProgress(raft, from, meta.index, install.writtenOffset, false)
  install.offset += data.length
  install.finishing = done
  raft.out.snapshotWrites.push({ kind: 'chunk', meta: install.meta, offset, data, done })
}

const idOf = ({ index, term }: EntryId): EntryId => ({ index, term })

const isWhole = (meta: SnapshotMeta | EntryId): meta is SnapshotMeta => Object.hasOwn(meta, 'membership')

const isSame = (a: EntryId, b: EntryId) => a.index === b.index && a.term === b.term

/** What is committed here is in the leader's log: nothing older is ever installed, but it is answered (H48). */
function sayNotNeeded(raft: RaftState, role: Follower, index: Index): void {
  role.receivedIndex = Math.max(role.receivedIndex, raft.commitIndex)
  role.owesResult ||= role.receivedIndex > raft.log.durableIndex
  sendProgress(raft, role.leader!, index, 0, false)
}

function sendProgress(raft: RaftState, to: NodeId, snapshotIndex: Index, offset: number, gap: boolean): void {
  const { role, log, term } = raft
  if (role.kind !== 'follower') return
  const matchIndex = Math.min(role.receivedIndex, log.durableIndex)
  send(raft, to, { type: 'installSnapshotResult', term, snapshotIndex, offset, gap, matchIndex })
}

/** Whether whoever sends this snapshot leads, in this term or again, and wants to hear of its bytes. */
function isAwaited(raft: RaftState, install: Install): boolean {
  return raft.role.kind === 'follower' && raft.role.leader === install.from
}

export function onChunkWritten(raft: RaftState, index: Index, offset: number): void {
  const { install } = raft
  if (install?.meta.index !== index || install.finishing || offset > install.offset) return
  install.writtenOffset = Math.max(install.writtenOffset, offset)
  if (isAwaited(raft, install)) sendProgress(raft, install.from, index, install.writtenOffset, false)
}

export function onSnapshotRejected(raft: RaftState, index: Index): void {
  const { install } = raft
  if (install?.meta.index !== index) return
  raft.install = null
  if (isAwaited(raft, install)) sendProgress(raft, install.from, index, 0, true)
}

/** The snapshot is whole and durable. What follows depends only on our log, whoever leads by now. */
export function onSnapshotReceived(raft: RaftState, index: Index): void {
  const { install } = raft
  if (install?.meta.index !== index || !install.finishing) return
  raft.install = null
  // What is committed by now may not be applied yet, and the entries are about to go.
  if (index > raft.appliedIndex) installSnapshot(raft, install.meta)
  else onSnapshotTaken(raft, install.meta)
  const { role } = raft
  if (role.kind !== 'follower' || role.leader === null) return
  // Committed, so it is in the log of whoever leads by now.
  role.receivedIndex = Math.max(role.receivedIndex, index)
  sendProgress(raft, role.leader, index, install.offset, false)
  sendOwedResult(raft, role)
}

/**
 * Figure 5.3, 6 to 8: "If existing log entry has same index and term as lastIndex and lastTerm, discard log up
 * through lastIndex (but retain any following entries) and reply. Discard the entire log. Reset state machine"
 */
function installSnapshot(raft: RaftState, meta: SnapshotMeta): void {
  if (termAt(raft.log, meta.index) === meta.term) {
    adoptSnapshot(raft.log, meta)
    compactLog(raft)
  } else {
    assert(raft.role.kind !== 'leader', 'a leader lacks what is committed')
    restart(raft.log, meta)
    raft.resetTo = meta
  }
  raft.commitIndex = Math.max(raft.commitIndex, meta.index)
  raft.appliedIndex = meta.index
  raft.out.installed = meta
}
