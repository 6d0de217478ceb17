/**
 * All that the file storage asks of a disk, and the real one over `node:fs`.
 *
 * Small on purpose: whatever is behind it can be replaced by a model that tears writes, forgets directory
 * entries and lies about fsync. Callbacks on the way of a write, where a promise for each would be felt.
 */
import fs from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'

export type Done<T = void> = (error: Error | null, value: T) => void

export interface DiskFile {
  /**
   * Writes `length` bytes of `buffer` at `position` and says how many were written: it may be fewer, without
   * an error. On a file opened `durable` they are on stable storage by then. One write in flight per file.
   */
  write(buffer: Uint8Array, length: number, position: number, done: Done<number>): void
  /** fdatasync: contents and length are on stable storage. */
  sync(done: Done): void
  /** Fills `buffer` from `position`; fewer bytes only at the end of the file. */
  read(buffer: Uint8Array, position: number): Promise<number>
  size(): Promise<number>
  /** Makes the file this long, without taking space for what it gains. */
  resize(bytes: number): Promise<void>
  close(): Promise<void>
}

/** `create`: a new, empty file, in place of one that may be there. */
export type OpenMode = 'create' | 'update' | 'read'

export interface Disk {
  open(path: string, mode: OpenMode, options?: { readonly durable?: boolean }): Promise<DiskFile>
  rename(from: string, to: string): Promise<void>
  unlink(path: string): Promise<void>
  /** Names in a directory, sorted; undefined when there is none. */
  list(dir: string): Promise<string[] | undefined>
  /** Makes a directory and those above it, mode 0700. False when it was there. */
  makeDir(dir: string): Promise<boolean>
  /** What was created, renamed and unlinked in `dir` is on stable storage. */
  syncDir(dir: string): Promise<void>
  /** Of the volume that holds `dir`. */
  space(dir: string): Promise<{ readonly freeBytes: number; readonly totalBytes: number }>
}

const FILE_MODE = 0o600
const DIR_MODE = 0o700

/** On Linux O_DSYNC does in one trip what write and fdatasync do in two; elsewhere it promises less. */
const HAS_DSYNC = process.platform === 'linux'

const { O_CREAT, O_TRUNC, O_RDWR, O_RDONLY, O_DSYNC } = fs.constants
const FLAGS: Record<OpenMode, number> = { create: O_CREAT | O_TRUNC | O_RDWR, update: O_RDWR, read: O_RDONLY }

const openFd = promisify(fs.open)
const closeFd = promisify(fs.close)
const statFd = promisify(fs.fstat)
const truncateFd = promisify(fs.ftruncate)
const syncFd = promisify(fs.fsync)

class NodeFile implements DiskFile {
  readonly #fd: number
  readonly #syncEachWrite: boolean

  constructor(fd: number, syncEachWrite: boolean) {
    this.#fd = fd
    this.#syncEachWrite = syncEachWrite
  }

  write(buffer: Uint8Array, length: number, position: number, done: Done<number>): void {
    if (!this.#syncEachWrite) {
      fs.write(this.#fd, buffer, 0, length, position, done)
      return
    }
    fs.write(this.#fd, buffer, 0, length, position, (failure, written) => {
      if (failure) done(failure, written)
      else fs.fdatasync(this.#fd, (error) => done(error, written))
    })
  }

  sync(done: Done): void {
    fs.fdatasync(this.#fd, (error) => done(error))
  }

  async read(buffer: Uint8Array, position: number): Promise<number> {
    let filled = 0
    while (filled < buffer.length) {
      const read = await this.#readOnce(buffer, filled, position + filled)
      if (read === 0) break
      filled += read
    }
    return filled
  }

  #readOnce(buffer: Uint8Array, at: number, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.read(this.#fd, buffer, at, buffer.length - at, position, (error, read) => {
        if (error) reject(error)
        else resolve(read)
      })
    })
  }

  async size(): Promise<number> {
    return (await statFd(this.#fd)).size
  }

  resize(bytes: number): Promise<void> {
    return truncateFd(this.#fd, bytes)
  }

  close(): Promise<void> {
    return closeFd(this.#fd)
  }
}

/** Level by level: where nothing can be made, below /proc, say, Node.js's own `recursive` goes round for ever. */
async function makeDir(dir: string): Promise<boolean> {
  if (await makeOneDir(dir)) return true
  if (await isDirectory(dir)) return false
  if (dirname(dir) !== dir) await makeDir(dirname(dir))
  await fs.promises.mkdir(dir, { mode: DIR_MODE }).catch(async (error: unknown) => {
    // Somebody else has been quicker.
    if (!(await isDirectory(dir))) throw error
  })
  return true
}

/** False when something is there, or when what is to be above it is not. */
async function makeOneDir(dir: string): Promise<boolean> {
  try {
    await fs.promises.mkdir(dir, { mode: DIR_MODE })
    return true
  } catch {
    return false
  }
}

const isDirectory = (path: string): Promise<boolean> =>
  fs.promises.stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )

/** The machine's own disk. */
export const nodeDisk: Disk = {
  async open(path, mode, { durable = false } = {}) {
    const fd = await openFd(path, FLAGS[mode] | (durable && HAS_DSYNC ? O_DSYNC : 0), FILE_MODE)
    return new NodeFile(fd, durable && !HAS_DSYNC)
  },

  rename: (from, to) => fs.promises.rename(from, to),
  unlink: (path) => fs.promises.unlink(path),

  async list(dir) {
    try {
      return (await fs.promises.readdir(dir)).sort()
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined
      throw error
    }
  },

  makeDir,

  async syncDir(dir) {
    // Windows has no handle for this; there a rename is as durable as it gets.
    if (process.platform === 'win32') return
    const fd = await openFd(dir, O_RDONLY)
    try {
      await syncFd(fd)
    } finally {
      await closeFd(fd)
    }
  },

  async space(dir) {
    const { bavail, blocks, bsize } = await fs.promises.statfs(dir)
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
  },
}

export function errorCode(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null ? (error as NodeJS.ErrnoException).code : undefined
}

/** No space: the one failure that time can heal, when it meets a file that nothing depends on yet. */
export function isDiskFull(error: unknown): boolean {
  const code = errorCode(error)
  return code === 'ENOSPC' || code === 'EDQUOT'
}

/** Writes all of it, or rejects: a short count is a full disk that has not said so (H36). */
export function writeAll(file: DiskFile, bytes: Uint8Array, position: number): Promise<void> {
  return new Promise((resolve, reject) => {
    file.write(bytes, bytes.length, position, (error, written) => {
      if (error) reject(error)
      else if (written === bytes.length) resolve()
      else reject(diskFull(shortWrite(written, bytes.length)))
    })
  })
}

export const shortWrite = (written: number, expected: number): string =>
  `short write: ${written} of ${expected} bytes`

export function syncFile(file: DiskFile): Promise<void> {
  return new Promise((resolve, reject) => {
    file.sync((error) => {
      if (error) reject(error)
      else resolve()
    })
  })
}

/** For a disk that is full and has not said so. */
export function diskFull(problem: string): Error {
  return Object.assign(new Error(problem), { code: 'ENOSPC' })
}
