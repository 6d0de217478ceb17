// The store over a socket: the same answers as in the node's own process, and the truth about what may have
// happened when there is none.

import assert from 'node:assert/strict'
import { chmod, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import fc from 'fast-check'
import { writePlace } from '../../core/endpoint/place.ts'
import { KIND } from '../../core/endpoint/frames.ts'
import type { RequestHead } from '../../core/endpoint/shapes.ts'
import { AbortError, ConcordError, connect } from '../../core/index.ts'
import type { Remote } from '../../core/index.ts'
import type { RemoteStore } from '../../core/endpoint/remote-store.ts'
import { asNobody } from '../nobody.ts'
import { atEnd, fileNode, rejection, temporary } from '../store/node.ts'
import { clientOf, fakeNode, listening, until } from './endpoint.ts'

const concordError = (error: unknown): ConcordError => {
  if (ConcordError.is(error)) return error
  throw error
}

describe('the same answers as in the process', () => {
  test('every kind of value comes back as it was', async (t) => {
    const { client } = await listening(t)
    const db = await client()
    const scalar = fc.oneof(
      fc.constantFrom(null, true, -0, NaN, Infinity, -Infinity, '\ud800', '', '__proto__'),
      fc.double(),
      fc.bigInt(),
      fc.string({ unit: 'binary' }),
      fc.date({ noInvalidDate: false }),
      fc.uint8Array(),
    )
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        scalar,
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(fc.string(), fc.oneof(tie('value'), fc.constant(undefined)), {
          maxKeys: 4,
          noNullPrototype: true,
        }),
        fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 3 }).map((pairs) => new Map(pairs)),
        fc.array(tie('value'), { maxLength: 3 }).map((items) => new Set(items)),
      ),
    }))
    await fc.assert(
      fc.asyncProperty(value, async (given) => {
        await db.put('k', given)
        assert.deepStrictEqual(await db.get('k'), given)
        assert.deepStrictEqual((await db.getEntry('k'))?.value, given)
        assert.equal((await db.putIf('k', 1, { expected: given as {} })).ok, true)
      }),
      { numRuns: 40 },
    )
  })

  test('a value as large and as deep as a value may be', async (t) => {
    const { client } = await listening(t, { config: { limits: { valueBytes: 2 * 1024 * 1024 } } })
    const db = await client()
    let deep: unknown = 'bottom'
    for (let depth = 0; depth < 64; depth++) deep = [deep]
    await db.putMany([
      { key: 'deep', value: deep as {} },
      { key: 'large', value: 'x'.repeat(2 * 1024 * 1024 - 100) },
    ])
    const [first, second] = await db.getMany(['deep', 'large'])
    assert.deepEqual(first, deep)
    assert.equal((second as string).length, 2 * 1024 * 1024 - 100)
  })

  test('every method', async (t) => {
    const { client } = await listening(t)
    const db = await client()
    assert.deepEqual(await db.put('a', 1, { ttl: 60 }), { revision: 1 })
    assert.equal(await db.get('a'), 1)
    assert.equal(await db.get('none'), undefined)
    assert.equal(await db.getEntry('none'), undefined)
    assert.equal(typeof (await db.ttl('a')), 'number')
    assert.equal(await db.ttl('none'), undefined)
    assert.deepEqual(await db.touch('a', 120), { touched: true, revision: 2 })
    assert.deepEqual(await db.increment('a', { by: 2 }), { ok: true, value: 3, revision: 3 })
    await db.put('text', 'no number')
    assert.deepEqual(await db.increment('text'), { ok: false, reason: 'not-a-number', current: 'no number' })
    assert.deepEqual(await db.putIf('a', 4, { ifRevision: 3 }), { ok: true, revision: 5 })
    const refused = await db.putIf('a', 5, { ifAbsent: true })
    assert.equal(!refused.ok && refused.current?.value, 4)
    assert.deepEqual(await db.deleteIf('a', { ifRevision: 5 }), { ok: true, revision: 6 })
    assert.deepEqual(await db.delete('a'), { deleted: false, revision: 6 })
    assert.equal(
      (
        await db.putMany([
          { key: 'm1', value: 1 },
          { key: 'm2', value: 2, ttl: 5 },
        ])
      ).length,
      2,
    )
    assert.deepEqual(await db.getMany(['m1', 'none', 'm2']), [1, undefined, 2])
    assert.deepEqual(
      (await db.touchMany([{ key: 'm1', ttl: 9 }])).map(({ touched }) => touched),
      [true],
    )
    assert.deepEqual(
      (await db.deleteMany(['m1', 'm1'])).map(({ deleted }) => deleted),
      [true, false],
    )
    const txn = await db
      .txn({
        compare: [{ key: 'none', revision: 0 }],
        success: [
          { op: 'put', key: 't', value: new Date(0) },
          { op: 'get', key: 't' },
          { op: 'increment', key: 'text' },
        ],
      })
      .catch((error: unknown) => concordError(error).code)
    assert.equal(txn, 'INVALID_VALUE')
    const done = await db.txn({
      compare: [{ key: 'none', revision: 1 }],
      success: [],
      failure: [
        { op: 'get', key: 'm2' },
        { op: 'get', key: 'none' },
      ],
    })
    assert.equal(done.succeeded, false)
    const entries = done.results.map((result) => ('entry' in result ? result.entry?.value : 'no entry'))
    assert.deepEqual(entries, [2, undefined])
    assert.equal((await db.status()).role, 'leader')
    assert.equal((await db.cluster.members()).length, 1)
    assert.equal(typeof (await db.cluster.snapshot()).index, 'number')
    assert.deepEqual((await db.cluster.retire('nothing')).retired, false)
  })

  test('calls on the cluster end at their deadline and with their signal, as all calls do', async (t) => {
    const { node, client } = await listening(t)
    const db = await client()
    const taken = Promise.withResolvers<{ index: number; revision: number }>()
    const real = node.cluster.snapshot
    const asked: unknown[] = []
    Object.assign(node.cluster, {
      snapshot: (options: object) => {
        asked.push(options)
        return asked.length === 1 ? real(options) : taken.promise
      },
    })
    assert.equal((await db.cluster.snapshot({ timeoutMs: 60_000 })).index > 0, true)
    assert.ok((asked[0] as { readonly timeoutMs: number }).timeoutMs > 5000, 'the deadline of the call')
    const late = await rejection(db.cluster.snapshot({ timeoutMs: 20 }))
    assert.deepEqual([concordError(late).code, concordError(late).outcome], ['TIMEOUT', 'unknown'])
    const abort = new AbortController()
    const aborted = rejection(db.cluster.snapshot({ signal: abort.signal }))
    await until(() => asked.length === 3)
    abort.abort('enough')
    const { signal } = asked[2] as { readonly signal: AbortSignal }
    await until(() => signal.aborted)
    taken.reject(new AbortError('enough', 'unknown'))
    assert.equal((await aborted).name, 'AbortError')
    await db.status({ timeoutMs: 1000 })
    await db.cluster.members({ timeoutMs: 1000 })
    assert.equal((await rejection(db.status({ nonsense: 1 } as never))).code, 'INVALID_OPTION')
  })

  test('what is not there, and what a verb of a plugin does not say, is undefined', async (t) => {
    const { client } = await listening(t, { config: quiet })
    const db = (await client()) as RemoteStore
    assert.equal(await db.get('none'), undefined)
    assert.equal(await db.getEntry('none'), undefined)
    assert.equal(await db.ttl('none'), undefined)
    assert.deepEqual(await db.getMany(['none']), [undefined])
    assert.deepEqual(await db.txn(async (tx) => [await tx.get('none')]), [undefined])
    const run = (name: string): Promise<unknown> =>
      db.runCommand(name, { arguments: {}, options: {}, signal: new AbortController().signal })
    assert.equal(await run('quiet one'), undefined)
    const said: unknown[] = []
    for await (const record of (await run('quiet many')) as AsyncIterable<unknown>) said.push(record)
    assert.deepEqual(said, [undefined, 1, undefined, null])
  })

  test('wrong calls are refused as they are in the process', async (t) => {
    const { client, node } = await listening(t)
    const db = await client()
    const wrong: ((store: typeof db) => Promise<unknown>)[] = [
      (store) => store.put('', 1),
      (store) => store.put('k', () => 1),
      (store) => store.put('k', 1, { ttl: -1 }),
      (store) => store.put('k', 1, { wrong: true } as never),
      (store) => store.get('k', { consistency: 'none' as never }),
      (store) => store.get('k', { timeoutMs: 0 }),
      (store) => store.touch('k', 0),
      (store) => store.putIf('k', 1, {} as never),
      (store) => store.increment('k', { by: 'x' as never }),
      (store) => store.getMany('k' as never),
      (store) => store.putMany([{ key: 'k' } as never]),
      (store) => store.getMany(Array.from({ length: 501 }, () => 'k')),
      (store) => store.txn({ compare: [], success: [{ op: 'jump' }] } as never),
      (store) => store.putIf('k', 1, { condition: 'x' as never }),
    ]
    for (const call of wrong) {
      const [there, here] = await Promise.all([rejection(call(db)), rejection(call(node as never))])
      assert.deepEqual([there.code, there.message], [here.code, here.message], String(call))
    }
  })
})

