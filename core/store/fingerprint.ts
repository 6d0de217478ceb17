/** What tells one call from another under the same request id, where its command alone does not. */
import { createHash } from 'node:crypto'
import { Writer } from '../bytes.ts'
import type { Call } from './calls.ts'
import { encodeValue } from '../codec.ts'

/** Of all that the caller gave; undefined for a call without a request id, which needs none. */
export function fingerprintOf(call: Call, given: unknown): string | undefined {
  if (call.requestId === undefined) return undefined
  const writer = new Writer(256)
  encodeValue(writer, given)
  return createHash('sha256').update(writer.take()).digest('base64url')
}
