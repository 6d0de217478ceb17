// Before anything else: who are you, whom did you want, and do we belong together?

import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { MalformedError, Reader, Writer } from '../../core/bytes.ts'
import type { Introduction, RefusalReason, Verdict } from '../../core/ports.ts'
import { FrameWriter, KIND, MAGIC } from '../../core/transport/frames.ts'
import {
  type Greeting,
  NoCommonVersion,
  readGreeting,
  readRefusal,
  writeGreeting,
  writeRefusal,
} from '../../core/transport/hello.ts'
import type { Security } from '../../core/transport/security.ts'
import {
  bytes,
  connected,
  heartbeat,
  introduce,
  isConnected,
  proxyTo,
  rawSocket,
  startNode,
  type TestNode,
  until,
  within,
} from './nodes.ts'

const plain: { security: Security } = { security: { kind: 'plain', insecure: false } }
const refuseAs = (refuse: RefusalReason, message: string) => (): Verdict => ({ refuse, message })

test('each side learns who the other is, which run, and how far its log goes', async (t) => {
  const [a, b] = [await startNode(t, 'a'), await startNode(t, 'b')]
  a.hello = { ...a.hello, previousRunId: 'a-run-0', last: { index: 12, term: 4 } }
  introduce(a, b)
  await Promise.all([connected(a, b), connected(b, a)])
  const seen = b.introductions.find(({ dialled }) => !dialled)
  assert.deepEqual(seen, {
    id: 'a/x',
    hello: a.hello,
    dialled: false,
    byAddress: false,
    otherRuns: [],
    acknowledged: undefined,
    certificateNames: undefined,
  })
  const dialled = b.introductions.find((each) => each.dialled)
  assert.deepEqual([dialled?.id, dialled?.expected, dialled?.hello], ['a/x', 'a/x', a.hello])
})

test('whom the node refuses learns why, whichever side dialled; both say it once, not at every retry', async (t) => {
  const [a, b] = [await startNode(t, 'a'), await startNode(t, 'b')]
  b.judge = refuseAs('REGRESSED', 'a/x had acknowledged entry 9, and ends at 7')
  introduce(a, b)
  const tried = (node: TestNode) => node.introductions.filter(({ dialled }) => dialled).length
  await until('b has dialled again and again', () => tried(b) > 3 && b.transport.stats().refused > 8)
  for (const [node, kinds] of [
    [a, ['refusedBy']],
    [b, ['refused']],
  ] as const) {
    const said = node.notices.map(({ kind, reason, message }) => `${kind} ${reason} ${message}`)
    const expected = kinds.map((kind) => `${kind} REGRESSED a/x had acknowledged entry 9, and ends at 7`)
    assert.deepEqual(said, expected)
  }
  assert.equal(isConnected(a, b) || isConnected(b, a), false)
  // What was wrong is put right: then they talk.
  b.judge = () => ({ accept: 'member' })
  await Promise.all([connected(a, b), connected(b, a)])
})

test('H44: who dials judges the welcome by what was acknowledged when he asked for it', async (t) => {
  const [a, b] = [await startNode(t, 'a'), await startNode(t, 'b')]
  const upTo = (index: number) => ({ term: 3, upTo: new Map([[b.id, index]]) })
  a.acknowledged = upTo(7)
  b.judge = () => {
    a.acknowledged = upTo(20)
    return { accept: 'member' }
  }
  a.transport.setPeers([b])
  await connected(a, b)
  assert.deepEqual(a.introductions[0]?.acknowledged, upTo(7))
})

/** As the node judges: by what it knew when it asked. */
const byWhatWasAsked = ({ id, hello, acknowledged }: Introduction): Verdict => {
  const upTo = acknowledged?.upTo.get(id) ?? 0
  if (hello.last.index >= upTo) return { accept: 'member' }
  const message = `${id} had acknowledged entry ${upTo}, and ends at ${hello.last.index}`
  return { refuse: 'REGRESSED', message }
}

