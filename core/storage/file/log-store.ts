/**
 * The log on disk: batches appended to segments, one write in flight, durable when the promise resolves.
 *
 * A batch is one positioned write into space that was written before, on a descriptor opened with O_DSYNC:
 * one trip through the thread pool where write and fdatasync would be two (measured: docs/internals). Any
 * failure of the disk is final (H34): what an fsync that failed has left behind nobody knows.
 */
import { assert } from '../../assert.ts'
import { Writer } from '../../bytes.ts'
import type { ConcordError } from '../../errors.ts'
import type { Clock, Entropy, LogBatch, LogRoom, LogStore, RecoveredLog } from '../../ports.ts'
import type { HardState, Index, SnapshotMeta, Term } from '../../raft/types.ts'
import { type Disk, diskFull, isDiskFull, shortWrite } from './disk.ts'
import { type Damage, storageFailed } from './errors.ts'
import { IntervalSync } from './interval-sync.ts'
import { logDir } from './layout.ts'
import { isBehind, readLogOrBlame } from './log-reading.ts'
import {
  createSegment,
  frameOf,
  type OpenSegment,
  reopenSegment,
  roomIn,
  sealSegment,
  syncSegment,
} from './open-segment.ts'
import { writeBatch, writeClose, writeRest } from './record.ts'
import type { ReadLog } from './recovery.ts'
import type { SegmentHeader } from './segment.ts'
import type { Space, Spare } from './space.ts'

export type FsyncMode = 'always' | 'interval' | 'never'

/** What a batch takes beside its entries: frames, a hard state, and the head of a new segment. */
const BATCH_OVERHEAD_BYTES = 2048
/** A writer that a large batch has blown up is not kept. */
const KEEP_WRITER_BYTES = 16 * 1024 * 1024

export interface LogOptions {
  readonly disk: Disk
  readonly dir: string
  readonly clock: Clock
  readonly entropy: Entropy
  readonly space: Space
  readonly fsync: FsyncMode
  readonly fsyncIntervalMs: number
  /** Asked for each segment: the cluster id may become known later. */
  readonly owner: () => { readonly clusterId: string; readonly incarnation: string }
  readonly runId: string
  readonly hasLog: boolean
  /** The run that closed the log cleanly, if the last one did. */
  readonly closedBy: string | null
  /** Snapshots that were found and cannot be read, to be named when they are missed. */
  readonly unreadableSnapshots: () => readonly Damage[]
  /** Recovery is over, and the first append may come: from now on a clean stop is no longer assumed. */
  readonly recovered: () => Promise<void>
}

interface ClosedSegment {
  readonly path: string
  readonly maxIndex: Index
}

export class FileLog implements LogStore {
  readonly failed: Promise<ConcordError>
  readonly #options: LogOptions
  readonly #dir: string
  #writer = new Writer()
  /** The segment that is being appended to. */
  #current: OpenSegment | undefined
  #older: ClosedSegment[] = []
  #hardState: HardState = { term: 0, votedFor: null }
  #next: Index = 1
  /** The one call under way. */
  #busy: Promise<void> | undefined
  /** An append was not done, and may have left a piece of itself behind the end. */
  #refused = false
  #marked = false
  /**
   * The log ends with a closing mark, or one of a rest: all of it is on stable storage. The next batch is fsynced whatever the mode,
   * so that a mark at the end of a log that lost power says that nothing acknowledged came after it.
   */
  #atRest = false
  /** The mark that is being written because the log rests. Never rejects. */
  #resting: Promise<void> | undefined
  #failure: ConcordError | undefined
  #tellFailure!: (failure: ConcordError) => void
  readonly #background: IntervalSync

