/**
 * Numbers, bigints and strings <-> bytes. Each value has one form, the writer's; the reader refuses others,
 * so that what was read is written again as the same bytes.
 *
 * A string takes a byte a unit when all its units are at most U+00FF, else UTF-8, else (lone surrogates have
 * no UTF-8) two bytes a unit.
 */
import { MalformedError, type Reader, type Writer } from '../bytes.ts'
import {
  SHORT_LIMIT,
  SMALL_LIMIT,
  TAG_BIGINT,
  TAG_FALSE,
  TAG_FLOAT,
  TAG_INTEGER,
  TAG_LATIN1,
  TAG_NAN,
  TAG_NEGATIVE,
  TAG_NEGATIVE_BIGINT,
  TAG_NULL,
  TAG_SHORT,
  TAG_SMALL,
  TAG_TRUE,
  TAG_UTF16,
  TAG_UTF8,
} from './format.ts'

export type Scalar = string | number | boolean | null | bigint

// On a string that V8 keeps as one byte a unit this test costs nothing.
const ABOVE_LATIN1 = /[^\0-\xff]/

export function isLatin1(text: string): boolean {
  return !ABOVE_LATIN1.test(text)
}

export function writeString(writer: Writer, text: string): void {
  const units = text.length
  if (isLatin1(text)) {
    if (units < SHORT_LIMIT) {
      writer.u8(TAG_SHORT + units)
    } else {
      writer.u8(TAG_LATIN1)
      writer.varint(units)
    }
    writer.latin1(text)
  } else if (text.isWellFormed()) {
    writer.u8(TAG_UTF8)
    writer.utf8(text)
  } else {
    writer.u8(TAG_UTF16)
    writer.varint(units)
    writer.reserve(units * 2)
    writer.length += writer.buffer.write(text, writer.length, 'utf16le')
  }
}

export function writeNumber(writer: Writer, value: number): void {
  if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
    if (Number.isNaN(value)) {
      writer.u8(TAG_NAN)
    } else {
      writer.u8(TAG_FLOAT)
      writer.f64le(value)
    }
  } else if (value < 0) {
    writer.u8(TAG_NEGATIVE)
    writer.varint(-1 - value)
  } else if (value < SMALL_LIMIT) {
    writer.u8(TAG_SMALL + value)
  } else {
    writer.u8(TAG_INTEGER)
    writer.varint(value)
  }
}

export function writeBigint(writer: Writer, value: bigint): void {
  writer.u8(value < 0n ? TAG_NEGATIVE_BIGINT : TAG_BIGINT)
  const hex = value === 0n ? '' : (value < 0n ? -value : value).toString(16)
  const bytes = (hex.length + 1) >> 1
  writer.varint(bytes)
  writer.reserve(bytes)
  writer.length += writer.buffer.write(hex.padStart(bytes * 2, '0'), writer.length, 'hex')
}

/** The value of a tag that was just read; undefined when it is not a scalar's. */
export function readScalar(reader: Reader, tag: number): Scalar | undefined {
  if (tag >= TAG_SMALL) return tag - TAG_SMALL
  if (tag >= TAG_SHORT) return reader.latin1(tag - TAG_SHORT)
  switch (tag) {
    case TAG_NULL:
      return null
    case TAG_FALSE:
      return false
    case TAG_TRUE:
      return true
    case TAG_NAN:
      return NaN
    case TAG_FLOAT:
      return readFloat(reader)
    case TAG_INTEGER:
      return readLong(reader, SMALL_LIMIT, 'an integer')
    case TAG_NEGATIVE:
      return readNegative(reader)
    case TAG_BIGINT:
    case TAG_NEGATIVE_BIGINT:
      return readBigint(reader, tag === TAG_NEGATIVE_BIGINT)
    case TAG_LATIN1:
      return reader.latin1(readLong(reader, SHORT_LIMIT, 'a length'))
    case TAG_UTF8:
      return readUtf8(reader)
    case TAG_UTF16:
      return readUtf16(reader)
    default:
      return undefined
  }
}

function readFloat(reader: Reader): number {
  const value = reader.f64le()
  if (Number.isNaN(value) || (Number.isSafeInteger(value) && !Object.is(value, -0))) {
    throw new MalformedError('a number that has a shorter form', reader.offset - 8)
  }
  return value
}

function readNegative(reader: Reader): number {
  const value = -1 - reader.varint()
  if (!Number.isSafeInteger(value)) throw new MalformedError('an integer above -2^53 expected', reader.offset)
  return value
}

function readLong(reader: Reader, least: number, what: string): number {
  const value = reader.varint()
  if (value < least) throw new MalformedError(`${what} that has a shorter form`, reader.offset)
  return value
}

function readBigint(reader: Reader, negative: boolean): bigint {
  const bytes = reader.varint()
  const from = reader.skip(bytes)
  if (bytes === 0 ? negative : reader.buffer[from] === 0) {
    throw new MalformedError('a bigint in its shortest form expected', from)
  }
  const magnitude = bytes === 0 ? 0n : BigInt(`0x${reader.buffer.toString('hex', from, from + bytes)}`)
  return negative ? -magnitude : magnitude
}

function readUtf8(reader: Reader): string {
  const text = reader.utf8()
  if (isLatin1(text)) throw new MalformedError('a string that has a shorter form', reader.offset)
  return text
}

function readUtf16(reader: Reader): string {
  const units = reader.varint()
  const from = reader.skip(units * 2)
  const text = reader.buffer.toString('utf16le', from, from + units * 2)
  if (text.isWellFormed()) throw new MalformedError('a string that has another form', from)
  return text
}
