/**
 * Writing and reading bytes: the two tools under every binary format of Concord.
 *
 * A `Writer` fills slabs and hands out pieces of them without copying; a `Reader` walks over bytes that
 * may be torn, wrong or hostile, and answers anything it does not like with a `MalformedError`. Neither
 * knows what the bytes mean: formats live with their owners, checksums with the storage.
 */
import { isUtf8 } from 'node:buffer'

import { assert } from './assert.ts'

const SLAB_BYTES = 64 * 1024
const LARGE_SLAB_BYTES = 1024 * 1024
/** Lengths are put before what has been written: a large message is not moved for these few bytes. */
const SPARE_BYTES = 1024
/** What is left of a slab is used for the next message when it is at least this much. */
const MIN_REST_BYTES = 512
const MAX_VARINT_BYTES = 8
const NO_SLAB = Buffer.allocUnsafeSlow(0)

/** Bytes that are not what they claim to be. Says where, and what was expected there. */
export class MalformedError extends Error {
  override readonly name = 'MalformedError'
  /** Offset in the bytes being read. */
  readonly offset: number

  constructor(problem: string, offset: number) {
    super(`malformed bytes at offset ${offset}: ${problem}`)
    this.offset = offset
  }
}

/** The message that is being built has grown beyond its limit. */
export class OutgrownError extends Error {
  override readonly name = 'OutgrownError'
}

/**
 * Builds one message after another. `buffer` begins with the current message, `length` bytes long so far;
 * both may be used directly after `reserve`. A position is an offset from the start of the message.
 */
export class Writer {
  buffer: Buffer
  length = 0
  /**
   * True while user code may run in the middle of a message (a getter of a value that is being encoded).
   * Whoever shares a writer between calls starts no message on it then.
   */
  busy = false
  /** A message that is longer than this grows no more: memory is bounded by about this and the last piece. */
  limit = Infinity
  /** How large the next slab is at least. */
  #slabBytes = SLAB_BYTES

  /** @param capacityBytes of the first slab; 0: it is taken when there is something to write. */
  constructor(capacityBytes = 0) {
    this.buffer = capacityBytes === 0 ? NO_SLAB : Buffer.allocUnsafeSlow(capacityBytes)
  }

  /** Makes room for `n` more bytes; afterwards `buffer[length .. length + n)` may be written. */
  reserve(n: number): void {
    if (this.length + n > this.buffer.length) this.#grow(n)
  }

  #grow(n: number): void {
    if (this.length > this.limit) throw new OutgrownError(`a message is longer than ${this.limit} bytes`)
    const doubled = Math.min(this.length * 2, this.limit + SPARE_BYTES)
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#slabBytes, doubled, this.length + n + SPARE_BYTES))
    this.buffer.copy(larger, 0, 0, this.length)
    this.buffer = larger
  }

  u8(value: number): void {
    this.reserve(1)
    this.buffer[this.length++] = value
  }

  u32le(value: number): void {
    this.reserve(4)
    this.length = this.buffer.writeUInt32LE(value, this.length)
  }

  f64le(value: number): void {
    this.reserve(8)
    this.length = this.buffer.writeDoubleLE(value, this.length)
  }

  /** An integer from 0 to 2^53 - 1 in groups of seven bits, lowest first (LEB128), in as few as it takes. */
  varint(value: number): void {
    this.reserve(MAX_VARINT_BYTES)
    const { buffer } = this
    let at = this.length
    let rest = value
    while (rest >= 0x80) {
      buffer[at++] = (rest & 0x7f) | 0x80
      rest = rest < 0x80000000 ? rest >>> 7 : Math.floor(rest / 128)
    }
    buffer[at++] = rest
    this.length = at
  }

  /** The bytes as they are, without a length. */
  bytes(view: Uint8Array): void {
    this.reserve(view.length)
    this.buffer.set(view, this.length)
    this.length += view.length
  }

  /** Units up to U+00FF, a byte each, without a length. The caller knows that there are no others. */
  latin1(text: string): void {
    this.reserve(text.length)
    this.length += this.buffer.write(text, this.length, 'latin1')
  }

  /** A string with its byte length before it. Well-formed only: others have no UTF-8. */
  utf8(text: string): void {
    assert(text.isWellFormed(), 'a string with a lone surrogate has no UTF-8')
    const units = text.length
    this.reserve(units * 3 + MAX_VARINT_BYTES)
    if (units < 43) {
      // At most 126 bytes: the length takes one byte, so it can be filled in afterwards.
      const bytes = this.buffer.write(text, this.length + 1, 'utf8')
      this.buffer[this.length] = bytes
      this.length += bytes + 1
    } else {
      this.varint(Buffer.byteLength(text, 'utf8'))
      this.length += this.buffer.write(text, this.length, 'utf8')
    }
  }

  /**
   * Puts a varint of `value` before what was written since `position`, moving it. For lengths that are
   * known only afterwards.
   */
  insertVarint(position: number, value: number): void {
    const end = this.length
    const width = varintBytes(value)
    this.reserve(MAX_VARINT_BYTES)
    this.buffer.copyWithin(position + width, position, end)
    this.length = position
    this.varint(value)
    this.length = end + width
  }

  /** Forgets what was written from `length` on. */
  truncate(length: number): void {
    this.length = length
  }

  /** Hands over the message without copying it, and starts the next one behind it: it is never written again. */
  take(): Uint8Array {
    const message = this.buffer.subarray(0, this.length)
    const { length } = this
    const rest = this.buffer.length - length
    // The next message is likely to be about as long: from a slab that cannot hold it, it would be copied.
    // Another slab is taken when there is a next message: for most writers there is none.
    this.#slabBytes = Math.max(SLAB_BYTES, Math.min(4 * length, LARGE_SLAB_BYTES))
    this.buffer =
      rest >= Math.max(MIN_REST_BYTES, length + (length >> 2)) ? this.buffer.subarray(length) : NO_SLAB
    this.length = 0
    return message
  }
}