  constructor(options: LogOptions) {
    this.#options = options
    this.#dir = logDir(options.dir)
    this.#background = new IntervalSync(options.clock, options.fsyncIntervalMs, {
      failed: (error) => void this.#fail(error, 'fsync'),
      rests: () => this.#rest(),
    })
    this.failed = new Promise((resolve) => (this.#tellFailure = resolve))
  }

  // ------------------------------------------------------------------------------------------- recovery

  async recover(snapshotIndex: Index, snapshotTerm?: Term): Promise<RecoveredLog> {
    assert(this.#current === undefined, 'a log is recovered once, before any other call')
    return this.#guarded('recover', async () => {
      const { disk, owner, hasLog, closedBy, unreadableSnapshots } = this.#options
      const expected = { ...owner(), snapshotIndex, hasLog, closedBy }
      const log = await readLogOrBlame(disk, this.#dir, expected, unreadableSnapshots())
      const { image } = log
      this.#hardState = image.hardState
      this.#next = image.next
      const cut = await this.#goOn(log)
      this.#atRest = log.isMarked
      await this.#remove(log.leftovers.map(({ path }) => path))
      // A snapshot of the leader became durable, and the log was not yet reset behind it (Figure 5.3).
      if (isBehind(image, snapshotIndex, snapshotTerm)) {
        image.entries = []
        await this.#beginAfresh(snapshotIndex + 1, image.hardState)
      }
      await this.#options.recovered()
      this.#options.space.work()
      if (!this.#atRest) this.#planSync()
      const { hardState, entries } = image
      return { hardState, entries, cleanStop: log.cleanStop, ...(cut && { cut }) }
    })
  }

  /** Opens the last segment for appending, or makes the first one. */
  async #goOn(log: ReadLog): Promise<RecoveredLog['cut']> {
    const { disk, space } = this.#options
    const newest = log.segments.at(-1)
    if (newest === undefined) {
      await this.#makeSegment(await space.takeFirst(), undefined)
      return undefined
    }
    const current = await reopenSegment(disk, newest, log, this.#syncsEach)
    this.#current = current
    this.#older = log.segments.slice(0, -1).map((one) => ({ path: one.file.path, maxIndex: one.maxIndex }))
    space.segmentOpened(current.header.capacity)
    await disk.syncDir(this.#dir)
    const { path, end } = current
    return log.usedTo > end ? { file: path, offset: end, bytes: log.usedTo - end } : undefined
  }

  // ------------------------------------------------------------------------------------------- appending

  append(batch: LogBatch): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    assert(this.#current !== undefined && this.#busy === undefined, 'one call in flight, after recovery')
    const resting = this.#resting
    this.#busy =
      resting === undefined ? this.#append(batch) : resting.then(() => this.#appendAfterRest(batch))
    return this.#busy
  }

  #appendAfterRest(batch: LogBatch): Promise<void> {
    if (this.#failure === undefined) return this.#append(batch)
    this.#busy = undefined
    return Promise.reject(this.#failure)
  }

  #append(batch: LogBatch): Promise<void> {
    const current = this.#current!
    const chain = this.#encode(current, batch)
    const done = this.#fits(current)
      ? this.#write(current, chain, batch.mustSync)
      : this.#rollAndWrite(batch, true)
    return done
      .catch((error: unknown) => this.#retreat(error, batch))
      .then(
        () => this.#appended(batch),
        (error: unknown) => {
          this.#busy = undefined
          this.#refused = true
          throw this.#fail(error, 'append to')
        },
      )
  }

  #appended({ entries, truncateFrom, hardState }: LogBatch): void {
    this.#busy = undefined
    this.#atRest = false
    this.#planSync()
    this.#options.space.wrote(this.#writer.length, this.#current!.sparse)
    if (truncateFrom !== undefined) this.#next = truncateFrom
    const last = entries.at(-1)
    if (last !== undefined) {
      this.#next = last.index + 1
      this.#current!.maxIndex = Math.max(this.#current!.maxIndex, last.index)
    }
    if (hardState !== undefined) this.#hardState = hardState
    if (this.#writer.buffer.length > KEEP_WRITER_BYTES) this.#writer = new Writer()
  }

  /** Into the writer; the chain behind it. */
  #encode(current: OpenSegment, batch: LogBatch): number {
    this.#writer.truncate(0)
    return writeBatch(this.#writer, frameOf(current), batch)
  }

  #fits(current: OpenSegment): boolean {
    return this.#writer.length <= roomIn(current)
  }

  /**
   * A sparse segment met a full disk. What was torn was never acknowledged, and the next segment will say that
   * this one ended before it; so the batch goes there, into space that was taken, or waits for some.
   */
  #retreat(error: unknown, batch: LogBatch): Promise<void> {
    if (!isDiskFull(error) || this.#current?.sparse !== true) throw error
    this.#options.space.foundFull()
    return this.#rollAndWrite(batch, false)
  }

  async #rollAndWrite(batch: LogBatch, sparse: boolean): Promise<void> {
    await this.#roll(this.#writer.length + BATCH_OVERHEAD_BYTES, sparse)
    const current = this.#current!
    const chain = this.#encode(current, batch)
    assert(this.#fits(current), 'a segment was taken that is large enough')
    await this.#write(current, chain, batch.mustSync)
  }

  /** What the writer holds goes to the end of the segment, in one write. */
  #write(current: OpenSegment, chain: number, mustSync: boolean): Promise<void> {
    const { fsync } = this.#options
    const { buffer, length } = this.#writer
    return new Promise((resolve, reject) => {
      current.file.write(buffer, length, current.end, (error, written) => {
        if (error) return reject(error)
        if (written !== length) return reject(diskFull(shortWrite(written, length)))
        current.end += length
        current.chain = chain
        if (fsync === 'always') {
          current.durable = current.end
          resolve()
        } else if (mustSync || this.#atRest) {
          syncSegment(current).then(resolve, reject)
        } else {
          resolve()
        }
      })
    })
  }

  #planSync(): void {
    if (this.#options.fsync === 'interval') this.#background.plan(this.#current!)
  }

  /** Says at the end of the log that all of it is on stable storage; an append that comes waits for that. */
  #rest(): void {
    const current = this.#current
    if (current === undefined || this.#busy !== undefined || this.#failure !== undefined || this.#refused)
      return
    this.#writer.truncate(0)
    const chain = writeRest(this.#writer, frameOf(current), this.#options.runId)
    if (!this.#fits(current)) return
    const marked = (): void => {
      this.#atRest = true
      this.#options.space.wrote(this.#writer.length, current.sparse)
    }
    const failed = (error: unknown): void => {
      this.#refused = true
      this.#fail(error, 'append to')
    }
    this.#resting = this.#write(current, chain, true)
      .then(marked, failed)
      .finally(() => (this.#resting = undefined))
  }

  get #syncsEach(): boolean {
    return this.#options.fsync === 'always'
  }

  /** No fsync in the background any more: the file may be closed. */
  async #settleSync(): Promise<void> {
    await this.#background.settle()
    await this.#resting
    if (this.#failure !== undefined) throw this.#failure
  }

  // ------------------------------------------------------------------------------------------- segments

  /** Goes over to a new segment. The old one is durable before, and sealed when the new one is durable. */
  async #roll(bytes: number, sparse: boolean): Promise<void> {
    const old = this.#current!
    const { space } = this.#options
    await this.#settleSync()
    if (old.durable < old.end) await syncSegment(old)
    const link = { end: old.end, chain: old.chain }
    try {
      await this.#makeSegment(await space.take(bytes, sparse), link)
    } catch (error) {
      if (!sparse || !isDiskFull(error)) throw error
      space.foundFull()
      await this.#makeSegment(await space.take(bytes, false), link)
    }
    this.#refused = false
    this.#older.push({ path: old.path, maxIndex: old.maxIndex })
    await sealSegment(old, this.#writer)
    await old.file.close()
    space.work()
  }

  async #makeSegment(spare: Spare, previous: SegmentHeader['previous']): Promise<void> {
    const { disk, entropy, owner, space } = this.#options
    const { clusterId, incarnation } = owner()
    const header = {
      salt: Math.floor(entropy.random() * 2 ** 32),
      sequence: (this.#current?.header.sequence ?? 0) + 1,
      firstIndex: this.#next,
      previous,
      clusterId,
      incarnation,
    }
    const place = { disk, dir: this.#dir, durable: this.#syncsEach }
    this.#current = await createSegment(place, spare, header, this.#hardState, this.#writer)
    this.#atRest = false
    space.segmentOpened(spare.bytes)
  }

  hasRoom(bytes: number): boolean {
    const current = this.#current
    if (this.#failure !== undefined) return true
    if (current === undefined) return false
    return this.#options.space.hasRoom(bytes + BATCH_OVERHEAD_BYTES, this.#leftIn(current))
  }

  room(): LogRoom {
    const current = this.#current
    if (this.#failure !== undefined) return { commandBytes: Infinity, entryBytes: Infinity }
    if (current === undefined) return { commandBytes: -1, entryBytes: -1 }
    const { commandBytes, entryBytes } = this.#options.space.room(this.#leftIn(current))
    return {
      commandBytes: commandBytes - BATCH_OVERHEAD_BYTES,
      entryBytes: entryBytes - BATCH_OVERHEAD_BYTES,
    }
  }

  /** What the current segment still takes for certain. */
  #leftIn(current: OpenSegment): number {
    const left = roomIn(current)
    return current.sparse ? Math.min(left, this.#options.space.promised) : left
  }

  async compact(index: Index): Promise<void> {
    const kept = this.#older.findIndex(({ maxIndex }) => maxIndex > index)
    const dropped = this.#older.splice(0, kept < 0 ? this.#older.length : kept)
    if (dropped.length === 0) return
    await this.#guarded('compact', () => this.#remove(dropped.map(({ path }) => path)))
    this.#options.space.work()
  }

  /** Oldest first: what a crash leaves of it is a log that begins later, or a gap behind which it begins. */
  async #remove(paths: readonly string[]): Promise<void> {
    if (paths.length === 0) return
    for (const path of paths) await this.#options.disk.unlink(path)
    await this.#options.disk.syncDir(this.#dir)
  }

  async reset(meta: SnapshotMeta, hardState: HardState): Promise<void> {
    assert(this.#current !== undefined && this.#busy === undefined, 'one call in flight, after recovery')
    this.#busy = this.#guarded('reset', async () => {
      await this.#beginAfresh(meta.index + 1, hardState)
      this.#planSync()
    }).finally(() => (this.#busy = undefined))
    await this.#busy
    this.#options.space.work()
  }

  /** A segment that follows none, durable; only then do the others go. */
  async #beginAfresh(firstIndex: Index, hardState: HardState): Promise<void> {
    const old = this.#current!
    await this.#settleSync()
    const spare = await this.#options.space.take(BATCH_OVERHEAD_BYTES, false)
    this.#next = firstIndex
    this.#hardState = hardState
    await this.#makeSegment(spare, undefined)
    await old.file.close()
    const paths = [...this.#older.map(({ path }) => path), old.path]
    this.#older = []
    await this.#remove(paths)
  }

  /** Nobody waits for space any more; what is being written is written first. */
  async close(clean: boolean): Promise<void> {
    await this.#options.space.close()
    await this.#busy?.catch(() => undefined)
    const current = this.#current
    this.#current = undefined
    if (current === undefined) return
    if (!clean || this.#failure !== undefined || this.#refused) {
      await this.#settleSync().catch(() => undefined)
      await current.file.close()
      return
    }
    await this.#guarded('close', async () => {
      await this.#settleSync()
      this.#writer.truncate(0)
      const chain = writeClose(this.#writer, frameOf(current), this.#options.runId)
      await this.#write(current, chain, true)
      this.#marked = true
      await current.file.close()
    })
  }

  /** The log ends with a mark of a rest or a stop: nothing that was acknowledged is missing. */
  get isAtRest(): boolean {
    return this.#atRest
  }

  /** The log was closed, with this run's closing mark. */
  get isMarked(): boolean {
    return this.#marked
  }

  // -------------------------------------------------------------------------------------------- failing

  /** For good: whoever calls after this gets the same answer. */
  fail(error: unknown): ConcordError {
    return this.#fail(error, 'write')
  }

  #fail(error: unknown, action: string): ConcordError {
    const file = this.#current?.path ?? this.#dir
    const failure = storageFailed(action, file, error)
    if (failure.code === 'STORAGE_FAILED') {
      this.#failure ??= failure
      this.#tellFailure(this.#failure)
    }
    return failure
  }

  async #guarded<T>(action: string, run: () => Promise<T>): Promise<T> {
    if (this.#failure !== undefined) throw this.#failure
    try {
      return await run()
    } catch (error) {
      throw this.#fail(error, action)
    }
  }
}
