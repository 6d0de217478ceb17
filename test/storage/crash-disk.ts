// A disk that is as bad as a disk may be. Of what was not synced it keeps an arbitrary subset, sector by
// sector; directory entries that were not synced may be there or not; it can be full, write less than it was
// given, fail a write, and fail an fsync once and then call the pages clean.
//
// `crashAt` freezes it at one operation: what runs then never hears from it again. `powerLoss` gives the disk
// that is found afterwards, `processCrash` the one with the page cache still there.

import { dirname } from 'node:path'

import type { Disk, DiskFile, Done, OpenMode } from '../../core/storage/file/disk.ts'

const SECTOR = 512
const BLOCK = 4096

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

class Inode {
  /** On the platters. */
  durable: Buffer = Buffer.alloc(0)
  /** As the process sees it. */
  live: Buffer = Buffer.alloc(0)
  /** What may be found of each dirty sector, oldest first. */
  readonly dirty = new Map<number, Buffer[]>()
  readonly blocks = new Set<number>()

  put(bytes: Uint8Array, position: number): void {
    const end = position + bytes.length
    if (end > this.live.length) this.resize(end)
    this.live.set(bytes, position)
    for (let sector = Math.floor(position / SECTOR); sector * SECTOR < end; sector++) {
      const versions = this.dirty.get(sector) ?? []
      versions.push(Buffer.from(this.live.subarray(sector * SECTOR, (sector + 1) * SECTOR)))
      this.dirty.set(sector, versions)
    }
  }

  resize(bytes: number): void {
    const live = Buffer.alloc(bytes)
    this.live.copy(live, 0, 0, Math.min(bytes, this.live.length))
    this.live = live
  }

  sync(): void {
    // Sectors that an fsync failed on are clean, and are not written again.
    const durable = Buffer.alloc(this.live.length)
    this.durable.copy(durable)
    for (const [sector, versions] of this.dirty)
      durable.set(versions.at(-1)!.subarray(0, durable.length - sector * SECTOR), sector * SECTOR)
    this.durable = durable
    this.dirty.clear()
  }

  afterPowerLoss(chance: () => number): Inode {
    const kept = new Inode()
    const share = [0, 0.5, 1][Math.floor(chance() * 3)]!
    const size = chance() < 0.5 ? this.live.length : this.durable.length
    kept.live = Buffer.alloc(size)
    this.durable.copy(kept.live)
    for (const [sector, versions] of this.dirty) {
      const version = versions[Math.floor(chance() * versions.length)]!
      if (chance() < share && sector * SECTOR < size)
        kept.live.set(version.subarray(0, size - sector * SECTOR), sector * SECTOR)
    }
    kept.durable = Buffer.from(kept.live)
    for (const block of this.blocks) kept.blocks.add(block)
    return kept
  }
}

interface DirChange {
  readonly dir: string
  readonly apply: (names: Map<string, Inode>) => void
}

export interface Faults {
  /** Called before each write; may answer how many bytes are written at most, or throw. */
  write?: (path: string, bytes: number) => number | undefined
  /** Called before each fsync; may throw. The pages are clean afterwards all the same. */
  sync?: (path: string) => void
  /** As `sync`, for directories. */
  syncDir?: (dir: string) => void
}

export class CrashDisk implements Disk {
  names = new Map<string, Inode>()
  durableNames = new Map<string, Inode>()
  readonly dirs = new Set<string>()
  #dirChanges: DirChange[] = []
  /** Operations so far; the one with this number is cut short. */
  operations = 0
  crashAt = Infinity
  readonly crashed: Promise<void>
  #announce!: () => void
  faults: Faults = {}
  totalBytes = 1024 ** 3
  /** What was done, for tests about the order of things. */
  readonly journal: string[] = []

