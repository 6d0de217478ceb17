/** What a node stands on: its identity, its log, its snapshots; on files or in memory. */
import { assert } from './assert.ts'
import type { ResolvedConfig } from './config/index.ts'
import type { Entropy, IdentityStore, LogStore, SnapshotStore } from './ports.ts'
import { openFileStorage, type StorageHost } from './storage/file/storage.ts'
import { MemoryIdentity, openMemoryStorage } from './storage/memory.ts'
import type { World } from './world.ts'

/** What a node stands on: its files, or nothing that lasts. */
export interface NodeStorage {
  readonly identity: IdentityStore
  /** Of this start, and of the one before; null when there was none, or nothing is kept. */
  readonly runId: string
  readonly previousRunId: string | null
  /**
   * Acknowledged writes of this node may be gone: no vote until it has caught up with a leader, or the loss is
   * accepted. Known when the log has been recovered; false once it is settled.
   */
  readonly tailInDoubt: boolean
  readonly log: LogStore
  readonly snapshots: SnapshotStore
  /** What was in doubt is so no more. To be called after the log has been recovered. */
  settle(): Promise<void>
  close(clean: boolean): Promise<void>
}

/** How a node gets at what it stands on: `openStorage`, or a test's own. Rejects with what a node cannot start on. */
export type OpenStorage = (config: ResolvedConfig, world: World) => Promise<NodeStorage>

/** Opens what the config asks for. */
export const openStorage: OpenStorage = async (config, world) =>
  config.storage === 'memory' ? inMemory(config.node.id, world.entropy) : filesOf(config, world)

/** The files in the directory of the config, on this machine or on another host's disk. */
export async function filesOf(
  { node, storage }: ResolvedConfig,
  { clock, entropy }: World,
  host?: StorageHost,
): Promise<NodeStorage> {
  assert(storage !== 'memory', 'a node in memory has no files')
  const opened = await openFileStorage({
    name: node.id,
    clock,
    entropy,
    dir: storage.dir,
    fsync: storage.fsync,
    fsyncIntervalMs: storage.intervalMs,
    segmentBytes: storage.segmentBytes,
    host,
  })
  return {
    identity: opened.identity,
    runId: opened.runId,
    previousRunId: opened.previousRunId,
    get tailInDoubt() {
      return opened.dirtyRelaxed
    },
    log: opened.log,
    snapshots: opened.snapshots,
    settle: () => opened.settle(),
    close: (clean) => opened.close(clean),
  }
}

/** A new incarnation at every start: it has forgotten its votes. */
function inMemory(name: string, entropy: Entropy): NodeStorage {
  const { log, snapshots } = openMemoryStorage()
  return {
    identity: new MemoryIdentity(name, entropy.id()),
    runId: entropy.id(),
    previousRunId: null,
    tailInDoubt: false,
    log,
    snapshots,
    settle: async () => {},
    close: async (clean) => {
      await log.close(clean)
      await snapshots.close()
    },
  }
}
