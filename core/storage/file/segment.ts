/**
 * A segment of the log: its name, its header, and how it is made from a spare file.
 *
 * A segment gets its name when its header and its first batch (the hard state) are durable, so that a file
 * of that name is whole, always. It is as long as it will ever be: what is behind the last batch is zeros.
 */
import { crc32 } from 'node:zlib'

import { assert } from '../../assert.ts'
import { MalformedError, Reader, Writer } from '../../bytes.ts'
import type { Index } from '../../raft/types.ts'

export const SEGMENT_HEADER_BYTES = 512
/** Kept free at the end of each segment for a seal, or for a closing mark: a record and its commit. */
export const MARK_ROOM_BYTES = 256
/** The least that a segment can be: the header, the hard state, a mark, and something between. */
export const MIN_SEGMENT_BYTES = 16 * 1024
/** Offsets in a record take 32 bits. */
export const MAX_SEGMENT_BYTES = 2 ** 32 - 8

const MAGIC = Buffer.from('CNCDLOG\n', 'latin1')
const VERSION = 1
const CRC_AT = 12
const MAX_ID_BYTES = 200

export interface SegmentHeader {
  readonly salt: number
  readonly sequence: number
  /** Length of the file. */
  readonly capacity: number
  /** Index of the next entry when the segment was made. */
  readonly firstIndex: Index
  /** The segment before ends at `end`, where its chain is `chain`. Absent where a log begins. */
  readonly previous?: { readonly end: number; readonly chain: number } | undefined
  readonly clusterId: string
  readonly incarnation: string
}

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  assert(header.clusterId.length <= MAX_ID_BYTES / 3, 'a cluster id fits into a segment header')
  assert(header.incarnation.length <= MAX_ID_BYTES / 3, 'an incarnation fits into a segment header')
  const writer = new Writer(SEGMENT_HEADER_BYTES)
  writer.bytes(MAGIC)
  writer.u32le(VERSION)
  writer.u32le(0)
  writer.u32le(header.salt)
  writer.varint(header.sequence)
  writer.varint(header.capacity)
  writer.varint(header.firstIndex)
  writer.u8(header.previous === undefined ? 0 : 1)
  if (header.previous !== undefined) {
    writer.varint(header.previous.end)
    writer.u32le(header.previous.chain)
  }
  writer.utf8(header.clusterId)
  writer.utf8(header.incarnation)
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES)
  bytes.set(writer.take())
  bytes.writeUInt32LE(headerCrc(bytes), CRC_AT)
  return bytes
}

/** Throws `MalformedError`. */
export function decodeSegmentHeader(bytes: Buffer): SegmentHeader {
  if (bytes.length < SEGMENT_HEADER_BYTES) throw new MalformedError('the header is cut short', bytes.length)
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw new MalformedError('not a log segment', 0)
  const reader = new Reader(bytes, MAGIC.length, SEGMENT_HEADER_BYTES)
  const version = reader.u32le()
  if (reader.u32le() !== headerCrc(bytes)) throw new MalformedError("the header's checksum is wrong", CRC_AT)
  if (version !== VERSION) {
    throw new MalformedError(`segment format ${VERSION} expected, found ${version}`, MAGIC.length)
  }
  const salt = reader.u32le()
  const sequence = reader.varint()
  const capacity = reader.varint()
  const firstIndex = reader.varint()
  const previous = reader.u8() === 0 ? undefined : { end: reader.varint(), chain: reader.u32le() }
  const clusterId = reader.utf8()
  const incarnation = reader.utf8()
  if (capacity < SEGMENT_HEADER_BYTES || capacity > MAX_SEGMENT_BYTES) {
    throw new MalformedError('the length of the segment is out of bounds', MAGIC.length)
  }
  return { salt, sequence, capacity, firstIndex, previous, clusterId, incarnation }
}

/** Over all of the header but the checksum itself. */
function headerCrc(bytes: Buffer): number {
  return crc32(bytes.subarray(CRC_AT + 4, SEGMENT_HEADER_BYTES), crc32(bytes.subarray(0, CRC_AT)))
}