describe('what the client judges itself', () => {
  test('two clients that count by transaction functions lose nothing', async (t) => {
    const { client } = await listening(t)
    const clients = [await client(), await client()]
    const count = (db: (typeof clients)[0]) =>
      db.txn(async (tx) => {
        const found = (await tx.get<number>('n')) ?? 0
        tx.put('n', found + 1)
      })
    await Promise.all(clients.flatMap((db) => Array.from({ length: 20 }, () => count(db))))
    assert.equal(await clients[0]!.get('n'), 40)
  })

  test('a condition is judged again when the key has changed meanwhile', async (t) => {
    const { client, node } = await listening(t)
    const db = await client()
    await node.put('k', 1)
    let runs = 0
    const result = await db.putIf<number>('k', 10, {
      condition: (value) => {
        if (runs++ === 0) void node.put('k', 2)
        return value < 3
      },
    })
    assert.equal(result.ok, true)
    assert.equal(runs, 2)
  })

  test('a retry under the same request id applies once, and is not judged again', async (t) => {
    const { client } = await listening(t)
    const db = await client()
    await db.put('k', 1)
    const call = () =>
      db.putIf<number>('k', 2, { condition: (value) => value === 1, requestId: 'r', ttl: 60 })
    const first = await call()
    assert.equal(first.ok, true)
    await db.put('k', 3)
    assert.deepEqual(await call(), first)
    assert.equal(await db.get('k'), 3)
    const other = db.putIf<number>('k', 4, { condition: () => true, requestId: 'r' })
    assert.equal((await rejection(other)).code, 'REQUEST_ID_REUSED')
  })

  test('the same call is the same in the process and over the socket', async (t) => {
    const { client, node } = await listening(t)
    const db = await client()
    await db.put('k', 1)
    const options = { condition: (value: number) => value === 1, requestId: 'r', ttl: 60 }
    const first = await db.putIf<number>('k', 2, options)
    assert.deepEqual(await node.putIf<number>('k', 2, options), first)
  })
})

