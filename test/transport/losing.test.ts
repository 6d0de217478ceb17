// Connections end: by a reset, in silence, because somebody is gone. What is noticed, how soon, and what it means.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'

import type { Clock } from '../../core/ports.ts'
import { tcpTransport } from '../../core/transport/tcp.ts'
import {
  bytes,
  connected,
  heartbeat,
  introduce,
  isConnected,
  proxyTo,
  startNode,
  type TestNode,
  until,
  within,
  world,
} from './nodes.ts'

async function pair(t: TestContext, options = {}) {
  const [a, b] = [await startNode(t, 'a', options), await startNode(t, 'b')]
  const proxy = await proxyTo(t, b.address)
  a.transport.setPeers([{ id: b.id, address: proxy.address }])
  await connected(a, b)
  return { a, b, proxy }
}

const statsOf = (node: TestNode) => node.transport.stats().peers[0]!
const healthy = (node: TestNode) => until('a ping has come back', () => statsOf(node).rttMs !== null)

test('a peer whose process is gone is lost: its connection is reset and the next one refused', async (t) => {
  const [a, b, c] = [await startNode(t, 'a'), await startNode(t, 'b'), await startNode(t, 'c')]
  introduce(a, b, c)
  await Promise.all([a, c].map((node) => connected(node, b)))
  await b.transport.close()
  await until('both have noticed', () => a.lost.length > 0 && c.lost.length > 0)
  await until('a has tried again', () => a.notices.some(({ kind }) => kind === 'failed'))
  assert.deepEqual([a.lost, c.lost], [['b/x'], ['b/x']])
})

test('a peer that ends its connections and takes new ones is not lost', async (t) => {
  const { a, b, proxy } = await pair(t)
  for (let times = 1; times <= 3; times++) {
    proxy.cut()
    await until('a is connected anew', () => statsOf(a).reconnects === times && isConnected(a, b))
  }
  assert.deepEqual(a.lost, [])
  a.transport.send(b.id, heartbeat(9))
  await until('messages pass again', () => b.messages.length > 0)
})

test('a peer that falls silent is not lost, and its connection is dead soon', async (t) => {
  const { a, b, proxy } = await pair(t, { pingMs: 20, deadMs: 100 })
  await healthy(a)
  proxy.silent = true
  await until('a has given the connection up', () => !isConnected(a, b))
  assert.match(a.notices.at(-1)!.message, /nothing was heard/)
  await proxy.stop()
  await until('a is refused', () => a.notices.some(({ message }) => message.includes('ECONNREFUSED')))
  assert.deepEqual(a.lost, [], 'it was silent first: whether it lives nobody knows')
})

test('a half-open connection is dead for whoever was dialled, too', async (t) => {
  const [a, b] = [
    await startNode(t, 'a', { pingMs: 20, deadMs: 100 }),
    await startNode(t, 'b', { pingMs: 20, deadMs: 100 }),
  ]
  const proxy = await proxyTo(t, b.address)
  a.transport.setPeers([{ id: b.id, address: proxy.address }])
  await connected(a, b)
  await until('b has let both in', () => b.transport.stats().connections === 2)
  proxy.silent = true
  await until('b has nothing left', () => b.transport.stats().connections === 0)
})

test('a peer that nobody ever reached is not lost, however often it refuses', async (t) => {
  const a = await startNode(t, 'a', { maxBackoffMs: 60 })
  const port = createServer().listen(0, '127.0.0.1')
  await once(port, 'listening')
  const { port: free } = port.address() as { port: number }
  await new Promise((resolve) => port.close(resolve))
  a.transport.setPeers([{ id: 'b/x', address: `127.0.0.1:${free}` }])
  await until('a has said so', () => a.notices.length > 0)
  const dials = await dialsOf(t, free, 5)
  assert.ok(dials >= 5)
  assert.deepEqual(a.lost, [])
  assert.equal(a.notices.filter(({ message }) => message.includes('ECONNREFUSED')).length, 1, 'said once')
})

/** Waits for so many dials there, each ended at once. */
async function dialsOf(t: TestContext, port: number, count: number): Promise<number> {
  let dials = 0
  const server = createServer((socket: Socket) => {
    dials++
    socket.on('error', () => {}).destroy()
  })
  t.after(() => server.close())
  server.listen(port, '127.0.0.1')
  await until(`${count} dials`, () => dials >= count)
  return dials
}

test('the pauses between attempts double, with chance in them, and begin anew once the peer has lived', async (t) => {
  const pauses: number[] = []
  let chance = 0
  const clock = {
    ...world.clock,
    after: (delayMs: number, run: () => void) => {
      // Shorter than any timer but those of the pauses.
      if (delayMs <= 50 * 2 ** 5 && delayMs % 1 !== 0) pauses.push(delayMs)
      return world.clock.after(Math.min(delayMs, 5000), run)
    },
  }
  // Never 0 or a half: the pauses are told from other timers by their fractions.
  const entropy = { ...world.entropy, random: () => ((chance += 0.123) % 0.9) + 0.0501 }
  const b = await startNode(t, 'b')
  const a = tcpTransport(
    {
      listen: '127.0.0.1:0',
      security: { kind: 'secret', secret: 'another secret than b has', clusterName: 'test' },
      maxBackoffMs: 200,
      minBackoffMs: 10,
    },
    { clock, entropy },
  )
  t.after(() => a.close())
  const { hello } = await startNode(t, 'a')
  await a.listen({
    hello: () => hello,
    acknowledged: () => ({ term: 0, upTo: new Map() }),
    judge: () => ({ accept: 'member' }),
    message: () => {},
    answer: () => Promise.resolve(bytes('')),
    peerLost: () => {},
    tell: () => {},
  })
  a.setPeers([b])
  await until('it has tried often', () => pauses.length >= 8)
  for (const [at, pause] of pauses.slice(0, 8).entries()) {
    const full = Math.min(200, 10 * 2 ** at)
    assert.ok(pause >= full / 2 && pause < full, `pause ${at} is ${pause} ms of ${full}`)
  }
})