test('H44: what is acknowledged while a hello is under way is not held against it: its sender is asked', async (t) => {
  const [a, b] = [await startNode(t, 'a'), await startNode(t, 'b')]
  const upTo = { term: 3, upTo: new Map([[a.id, 20]]) }
  b.judge = (introduction) => {
    // Meanwhile a takes thirteen entries, and says so over the connection that b has dialled.
    if (introduction.acknowledged === undefined) {
      a.hello = { ...a.hello, last: { index: 20, term: 3 } }
      b.acknowledged = upTo
    }
    return byWhatWasAsked(introduction)
  }
  a.transport.setPeers([b])
  await connected(a, b)
  const [unasked, again] = b.introductions
  assert.deepEqual([unasked?.hello.last.index, unasked?.acknowledged], [7, undefined])
  assert.deepEqual([again?.hello.last.index, again?.acknowledged], [20, upTo])
})

test('H44: who really has less is refused when he was asked; he is never connected, and hears it once', async (t) => {
  const [a, b] = [await startNode(t, 'a'), await startNode(t, 'b')]
  b.judge = byWhatWasAsked
  b.acknowledged = { term: 3, upTo: new Map([[a.id, 20]]) }
  a.transport.setPeers([b])
  await until('a has dialled again and again', () => b.introductions.length > 8)
  const said = a.notices.map(({ kind, message }) => `${kind} ${message}`)
  assert.deepEqual(said, ['refusedBy a/x had acknowledged entry 20, and ends at 7'])
  assert.equal(isConnected(a, b), false)
  b.acknowledged = { term: 3, upTo: new Map([[a.id, 7]]) }
  await connected(a, b)
})

test('a call to somebody who refuses is not applied, and says why', async (t) => {
  const [a, b] = [await startNode(t, 'a'), await startNode(t, 'b')]
  b.judge = refuseAs('NOT_FOUNDED', 'b/x belongs to no cluster yet')
  await assert.rejects(a.transport.call({ address: b.address }, bytes('x'), within(5000)), {
    code: 'CANNOT_CONNECT',
    outcome: 'not-applied',
    message: /b\/x belongs to no cluster yet/,
  })
})

test('another cluster by name is refused before the node is asked', async (t) => {
  const [a, b] = [await startNode(t, 'a', plain), await startNode(t, 'b', plain)]
  a.hello = { ...a.hello, clusterName: 'other' }
  introduce(a, b)
  await until('both have said so', () => [a, b].every(({ notices }) => notices.length > 0))
  for (const { notices } of [a, b]) assert.equal(notices[0]!.reason, 'WRONG_CLUSTER')
  assert.deepEqual([...a.introductions, ...b.introductions], [])
})

test('H61: an address that belongs to somebody else now connects nobody to him', async (t) => {
  const [a, b, c] = [await startNode(t, 'a'), await startNode(t, 'b'), await startNode(t, 'c')]
  a.transport.setPeers([{ id: b.id, address: c.address }])
  await until('a has said so', () => a.notices.length > 0)
  assert.deepEqual(
    [a.notices[0]!.kind, a.notices[0]!.reason, a.notices[0]!.message],
    ['refusedBy', 'WRONG_NODE', 'b/x was meant, and this is c/x'],
  )
  a.transport.send(b.id, heartbeat(1))
  assert.deepEqual(c.introductions, [])
  // Addresses are data: the right one is as good as if it had been there from the start.
  a.transport.setPeers([b])
  await connected(a, b)
})

test('H30: nobody talks to himself, by id or by address', async (t) => {
  const a = await startNode(t, 'a')
  a.transport.setPeers([a])
  assert.deepEqual(a.transport.stats().peers, [])
  await assert.rejects(a.transport.call({ address: a.address }, bytes('x'), within(5000)), {
    code: 'CANNOT_CONNECT',
    message: /a\/x has reached itself/,
  })
  assert.deepEqual(a.introductions, [])
})