describe('entries', () => {
  test('are one moment, in order, over many pages', async (t) => {
    const { client, node } = await listening(t)
    const db = await client()
    const keys = Array.from({ length: 1000 }, (_, at) => `k/${String(at).padStart(4, '0')}`)
    for (let at = 0; at < keys.length; at += 500) {
      await node.putMany(keys.slice(at, at + 500).map((key) => ({ key, value: key })))
    }
    const found: string[] = []
    for await (const { key } of db.entries({ prefix: 'k/' })) {
      if (found.length === 0) await node.deleteMany(keys.slice(500))
      found.push(key)
    }
    assert.deepEqual(found, keys)
    const rest: string[] = []
    for await (const { key } of db.entries({ prefix: 'k/', after: 'k/0498' })) rest.push(key)
    assert.deepEqual(rest, ['k/0499'])
  })

  test('that nobody reads are closed by the node, which says where to go on', async (t) => {
    const { client, node } = await listening(t, { iteratorIdleMs: 1 })
    const db = await client()
    await node.putMany(Array.from({ length: 300 }, (_, at) => ({ key: `k${1000 + at}`, value: at })))
    const entries = db.entries()
    const first: string[] = []
    const error = concordError(
      await rejection(
        (async () => {
          for await (const { key } of entries) {
            first.push(key)
            // The page is read; before the next is asked for, the node's patience has to be over.
            if (first.length === 256) await new Promise((resolve) => void setTimeout(resolve, 20))
          }
        })(),
      ),
    )
    assert.equal(error.code, 'SNAPSHOT_TOO_OLD')
    assert.equal(error.details?.['cursor'], first.at(-1))
    const rest: string[] = []
    for await (const { key } of db.entries({ after: first.at(-1) })) rest.push(key)
    assert.equal(first.length + rest.length, 300)
  })

  test('of a reader that leaves are let go of at once', async (t) => {
    const { client, node } = await listening(t)
    const db = await client()
    await node.putMany(Array.from({ length: 400 }, (_, at) => ({ key: `k${at}`, value: at })))
    for (let round = 0; round < 40; round++) {
      for await (const _ of db.entries()) break
    }
    // The bound is 16 open at once: forty that stayed open would have been refused.
    assert.equal((await db.getMany(['k0']))[0], 0)
  })
})

