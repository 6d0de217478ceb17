// Strangers at the port of the peers: silent, slow, endless, wrong. Nothing reaches Raft, memory has a bound, and
// whoever belongs here gets in.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test, type TestContext } from 'node:test'

import { FrameWriter, KIND, MAGIC } from '../../core/transport/frames.ts'
import { readGreeting, writeGreeting, writeReady } from '../../core/transport/hello.ts'
import { writeMessage } from '../../core/transport/message-codec.ts'
import { Reader } from '../../core/bytes.ts'
import type { Security } from '../../core/transport/security.ts'
import { seeded } from '../codec/fuzz.ts'
import {
  bytes,
  connected,
  entries,
  heartbeat,
  introduce,
  rawSocket,
  startNode,
  type TestNode,
  until,
  within,
} from './nodes.ts'

const plain: { security: Security } = { security: { kind: 'plain', insecure: false } }
const frames = new FrameWriter(true)

for (const [name, security, count] of [
  ['plain', plain, 2000],
  ['TLS', {}, 300],
] as const) {
  test(`P03: ${count} idle connections keep no peer out (${name})`, async (t) => {
    const [a, b] = [await startNode(t, 'a', security), await startNode(t, 'b', security)]
    for (let round = 0; round < count / 100; round++) {
      await Promise.all(Array.from({ length: 100 }, () => rawSocket(t, b.address)))
    }
    assert.ok(b.transport.stats().unauthenticated <= 64, `${b.transport.stats().unauthenticated} strangers`)
    await until('the others are closed', () => b.transport.stats().evicted >= count - 100)
    assert.deepEqual(b.notices, [], 'who comes and goes without a word is not worth one')
    introduce(a, b)
    await connected(a, b)
    await a.transport.call(b.id, bytes('x'), within(5000))
  })
}

for (const [name, security] of [
  ['plain', plain],
  ['TLS', {}],
] as const) {
  test(`P03: who says nothing, or a byte now and then, is closed in time (${name})`, async (t) => {
    const b = await startNode(t, 'b', { ...security, handshakeMs: 200 })
    const [silent, slow] = [await rawSocket(t, b.address), await rawSocket(t, b.address)]
    let said = 0
    const drip = setInterval(() => slow.write(MAGIC.subarray(said % 8, (said++ % 8) + 1)), 20)
    t.after(() => clearInterval(drip))
    await until('both are closed', () => silent.closed && slow.closed)
    assert.equal(b.transport.stats().unauthenticated, 0)
    assert.deepEqual(b.introductions, [])
  })

  test(`P05: random bytes are the end of that connection, and of nothing else (${name})`, async (t) => {
    const [a, b] = [await startNode(t, 'a', security), await startNode(t, 'b', security)]
    introduce(a, b)
    await connected(a, b)
    const sockets = await Promise.all(Array.from({ length: 50 }, () => rawSocket(t, b.address)))
    for (const socket of sockets) socket.write(randomBytes(300))
    await until('all are closed', () => sockets.every(({ closed }) => closed))
    await a.transport.call(b.id, bytes('x'), within(5000))
    assert.equal(a.transport.stats().peers[0]!.reconnects, 0)
    assert.deepEqual(b.messages, [])
  })
}

/** A stranger that knows the handshake; what he sends then is up to the test. */
async function insider(t: TestContext, b: TestNode, name = 'evil') {
  const socket = await rawSocket(t, b.address)
  const hello = { ...b.hello, name, runId: `${name}-run` }
  const greeting = {
    minVersion: 1,
    maxVersion: 1,
    lane: 'control',
    hello,
    to: '',
    nonce: 'n',
    echo: '',
  } as const
  const sendFrame = (kind: number, payload: Uint8Array) =>
    socket.write(Buffer.concat(frames.frame(kind, (writer) => writer.bytes(payload)).pieces))
  socket.write(MAGIC)
  const { pieces } = frames.frame(KIND.hello, (writer) =>
    writeGreeting(writer, { ...greeting, maxPayloadBytes: 1e6 }),
  )
  socket.write(Buffer.concat(pieces))
  const header = MAGIC.length + 9
  await until('the welcome is there', () => Buffer.concat(socket.got).length > header)
  const welcome = readGreeting(new Reader(Buffer.concat(socket.got).subarray(header)))
  const ready = { echo: welcome.nonce, last: hello.last }
  socket.write(Buffer.concat(frames.frame(KIND.ready, (writer) => writeReady(writer, ready)).pieces))
  await until('b knows it', () => b.transport.stats().connections > 0)
  return { socket, sendFrame }
}

