// Keys: 1 to 1024 bytes of UTF-8, in the order of those bytes. H68.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import * as fc from 'fast-check'

import { checkKey, compareKeys } from '../../core/codec.ts'
import { ConcordError } from '../../core/errors.ts'

describe('keys', () => {
  test('strings of 1 to 1024 bytes of UTF-8 are keys', () => {
    for (const key of [
      'a',
      '\0',
      'é',
      'user:1',
      '😀'.repeat(256),
      '€'.repeat(341),
      'x'.repeat(1024),
      '__proto__',
    ]) {
      assert.equal(checkKey(key), key)
    }
  })

  test('anything else is not, and the error says what was found', () => {
    const wrong: readonly (readonly [unknown, RegExp])[] = [
      ['', /at least 1 byte, found an empty string/],
      ['x'.repeat(1025), /at most 1024 bytes of UTF-8, found 1025/],
      ['€'.repeat(342), /at most 1024 bytes of UTF-8, found 1026/],
      ['😀'.repeat(257), /found 1028/],
      ['x'.repeat(1_000_000), /found 1000000/],
      [1, /must be a string, found number/],
      [null, /found null/],
      [undefined, /found undefined/],
      [['a'], /found an array/],
      [{ toString: () => 'a' }, /found object/],
    ]
    for (const [key, message] of wrong) {
      assert.throws(
        () => checkKey(key),
        (error) => ConcordError.is(error) && error.code === 'INVALID_KEY' && message.test(error.message),
      )
    }
  })

  test('H68: keys with lone surrogates, which share their UTF-8, are refused', () => {
    for (const key of ['k\ud800', 'k\ud801', '\udc00', 'a\udc00\ud800b', `${'x'.repeat(400)}\ud800`]) {
      assert.throws(() => checkKey(key), /lone surrogate/)
    }
  })

  test('the order is that of the UTF-8 bytes', () => {
    const edges = [
      'a',
      'b',
      'ab',
      'é',
      '\u07ff',
      '\u0800',
      '\ud7ff',
      '\ue000',
      '\uffff',
      '😀',
      '\u{10000}',
      '\u{10ffff}',
    ]
    const byBytes = (a: string, b: string) => Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b)))
    for (const a of edges)
      for (const b of edges) assert.equal(Math.sign(compareKeys(a, b)), byBytes(a, b), `${a} ${b}`)
    const key = fc.array(fc.constantFrom(...edges), { maxLength: 4 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(key, key, (a, b) => {
        assert.equal(Math.sign(compareKeys(a, b)), byBytes(a, b))
      }),
      { numRuns: 2000, seed: 1 },
    )
  })
})
