/**
 * Space is taken before it is promised (H37): the next segment lies ready, written out and fsynced, beside a
 * reserve for hard state, no-ops and expiries, and ballast that a snapshot may have when it finds no space.
 *
 * While one of them cannot be made, the volume is full: `hasRoom` says so before a command is appended, and
 * making is tried again, ever less often, until space has returned. Everything here runs in the background,
 * one file at a time, in pieces. A full disk is the only failure that is survived.
 */
import { dirname, join } from 'node:path'

import { ConcordError } from '../../errors.ts'
import type { Clock, LogRoom, Timer } from '../../ports.ts'
import { type Disk, diskFull, errorCode, isDiskFull, writeAll } from './disk.ts'
import { storageFailed, storageRefused } from './errors.ts'
import { BALLAST, logDir, parseSpareName, snapshotDir, spareName, temporary } from './layout.ts'
import { MAX_SEGMENT_BYTES, MIN_SEGMENT_BYTES } from './segment.ts'

const MiB = 1024 * 1024
const PAGE_BYTES = 4096
/** Of the first segment of a log, and of the reserve. */
const SMALL_BYTES = MiB
/** Written and synced piece by piece, so that the log's own fsync never waits for much. */
const PIECE_BYTES = MiB
/** At most this part of the volume is one segment, or the ballast. */
const SEGMENT_SHARE = 32
const BALLAST_SHARE = 8
/** This part of what is free is trusted to be there still when it is needed. */
const FREE_SHARE = 4
/** Written into sparse files before the volume is looked at again. */
const MEASURE_BYTES = 4 * MiB
/** From here on a batch costs the same in a sparse file. */
const LARGE_BATCH_BYTES = 128 * 1024
/** Of the last space on a full volume, what entries leave for term and vote: this much, or this part of the reserve. */
const HARD_STATE_BYTES = 64 * 1024
const HARD_STATE_SHARE = 4
const RETRY_FIRST_MS = 50
const RETRY_LAST_MS = 5000

/** A file of zeros that is to become a segment. */
export interface Spare {
  readonly path: string
  readonly bytes: number
  /** Long, but empty: its space is taken only as it is written. */
  readonly sparse?: boolean
}

export interface SpaceOptions {
  readonly disk: Disk
  readonly dir: string
  readonly clock: Clock
  /** Largest segment. */
  readonly segmentBytes: number
  /** Called once, for any failure but a full disk. */
  readonly failed: (error: ConcordError) => void
}

interface Missing {
  readonly path: string
  readonly bytes: number
  readonly done: () => void
}

const wholePages = (bytes: number): number => Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES
/** The next snapshot may be larger than the last. */
const withSlack = (bytes: number): number => Math.ceil(bytes * 1.25)
const powerOfTwoUpTo = (bytes: number): number => 2 ** Math.floor(Math.log2(Math.max(1, bytes)))

export class Space {
  readonly #options: SpaceOptions
  readonly #ballastPath: string
  #next: Spare | undefined
  #reserve: Spare | undefined
  #ballastBytes = 0
  /** What the next segment has to hold at least, and what it is to be if the volume allows. */
  #needBytes = 0
  #wishBytes = SMALL_BYTES
  #snapshotBytes = 0
  #volume = { freeBytes: 0, totalBytes: 0 }
  /** What was written since then; of it, what took space that was free then. */
  #writtenBytes = 0
  #unseenBytes = 0
  #sparesMade = 0
  /** Spares that turned out too small. */
  readonly #discarded: string[] = []
  /** The last attempt to make something met a full disk. */
  #full = false
  #broken: ConcordError | undefined
  #closed = false
  #working: Promise<void> | undefined
  #retry: Timer | undefined
  #retryMs = RETRY_FIRST_MS
  #wake: (() => void) | undefined
  #zeros: Buffer | undefined

  constructor(options: SpaceOptions) {
    this.#options = options
    this.#ballastPath = join(snapshotDir(options.dir), BALLAST)
  }

