/**
 * The log and the snapshots of a node without a disk: the same ports, gone with the process.
 *
 * A node that uses them is a new incarnation at every start, since it has forgotten its votes. What is
 * given to `append` is not kept: Raft holds the entries that anybody may still ask for.
 */
import { assert } from '../assert.ts'
import type { Founding, IdentityStore, LogBatch, LogRoom, LogStore, RecoveredLog } from '../ports.ts'
import type { SnapshotReader, SnapshotStore, SnapshotWriter } from '../ports.ts'
import type { Index, SnapshotMeta } from '../raft/types.ts'

export interface MemoryStorage {
  readonly log: LogStore
  readonly snapshots: SnapshotStore
}

export function openMemoryStorage(): MemoryStorage {
  return { log: new MemoryLog(), snapshots: new MemorySnapshots() }
}

export class MemoryIdentity implements IdentityStore {
  readonly name: string
  readonly incarnation: string
  clusterId = ''
  founding: Founding | null = null
  promisedMs: number | undefined

  constructor(name: string, incarnation: string) {
    this.name = name
    this.incarnation = incarnation
  }

  async update(change: {
    readonly clusterId?: string
    readonly founding?: Founding | null
    readonly promisedMs?: number
  }): Promise<void> {
    Object.assign(this, change)
  }
}

const BOUNDLESS: LogRoom = { commandBytes: Infinity, entryBytes: Infinity }

class MemoryLog implements LogStore {
  readonly failed = new Promise<never>(() => {})
  #next: Index = 1

  async recover(snapshotIndex: Index): Promise<RecoveredLog> {
    this.#next = snapshotIndex + 1
    return { hardState: { term: 0, votedFor: null }, entries: [], cleanStop: true }
  }

  async append({ truncateFrom, entries }: LogBatch): Promise<void> {
    if (truncateFrom !== undefined) this.#next = truncateFrom
    for (const { index } of entries) assert(index === this.#next++, 'entries follow one another')
  }

  hasRoom(): boolean {
    return true
  }

  room(): LogRoom {
    return BOUNDLESS
  }

  async compact(): Promise<void> {}

  async reset({ index }: SnapshotMeta): Promise<void> {
    this.#next = index + 1
  }

  async close(): Promise<void> {}
}

/** Pieces as they came: to join those of a large state into one would hold the loop. */
interface Kept {
  readonly meta: SnapshotMeta
  readonly pieces: readonly Uint8Array[]
}

/** Only the newest; one that is still being read lives on in its reader. */
class MemorySnapshots implements SnapshotStore {
  #latest: Kept | undefined

  async latest(): Promise<SnapshotReader | undefined> {
    return this.#latest && readerOf(this.#latest)
  }

  async create(meta: SnapshotMeta): Promise<SnapshotWriter> {
    let pieces: Uint8Array[] = []
    return {
      write: async (chunk) => {
        // A copy, which `slice` of a Buffer is not: the caller uses its memory again.
        pieces.push(Uint8Array.from(chunk))
      },
      commit: async () => {
        if ((this.#latest?.meta.index ?? 0) <= meta.index) this.#latest = { meta, pieces }
        pieces = []
      },
      abort: async () => {
        pieces = []
      },
    }
  }

  async prune(): Promise<void> {}

  async close(): Promise<void> {}
}

function readerOf({ meta, pieces }: Kept): SnapshotReader {
  return {
    meta,
    sizeBytes: pieces.reduce((sum, piece) => sum + piece.length, 0),
    async *chunks() {
      yield* pieces
    },
    read: async (offset, maxBytes) => {
      const parts: Uint8Array[] = []
      let start = 0
      for (const piece of pieces) {
        const from = Math.max(0, offset - start)
        const to = offset + maxBytes - start
        if (from < piece.length && to > 0) parts.push(piece.subarray(from, to))
        start += piece.length
      }
      return Buffer.concat(parts)
    },
    close: async () => {},
  }
}