test('H08: a node that stood still itself takes nobody for dead', async (t) => {
  const PING_MS = 12_345
  let stoodStillMs = 0
  let looks: (() => void)[] = []
  const clock: Clock = {
    ...world.clock,
    monotonicMs: () => world.clock.monotonicMs() + stoodStillMs,
    after: (delayMs, run, options) => {
      if (delayMs !== PING_MS) return world.clock.after(delayMs, run, options)
      looks.push(run)
      return undefined
    },
  }
  const lookAround = () => {
    const now = looks
    looks = []
    for (const look of now) look()
  }
  const options = { clock, pingMs: PING_MS, deadMs: 20_000 }
  const [a, b] = [await startNode(t, 'a', options), await startNode(t, 'b', options)]
  introduce(a, b)
  await Promise.all([connected(a, b), connected(b, a)])
  await until('each has let the other in', () =>
    [a, b].every((one) => one.transport.stats().connections === 4),
  )
  assert.equal(looks.length, 8, 'four connections, and both ends look')
  // Something comes over each of them.
  const talk = () =>
    Promise.all(
      [bytes('small'), Buffer.alloc(50_000)].flatMap((question) => [
        a.transport.call(b.id, question, within(5000 + stoodStillMs)),
        b.transport.call(a.id, question, within(5000 + stoodStillMs)),
      ]),
    )
  stoodStillMs = 300_000
  lookAround()
  await talk()
  lookAround()
  await talk()
  for (const node of [a, b]) assert.deepEqual([statsOf(node).reconnects, statsOf(node).connected], [0, true])
})

test('a peer that takes connections only to end them is dialled less and less often', async (t) => {
  const pauses: number[] = []
  const clock: Clock = {
    ...world.clock,
    after: (delayMs, run, options) => {
      // Only pauses have chance, and so a fraction, in them.
      if (delayMs % 1 !== 0) pauses.push(delayMs)
      return world.clock.after(delayMs, run, options)
    },
  }
  const [a, b] = [await startNode(t, 'a', { clock, pingMs: 60_000 }), await startNode(t, 'b')]
  const proxy = await proxyTo(t, b.address)
  b.judge = () => {
    setTimeout(() => proxy.cut(), 30)
    return { accept: 'member' }
  }
  a.transport.setPeers([{ id: b.id, address: proxy.address }])
  await until('a long pause', () => pauses.some((pause) => pause >= 400))
  // A pause is between a half and the whole of 50, 100, 200 ms …; each of the two connections has one of each.
  for (const full of [50, 100, 200, 400]) {
    const alike = pauses.filter((pause) => pause >= full / 2 && pause < full)
    assert.ok(alike.length <= 2, `${alike.length} pauses of ${full} ms: ${pauses.join(', ')}`)
  }
})

test('whoever is no peer any more is not dialled, and hears nothing', async (t) => {
  const { a, b } = await pair(t)
  a.transport.setPeers([])
  await until('b has no connection', () => b.transport.stats().connections === 0)
  assert.deepEqual(a.transport.stats().peers, [])
  a.transport.send(b.id, heartbeat(1))
  await assert.rejects(a.transport.call(b.id, bytes('x'), within(5000)), { code: 'CANNOT_CONNECT' })
  assert.deepEqual(a.lost, [])
})

test('what is told of a peer: traffic, round trip, reconnects', async (t) => {
  const { a, b, proxy } = await pair(t)
  await healthy(a)
  await a.transport.call(b.id, Buffer.alloc(100_000), within(5000))
  const before = statsOf(a)
  assert.equal(before.id, b.id)
  assert.equal(before.address, proxy.address)
  assert.ok(before.sentBytes > 100_000 && before.receivedBytes > 100_000)
  assert.ok(before.rttMs! >= 0 && before.rttMs! < 5000)
  proxy.cut()
  await until('a is connected anew', () => statsOf(a).reconnects === 1 && isConnected(a, b))
  assert.ok(statsOf(a).sentBytes > before.sentBytes, 'a new connection goes on counting')
})

test('a connection to a mere address is closed when nobody calls any more, and dialled again when somebody does', async (t) => {
  const [a, b] = [await startNode(t, 'a', { idleMs: 50 }), await startNode(t, 'b')]
  await a.transport.call({ address: b.address }, bytes('x'), within(5000))
  await until('it is closed', () => b.transport.stats().connections === 0)
  await a.transport.call({ address: b.address }, bytes('x'), within(5000))
  // Not while an answer is waited for.
  b.answer = () => new Promise((resolve) => setTimeout(() => resolve(bytes('late')), 300))
  await a.transport.call({ address: b.address }, bytes('x'), within(5000))
})