  /** Finds the spare files of an earlier run, and gives back what there is too much of. */
  async open(): Promise<void> {
    const { disk, dir } = this.#options
    await this.#measure()
    const spares: Spare[] = []
    for (const name of (await disk.list(logDir(dir))) ?? []) {
      const n = parseSpareName(name)
      if (n === undefined) continue
      this.#sparesMade = Math.max(this.#sparesMade, n)
      const path = join(logDir(dir), name)
      spares.push({ path, bytes: await this.#sizeOf(path) })
    }
    spares.sort((a, b) => a.bytes - b.bytes)
    for (const spare of spares) {
      if (spare.bytes >= this.#leastBytes && this.#reserve === undefined) this.#reserve = spare
      else if (spare.bytes >= this.#leastBytes && this.#next === undefined) this.#next = spare
      else await disk.unlink(spare.path)
    }
    this.#ballastBytes = await this.#sizeOf(this.#ballastPath)
  }

  async #sizeOf(path: string): Promise<number> {
    try {
      const file = await this.#options.disk.open(path, 'read')
      const size = await file.size()
      await file.close()
      return size
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return 0
      throw error
    }
  }

  async #measure(): Promise<void> {
    const seen = this.#unseenBytes
    this.#writtenBytes = 0
    this.#volume = await this.#options.disk.space(this.#options.dir)
    this.#unseenBytes -= seen
  }

  // ---------------------------------------------------------------------------------------------- sizes

  /** The largest segment for this volume. */
  get #mostBytes(): number {
    const share = powerOfTwoUpTo(this.#volume.totalBytes / SEGMENT_SHARE)
    return Math.max(MIN_SEGMENT_BYTES, Math.min(this.#options.segmentBytes, share))
  }

  get #leastBytes(): number {
    return Math.min(SMALL_BYTES, this.#mostBytes)
  }

  get #nextBytes(): number {
    const wish = Math.min(
      this.#wishBytes,
      this.#mostBytes,
      powerOfTwoUpTo(this.#volume.freeBytes / FREE_SHARE),
    )
    return Math.max(wish, this.#needBytes, this.#leastBytes)
  }

  /**
   * What is free beyond the reserve: with what is missing of it made first, and without what sparse files have
   * taken since the volume was looked at.
   */
  get #unreservedBytes(): number {
    if (this.#full) return 0
    const reserve = this.#reserve === undefined ? this.#leastBytes : 0
    const ballast = this.#ballastBytes < this.#neededBallast ? withSlack(this.#neededBallast) : 0
    return this.#volume.freeBytes - this.#unseenBytes - reserve - ballast
  }

  get #neededBallast(): number {
    const share = Math.floor(this.#volume.totalBytes / BALLAST_SHARE)
    return Math.max(this.#leastBytes, Math.min(this.#snapshotBytes, share))
  }

  /** How large the segment is that is being filled: the next one will be twice that. */
  segmentOpened(bytes: number): void {
    this.#wishBytes = bytes * 2
  }

  /** How large the last snapshot is, which says what the next one will take. */
  snapshotTaken(bytes: number): void {
    this.#snapshotBytes = bytes
    this.work()
  }

  // ---------------------------------------------------------------------------------------------- asking

  /**
   * Whether a batch of this size can be promised, `left` being what the current segment still takes. While
   * nothing says that the volume is full, a spare that is only being made counts.
   */
  hasRoom(bytes: number, left: number): boolean {
    if (!this.#full && !this.#closed && wholePages(bytes) <= this.#unreservedBytes) return true
    return bytes <= this.room(left).commandBytes
  }

  /**
   * What is taken of new commands and of entries that were promised elsewhere, in batches of any size. Of what is
   * only free no more than a part is counted: of each batch its segment may leave some unused.
   */
  room(left: number): LogRoom {
    if (this.#closed) return { commandBytes: -1, entryBytes: -1 }
    const there = Math.max(left, this.#next?.bytes ?? 0)
    if (!this.#full) {
      return { commandBytes: Math.max(there, this.#unreservedBytes / FREE_SHARE), entryBytes: Infinity }
    }
    const kept = Math.min(HARD_STATE_BYTES, this.#leastBytes / HARD_STATE_SHARE)
    if (this.#reserve === undefined) return { commandBytes: -1, entryBytes: there - kept }
    const isWhole = this.#ballastBytes > 0
    return { commandBytes: isWhole ? there : -1, entryBytes: Math.max(there, this.#reserve.bytes - kept) }
  }

  /** What the volume may be trusted to have still when it is asked for piece by piece. */
  get promised(): number {
    return this.#full ? 0 : this.#volume.freeBytes / FREE_SHARE
  }

  /** The log has written; `sparse`: into space that was not taken before. */
  wrote(bytes: number, sparse: boolean): void {
    if (sparse) this.#unseenBytes += bytes
    this.#writtenBytes += bytes
    if (this.#writtenBytes >= MEASURE_BYTES) this.work()
  }

  /** A write has met a full disk before anything here did. */
  foundFull(): void {
    this.#full = true
    this.#retryLater()
  }

  #require(bytes: number): void {
    this.#needBytes = Math.min(MAX_SEGMENT_BYTES, Math.max(this.#needBytes, wholePages(bytes)))
    this.work()
  }

  /**
   * A file for a segment of at least `bytes`: the next one, the reserve when the volume is full, or what has
   * to be waited for while it is made. Rejects with `STORAGE_FULL` when the volume is full and none there is large
   * enough: whoever waited would stand in the way of what is smaller. With `sparse`, a sparse one rather than
   * waiting; that is also better for large batches, where taking the space with the write costs less than having
   * written it before. The caller gives the file another name. Rejects when the store is closed or has failed.
   */
  async take(bytes: number, sparse: boolean): Promise<Spare> {
    for (;;) {
      const next = this.#next
      const fits = next !== undefined && next.bytes >= bytes && bytes < LARGE_BATCH_BYTES
      if (sparse && !fits && bytes <= this.promised) return this.#makeSparse(bytes)
      if (next !== undefined && next.bytes >= bytes) {
        this.#next = undefined
        this.#needBytes = 0
        return next
      }
      const reserve = this.#reserve
      if (this.#full && reserve !== undefined && reserve.bytes >= bytes) {
        this.#reserve = undefined
        return reserve
      }
      if (this.#broken !== undefined) throw this.#broken
      if (this.#closed) throw new ConcordError('STORAGE_FULL', 'closed while waiting for space on the volume')
      if (this.#full)
        throw new ConcordError('STORAGE_FULL', `the volume has no space for ${bytes} bytes of log`)
      const changed = new Promise<void>((resolve) => (this.#wake = resolve))
      this.#require(bytes)
      await changed
    }
  }

  async #makeSparse(bytes: number): Promise<Spare> {
    const path = temporary(this.#newSparePath())
    const size = bytes < LARGE_BATCH_BYTES ? this.#nextBytes : this.#mostBytes
    const spare = { path, bytes: Math.max(size, bytes), sparse: true }
    const file = await this.#options.disk.open(path, 'create')
    await file.resize(spare.bytes)
    await file.close()
    return spare
  }

  /** The file of the first segment of a log. Rejects with `STORAGE_FULL` instead of waiting. */
  async takeFirst(): Promise<Spare> {
    const found = this.#next ?? this.#reserve
    if (found !== undefined) {
      if (found === this.#next) this.#next = undefined
      else this.#reserve = undefined
      return found
    }
    const bytes = this.#leastBytes
    const path = this.#newSparePath()
    try {
      await this.#make(path, bytes)
    } catch (error) {
      throw storageRefused('make', path, error)
    }
    return { path, bytes }
  }

  /** Gives the ballast back to the volume, for a snapshot. False when there was none. */
  async releaseBallast(): Promise<boolean> {
    if (this.#ballastBytes === 0) return false
    this.#ballastBytes = 0
    this.#full = true
    await this.#options.disk.unlink(this.#ballastPath)
    this.#retryLater()
    return true
  }

  // ---------------------------------------------------------------------------------------------- making

  /** Looks for what is missing, and makes it: after something was taken, or may have been freed. */
  work(): void {
    if (this.#closed || this.#broken !== undefined || this.#working !== undefined) return
    this.#cancelRetry()
    this.#working = this.#makeAll().then(() => {
      this.#working = undefined
      this.#wakeUp()
    })
  }

  async #makeAll(): Promise<void> {
    try {
      await this.#measure()
      for (let one = this.#missing(); one !== undefined && !this.#closed; one = this.#missing()) {
        if (await this.#make(one.path, one.bytes)) one.done()
        for (const path of this.#discarded.splice(0)) await this.#options.disk.unlink(path)
        await this.#measure()
      }
      this.#full = false
      this.#retryMs = RETRY_FIRST_MS
    } catch (error) {
      if (isDiskFull(error)) {
        this.#full = true
        // Whoever still waits for a large one asks again; for the others a small one is better than none.
        this.#needBytes = 0
        this.#retryLater()
      } else {
        this.#broken = storageFailed('take space in', this.#options.dir, error)
        this.#options.failed(this.#broken)
      }
    }
  }

  #retryLater(): void {
    if (this.#closed || this.#retry !== undefined) return
    this.#retry = this.#options.clock.after(this.#retryMs, () => {
      this.#retry = undefined
      this.work()
    })
    this.#retryMs = Math.min(RETRY_LAST_MS, this.#retryMs * 2)
  }

  #cancelRetry(): void {
    if (this.#retry !== undefined) this.#options.clock.cancel(this.#retry)
    this.#retry = undefined
  }

  #wakeUp(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }

  /** The most important thing that is not there. */
  #missing(): Missing | undefined {
    if (this.#reserve === undefined) {
      const spare = { path: this.#newSparePath(), bytes: this.#leastBytes }
      return { ...spare, done: () => (this.#reserve = spare) }
    }
    if (this.#ballastBytes < this.#neededBallast) {
      const bytes = withSlack(this.#neededBallast)
      return { path: this.#ballastPath, bytes, done: () => (this.#ballastBytes = bytes) }
    }
    const small = this.#next
    if (small === undefined || small.bytes < this.#needBytes) {
      const spare = { path: this.#newSparePath(), bytes: this.#nextBytes }
      const done = (): void => {
        if (this.#next === small && small !== undefined) this.#discarded.push(small.path)
        this.#next = spare
      }
      return { ...spare, done }
    }
    return undefined
  }

  /** Never the name of a file that somebody may still be renaming. */
  #newSparePath(): string {
    return join(logDir(this.#options.dir), spareName(++this.#sparesMade))
  }

  /** A file of zeros under its name, durable. False when the store was closed meanwhile. */
  async #make(path: string, bytes: number): Promise<boolean> {
    const { disk } = this.#options
    if (bytes > this.#volume.freeBytes) throw diskFull('the volume has no space for it')
    const temp = temporary(path)
    const file = await disk.open(temp, 'create', { durable: true })
    try {
      this.#zeros ??= Buffer.alloc(PIECE_BYTES)
      for (let at = 0; at < bytes && !this.#closed; at += PIECE_BYTES) {
        await writeAll(file, this.#zeros.subarray(0, Math.min(PIECE_BYTES, bytes - at)), at)
      }
    } catch (error) {
      await file.close()
      // Half a file would keep the space from those who could use it.
      if (isDiskFull(error)) await disk.unlink(temp)
      throw error
    }
    await file.close()
    if (this.#closed) return false
    await disk.rename(temp, path)
    await disk.syncDir(dirname(path))
    return true
  }

  /** Ends what is under way, and lets nobody wait. Spare files stay for the next run. */
  async close(): Promise<void> {
    this.#closed = true
    this.#cancelRetry()
    await this.#working
    this.#wakeUp()
  }
}