test('P05: a peer that sends a malformed message is cut off; the node lives, and its Raft has heard nothing', async (t) => {
  const b = await startNode(t, 'b', plain)
  for (const [kind, payload] of [
    [KIND.message, Buffer.from('0163', 'hex')],
    [KIND.message, Buffer.alloc(0)],
    [KIND.call, Buffer.alloc(0)],
    [KIND.answer, Buffer.from('0900', 'hex')],
    [KIND.received, Buffer.from('05', 'hex')],
    [KIND.hello, Buffer.from('01', 'hex')],
    [77, Buffer.from('01', 'hex')],
  ] as const) {
    const malformed = b.transport.stats().malformed
    const { socket, sendFrame } = await insider(t, b)
    sendFrame(kind, payload)
    await until('it is cut off', () => socket.closed)
    assert.equal(b.transport.stats().malformed, malformed + 1)
  }
  assert.deepEqual(b.messages, [])
})

test('P05: frames of a member, damaged in every way with sound checksums, stop nothing', async (t) => {
  const b = await startNode(t, 'b', plain)
  const random = seeded(7)
  const below = (n: number) => Math.floor(random() * n)
  const sound = [heartbeat(3), entries(4, 3, 40)].map((message) => {
    const { pieces } = frames.frame(KIND.message, (writer) => writeMessage(writer, message))
    return Buffer.concat(pieces).subarray(9)
  })
  for (let session = 0; session < 40; session++) {
    const { socket, sendFrame } = await insider(t, b)
    for (let n = 0; n < 20; n++) {
      const payload = Buffer.from(sound[below(sound.length)]!)
      for (let times = below(3); times > 0; times--) payload[below(payload.length)] = below(256)
      sendFrame(below(10) === 0 ? below(12) : KIND.message, payload.subarray(0, payload.length - below(3)))
    }
    socket.end()
    await until('it is over', () => socket.closed)
  }
  const [a] = [await startNode(t, 'a', plain)]
  introduce(a, b)
  await connected(a, b)
  for (const { message } of b.messages) {
    if (message.type !== 'appendEntries') continue
    for (const [at, { index }] of message.entries.entries()) assert.equal(index, message.prevIndex + 1 + at)
  }
})

test('P03: a length of four gigabytes is refused, not given memory', async (t) => {
  const b = await startNode(t, 'b', plain)
  const before = process.memoryUsage().arrayBuffers
  const { socket } = await insider(t, b)
  const header = Buffer.alloc(9)
  header.writeUInt32LE(0xffffffff, 0)
  socket.write(header)
  await until('it is cut off', () => socket.closed)
  assert.ok(process.memoryUsage().arrayBuffers - before < 16 * 1024 * 1024)
})

test('H76: who calls on and on and never reads the answers is cut off', async (t) => {
  const b = await startNode(t, 'b', { ...plain, maxPayloadBytes: 1024 * 1024, bulkQueueBytes: 1024 * 1024 })
  b.answer = () => Promise.resolve(Buffer.alloc(500_000))
  const { socket, sendFrame } = await insider(t, b)
  socket.pause()
  let id = 0
  const ask = setInterval(() => {
    for (let n = 0; n < 20; n++) sendFrame(KIND.call, Buffer.from([(id = (id % 100) + 1)]))
  }, 5)
  t.after(() => clearInterval(ask))
  await until('it is cut off', () => b.transport.stats().connections === 0)
})

test('a node takes so many connections of strangers that know the secret, and no more', async (t) => {
  const b = await startNode(t, 'b', { ...plain, maxConnections: 8 })
  b.judge = () => ({ accept: 'guest' })
  for (let n = 0; n < 30; n++) await insider(t, b, `guest-${n}`)
  await until('the others are closed', () => b.transport.stats().connections <= 8)
})

test('a peer that is there under the same name and address through it all is never disturbed', async (t) => {
  const [a, b] = [
    await startNode(t, 'a', plain),
    await startNode(t, 'b', { ...plain, maxUnauthenticated: 4 }),
  ]
  introduce(a, b)
  await connected(a, b)
  const random = seeded(1)
  for (let n = 0; n < 100; n++) {
    const socket = await rawSocket(t, b.address)
    socket.write(
      Buffer.from(Array.from({ length: Math.floor(random() * 40) }, () => Math.floor(random() * 256))),
    )
    a.transport.send(b.id, heartbeat(n + 1))
  }
  await until('all messages have come', () => b.messages.length === 100)
  assert.equal(a.transport.stats().peers[0]!.reconnects, 0)
})
