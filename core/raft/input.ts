/**
 * Everything that enters the core, apart from proposals (`propose`, `proposeMembership`: functions,
 * because the caller needs the entries' ids at once).
 *
 * The driver drains what the network and the disk have brought before it gives a tick: after a stall
 * the leader's heartbeats are then heard before a timer decides that there is no leader.
 */
import type { Message } from './message.ts'
import type { Index, NodeId, SnapshotMeta } from './types.ts'

export type Input =
  /** Time has passed; due when `nextDeadline` says so, harmless at any other moment. */
  | { readonly type: 'tick' }
  | { readonly type: 'message'; readonly from: NodeId; readonly message: Message }
  /** The write `Ready.persist` of this sequence is durable, whole. Once for each, in order. */
  | { readonly type: 'persisted'; readonly sequence: number }
  /** It was not done, because there is no room for it; nothing of it is on the disk. Instead of `persisted`. */
  | { readonly type: 'persistRefused'; readonly sequence: number }
  /** A write or fsync failed. The core says nothing more, ever. */
  | { readonly type: 'storageFailed' }
  /** A linearizable read; answered in `Ready.reads` or `Ready.refusedReads` under this id, exactly once. */
  | { readonly type: 'read'; readonly id: number }
  /** A snapshot of this node's own machine is durable; `meta` came from `snapshotMeta`. */
  | { readonly type: 'snapshotTaken'; readonly meta: SnapshotMeta }
  /** Answers one `Ready.snapshotReads`. `data` may be shorter than asked; empty only with `done`. */
  | {
      readonly type: 'snapshotChunkRead'
      readonly to: NodeId
      readonly index: Index
      readonly offset: number
      readonly data: Uint8Array
      readonly done: boolean
    }
  /** The snapshot asked for in `Ready.snapshotReads` is gone or cannot be read: the newest is tried. */
  | { readonly type: 'snapshotReadFailed'; readonly to: NodeId; readonly index: Index }
  /** Answers a chunk of `Ready.snapshotWrites` that is not the last: its bytes up to `offset` are written. */
  | { readonly type: 'snapshotChunkWritten'; readonly index: Index; readonly offset: number }
  /** Answers the last chunk: the snapshot is whole, verified, durable and the newest in the store. */
  | { readonly type: 'snapshotReceived'; readonly index: Index }
  /** Answers a chunk: the bytes are not a snapshot. Nothing was kept; the leader sends it again from the start. */
  | { readonly type: 'snapshotRejected'; readonly index: Index }
  /** The connection to this peer was reset and a new one refused: it is probably dead. */
  | { readonly type: 'peerLost'; readonly peer: NodeId }
  /**
   * The peer has come back with less than it had acknowledged (a power loss under a relaxed fsync
   * mode): what a leader knows of it is void. Given before anything is sent over its new connection.
   */
  | { readonly type: 'peerRegressed'; readonly peer: NodeId }
  /**
   * Hand leadership to this voter (3.10); without one, to the voter that has most of the log. How it ends is said
   * in `Ready.transfersEnded`; a request for what is under way already ends with it.
   */
  | { readonly type: 'transfer'; readonly to?: NodeId | undefined }
