// Wrong bytes for what nodes say to each other; without end: `npm run fuzz -- --only transport`.
//
// Sound messages, greetings and announcements are damaged and given to whoever reads them; and streams of frames,
// cut anywhere, to the reader of frames, with checksums that fit. Each must be refused as it should be, or read;
// what is read must be written again as something that reads the same.

import assert from 'node:assert/strict'
import { crc32 } from 'node:zlib'

import fc from 'fast-check'

import { MalformedError, Reader, Writer } from '../../core/bytes.ts'
import { announcementKey, readAnnouncement, writeAnnouncement } from '../../core/discovery/announcement.ts'
import type { Message } from '../../core/raft/message.ts'
import { FrameReader, FrameWriter, HANDSHAKE_BYTES, KIND, MAGIC } from '../../core/transport/frames.ts'
import { type Greeting, NoCommonVersion, readGreeting, writeGreeting } from '../../core/transport/hello.ts'
import { readMessage, writeMessage } from '../../core/transport/message-codec.ts'
import type { Random } from '../codec/fuzz.ts'
import { messages, plain } from './messages.ts'

const written = <T>(write: (writer: Writer, value: T) => void, value: T): Buffer => {
  const writer = new Writer()
  write(writer, value)
  return Buffer.from(writer.take())
}

const samples = Object.values(messages).flatMap((values) => fc.sample(values, { numRuns: 30, seed: 1 }))
const greeting: Greeting = {
  minVersion: 1,
  maxVersion: 1,
  lane: 'bulk',
  hello: {
    clusterName: 'test',
    clusterId: 'V1StGXR8_Z5jdHi6B-myT',
    name: 'n1',
    incarnation: 'x'.repeat(21),
    address: '10.0.0.1:4100',
    runId: 'r'.repeat(21),
    previousRunId: '',
    last: { index: 123_456, term: 7 },
  },
  to: 'n2/y',
  nonce: 'n'.repeat(21),
  echo: '',
  maxPayloadBytes: 17_825_792,
}
const key = announcementKey('a secret', 'test')
const announcement = writeAnnouncement(
  { cluster: 'test', incarnation: 'n1', address: 'n1:4100', number: 7 },
  key,
)

type Below = (n: number) => number

const corpus: readonly {
  readonly bytes: Buffer
  readonly check: (bytes: Buffer, below: Below) => boolean
}[] = [
  ...samples.map((message) => ({ bytes: written(writeMessage, message), check: checkMessage })),
  { bytes: written(writeGreeting, greeting), check: checkGreeting },
  { bytes: announcement, check: checkAnnouncement },
  ...samples.slice(0, 20).map((message) => ({ bytes: written(writeMessage, message), check: checkFrames })),
]

/** Damages one of the corpus and reads it. True when it was refused. */
export function fuzzOnce(random: Random): boolean {
  const below: Below = (n) => Math.floor(random() * n)
  const { bytes, check } = corpus[below(corpus.length)]!
  let damaged: Buffer = Buffer.from(bytes)
  for (let times = below(4); times > 0; times--) damaged = damage(damaged, below)
  try {
    return check(damaged, below)
  } catch (error) {
    throw new Error(`not refused as it should be: ${damaged.toString('hex')}`, { cause: error })
  }
}

function damage(bytes: Buffer, below: Below): Buffer {
  const at = below(bytes.length + 1)
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)]
  switch (below(5)) {
    case 0:
      return Buffer.concat([
        before,
        after.subarray(0, 1).map((byte) => byte ^ (1 << below(8))),
        after.subarray(1),
      ])
    case 1:
      return Buffer.from(before)
    case 2:
      return Buffer.concat([before, Buffer.from([below(256)]), after])
    case 3:
      return Buffer.concat([before, after.subarray(1 + below(4))])
    default:
      // A length of up to eight bytes, often huge.
      return Buffer.concat([
        before,
        Buffer.from(Array.from({ length: 1 + below(8) }, () => 0x80 | below(128))),
        after.subarray(1),
      ])
  }
}

const again = (message: Message): unknown => plain(readMessage(new Reader(written(writeMessage, message))))

function checkMessage(bytes: Buffer): boolean {
  return refuses(() => {
    const message = readMessage(new Reader(bytes))
    assert.deepEqual(again(message), plain(message))
  })
}

function checkGreeting(bytes: Buffer): boolean {
  return refuses(() => {
    const found = readGreeting(new Reader(bytes))
    assert.deepEqual(readGreeting(new Reader(written(writeGreeting, found))), found)
  })
}

function checkAnnouncement(bytes: Buffer): boolean {
  const found = readAnnouncement(bytes, 'test', key)
  assert.ok(found === undefined || bytes.equals(announcement), 'a damaged announcement was believed')
  return found === undefined
}

/** The payload goes in a frame with a sound checksum, among others, and comes in pieces. */
function checkFrames(payload: Buffer, below: Below): boolean {
  const frame = (body: Buffer) =>
    Buffer.concat(new FrameWriter(true).frame(KIND.message, (writer) => writer.bytes(body)).pieces)
  const stream = Buffer.concat([MAGIC, frame(payload), frame(Buffer.from('behind'))])
  if (below(3) === 0) {
    // A length that lies, with a checksum that fits it.
    const length = below(2) === 0 ? below(payload.length + 20) : below(2 ** 32)
    stream.writeUInt32LE(length, MAGIC.length)
    const end = Math.min(stream.length, MAGIC.length + 9 + length)
    stream.writeUInt32LE(crc32(stream.subarray(MAGIC.length + 8, end), length), MAGIC.length + 4)
  }
  const reader = new FrameReader(true)
  return refuses(() => {
    for (let at = 0; at < stream.length;) {
      const end = at + 1 + below(below(10) === 0 ? 3 : 400)
      reader.push(stream.subarray(at, end))
      for (let found = reader.next(); found !== undefined; found = reader.next()) {
        assert.ok(found.payload.length <= HANDSHAKE_BYTES)
      }
      at = end
    }
  })
}

function refuses(read: () => void): boolean {
  try {
    read()
    return false
  } catch (error) {
    if (error instanceof MalformedError || error instanceof NoCommonVersion) return true
    throw error
  }
}
