/**
 * Snapshots on disk. One is written beside the others under a temporary name and is there only when it is
 * whole and durable; it is read in blocks, none of which leaves before its checksum has been compared.
 *
 * The newest whole one counts (H38). One that cannot be read is passed over, noted, and missed only if the
 * log does not reach back to the one before: that is for the log's recovery to say.
 */
import { basename, join } from 'node:path'

import { assert } from '../../assert.ts'
import { ConcordError } from '../../errors.ts'
import type { SnapshotReader, SnapshotStore, SnapshotWriter } from '../../ports.ts'
import type { EntryId, SnapshotMeta } from '../../raft/types.ts'
import { type Disk, type DiskFile, isDiskFull, syncFile, writeAll } from './disk.ts'
import { corrupted, type Damage, storageFailed, storageRefused } from './errors.ts'
import { parseSnapshotName, snapshotDir, snapshotName, temporary } from './layout.ts'
import {
  BLOCK_BYTES,
  chainStart,
  encodeBlock,
  encodeFooter,
  encodeHeader,
  openSnapshotFile,
  readBlocks,
  RUN_BLOCKS,
  type SnapshotFile,
  verifySnapshot,
} from './snapshot-file.ts'
import type { Space } from './space.ts'

/** fsynced in between, so that the log's own fsync never waits for much. */
const SYNC_BYTES = 4 * 1024 * 1024

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
    const failure = storageRefused(action, basename(path), error)
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

  async *chunks(): AsyncGenerator<Uint8Array> {
    for (let block = 0; block < this.#file.blocks; block += RUN_BLOCKS) {
      yield await readBlocks(this.#file, block, RUN_BLOCKS)
    }
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

interface WriterContext {
  readonly file: DiskFile
  readonly space: Space
  /** Gives the file its name, durably. */
  readonly whole: (payloadBytes: number) => Promise<void>
  readonly drop: () => Promise<void>
  readonly fail: (action: string, error: unknown) => ConcordError
}

class FileSnapshotWriter implements SnapshotWriter {
  readonly #context: WriterContext
  readonly #pending = Buffer.allocUnsafeSlow(RUN_BLOCKS * BLOCK_BYTES)
  #pendingBytes = 0
  readonly #header: Buffer
  #position = 0
  #blocks = 0
  #payloadBytes = 0
  #chain: number
  #unsynced = 0
  #state: 'open' | 'closed' = 'open'

  constructor(context: WriterContext, header: Buffer) {
    this.#context = context
    this.#header = header
    this.#chain = chainStart(header)
  }

  async write(chunk: Uint8Array): Promise<void> {
    assert(this.#state === 'open', 'a snapshot is written until it is committed or aborted')
    try {
      for (let at = 0; at < chunk.length;) {
        const piece = chunk.subarray(at, at + this.#pending.length - this.#pendingBytes)
        this.#pending.set(piece, this.#pendingBytes)
        this.#pendingBytes += piece.length
        at += piece.length
        if (this.#pendingBytes === this.#pending.length) await this.#flush()
      }
    } catch (error) {
      throw await this.#failed('write', error)
    }
  }

  async #flush(): Promise<void> {
    const parts: Uint8Array[] = this.#position === 0 ? [this.#header] : []
    for (let at = 0; at < this.#pendingBytes; at += BLOCK_BYTES) {
      const payload = this.#pending.subarray(at, Math.min(at + BLOCK_BYTES, this.#pendingBytes))
      const block = encodeBlock(payload, this.#blocks++, this.#chain)
      this.#chain = block.chain
      parts.push(payload, block.trailer)
    }
    this.#payloadBytes += this.#pendingBytes
    this.#pendingBytes = 0
    await this.#put(Buffer.concat(parts))
  }

  async #put(bytes: Uint8Array): Promise<void> {
    const { file, space } = this.#context
    try {
      await writeAll(file, bytes, this.#position)
    } catch (error) {
      // What was kept for a snapshot is for this one; a second time there is nothing left to give.
      if (!isDiskFull(error) || !(await space.releaseBallast())) throw error
      await writeAll(file, bytes, this.#position)
    }
    this.#position += bytes.length
    this.#unsynced += bytes.length
    if (this.#unsynced < SYNC_BYTES) return
    this.#unsynced = 0
    await syncFile(file)
  }

  async commit(): Promise<void> {
    assert(this.#state === 'open', 'a snapshot is committed once')
    try {
      await this.#flush()
      await this.#put(encodeFooter({ payloadBytes: this.#payloadBytes, chain: this.#chain }))
      await syncFile(this.#context.file)
      this.#state = 'closed'
      await this.#context.file.close()
      await this.#context.whole(this.#payloadBytes)
    } catch (error) {
      throw await this.#failed('commit', error)
    }
  }

  async abort(): Promise<void> {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    try {
      await this.#context.file.close()
      await this.#context.drop()
    } catch (error) {
      throw this.#context.fail('abort', error)
    }
    this.#context.space.work()
  }

  /** A full disk costs this snapshot only, and gets its space back; anything else is the end. */
  async #failed(action: string, error: unknown): Promise<ConcordError> {
    const failure = this.#context.fail(action, error)
    if (failure.code === 'STORAGE_FULL') await this.abort()
    return failure
  }
}
