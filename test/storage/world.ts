// What the tests of the storage share: a clock that is moved by hand, seeded chance, entries, and a storage on
// a disk that is a model.

import type { Clock, Entropy } from '../../core/ports.ts'
import type { Entry, HardState, Membership, SnapshotMeta } from '../../core/raft/types.ts'
import type { DirectoryLock } from '../../core/storage/file/lock.ts'
import {
  type FileStorage,
  type FileStorageOptions,
  openFileStorage,
} from '../../core/storage/file/storage.ts'
import type { CrashDisk } from '../../core/testing/disk.ts'

/** Seeded, so that a failure is a number. */
export function random(seed: number): () => number {
  let state = (seed * 2654435761) >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

export class ManualClock implements Clock {
  nowMs = 0
  readonly #timers = new Set<{ atMs: number; run: () => void }>()

  monotonicMs(): number {
    return this.nowMs
  }
  wallMs(): number {
    return 1_700_000_000_000 + this.nowMs
  }
  after(delayMs: number, run: () => void): unknown {
    const timer = { atMs: this.nowMs + delayMs, run }
    this.#timers.add(timer)
    return timer
  }
  cancel(timer: unknown): void {
    this.#timers.delete(timer as { atMs: number; run: () => void })
  }
  soon(run: () => void): void {
    setImmediate(run)
  }
  /** Time passes, and what was due has run; then the disk gets to answer. */
  async advance(ms: number): Promise<void> {
    this.nowMs += ms
    for (const timer of this.#timers) {
      if (timer.atMs > this.nowMs) continue
      this.#timers.delete(timer)
      timer.run()
    }
    await settled()
  }
}

/** Everything that only waits for a model of a disk is done. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
}

export function seededEntropy(seed: number): Entropy {
  const next = random(seed)
  return {
    random: next,
    id: () =>
      Array.from({ length: 21 }, () => 'abcdefghijklmnopqrstuvwxyz'[Math.floor(next() * 26)]).join(''),
  }
}

const NO_LOCK: DirectoryLock = { release: async () => {} }
export const DIR = '/data'

export function openOn(
  disk: CrashDisk,
  options: Partial<FileStorageOptions> & { bootId?: string; seed?: number } = {},
): Promise<FileStorage> {
  const { bootId = 'boot-1', seed = 1, ...rest } = options
  return openFileStorage({
    dir: DIR,
    name: 'n1',
    clock: new ManualClock(),
    entropy: seededEntropy(seed),
    segmentBytes: 32 * 1024,
    host: {
      disk,
      lock: async () => NO_LOCK,
      prepare: async (dir) => {
        if (await disk.makeDir(dir)) await disk.syncDir('/')
      },
      bootId: () => bootId,
    },
    ...rest,
  })
}

export function command(index: number, term: number, data: Uint8Array | string): Entry {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data
  return { index, term, kind: 'commands', clusterTime: index * 10, wallTime: 1000 + index, data: bytes }
}

export const voteFor = (term: number, votedFor: string | null = null): HardState =>
  term === 0 ? { term, votedFor } : { term, votedFor, wallMark: { offsetMs: 0.5 - 1e12 - term, term } }

export const alone: Membership = {
  voters: ['n1/a'],
  outgoing: [],
  learners: [],
  members: { 'n1/a': { name: 'n1', incarnation: 'a', address: '' } },
  removed: [],
}

export function metaAt(index: number, term: number): SnapshotMeta {
  return { index, term, clusterTime: index * 10, wallTime: 1000 + index, membership: alone }
}

/** Opens, takes the newest snapshot as the base, and recovers the log: what a node does. */
export async function recoverOn(disk: CrashDisk, options: Parameters<typeof openOn>[1] = {}) {
  const storage = await openOn(disk, options)
  const snapshot = await storage.snapshots.latest()
  const { index, term } = snapshot?.meta ?? { index: 0, term: 0 }
  const log = await storage.log.recover(index, term)
  return { storage, snapshot, log }
}

export async function takeSnapshot(
  storage: FileStorage,
  meta: SnapshotMeta,
  bytes: Uint8Array,
): Promise<void> {
  const writer = await storage.snapshots.create(meta)
  await writer.write(bytes)
  await writer.commit()
}

export async function readSnapshot(snapshot: { chunks(): AsyncIterable<Uint8Array> }): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of snapshot.chunks()) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}
