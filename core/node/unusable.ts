/**
 * Why a node cannot go on with what its log or snapshot holds, as an error for people: a plugin that is
 * missing or too old here, bytes that are damaged, or a bug.
 */
import { MalformedError } from '../bytes.ts'
import { ConcordError, messageOf } from '../errors.ts'
import { UnsupportedByThisNode } from '../machine/index.ts'

/** @param where what was being read: `snapshot at index 7`, `entry 12`. */
export function whyUnusable(error: unknown, where: string): Error {
  if (ConcordError.is(error)) return error
  const message = `${where}: ${messageOf(error)}`
  if (error instanceof UnsupportedByThisNode) {
    const details = { ...error.lack }
    if (error.lack.kind !== 'slice')
      return new ConcordError('UNSUPPORTED', message, { cause: error, details })
    return new ConcordError('SLICE_MISSING', `${message}. ${cureOf(error.lack.name)}`, {
      cause: error,
      details,
    })
  }
  if (error instanceof MalformedError) return new ConcordError('CORRUPTED', message, { cause: error })
  return new ConcordError('INTERNAL', message, { cause: error })
}

/** The state was made with a plugin: it has to be there, until the state is rid of it. */
const cureOf = (plugin: string): string =>
  `Turn the plugin on, in that version or a later one: plugins: { '${plugin}': true }. To be without it, run "npx concord-kv plugin retire ${plugin}" then, and turn it off`
