/**
 * One input, one step. The rules for terms come before everything else (3.3): whoever meets a higher term
 * adopts it and follows; whoever speaks from a lower one is told, or not heard.
 */
import { assert, assertNever } from '../assert.ts'
import {
  campaignIfAlone,
  disregards,
  onPeerLost,
  onPreVote,
  onPreVoteResult,
  onRequestVote,
  onRequestVoteResult,
  onTick,
} from './election.ts'
import { onAppendEntries } from './following.ts'
import type { Input } from './input.ts'
import { bytesBetween, lastIndex } from './log.ts'
import { ROOM_MAX_BYTES } from './message.ts'
import type { Message, Removed } from './message.ts'
import { send } from './outbox.ts'
import { onPersisted, onPersistRefused, onStorageFailed } from './persist.ts'
import { createPeer, noteRound } from './progress.ts'
import type { Peer } from './progress.ts'
import type { RaftState } from './raft.ts'
import { onRemoved, turnAway } from './removal.ts'
import { apartMs, read, voidLease } from './read.ts'
import { appendOwn, onAppendEntriesResult } from './replication.ts'
import { becomeFollower } from './role.ts'
import type { Leader } from './role.ts'
import {
  onChunkRead,
  onChunkWritten,
  onInstallSnapshot,
  onInstallSnapshotResult,
  onReadFailed,
  onSnapshotReceived,
  onSnapshotRejected,
  onSnapshotTaken,
  rewindStalled,
} from './snapshot.ts'
import { onTimeoutNow, onTransfer } from './transfer.ts'
import type { EntryId, NodeId, Term, Time } from './types.ts'

const MAX_UNCOMMITTED_BYTES = 64 * 1024 * 1024

export function step(raft: RaftState, time: Time, input: Input): void {
  if (raft.storageFailed) return refuseLate(raft, input)
  advanceTime(raft, time)
  handle(raft, input)
  if (!raft.storageFailed) campaignIfAlone(raft)
}

/** Whoever asks is told, even when nothing else is said any more. */
function refuseLate(raft: RaftState, input: Input): void {
  if (input.type === 'read') read(raft, input.id)
  else if (input.type === 'transfer') onTransfer(raft, input.to)
  else return
  raft.touched = true
}

/** Every way in: from here on this is the time. */
export function advanceTime(raft: RaftState, time: Time): void {
  assert(time.monotonicMs >= raft.time.monotonicMs, 'the monotonic clock went back')
  const { role, config } = raft
  // Seen once, it counts: a wall clock that is set back later, by what a suspend has taken, would hide it.
  if (role.kind === 'leader' && Math.abs(apartMs(raft.time, time)) > config.driftMs) voidLease(role)
  raft.time = time
  raft.touched = true
}

function handle(raft: RaftState, input: Input): void {
  switch (input.type) {
    case 'tick':
      return onTick(raft)
    case 'message':
      return onMessage(raft, input.from, input.message)
    case 'persisted':
      return onPersisted(raft, input.sequence)
    case 'persistRefused':
      return onPersistRefused(raft, input.sequence)
    case 'storageFailed':
      return onStorageFailed(raft)
    case 'read':
      return read(raft, input.id)
    case 'snapshotTaken':
      return onSnapshotTaken(raft, input.meta)
    case 'snapshotChunkRead':
      return onChunkRead(raft, input)
    case 'snapshotReadFailed':
      return onReadFailed(raft, input.to, input.index)
    case 'snapshotChunkWritten':
      return onChunkWritten(raft, input.index, input.offset)
    case 'snapshotReceived':
      return onSnapshotReceived(raft, input.index)
    case 'snapshotRejected':
      return onSnapshotRejected(raft, input.index)
    case 'peerLost':
      return onPeerLost(raft, input.peer)
    case 'peerRegressed':
      return onPeerRegressed(raft, input.peer)
    case 'transfer':
      return onTransfer(raft, input.to)
    default:
      return assertNever(input)
  }
}

function onMessage(raft: RaftState, from: NodeId, message: Message): void {
  if (message.type === 'removed') return onRemoved(raft, from, message)
  if (turnAway(raft, from, message)) return
  if (message.type === 'preVote') return onPreVote(raft, from, message)
  if (message.type === 'requestVote' && disregards(raft, message)) return
  if (message.term < raft.term) return answerStale(raft, from, message)
  if (message.term > raft.term) {
    const leads = message.type === 'appendEntries' || message.type === 'installSnapshot'
    becomeFollower(raft, message.term, leads ? from : null)
  }
  switch (message.type) {
    case 'preVoteResult':
      return onPreVoteResult(raft, from, message)
    case 'requestVote':
      return onRequestVote(raft, from, message)
    case 'requestVoteResult':
      return onRequestVoteResult(raft, from, message)
    case 'appendEntries':
      return onAppendEntries(raft, from, message)
    case 'installSnapshot':
      return onInstallSnapshot(raft, from, message)
    case 'appendEntriesResult':
    case 'installSnapshotResult':
      return onResult(raft, from, message)
    case 'timeoutNow':
      return onTimeoutNow(raft, from)
    default:
      return assertNever(message)
  }
}