describe('a call ends', () => {
  const waiting = { minRevision: 1_000_000 }

  test('by its signal: a read at once', async (t) => {
    const { client } = await listening(t)
    const db = await client()
    const abort = new AbortController()
    const reading = db.get('k', { ...waiting, signal: abort.signal })
    abort.abort(new Error('enough'))
    const error = await rejection(reading)
    assert.equal(error.name, 'AbortError')
    assert.equal((error.cause as Error).message, 'enough')
    assert.equal((error as { outcome?: string }).outcome, 'not-applied')
    assert.equal((await rejection(db.put('k', 1, { signal: abort.signal }))).name, 'AbortError')
  })

  test('by its deadline', async (t) => {
    const { client } = await listening(t)
    const db = await client()
    const error = concordError(await rejection(db.get('k', { ...waiting, timeoutMs: 20 })))
    assert.deepEqual([error.code, error.outcome, error.retryable], ['TIMEOUT', 'not-applied', true])
  })

  test('a write that is aborted is aborted at the node', async (t) => {
    const { client } = await listening(t, { config: held })
    const db = await client()
    const abort = new AbortController()
    const writing = db.put('held/k', 1, { signal: abort.signal })
    await until(() => atDoor.size > 0)
    abort.abort()
    // Only the node knows that nothing was proposed: a client alone would have to say `unknown`.
    const error = await rejection(writing)
    assert.deepEqual([error.name, (error as { outcome?: string }).outcome], ['AbortError', 'not-applied'])
  })

  test('a write that the node does not answer in time may still happen, and that is said', async (t) => {
    const db = await clientOf(t, await fakeNode(t, () => undefined))
    const error = concordError(await rejection(db.put('k', 1, { timeoutMs: 20 })))
    assert.deepEqual([error.code, error.outcome, error.retryable], ['TIMEOUT', 'unknown', false])
    const guarded = db.put('k', 1, { timeoutMs: 20, requestId: 'r' })
    assert.equal(concordError(await rejection(guarded)).retryable, true)
    const read = concordError(await rejection(db.get('k', { timeoutMs: 20 })))
    assert.deepEqual([read.code, read.outcome, read.retryable], ['TIMEOUT', 'not-applied', true])
  })

  test('a write that is aborted while the node says nothing may still happen', async (t) => {
    const abort = new AbortController()
    const dir = await fakeNode(t, () => abort.abort())
    const db = await clientOf(t, dir)
    const error = await rejection(db.put('k', 1, { signal: abort.signal }))
    assert.deepEqual([error.name, (error as { outcome?: string }).outcome], ['AbortError', 'unknown'])
  })

  test('when the node stops', async (t) => {
    const { client, node, endpoint } = await listening(t)
    const db = await client()
    const reading = rejection(db.get('k', waiting))
    await until(async () => (await db.status()).ready)
    await node.close()
    await endpoint.close()
    assert.equal((await reading).code, 'STOPPED')
    assert.equal((await rejection(db.get('k'))).code, 'CANNOT_CONNECT')
  })

  test('when the client is closed', async (t) => {
    const { client } = await listening(t)
    const db = await client()
    const reading = rejection(db.get('k', waiting))
    await until(async () => (await db.status()).ready)
    await db.close()
    assert.equal((await reading).code, 'CONNECTION_LOST')
    assert.equal((await rejection(db.get('k'))).code, 'STOPPED')
  })

  test('while the node that it connects to is paused, by its own deadline and its own signal', async (t) => {
    const { db, goOn } = await pausedNode(t)
    const patient = db.get('k', { timeoutMs: 60_000 })
    const late = concordError(await rejection(db.get('k', { timeoutMs: 20 })))
    assert.deepEqual([late.code, late.outcome, late.retryable], ['CANNOT_CONNECT', 'not-applied', true])
    const aborted = await rejection(db.put('k', 1, { signal: AbortSignal.timeout(20) }))
    assert.deepEqual([aborted.name, (aborted as AbortError).outcome], ['AbortError', 'not-applied'])
    goOn()
    assert.equal(await patient, 1)
  })

  test('while it connects, without harm to whoever has more patience', async (t) => {
    const { db, goOn } = await pausedNode(t)
    const hasty = rejection(db.get('k', { timeoutMs: 20 }))
    const patient = db.get('k', { timeoutMs: 60_000 })
    assert.equal((await hasty).code, 'CANNOT_CONNECT')
    goOn()
    assert.equal(await patient, 1)
  })

  test('while it connects, when the client is closed', async (t) => {
    const { db } = await pausedNode(t)
    const waits = rejection(db.get('k', { timeoutMs: 60_000 }))
    await db.close()
    assert.equal((await waits).code, 'STOPPED')
  })

  test('when the connection is lost: a write may have happened', async (t) => {
    const dir = await fakeNode(t, (_, socketEnds) => socketEnds())
    const db = await clientOf(t, dir)
    const lost = async (call: Promise<unknown>) => {
      const { code, outcome, retryable } = concordError(await rejection(call))
      return [code, outcome, retryable]
    }
    assert.deepEqual(await lost(db.put('k', 1)), ['CONNECTION_LOST', 'unknown', false])
    assert.deepEqual(await lost(db.put('k', 1, { requestId: 'r' })), ['CONNECTION_LOST', 'unknown', true])
    assert.deepEqual(await lost(db.get('k')), ['CONNECTION_LOST', 'not-applied', true])
  })
})

