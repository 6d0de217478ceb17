/**
 * Why a node cannot go on with what its log or snapshot holds, as an error for people: a plugin that is
 * missing or too old here, bytes that are damaged, or a bug.
 */
import { MalformedError } from '../bytes.ts'
import { ConcordError } from '../errors.ts'
import { UnsupportedByThisNode } from '../machine/index.ts'

/** @param where what was being read: `snapshot at index 7`, `entry 12`. */
export function whyUnusable(error: unknown, where: string): Error {
  if (ConcordError.is(error)) return error
  const message = `${where}: ${error instanceof Error ? error.message : String(error)}`
  if (error instanceof UnsupportedByThisNode) {
    const code = error.lack.kind === 'slice' ? 'SLICE_MISSING' : 'UNSUPPORTED'
    return new ConcordError(code, message, { cause: error, details: { ...error.lack } })
  }
  if (error instanceof MalformedError) return new ConcordError('CORRUPTED', message, { cause: error })
  return new ConcordError('INTERNAL', message, { cause: error })
}
