// What goes in comes out: deeply equal, sharing nothing, in the same bytes, over every kind of value. H68, H69.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'

import * as fc from 'fast-check'

import { Reader, Writer } from '../../core/bytes.ts'
import {
  decodeValue,
  deepEqualValues,
  encodeValue,
  openStored,
  packCompressed,
  Packed,
  readStored,
  storedBytes,
  valueBody,
  writeStored,
} from '../../core/codec.ts'
import { ConcordError } from '../../core/errors.ts'
import { anyValue, nested, scalars, values } from './corpus.ts'
import { encode, hex, store } from './help.ts'

function checkRoundTrip(value: unknown): void {
  const bytes = encode(value)
  assert.deepStrictEqual(decodeValue(bytes), value)

  const reader = new Reader(Buffer.concat([bytes, hex('ff')]))
  const stored = readStored(reader)
  assert.equal(reader.offset, bytes.length, 'an envelope says where it ends')
  assert.deepStrictEqual(openStored(stored), value)
  assert.deepStrictEqual(openStored(stored), value, 'a second time as the first')

  const writer = new Writer(16)
  writeStored(writer, stored)
  assert.deepEqual(Buffer.from(writer.take()), bytes)
  assert.deepEqual(encode(openStored(stored)), bytes, 'one value, one form')
  const estimate = storedBytes(stored)
  assert.ok(
    estimate >= bytes.length * 0.6 - 8 && estimate <= bytes.length + 8,
    `${estimate} for ${bytes.length}`,
  )
}

describe('values', () => {
  test('H68: every kind of value comes back deeply equal, from the same bytes', () => {
    for (const value of values) checkRoundTrip(value)
  })

  test('H68: so does anything made of them', () => {
    fc.assert(fc.property(anyValue, checkRoundTrip), { numRuns: 1500, seed: 68 })
  })

  test('scalars are kept as themselves, the rest is opened anew for each reader', () => {
    for (const value of scalars) assert.ok(Object.is(store(value), value))
    const stored = store({ list: [1], bytes: Uint8Array.of(1), at: new Date(1) })
    assert.ok(stored instanceof Packed)
    const first = openStored(stored) as { list: number[]; bytes: Uint8Array; at: Date }
    first.list.push(2)
    first.bytes[0] = 9
    first.at.setTime(9)
    assert.deepStrictEqual(openStored(stored), { list: [1], bytes: Uint8Array.of(1), at: new Date(1) })
  })

  test('what is stored does not change when the buffer it was read from is used again', () => {
    for (const value of [{ a: 'x'.repeat(20) }, { a: 'x'.repeat(5000) }, 'x'.repeat(100)]) {
      const bytes = encode(value)
      const stored = readStored(new Reader(bytes))
      bytes.fill(0)
      assert.deepStrictEqual(openStored(stored), value)
    }
  })

  test('a short string that a reader keeps does not keep the long value it came from', () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const kept: string[] = []
    collect()
    const before = process.memoryUsage().heapUsed
    for (let i = 0; i < 2000; i++) {
      const value = openStored(store({ long: `${i}`.padEnd(3000, '.'), id: `the id of number ${i}` }))
      kept.push((value as { id: string }).id)
    }
    collect()
    const grown = process.memoryUsage().heapUsed - before
    assert.equal(kept.length, 2000)
    assert.ok(grown < 2000 * 1000, `${grown} bytes for 2000 strings of 20 units`)
  })

  test('bytes come back as a plain Uint8Array over a buffer of its own', () => {
    const pool = Buffer.from('a string in the pool')
    for (const given of [pool, pool.subarray(3, 6), new Uint8Array(pool.buffer, pool.byteOffset + 3, 3)]) {
      const back = openStored(store(given)) as Uint8Array
      assert.equal(Object.getPrototypeOf(back), Uint8Array.prototype)
      assert.deepStrictEqual(back, new Uint8Array(given))
      assert.equal(back.buffer.byteLength, given.length)
    }
  })

  test('an invalid date comes back as one', () => {
    const bytes = encode(new Date(NaN))
    assert.deepEqual(bytes, hex('11 02 0d 04'))
    const back = decodeValue(bytes)
    assert.ok(back instanceof Date && Number.isNaN(back.getTime()))
    assert.ok(deepEqualValues(openStored(store([new Date(NaN)])), [new Date(NaN)]))
  })

  test('an object without a prototype comes back as a plain one', () => {
    const bare: Record<string, unknown> = Object.assign(Object.create(null), { a: 1 })
    assert.deepStrictEqual(openStored(store(bare)), { a: 1 })
  })

  test('H69: members named like what objects inherit are members, and pollute nothing', () => {
    const tricky = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":2}'
    const value: unknown = JSON.parse(tricky)
    for (let i = 0; i < 3; i++) {
      const back = openStored(store(value)) as object
      assert.equal(JSON.stringify(back), tricky)
      assert.equal(Object.getPrototypeOf(back), Object.prototype)
    }
    assert.equal(({} as { polluted?: unknown }).polluted, undefined)
  })

  test('the order of members is kept', () => {
    const back = openStored(store({ z: 1, a: 2, 5: 3, m: 4 })) as object
    assert.deepEqual(Object.keys(back), ['5', 'z', 'a', 'm'])
  })

  test('one object in two places is two equal objects afterwards', () => {
    const shared = { a: 1 }
    const back = openStored(store({ x: shared, y: [shared] })) as { x: object; y: object[] }
    assert.deepStrictEqual(back, { x: { a: 1 }, y: [{ a: 1 }] })
    assert.notEqual(back.x, back.y[0])
  })

  test('values of another realm count like our own', () => {
    const foreign: unknown = runInNewContext(
      '({ list: [1], map: new Map([[1, { a: 1 }]]), set: new Set([1]), at: new Date(5), raw: new Uint8Array(2) })',
    )
    const own = {
      list: [1],
      map: new Map([[1, { a: 1 }]]),
      set: new Set([1]),
      at: new Date(5),
      raw: new Uint8Array(2),
    }
    assert.deepStrictEqual(openStored(store(foreign)), own)
  })

  test('a getter runs once, and its result is stored', () => {
    let runs = 0
    const value = {
      get now() {
        return ++runs
      },
    }
    assert.deepStrictEqual(openStored(store(value)), { now: 1 })
    assert.equal(runs, 1)
  })
})

