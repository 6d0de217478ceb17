/** The ways in which a data directory says no: with the file and the offset, or in words for who opens it. */
import { lstat, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

import { MalformedError } from '../../bytes.ts'
import { ConcordError } from '../../errors.ts'
import { isForbidden, whoMay } from '../../permission.ts'
import { errorCode, isDiskFull } from './disk.ts'

export interface Damage {
  readonly file: string
  /** Offset in the file of the first byte that cannot be trusted. */
  readonly offset: number
  readonly problem: string
  /** Indexes of the entries that may be missing, as far as the rest of the file tells. */
  readonly fromIndex?: number | undefined
  readonly toIndex?: number | undefined
}

/** Names file, offset and, for a log, the entries that may be gone. */
export function corrupted(damage: Damage): ConcordError {
  const { file, offset, problem, fromIndex, toIndex } = damage
  const range =
    fromIndex === undefined
      ? ''
      : `; entries from ${fromIndex}${toIndex ? ` to ${toIndex}` : ''} are affected`
  return new ConcordError('CORRUPTED', `${file}, offset ${offset}: ${problem}${range}`, {
    details: { ...damage },
  })
}

/**
 * What an unexpected error of the disk becomes: the file, what the system said, and what to do. A `ConcordError`
 * stays what it is.
 *
 * @param place the file, or the directory of the one that the error itself names.
 */
export function storageFailed(action: string, place: string, cause: unknown): ConcordError {
  if (ConcordError.is(cause)) return cause
  const why = cause instanceof Error ? cause.message : String(cause)
  const { path } = (cause ?? {}) as NodeJS.ErrnoException
  const file = path === undefined || why.includes(path) ? place : path
  return new ConcordError('STORAGE_FAILED', `cannot ${action} ${file}: ${why}. ${cureOf(cause)}`, {
    cause,
    details: { file: path ?? place, action },
  })
}

const TOO_MANY_FILES = 'Too many files are open: close some, or raise the limit (ulimit -n)'
const NO_SPACE = 'Free some space on the volume'
const NOT_ALLOWED = 'Give it to the user who runs the node, or run the node as its owner'
const CURES: Readonly<Record<string, string>> = {
  EACCES: NOT_ALLOWED,
  EPERM: NOT_ALLOWED,
  EROFS: 'The volume is read-only: mount it for writing',
  EMFILE: TOO_MANY_FILES,
  ENFILE: TOO_MANY_FILES,
  ENOSPC: NO_SPACE,
  EDQUOT: NO_SPACE,
  ENOENT: 'It was there before: leave the data directory to the node alone',
  EIO: "The disk could not do it: see the system's own log before you start the node again",
}

const cureOf = (cause: unknown): string =>
  CURES[errorCode(cause) ?? ''] ?? "See the system's own log before you start the node again"

/** An error that the system has said without the name of the file. */
export function inFile(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || ConcordError.is(error) || 'path' in error) return error
  return Object.assign(error, { path })
}

/** As `storageFailed`, for files that nothing depends on yet: there a full disk is not the end. */
export function storageRefused(action: string, file: string, cause: unknown): ConcordError {
  if (ConcordError.is(cause) || !isDiskFull(cause)) return storageFailed(action, file, cause)
  return new ConcordError('STORAGE_FULL', `cannot ${action} ${file}: no space left on the volume`, {
    cause,
    details: { file, action },
  })
}

/**
 * What an error becomes that meets whoever opens a directory: in words, and nothing was applied, since nobody
 * could ask for anything yet.
 */
export async function cannotOpen(dir: string, cause: unknown): Promise<ConcordError> {
  if (ConcordError.is(cause)) return notOpened(dir, cause)
  if (isDiskFull(cause)) return storageRefused('open', dir, cause)
  return new ConcordError('STORAGE_FAILED', await whyNotOpened(dir, cause), {
    outcome: 'not-applied',
    cause,
    details: { file: dir, action: 'open' },
  })
}

function notOpened(dir: string, error: ConcordError): ConcordError {
  const { code, message, retryable, details, cause } = error
  if (code === 'STORAGE_FAILED') {
    return new ConcordError(code, message, { outcome: 'not-applied', retryable, details, cause })
  }
  if (code !== 'DIRECTORY_LOCKED') return error
  const text = `${message}; in an application, connect('${dir}') reaches the node that has it`
  return new ConcordError(code, text, { retryable, details, cause })
}

async function whyNotOpened(dir: string, cause: unknown): Promise<string> {
  const { message, path = dir } = cause as NodeJS.ErrnoException
  if (isForbidden(cause))
    return `storage.dir: no permission: ${await whoMay(path, stat, process.geteuid?.())}`
  if (errorCode(cause) === 'EROFS') return `storage.dir ${dir} is on a volume that is read-only`
  const file = await fileOnTheWay(path)
  if (file === dir) return `storage.dir is a file: ${dir}`
  if (file !== undefined) return `storage.dir ${dir}: ${file} is a file, expected a directory`
  const link = await deadLinkOnTheWay(path)
  if (link !== undefined) return `storage.dir ${dir}: ${link} is a link to what is not there`
  if ((cause as NodeJS.ErrnoException).syscall === 'mkdir') {
    return `storage.dir ${dir}: no directory can be made there: ${message}`
  }
  return `cannot open storage.dir ${dir}: ${message ?? String(cause)}. ${cureOf(cause)}`
}

/** What is no directory where the system has met one: `path`, or above it. */
async function fileOnTheWay(path: string): Promise<string | undefined> {
  for (let at = path; dirname(at) !== at; at = dirname(at)) {
    const found = await stat(at).catch(() => undefined)
    if (found !== undefined) return found.isDirectory() ? undefined : at
  }
  return undefined
}

async function deadLinkOnTheWay(path: string): Promise<string | undefined> {
  for (let at = path; dirname(at) !== at; at = dirname(at)) {
    const found = await lstat(at).catch(() => undefined)
    if (found?.isSymbolicLink() === true) return (await stat(at).catch(() => undefined)) ? undefined : at
  }
  return undefined
}

/** Runs a decoder over bytes whose checksum is right; what it does not like is damage too. */
export function decodeOrRefuse<T>(file: string, offset: number, decode: () => T): T {
  try {
    return decode()
  } catch (error) {
    if (error instanceof MalformedError) throw corrupted({ file, offset, problem: error.message })
    throw error
  }
}