  constructor() {
    this.crashed = new Promise((resolve) => (this.#announce = resolve))
  }

  get isCrashed(): boolean {
    return this.operations >= this.crashAt
  }

  crash(): void {
    this.crashAt = this.operations
    this.#announce()
  }

  /** True when this operation is cut short by the crash, which has happened then. */
  #step(what: string): boolean {
    if (this.isCrashed) return true
    this.operations++
    this.journal.push(what)
    if (this.operations < this.crashAt) return false
    this.#announce()
    return true
  }

  /** Runs an operation, or never answers. The one during which it crashes has half a chance to be done. */
  #run<T>(what: string, operation: () => T): Promise<T> {
    if (this.isCrashed) return new Promise(() => {})
    const cut = this.#step(what)
    if (!cut) {
      return new Promise((resolve, reject) => {
        queueMicrotask(() => {
          try {
            resolve(operation())
          } catch (error) {
            reject(error)
          }
        })
      })
    }
    if (this.operations % 2 === 0) operation()
    return new Promise(() => {})
  }

  // ----------------------------------------------------------------------------------------- after a crash

  processCrash(): CrashDisk {
    const next = new CrashDisk()
    next.names = this.names
    next.durableNames = this.durableNames
    next.#dirChanges = this.#dirChanges
    for (const dir of this.dirs) next.dirs.add(dir)
    next.totalBytes = this.totalBytes
    return next
  }

  powerLoss(chance: () => number): CrashDisk {
    const next = new CrashDisk()
    const names = new Map(this.durableNames)
    for (const { apply } of this.#dirChanges) if (chance() < 0.5) apply(names)
    const kept = new Map<Inode, Inode>()
    for (const [path, inode] of names) {
      if (!kept.has(inode)) kept.set(inode, inode.afterPowerLoss(chance))
      next.names.set(path, kept.get(inode)!)
    }
    next.durableNames = new Map(next.names)
    for (const dir of this.dirs) next.dirs.add(dir)
    next.totalBytes = this.totalBytes
    return next
  }

  // ----------------------------------------------------------------------------------------------- the disk

  #changeDir(path: string, apply: DirChange['apply']): void {
    apply(this.names)
    this.#dirChanges.push({ dir: dirname(path), apply })
  }