/** A plugin whose verbs say nothing. */
const quiet = {
  use: [
    {
      name: 'quiet',
      version: '1.0.0',
      apiVersion: 1,
      setup: () => undefined,
      commands: [
        { name: 'quiet one', summary: 'Nothing.', run: () => undefined },
        {
          name: 'quiet many',
          summary: 'Nothing, now and then.',
          async *run() {
            yield* [undefined, 1, undefined, null]
          },
        },
      ],
    },
  ],
  plugins: { quiet: true },
} as never

/** A plugin at the door that holds writes for ever. */
const atDoor = new Set<string>()
const held = {
  use: [
    {
      name: 'held',
      version: '1.0.0',
      apiVersion: 1,
      setup(ctx: { hooks: { write: { tap(fn: (request: HeldRequest) => unknown): void } } }) {
        ctx.hooks.write.tap((request) => {
          const [{ key } = { key: '' }] = request.writes
          if (!key.startsWith('held/')) return undefined
          atDoor.add(key)
          return new Promise(() => {})
        })
      },
    },
  ],
  plugins: { held: true },
} as never

interface HeldRequest {
  readonly writes: readonly { readonly key: string }[]
}

/** A client that has lost its connection, and a node that is paused: what listens accepts, and says nothing. */
async function pausedNode(t: TestContext): Promise<{ readonly db: Remote; readonly goOn: () => void }> {
  let greeting = Promise.resolve()
  const dir = await fakeNode(
    t,
    ({ id, head }, end, say) => {
      if ((head as RequestHead).method === 'delete') end()
      else say({ kind: KIND.answer, id, head: 0, values: [1] })
    },
    () => greeting,
  )
  const db = await clientOf(t, dir)
  const { promise, resolve } = Promise.withResolvers<void>()
  greeting = promise
  assert.equal((await rejection(db.delete('k'))).code, 'CONNECTION_LOST')
  return { db, goOn: resolve }
}