test('P04: what a guest says never reaches Raft; it may call', async (t) => {
  const [a, b] = [await startNode(t, 'a'), await startNode(t, 'b')]
  b.judge = () => ({ accept: 'guest' })
  introduce(a, b)
  await connected(a, b)
  a.transport.send(b.id, { type: 'requestVote', term: 1e9, lastIndex: 1, lastTerm: 1, reason: 'timeout' })
  await a.transport.call(b.id, bytes('x'), within(5000))
  assert.deepEqual(b.messages, [])
  b.answer = async (from) => bytes(String(from.isMember))
  assert.equal(Buffer.from(await a.transport.call(b.id, bytes('x'), within(5000))).toString(), 'false')
})

test('a second run of an incarnation is seen beside the first, and can be refused', async (t) => {
  const b = await startNode(t, 'b')
  const first = await startNode(t, 'a')
  introduce(first, b)
  await Promise.all([connected(first, b), connected(b, first)])
  const second = await startNode(t, 'a', { runId: 'a-run-2' })
  b.judge = ({ otherRuns }) =>
    otherRuns.length > 0 ? { refuse: 'SECOND_RUN', message: 'another run is alive' } : { accept: 'member' }
  second.transport.setPeers([b])
  await until('the second run has been refused', () => second.notices.length > 0)
  assert.equal(second.notices[0]!.reason, 'SECOND_RUN')
  const { otherRuns } = b.introductions.at(-1) as Introduction
  assert.deepEqual(
    otherRuns.map(({ runId }) => runId),
    ['a-run-1'],
  )
  assert.ok(otherRuns[0]!.heardAgoMs < 1000)
  assert.ok(isConnected(first, b), 'the first run is left alone')
  // Once the first is gone the second is let in.
  await first.transport.close()
  await connected(second, b)
})

test('a new run that is let in ends the connections of the one before', async (t) => {
  const b = await startNode(t, 'b')
  const first = await startNode(t, 'a')
  first.transport.setPeers([b])
  await connected(first, b)
  const second = await startNode(t, 'a', { runId: 'a-run-2' })
  second.transport.setPeers([b])
  await connected(second, b)
  await until('the first run has lost its connection', () =>
    first.notices.some(({ kind }) => kind === 'disconnected'),
  )
})

test('a verdict holds for its connection; introduced anew, both sides judge again, and no call is cut off', async (t) => {
  const [a, b] = [await startNode(t, 'a'), await startNode(t, 'b')]
  b.judge = () => ({ accept: 'guest' })
  introduce(a, b)
  await Promise.all([connected(a, b), connected(b, a)])
  let asked = 0
  let finish = () => {}
  b.answer = (_from, question) =>
    new Promise((resolve) => {
      asked++
      finish = () => resolve(question)
    })
  const call = a.transport.call(b.id, bytes('x'), within(5000))
  await until('b has been asked', () => asked === 1)
  b.judge = () => ({ accept: 'member' })
  b.hello = { ...b.hello, clusterId: 'founded' }
  const before = a.introductions.length
  b.transport.reintroduce()
  await until('the idle ones have met anew', () => a.introductions.length > before)
  finish()
  await call
  await until('a knows of the cluster, on every connection', () => a.introductions.length >= before + 4)
  await Promise.all([connected(a, b), connected(b, a)])
  assert.ok(a.introductions.slice(before).every(({ hello }) => hello.clusterId === 'founded'))
  a.transport.send(b.id, heartbeat(1))
  await until('a member is heard', () => b.messages.length === 1)
  assert.deepEqual([...a.lost, ...b.lost], [])
})

// ----------------------------------------------------------------------------------------- versions

const text = fc.string({ maxLength: 30 }).filter((each) => each.isWellFormed())
const name = text.filter((each) => each !== '')
const greetings: fc.Arbitrary<Greeting> = fc.record(
  {
    minVersion: fc.constant(1),
    maxVersion: fc.nat({ max: 5 }).map((n) => n + 1),
    lane: fc.constantFrom('control' as const, 'bulk' as const),
    hello: fc.record(
      {
        clusterName: text,
        clusterId: text,
        name,
        incarnation: name,
        address: text,
        runId: text,
        previousRunId: text,
        last: fc.record({ index: fc.maxSafeNat(), term: fc.maxSafeNat() }, { noNullPrototype: true }),
      },
      { noNullPrototype: true },
    ),
    to: text,
    nonce: text,
    echo: text,
    maxPayloadBytes: fc.maxSafeNat(),
  },
  { noNullPrototype: true },
)

