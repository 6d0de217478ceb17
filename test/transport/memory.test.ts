// The transport in memory: the same port as over TCP, under a clock that the test turns and faults that it makes.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { Caller, Hello, Introduction, Transport, TransportNotice, Verdict } from '../../core/ports.ts'
import type { Message } from '../../core/raft/message.ts'
import { MemoryNetwork, memoryTransport } from '../../core/transport/memory.ts'
import { TestClock } from '../node/held.ts'
import { bytes, entries, heartbeat, text } from './nodes.ts'

interface MemoryNode {
  readonly id: string
  readonly address: string
  readonly transport: Transport
  hello: Hello
  judge: (introduction: Introduction) => Verdict
  answer: (from: Caller, question: Uint8Array) => Promise<Uint8Array>
  readonly messages: { readonly from: string; readonly message: Message; readonly atMs: number }[]
  readonly notices: TransportNotice[]
  readonly lost: string[]
}

class World {
  readonly clock = new TestClock()
  readonly network = new MemoryNetwork(this.clock)

  async start(name: string, runId = `${name}-1`): Promise<MemoryNode> {
    const address = `${name}:4100`
    const transport = memoryTransport(this.network, address)
    const last = { index: 0, term: 0 }
    const node: MemoryNode = {
      id: `${name}/x`,
      address,
      transport,
      hello: {
        name,
        incarnation: 'x',
        address,
        clusterName: 'test',
        clusterId: '',
        runId,
        previousRunId: '',
        last,
      },
      judge: () => ({ accept: 'member' }),
      answer: (_from, question) => Promise.resolve(question),
      messages: [],
      notices: [],
      lost: [],
    }
    await transport.listen({
      hello: () => node.hello,
      acknowledged: () => ({ term: 0, upTo: new Map() }),
      judge: (introduction) => node.judge(introduction),
      message: (from, message) => node.messages.push({ from, message, atMs: this.clock.nowMs }),
      answer: (from, question) => node.answer(from, question),
      peerLost: (id) => node.lost.push(id),
      tell: (notice) => node.notices.push(notice),
    })
    return node
  }

  async trio(): Promise<readonly [MemoryNode, MemoryNode, MemoryNode]> {
    const nodes = [await this.start('a'), await this.start('b'), await this.start('c')] as const
    for (const { transport } of nodes) transport.setPeers(nodes)
    await this.clock.settle()
    return nodes
  }

  within(ms: number, signal?: AbortSignal) {
    return { deadlineMs: this.clock.nowMs + ms, signal }
  }
}

test('messages and calls pass, and nothing is shared', async () => {
  const world = new World()
  const [a, b] = await world.trio()
  const sent = entries(0, 2, 100) as Message & { type: 'appendEntries' }
  a.transport.send(b.id, sent)
  await world.clock.settle()
  const got = b.messages[0]!.message as typeof sent
  assert.deepEqual(Buffer.from(got.entries[1]!.data), sent.entries[1]!.data)
  sent.entries[1]!.data[0] = 99
  assert.notEqual(got.entries[1]!.data[0], 99)
  b.answer = async (from, question) => bytes(`${from.id} ${from.isMember} ${text(question)}`)
  const call = a.transport.call(b.id, bytes('why'), world.within(1000))
  await world.clock.settle()
  assert.equal(text(await call), 'a/x true why')
  assert.ok(a.transport.stats().peers.every(({ connected }) => connected))
})

test('what is sent takes as long as the hook says, and keeps its order on its lane', async () => {
  const world = new World()
  const [a, b] = await world.trio()
  const delays = [50, 10, 0]
  world.network.hooks = { delayMs: (_from, _to, lane) => (lane === 'bulk' ? 200 : (delays.shift() ?? 0)) }
  const start = world.clock.nowMs
  a.transport.send(b.id, entries(0, 1, 10))
  for (let round = 1; round <= 3; round++) a.transport.send(b.id, heartbeat(round))
  await world.clock.advance(300)
  assert.deepEqual(
    b.messages.map(({ message, atMs }) => [(message as { round: number }).round, atMs - start]),
    [
      [1, 50],
      [2, 50],
      [3, 50],
      [0, 200],
    ],
  )
})

test('a cut is silence: nothing passes, nobody is told; mended, all goes on', async () => {
  const world = new World()
  const [a, b, c] = await world.trio()
  world.network.partition([a.id], [b.id, c.id])
  a.transport.send(b.id, heartbeat(1))
  b.transport.send(c.id, heartbeat(2))
  const call = a.transport.call(b.id, bytes('x'), world.within(100))
  const failed = assert.rejects(call, { code: 'TIMEOUT', outcome: 'unknown' })
  await world.clock.advance(200)
  await failed
  assert.deepEqual([b.messages.length, c.messages.length], [0, 1])
  world.network.heal()
  a.transport.send(b.id, heartbeat(3))
  await world.clock.settle()
  assert.equal(b.messages.length, 1)
  assert.deepEqual([...a.lost, ...b.lost, ...c.lost], [])
  // One direction only.
  world.network.cut(a.id, b.id)
  a.transport.send(b.id, heartbeat(4))
  b.transport.send(a.id, heartbeat(5))
  await world.clock.settle()
  assert.deepEqual([b.messages.length, a.messages.length], [1, 1])
})

