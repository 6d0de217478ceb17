// Two nodes that know each other talk: messages, calls, and what becomes of both when a connection goes.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { ConcordError } from '../../core/errors.ts'
import {
  bytes,
  connected,
  entries,
  heartbeat,
  introduce,
  proxyTo,
  startNode,
  text,
  until,
  within,
} from './nodes.ts'

test('messages arrive at whom they are for, in order, and say from whom', async (t) => {
  const [a, b] = [await startNode(t, 'a'), await startNode(t, 'b')]
  introduce(a, b)
  await connected(a, b)
  for (let round = 1; round <= 100; round++) a.transport.send(b.id, heartbeat(round))
  await until('all have come', () => b.messages.length === 100)
  assert.deepEqual(
    b.messages,
    Array.from({ length: 100 }, (_, at) => ({ from: 'a/x', message: heartbeat(at + 1) })),
  )
  assert.equal(a.messages.length, 0)
})

test('entries come out as they went in, large ones too', async (t) => {
  const [a, b] = [await startNode(t, 'a', { bulkQueueBytes: 32 * 1024 * 1024 }), await startNode(t, 'b')]
  introduce(a, b)
  await connected(a, b)
  const sent = [entries(0, 1, 15 * 1024 * 1024), entries(1, 1000, 300), entries(1001, 3, 400_000)]
  for (const message of sent) a.transport.send(b.id, message)
  await until('all have come', () => b.messages.length === 3)
  for (const [at, { message }] of b.messages.entries()) {
    const [found, expected] = [message, sent[at]!] as unknown as { entries: { data: Uint8Array }[] }[]
    assert.equal(found!.entries.length, expected!.entries.length)
    for (const [n, entry] of found!.entries.entries()) {
      assert.equal(Buffer.compare(entry.data, expected!.entries[n]!.data), 0)
    }
  }
})

test('a call is answered, by id and by address', async (t) => {
  const [a, b] = [await startNode(t, 'a'), await startNode(t, 'b')]
  introduce(a, b)
  await connected(a, b)
  b.answer = async (from, question) => bytes(`${from.id} of ${from.hello.clusterId} asked ${text(question)}`)
  assert.equal(text(await a.transport.call(b.id, bytes('why'), within(5000))), 'a/x of c1 asked why')
  const stranger = await startNode(t, 'c')
  assert.equal(
    text(await stranger.transport.call({ address: b.address }, bytes('who'), within(5000))),
    'c/x of c1 asked who',
  )
})

test('a thousand calls at once, small and large, each get their own answer', async (t) => {
  const [a, b] = [await startNode(t, 'a'), await startNode(t, 'b')]
  introduce(a, b)
  await connected(a, b)
  const questions = Array.from({ length: 1000 }, (_, at) =>
    bytes(`${at} `.repeat(at % 50 === 0 ? 30_000 : 1)),
  )
  const answers = await Promise.all(questions.map((each) => a.transport.call(b.id, each, within(9000))))
  for (const [at, answer] of answers.entries()) assert.deepEqual(Buffer.from(answer), questions[at])
})

test('a message to nobody, or without a connection, is dropped and counted', async (t) => {
  const a = await startNode(t, 'a')
  a.transport.send('nobody/x', heartbeat(1))
  a.transport.setPeers([{ id: 'b/x', address: '127.0.0.1:1' }])
  a.transport.send('b/x', heartbeat(1))
  assert.equal(a.transport.stats().peers[0]!.dropped, 1)
})

test('what cannot be sent is certainly not applied', async (t) => {
  const a = await startNode(t, 'a')
  const isNotApplied = (code: string) => (error: unknown) =>
    (ConcordError.is(error) && error.code === code && error.outcome === 'not-applied') ||
    assert.fail(String(error))
  await assert.rejects(a.transport.call('nobody/x', bytes('x'), within(5000)), isNotApplied('CANNOT_CONNECT'))
  await assert.rejects(
    a.transport.call({ address: '127.0.0.1:1' }, bytes('x'), within(5000)),
    isNotApplied('CANNOT_CONNECT'),
  )
  const b = await startNode(t, 'b')
  introduce(a, b)
  await connected(a, b)
  const huge = Buffer.alloc(20 * 1024 * 1024)
  await assert.rejects(a.transport.call(b.id, huge, within(5000)), isNotApplied('BATCH_TOO_LARGE'))
  await assert.rejects(a.transport.call(b.id, bytes('x'), within(5000, AbortSignal.abort('why'))), {
    name: 'AbortError',
    outcome: 'not-applied',
    cause: 'why',
  })
})

test('H31: a call whose answer is lost has an unknown outcome, and is not sent again', async (t) => {
  const [a, b] = [await startNode(t, 'a'), await startNode(t, 'b')]
  const proxy = await proxyTo(t, b.address)
  a.transport.setPeers([{ id: b.id, address: proxy.address }])
  await connected(a, b)
  let asked = 0
  b.answer = () => new Promise(() => asked++)
  const call = a.transport.call(b.id, bytes('put'), within(60_000))
  await until('the question has come', () => asked === 1)
  proxy.cut()
  await assert.rejects(call, { code: 'CONNECTION_LOST', outcome: 'unknown', retryable: false })
  await connected(a, b)
  assert.equal(asked, 1)
})