function encoded(greeting: Greeting): Buffer {
  const writer = new Writer()
  writeGreeting(writer, greeting)
  return Buffer.from(writer.take())
}

test('a hello comes out as it went in; what a later version adds at its end is skipped', () => {
  fc.assert(
    fc.property(greetings, fc.uint8Array(), (greeting, later) => {
      const found = encoded(greeting)
      assert.deepEqual(readGreeting(new Reader(Buffer.concat([found, later]))), greeting)
      for (let end = 0; end < found.length; end++) {
        assert.throws(() => readGreeting(new Reader(found, 0, end)), MalformedError)
      }
    }),
    { numRuns: 50 },
  )
})

test('P05: damaged hellos and refusals are read or refused, nothing else', () => {
  fc.assert(
    fc.property(
      greetings,
      fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 4 }),
      (greeting, damage) => {
        const found = encoded(greeting)
        for (const [at, value] of damage) found[at % found.length] = value
        try {
          readGreeting(new Reader(found))
        } catch (error) {
          assert.ok(error instanceof MalformedError || error instanceof NoCommonVersion, String(error))
        }
        try {
          readRefusal(new Reader(found))
        } catch (error) {
          assert.ok(error instanceof MalformedError, String(error))
        }
      },
    ),
    { numRuns: 1000 },
  )
})

test('a refusal of a later version keeps its message', () => {
  const writer = new Writer()
  writeRefusal(writer, { reason: 'REMOVED', message: 'x'.repeat(1000) })
  const known = Buffer.from(writer.take())
  assert.deepEqual(readRefusal(new Reader(known)), { reason: 'REMOVED', message: 'x'.repeat(512) })
  known[0] = 200
  assert.equal(readRefusal(new Reader(known)).reason, 'UNAVAILABLE')
})

test('H82: who speaks only later versions is refused as VERSION, and told so', async (t) => {
  const b = await startNode(t, 'b', plain)
  const socket = await rawSocket(t, b.address)
  const later = new FrameWriter(true).frame(KIND.hello, (writer) => {
    writer.varint(7)
    writer.varint(9)
    for (const word of ['test', 'a', 'x']) writer.utf8(word)
    writer.utf8('and what nobody knows yet')
  })
  socket.write(Buffer.concat([MAGIC, ...later.pieces]))
  await until('b has closed', () => socket.closed)
  const answer = Buffer.concat(socket.got).subarray(MAGIC.length + 9)
  assert.deepEqual(readRefusal(new Reader(answer)), {
    reason: 'VERSION',
    message: 'a/x speaks versions 7 to 9 of the wire format, this node 1 to 1',
  })
  assert.deepEqual(
    [b.notices[0]!.kind, b.notices[0]!.reason, b.notices[0]!.peer],
    ['refused', 'VERSION', 'a/x'],
  )
})

test('P02: a recorded session, replayed byte for byte, ends before anything of it reaches the node', async (t) => {
  const [a, b] = [await startNode(t, 'a', plain), await startNode(t, 'b', plain)]
  const proxy = await proxyTo(t, b.address)
  const recorded: Buffer[] = []
  proxy.watch = (chunk) => recorded.push(chunk)
  await a.transport.call({ address: proxy.address }, bytes('transfer the money'), within(5000))
  await a.transport.close()
  let asked = 0
  b.answer = (_from, question) => (asked++, Promise.resolve(question))
  const before = b.introductions.length
  const socket = await rawSocket(t, b.address)
  socket.write(Buffer.concat(recorded))
  await until('b has closed', () => socket.closed)
  assert.ok(b.introductions.length > before, 'the hello itself is sound')
  assert.equal(asked, 0)
  assert.match(b.notices.at(-1)!.message, /does not answer it/)
})
