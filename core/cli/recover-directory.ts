/**
 * What `concord recover` does to a data directory. The new one is written whole and beside, in `recovering/`, as a
 * node of a new incarnation that alone founded a new cluster, with a snapshot of the state at a revision that none
 * of the lost members can have reached. Then it takes the place of the old one, which is kept in `before-<id>/`.
 *
 * Cut off at any point, the directory is either as it was, or has no identity and does not start until the command
 * is run again, which goes on where it was.
 */
import { mkdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { assert } from '../assert.ts'
import type { Machine, Slice } from '../machine/index.ts'
import { snapshotSource, stateHash } from '../machine/index.ts'
import { idOf } from '../address.ts'
import { beginning } from '../node/beginning.ts'
import { bury } from '../raft/index.ts'
import type { HardState, Membership, SnapshotMeta } from '../raft/index.ts'
import { nodeDisk } from '../storage/file/disk.ts'
import { readIdentity } from '../storage/file/identity.ts'
import { identityPath, logDir, snapshotDir } from '../storage/file/layout.ts'
import { type FileStorage, openFileStorage } from '../storage/file/storage.ts'
import { systemWorld } from '../world.ts'
import { type Examined, examine } from './fsck.ts'

/** No member of the old cluster can have counted as far as from the one to the other. */
const REVISIONS = 1_000_000_000
const CHUNK_BYTES = 64 * 1024

export interface Recovered {
  readonly dir: string
  readonly node: string
  readonly clusterId: string
  readonly previousClusterId: string
  readonly index: number
  /** Of the store; null when a plugin is missing here that its state needs. */
  readonly revision: number | null
  /** Where the old data is. */
  readonly before: string
}

const buildingDir = (dir: string): string => join(dir, 'recovering')
const beforeDir = (dir: string, clusterId: string): string => join(dir, `before-${clusterId}`)

/** Where the log ends, as far as this directory knows: the facts of its last entry, and who is a member there. */
export function standing({ content, snapshots, log }: Examined): SnapshotMeta {
  const newest = snapshots.at(-1)
  const { clusterId, founding } = content!.identity
  const start = newest?.meta ?? beginning(clusterId === '' ? null : founding)
  const entries = (log?.image.entries ?? []).filter(({ index }) => index > start.index)
  const last = entries.at(-1)
  const membership = entries.findLast((entry) => entry.membership !== undefined)?.membership
  const { index, term, clusterTime, wallTime } = last ?? start
  return { index, term, clusterTime, wallTime, membership: membership ?? start.membership }
}

/** The directory must be locked, and what was read of it whole. */
export async function recoverDirectory(dir: string, examined: Examined): Promise<Recovered> {
  const { content, loaded, log } = examined
  const machine = loaded?.machine
  assert(content !== undefined && log !== undefined, 'what is recovered was read')
  assert(machine !== undefined && machine !== null, 'what is recovered was read whole')
  const building = buildingDir(dir)
  const old = standing(examined)
  machine.revision += REVISIONS
  const storage = await openFileStorage({ dir: building, name: content.identity.name, ...systemWorld })
  let isWhole = false
  try {
    await write(storage, machine, old, log.image.hardState)
    isWhole = true
  } finally {
    await storage.close(isWhole)
  }
  await verify(building, machine)
  return swap(dir, [...machine.slices.values()])
}

async function write(
  storage: FileStorage,
  machine: Machine,
  old: SnapshotMeta,
  { term, wallMark }: HardState,
): Promise<void> {
  const { identity, log, snapshots } = storage
  const { name, incarnation } = identity
  const { clock, entropy } = systemWorld
  await log.recover(0)
  const address = addressOf(old.membership, name)
  const self = { name, incarnation, address }
  const founding = { id: entropy.id(), by: self, attempt: 1, members: [self], foundedAt: clock.wallMs() }
  await identity.update({ clusterId: founding.id, founding })
  const id = idOf(identity)
  const membership: Membership = {
    voters: [id],
    outgoing: [],
    learners: [],
    members: { [id]: self },
    // The old id of this node is one of them: none of the old cluster is ever a member of this one.
    removed: bury(old.membership.removed, Object.keys(old.membership.members)),
  }
  const { appliedIndex, appliedTerm, clusterTime, wallTime } = machine
  const meta = { index: appliedIndex, term: appliedTerm, clusterTime, wallTime, membership }
  const source = snapshotSource(machine)
  const writer = await snapshots.create(meta)
  for (let chunk = source.next(CHUNK_BYTES); chunk !== undefined; chunk = source.next(CHUNK_BYTES)) {
    await writer.write(chunk)
  }
  await writer.commit()
  await log.reset(meta, { term: Math.max(term, appliedTerm), votedFor: null, wallMark })
}

/** Until it says otherwise, others find it where they found the one before. */
function addressOf({ members }: Membership, name: string): string {
  return Object.values(members).find((member) => member.name === name)?.address ?? ''
}

/** Reads back what was written: it is to take the place of the only data that is left. */
async function verify(building: string, machine: Machine): Promise<void> {
  const { loaded, problems } = await examine(building, async () => [...machine.slices.values()])
  if (problems[0] !== undefined) throw problems[0]
  assert(loaded?.state?.hash === stateHash(machine), 'what was written is what was meant')
}

/** Goes on with what was cut off after the old identity had gone; undefined when there is nothing of the kind. */
export async function resumeRecovery(
  dir: string,
  slices: () => Promise<readonly Slice[]>,
): Promise<Recovered | undefined> {
  const building = buildingDir(dir)
  if ((await exists(identityPath(building))) && !(await exists(identityPath(dir)))) {
    return swap(dir, await slices())
  }
  // Of an attempt that has changed nothing, or of one that was done but for this.
  await rm(building, { recursive: true, force: true })
  return undefined
}

/** In this order: at every step there is data without an identity, on which no node starts. */
export function steps(dir: string, before: string): readonly (readonly [from: string, to: string])[] {
  const building = buildingDir(dir)
  return [
    [identityPath(dir), identityPath(before)],
    [snapshotDir(dir), snapshotDir(before)],
    [snapshotDir(building), snapshotDir(dir)],
    [logDir(dir), logDir(before)],
    [logDir(building), logDir(dir)],
    [identityPath(building), identityPath(dir)],
  ]
}

async function swap(dir: string, slices: readonly Slice[]): Promise<Recovered> {
  const building = buildingDir(dir)
  const fresh = await readIdentity(nodeDisk, building)
  assert(fresh !== undefined, 'a directory is swapped for one that is whole')
  const { clusterId } = fresh.identity
  const before = beforeDir(dir, clusterId)
  await mkdir(before, { recursive: true, mode: 0o700 })
  for (const [from, to] of steps(dir, before)) {
    if ((await exists(to)) || !(await exists(from))) continue
    await nodeDisk.rename(from, to)
    for (const each of [dir, before, building]) await nodeDisk.syncDir(each)
  }
  await rm(building, { recursive: true, force: true })
  const [old, examined] = await Promise.all([
    readIdentity(nodeDisk, before),
    examine(dir, async () => slices),
  ])
  const problem = examined.problems[0]
  if (problem !== undefined) throw problem
  return {
    dir,
    node: idOf(fresh.identity),
    clusterId,
    previousClusterId: old!.identity.clusterId,
    index: examined.snapshots.at(-1)!.meta.index,
    revision: examined.loaded?.state?.revision ?? null,
    before,
  }
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false
      throw error
    },
  )