describe('the bytes', () => {
  // The same as on docs/internals/value-format.md: data on disk depends on them.
  const known: readonly (readonly [unknown, string])[] = [
    [null, '10 00'],
    [false, '10 01'],
    [true, '10 02'],
    [NaN, '10 04'],
    [-0, '10 05 0000000000000080'],
    [1.5, '10 05 000000000000f83f'],
    [0, '10 80'],
    [127, '10 ff'],
    [300, '10 06 ac02'],
    [-1, '10 07 00'],
    [-300, '10 07 ab02'],
    [0n, '10 08 00'],
    [256n, '10 08 02 0100'],
    [-1n, '10 09 01 01'],
    ['', '10 40'],
    ['hé', '10 42 68e9'],
    ['x'.repeat(64), `10 0a 40 ${'78'.repeat(64)}`],
    ['€', '10 0b 03 e282ac'],
    ['\ud800a', '10 0c 02 00d86100'],
    [new Date(1), '11 02 0d 81'],
    [Uint8Array.of(1, 2), '11 04 0e 02 0102'],
    [[1, undefined], '11 04 0f 02 81 03'],
    [{ a: 1, b: null }, '11 08 10 04 4161 4162 81 00'],
    [new Map([['k', true]]), '11 05 11 01 416b 02'],
    [new Set([0]), '11 03 12 01 80'],
  ]
  for (const [value, bytes] of known) {
    test(bytes.slice(0, 40), () => {
      assert.deepEqual(encode(value), hex(bytes))
      assert.deepStrictEqual(decodeValue(hex(bytes)), value)
    })
  }
})

