/** The three ways in which a data directory says no, with the file and the offset in every one. */
import { basename } from 'node:path'

import { MalformedError } from '../../bytes.ts'
import { ConcordError } from '../../errors.ts'
import { isDiskFull } from './disk.ts'

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

/** What an unexpected error of the disk becomes. A `ConcordError` stays what it is. */
export function storageFailed(action: string, file: string, cause: unknown): ConcordError {
  if (ConcordError.is(cause)) return cause
  const why = cause instanceof Error ? cause.message : String(cause)
  return new ConcordError('STORAGE_FAILED', `cannot ${action} ${basename(file)}: ${why}`, {
    cause,
    details: { file, action },
  })
}

/** As `storageFailed`, for files that nothing depends on yet: there a full disk is not the end. */
export function storageRefused(action: string, file: string, cause: unknown): ConcordError {
  if (ConcordError.is(cause) || !isDiskFull(cause)) return storageFailed(action, file, cause)
  return new ConcordError('STORAGE_FULL', `cannot ${action} ${basename(file)}: no space left on the volume`, {
    cause,
    details: { file, action },
  })
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
