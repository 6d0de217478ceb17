/**
 * A disk that is as bad as a disk may be. Of what was not synced it keeps an arbitrary subset, sector by
 * sector; directory entries that were not synced may be there or not; it can be full, write less than it was
 * given, fail a write, and fail an fsync once and then call the pages clean.
 *
 * `crash` ends it at once, `crashAt` at one operation: what runs then never hears from it again. `powerLoss`
 * gives the disk that is found afterwards, `processCrash` the one with the page cache still there.
 */
import { dirname } from 'node:path'

import type { Disk, DiskFile, Done, OpenMode } from '../storage/file/disk.ts'
import { BLOCK, Inode } from './inode.ts'

export type Work = 'open' | 'read' | 'write' | 'sync' | 'size' | 'resize' | 'close' | 'space' | DirectoryWork
type DirectoryWork = 'rename' | 'unlink' | 'list' | 'makeDir' | 'syncDir'

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

/** When a disk does what it was asked for, and how it says so. */
export interface Pace {
  later(run: () => void, work: Work): void
  hand(answer: () => void): void
}

const AT_ONCE: Pace = { later: queueMicrotask, hand: (answer) => answer() }

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
  /** What was done, for tests about the order of things; nothing is noted while there is none. */
  journal: string[] | undefined
  readonly #pace: Pace
  /** Asked for and not done yet, with as much of it as may be done when the crash comes in between. */
  readonly #pending = new Map<() => unknown, () => unknown>()

  constructor(pace: Pace = AT_ONCE) {
    this.#pace = pace
    this.crashed = new Promise((resolve) => (this.#announce = resolve))
  }

  get isCrashed(): boolean {
    return this.operations >= this.crashAt
  }

  /** Of what is under way some may still be done; nobody is told. */
  crash(chance: () => number = () => 1): void {
    this.crashAt = this.operations
    for (const started of this.#pending.values()) if (chance() < 0.5) attempt(started)
    this.#pending.clear()
    this.#announce()
  }

  /** True when this operation is cut short by the crash, which has happened then. */
  #step(what: string): boolean {
    if (this.isCrashed) return true
    this.operations++
    this.journal?.push(what)
    if (this.operations < this.crashAt) return false
    this.#announce()
    return true
  }

  /** Runs an operation, or never answers. The one during which it crashes has half a chance to be done. */
  #run<T>(work: Work, path: string, operation: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.isCrashed) return
      if (!this.#step(`${work} ${path}`)) this.#begin(work, operation, resolve, reject)
      else if (this.operations % 2 === 0) operation()
    })
  }

  #begin<T>(
    work: Work,
    operation: () => T,
    done: (value: T) => void,
    failed: (error: Error) => void,
    started: () => unknown = operation,
  ): void {
    this.#pending.set(operation, started)
    this.#pace.later(() => {
      if (!this.#pending.delete(operation)) return
      let value: T
      try {
        value = operation()
      } catch (error) {
        this.#pace.hand(() => failed(error as Error))
        return
      }
      this.#pace.hand(() => done(value))
    }, work)
  }

  // ----------------------------------------------------------------------------------------- after a crash

  processCrash(): CrashDisk {
    const next = new CrashDisk(this.#pace)
    next.names = this.names
    next.durableNames = this.durableNames
    next.#dirChanges = this.#dirChanges
    for (const dir of this.dirs) next.dirs.add(dir)
    next.totalBytes = this.totalBytes
    return next
  }

  powerLoss(chance: () => number): CrashDisk {
    const next = new CrashDisk(this.#pace)
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
    return this.#run('open', `${mode} ${path}`, () => {
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
        this.#run('sync', path, () => this.#sync(path, inode)).then(() => done(null), done)
      },
      read: (buffer, position) =>
        this.#run('read', path, () => {
          const bytes = inode.live.subarray(position, position + buffer.length)
          buffer.set(bytes)
          return bytes.length
        }),
      size: () => this.#run('size', path, () => inode.live.length),
      resize: (bytes) => this.#run('resize', path, () => inode.resize(bytes)),
      close: () => this.#run('close', path, () => undefined),
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
    const put = (): number => {
      const asked = Math.min(bytes.length, this.faults.write?.(path, bytes.length) ?? bytes.length)
      const written = this.#allocate(inode, position, asked)
      inode.put(bytes.subarray(0, written), position)
      return written
    }
    const write = (): number => {
      const written = put()
      if (durable) this.#sync(path, inode)
      return written
    }
    this.#begin(
      'write',
      write,
      (written) => done(null, written),
      (error) => done(error, 0),
      put,
    )
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
    return this.#run('rename', `${from} ${to}`, () => {
      const inode = this.names.get(from)
      if (inode === undefined) throw errorWith('ENOENT', from)
      this.#changeDir(to, (names) => {
        if (names.get(from) === inode) names.delete(from)
        names.set(to, inode)
      })
    })
  }

  unlink(path: string): Promise<void> {
    return this.#run('unlink', path, () => {
      const inode = this.names.get(path)
      if (inode === undefined) throw errorWith('ENOENT', path)
      this.#changeDir(path, (names) => {
        if (names.get(path) === inode) names.delete(path)
      })
    })
  }

  list(dir: string): Promise<string[] | undefined> {
    return this.#run('list', dir, () => {
      if (!this.dirs.has(dir)) return undefined
      const inside = [...this.names.keys()].filter((path) => dirname(path) === dir)
      return inside.map((path) => path.slice(dir.length + 1)).sort()
    })
  }

  makeDir(dir: string): Promise<boolean> {
    return this.#run('makeDir', dir, () => {
      const made = !this.dirs.has(dir)
      this.dirs.add(dir)
      return made
    })
  }

  syncDir(dir: string): Promise<void> {
    return this.#run('syncDir', dir, () => {
      this.faults.syncDir?.(dir)
      this.#dirChanges = this.#dirChanges.filter((change) => {
        if (change.dir === dir) change.apply(this.durableNames)
        return change.dir !== dir
      })
    })
  }

  space(): Promise<{ freeBytes: number; totalBytes: number }> {
    return this.#run('space', '', () => ({ freeBytes: this.#freeBytes(), totalBytes: this.totalBytes }))
  }

  // ------------------------------------------------------------------------------------------- for a test

  /** Contents as a process would read them; a copy. */
  contents(path: string): Buffer {
    return Buffer.from(this.names.get(path)!.live)
  }

  /** Damage, or another file: on the platters and in the cache. */
  replace(path: string, bytes: Uint8Array): void {
    this.#set(path, Buffer.from(bytes))
  }

  #set(path: string, bytes: Buffer): void {
    const inode = Inode.of(bytes)
    for (let block = 0; block * BLOCK < bytes.length; block++) inode.blocks.add(block)
    this.names.set(path, inode)
    this.durableNames.set(path, inode)
  }

  /** Somebody else takes all that is left. */
  fillUp(path: string): void {
    this.#set(path, Buffer.alloc(this.#freeBytes()))
  }

  remove(path: string): void {
    this.names.delete(path)
    this.durableNames.delete(path)
  }

  /** An independent copy of what is there, all of it durable. */
  copy(): CrashDisk {
    const next = new CrashDisk(this.#pace)
    for (const dir of this.dirs) next.dirs.add(dir)
    next.totalBytes = this.totalBytes
    for (const [path, inode] of this.names) next.replace(path, inode.live)
    return next
  }
}

export function errorWith(code: string, message: string): Error {
  return Object.assign(new Error(`${code}: ${message}`), { code })
}

function attempt(operation: () => unknown): void {
  try {
    operation()
  } catch {
    // Whoever asked for it is gone.
  }
}
