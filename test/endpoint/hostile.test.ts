// What may come over a socket that is no message, or too many of them. The connection ends, with a reason
// that is logged; the node, and everybody else on it, goes on.

import assert from 'node:assert/strict'
import { type TestContext, describe, test } from 'node:test'
import fc from 'fast-check'
import { KIND, type Message, PROTOCOL } from '../../core/endpoint/frames.ts'
import { definePlugin } from '../../core/plugin.ts'
import { type Config, ConcordError, connect } from '../../core/index.ts'
import { rejection } from '../store/node.ts'
import { type Listening, Stranger, bytesOf, helloOf, listening, until } from './endpoint.ts'

/** Sends bytes on a connection of their own; resolves when the node has closed it. */
async function closedAfter(
  t: TestContext,
  { endpoint }: Listening,
  ...pieces: Uint8Array[]
): Promise<Stranger> {
  const stranger = new Stranger(t, endpoint.path)
  for (const piece of pieces) stranger.socket.write(piece)
  await stranger.closed
  return stranger
}

/** A frame around any bytes at all. */
function framed(body: Uint8Array): Uint8Array {
  const frame = Buffer.alloc(4 + body.length)
  frame.writeUInt32LE(body.length, 0)
  frame.set(body, 4)
  return frame
}

const hello = (): Uint8Array => bytesOf(helloOf())

