// A slow link: what is urgent does not wait behind what is large, and nothing large is sent twice.

import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'

import type { AppendEntries, Message } from '../../core/raft/message.ts'
import { UnderWay } from '../../core/transport/under-way.ts'
import { bytes, connected, entries, heartbeat, proxyTo, startNode, until, within } from './nodes.ts'

const MEGABIT = 1_000_000 / 8

async function slowPair(t: TestContext) {
  const [a, b] = [await startNode(t, 'a'), await startNode(t, 'b')]
  const proxy = await proxyTo(t, b.address)
  a.transport.setPeers([{ id: b.id, address: proxy.address }])
  await connected(a, b)
  proxy.bytesPerSecond = MEGABIT
  return { a, b, proxy }
}

test('H10: heartbeats, votes and small calls pass 4 MB of entries on a link of 1 Mbit/s', async (t) => {
  const { a, b } = await slowPair(t)
  const isHeartbeat = ({ message }: { message: Message }) =>
    message.type === 'appendEntries' && message.entries.length === 0
  // As long as it takes for half a minute of entries to be under way, and then ten heartbeats one by one.
  for (let n = 0; n < 4; n++) a.transport.send(b.id, entries(n * 4, 4, 256 * 1024))
  for (let round = 1; round <= 10; round++) {
    a.transport.send(b.id, heartbeat(round))
    await until(`heartbeat ${round}`, () => b.messages.filter(isHeartbeat).length === round)
    await a.transport.call(b.id, bytes('a small call'), within(5000))
  }
  a.transport.send(b.id, { type: 'timeoutNow', term: 3 })
  await until('a vote', () => b.messages.some(({ message }) => message.type === 'timeoutNow'))
  const others = b.messages.filter((each) => !isHeartbeat(each) && each.message.type !== 'timeoutNow')
  assert.equal(others.length, 0, 'none of the entries has come')
})

test('H10: results and votes do not wait behind calls that have not left yet, nor for room that these take', async (t) => {
  const { a, b, proxy } = await slowPair(t)
  let after = 0
  b.answer = () => {
    if (b.messages.length === 3) after++
    return Promise.resolve(bytes(''))
  }
  // More than the kernel and the proxy hold: what is behind waits in the queue of the transport.
  const calls: Promise<unknown>[] = []
  while (calls.length < 3000) {
    for (let n = 0; n < 200; n++) {
      calls.push(a.transport.call(b.id, Buffer.alloc(15_000), within(60_000)).catch((error: Error) => error))
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.ok(a.transport.stats().peers[0]!.queuedBytes > 900_000, 'the queue is full of calls')
  for (let round = 1; round <= 3; round++) {
    a.transport.send(b.id, { type: 'preVoteResult', term: 1, round, granted: true })
  }
  assert.equal(a.transport.stats().peers[0]!.dropped, 0)
  proxy.bytesPerSecond = undefined
  await Promise.all(calls)
  assert.deepEqual(
    b.messages.map(({ message }) => (message as { round: number }).round),
    [1, 2, 3],
  )
  assert.ok(after >= 40, `${after} calls came behind the results`)
})

test('H10: the entries themselves are not sent again while they are on their way', async (t) => {
  const { a, b, proxy } = await slowPair(t)
  for (let again = 0; again < 20; again++) {
    // What a leader does whose heartbeats overtake: it takes the entries for lost, and starts over.
    for (let n = 0; n < 4; n++) a.transport.send(b.id, entries(n * 4, 4, 64 * 1024))
    await new Promise((resolve) => setImmediate(resolve))
  }
  proxy.bytesPerSecond = undefined
  await until('the entries have come', () => b.messages.length >= 4)
  await a.transport.call(b.id, bytes('x'), within(5000))
  assert.deepEqual(
    b.messages.map(({ message }) => (message as AppendEntries).prevIndex),
    [0, 4, 8, 12],
  )
})

test('while nothing holds them up, heartbeats keep their place behind entries: none looks lost', async (t) => {
  const [a, b] = [await startNode(t, 'a'), await startNode(t, 'b')]
  a.transport.setPeers([b])
  await connected(a, b)
  for (let n = 0; n < 20; n++) {
    a.transport.send(b.id, entries(n, 1, 1000))
    a.transport.send(b.id, heartbeat(n + 1))
    await until('both have come', () => b.messages.length === 2 * (n + 1))
  }
  const kinds = b.messages.map(({ message }) => (message as AppendEntries).entries.length)
  assert.deepEqual(
    kinds,
    Array.from({ length: 40 }, (_, at) => (at % 2 === 0 ? 1 : 0)),
  )
})

// ------------------------------------------------------------------------------------ what is under way

const append = (prevIndex: number, count: number, term = 3): AppendEntries => ({
  ...(entries(prevIndex, count, 1) as AppendEntries),
  term,
})

test('what is under way: entries that were sent and not reported as received', () => {
  const underWay = new UnderWay()
  assert.equal(underWay.covers(append(0, 5)), false)
  underWay.add(append(0, 5), 100, 0)
  underWay.add(append(5, 5), 100, 1)
  assert.equal(underWay.covers(append(0, 5)), true)
  assert.equal(underWay.covers(append(3, 7)), true)
  assert.equal(underWay.covers(append(3, 8)), false, 'one entry is new')
  assert.equal(underWay.covers(append(3, 7, 4)), false, 'another term: it must be heard')
  assert.equal(underWay.covers(append(3, 0)), false, 'no entries: a heartbeat, or a notice of commitment')
  assert.deepEqual([underWay.bytes, underWay.sinceMs], [200, 0])
  assert.equal(underWay.received(1), true)
  assert.equal(underWay.covers(append(3, 7)), false, 'the first five have arrived, and may have been refused')
  assert.equal(underWay.covers(append(5, 5)), true)
  assert.deepEqual([underWay.bytes, underWay.sinceMs], [100, 1])
  assert.equal(underWay.received(2), true)
  assert.equal(underWay.covers(append(5, 5)), false)
  assert.equal(underWay.received(3), false, 'more than were sent')
})

test('a leader that goes back sends all that follows again', () => {
  const underWay = new UnderWay()
  underWay.add(append(100, 10), 1, 0)
  underWay.add(append(110, 10), 1, 0)
  // The follower has refused: it lacks entry 100. Those on their way will be refused too.
  underWay.add(append(50, 50), 1, 0)
  assert.equal(underWay.covers(append(100, 10)), false)
  underWay.add(append(100, 10), 1, 0)
  assert.equal(underWay.covers(append(50, 60)), true)
  underWay.received(2)
  assert.equal(underWay.covers(append(50, 60)), true, 'those that arrived were the ones before')
  underWay.received(3)
  assert.equal(underWay.covers(append(50, 60)), false)
  assert.equal(underWay.covers(append(100, 10)), true)
})
