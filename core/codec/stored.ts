/**
 * A value between its bytes and whoever reads it. `Encoded` is an envelope where it lies, in bytes that are
 * somebody else's: what commands carry and what the machine copies. `Stored` is what leaves the machine:
 * scalars as themselves, the rest as a `Packed`, which owns its bytes.
 *
 * Below 4 KiB a `Packed` keeps them as a string with a byte a unit, above as an array of their own: for 100
 * bytes the string takes 160 bytes of heap and an array 340, and a microsecond to make.
 */
import { isUtf8 } from 'node:buffer'

import { MalformedError, Reader, Writer, latin1Of } from '../bytes.ts'
import {
  BROTLI,
  MAX_VALUE_BYTES,
  PACKED,
  SCALAR,
  SHORT_LIMIT,
  TAG_DATE,
  TAG_FALSE,
  TAG_LATIN1,
  TAG_NULL,
  TAG_SET,
  TAG_SHORT,
  TAG_SMALL,
  TAG_TRUE,
  TAG_UTF8,
} from './format.ts'
import { isLatin1, readScalar, type Scalar, writeBigint, writeNumber, writeString } from './scalars.ts'

export const TEXT_LIMIT_BYTES = 4096

/**
 * The envelope of a value at `buffer[from .. to)`, sound as far as `readEncoded` looks. The bytes belong to
 * somebody else: good until he goes on, or for ever when they are `lasting`, as those of an entry of the log
 * are, which nobody writes again.
 */
export class Encoded {
  readonly buffer: Buffer
  readonly from: number
  readonly to: number
  readonly lasting: boolean

  constructor(buffer: Buffer, from: number, to: number, lasting = false) {
    this.buffer = buffer
    this.from = from
    this.to = to
    this.lasting = lasting
  }

  get bytes(): number {
    return this.to - this.from
  }
}

/** An envelope, whole; in a `Stored` always of a container or of something compressed. Not to be changed. */
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
  if (to - from < TEXT_LIMIT_BYTES) return new Packed(latin1Of(buffer, from, to))
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
 * Steps over one envelope, having held it against the format without making anything of it. Containers and
 * what is compressed are taken as they are: whether they are sound is seen when they are opened. Throws
 * `MalformedError`.
 */
export function readEncoded(reader: Reader, lasting = false): Encoded {
  const from = reader.offset
  if (reader.remaining > 0 && reader.buffer[from] === SCALAR) {
    reader.offset++
    skipTopScalar(reader)
  } else {
    reader.skip(readHead(reader).bytes)
  }
  return new Encoded(reader.buffer, from, reader.offset, lasting)
}

/** Strings, which may be long, are only looked at; other scalars are quick to read. */
function skipTopScalar(reader: Reader): void {
  const from = reader.offset
  const tag = reader.u8()
  if (tag >= TAG_SHORT && tag < TAG_SMALL) {
    reader.skip(tag - TAG_SHORT)
  } else if (tag === TAG_LATIN1) {
    const units = reader.varint()
    if (units < SHORT_LIMIT) throw new MalformedError('a length that has a shorter form', reader.offset)
    reader.skip(units)
  } else if (tag === TAG_UTF8) {
    const bytes = reader.bytes(reader.varint())
    if (!isUtf8(bytes)) throw new MalformedError('UTF-8 expected', from)
    if (!bytes.some(isAboveLatin1))
      throw new MalformedError('a string that has a shorter form', reader.offset)
  } else {
    reader.offset = from
    readTopScalar(reader)
  }
}

/** Whether a character above U+00FF begins with this byte of UTF-8. */
const isAboveLatin1 = (byte: number): boolean => byte >= 0xc4

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

/** What an envelope holds that `readEncoded` has stepped over, as it leaves the machine. */
export const storedOf = ({ buffer, from, to }: Encoded): Stored => storedAt(buffer, from, to)

export function storedAt(buffer: Buffer, from: number, to: number): Stored {
  const text = textAt(buffer, from, to)
  return text < 0 ? readStored(new Reader(buffer, from, to)) : latin1Of(buffer, text, to)
}

/** Where the units of a string begin of which each is a byte, up to the end; -1 when it is something else. */
export function textAt(buffer: Buffer, from: number, to: number): number {
  if (buffer[from] !== SCALAR) return -1
  const tag = buffer[from + 1]!
  if (tag >= TAG_SHORT && tag < TAG_SMALL) return from + 2
  if (tag !== TAG_LATIN1) return -1
  let at = from + 2
  while (at < to && buffer[at]! >= 0x80) at++
  return at + 1
}

/** What `writeStored` writes, in bytes that are good until the next call. */
export function encodedOf(stored: Stored): Encoded {
  if (scratch.buffer.length > SCRATCH_BYTES) scratch = new Writer(SCRATCH_BYTES)
  scratch.truncate(0)
  writeStored(scratch, stored)
  return new Encoded(scratch.buffer, 0, scratch.length)
}

const SCRATCH_BYTES = 64 * 1024
let scratch = new Writer(SCRATCH_BYTES)

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
