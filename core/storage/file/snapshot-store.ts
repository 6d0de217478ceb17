/**
 * Snapshots on disk. One is written beside the others under a temporary name and is there only when it is
 * whole and durable; it is read in blocks, none of which leaves before its checksum has been compared.
 *
 * The newest whole one counts (H38). One that cannot be read is passed over, noted, and missed only if the
 * log does not reach back to the one before: that is for the log's recovery to say.
 */
import { join } from 'node:path'

import { assert } from '../../assert.ts'
import { ConcordError } from '../../errors.ts'
import type { SnapshotReader, SnapshotStore, SnapshotWriter } from '../../ports.ts'
import type { EntryId, SnapshotMeta } from '../../raft/types.ts'
import type { Disk } from './disk.ts'
import { corrupted, type Damage, storageFailed, storageRefused } from './errors.ts'
import { parseSnapshotName, snapshotDir, snapshotName, temporary } from './layout.ts'
import {
  BLOCK_BYTES,
  encodeHeader,
  openSnapshotFile,
  readBlocks,
  readRuns,
  type SnapshotFile,
  verifySnapshot,
} from './snapshot-file.ts'
import { FileSnapshotWriter } from './snapshot-writer.ts'
import type { Space } from './space.ts'

export interface SnapshotOptions {
  readonly disk: Disk
  readonly dir: string
  readonly space: Space
  readonly owner: () => { readonly clusterId: string; readonly incarnation: string }
}

interface Known {
  readonly id: EntryId
  readonly path: string
  /** Readers that have it open. */
  readers: number
  /** Compared from end to end in this run. */
  verified: boolean
  damage: Damage | undefined
}

const newestFirst = (a: EntryId, b: EntryId): number => b.index - a.index || b.term - a.term

export class FileSnapshots implements SnapshotStore {
  readonly #options: SnapshotOptions
  readonly #dir: string
  /** Newest first. */
  #known: Known[] = []
  #failure: ConcordError | undefined

  constructor(options: SnapshotOptions) {
    this.#options = options
    this.#dir = snapshotDir(options.dir)
  }

  async open(): Promise<void> {
    for (const name of (await this.#options.disk.list(this.#dir)) ?? []) {
      const id = parseSnapshotName(name)
      if (id !== undefined) this.#add(id, false)
    }
  }

  #add(id: EntryId, verified: boolean): void {
    const path = join(this.#dir, snapshotName(id))
    this.#known = this.#known.filter((known) => known.path !== path)
    this.#known.push({ id, path, readers: 0, verified, damage: undefined })
    this.#known.sort((a, b) => newestFirst(a.id, b.id))
  }

  /** Those that were passed over, for whoever misses what they held. */
  get unreadable(): readonly Damage[] {
    return this.#known.flatMap(({ damage }) => (damage === undefined ? [] : [damage]))
  }

  async latest(): Promise<SnapshotReader | undefined> {
    for (const known of this.#known) {
      if (known.damage !== undefined) continue
      const file = await this.#openWhole(known)
      if (file === undefined) continue
      this.#options.space.snapshotTaken(file.payloadBytes)
      known.readers++
      return new FileSnapshotReader(file, () => known.readers--)
    }
    return undefined
  }

  /** The file, compared from end to end when it is opened for the first time; undefined if it is damaged. */
  async #openWhole(known: Known): Promise<SnapshotFile | undefined> {
    let file: SnapshotFile | undefined
    try {
      file = await openSnapshotFile(this.#options.disk, known.path)
      this.#check(known, file)
      if (!known.verified) await verifySnapshot(file)
      known.verified = true
      return file
    } catch (error) {
      await file?.file.close()
      if (!ConcordError.is(error) || error.code !== 'CORRUPTED')
        throw storageFailed('read', known.path, error)
      known.damage = error.details as unknown as Damage
      return undefined
    }
  }

  #check({ id, path }: Known, { meta, owner }: SnapshotFile): void {
    const { clusterId } = this.#options.owner()
    if (owner.clusterId !== '' && owner.clusterId !== clusterId) {
      const message = `${path} belongs to cluster ${owner.clusterId}, this is ${clusterId}`
      throw new ConcordError('IDENTITY_MISMATCH', message, { details: { file: path } })
    }
    if (meta.index === id.index && meta.term === id.term) return
    throw corrupted({ file: path, offset: 0, problem: `this is ${snapshotName(meta)} under another name` })
  }

  async create(meta: SnapshotMeta): Promise<SnapshotWriter> {
    if (this.#failure !== undefined) throw this.#failure
    const path = join(this.#dir, snapshotName(meta))
    const { disk, owner, space } = this.#options
    const temp = temporary(path)
    try {
      const file = await disk.open(temp, 'create')
      const fail = (action: string, error: unknown): ConcordError => this.#fail(action, path, error)
      const whole = async (bytes: number): Promise<void> => {
        await disk.rename(temp, path)
        await disk.syncDir(this.#dir)
        this.#add(meta, true)
        space.snapshotTaken(bytes)
      }
      const drop = (): Promise<void> => disk.unlink(temp)
      return new FileSnapshotWriter({ file, space, whole, drop, fail }, encodeHeader(meta, owner()))
    } catch (error) {
      throw this.#fail('create', path, error)
    }
  }

  /** A full disk is not the end of the store, since nothing depends on a snapshot that is not there yet. */
  #fail(action: string, path: string, error: unknown): ConcordError {
    const failure = storageRefused(action, path, error)
    if (failure.code === 'STORAGE_FAILED') this.#failure ??= failure
    return failure
  }

  async prune(): Promise<void> {
    const newest = this.#known.find(({ damage }) => damage === undefined)
    if (newest === undefined) return
    const old = this.#known.filter(({ id, readers }) => newestFirst(newest.id, id) < 0 && readers === 0)
    if (old.length === 0) return
    try {
      for (const { path } of old) await this.#options.disk.unlink(path)
      await this.#options.disk.syncDir(this.#dir)
    } catch (error) {
      throw this.#fail('remove', old[0]!.path, error)
    }
    this.#known = this.#known.filter((known) => !old.includes(known))
    this.#options.space.work()
  }

  async close(): Promise<void> {}
}

class FileSnapshotReader implements SnapshotReader {
  readonly #file: SnapshotFile
  readonly #released: () => void
  #open = true

  constructor(file: SnapshotFile, released: () => void) {
    this.#file = file
    this.#released = released
  }

  get meta(): SnapshotMeta {
    return this.#file.meta
  }

  get sizeBytes(): number {
    return this.#file.payloadBytes
  }

  chunks(): AsyncGenerator<Uint8Array> {
    return readRuns(this.#file)
  }

  async read(offset: number, maxBytes: number): Promise<Uint8Array> {
    assert(offset >= 0 && maxBytes > 0, 'a piece of a snapshot has a place and a size')
    const end = Math.min(this.sizeBytes, offset + maxBytes)
    if (offset >= end) return Buffer.alloc(0)
    const first = Math.floor(offset / BLOCK_BYTES)
    const blocks = await readBlocks(this.#file, first, Math.ceil(end / BLOCK_BYTES) - first)
    return blocks.subarray(offset - first * BLOCK_BYTES, end - first * BLOCK_BYTES)
  }

  async close(): Promise<void> {
    if (!this.#open) return
    this.#open = false
    this.#released()
    await this.#file.file.close()
  }
}