  open(path: string, mode: OpenMode, { durable = false } = {}): Promise<DiskFile> {
    return this.#run(`open ${mode} ${path}`, () => {
      let inode = this.names.get(path)
      if (mode === 'create') {
        inode = new Inode()
        const made = inode
        this.#changeDir(path, (names) => names.set(path, made))
      }
      if (inode === undefined) throw errorWith('ENOENT', path)
      return this.#file(path, inode, durable)
    })
  }

  #file(path: string, inode: Inode, durable: boolean): DiskFile {
    return {
      write: (buffer, length, position, done) =>
        this.#write(path, inode, durable, Buffer.from(buffer.subarray(0, length)), position, done),
      sync: (done) => {
        this.#run(`sync ${path}`, () => this.#sync(path, inode)).then(
          () => done(null),
          (error: Error) => done(error),
        )
      },
      read: (buffer, position) =>
        this.#run(`read ${path}`, () => {
          const bytes = inode.live.subarray(position, position + buffer.length)
          buffer.set(bytes)
          return bytes.length
        }),
      size: () => this.#run(`size ${path}`, () => inode.live.length),
      resize: (bytes) => this.#run(`resize ${path}`, () => inode.resize(bytes)),
      close: () => this.#run(`close ${path}`, () => undefined),
    }
  }

  #write(
    path: string,
    inode: Inode,
    durable: boolean,
    bytes: Buffer,
    position: number,
    done: Done<number>,
  ): void {
    if (this.isCrashed) return
    if (this.#step(`write ${path}`)) {
      inode.put(bytes, position)
      return
    }
    queueMicrotask(() => {
      let written: number
      try {
        written = Math.min(bytes.length, this.faults.write?.(path, bytes.length) ?? bytes.length)
        written = this.#allocate(inode, position, written)
        inode.put(bytes.subarray(0, written), position)
        if (durable) this.#sync(path, inode)
      } catch (error) {
        done(error as Error, 0)
        return
      }
      done(null, written)
    })
  }

  #sync(path: string, inode: Inode): void {
    try {
      this.faults.sync?.(path)
    } catch (error) {
      inode.dirty.clear()
      throw error
    }
    inode.sync()
  }

  /** How much of a write finds space; throws when none does. */
  #allocate(inode: Inode, position: number, bytes: number): number {
    let free = this.#freeBytes()
    for (let at = position; at < position + bytes; at = (Math.floor(at / BLOCK) + 1) * BLOCK) {
      const block = Math.floor(at / BLOCK)
      if (inode.blocks.has(block)) continue
      if (free < BLOCK) {
        if (at === position) throw errorWith('ENOSPC', 'no space left on device')
        return at - position
      }
      inode.blocks.add(block)
      free -= BLOCK
    }
    return bytes
  }

  #freeBytes(): number {
    let used = 0
    for (const inode of new Set(this.names.values())) used += inode.blocks.size * BLOCK
    return Math.max(0, this.totalBytes - used)
  }

  rename(from: string, to: string): Promise<void> {
    return this.#run(`rename ${from} ${to}`, () => {
      const inode = this.names.get(from)
      if (inode === undefined) throw errorWith('ENOENT', from)
      this.#changeDir(to, (names) => {
        if (names.get(from) === inode) names.delete(from)
        names.set(to, inode)
      })
    })
  }

  unlink(path: string): Promise<void> {
    return this.#run(`unlink ${path}`, () => {
      const inode = this.names.get(path)
      if (inode === undefined) throw errorWith('ENOENT', path)
      this.#changeDir(path, (names) => {
        if (names.get(path) === inode) names.delete(path)
      })
    })
  }

  list(dir: string): Promise<string[] | undefined> {
    return this.#run(`list ${dir}`, () => {
      if (!this.dirs.has(dir)) return undefined
      const inside = [...this.names.keys()].filter((path) => dirname(path) === dir)
      return inside.map((path) => path.slice(dir.length + 1)).sort()
    })
  }

  makeDir(dir: string): Promise<boolean> {
    return this.#run(`makeDir ${dir}`, () => {
      const made = !this.dirs.has(dir)
      this.dirs.add(dir)
      return made
    })
  }

  syncDir(dir: string): Promise<void> {
    return this.#run(`syncDir ${dir}`, () => {
      this.faults.syncDir?.(dir)
      this.#dirChanges = this.#dirChanges.filter((change) => {
        if (change.dir === dir) change.apply(this.durableNames)
        return change.dir !== dir
      })
    })
  }

  space(): Promise<{ freeBytes: number; totalBytes: number }> {
    return this.#run('space', () => ({ freeBytes: this.#freeBytes(), totalBytes: this.totalBytes }))
  }

  // ------------------------------------------------------------------------------------------- for a test

  /** Contents as a process would read them; a copy. */
  contents(path: string): Buffer {
    return Buffer.from(this.names.get(path)!.live)
  }

  /** Damage, or another file: on the platters and in the cache. */
  replace(path: string, bytes: Uint8Array): void {
    const inode = new Inode()
    inode.live = Buffer.from(bytes)
    inode.durable = Buffer.from(bytes)
    for (let block = 0; block * BLOCK < bytes.length; block++) inode.blocks.add(block)
    this.names.set(path, inode)
    this.durableNames.set(path, inode)
  }

  /** Somebody else takes all that is left. */
  fillUp(path: string): void {
    this.replace(path, Buffer.alloc(this.#freeBytes()))
  }

  remove(path: string): void {
    this.names.delete(path)
    this.durableNames.delete(path)
  }

  /** An independent copy of what is there, all of it durable. */
  copy(): CrashDisk {
    const next = new CrashDisk()
    for (const dir of this.dirs) next.dirs.add(dir)
    next.totalBytes = this.totalBytes
    for (const [path, inode] of this.names) next.replace(path, inode.live)
    return next
  }
}

export function errorWith(code: string, message: string): Error {
  return Object.assign(new Error(`${code}: ${message}`), { code })
}
