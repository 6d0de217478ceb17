/**
 * What Concord asks of the world: a clock, chance, a log, a snapshot store. Types only.
 *
 * Below `concord.ts` nothing else reaches time, randomness, disk or network. The simulator, the users'
 * test kit and `concord dev` exist because the whole world can be replaced here.
 */
import type { Entry, HardState, Index, SnapshotMeta, Term } from './raft/types.ts'

/** A pending call of `Clock.after`; an opaque handle. */
export type Timer = unknown

export interface Clock {
  /** Milliseconds, fractional, from an arbitrary origin; never goes back, stands still in a suspend. */
  monotonicMs(): number
  /** Milliseconds since 1970 UTC; may jump either way. */
  wallMs(): number
  /**
   * Calls `run` once, `delayMs` from now or later. By default it does not keep the process alive, as nothing
   * does that a node does for itself; `keepAlive` is for what a caller waits for.
   */
  after(delayMs: number, run: () => void, options?: { readonly keepAlive?: boolean }): Timer
  cancel(timer: Timer): void
  /** Calls `run` soon: after what is already queued, before any timer of more than 0 ms. */
  soon(run: () => void): void
}

export interface Entropy {
  /** A float in [0, 1). */
  random(): number
  /** A fresh identifier of 21 URL-safe characters, unpredictable. */
  id(): string
}

/** A node by its name, its incarnation, and the address (`host:port`) at which its peers reach it. */
export interface Introduced {
  readonly name: string
  readonly incarnation: string
  /** Empty on a node alone, which opens no port for peers. */
  readonly address: string
}

/** One attempt to found a cluster: by whom, with exactly whom. Its id is that of the cluster. */
export interface Founding {
  readonly id: string
  /** Who coordinates it; only he may take it back. */
  readonly by: { readonly name: string; readonly incarnation: string }
  /** Counts his attempts, from 1: a question that comes late does not undo a later one. */
  readonly attempt: number
  /** The first voters. */
  readonly members: readonly Introduced[]
  /** Milliseconds since 1970 UTC: the wall time at which the log begins. */
  readonly foundedAt: number
}

/** Who a node is, durably. */
export interface IdentityStore {
  readonly name: string
  /** Made with the directory and never used again: votes count per incarnation. */
  readonly incarnation: string
  /** Empty until the node has founded or joined a cluster; then the id of `founding`. */
  readonly clusterId: string
  /** What the node has accepted to found, and then what its cluster was founded by. */
  readonly founding: Founding | null
  /** Resolves when it is durable. One at a time; rejects with `STORAGE_FAILED`, and then the node stops. */
  update(change: { readonly clusterId?: string; readonly founding?: Founding | null }): Promise<void>
}

/** One durable step of the log: applied in the order truncate, entries, hard state; all or none. */
export interface LogBatch {
  /** Entries from this index on are dropped first (a conflict with the leader's log, 3.5). */
  readonly truncateFrom?: Index | undefined
  readonly entries: readonly Entry[]
  readonly hardState?: HardState | undefined
  /**
   * True for what is fsynced in every mode: term, vote, membership, truncation. Entries of commands
   * alone leave it false and follow `storage.fsync`.
   */
  readonly mustSync: boolean
}

export interface RecoveredLog {
  readonly hardState: HardState
  /** Contiguous, ascending. The first is at most one above the newest snapshot, or recovery refuses. */
  readonly entries: readonly Entry[]
  /** The log carried a closing mark: the last stop was clean. */
  readonly cleanStop: boolean
  /** A torn tail, never acknowledged, that recovery cut. */
  readonly cut?: { readonly file: string; readonly offset: number; readonly bytes: number } | undefined
}

/**
 * The log on disk. One caller, one call in flight at a time; only `compact` and `close` may come beside an
 * `append`.
 *
 * Every promise that rejects does so with a `ConcordError`: `CORRUPTED` (names file and offset) or
 * `IDENTITY_MISMATCH` from `recover`; `STORAGE_FULL` from an `append` that waited for space when the log was
 * closed, and was not done; anything else is `STORAGE_FAILED`, after which the store refuses all further
 * calls, because what an fsync that failed has left behind is unknown.
 */
export interface LogStore {
  /**
   * Resolves with what has broken the store, also when no call was under way to be told: an fsync in the
   * background, space that was to be taken. Never, while all is well.
   */
  readonly failed: Promise<Error>
  /**
   * Reads everything once, before any other call; cuts a torn tail, and cuts it durably. A log that ends before
   * the snapshot, or has another term at its index, is dropped: it is from before the snapshot was installed.
   */
  recover(snapshotIndex: Index, snapshotTerm?: Term): Promise<RecoveredLog>
  /** Resolves when the batch is as durable as the mode and `mustSync` ask. */
  append(batch: LogBatch): Promise<void>
  /**
   * Whether space for about `bytes` more has been taken. False: refuse new commands now; they come
   * back by themselves when space does. Synchronous and cheap: asked before each proposal. A store that has
   * failed is not full: true, and the append says what is wrong.
   */
  hasRoom(bytes: number): boolean
  /** Drops whole segments that only hold entries at or below `index`. */
  compact(index: Index): Promise<void>
  /** Drops all entries and starts after a snapshot that was installed from a leader (Figure 5.3). */
  reset(meta: SnapshotMeta, hardState: HardState): Promise<void>
  /**
   * Ends an `append` that waits for space, waits for one that is being written, writes the closing mark when
   * `clean` and nothing was refused, and releases the files.
   */
  close(clean: boolean): Promise<void>
}

export interface SnapshotWriter {
  write(chunk: Uint8Array): Promise<void>
  /** Durable and visible, whole: temp file, fsync, rename, fsync of the directory. */
  commit(): Promise<void>
  abort(): Promise<void>
}

export interface SnapshotReader {
  readonly meta: SnapshotMeta
  readonly sizeBytes: number
  /** The bytes given to the writer, in order, checksums verified; rejects with `CORRUPTED`. */
  chunks(): AsyncIterable<Uint8Array>
  /** Up to `maxBytes` from `offset`, for sending to a peer. */
  read(offset: number, maxBytes: number): Promise<Uint8Array>
  close(): Promise<void>
}

export interface SnapshotStore {
  /** The newest whole snapshot; undefined when there is none. Rejects with `CORRUPTED`. */
  latest(): Promise<SnapshotReader | undefined>
  create(meta: SnapshotMeta): Promise<SnapshotWriter>
  /** Deletes snapshots older than the newest one that are not open for reading. */
  prune(): Promise<void>
  close(): Promise<void>
}
