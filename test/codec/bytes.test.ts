// The writer and the reader: what one writes the other reads, and nothing else.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import * as fc from 'fast-check'

import { AssertionError } from '../../core/assert.ts'
import { MalformedError, Reader, varintBytes, Writer } from '../../core/bytes.ts'
import { hex } from './help.ts'

const integers = [0, 1, 127, 128, 300, 2 ** 14, 2 ** 28, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 49, 2 ** 53 - 1]

describe('writer and reader', () => {
  test('everything comes back, whatever the size of the first buffer', () => {
    for (const capacity of [0, 1, 7, 64, 65536]) {
      const writer = new Writer(capacity)
      writer.u8(255)
      writer.u32le(0xdeadbeef)
      writer.f64le(-0)
      for (const n of integers) writer.varint(n)
      writer.bytes(Uint8Array.of(1, 2, 3))
      for (const text of ['', 'abc', 'é€😀', 'x'.repeat(42), '€'.repeat(43), 'y'.repeat(70_000)])
        writer.utf8(text)
      writer.latin1('þÿ')
      const reader = new Reader(writer.take())
      assert.equal(reader.u8(), 255)
      assert.equal(reader.u32le(), 0xdeadbeef)
      assert.ok(Object.is(reader.f64le(), -0))
      for (const n of integers) assert.equal(reader.varint(), n)
      assert.deepEqual(new Uint8Array(reader.bytes(3)), Uint8Array.of(1, 2, 3))
      for (const text of ['', 'abc', 'é€😀', 'x'.repeat(42), '€'.repeat(43), 'y'.repeat(70_000)]) {
        assert.equal(reader.utf8(), text)
      }
      assert.equal(reader.latin1(2), 'þÿ')
      reader.finish()
    }
  })

  test('a varint takes as few bytes as it can, and is read only so', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (n) => {
        const writer = new Writer(16)
        writer.varint(n)
        assert.equal(writer.length, varintBytes(n))
        assert.equal(new Reader(writer.take()).varint(), n)
      }),
      { seed: 1 },
    )
    for (const bytes of ['8000', 'ff00', '808080808080808001', 'ffffffffffffff1f']) {
      assert.throws(() => new Reader(hex(bytes)).varint(), MalformedError)
    }
  })

  test('a length can be put before what it measures', () => {
    for (const length of [0, 1, 127, 128, 20_000, 65_530]) {
      const writer = new Writer()
      writer.u8(9)
      const text = 'z'.repeat(length)
      writer.latin1(text)
      writer.insertVarint(1, length)
      const reader = new Reader(writer.take(), 1)
      assert.equal(reader.latin1(reader.varint()), text)
      reader.finish()
    }
  })

  test('a message that was taken is not touched by the next', () => {
    const writer = new Writer(2048)
    const taken: Uint8Array[] = []
    for (let i = 0; i < 200; i++) {
      writer.utf8(`message ${i} `.repeat(1 + (i % 30)))
      taken.push(writer.take())
      assert.equal(writer.length, 0)
    }
    taken.forEach((message, i) => {
      assert.equal(new Reader(message).utf8(), `message ${i} `.repeat(1 + (i % 30)))
    })
  })

  test('truncate forgets', () => {
    const writer = new Writer()
    writer.u8(1)
    writer.utf8('wrong')
    writer.truncate(1)
    writer.u8(2)
    assert.deepEqual(new Uint8Array(writer.take()), Uint8Array.of(1, 2))
  })

  test('H68: a string without UTF-8 is not written as another', () => {
    assert.throws(() => new Writer().utf8('k\ud800'), AssertionError)
  })

  test('the reader stays between its ends', () => {
    const bytes = hex('01 02 03 04 05 06 07 08 09')
    for (const read of [
      (reader: Reader) => reader.u8(),
      (reader: Reader) => reader.u32le(),
      (reader: Reader) => reader.f64le(),
      (reader: Reader) => reader.bytes(1),
      (reader: Reader) => reader.latin1(1),
      (reader: Reader) => reader.utf8(),
      (reader: Reader) => reader.varint(),
    ]) {
      assert.throws(() => read(new Reader(bytes, 2, 2)), MalformedError)
    }
    assert.throws(() => new Reader(bytes, 0, 2).utf8Text(3), /offset 0: 3 bytes expected, 2 there/)
    assert.throws(() => new Reader(bytes, 3, 5).finish(), /2 bytes after the end/)
    assert.throws(() => new Reader(bytes, 0, 10), AssertionError)
  })

  test('wrong UTF-8 is refused, the replacement character itself is not', () => {
    const writer = new Writer()
    writer.utf8('a\ufffdb')
    assert.equal(new Reader(writer.take()).utf8(), 'a\ufffdb')
    for (const bytes of ['01 ff', '02 c080', '03 eda080', '02 e282']) {
      assert.throws(() => new Reader(hex(bytes)).utf8(), MalformedError)
    }
  })
})
