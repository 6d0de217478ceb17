/**
 * What a node does with its disk: persisting log batches, taking snapshots, receiving and sending them,
 * compacting. Every step takes its time, and a crash may fall into each.
 */
import {
  type Entry,
  type HardState,
  type Input,
  type Persist,
  snapshotMeta,
  type SnapshotMeta,
  type SnapshotRead,
  type SnapshotWrite,
} from '../../core/raft/index.ts'
import { compactLog, resetLog, type StoredSnapshot, syncLog, writeBatch } from './disk.ts'
import { chainOf, Violation } from './judge.ts'
import { modelFrom, snapshotOf } from './model.ts'
import { later, type Node, say, type World } from './world.ts'

/** That an entry takes beside its data, about. */
const ENTRY_BYTES = 60

/** Bounds one step of a disk that is not stalled, so that what has begun before the faults end does end. */
const mostMs = 1000

function latency(world: World, node: Node): number {
  if (world.calm) return 0.1 + node.stream.float()
  const { profile } = world
  const slow = profile.diskTailRate > 0 && node.stream.chance(profile.diskTailRate) ? 20 : 1
  const usual = profile.diskMs * slow * (0.2 + node.stream.exponential(0.8))
  return Math.max(0, node.diskStalledUntil - world.now) + Math.min(usual, mostMs)
}

// ------------------------------------------------------------------------------------------------------- log

export function beginPersist(world: World, node: Node, persist: Persist): void {
  if (node.persisting) {
    throw new Violation(
      'one write at a time',
      `${node.id} ${persist.sequence} while ${node.persisting.sequence}`,
    )
  }
  node.persisting = persist
  node.markingMs = node.wallSetMs
  later(world, latency(world, node), 'persisted', () => persisted(world, node, persist), node)
}

function persisted(world: World, node: Node, persist: Persist): Input {
  if (node.failsForMs !== undefined) {
    world.counters['fsync-failure']++
    say(world, () => `${node.id} fails to write`)
    return { type: 'storageFailed' }
  }
  if (!fits(node, persist)) return refused(world, node, persist)
  finishPersist(node, persist)
  syncIfDue(world, node, persist)
  node.persisting = undefined
  say(world, () => `${node.id} has persisted ${describePersist(persist)}`)
  return { type: 'persisted', sequence: persist.sequence }
}

/** As a driver does it: the log begins anew in a step of its own, which has room. */
function refused(world: World, node: Node, { sequence, reset }: Persist): Input {
  world.counters.persistsRefused++
  node.seesRoomFrom = 0
  say(world, () => `${node.id} has no room for what it was to persist`)
  if (reset) resetForPersist(node, reset)
  node.chain = chainOf(world.judge, node.disk)
  node.persisting = undefined
  return { type: 'persistRefused', sequence }
}

/** Whether its disk takes the batch: all of it, or nothing. */
export function fits(node: Node, { batch }: Persist): boolean {
  return batch.entries.length === 0 || bytesOf(batch.entries) <= node.roomBytes
}

const bytesOf = (entries: readonly Entry[]): number =>
  entries.reduce((sum, { data }) => sum + ENTRY_BYTES + data.length, 0)

/** What is not fsynced at once is fsynced within the interval. */
function syncIfDue(world: World, node: Node, persist: Persist): void {
  const { fsyncEveryMs } = world.profile
  if (fsyncEveryMs === 0 || persist.batch.mustSync || persist.reset) syncLog(node.disk)
  else later(world, fsyncEveryMs * node.stream.float(), 'interval fsync', () => syncLog(node.disk), node)
}

export function resetForPersist(node: Node, reset: NonNullable<Persist['reset']>): void {
  resetLog(node.disk, reset.meta)
  writeHardState(node, reset.hardState)
}

export function finishPersist(node: Node, persist: Persist): void {
  if (persist.reset) resetForPersist(node, persist.reset)
  if (persist.batch.hardState) writeHardState(node, persist.batch.hardState)
  node.roomBytes -= bytesOf(persist.batch.entries)
  const fault = writeBatch(node.disk, persist.batch)
  if (fault) throw new Violation('a batch fits the log on disk', `${node.id}: ${fault}`)
}

function writeHardState(node: Node, next: HardState): void {
  const { disk } = node
  const old = disk.hardState
  const keepsVote = next.term > old.term || old.votedFor === null || next.votedFor === old.votedFor
  if (next.term < old.term || !keepsVote) {
    throw new Violation(
      'term and vote never go back',
      `${node.id} ${JSON.stringify(old)} to ${JSON.stringify(next)}`,
    )
  }
  if (next.wallMark !== disk.hardState.wallMark) {
    node.wallSetMs -= node.markingMs
    node.markingMs = 0
  }
  disk.hardState = next
}

function describePersist(persist: Persist): string {
  const { batch, reset } = persist
  const parts = [
    reset && `reset to ${reset.meta.index}`,
    batch.truncateFrom !== undefined && `cut from ${batch.truncateFrom}`,
    batch.entries.length > 0 && `${batch.entries[0]!.index}..${batch.entries.at(-1)!.index}`,
    batch.hardState && `term ${batch.hardState.term} vote ${batch.hardState.votedFor}`,
  ]
  return parts.filter(Boolean).join(', ') || 'nothing'
}

