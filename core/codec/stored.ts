/**
 * How the machine keeps a value in memory: scalars as themselves, the rest as the bytes they came in.
 *
 * Below 4 KiB those bytes are kept as a string with a byte a unit, above as an array of their own. For 100
 * bytes the string takes 160 bytes of heap (242 of RSS) and an array 340 (665), and making an array takes a
 * microsecond; large ones are better off outside the heap of V8.
 */
import { MalformedError, Reader, type Writer } from '../bytes.ts'
import {
  BROTLI,
  MAX_VALUE_BYTES,
  PACKED,
  SCALAR,
  TAG_DATE,
  TAG_FALSE,
  TAG_NULL,
  TAG_SET,
  TAG_TRUE,
} from './format.ts'
import { isLatin1, readScalar, type Scalar, writeBigint, writeNumber, writeString } from './scalars.ts'

export const TEXT_LIMIT_BYTES = 4096

/** An envelope, whole, with a container or something compressed in it. Not to be changed. */
export class Packed {
  /** The bytes of the envelope; below 4 KiB a unit of a string stands for each. */
  readonly content: string | Uint8Array

  constructor(content: string | Uint8Array) {
    this.content = content
  }
}

export type Stored = Scalar | Packed

/** Keeps `buffer[from .. to)`, which begins with an envelope, without keeping `buffer`. */
export function pack(buffer: Buffer, from: number, to: number): Packed {
  if (to - from < TEXT_LIMIT_BYTES) return new Packed(buffer.toString('latin1', from, to))
  return new Packed(new Uint8Array(buffer.subarray(from, to)))
}

/** The first bytes of an envelope. The body follows: `bytes` of it, or a scalar that ends by itself. */
export interface Head {
  readonly head: number
  readonly bytes: number
  /** How long the body is when it has been decompressed; 0 when it is not compressed. */
  readonly rawBytes: number
}

export function readHead(reader: Reader): Head {
  const from = reader.offset
  const head = reader.u8()
  if (head < SCALAR || head > BROTLI) throw new MalformedError(`unknown version or form ${head}`, from)
  if (head === SCALAR) return { head, bytes: 0, rawBytes: 0 }
  const rawBytes = head === PACKED ? 0 : reader.varint()
  if (head !== PACKED && (rawBytes === 0 || rawBytes > MAX_VALUE_BYTES)) {
    throw new MalformedError(`a length of 1 to ${MAX_VALUE_BYTES} expected, found ${rawBytes}`, from + 1)
  }
  const bytes = reader.varint()
  const body = reader.skip(bytes)
  reader.offset = body
  const tag = bytes === 0 ? -1 : reader.buffer[body]!
  if (head === PACKED && (tag < TAG_DATE || tag > TAG_SET)) {
    throw new MalformedError(`the tag of a container expected, found ${tag}`, body)
  }
  return { head, bytes, rawBytes }
}

/**
 * Reads one envelope. Containers and what is compressed are taken as they are: whether they are sound is
 * seen when they are opened. Throws `MalformedError`.
 */
export function readStored(reader: Reader): Stored {
  const from = reader.offset
  const { head, bytes } = readHead(reader)
  if (head === SCALAR) return readTopScalar(reader)
  reader.skip(bytes)
  return pack(reader.buffer, from, reader.offset)
}

export function readTopScalar(reader: Reader): Scalar {
  const tag = reader.u8()
  const value = readScalar(reader, tag)
  if (value === undefined)
    throw new MalformedError(`the tag of a scalar expected, found ${tag}`, reader.offset - 1)
  return value
}

/** How many bytes the body of an envelope has, decompressed. */
export function bodyBytes(packed: Packed): number {
  const { content } = packed
  const start = typeof content === 'string' ? Buffer.from(content, 'latin1') : content
  const { bytes, rawBytes } = readHead(new Reader(start))
  return rawBytes === 0 ? bytes : rawBytes
}

/** Writes the bytes that the value was read from, or that `encodeValue` writes for it. */
export function writeStored(writer: Writer, stored: Stored): void {
  if (stored instanceof Packed) {
    const { content } = stored
    if (typeof content === 'string') writer.latin1(content)
    else writer.bytes(content)
  } else {
    writer.u8(SCALAR)
    writeScalar(writer, stored)
  }
}

export function writeScalar(writer: Writer, value: Scalar): void {
  if (typeof value === 'string') writeString(writer, value)
  else if (typeof value === 'number') writeNumber(writer, value)
  else if (typeof value === 'bigint') writeBigint(writer, value)
  else writer.u8(value === null ? TAG_NULL : value ? TAG_TRUE : TAG_FALSE)
}

/** About how many bytes the value takes encoded, envelope and all. Never reads more than it must. */
export function storedBytes(stored: Stored): number {
  if (typeof stored === 'string') return 4 + (isLatin1(stored) ? stored.length : stored.length * 2)
  if (stored instanceof Packed) return stored.content.length
  if (typeof stored === 'bigint') return 4 + (stored.toString(16).length >> 1)
  return typeof stored === 'number' ? 6 : 2
}
