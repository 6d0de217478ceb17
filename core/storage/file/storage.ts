/**
 * A data directory as one thing: locked, identified, with its log and its snapshots.
 */
import type { Clock, Entropy, LogStore, SnapshotStore } from '../../ports.ts'
import type { Membership } from '../../raft/types.ts'

export type FsyncMode = 'always' | 'interval' | 'never'

/** What a data directory says about itself, in `identity.json`. */
export interface Identity {
  /** Empty until the node has founded or joined a cluster. */
  readonly clusterId: string
  readonly name: string
  /** Made with the directory, never reused: votes count per incarnation. */
  readonly incarnation: string
  /** Membership at index 0; null until the cluster is founded. */
  readonly founders: Membership | null
  /** The one acceptance this node has given while a cluster is being founded. */
  readonly founding: { readonly id: string; readonly members: readonly string[] } | null
  readonly createdAt: number
}

export interface FileStorageOptions {
  readonly dir: string
  /** Name of the member; must be the one the directory was made for. */
  readonly name: string
  readonly clock: Clock
  readonly entropy: Entropy
  /** Default `always`. */
  readonly fsync?: FsyncMode | undefined
  /** Only with `interval`; default 100. */
  readonly fsyncIntervalMs?: number | undefined
  /** Largest segment; smaller ones are used on small volumes and while the log is young. Default 64 MiB. */
  readonly segmentBytes?: number | undefined
}

export interface FileStorage {
  /** As on disk now; replaced by `updateIdentity`. */
  readonly identity: Identity
  /** True when this call made the directory's identity. */
  readonly fresh: boolean
  /** Id of this start, fsynced before `openFileStorage` resolved, and of the one before. */
  readonly runId: string
  readonly previousRunId: string | null
  /**
   * This node ran with `fsync` other than `always`, the machine went down, and acknowledged writes may be
   * gone. Grant no vote until caught up with a leader, then call `settle`. Kept across restarts.
   */
  readonly dirtyRelaxed: boolean
  readonly log: LogStore
  readonly snapshots: SnapshotStore
  updateIdentity(change: Partial<Pick<Identity, 'clusterId' | 'founders' | 'founding'>>): Promise<void>
  settle(): Promise<void>
  /** Closes log and snapshots, notes a clean stop, releases the directory. */
  close(clean: boolean): Promise<void>
}

/**
 * Opens or makes a data directory. Rejects with `DIRECTORY_LOCKED` (names the pid), `IDENTITY_MISMATCH`,
 * `CORRUPTED` (names file and offset), `STORAGE_FULL` or `STORAGE_FAILED`.
 */
export declare function openFileStorage(options: FileStorageOptions): Promise<FileStorage>
