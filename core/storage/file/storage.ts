/**
 * A data directory as one thing: locked, identified, with its log and its snapshots. The only file of the file
 * storage that others import.
 */
import { assert } from '../../assert.ts'
import type { Clock, Entropy, IdentityStore, LogStore, SnapshotStore } from '../../ports.ts'
import { identify, prepareDirectory, sweepDirectory } from './directory.ts'
import { type Disk, isDiskFull, nodeDisk } from './disk.ts'
import { cannotOpen, storageFailed } from './errors.ts'
import { type Identity, type IdentityFile, mayHaveLost, type Run, writeIdentity } from './identity.ts'
import { bootId, type DirectoryLock, lockDirectory } from './lock.ts'
import { FileLog, type FsyncMode } from './log-store.ts'
import { FileSnapshots } from './snapshot-store.ts'
import { identityPath } from './layout.ts'
import { Space } from './space.ts'

export type { FsyncMode }

const DEFAULT_SEGMENT_BYTES = 64 * 1024 * 1024
const DEFAULT_INTERVAL_MS = 100

/** What the disk and the machine are, for tests that need others. */
export interface StorageHost {
  readonly disk: Disk
  lock(dir: string): Promise<DirectoryLock>
  prepare(dir: string): Promise<void>
  bootId(): string
}

const thisMachine: StorageHost = {
  disk: nodeDisk,
  lock: lockDirectory,
  prepare: (dir) => prepareDirectory(nodeDisk, dir),
  bootId,
}

export interface FileStorageOptions {
  /** Absolute path. */
  readonly dir: string
  /** Name of the member; must be the one that the directory was made for. */
  readonly name: string
  readonly clock: Clock
  readonly entropy: Entropy
  /** Default `always`. */
  readonly fsync?: FsyncMode | undefined
  /** Only with `interval`; default 100. */
  readonly fsyncIntervalMs?: number | undefined
  /** Largest segment; smaller ones are used on small volumes and while the log is young. Default 64 MiB. */
  readonly segmentBytes?: number | undefined
  readonly host?: StorageHost | undefined
}

export interface FileStorage {
  /** As on disk now. */
  readonly identity: IdentityStore
  /** Id of this start, fsynced when `log.recover` resolves, and of the one before. */
  readonly runId: string
  readonly previousRunId: string | null
  /**
   * This node ran with an `fsync` other than `always`, the machine went down without a clean stop or a rest before,
   * and acknowledged writes may be gone. Grant no vote until caught up with a leader, then call `settle`. Stays
   * true across restarts until then. Known when `log.recover` has resolved.
   */
  readonly dirtyRelaxed: boolean
  readonly log: LogStore
  readonly snapshots: SnapshotStore
  /** This node has caught up with a leader, or an operator has accepted the loss. */
  settle(): Promise<void>
  /**
   * Closes log and snapshots, notes a stop that was `clean` if nothing was refused, and releases the directory.
   */
  close(clean: boolean): Promise<void>
}

/**
 * Opens or makes a data directory.
 *
 * @throws `DIRECTORY_LOCKED` naming the pid, or saying "already open in this process". `IDENTITY_MISMATCH`: the
 *   data of another member. `DIVERGED`: the data was set aside. `CORRUPTED` naming file and offset. `INVALID_OPTION`: others may write to the
 *   directory. `STORAGE_FULL`. `STORAGE_FAILED`: a file is there, no permission, or what the disk says; not
 *   applied. Nothing was changed in the first two.
 */
export async function openFileStorage(options: FileStorageOptions): Promise<FileStorage> {
  const { dir, host = thisMachine } = options
  let lock: DirectoryLock | undefined
  try {
    await host.prepare(dir)
    lock = await host.lock(dir)
    const content = await identify(host.disk, dir, options.name, options)
    await sweepDirectory(host.disk, dir)
    const storage = new OpenStorage(options, host, lock, content)
    await storage.open()
    return storage
  } catch (error) {
    await lock?.release()
    throw await cannotOpen(dir, error)
  }
}

