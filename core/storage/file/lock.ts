/**
 * One process per data directory (H43), by something that the kernel takes back when a process is killed.
 *
 * On Linux: an abstract socket named after the directory's device and inode, which nobody else in this network
 * namespace can bind; and a listening socket in the directory, which a process in another container that shares
 * the volume can reach. Elsewhere: the process named in the lock file lives. The file names the holder, too.
 */
import fs from 'node:fs'
import { connect, createServer, type Server } from 'node:net'

import { ConcordError } from '../../errors.ts'
import { errorCode } from './disk.ts'
import { lockPath, temporary } from './layout.ts'

export interface DirectoryLock {
  release(): Promise<void>
}

interface Holder {
  readonly pid: number
  /** Clock ticks from boot to the start of the process: tells two processes with one pid apart. */
  readonly startTime: string
  readonly bootId: string
}

const ON_LINUX = process.platform === 'linux'
const SOCKET = 'lock.sock'
/** What connecting says when nobody listens there. */
const NOBODY: readonly unknown[] = ['ECONNREFUSED', 'ENOENT']

/** Directories that this process holds, by device and inode. */
const held = new Set<string>()

/** Rejects with `DIRECTORY_LOCKED`, naming the holder; nothing in the directory has been touched then. */
export async function lockDirectory(dir: string): Promise<DirectoryLock> {
  const { dev, ino } = await fs.promises.stat(dir, { bigint: true })
  const key = `${dev}:${ino}`
  if (held.has(key)) throw alreadyOpenHere(dir)
  held.add(key)
  try {
    const release = ON_LINUX ? await lockByKernel(dir, key) : await lockByFile(dir)
    await writeHolder(dir)
    return {
      async release() {
        await fs.promises.rm(lockPath(dir), { force: true })
        await release()
        held.delete(key)
      },
    }
  } catch (error) {
    held.delete(key)
    throw error
  }
}

function alreadyOpenHere(dir: string): ConcordError {
  return new ConcordError('DIRECTORY_LOCKED', `${dir} is already open in this process`, {
    retryable: false,
    details: { dir, pid: process.pid },
  })
}

async function lockedBy(dir: string): Promise<ConcordError> {
  const holder = await readHolder(dir)
  if (holder?.pid === process.pid && holder.startTime === startTimeOf(process.pid))
    return alreadyOpenHere(dir)
  const who = holder === undefined ? 'another process' : `process ${holder.pid}`
  return new ConcordError('DIRECTORY_LOCKED', `${dir} is in use by ${who}`, {
    details: { dir, pid: holder?.pid },
  })
}

// ------------------------------------------------------------------------------------------------- Linux

async function lockByKernel(dir: string, key: string): Promise<() => Promise<void>> {
  const abstract = await listen(`\0concord-kv/${key}`)
  if (abstract === undefined) throw await lockedBy(dir)
  let fd: number | undefined
  const closeBoth = async (): Promise<void> => {
    await closeServer(abstract)
    if (fd !== undefined) fs.closeSync(fd)
  }
  try {
    // Through the descriptor, because the path of a socket may have 107 bytes only.
    fd = fs.openSync(dir, fs.constants.O_RDONLY)
    const path = `/proc/self/fd/${fd}/${SOCKET}`
    if (await answers(path)) throw await lockedBy(dir)
    await fs.promises.rm(path, { force: true })
    // Not every file system has sockets: then the abstract one has to do.
    const local = await listen(path).catch(() => null)
    if (local === undefined) throw await lockedBy(dir)
    return async () => {
      if (local !== null) await closeServer(local)
      await closeBoth()
    }
  } catch (error) {
    await closeBoth()
    throw error
  }
}

/** A server on a path, which does not keep the process alive; undefined when somebody else has it. */
function listen(path: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy())
    server.once('error', (error) => {
      if (errorCode(error) === 'EADDRINUSE') resolve(undefined)
      else reject(error)
    })
    server.listen({ path, exclusive: true }, () => resolve(server.unref()))
  })
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}

/** Whether a living process listens there. The kernel refuses for one that was killed. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', (error) => resolve(!NOBODY.includes(errorCode(error))))
  })
}

// --------------------------------------------------------------------------------------------- elsewhere

async function lockByFile(dir: string): Promise<() => Promise<void>> {
  const holder = await readHolder(dir)
  if (holder !== undefined && holder.pid !== process.pid && isAlive(holder)) throw await lockedBy(dir)
  return async () => {}
}

function isAlive({ pid, startTime }: Holder): boolean {
  try {
    process.kill(pid, 0)
    return startTimeOf(pid) === startTime
  } catch (error) {
    return errorCode(error) === 'EPERM'
  }
}

// ---------------------------------------------------------------------------------------------- the file

async function writeHolder(dir: string): Promise<void> {
  const holder: Holder = { pid: process.pid, startTime: startTimeOf(process.pid), bootId: bootId() }
  const temp = temporary(lockPath(dir))
  await fs.promises.writeFile(temp, `${JSON.stringify(holder)}\n`, { mode: 0o600 })
  await fs.promises.rename(temp, lockPath(dir))
}

async function readHolder(dir: string): Promise<Holder | undefined> {
  try {
    const holder = JSON.parse(await fs.promises.readFile(lockPath(dir), 'utf8')) as Partial<Holder> | null
    return typeof holder?.pid === 'number' ? (holder as Holder) : undefined
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || error instanceof SyntaxError) return undefined
    throw error
  }
}

/** Empty where the kernel does not tell. */
function startTimeOf(pid: number): string {
  if (!ON_LINUX) return ''
  const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1')
  // The name of the program, in parentheses, may hold anything.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
}

/** Another value after every boot of the machine; empty where the kernel does not tell. */
export function bootId(): string {
  return ON_LINUX ? fs.readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim() : ''
}