/** Bytes as units U+0000 to U+00FF. Node's own method under `toString('latin1')`, which its types leave out. */
export const latin1Of = (bytes: Buffer, from: number, to: number): string =>
  (bytes as Buffer & { latin1Slice(from: number, to: number): string }).latin1Slice(from, to)

/** How many bytes `varint` writes for an integer from 0 to 2^53 - 1. */
export function varintBytes(value: number): number {
  let bytes = 1
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 128)) bytes++
  return bytes
}

/**
 * Reads from `offset` up to `end`. Nothing it is told makes it allocate more than the bytes it holds.
 * Every method throws `MalformedError` and then leaves `offset` undefined.
 */
export class Reader {
  readonly buffer: Buffer
  offset: number
  readonly end: number

  constructor(bytes: Uint8Array, offset = 0, end = bytes.length) {
    assert(offset >= 0 && offset <= end && end <= bytes.length, 'a reader stays inside its bytes')
    this.buffer = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.offset = offset
    this.end = end
  }

  get remaining(): number {
    return this.end - this.offset
  }

  /** Steps over `n` bytes and returns where they begin. */
  skip(n: number): number {
    const from = this.offset
    if (n > this.end - from) {
      throw new MalformedError(`${n} bytes expected, ${this.end - from} there`, from)
    }
    this.offset = from + n
    return from
  }

  u8(): number {
    if (this.offset >= this.end) throw new MalformedError('1 byte expected, 0 there', this.offset)
    return this.buffer[this.offset++]!
  }

  u32le(): number {
    return this.buffer.readUInt32LE(this.skip(4))
  }

  f64le(): number {
    return this.buffer.readDoubleLE(this.skip(8))
  }

  /** Refuses more bytes than the number needs: one number, one form. */
  varint(): number {
    const first = this.u8()
    return first < 0x80 ? first : this.#longVarint(first)
  }

  #longVarint(first: number): number {
    const from = this.offset - 1
    let value = first & 0x7f
    let scale = 128
    for (let i = 1; i < MAX_VARINT_BYTES; i++) {
      const byte = this.u8()
      value += (byte & 0x7f) * scale
      scale *= 128
      if (byte < 0x80) {
        if (byte === 0 || value > Number.MAX_SAFE_INTEGER) break
        return value
      }
    }
    throw new MalformedError('a varint of 0 to 2^53 - 1 in its shortest form expected', from)
  }

  /** A view of the next `n` bytes; shares memory with what is read. */
  bytes(n: number): Uint8Array {
    const from = this.skip(n)
    return this.buffer.subarray(from, from + n)
  }

  /** The next `n` bytes as units U+0000 to U+00FF. */
  latin1(n: number): string {
    const from = this.skip(n)
    return latin1Of(this.buffer, from, from + n)
  }

  /** A string with its byte length before it. Refuses what is not UTF-8. */
  utf8(): string {
    return this.utf8Text(this.varint())
  }

  /** The next `n` bytes as UTF-8. */
  utf8Text(n: number): string {
    const from = this.skip(n)
    const text = this.buffer.toString('utf8', from, from + n)
    // Only a decoder that met something wrong, or the character itself, leaves U+FFFD behind.
    if (text.includes('\ufffd') && !isUtf8(this.buffer.subarray(from, from + n))) {
      throw new MalformedError('UTF-8 expected', from)
    }
    return text
  }

  /** Throws unless everything has been read. */
  finish(): void {
    if (this.offset !== this.end) {
      throw new MalformedError(`${this.end - this.offset} bytes after the end`, this.offset)
    }
  }
}