test('messages, questions and answers are lost as the hook says', async () => {
  const world = new World()
  const [a, b] = await world.trio()
  let asked = 0
  b.answer = (_from, question) => (asked++, Promise.resolve(question))
  for (const lost of ['message', 'question', 'answer'] as const) {
    world.network.hooks = {
      loses: (from, _to, what) => what === lost && from !== (lost === 'answer' ? a.id : b.id),
    }
    a.transport.send(b.id, heartbeat(1))
    const call = a.transport.call(b.id, bytes('x'), world.within(100)).then(
      () => 'answered',
      (error: { outcome: string }) => error.outcome,
    )
    await world.clock.advance(200)
    assert.equal(await call, lost === 'message' ? 'answered' : 'unknown')
  }
  assert.deepEqual([b.messages.length, asked], [2, 2])
})

test('whoever closes is lost to all who dial it, and found again when it is back', async () => {
  const world = new World()
  const [a, b, c] = await world.trio()
  b.answer = () => new Promise(() => {})
  const call = assert.rejects(a.transport.call(b.id, bytes('x'), world.within(1000)), { outcome: 'unknown' })
  await world.clock.settle()
  await b.transport.close()
  await world.clock.settle()
  await call
  assert.deepEqual([a.lost, c.lost], [['b/x'], ['b/x']])
  await assert.rejects(a.transport.call(b.id, bytes('x'), world.within(1000)), { outcome: 'not-applied' })
  await assert.rejects(b.transport.call(a.id, bytes('x'), world.within(1000)), { code: 'STOPPED' })
  const again = await world.start('b', 'b-2')
  again.transport.setPeers([a, c])
  await world.clock.advance(100)
  a.transport.send(b.id, heartbeat(1))
  await world.clock.settle()
  assert.equal(again.messages.length, 1)
  assert.deepEqual([a.lost, c.lost], [['b/x'], ['b/x']], 'once')
})

test('a reset ends calls with an unknown outcome, and nobody is lost', async () => {
  const world = new World()
  const [a, b] = await world.trio()
  b.answer = () => new Promise(() => {})
  const call = assert.rejects(a.transport.call(b.id, bytes('x'), world.within(1000)), {
    code: 'CONNECTION_LOST',
    outcome: 'unknown',
  })
  await world.clock.settle()
  world.network.reset(a.id, b.id)
  await world.clock.settle()
  await call
  assert.deepEqual(a.lost, [])
  assert.equal(a.transport.stats().peers[0]!.reconnects, 1)
})

test('who closes behind a cut is lost when the news can pass', async () => {
  const world = new World()
  const [a, b, c] = await world.trio()
  world.network.partition([a.id, c.id], [b.id])
  await b.transport.close()
  await world.clock.advance(1000)
  assert.deepEqual(a.lost, [])
  world.network.heal()
  await world.clock.settle()
  assert.deepEqual([a.lost, c.lost], [['b/x'], ['b/x']])
})

test('the handshake judges as over TCP: refusals are told once, guests do not reach Raft, runs are seen', async () => {
  const world = new World()
  const [a, b] = [await world.start('a'), await world.start('b')]
  b.judge = () => ({ refuse: 'REMOVED', message: 'a/x was removed' })
  a.transport.setPeers([b])
  await world.clock.advance(500)
  assert.deepEqual(
    a.notices.map(({ kind, reason }) => `${kind} ${reason}`),
    ['refusedBy REMOVED'],
  )
  assert.ok(b.transport.stats().refused > 5)
  b.judge = () => ({ accept: 'guest' })
  await world.clock.advance(100)
  a.transport.send(b.id, heartbeat(1))
  await world.clock.settle()
  assert.deepEqual(b.messages, [])
  const runs: string[] = []
  b.judge = ({ otherRuns }) => {
    runs.push(...otherRuns.map(({ runId }) => runId))
    return { accept: 'member' }
  }
  a.hello = { ...a.hello, runId: 'a-2' }
  const call = a.transport.call({ address: b.address }, bytes('x'), world.within(1000))
  await world.clock.settle()
  await call
  assert.deepEqual(runs, ['a-1'])
})

test('introduced anew, both sides judge again, and no call is cut off', async () => {
  const world = new World()
  const [a, b] = [await world.start('a'), await world.start('b')]
  b.judge = () => ({ accept: 'guest' })
  a.transport.setPeers([b])
  await world.clock.settle()
  let finish = () => {}
  b.answer = (_from, question) => new Promise((resolve) => (finish = () => resolve(question)))
  const call = a.transport.call(b.id, bytes('x'), world.within(4000))
  await world.clock.settle()
  b.judge = () => ({ accept: 'member' })
  b.transport.reintroduce(a.id)
  await world.clock.advance(200)
  finish()
  await world.clock.advance(200)
  assert.equal(text(await call), 'x')
  a.transport.send(b.id, heartbeat(1))
  await world.clock.settle()
  assert.equal(b.messages.length, 1)
  assert.deepEqual(a.lost, [])
})

test('the same story, told twice, happens the same way', async () => {
  const story = async () => {
    const world = new World()
    let state = 1
    const next = () => (state = (state * 48_271) % 2_147_483_647)
    world.network.hooks = { delayMs: () => next() % 40, loses: () => next() % 5 === 0 }
    const [a, b, c] = await world.trio()
    await world.clock.advance(1000)
    for (let round = 1; round <= 50; round++) {
      a.transport.send(b.id, heartbeat(round))
      b.transport.send(c.id, entries(round, 1, 10))
      if (round === 20) world.network.reset(a.id, b.id)
      await world.clock.advance(next() % 20)
    }
    await world.clock.advance(1000)
    return JSON.stringify([b.messages, c.messages])
  }
  const first = await story()
  assert.ok(first.length > 1000)
  assert.equal(await story(), first)
})
