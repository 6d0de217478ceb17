/**
 * `Ready`: all that the core wants done, as one record of nouns, taken once per turn.
 *
 * The write-before-send contract (3.8, 10.2.1) is kept in here and not by the driver: whatever is in
 * `send` may leave at once, in that order. What depends on the disk is held back until `persisted`.
 */
import { moveMembershipOn } from './change.ts'
import { markWall } from './clock.ts'
import { slice } from './log.ts'
import type { Envelope } from './message.ts'
import { dropWhatHasNoRoom } from './following.ts'
import { mustPersist, takePersist } from './persist.ts'
import { emptyOut } from './raft.ts'
import type { RaftState } from './raft.ts'
import { confirmReads } from './read.ts'
import { noticeRemoval } from './removal.ts'
import type { Removal } from './removal.ts'
import { replicate } from './replication.ts'
import { isEstablished, leaderOf } from './role.ts'
import { readChunks } from './snapshot.ts'
import { completeTransfer } from './transfer.ts'
import type { TransferEnd } from './handover.ts'
import type { Entry, HardState, Index, NodeId, SnapshotMeta, Term } from './types.ts'

/**
 * One durable step. `reset` first, when it is there, then `batch`; the answer is `persisted` with this
 * `sequence`. At most one is outstanding: what gathers meanwhile is the next (group commit).
 */
export interface Persist {
  readonly sequence: number
  /** Drop the whole log: it goes on after this snapshot, which is durable already (Figure 5.3). */
  readonly reset?: { readonly meta: SnapshotMeta; readonly hardState: HardState } | undefined
  readonly batch: {
    readonly truncateFrom?: Index | undefined
    readonly entries: readonly Entry[]
    readonly hardState?: HardState | undefined
    readonly mustSync: boolean
  }
}

export interface ReadAnswer {
  readonly id: number
  /** A machine that has applied this index, or a later one, answers the read linearizably. */
  readonly index: Index
  /** The cluster time at which the read holds: what is due then must be expired before it is shown. */
  readonly clusterTime: number
}

export interface RefusedRead {
  readonly id: number
  /** Whom to ask instead; null when unknown. */
  readonly leader: NodeId | null
}

/** Read up to `maxBytes` of the snapshot `meta` from `offset`; answer `snapshotChunkRead` or `…Failed`. */
export interface SnapshotRead {
  readonly to: NodeId
  readonly meta: SnapshotMeta
  readonly offset: number
  readonly maxBytes: number
}

/** In order. `offset` 0 begins a new snapshot and drops an unfinished one; `done` commits it. */
export type SnapshotWrite =
  | {
      readonly kind: 'chunk'
      readonly meta: SnapshotMeta
      readonly offset: number
      readonly data: Uint8Array
      readonly done: boolean
    }
  /** The unfinished one will not be continued. No answer. */
  | { readonly kind: 'abort' }

export interface Leadership {
  readonly term: Term
  readonly role: 'follower' | 'preCandidate' | 'candidate' | 'leader'
  /** Null when unknown. */
  readonly leader: NodeId | null
  /** This node leads, and an entry of its own term is committed: reads and changes may begin (H06). */
  readonly established: boolean
}

export interface Ready {
  readonly send: readonly Envelope[]
  readonly persist?: Persist | undefined
  /** Replace the machine by this snapshot (received from the leader) before applying `committed`. */
  readonly installed?: SnapshotMeta | undefined
  /**
   * To apply, in order, each exactly once; durable here. At most `maxReadyBytes`: while more are
   * waiting, `hasReady` stays true.
   */
  readonly committed: readonly Entry[]
  readonly reads: readonly ReadAnswer[]
  readonly refusedReads: readonly RefusedRead[]
  /** Entries at or below are covered by a durable snapshot and no longer needed in the log. */
  readonly compact?: Index | undefined
  readonly snapshotReads: readonly SnapshotRead[]
  readonly snapshotWrites: readonly SnapshotWrite[]
  /** Present when it differs from what the last `Ready` said. */
  readonly leadership?: Leadership | undefined
  /** How each `transfer` ended. */
  readonly transfersEnded: readonly TransferEnd[]
  /** Said once: this node is no member any more, for good. To be stopped; its data has no further use. */
  readonly removed?: Removal | undefined
}

/** Whether `takeReady` could bring anything. */
export function hasReady(raft: RaftState): boolean {
  return raft.touched || mustPersist(raft) || applicableIndex(raft) > raft.appliedIndex
}

/**
 * Ends a turn: a leader sends what the turn has gathered, and everything wished for is handed over. Empty
 * when nothing has happened.
 */
export function takeReady(raft: RaftState): Ready {
  if (raft.touched && raft.role.kind === 'leader') {
    const leader = raft.role
    moveMembershipOn(raft, leader)
    confirmReads(raft, leader)
    replicate(raft, leader)
    readChunks(raft, leader)
    completeTransfer(raft, leader)
  }
  if (raft.touched) {
    noticeRemoval(raft)
    markWall(raft)
  }
  dropWhatHasNoRoom(raft)
  raft.touched = false
  const persist = takePersist(raft)
  const committed = takeCommitted(raft)
  const leadership = takeLeadership(raft)
  const { out } = raft
  raft.out = emptyOut()
  return {
    send: out.send,
    persist,
    installed: out.installed ?? undefined,
    committed,
    reads: out.reads,
    refusedReads: out.refusedReads,
    compact: out.compact ?? undefined,
    snapshotReads: out.snapshotReads,
    snapshotWrites: out.snapshotWrites,
    leadership,
    transfersEnded: out.transfersEnded,
    removed: out.removed ?? undefined,
  }
}

/** Committed, and durable here: what is applied can be read again after a crash (H21). */
function applicableIndex(raft: RaftState): Index {
  return raft.storageFailed ? raft.appliedIndex : Math.min(raft.commitIndex, raft.log.durableIndex)
}

function takeCommitted(raft: RaftState): readonly Entry[] {
  const through = applicableIndex(raft)
  if (through <= raft.appliedIndex) return []
  const entries = slice(raft.log, raft.appliedIndex + 1, through, raft.config.maxReadyBytes)
  raft.appliedIndex += entries.length
  return entries
}

function takeLeadership(raft: RaftState): Leadership | undefined {
  const told = raft.toldLeadership
  const role = raft.role.kind
  const leader = leaderOf(raft)
  const established = isEstablished(raft)
  if (
    told.term === raft.term &&
    told.role === role &&
    told.leader === leader &&
    told.established === established
  ) {
    return undefined
  }
  raft.toldLeadership = { term: raft.term, role, leader, established }
  return raft.toldLeadership
}
