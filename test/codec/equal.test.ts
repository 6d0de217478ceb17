// Equality as `expected` sees it, and the hash that nodes compare their states by.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import * as fc from 'fast-check'

import {
  WORDS_LIMIT_BYTES,
  deepEqualValues,
  hashKey,
  hashLong,
  hashWords,
  openStored,
} from '../../core/codec.ts'
import { anyValue, nested, values } from './corpus.ts'
import { encode, store } from './help.ts'

describe('equality of values', () => {
  test('a value equals its copy, and no other value of the corpus', () => {
    const copies = values.map((value) => openStored(store(value)))
    values.forEach((value, i) => {
      copies.forEach((copy, j) => assert.equal(deepEqualValues(value, copy), i === j, `${i} and ${j}`))
    })
  })

  test('any value equals its copy; values with the same bytes are equal', () => {
    fc.assert(
      fc.property(anyValue, anyValue, (a, b) => {
        assert.ok(deepEqualValues(a, openStored(store(a))))
        if (encode(a).equals(encode(b))) assert.ok(deepEqualValues(a, b))
        assert.equal(deepEqualValues(a, b), deepEqualValues(b, a))
      }),
      { numRuns: 300, seed: 2 },
    )
  })

  const equal: readonly (readonly [unknown, unknown])[] = [
    [NaN, NaN],
    [
      { a: 1, b: 2 },
      { b: 2, a: 1 },
    ],
    [Buffer.from('ab'), new Uint8Array([97, 98])],
    [Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
    [new Set([1, { a: 1 }, [2]]), new Set([[2], 1, { a: 1 }])],
    [
      new Map<unknown, unknown>([
        ['a', 1],
        [{ k: 1 }, 2],
      ]),
      new Map<unknown, unknown>([
        [{ k: 1 }, 2],
        ['a', 1],
      ]),
    ],
    [nested(64), nested(64)],
  ]
  const different: readonly (readonly [unknown, unknown])[] = [
    [0, -0],
    [1, 1n],
    [1, '1'],
    [null, undefined],
    [{ a: undefined }, {}],
    [{ a: undefined }, { b: undefined }],
    [{ toString: undefined }, { valueOf: undefined }],
    [[], {}],
    [[1], [1, undefined]],
    [new Date(1), new Date(2)],
    [new Date(1), {}],
    [new Map([['a', 1]]), new Set(['a'])],
    [new Map([['a', undefined]]), new Map([['b', undefined]])],
    [new Set([[1], [1]]), new Set([[1], [2]])],
    [
      new Map([
        [[1], 1],
        [[1], 2],
      ]),
      new Map([
        [[1], 1],
        [[1], 1],
      ]),
    ],
    [/x/, /x/],
  ]
  test('order, prototypes and the sort of byte array count for nothing', () => {
    for (const [a, b] of equal) assert.ok(deepEqualValues(a, b) && deepEqualValues(b, a))
  })
  test('kinds, members and signs of zero do', () => {
    for (const [a, b] of different) assert.ok(!deepEqualValues(a, b) && !deepEqualValues(b, a))
  })

  test('cycles end', () => {
    const a: unknown[] = []
    a.push(a)
    const b: unknown[] = []
    b.push(b)
    assert.equal(deepEqualValues(a, b), false)
  })
})

/** Of an encoded value, as the machine hashes it. */
function hashOf(seed: number, value: unknown): number {
  const bytes = encode(value)
  if (bytes.length > WORDS_LIMIT_BYTES) return hashLong(seed, bytes)
  return hashWords(seed, new DataView(bytes.buffer, bytes.byteOffset), 0, bytes.length)
}

describe('the hash', () => {
  test('is what it was: states of different versions of Concord are compared by it', () => {
    const some = ['abc', 'x'.repeat(5000), '€'.repeat(200), 1.5, null, { a: 1 }]
    assert.deepEqual(
      some.map((value) => hashOf(0, value)),
      [-1820767474, 1579773461, -17355599, 1564703620, 76347067, 1237461699],
    )
    assert.deepEqual(
      ['k', 'x'.repeat(200), '€'.repeat(200)].map((key) => hashKey(1, key)),
      [-980623302, 506812363, 1117156181],
    )
  })

  test('of a key depends on its units alone, not on how V8 holds the string', () => {
    for (const units of [3, 50, 127, 128, 129, 1024, 5000]) {
      const flat = Buffer.alloc(units, 'abcdefg').toString('latin1')
      const twoByte = `€${flat}`.slice(1)
      const rope = flat.slice(0, units >> 1) + flat.slice(units >> 1)
      assert.equal(hashKey(7, twoByte), hashKey(7, flat))
      assert.equal(hashKey(7, rope), hashKey(7, flat))
    }
  })

  test('of a value is of its bytes, wherever they lie', () => {
    for (const length of [2, 3, 7, 8, 9, 15, 103, 4096]) {
      const bytes = Buffer.alloc(length + 20, 'bytes that repeat')
      const moved = Buffer.concat([Buffer.alloc(13, 0xff), bytes])
      const at = (buffer: Buffer, from: number) =>
        hashWords(5, new DataView(buffer.buffer, buffer.byteOffset), from, length)
      assert.equal(at(moved, 13), at(bytes, 0), `${length} bytes`)
    }
  })

  test('tells values apart: all of the corpus, each bit, each length, each seed', () => {
    const hashes = new Set(values.map((value) => hashOf(1, value)))
    assert.equal(hashes.size, values.length)
    for (const base of [
      'key',
      'x'.repeat(100),
      'y'.repeat(300),
      '€'.repeat(200),
      JSON.stringify({ a: 'z'.repeat(5000) }),
    ]) {
      for (const hash of [hashOf, hashKey]) {
        const near = new Set<number>([hash(1, base), hash(2, base), hash(1, `${base}\0`)])
        let expected = 3
        for (let at = 0; at < base.length; at += 1 + (base.length >> 6)) {
          for (let bit = 0; bit < 7; bit++) {
            const changed = String.fromCharCode(base.charCodeAt(at) ^ (1 << bit))
            near.add(hash(1, base.slice(0, at) + changed + base.slice(at + 1)))
            expected++
          }
        }
        assert.equal(near.size, expected)
      }
    }
  })

  test('spreads: every bit is set in about half of the hashes, collisions are as rare as chance has them', () => {
    for (const hash of [hashOf, hashKey]) {
      const counts = Array.from({ length: 32 }, () => 0)
      const seen = new Set<number>()
      const total = 20_000
      for (let i = 0; i < total; i++) {
        const found = hash(0, i % 2 === 0 ? `user:${i}` : `${i}`)
        seen.add(found)
        for (let bit = 0; bit < 32; bit++) counts[bit]! += (found >>> bit) & 1
      }
      assert.ok(counts.every((count) => Math.abs(count / total - 0.5) < 0.02))
      assert.ok(total - seen.size < 5)
    }
  })
})