test('a call that is given up after it was sent has an unknown outcome; one that still waits has none', async (t) => {
  const [a, b] = [await startNode(t, 'a', { controlQueueBytes: 64 * 1024 * 1024 }), await startNode(t, 'b')]
  introduce(a, b)
  await connected(a, b)
  b.answer = () => new Promise(() => {})
  await assert.rejects(a.transport.call(b.id, bytes('x'), within(50)), {
    code: 'TIMEOUT',
    outcome: 'unknown',
  })
  const controller = new AbortController()
  const aborted = a.transport.call(b.id, bytes('x'), within(5000, controller.signal))
  await until('it has come', () => a.transport.stats().peers[0]!.queuedBytes === 0)
  controller.abort('enough')
  await assert.rejects(aborted, { name: 'AbortError', outcome: 'unknown' })

  // Behind what a slow peer has not taken yet.
  const proxy = await proxyTo(t, b.address)
  proxy.bytesPerSecond = 100_000
  a.transport.setPeers([{ id: b.id, address: proxy.address }])
  await connected(a, b)
  const large = [1, 2, 3].map(() => a.transport.call(b.id, Buffer.alloc(5_000_000), within(300)))
  const [first, , last] = await Promise.allSettled(large)
  assert.equal((first as PromiseRejectedResult).reason.outcome, 'unknown')
  assert.equal((last as PromiseRejectedResult).reason.outcome, 'not-applied')
})

test('a handler that fails is told as a failure of unknown outcome, without its insides', async (t) => {
  const [a, b] = [await startNode(t, 'a'), await startNode(t, 'b')]
  introduce(a, b)
  await connected(a, b)
  b.answer = () => Promise.reject(new Error('the insides'))
  await assert.rejects(a.transport.call(b.id, bytes('x'), within(5000)), (error: ConcordError) => {
    assert.equal(error.code, 'INTERNAL')
    assert.equal(error.outcome, 'unknown')
    assert.doesNotMatch(error.message, /insides/)
    return true
  })
})

test('H76: whoever answers too many calls refuses more, and they are not applied', async (t) => {
  const [a, b] = [await startNode(t, 'a'), await startNode(t, 'b')]
  introduce(a, b)
  await connected(a, b)
  const answers: (() => void)[] = []
  b.answer = (_from, question) => new Promise((resolve) => answers.push(() => resolve(question)))
  const calls = Array.from({ length: 1030 }, () => a.transport.call(b.id, bytes('x'), within(9000)))
  const settled = Promise.allSettled(calls)
  await until('as many as are served', () => answers.length === 1024)
  await until('all have been sent', () => a.transport.stats().peers[0]!.queuedBytes === 0)
  await assert.rejects(a.transport.call(b.id, bytes('y'), within(5000)), {
    code: 'OVERLOADED',
    outcome: 'not-applied',
  })
  for (const answer of answers) answer()
  const outcomes = await settled
  assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1024)
})

test('close ends calls: sent is unknown, not sent is not applied, later is STOPPED', async (t) => {
  const [a, b] = [await startNode(t, 'a'), await startNode(t, 'b')]
  introduce(a, b)
  await connected(a, b)
  let asked = 0
  b.answer = () => new Promise(() => asked++)
  const sent = a.transport.call(b.id, bytes('x'), within(60_000))
  await until('it has come', () => asked === 1)
  const unsent = a.transport.call(b.id, bytes('y'), within(60_000))
  await Promise.all([
    a.transport.close(),
    assert.rejects(sent, { outcome: 'unknown' }),
    assert.rejects(unsent, { code: 'STOPPED', outcome: 'not-applied' }),
  ])
  await assert.rejects(a.transport.call(b.id, bytes('z'), within(5000)), { code: 'STOPPED' })
  await a.transport.close()
  assert.equal(a.transport.stats().connections, 0)
})

test('a peer that is not in the list is answered over its own connection', async (t) => {
  const [a, b] = [await startNode(t, 'a'), await startNode(t, 'b')]
  a.transport.setPeers([b])
  await connected(a, b)
  a.transport.send(b.id, heartbeat(1))
  await until('it has come', () => b.messages.length === 1)
  b.transport.send(a.id, { type: 'removed', term: 4, index: 9 })
  await until('the answer has come', () => a.messages.length === 1)
  assert.deepEqual(a.messages, [{ from: b.id, message: { type: 'removed', term: 4, index: 9 } }])
  assert.equal(text(await b.transport.call(a.id, bytes('x'), within(5000))), 'x')
})

test('H76: the queue to a slow peer is bounded; what does not fit is dropped and counted', async (t) => {
  const b = await startNode(t, 'b')
  const a = await startNode(t, 'a', { bulkQueueBytes: 1024 * 1024 })
  const proxy = await proxyTo(t, b.address)
  proxy.bytesPerSecond = 50_000
  a.transport.setPeers([{ id: b.id, address: proxy.address }])
  await connected(a, b)
  // Snapshot pieces: entries that are under way would not be sent twice.
  for (let n = 0; n < 400; n++) {
    for (let term = 1; term <= 2; term++)
      a.transport.send(b.id, { ...entries(0, 1, 64 * 1024), term: 3 + n * 2 + term })
    if (n % 50 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  const [stats] = a.transport.stats().peers
  assert.ok(stats!.queuedBytes <= 1024 * 1024 + 70_000, `${stats!.queuedBytes} bytes wait`)
  assert.ok(stats!.dropped > 500, `${stats!.dropped} dropped`)
})

test('a peer may be dialled elsewhere than at the address by which it is known', async (t) => {
  const b = await startNode(t, 'b')
  const known = { 'b.somewhere:1': b.address }
  const dial = (address: string): string => known[address as keyof typeof known] ?? address
  const a = await startNode(t, 'a', { dial })
  a.transport.setPeers([{ id: b.id, address: 'b.somewhere:1' }])
  b.transport.setPeers([{ id: a.id, address: a.address }])
  await connected(a, b)
  assert.equal(text(await a.transport.call({ address: 'b.somewhere:1' }, bytes('who'), within(5000))), 'who')
})