describe('connect', () => {
  test('finds a node by its data directory, and comes back to it after a restart', async (t) => {
    const dir = await temporary(t)
    const data = join(dir, 'data')
    const first = await fileNode(t, dir)
    const db = await connect(data)
    atEnd(t, () => db.close())
    await db.put('k', 1)
    await first.close()
    assert.equal((await rejection(db.get('k'))).code, 'CANNOT_CONNECT')
    await fileNode(t, dir)
    assert.equal(await db.get('k'), 1)
  })

  test('says what was looked for, and how far it was there', async (t) => {
    const dir = await temporary(t)
    const missing = concordError(await rejection(connect(join(dir, 'nowhere'))))
    assert.deepEqual([missing.code, missing.details?.['exists']], ['CANNOT_CONNECT', false])
    assert.equal(missing.retryable, false)
    assert.match(missing.message, /nowhere does not exist.*npx concord-kv start/)
    assert.match((await rejection(connect(dir))).message, /neither a node's data nor a config/)
    const node = await fileNode(t, dir)
    await node.close()
    const gone = concordError(await rejection(connect(join(dir, 'data'))))
    assert.match(gone.message, /no node runs on .*data: there is data/)
    assert.equal(gone.retryable, true)
  })

  test('to a directory that this user may not read: that is said, and whose it is', async (t) => {
    const dir = await temporary(t)
    await fileNode(t, dir)
    const data = join(dir, 'data')
    await chmod(dir, 0o755)
    const { forbidden, unreadable } = await asNobody(async () => {
      if (process.geteuid?.() === (await stat(data)).uid) await chmod(data, 0)
      const forbiddenError = concordError(await rejection(connect(data)))
      return {
        forbidden: forbiddenError,
        unreadable: concordError(await rejection(connect(join(data, 'log')))),
      }
    })
    await chmod(data, 0o700)
    for (const error of [forbidden, unreadable]) {
      assert.deepEqual([error.code, error.retryable], ['CANNOT_CONNECT', false])
      assert.match(
        error.message,
        /^no permission for that directory: \S+data belongs to user \d+, mode [07]00; this process is user \d+/,
      )
    }
  })

  test('to what does not speak the protocol: another try would not help', async (t) => {
    const dir = await temporary(t)
    const path = join(dir, 'endpoint.sock')
    const server = createServer((socket) => {
      atEnd(t, async () => void socket.destroy())
      socket.on('error', () => undefined)
      socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')
    })
    await new Promise<void>((resolve) => server.listen(path, resolve))
    atEnd(t, () => new Promise((resolve) => server.close(resolve)))
    await writePlace(dir, { path, config: null, mode: null })
    const error = concordError(await rejection(connect(dir)))
    assert.deepEqual([error.code, error.retryable], ['CANNOT_CONNECT', false])
  })

  test('speaks to nodes by a directory or by HTTP, and says so', async () => {
    assert.equal((await rejection(connect(''))).code, 'INVALID_ARGUMENT')
    assert.equal((await rejection(connect('redis://x'))).code, 'INVALID_ARGUMENT')
  })

  test('with an option that there is not, or that cannot be, reaches nobody', async (t) => {
    const { dir } = await listening(t)
    for (const [options, said] of [
      [{ timeout: 3 }, /"timeout" is no option of this call; it takes token, timeoutMs/],
      [{ timeoutMs: '3' }, /timeoutMs: found "3"/],
      [{ timeoutMs: 0 }, /timeoutMs: found 0/],
      [{ token: 7 }, /token: found 7, expected a string/],
      ['soon', /expected an object/],
      [null, /expected an object/],
    ] as const) {
      const error = await rejection(connect(dir, options as never))
      assert.equal(error.code, 'INVALID_OPTION')
      assert.match(error.message, said)
    }
  })

  test('gives up on what listens there and says nothing', async (t) => {
    const dir = await temporary(t)
    const path = join(dir, 'endpoint.sock')
    const server = createServer((socket) => atEnd(t, async () => void socket.destroy()))
    await new Promise<void>((resolve) => server.listen(path, resolve))
    atEnd(t, () => new Promise((resolve) => server.close(resolve)))
    await writePlace(dir, { path, config: null, mode: null })
    const error = await rejection(connect(dir, { timeoutMs: 20 }))
    assert.equal(error.code, 'CANNOT_CONNECT')
    assert.match(error.message, /does not answer/)
  })
})
