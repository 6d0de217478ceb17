/** What a node stands on: its identity, its log, its snapshots; on files or in memory. */
import type { ResolvedConfig } from './config/index.ts'
import type { LogStore, SnapshotStore } from './ports.ts'
import type { Membership } from './raft/index.ts'
import { type FileStorage, openFileStorage } from './storage/file/storage.ts'
import { openMemoryStorage } from './storage/memory.ts'
import { systemClock, systemEntropy } from './world.ts'

/** What a node stands on: its files, or nothing that lasts. */
export interface NodeStorage {
  readonly name: string
  readonly incarnation: string
  readonly clusterId: string
  readonly founders: Membership
  readonly createdAt: number
  readonly log: LogStore
  readonly snapshots: SnapshotStore
  /** To be called when the log has been recovered: whatever was there is all that there will be. */
  settle(): Promise<void>
  close(clean: boolean): Promise<void>
}

/** Opens what the config asks for, and founds a cluster of one where there is none yet. */
export async function openStorage({ node, storage }: ResolvedConfig): Promise<NodeStorage> {
  if (storage === 'memory') return inMemory(node.id)
  const opened = await openFileStorage({
    name: node.id,
    clock: systemClock,
    entropy: systemEntropy,
    dir: storage.dir,
    fsync: storage.fsync,
    fsyncIntervalMs: storage.intervalMs,
    segmentBytes: storage.segmentBytes,
  })
  try {
    return await ofOne(opened)
  } catch (error) {
    await opened.close(false)
    throw error
  }
}

async function ofOne(opened: FileStorage): Promise<NodeStorage> {
  const { name, incarnation } = opened.identity
  if (opened.identity.founders === null) {
    await opened.updateIdentity({ clusterId: systemEntropy.id(), founders: clusterOfOne(name, incarnation) })
  }
  const { clusterId, founders, createdAt } = opened.identity
  const { log, snapshots } = opened
  return {
    name,
    incarnation,
    clusterId,
    founders: founders as Membership,
    createdAt,
    log,
    snapshots,
    // The only copy there is: nobody else could tell what is missing, or vote in its place.
    settle: async () => {
      if (opened.dirtyRelaxed) await opened.settle()
    },
    close: (clean) => opened.close(clean),
  }
}

/** A new incarnation at every start: it has forgotten its votes. */
function inMemory(name: string): NodeStorage {
  const incarnation = systemEntropy.id()
  const { log, snapshots } = openMemoryStorage()
  return {
    name,
    incarnation,
    clusterId: systemEntropy.id(),
    founders: clusterOfOne(name, incarnation),
    createdAt: systemClock.wallMs(),
    log,
    snapshots,
    settle: async () => {},
    close: async (clean) => {
      await log.close(clean)
      await snapshots.close()
    },
  }
}

/** A cluster of one is founded by its only member. */
function clusterOfOne(name: string, incarnation: string): Membership {
  const id = `${name}/${incarnation}`
  const members = { [id]: { name, incarnation, address: '' } }
  return { voters: [id], outgoing: [], learners: [], members, removed: [] }
}
