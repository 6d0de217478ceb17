/**
 * Hashes of keys and of encoded values, 32 bits, the same on every node and in every version: they enter the
 * hash of the state that nodes compare. Not for secrets, and no defence against chosen values.
 *
 * Blocks are mixed as in MurmurHash3, by two lanes in turn. A long value goes through the CRC of zlib first,
 * which takes a gigabyte in less than a second. Which of the two it is follows from the length alone. A key
 * is read by its units while it is short and copied out to be read by words when it is long: its
 * representation in memory counts for nothing.
 */
import { crc32 } from 'node:zlib'

import { isLatin1 } from './scalars.ts'

const A = 0xcc9e2d51
const B = 0x1b873593
const C = 0x85ebca6b
const D = 0xc2b2ae35
const LANE = 0x9e3779b9

/** Up to here reading units is faster than copying them out. */
const SHORT_UNITS = 128
/** Two bytes a unit, of a key of the users; one of the request table may be longer. */
const scratch = Buffer.allocUnsafeSlow(2048)

/** A different `seed` gives an independent hash. The result is a signed integer of 32 bits, as all here. */
export function hashKey(seed: number, key: string): number {
  if (key.length < SHORT_UNITS) return hashUnits(seed, key)
  const isNarrow = isLatin1(key)
  const bytes = key.length * (isNarrow ? 1 : 2)
  const units = bytes <= scratch.length ? scratch : Buffer.allocUnsafeSlow(bytes)
  units.write(key, 0, isNarrow ? 'latin1' : 'utf16le')
  return hashWords(isNarrow ? seed : ~seed, new DataView(units.buffer), 0, bytes)
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

/** Values of more bytes are hashed by `hashLong`. */
export const WORDS_LIMIT_BYTES = 4096

/** Of `length` bytes from `from` on. */
export function hashWords(seed: number, view: DataView, from: number, length: number): number {
  const end = from + length
  let a = seed
  let b = seed ^ LANE
  let at = from
  for (; at + 8 <= end; at += 8) {
    a = mix(a, view.getInt32(at, true))
    b = mix(b, view.getInt32(at + 4, true))
  }
  if (at + 4 <= end) {
    a = mix(a, view.getInt32(at, true))
    at += 4
  }
  let rest = 0
  for (; at < end; at++) rest = (rest << 8) | view.getUint8(at)
  return finish(a, mix(b, rest), length)
}

export function hashLong(seed: number, bytes: Uint8Array): number {
  const sum = crc32(bytes)
  return finish(mix(seed, sum), mix(seed ^ LANE, ~sum), bytes.length)
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
  return h ^ (h >>> 16)
}
