/**
 * The log and the snapshots of a node without a disk: the same ports, gone with the process.
 *
 * A node that uses them is a new incarnation at every start, since it has forgotten its votes. What is
 * given to `append` is not kept: Raft holds the entries that anybody may still ask for.
 */
import { assert } from '../assert.ts'
import type { LogBatch, LogStore, RecoveredLog } from '../ports.ts'
import type { SnapshotReader, SnapshotStore, SnapshotWriter } from '../ports.ts'
import type { Index, SnapshotMeta } from '../raft/types.ts'

export interface MemoryStorage {
  readonly log: LogStore
  readonly snapshots: SnapshotStore
}

export function openMemoryStorage(): MemoryStorage {
  return { log: new MemoryLog(), snapshots: new MemorySnapshots() }
}

class MemoryLog implements LogStore {
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

  async compact(): Promise<void> {}

  async reset({ index }: SnapshotMeta): Promise<void> {
    this.#next = index + 1
  }

  async close(): Promise<void> {}
}

/** Only the newest; one that is still being read lives on in its reader. */
class MemorySnapshots implements SnapshotStore {
  #latest: { readonly meta: SnapshotMeta; readonly bytes: Buffer } | undefined

  async latest(): Promise<SnapshotReader | undefined> {
    return this.#latest && readerOf(this.#latest.meta, this.#latest.bytes)
  }

  async create(meta: SnapshotMeta): Promise<SnapshotWriter> {
    let chunks: Uint8Array[] = []
    return {
      write: async (chunk) => {
        chunks.push(Uint8Array.from(chunk))
      },
      commit: async () => {
        if ((this.#latest?.meta.index ?? 0) <= meta.index)
          this.#latest = { meta, bytes: Buffer.concat(chunks) }
        chunks = []
      },
      abort: async () => {
        chunks = []
      },
    }
  }

  async prune(): Promise<void> {}

  async close(): Promise<void> {}
}

const CHUNK_BYTES = 512 * 1024

function readerOf(meta: SnapshotMeta, bytes: Buffer): SnapshotReader {
  return {
    meta,
    sizeBytes: bytes.length,
    async *chunks() {
      for (let at = 0; at < bytes.length; at += CHUNK_BYTES) yield bytes.subarray(at, at + CHUNK_BYTES)
    },
    read: async (offset, maxBytes) => bytes.subarray(offset, offset + maxBytes),
    close: async () => {},
  }
}
