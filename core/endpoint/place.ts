/**
 * Where a node listens, and how a client finds it: a unix socket in the data directory when its path is
 * short enough for the kernel, else in a directory of its own under the temporary one; a named pipe on
 * Windows. `endpoint.json` in the data directory says which.
 *
 * Whoever writes or removes here holds the directory's lock: what is found was left by a process that is gone.
 */
import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { VERSION } from '../version.ts'

/** The kernel's limit is 103 to 107 bytes; a longer path is cut short without a word on some systems. */
const MAX_PATH_BYTES = 100
const FORMAT = 1
const SOCKET = 'endpoint.sock'
const TEMPORARY = 'concord-socket-'

export interface Place {
  readonly format: typeof FORMAT
  /** Of the socket, or the name of the pipe. */
  readonly path: string
  readonly pid: number
  readonly version: string
  /** The config that the node was started from, and its mode, if it was. */
  readonly config: string | null
  readonly mode: string | null
}

export const placeFile = (dir: string): string => join(dir, 'endpoint.json')

/** The paths to try, in order; the next when the file system has no sockets. */
export async function* socketPaths(dir: string): AsyncGenerator<string> {
  if (process.platform === 'win32') {
    yield `\\\\.\\pipe\\concord-${createHash('sha256').update(dir).digest('hex').slice(0, 32)}`
    return
  }
  const inside = join(dir, SOCKET)
  if (Buffer.byteLength(inside) <= MAX_PATH_BYTES) {
    await rm(inside, { force: true })
    yield inside
  }
  for (const base of new Set([tmpdir(), '/tmp'])) {
    if (Buffer.byteLength(join(base, `${TEMPORARY}123456`, SOCKET)) > MAX_PATH_BYTES) continue
    yield join(await mkdtemp(join(base, TEMPORARY)), SOCKET)
  }
}

export async function writePlace(
  dir: string,
  place: Omit<Place, 'format' | 'pid' | 'version'>,
): Promise<void> {
  const content: Place = { format: FORMAT, ...place, pid: process.pid, version: VERSION }
  const temp = `${placeFile(dir)}.tmp`
  await rm(temp, { force: true })
  await writeFile(temp, `${JSON.stringify(content, undefined, 2)}\n`, { mode: 0o600 })
  await rename(temp, placeFile(dir))
}

/** Undefined when there is none, or none that can be read. */
export async function readPlace(dir: string): Promise<Place | undefined> {
  try {
    const place = JSON.parse(await readFile(placeFile(dir), 'utf8')) as Partial<Place> | null
    return place?.format === FORMAT && typeof place.path === 'string' ? (place as Place) : undefined
  } catch {
    return undefined
  }
}

/** Removes what the node that was here last has left, if it was killed. */
export async function clearPlace(dir: string): Promise<void> {
  const place = await readPlace(dir)
  if (place !== undefined) await removeSocket(dir, place.path)
  await rm(placeFile(dir), { force: true })
}

/** A path from a file is removed only when it is one that `socketPaths` makes. */
export async function removeSocket(dir: string, path: string): Promise<void> {
  if (process.platform === 'win32' || basename(path) !== SOCKET) return
  const parent = dirname(path)
  if (parent === dir) return rm(path, { force: true })
  if (!basename(parent).startsWith(TEMPORARY)) return
  await rm(path, { force: true })
  await rmdir(parent).catch(() => undefined)
}