describe('what cannot be stored is refused, with the way to it', () => {
  class Point {
    x = 1
  }
  class Registry extends Map {}
  const cycle: { a: { b: unknown[] } } = { a: { b: [] } }
  cycle.a.b.push(cycle.a)
  const self: unknown[] = []
  self.push(self)
  const growing = new Set<unknown>()
  growing.add({
    get more() {
      return growing.add(growing.size).size
    },
  })
  const shrinking = new Map<string, unknown>([
    [
      'first',
      {
        get last() {
          return shrinking.delete('last')
        },
      },
    ],
    ['last', 1],
  ])
  const throwing = {
    get x() {
      throw new Error('no')
    },
  }
  const refused: readonly (readonly [unknown, RegExp])[] = [
    [undefined, /^value: undefined cannot/],
    [() => 1, /^value: functions cannot/],
    [Symbol('s'), /^value: symbols cannot/],
    [{ items: [0, 1, 2, { fn() {} }] }, /^value\.items\[3\]\.fn: functions cannot/],
    [{ 'not a name': [Symbol('s')] }, /^value\["not a name"\]\[0\]: symbols cannot/],
    [{ [Symbol('s')]: 1 }, /^value: symbol keys cannot/],
    [new Point(), /^value: instances of Point cannot/],
    [new Registry(), /^value: instances of Registry cannot/],
    [[new Error('e')], /^value\[0\]: instances of Error cannot/],
    [new Float64Array(1), /^value: instances of Float64Array cannot/],
    [new ArrayBuffer(1), /^value: instances of ArrayBuffer cannot/],
    [/x/, /^value: instances of RegExp cannot/],
    [Object(1), /^value: instances of Number cannot/],
    [Object.create(Map.prototype), /^value: instances of Map cannot/],
    [Object.create({ inherited: 1 }), /^value: instances of/],
    [Promise.resolve(1), /^value: instances of Promise cannot/],
    [new Map([['k', new Map([[{}, () => 1]])]]), /^value\.get\("k"\)\.<value 0>: functions cannot/],
    [
      new Map<unknown, number>([
        ['k', 1],
        [[() => 1], 2],
      ]),
      /^value\.<key 1>\[0\]: functions cannot/,
    ],
    [new Set([1, new WeakMap()]), /^value\.<item 1>: instances of WeakMap cannot/],
    // eslint-disable-next-line no-sparse-arrays
    [[1, , 3], /^value\[1\]: a hole in an array cannot/],
    [Object.assign([], { length: 4e9 }), /^value\[0\]: a hole in an array cannot/],
    [cycle, /^value\.a\.b\[0\]: a cycle, back to value\.a, cannot/],
    [self, /^value\[0\]: a cycle, back to value, cannot/],
    [nested(65), /^value(\[0\]){64}: more than 64 containers/],
    [growing, /^value.*: a container that a getter changes/],
    [[shrinking], /^value\[0\].*: a container that a getter changes/],
    [{ a: throwing }, /^value\.a\.x: reading it throws/],
  ]
  for (const [value, message] of refused) {
    test(String(message), () => {
      const writer = new Writer()
      writer.u8(1)
      assert.throws(
        () => encodeValue(writer, value),
        (error) =>
          ConcordError.is(error) &&
          error.code === 'INVALID_VALUE' &&
          error.outcome === 'not-applied' &&
          message.test(error.message),
      )
      assert.equal(writer.length, 1, 'the writer is as it was')
      assert.equal(writer.busy, false)
    })
  }

  test('what a getter throws is the cause', () => {
    assert.throws(
      () => encode(throwing),
      (error: Error) => (error.cause as Error).message === 'no',
    )
  })

  test('64 containers in each other are stored, and bytes or a date inside', () => {
    checkRoundTrip(nested(64))
    let value: unknown = [Uint8Array.of(1), new Date(1)]
    for (let i = 1; i < 64; i++) value = { value }
    checkRoundTrip(value)
  })

  test('a getter that uses the same writer is found out', () => {
    const writer = new Writer()
    const value = {
      get x() {
        assert.equal(writer.busy, true)
        encodeValue(writer, { y: 1 })
        return 1
      },
    }
    assert.throws(() => encodeValue(writer, value), ConcordError)
    assert.equal(writer.length, 0)
  })
})

describe('the size of a value', () => {
  const large: readonly unknown[] = [
    'x'.repeat(100),
    '€'.repeat(34),
    '\ud800'.repeat(50),
    2n ** 800n,
    new Uint8Array(100),
    Array.from({ length: 100 }, () => 1),
    { a: 'x'.repeat(50), b: { c: 'y'.repeat(50) } },
    new Map([['x'.repeat(99), 1]]),
    new Set(['x'.repeat(99)]),
  ]
  for (const value of large) {
    test(`is bounded: ${typeof value} ${Object.prototype.toString.call(value)}`, () => {
      const body = valueBody(encode(value)).length
      assert.ok(encode(value, body).length > 0)
      const writer = new Writer()
      assert.throws(
        () => encodeValue(writer, value, body - 1),
        (error) =>
          ConcordError.is(error) &&
          error.code === 'VALUE_TOO_LARGE' &&
          error.details?.['maxBytes'] === body - 1,
      )
      assert.equal(writer.length, 0)
    })
  }

  test('a cycle among much data ends at the bound', () => {
    const value: Record<string, unknown> = { text: 'x'.repeat(10_000) }
    value['again'] = value
    assert.throws(
      () => encode(value, 100_000),
      (error) => ConcordError.is(error) && error.code === 'VALUE_TOO_LARGE',
    )
  })
})

describe('compressed envelopes', () => {
  const compressors = {
    zlib: deflateSync,
    gzip: gzipSync,
    zstd: zstdCompressSync,
    brotli: brotliCompressSync,
  }
  for (const compression of ['zlib', 'gzip', 'zstd', 'brotli'] as const) {
    const compress = (value: unknown) => {
      const body = valueBody(encode(value))
      return packCompressed(compression, body.length, compressors[compression](body))
    }

    test(`${compression}: every value opens, is stored as it came, and is measured before compression`, () => {
      for (const value of values) {
        const packed = compress(value)
        const bytes = encode(packed)
        assert.deepStrictEqual(decodeValue(bytes), value)
        const stored = readStored(new Reader(bytes))
        assert.deepStrictEqual(openStored(stored), value)
        assert.deepEqual(encode(stored), bytes)
      }
      const long = compress('x'.repeat(100_000))
      assert.ok(storedBytes(long) < 1000)
      assert.throws(() => encode(long, 99_999), ConcordError)
    })
  }
})
