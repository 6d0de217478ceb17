// Wrong bytes, without end: `node test/codec/fuzz.ts --seconds 600 [--seed 1]`.
//
// Sound envelopes of every kind are damaged and given to the decoder. Each must be refused with a
// MalformedError or open to a value; what opens must be written again as the very same bytes, unless it is
// compressed; and nothing may be left behind on Object.prototype.

import assert from 'node:assert/strict'
import { parseArgs } from 'node:util'
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
  for (let i = below(4); i >= 0; i--) bytes = damage(bytes, below)
  return check(bytes)
}

function damage(bytes: Buffer, below: (n: number) => number): Buffer {
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
      const other = corpus[below(corpus.length)]!
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

function main(): void {
  const { values: given } = parseArgs({ options: { seconds: { type: 'string' }, seed: { type: 'string' } } })
  const seconds = Number(given.seconds ?? 10)
  const seed = Number(given.seed ?? Date.now() % 1e9)
  console.log(`fuzzing for ${seconds} s, seed ${seed}`)
  const random = seeded(seed)
  const end = Date.now() + seconds * 1000
  let runs = 0
  let refused = 0
  while (Date.now() < end) {
    for (let i = 0; i < 100; i++) if (fuzzOnce(random)) refused++
    runs += 100
  }
  console.log(`${runs} envelopes, ${refused} refused, the others opened and came out the same`)
}

if (import.meta.main) main()
