// Bytes that are torn, wrong or made to hurt: a MalformedError, soon, and no memory for what is not there.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'

import { MalformedError, Reader, Writer } from '../../core/bytes.ts'
import { decodeValue, openStored, packCompressed, readStored } from '../../core/codec.ts'
import { values } from './corpus.ts'
import { fuzzOnce, seeded } from './fuzz.ts'
import { encode, hex } from './help.ts'

const refuse = (bytes: Uint8Array, message?: RegExp) => {
  assert.throws(
    () => decodeValue(bytes),
    (error) => error instanceof MalformedError && (message === undefined || message.test(error.message)),
    `opened: ${Buffer.from(bytes).toString('hex').slice(0, 200)}`,
  )
}

describe('hostile bytes', () => {
  test('an envelope cut anywhere is refused', () => {
    for (const value of values) {
      const bytes = encode(value)
      const step = Math.max(1, Math.floor(bytes.length / 250))
      for (let length = 0; length < bytes.length; length += step) {
        refuse(bytes.subarray(0, length))
        // Behind the cut there may be more: in a log there always is.
        assert.throws(() => readStored(new Reader(bytes, 0, length)), MalformedError)
      }
    }
  })

  test('bytes after the end are refused', () => {
    for (const value of values) refuse(Buffer.concat([encode(value), hex('00')]), /1 bytes after the end/)
    refuse(hex('11 04 0f 01 80 80'), /1 bytes after the end/)
  })

  test('a body that is longer or shorter than its envelope says is refused', () => {
    const inside = new Reader(hex('11 03 0f 02 80 80'))
    const stored = readStored(inside)
    assert.throws(() => openStored(stored), MalformedError)
    refuse(hex('11 03 0f 02 80 80'))
    refuse(hex('11 05 0f 02 80 80'))
  })

  const wrong: readonly (readonly [string, string])[] = [
    ['nothing', ''],
    ['an unknown version', '20 00'],
    ['an unknown form', '16 00'],
    ['an unknown tag', '10 13'],
    ['an unknown tag inside', '11 03 0f 01 3f'],
    ['undefined as the value', '10 03'],
    ['a container as a scalar', '10 0f 00'],
    ['a scalar as a container', '11 01 80'],
    ['an empty container', '11 00'],
    ['a small integer in the long form', '10 06 7f'],
    ['a varint with a byte to spare', '10 06 ac8200'],
    ['a varint of nine bytes', '10 06 ffffffffffffffff01'],
    ['an integer above 2^53 - 1', '10 06 8080808080808010'],
    ['an integer of -2^53', '10 07 ffffffffffffff0f'],
    ['an integer as a float', '10 05 000000000000f03f'],
    ['NaN as a float', '10 05 000000000000f87f'],
    ['a bigint with a zero in front', '10 08 02 0001'],
    ['a negative bigint of zero', '10 09 00'],
    ['a short string in the long form', `10 0a 3f ${'78'.repeat(63)}`],
    ['a Latin-1 string as UTF-8', '10 0b 02 c3a9'],
    ['no UTF-8', '10 0b 03 e282ff'],
    ['UTF-8 of a surrogate', '10 0b 03 eda080'],
    ['UTF-8 longer than it need be', '10 0b 05 e282ac c080'],
    ['a well-formed string as UTF-16', '10 0c 01 6100'],
    ['a date of half a millisecond', '11 0a 0d 05 000000000000e03f'],
    ['a date of -0', '11 0a 0d 05 0000000000000080'],
    ['a date beyond all dates', '11 09 0d 06 8180c0b4ffc8ae1f'],
    ['a date of text', '11 03 0d 41 61'],
    ['a member without a string for its name', '11 04 10 01 81 81'],
    ['a member given twice', '11 08 10 04 4161 4161 81 82'],
    ['members named by indexes out of order', '11 08 10 04 4132 4131 81 82'],
    ['names that end in the middle of one', '11 06 10 02 4261 81'],
    ['a key given twice', '11 06 11 02 80 81 80 82'],
    ['an item given twice', '11 04 12 02 80 80'],
    ['-0 as an item', '11 0b 12 01 05 0000000000000080'],
    ['-0 as a key', '11 0c 11 01 05 0000000000000080 80'],
  ]
  for (const [what, bytes] of wrong) {
    test(`${what} is refused`, () => {
      refuse(hex(bytes))
    })
  }

  test('H68: 65 containers in each other are refused, and so is a bomb of them', () => {
    for (const [depth, open] of [
      [65, '0f 01'],
      [500_000, '0f 01'],
      [100_000, '11 01 80'],
      [100_000, '10 02 4161'],
      [65, '12 01'],
    ] as const) {
      const writer = new Writer()
      writer.u8(0x11)
      const body = Buffer.concat([Buffer.alloc(depth * hex(open).length, hex(open)), hex('80')])
      writer.varint(body.length)
      writer.bytes(body)
      refuse(writer.take(), /more than 64 containers/)
    }
  })

  test('lengths that are not there take no memory', () => {
    const huge = 'ffffffffffff0f' // 2^46 - 1 or so
    const claims = [
      '10 0a',
      '10 0b',
      '10 0c',
      '10 08',
      '11',
      '12 05',
      '11 09 0e',
      '11 09 0f',
      '11 09 10',
      '11 09 11',
      '11 09 12',
    ]
    const before = process.memoryUsage()
    for (const claim of claims) refuse(hex(`${claim} ${huge} 00`))
    const after = process.memoryUsage()
    assert.ok(after.external - before.external < 10e6 && after.heapUsed - before.heapUsed < 10e6)
  })

  test('more items than the rest has bytes for are refused before any is read', () => {
    for (const tag of ['0f', '12']) refuse(hex(`11 04 ${tag} 03 80 81`), /3 items expected, 2 bytes there/)
    refuse(hex('11 05 11 02 80 81 82'), /2 items expected, 3 bytes there/)
  })

  test('a compressed envelope unpacks to what it says, and not to a byte more', () => {
    const body = Buffer.concat([hex('0e 80 80 80 04'), Buffer.alloc(8 * 1024 * 1024)])
    const bombs = [
      ['zlib', deflateSync(body)],
      ['gzip', gzipSync(body)],
      ['zstd', zstdCompressSync(body)],
      ['brotli', brotliCompressSync(body)],
    ] as const
    for (const [compression, data] of bombs) {
      assert.deepStrictEqual(
        openStored(packCompressed(compression, body.length, data)),
        new Uint8Array(8 * 1024 * 1024),
      )
      for (const claim of [1, 1000, body.length - 1]) {
        refuse(encode(packCompressed(compression, claim, data)), /does not decompress: Cannot create/)
      }
      refuse(encode(packCompressed(compression, body.length + 1, data)), /decompressed bytes expected/)
      refuse(encode(packCompressed(compression, body.length, data.subarray(0, -1))), /decompress/)
      refuse(
        encode(packCompressed(compression, body.length, Buffer.concat([data, hex('00')]))),
        /after the compressed end/,
      )
    }
  })

  test('a compressed envelope that says nothing, or more than 16 MiB, is refused', () => {
    refuse(hex('12 00 00'), /1 to 16777216/)
    refuse(hex('12 81808008 00'), /1 to 16777216/)
    refuse(hex('14 05 04 28b52ffd'), /decompress/)
  })

  test('what is compressed is held to the same rules', () => {
    for (const body of ['03', '06 7f', '0f 01', '80 80', '11 80']) {
      const raw = hex(body)
      refuse(encode(packCompressed('zlib', raw.length, deflateSync(raw))))
    }
  })

  test('thousands of damaged envelopes are refused, or open and come out the same', () => {
    for (const seed of [1, 2, 3]) {
      const random = seeded(seed)
      let refused = 0
      for (let i = 0; i < 2500; i++) if (fuzzOnce(random)) refused++
      assert.ok(refused > 1000 && refused < 2500, `${refused} refused`)
    }
  })
})