class OpenStorage implements FileStorage {
  readonly log: FileLog
  readonly snapshots: FileSnapshots
  readonly identity: IdentityStore
  readonly runId: string
  readonly previousRunId: string | null
  readonly #options: FileStorageOptions
  readonly #host: StorageHost
  readonly #lock: DirectoryLock
  readonly #space: Space
  #content: IdentityFile
  /** Writes of the identity, one after another. */
  #writing: Promise<void> = Promise.resolve()

  constructor(options: FileStorageOptions, host: StorageHost, lock: DirectoryLock, content: IdentityFile) {
    const { dir, clock, entropy, fsync = 'always', fsyncIntervalMs = DEFAULT_INTERVAL_MS } = options
    const { segmentBytes = DEFAULT_SEGMENT_BYTES } = options
    const { disk } = host
    const { run, hasLog } = content
    this.#options = options
    this.#host = host
    this.#lock = lock
    this.#content = content
    this.runId = entropy.id()
    this.previousRunId = run?.id ?? null
    const failed = (error: Error): void => void this.log.fail(error)
    const owner = (): Identity => this.#content.identity
    this.identity = this.#liveIdentity()
    const space = new Space({ disk, dir, clock, segmentBytes, failed })
    this.#space = space
    this.snapshots = new FileSnapshots({ disk, dir, space, owner })
    this.log = new FileLog({
      disk,
      dir,
      clock,
      entropy,
      space,
      fsync,
      fsyncIntervalMs,
      owner,
      runId: this.runId,
      hasLog,
      closedBy: run?.closed === true ? run.id : null,
      unreadableSnapshots: () => this.snapshots.unreadable,
      recovered: () => this.#beginRun(fsync),
    })
  }

  /** What is on disk, at every moment. */
  #liveIdentity(): IdentityStore {
    const now = (): Identity => this.#content.identity
    return {
      name: now().name,
      incarnation: now().incarnation,
      get clusterId() {
        return now().clusterId
      },
      get founding() {
        return now().founding
      },
      get failure() {
        return now().failure
      },
      get promisedMs() {
        return now().promisedMs
      },
      update: (change) => this.#replace(({ identity }) => ({ identity: { ...identity, ...change } })),
    }
  }

  get dirtyRelaxed(): boolean {
    return this.#content.dirtyRelaxed
  }

  async open(): Promise<void> {
    await this.#space.open()
    await this.snapshots.open()
  }

  /** From here on the log may grow, so it is no longer what the last run closed. */
  #beginRun(fsync: FsyncMode): Promise<void> {
    const run: Run = { id: this.runId, bootId: this.#host.bootId(), fsync, closed: false }
    // Judged by the last run that could have written: the one that is recorded until now.
    const lost = (content: IdentityFile): boolean => mayHaveLost(content, run.bootId, this.log.isAtRest)
    return this.#replace((content) => ({ run, hasLog: true, dirtyRelaxed: lost(content) }))
  }

  settle(): Promise<void> {
    assert(this.#content.run?.id === this.runId, 'a node settles after its recovery')
    return this.#replace(() => ({ dirtyRelaxed: false }))
  }

  #replace(change: (content: IdentityFile) => Partial<IdentityFile>): Promise<void> {
    this.#writing = this.#writing.then(async () => {
      const content = { ...this.#content, ...change(this.#content) }
      try {
        await this.#write(content)
      } catch (error) {
        throw this.log.fail(storageFailed('write', identityPath(this.#options.dir), error))
      }
      this.#content = content
    })
    return this.#writing
  }

  /** A node has to be able to start on a full volume: there the ballast is given for it. */
  async #write(content: IdentityFile): Promise<void> {
    const { disk } = this.#host
    try {
      await writeIdentity(disk, this.#options.dir, content)
    } catch (error) {
      if (!isDiskFull(error) || !(await this.#space.releaseBallast())) throw error
      await writeIdentity(disk, this.#options.dir, content)
    }
  }

  async close(clean: boolean): Promise<void> {
    try {
      await this.log.close(clean)
      await this.snapshots.close()
      const { run } = this.#content
      if (run !== null && this.log.isMarked) await this.#replace(() => ({ run: { ...run, closed: true } }))
    } finally {
      await this.#lock.release()
    }
  }
}
