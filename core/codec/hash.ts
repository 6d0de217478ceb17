/**
 * A hash of stored values, 32 bits, the same on every node and in every version: it enters the hash of the
 * state that nodes compare. Not for secrets, and no defence against chosen values.
 *
 * Blocks are mixed as in MurmurHash3, by two lanes in turn. A string is read by its units while it is short
 * and copied out to be read by words when it is long: whichever it is follows from its length and content,
 * never from its representation in memory.
 */
import { isLatin1 } from './scalars.ts'
import { Packed, type Stored } from './stored.ts'

const A = 0xcc9e2d51
const B = 0x1b873593
const C = 0x85ebca6b
const D = 0xc2b2ae35
const LANE = 0x9e3779b9

// What kind of value the hash began with: 1, '1', 1n and true differ.
const STRING = 1
const PACKED = 2
const NUMBER = 3
const BIGINT = 4
const OTHER = 5

/** A different `seed` gives an independent hash. The result is an unsigned integer of 32 bits. */
export function hashStored(seed: number, stored: Stored): number {
  if (typeof stored === 'string') return hashText(seed ^ Math.imul(STRING, LANE), stored)
  if (stored instanceof Packed) {
    const start = seed ^ Math.imul(PACKED, LANE)
    const { content } = stored
    // Bytes are kept from 4 KiB on, a length at which text is hashed by words as well.
    return typeof content === 'string' ? hashText(start, content) : hashWords(start, content, content.length)
  }
  if (typeof stored === 'number') return hashNumber(seed ^ Math.imul(NUMBER, LANE), stored)
  if (typeof stored === 'bigint') return hashText(seed ^ Math.imul(BIGINT, LANE), stored.toString(16))
  return finish(seed ^ Math.imul(OTHER, LANE), stored === null ? 2 : Number(stored), 1)
}

/** Up to here reading units is faster than copying them out. */
const SHORT_UNITS = 128
const scratch = Buffer.allocUnsafeSlow(4096)

function hashText(seed: number, text: string): number {
  const units = text.length
  if (units < SHORT_UNITS) return hashUnits(seed, text)
  if (!isLatin1(text)) return hashWords(~seed, Buffer.from(text, 'utf16le'), units * 2)
  if (units > scratch.length) return hashWords(seed, Buffer.from(text, 'latin1'), units)
  return hashWords(seed, scratch, scratch.write(text, 0, 'latin1'))
}

function hashUnits(seed: number, text: string): number {
  const units = text.length
  let a = seed
  let b = seed ^ LANE
  let i = 0
  for (; i + 4 <= units; i += 4) {
    a = mix(a, text.charCodeAt(i) | (text.charCodeAt(i + 1) << 16))
    b = mix(b, text.charCodeAt(i + 2) | (text.charCodeAt(i + 3) << 16))
  }
  for (; i < units; i++) a = mix(a, text.charCodeAt(i))
  return finish(a, b, units)
}

function hashWords(seed: number, bytes: Uint8Array, length: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, length)
  let a = seed
  let b = seed ^ LANE
  let i = 0
  for (; i + 8 <= length; i += 8) {
    a = mix(a, view.getInt32(i, true))
    b = mix(b, view.getInt32(i + 4, true))
  }
  for (; i < length; i++) a = mix(a, view.getUint8(i))
  return finish(a, b, length)
}

const number = new DataView(new ArrayBuffer(8))

function hashNumber(seed: number, value: number): number {
  number.setFloat64(0, Number.isNaN(value) ? NaN : value)
  return finish(mix(mix(seed, number.getInt32(0)), number.getInt32(4)), LANE, 8)
}

function mix(lane: number, block: number): number {
  const k = Math.imul(block, A)
  const h = lane ^ Math.imul((k << 15) | (k >>> 17), B)
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0
}

function finish(a: number, b: number, length: number): number {
  let h = a ^ Math.imul((b << 16) | (b >>> 16), A) ^ length
  h = Math.imul(h ^ (h >>> 16), C)
  h = Math.imul(h ^ (h >>> 13), D)
  return (h ^ (h >>> 16)) >>> 0
}