export function compact(world: World, node: Node, index: number): void {
  if (index > node.disk.snapshot.meta.index) {
    throw new Violation('the log is compacted behind a durable snapshot', `${node.id} at ${index}`)
  }
  node.compacting = index
  world.counters.compactions++
  finishCompaction(world, node, index)
}

/** The log store takes one call at a time: a write under way comes first. */
function finishCompaction(world: World, node: Node, index: number): void {
  const run = () => {
    if (node.persisting) {
      finishCompaction(world, node, index)
      return
    }
    compactLog(node.disk, index)
    if (node.compacting === index) node.compacting = 0
  }
  later(world, latency(world, node), 'compacted', run, node)
}

// ----------------------------------------------------------------------------------------------- own snapshot

export function takeSnapshotIfDue(world: World, node: Node): void {
  const { snapshotEvery } = world.profile
  const done = node.disk.snapshot.meta.index
  if (snapshotEvery > 0 && node.model.applied.index - done >= snapshotEvery) takeSnapshot(world, node)
}

export function takeSnapshot(world: World, node: Node): void {
  const { raft, model } = node
  if (!raft || node.snapshotting || node.storageFailed) return
  if (model.applied.index <= node.disk.snapshot.meta.index) return
  const meta = snapshotMeta(raft, model.applied.index)
  if (!sameMeta(meta, model.applied)) {
    throw new Violation('a snapshot carries the facts of its index', `${node.id} ${JSON.stringify(meta)}`)
  }
  node.snapshotting = true
  const snapshot = { meta, data: snapshotOf(model, world.profile.snapshotBytes, node.serial).data }
  const run = () => {
    node.snapshotting = false
    storeSnapshot(node, snapshot)
    world.counters.snapshotsTaken++
    say(world, () => `${node.id} has taken a snapshot at ${meta.index}`)
    return { type: 'snapshotTaken', meta } as const
  }
  later(world, 2 * latency(world, node), 'snapshot taken', run, node)
}

function sameMeta(a: SnapshotMeta, b: SnapshotMeta): boolean {
  const words = ({ index, term, clusterTime, wallTime, membership: m }: SnapshotMeta) =>
    [index, term, clusterTime, wallTime, m.voters, m.outgoing, m.learners, m.removed].join(';')
  return words(a) === words(b)
}

/** The newest counts, whatever the order in which they became durable. */
export function storeSnapshot(node: Node, snapshot: StoredSnapshot): void {
  if (snapshot.meta.index <= node.disk.snapshot.meta.index) return
  node.previousSnapshot = node.disk.snapshot
  node.disk.snapshot = snapshot
}

export function snapshotAt(node: Node, index: number): StoredSnapshot | undefined {
  if (node.disk.snapshot.meta.index === index) return node.disk.snapshot
  return node.previousSnapshot?.meta.index === index ? node.previousSnapshot : undefined
}

// ------------------------------------------------------------------------------------------------- transfer

export function readSnapshot(world: World, node: Node, read: SnapshotRead): void {
  const { to, offset } = read
  const { index } = read.meta
  const answer = (): Input => {
    const data = snapshotAt(node, index)?.data
    if (!data || offset > data.length || (!world.calm && node.stream.chance(0.01))) {
      world.counters.snapshotReadsFailed++
      return { type: 'snapshotReadFailed', to, index }
    }
    const end = Math.min(data.length, offset + Math.min(read.maxBytes, world.profile.chunkBytes))
    const done = end === data.length
    return { type: 'snapshotChunkRead', to, index, offset, data: data.slice(offset, end), done }
  }
  later(world, latency(world, node), 'snapshot read', answer, node)
}

export function writeSnapshot(world: World, node: Node, write: SnapshotWrite): void {
  if (write.kind === 'abort') {
    node.receiving = undefined
    return
  }
  const { term } = node.leadership
  if (write.offset === 0) node.receiving = { meta: write.meta, term, bytes: [] }
  const { receiving } = node
  if (!receiving || receiving.bytes.length !== write.offset || receiving.meta.index !== write.meta.index) {
    throw new Violation('chunks are written in order', `${node.id} at ${write.offset} of ${write.meta.index}`)
  }
  for (const byte of write.data) receiving.bytes.push(byte)
  const { index } = write.meta
  if (write.done) {
    node.receiving = undefined
    if (receiving.term < term) world.counters.snapshotsResumed++
    commitReceived(world, node, { meta: write.meta, data: Uint8Array.from(receiving.bytes) })
    return
  }
  const offset = receiving.bytes.length
  const written = (): Input => ({ type: 'snapshotChunkWritten', index, offset })
  later(world, latency(world, node), 'snapshot chunk written', written, node)
}

function commitReceived(world: World, node: Node, snapshot: StoredSnapshot): void {
  const { index } = snapshot.meta
  if (!modelFrom(snapshot)) throw new Violation('a received snapshot is whole', `${node.id} at ${index}`)
  node.committing = snapshot
  world.whenInstalling?.(node)
  const commit = (): Input => {
    node.committing = undefined
    if (!world.calm && node.stream.chance(0.02)) {
      world.counters.snapshotsRejected++
      return { type: 'snapshotRejected', index }
    }
    storeSnapshot(node, snapshot)
    say(world, () => `${node.id} has received snapshot ${index}`)
    return { type: 'snapshotReceived', index }
  }
  later(world, 2 * latency(world, node), 'snapshot received', commit, node)
}