/** 3.3: "If a server receives a request with a stale term number, it rejects the request." Results are dropped. */
function answerStale(raft: RaftState, from: NodeId, message: Exclude<Message, Removed>): void {
  const { term } = raft
  switch (message.type) {
    case 'requestVote':
      return send(raft, from, {
        type: 'requestVoteResult',
        term,
        granted: false,
        clusterTime: null,
        clockTerm: 0,
        isReckoned: false,
      })
    case 'appendEntries':
    case 'installSnapshot':
      // It learns of the newer term, and nothing else.
      return send(raft, from, {
        type: 'appendEntriesResult',
        term,
        round: 0,
        matchIndex: 0,
        receivedIndex: 0,
        refusal: null,
        promiseMs: 0,
        roomBytes: ROOM_MAX_BYTES,
      })
    case 'preVoteResult':
      // Our question asked for the next term, so the answer of a voter that is behind us still counts.
      return onPreVoteResult(raft, from, message)
    case 'preVote':
    case 'requestVoteResult':
    case 'appendEntriesResult':
    case 'installSnapshotResult':
    case 'timeoutNow':
      return undefined
    default:
      return assertNever(message)
  }
}

type Result = Extract<Message, { type: 'appendEntriesResult' | 'installSnapshotResult' }>

/** Heard by a leader, from those it replicates to; nobody else's acknowledgement counts (H05). */
function onResult(raft: RaftState, from: NodeId, message: Result): void {
  if (raft.role.kind !== 'leader') return
  const leader: Leader = raft.role
  const peer: Peer | undefined = leader.peers.get(from)
  if (peer === undefined) return
  peer.heardAtMs = raft.time.monotonicMs
  if (message.type === 'installSnapshotResult') {
    onInstallSnapshotResult(raft, leader, peer, message)
  } else {
    onAppendEntriesResult(raft, leader, peer, message)
    rewindStalled(raft, peer)
  }
  noteRound(peer, lastIndex(raft.log), raft.time.monotonicMs, raft.config.electionTimeoutMs)
}

/** What the peer had acknowledged is void: it is asked anew, and does not count until it has answered. */
function onPeerRegressed(raft: RaftState, id: NodeId): void {
  if (raft.role.kind !== 'leader' || !raft.role.peers.has(id)) return
  raft.role.peers.set(id, createPeer(id, lastIndex(raft.log) + 1, raft.time.monotonicMs))
}

/**
 * Appends an entry of commands for each of `datas`. Undefined when nothing was appended: this node does not
 * lead, is handing over, has lost its disk, leads in another term than `fenceTerm` (H23), or has too much that
 * is not committed: a leader that reaches no quorum does not fill its memory.
 */
export function propose(
  raft: RaftState,
  time: Time,
  datas: readonly Uint8Array[],
  fenceTerm?: Term,
): readonly EntryId[] | undefined {
  if (raft.storageFailed) return undefined
  advanceTime(raft, time)
  const { role } = raft
  if (role.kind !== 'leader' || role.transfer !== null) return undefined
  if (fenceTerm !== undefined && fenceTerm !== raft.term) return undefined
  if (!hasRoom(raft, datas)) return undefined
  return appendOwn(
    raft,
    role,
    datas.map((data) => ({ kind: 'commands', data })),
  )
}

/** Whatever its size, a proposal is taken when nothing is waiting: else none of that size ever could be. */
function hasRoom(raft: RaftState, datas: readonly Uint8Array[]): boolean {
  const waiting = uncommittedBytes(raft)
  const bytes = datas.reduce((sum, data) => sum + data.length, 0)
  const { maxUncommittedBytes = MAX_UNCOMMITTED_BYTES } = raft.config
  return waiting === 0 || waiting + bytes <= maxUncommittedBytes
}

/** Bytes of entries in the log that are not committed, about 100 for each entry beside its data. */
export function uncommittedBytes({ log, commitIndex }: RaftState): number {
  return bytesBetween(log, commitIndex, lastIndex(log))
}