describe('what is no message ends its connection and nothing else', () => {
  const table: readonly (readonly [what: string, bytes: () => Uint8Array[], reason: RegExp])[] = [
    ['a length beyond all bounds', () => [Buffer.from('ffffffff', 'hex')], /at most 65536 bytes/],
    ['HTTP', () => [Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')], /at most 65536 bytes/],
    ['an empty frame', () => [framed(new Uint8Array())], /1 byte expected/],
    ['an unknown kind', () => [framed(Buffer.from([99, 0]))], /unknown kind of message 99/],
    [
      'a request before the hello',
      () => [bytesOf({ head: { method: 'get', key: 'k' } })],
      /a hello expected/,
    ],
    ['a hello without protocols', () => [bytesOf({ kind: KIND.hello, head: {} })], /a hello expected/],
    ['a hello that is no record', () => [bytesOf({ kind: KIND.hello, head: 7 })], /a hello expected/],
    ['two hellos', () => [hello(), hello()], /a request expected/],
    ['a request without a method', () => [hello(), bytesOf({ head: { key: 'k' } })], /the head of a request/],
    [
      'a place where no value is',
      () => [hello(), bytesOf({ head: { method: 'put', key: 'k', value: 5 } })],
      /the place of a value/,
    ],
    ['a frame larger than the node takes', () => [hello(), Buffer.from('00000070', 'hex')], /at most/],
    [
      'bytes behind the head that are no value',
      () => [hello(), framed(Buffer.from([2, 1, 2, 16, 0, 7]))],
      /malformed/,
    ],
    // A kilobyte that would be a gigabyte: nothing is unpacked.
    ['a compressed value', () => [hello(), framed(Buffer.from([2, 1, 4, 0x15, 1, 1, 0]))], /compressed/],
  ]
  for (const [what, bytes, reason] of table) {
    test(what, async (t) => {
      const node = await listening(t)
      const db = await node.client()
      await closedAfter(t, node, ...bytes())
      assert.match(node.complaints.join(), reason)
      assert.deepEqual(await db.put('k', 1), { revision: 1 })
    })
  }

  test('one request under two answers', async (t) => {
    const node = await listening(t)
    const waiting = { id: 1, head: { method: 'get', key: 'k', options: { minRevision: 9 } } }
    await closedAfter(t, node, hello(), bytesOf(waiting, waiting))
    assert.match(node.complaints.join(), /under way already/)
  })

  test('anything at all, at any place of a conversation', async (t) => {
    const node = await listening(t)
    const db = await node.client()
    const sound = [
      hello(),
      bytesOf({ id: 1, head: { method: 'put', key: 'k', value: 0 }, values: [{ a: [1] }] }),
    ]
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.uint8Array({ maxLength: 60 }).map(framed),
      fc.tuple(fc.nat(), fc.nat({ max: 255 })).map(([at, byte]) => {
        const damaged = Buffer.from(sound[1]!)
        damaged[at % damaged.length] = byte
        return damaged
      }),
    )
    await fc.assert(
      fc.asyncProperty(fc.boolean(), fc.array(bytes, { maxLength: 4 }), async (greets, pieces) => {
        const stranger = new Stranger(t, node.endpoint.path)
        if (greets) stranger.socket.write(sound[0]!)
        for (const piece of pieces) stranger.socket.write(piece)
        // Whoever hangs up in the middle of something is only gone.
        stranger.socket.end()
        await stranger.closed
        assert.equal((await db.status()).role, 'leader')
      }),
      { numRuns: 100 },
    )
  })
})

describe('what is a message, and wrong', () => {
  test('is answered, and the connection goes on', async (t) => {
    const node = await listening(t)
    const stranger = new Stranger(t, node.endpoint.path)
    await stranger.greet()
    const wrong: readonly Record<string, unknown>[] = [
      { method: 'constructor' },
      { method: '__proto__' },
      { method: 'close', iterator: 'x' },
      { method: 'next', iterator: 99 },
      { method: 'get' },
      { method: 'get', key: { toString: 1 } },
      { method: 'get', key: 'k', options: { signal: 'x' } },
      { method: 'get', key: 'k', timeoutMs: -1 },
      { method: 'put', key: 'k', value: 0, options: JSON.parse('{"__proto__":{"ttl":1},"ttl":"soon"}') },
      { method: 'putIf', key: 'k', value: 0, options: { condition: 'x' } },
      { method: 'putMany', items: 'x' },
      { method: 'getMany', keys: [1, null] },
      { method: 'txn', request: null },
      { method: 'txn', request: { success: [null] } },
      { method: 'txn', request: { success: [{ op: 'put', value: 0 }], extra: 1 } },
      { method: 'recall', operation: { op: 'get', key: 'k' } },
      { method: 'commitJudged', operation: { op: 'delete', key: 'k' }, revision: 'x' },
      { method: 'entries', options: { prefix: 7 } },
      { method: 'command', name: 'x', arguments: {}, flags: {} },
      { method: 'command', name: 'x', arguments: 1, flags: {} },
      { method: 'cluster.retire', plugin: 7 },
    ]
    for (const [at, head] of wrong.entries()) {
      stranger.send({ id: at + 1, head, values: [1] })
      const { kind, head: answer } = await stranger.message(({ id }) => id === at + 1)
      if (head['method'] === 'close') assert.equal(kind, KIND.answer)
      else assert.equal(kind, KIND.failure, JSON.stringify({ head, answer }))
      assert.notEqual(
        (answer as { code?: string } | null)?.code,
        'INTERNAL',
        JSON.stringify({ head, answer }),
      )
    }
    stranger.send({ id: 100, head: { method: 'get', key: 'k' } })
    assert.equal((await stranger.message(({ id }) => id === 100)).kind, KIND.answer)
    assert.deepEqual(node.complaints, [])
  })

  test('another version of the protocol is told so', async (t) => {
    const node = await listening(t)
    const stranger = new Stranger(t, node.endpoint.path)
    const { kind, head } = await stranger.greet([PROTOCOL + 1])
    assert.equal(kind, KIND.failure)
    assert.match((head as { message: string }).message, /protocol 1 .*the client 2/)
    assert.equal((head as { retryable: boolean }).retryable, false)
    await stranger.closed
  })
})

describe('too much', () => {
  test('more clients than there may be are turned away, with the reason', async (t) => {
    const node = await listening(t, { connections: 20 })
    const db = await node.client()
    const strangers = Array.from({ length: 300 }, () => new Stranger(t, node.endpoint.path))
    await Promise.all(strangers.slice(19).map(({ closed }) => closed))
    assert.equal((await db.status()).role, 'leader')
    const error = await rejection(connect(node.dir))
    assert.equal(error.code, 'CANNOT_CONNECT')
    assert.match(error.message, /has its 20 clients already/)
    strangers[0]!.socket.destroy()
    await until(async () =>
      connect(node.dir).then(
        async (again) => (await again.close(), true),
        () => false,
      ),
    )
  })

  test('requests at once: the rest waits in the socket, and all are answered', async (t) => {
    const node = await listening(t)
    const db = await node.client()
    const calls = Array.from({ length: 2000 }, (_, at) => db.put(`k${at % 10}`, at))
    assert.equal((await Promise.all(calls)).length, 2000)
  })

  test('a client that takes no answers is asked for nothing more, and hurts nobody', async (t) => {
    const node = await listening(t)
    const db = await node.client()
    await db.put('large', 'x'.repeat(100_000))
    const stranger = new Stranger(t, node.endpoint.path)
    await stranger.greet()
    stranger.socket.pause()
    const before = process.memoryUsage().arrayBuffers
    const heads = Array.from({ length: 1000 }, (_, at) => ({
      id: at + 1,
      head: { method: 'get', key: 'large' },
    }))
    stranger.send(...heads)
    for (let round = 0; round < 50; round++) assert.equal((await db.status()).role, 'leader')
    // All answers are 100 MB; what one connection may hold is 256 of them and 4 MiB.
    assert.ok(process.memoryUsage().arrayBuffers - before < 60_000_000)
    stranger.socket.resume()
    await stranger.message(({ id }) => id === 1000)
    assert.equal(stranger.messages.filter(({ kind }) => kind === KIND.answer).length, 1000)
  })

  test('reads of a client that has gone wait no longer', { timeout: 20_000 }, async (t) => {
    // Whoever stops waits for all who read, so long that the test would not see it.
    const { config, reads } = counting()
    const { client, node } = await listening(t, { config: { ...config, shutdownMs: 60_000 } })
    const db = await client()
    // More than a client may have under way: the node has stopped to begin them.
    const calls = Array.from({ length: 400 }, () => rejection(db.get('k', NEVER)))
    await until(() => reads() === 256)
    await db.close()
    await Promise.all(calls)
    await node.close()
    assert.equal((await node.closed).reason, 'closed')
  })

  test('what is cancelled makes room for what waits behind it', { timeout: 20_000 }, async (t) => {
    const node = await listening(t)
    const stranger = new Stranger(t, node.endpoint.path)
    await stranger.greet()
    const get = { method: 'get', key: 'k' }
    const waiting = { ...get, options: NEVER }
    stranger.send(...Array.from({ length: 300 }, (_, at) => ({ id: at + 1, head: waiting })))
    stranger.send({ id: 999, head: get }, { kind: KIND.cancel, id: 290 })
    // It has not been begun: nothing of it can have happened.
    const withdrawn = await stranger.message(({ id }) => id === 290)
    assert.deepEqual(abortOf(withdrawn), { abort: true, outcome: 'not-applied' })
    stranger.send(...Array.from({ length: 289 }, (_, at) => ({ kind: KIND.cancel, id: at + 1 })))
    assert.equal((await stranger.message(({ id }) => id === 999)).kind, KIND.answer)
  })

  test('a client from which nothing is read hears that the node is there', { timeout: 20_000 }, async (t) => {
    const node = await listening(t)
    const stranger = new Stranger(t, node.endpoint.path)
    await stranger.greet()
    const isSign = ({ kind, id }: Message): boolean => kind === KIND.answer && id === 0
    const signs = (): number => stranger.messages.filter(isSign).length
    const get = { method: 'get', key: 'k'.repeat(1000) }
    const waiting = { ...get, options: NEVER }
    stranger.send(...Array.from({ length: 256 }, (_, at) => ({ id: at + 1, head: waiting })))
    stranger.send(...Array.from({ length: 100 }, (_, at) => ({ id: at + 301, head: get })))
    // Behind all that it is not heard.
    stranger.send({ kind: KIND.cancel, id: 1 })
    await until(() => signs() === 2)
    assert.ok(stranger.messages.every((message) => isSign(message) || message.kind === KIND.hello))
    // Nor does that hold up the end of the node.
    await node.endpoint.close()
    await stranger.closed
  })

  test(
    'all clients together leave places to others: the rest waits its turn',
    { timeout: 20_000 },
    async (t) => {
      const { config, reads } = counting()
      const node = await listening(t, { config, inFlight: 3 })
      const holder = await node.client()
      const abort = new AbortController()
      const held = Array.from({ length: 3 }, () =>
        rejection(holder.get('k', { ...NEVER, signal: abort.signal })),
      )
      await until(() => reads() === 3)
      const stranger = new Stranger(t, node.endpoint.path)
      await stranger.greet()
      const head = { method: 'get', key: 'k' }
      stranger.send({ id: 1, head }, { id: 2, head }, { kind: KIND.cancel, id: 2 })
      await stranger.message(({ id }) => id === 2)
      assert.equal(reads(), 3)
      abort.abort()
      assert.equal((await stranger.message(({ id }) => id === 1)).kind, KIND.answer)
      await Promise.all(held)
    },
  )

  test('an answer that is larger than a frame is refused, and that is said', async (t) => {
    const node = await listening(t, { frameBytes: 2 * 1024 * 1024 })
    const db = await node.client()
    const keys = Array.from({ length: 5 }, (_, at) => `k${at}`)
    for (const key of keys) await node.node.put(key, 'x'.repeat(500_000))
    const error = await rejection(db.getMany(keys))
    assert.ok(ConcordError.is(error))
    assert.equal(error.code, 'BATCH_TOO_LARGE')
    assert.equal((await db.getMany(keys.slice(0, 3))).length, 3)
    const items = keys.map((key) => ({ key, value: 'x'.repeat(500_000) }))
    assert.equal((await rejection(db.putMany(items))).code, 'BATCH_TOO_LARGE')
    // What was only read has changed nothing; of a write whose answer cannot be sent nobody can say that.
    const gets = keys.map((key) => ({ op: 'get', key }) as const)
    const reads = [db.getMany(keys), db.txn({ compare: [], success: gets })]
    for (const read of reads) assert.equal(outcomeOf(await rejection(read)), 'not-applied')
    const write = db.txn({ compare: [], success: [...gets, { op: 'put', key: 'done', value: true }] })
    assert.equal(outcomeOf(await rejection(write)), 'unknown')
    assert.equal(await db.get('done'), true)
  })

  test('two pages of one iterator at once', async (t) => {
    const node = await listening(t, { config: hesitant })
    const stranger = new Stranger(t, node.endpoint.path)
    await stranger.greet()
    stranger.send({ id: 1, head: { method: 'command', name: 'hesitant go', arguments: {}, flags: {} } })
    const { head } = await stranger.message(({ id }) => id === 1)
    const { iterator } = (head as { page: { iterator: number } }).page
    stranger.send(
      { id: 2, head: { method: 'next', iterator } },
      { id: 3, head: { method: 'next', iterator } },
    )
    const refused = await stranger.message(({ id }) => id === 3)
    assert.equal((refused.head as { code: string }).code, 'INVALID_ARGUMENT')
    stranger.socket.destroy()
  })

  test('iterators that are never read to their end', async (t) => {
    const node = await listening(t)
    const stranger = new Stranger(t, node.endpoint.path)
    await node.node.putMany(Array.from({ length: 300 }, (_, at) => ({ key: `k${at}`, value: at })))
    await stranger.greet()
    const opening = Array.from({ length: 20 }, (_, at) => ({ id: at + 1, head: { method: 'entries' } }))
    stranger.send(...opening)
    await stranger.message(({ id }) => id === 20)
    const refused = stranger.messages.filter(({ kind }) => kind === KIND.failure)
    assert.deepEqual(
      refused.map(({ head }) => (head as { code: string }).code),
      Array.from({ length: 4 }, () => 'OVERLOADED'),
    )
  })
})

/** A read that waits for a revision that will not come. */
const NEVER = { minRevision: 2 ** 40, timeoutMs: 2 ** 31 - 1 }

function abortOf({ head }: Message): unknown {
  const { abort, outcome } = head as Readonly<Record<string, unknown>>
  return { abort, outcome }
}

/** A config with a plugin that counts the reads that come to the door. */
function counting(): { readonly config: Config; readonly reads: () => number } {
  let count = 0
  const counter = definePlugin({
    name: 'counter',
    version: '1.0.0',
    apiVersion: 1,
    setup: (ctx) => ctx.hooks.authorize.tap(() => void count++),
  })
  return { config: { use: [counter], plugins: { counter: true } } as never, reads: () => count }
}

const outcomeOf = (error: Error): unknown => (error as Partial<ConcordError>).outcome

/** A plugin with a verb that gives nothing until it is given up. */
const hesitant = {
  use: [
    {
      name: 'hesitant',
      version: '1.0.0',
      apiVersion: 1,
      setup: () => undefined,
      commands: [
        {
          name: 'hesitant go',
          summary: 'Waits.',
          async *run({ signal }: { readonly signal: AbortSignal }) {
            await new Promise((resolve) => signal.addEventListener('abort', resolve))
            yield 1
          },
        },
      ],
    },
  ],
  plugins: { hesitant: true },
} as never
