/**
 * `Ready`: all that the core wants done, as one record of nouns, taken once per turn.
 *
 * The write-before-send contract (3.8, 10.2.1) is kept in here and not by the driver: whatever is in
 * `send` may leave at once, in that order. What depends on the disk is held back until `persisted`.
 */
import type { Envelope } from './message.ts'
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
}
