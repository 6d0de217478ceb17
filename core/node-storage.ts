/** What a node stands on: its identity, its log, its snapshots; on files or in memory. */
import type { ResolvedConfig } from './config/index.ts'
import type { LogStore, SnapshotStore } from './ports.ts'
import type { Membership } from './raft/index.ts'
import { openFileStorage } from './storage/file/storage.ts'
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
  const { name, incarnation } = opened.identity
  if (opened.identity.founders === null) {
    await opened.updateIdentity({ clusterId: systemEntropy.id(), founders: clusterOfOne(name, incarnation) })
  }
  // The only copy there is: nobody else could tell what is missing, or vote in its place.
  if (opened.dirtyRelaxed) await opened.settle()
  const { clusterId, founders, createdAt } = opened.identity
  const { log, snapshots } = opened
  const close = (clean: boolean): Promise<void> => opened.close(clean)
  return { name, incarnation, clusterId, founders: founders as Membership, createdAt, log, snapshots, close }
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
