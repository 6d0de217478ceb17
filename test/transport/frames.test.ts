// Frames: cut out of a stream however it comes, refused before memory is given to them, copied as little as can be.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { MalformedError } from '../../core/bytes.ts'
import { FrameReader, FrameWriter, HANDSHAKE_BYTES, KIND, MAGIC } from '../../core/transport/frames.ts'

const written = (frames: FrameWriter, ...payloads: readonly Uint8Array[]): Buffer =>
  Buffer.concat([
    MAGIC,
    ...payloads.flatMap((payload) => frames.frame(KIND.call, (writer) => writer.bytes(payload)).pieces),
  ])

function readAll(reader: FrameReader, stream: Buffer, cuts: readonly number[]): Buffer[] {
  const found: Buffer[] = []
  const ends = [...cuts.map((cut) => cut % (stream.length + 1)), stream.length].sort((a, b) => a - b)
  let from = 0
  for (const end of ends) {
    if (end > from) reader.push(stream.subarray(from, end))
    from = end
    for (let frame = reader.next(); frame !== undefined; frame = reader.next()) found.push(frame.payload)
  }
  return found
}

for (const checksums of [true, false]) {
  test(`frames come out as they went in, however they were cut on the way (checksums: ${checksums})`, () => {
    const payload = fc.oneof(
      fc.uint8Array({ maxLength: 50 }),
      fc.uint8Array({ minLength: 3000, maxLength: 4000 }),
    )
    fc.assert(
      fc.property(fc.array(payload), fc.array(fc.nat(), { maxLength: 20 }), (payloads, cuts) => {
        const stream = written(new FrameWriter(checksums), ...payloads)
        const found = readAll(new FrameReader(checksums), stream, cuts)
        assert.deepEqual(
          found.map((each) => [...each]),
          payloads.map((each) => [...each]),
        )
      }),
      { numRuns: 200 },
    )
  })
}

test('large data travel as they are: no copy', () => {
  const data = Buffer.alloc(100_000, 7)
  const { pieces, bytes } = new FrameWriter(true).frame(KIND.message, (writer) => {
    writer.u8(1)
    writer.bytes(data)
    writer.u8(2)
  })
  assert.ok(pieces.includes(data))
  assert.equal(bytes, 9 + 1 + data.length + 1)
  const reader = new FrameReader(true)
  reader.maxPayloadBytes = 1_000_000
  assert.deepEqual(readAll(reader, Buffer.concat([MAGIC, ...pieces]), [10, 50_000])[0]!.subarray(1, -1), data)
})

test('without TLS, any bit that changes on the way is found', () => {
  const sound = written(new FrameWriter(true), Buffer.from('some bytes of a call'))
  for (let bit = MAGIC.length * 8; bit < sound.length * 8; bit++) {
    const stream = Buffer.from(sound)
    stream[bit >> 3]! ^= 1 << (bit & 7)
    const reader = new FrameReader(true)
    try {
      // A length that has grown waits for more; nothing is ever taken for a frame.
      assert.deepEqual(readAll(reader, stream, []), [])
    } catch (error) {
      assert.ok(error instanceof MalformedError, String(error))
    }
  }
})

test('P03: a length above the limit is refused when its header is there, before the rest has come', () => {
  for (const length of [HANDSHAKE_BYTES + 1, 0x7fffffff, 0xffffffff]) {
    const header = Buffer.alloc(9)
    header.writeUInt32LE(length, 0)
    const reader = new FrameReader(true)
    reader.push(Buffer.concat([MAGIC, header]))
    assert.throws(() => reader.next(), /a frame of at most 4096 bytes expected/)
  }
})

test('who speaks something else is told so at the first bytes', () => {
  const strangers: readonly (readonly [Buffer, RegExp])[] = [
    [Buffer.from('160301020001', 'hex'), /speaks TLS/],
    [Buffer.from('GET / HTTP/1.1\r\n'), /speaks HTTP/],
    [Buffer.from('\0\0\0'), /does not speak the protocol/],
    [Buffer.from('CNCDLOG\n'), /does not speak the protocol/],
  ]
  for (const [bytes, expected] of strangers) {
    const reader = new FrameReader(true)
    reader.push(bytes)
    assert.throws(() => reader.next(), expected)
  }
})

test('a frame that could not be written leaves nothing behind in the next one', () => {
  const frames = new FrameWriter(true)
  const failing = () =>
    frames.frame(KIND.call, (writer) => {
      writer.bytes(Buffer.alloc(20_000))
      throw new Error('no')
    })
  assert.throws(failing, /no/)
  assert.deepEqual(readAll(new FrameReader(true), written(frames, Buffer.from('x')), []), [Buffer.from('x')])
})
