/**
 * Who a data directory belongs to, and what its runs have left to know (`identity.json`).
 *
 * Replaced as a whole, by write, fsync, rename, fsync of the directory, under a checksum of its own: it holds
 * the incarnation, by which votes are counted (H44), so a damaged one is refused and never made anew.
 */
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'

import type { ConcordError } from '../../errors.ts'
import type { Failure, Founding, Introduced } from '../../ports.ts'
import { type Disk, errorCode, syncFile, writeAll } from './disk.ts'
import { corrupted } from './errors.ts'
import { identityPath, temporary } from './layout.ts'
import type { FsyncMode } from './log-store.ts'

const FORMAT = 1
const MAX_BYTES = 16 * 1024 * 1024

/** What a data directory says about itself. */
export interface Identity {
  readonly name: string
  /** Made with the directory, never used again: votes count per incarnation. */
  readonly incarnation: string
  /** Empty until the node has founded or joined a cluster; then the id of `founding`. */
  readonly clusterId: string
  /** The one acceptance that this node has given, and then what its cluster was founded by. */
  readonly founding: Founding | null
  /** Milliseconds since 1970 UTC. */
  readonly createdAt: number
  /** Why nobody is to start on this data again; absent, as a rule. */
  readonly quarantine?: string | undefined
  /** What ended the last run that was not told to stop; absent when there was none. */
  readonly failure?: Failure | undefined
  /** The longest lease that the node may have promised, in ms; absent: none. */
  readonly promisedMs?: number | undefined
}

/** One start of a node on this directory. */
export interface Run {
  readonly id: string
  readonly bootId: string
  readonly fsync: FsyncMode
  /** The log ends with this run's closing mark. */
  readonly closed: boolean
}

/** All that the file holds. */
export interface IdentityFile {
  readonly identity: Identity
  /** The last run that got through its recovery. */
  readonly run: Run | null
  /** The log has been made: it may never be missing again. */
  readonly hasLog: boolean
  /** Acknowledged writes of this node may be gone; stays until `settle`. */
  readonly dirtyRelaxed: boolean
}

/**
 * Whether acknowledged writes of a relaxed mode may be gone: the machine went down, and the log does not end with a
 * mark behind which nothing was acknowledged.
 */
export function mayHaveLost({ dirtyRelaxed, run }: IdentityFile, bootId: string, isMarked: boolean): boolean {
  if (dirtyRelaxed || run === null) return dirtyRelaxed
  return run.fsync !== 'always' && !run.closed && run.bootId !== bootId && !isMarked
}

export async function readIdentity(disk: Disk, dir: string): Promise<IdentityFile | undefined> {
  const path = identityPath(dir)
  let bytes: Buffer
  try {
    const file = await disk.open(path, 'read')
    const size = await file.size()
    if (size > MAX_BYTES) {
      await file.close()
      throw corrupted({
        file: path,
        offset: MAX_BYTES,
        problem: `${size} bytes are too many for an identity`,
      })
    }
    bytes = Buffer.alloc(size)
    await file.read(bytes, 0)
    await file.close()
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
  return decodeIdentity(bytes, path)
}

export async function writeIdentity(disk: Disk, dir: string, content: IdentityFile): Promise<void> {
  const path = identityPath(dir)
  const temp = temporary(path)
  const file = await disk.open(temp, 'create')
  await writeAll(file, encodeIdentity(content), 0)
  await syncFile(file)
  await file.close()
  await disk.rename(temp, path)
  await disk.syncDir(dirname(path))
}

/** Two lines: a checksum, and the facts as JSON. */
export function encodeIdentity(content: IdentityFile): Buffer {
  const body = `${JSON.stringify({ format: FORMAT, ...content }, undefined, 2)}\n`
  return Buffer.from(`{"crc32": "${checksum(body)}"}\n${body}`)
}

const checksum = (body: string): string => crc32(body).toString(16).padStart(8, '0')

/** Throws `CORRUPTED`. */
export function decodeIdentity(bytes: Buffer, path: string): IdentityFile {
  const refuse = (offset: number, problem: string): ConcordError => corrupted({ file: path, offset, problem })
  const text = bytes.toString('utf8')
  const split = text.indexOf('\n') + 1
  const body = text.slice(split)
  if (text.slice(0, split) !== `{"crc32": "${checksum(body)}"}\n`) throw refuse(0, 'the checksum is wrong')
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch (error) {
    throw refuse(split, `no JSON: ${(error as Error).message}`)
  }
  const { format, ...content } = (isObject(value) ? value : {}) as unknown as IdentityFile & {
    format?: unknown
  }
  if (format !== FORMAT) throw refuse(split, `identity format ${FORMAT} expected, found ${String(format)}`)
  const wrong = wrongField(content)
  if (wrong !== undefined) throw refuse(split, `${wrong} is missing or not what it should be`)
  return content
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const isText = (value: unknown): boolean => typeof value === 'string'
const isFlag = (value: unknown): boolean => typeof value === 'boolean'
const isNumber = (value: unknown): boolean => typeof value === 'number'
const MODES: readonly unknown[] = ['always', 'interval', 'never'] satisfies FsyncMode[]

type Check = (value: unknown) => boolean

const INTRODUCED: Record<keyof Introduced, Check> = { name: isText, incarnation: isText, address: isText }
const FOUNDING: Record<keyof Founding, Check> = {
  id: isText,
  by: (value) => holds(value, { name: isText, incarnation: isText }),
  attempt: isNumber,
  members: (value) => Array.isArray(value) && value.every((each) => holds(each, INTRODUCED)),
  foundedAt: isNumber,
}
const FAILURE: Record<keyof Failure, Check> = { code: isText, message: isText, at: isNumber }
const IDENTITY: Record<keyof Identity, Check> = {
  clusterId: isText,
  name: isText,
  incarnation: isText,
  founding: (value) => value === null || holds(value, FOUNDING),
  createdAt: isNumber,
  quarantine: (value) => value === undefined || isText(value),
  failure: (value) => value === undefined || holds(value, FAILURE),
  promisedMs: (value) => value === undefined || isNumber(value),
}
const RUN: Record<keyof Run, Check> = {
  id: isText,
  bootId: isText,
  fsync: (value) => MODES.includes(value),
  closed: isFlag,
}
const FILE: Record<keyof IdentityFile, Check> = {
  identity: (value) => holds(value, IDENTITY),
  run: (value) => value === null || holds(value, RUN),
  hasLog: isFlag,
  dirtyRelaxed: isFlag,
}

const holds = (value: unknown, checks: Readonly<Record<string, Check>>): boolean =>
  isObject(value) && Object.entries(checks).every(([field, check]) => check(value[field]))

function wrongField(content: object): string | undefined {
  const fields: Readonly<Record<string, unknown>> = { ...content }
  return Object.entries(FILE).find(([field, check]) => !check(fields[field]))?.[0]
}
