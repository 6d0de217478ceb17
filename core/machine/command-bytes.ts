/**
 * A command to bytes, within bounds: what is refused leaves no trace in the writer, and takes no more memory than the
 * bound before it is. And a command under another header, when what it was let in by has changed.
 */
import { OutgrownError, Reader, type Writer } from '../bytes.ts'
import { assert } from '../assert.ts'
import { FLAG, type Header, writeHeader } from './command.ts'
import { ConcordError } from '../errors.ts'

/**
 * The largest command: the largest value that can be configured (16 MiB), with its key and what is said of the
 * call. The same on every node, whatever it is configured with, and less than what one frame between peers carries:
 * an entry that no follower can be sent would stand in the way of all that follow (H77).
 */
const COMMAND_BYTES_MAX = 16 * 1024 * 1024 + 64 * 1024

/**
 * Writes one command at the end of the writer, which may be shared between calls. Returns where it begins.
 *
 * @throws `BATCH_TOO_LARGE`, `INVALID_VALUE`, and whatever else `encode` throws; the writer is as before.
 */
export function encodeInto(writer: Writer, encode: (writer: Writer) => void): number {
  if (writer.busy) {
    const why = 'a getter of a value that is being written must not write itself'
    throw new ConcordError('INVALID_VALUE', why)
  }
  const start = writer.length
  try {
    encodeWithin(start + COMMAND_BYTES_MAX, writer, encode)
  } catch (error) {
    writer.truncate(start)
    throw error instanceof OutgrownError ? tooLarge() : error
  }
  return start
}

/** It is refused before the rest of it takes time and memory: a call of 500 values may be half a GB. */
function encodeWithin(limit: number, writer: Writer, encode: (writer: Writer) => void): void {
  writer.limit = limit
  try {
    encode(writer)
  } finally {
    writer.limit = Infinity
  }
  if (writer.length > limit) throw new OutgrownError('a command is too long')
}

/** @param bare the command as encoded under a header that has nothing but the space. */
export function encodeUnder(writer: Writer, header: Header, bare: Uint8Array): void {
  const reader = new Reader(bare)
  reader.u8()
  const kind = reader.u8()
  const flags = reader.u8()
  const space = reader.varint()
  assert((flags & ~FLAG.ttl) === 0 && space === header.space, 'a command under the header of its space alone')
  writeHeader(writer, kind, flags, header)
  writer.bytes(reader.bytes(reader.remaining))
}

const tooLarge = (): ConcordError =>
  new ConcordError(
    'BATCH_TOO_LARGE',
    `found more than ${COMMAND_BYTES_MAX} bytes in one call: fewer keys, or smaller values`,
    { details: { limit: COMMAND_BYTES_MAX } },
  )
