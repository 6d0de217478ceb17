/**
 * The durable bytes of one simulated node, as values: hard state, log, newest snapshot.
 *
 * Only what was fsynced is here. A write in flight when the machine stops is applied whole or not at all: that
 * is what the batch marks of the real log give (the log store's own tests tear it byte by byte).
 */
import type { Entry, HardState, Index, SnapshotMeta, Term } from '../../core/raft/types.ts'

export interface StoredSnapshot {
  readonly meta: SnapshotMeta
  readonly data: Uint8Array
}

export interface Disk {
  hardState: HardState
  /** Index of the entry before the first one kept. */
  base: Index
  entries: Entry[]
  /** Entries above it are written but not fsynced: a crash of the process keeps them, a power loss does not. */
  syncedIndex: Index
  snapshot: StoredSnapshot
}

export interface DiskBatch {
  readonly truncateFrom?: Index | undefined
  readonly entries: readonly Entry[]
  readonly hardState?: HardState | undefined
}

export function createDisk(founding: StoredSnapshot): Disk {
  return { hardState: { term: 0, votedFor: null }, base: 0, entries: [], syncedIndex: 0, snapshot: founding }
}

/** Applies one batch of the log; the caller has checked nothing, so a gap is an error of the core. */
export function writeBatch(disk: Disk, batch: DiskBatch): string | undefined {
  if (batch.truncateFrom !== undefined) {
    if (batch.truncateFrom <= disk.base) return `truncation from ${batch.truncateFrom} at base ${disk.base}`
    disk.entries.length = Math.min(disk.entries.length, batch.truncateFrom - 1 - disk.base)
  }
  for (const entry of batch.entries) {
    if (entry.index !== lastIndex(disk) + 1) return `entry ${entry.index} written after ${lastIndex(disk)}`
    disk.entries.push(entry)
  }
  if (batch.hardState) disk.hardState = batch.hardState
  return undefined
}

/** Starts the log after an installed snapshot. */
export function resetLog(disk: Disk, meta: SnapshotMeta): void {
  disk.base = meta.index
  disk.entries = []
}

export function compactLog(disk: Disk, index: Index): void {
  const through = Math.min(index, lastIndex(disk))
  if (through <= disk.base) return
  disk.entries.splice(0, through - disk.base)
  disk.base = through
}

export function syncLog(disk: Disk): void {
  disk.syncedIndex = lastIndex(disk)
}

/** The power fails: what was not fsynced is gone. How many entries that was. */
export function loseTail(disk: Disk): number {
  const kept = Math.max(0, disk.syncedIndex - disk.base)
  const lost = Math.max(0, disk.entries.length - kept)
  disk.entries.length -= lost
  return lost
}

export function lastIndex(disk: Disk): Index {
  return disk.base + disk.entries.length
}

/** The term of a durable entry; undefined when the log does not hold it. */
export function termOnDisk(disk: Disk, index: Index): Term | undefined {
  return disk.entries[index - disk.base - 1]?.term
}

/** Whether a restart from these bytes would still have the entry, in the log or under the snapshot. */
export function holds(disk: Disk, index: Index, term: Term): boolean {
  return disk.snapshot.meta.index >= index || termOnDisk(disk, index) === term
}
