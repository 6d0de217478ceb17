// Wrong bytes for the codec of values; without end: `npm run fuzz -- --only codec`.
//
// Sound envelopes of every kind are damaged and given to the decoder. Each must be refused with a
// MalformedError or open to a value; what opens must be written again as the very same bytes, unless it is
// compressed; and nothing may be left behind on Object.prototype.

import assert from 'node:assert/strict'
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'

import { MalformedError, Reader } from '../../core/bytes.ts'
import {
  decodeValue,
  deepEqualValues,
  openStored,
  packCompressed,
  readStored,
  valueBody,
} from '../../core/codec.ts'
import { values } from './corpus.ts'
import { encode } from './help.ts'

const plain = values.map((value) => encode(value))
const bodies = plain.filter((_, i) => i % 5 === 0).map(valueBody)
const compressed = bodies.flatMap((body) => [
  encode(packCompressed('zlib', body.length, deflateSync(body))),
  encode(packCompressed('gzip', body.length, gzipSync(body))),
  encode(packCompressed('zstd', body.length, zstdCompressSync(body))),
  encode(packCompressed('brotli', body.length, brotliCompressSync(body))),
])
const corpus: readonly Buffer[] = [...plain, ...compressed]

/** Numbers that decoders stumble over. */
const edges = [0, 1, 0x0d, 0x10, 0x12, 0x3f, 0x40, 0x7f, 0x80, 0xfe, 0xff]
const COMPRESSED = 0x12

export type Random = () => number

/** mulberry32: the same seed, the same damage. */
export function seeded(seed: number): Random {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Damages one envelope and gives it to the decoder. True when it was refused. */
export function fuzzOnce(random: Random): boolean {
  const below = (n: number) => Math.floor(random() * n)
  let bytes: Buffer = Buffer.from(corpus[below(corpus.length)]!)
  for (let i = below(4); i >= 0; i--) bytes = damage(bytes, below, corpus)
  return check(bytes)
}

/** @param others of which a piece may be put in. */
export function damage(bytes: Buffer, below: (n: number) => number, others: readonly Buffer[]): Buffer {
  const at = below(bytes.length + 1)
  switch (below(7)) {
    case 0:
      if (at < bytes.length) bytes[at]! ^= 1 << below(8)
      return bytes
    case 1:
      if (at < bytes.length) bytes[at] = edges[below(edges.length)]!
      return bytes
    case 2:
      return bytes.subarray(0, at)
    case 3:
      return Buffer.concat([bytes.subarray(0, at), Buffer.from([below(256)]), bytes.subarray(at)])
    case 4:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.min(bytes.length, at + 1 + below(4)))])
    case 5: {
      const other = others[below(others.length)]!
      return Buffer.concat([bytes.subarray(0, at), other.subarray(below(other.length))])
    }
    default: {
      // A length of up to eight bytes, often huge.
      const length = Buffer.from(Array.from({ length: 1 + below(8) }, () => 0x80 | below(128)))
      return Buffer.concat([
        bytes.subarray(0, at),
        length,
        bytes.subarray(Math.min(bytes.length, at + length.length)),
      ])
    }
  }
}

export function check(bytes: Buffer): boolean {
  try {
    const value = decodeValue(bytes)
    const stored = readStored(new Reader(bytes))
    assert.ok(deepEqualValues(openStored(stored), value))
    assert.deepEqual(encode(stored), bytes)
    if (bytes[0]! < COMPRESSED) assert.deepEqual(encode(value), bytes)
    return false
  } catch (error) {
    if (error instanceof MalformedError) return true
    throw new Error(`not refused as it should be: ${bytes.toString('hex')}`, { cause: error })
  } finally {
    assert.deepEqual(Object.keys(Object.prototype), [])
  }
}
