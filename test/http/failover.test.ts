// `connect` to a cluster by the URLs of its nodes: what a client notices when the node that it speaks with goes.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect as connectSocket } from 'node:net'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { type Concord, type ConcordError, type Config, connect, type Remote } from '../../core/index.ts'
import { definePlugin } from '../../core/plugin.ts'
import { LONG, town, until } from '../cluster/processes.ts'
import { atEnd, rejection, temporary } from '../store/node.ts'
import { createAuthority } from '../transport/certificates.ts'
import { api, type Api } from './api.ts'
import { cable } from './cable.ts'

const urlOf = (db: Concord): string => db.plugin('http').url!

async function reached(t: TestContext, urls: readonly string[], options?: object): Promise<Remote> {
  const remote = await connect(urls, options)
  atEnd(t, () => remote.close())
  return remote
}

/** Three nodes with the HTTP API, the leader first. */
async function three(t: TestContext): Promise<Concord[]> {
  const { startAll } = await town(t, ['n1', 'n2', 'n3'], { plugins: { http: { port: 0 } } })
  const nodes = await startAll()
  const leads = async (db: Concord): Promise<boolean> => (await db.status()).role === 'leader'
  const roles = async (): Promise<boolean[]> => Promise.all(nodes.map(leads))
  await until(async () => (await roles()).includes(true))
  const leader = nodes[(await roles()).indexOf(true)]!
  return [leader, ...nodes.filter((each) => each !== leader)]
}

/** A plugin at the door that lets no write in before the test does. */
class Gate {
  writes = 0
  readonly arrived = Promise.withResolvers<void>()
  readonly open = Promise.withResolvers<void>()
  readonly config: Pick<Config, 'use' | 'plugins'>

  constructor() {
    const plugin = definePlugin({
      name: 'gate',
      version: '1.0.0',
      apiVersion: 1,
      setup: (ctx) => {
        ctx.hooks.write.tap(async () => {
          this.writes++
          this.arrived.resolve()
          await this.open.promise
        })
      },
    })
    this.config = { use: [plugin], plugins: { gate: true } } as never
  }
}

describe('a client of three nodes', () => {
  test('reads, and writes with request ids, go on without an error while the leader that it asks is closed', async (t) => {
    const nodes = await three(t)
    const remote = await reached(t, nodes.map(urlOf))
    let isOver = false
    let written = 0
    const writing = async (): Promise<void> => {
      for (; !isOver; written++) {
        await remote.increment('count', { by: 1, requestId: `r-${written}`, ...LONG })
      }
    }
    const reading = async (): Promise<void> => {
      while (!isOver) await remote.get('count', LONG)
    }
    const calls = Promise.all([writing(), reading()]).finally(() => {
      isOver = true
    })
    calls.catch(() => undefined)
    await until(() => isOver || written > 20)
    await nodes[0]!.close()
    const before = written
    await until(() => isOver || written > before + 20)
    isOver = true
    await calls
    assert.equal(await nodes[1]!.get('count', LONG), written, 'each exactly once')
  })

  test('the same when every connection to the node that it asks is cut', async (t) => {
    const nodes = await three(t)
    const way = await cable(t, urlOf(nodes[0]!))
    const remote = await reached(t, [way.url, urlOf(nodes[1]!), urlOf(nodes[2]!)])
    await remote.put('count', 0, LONG)
    const writes = Array.from({ length: 50 }, (_, at) =>
      remote.increment('count', { requestId: `r-${at}`, ...LONG }),
    )
    const reads = Array.from({ length: 50 }, () => remote.get('count', LONG))
    await writes[0]
    way.cut()
    await Promise.all([...writes, ...reads])
    assert.equal(await nodes[1]!.get('count', LONG), 50)
  })

  test('a write without a request id that is under way when the connection is cut is never sent again', async (t) => {
    const gate = new Gate()
    const { url } = await api(t, {}, gate.config)
    const way = await cable(t, url)
    const remote = await reached(t, [way.url, url])
    const put = rejection(remote.put('a', 1))
    await gate.arrived.promise
    way.cut()
    const error = (await put) as ConcordError
    gate.open.resolve()
    assert.deepEqual([error.code, error.outcome], ['CONNECTION_LOST', 'unknown'])
    await remote.put('b', 1)
    assert.equal(gate.writes, 2, 'it, and the one after it')
  })

  test('what waits at the door of a node that closes goes on at the next one, before the closing is over', async (t) => {
    const gate = new Gate()
    const { start } = await town(t, ['n1', 'n2', 'n3'], { plugins: { http: { port: 0 } } })
    const { use, plugins } = gate.config
    const nodes = await Promise.all([
      start('n1', { use, plugins: { http: { port: 0 }, ...plugins } }),
      start('n2'),
      start('n3'),
    ])
    await Promise.all(nodes.map((node) => node.ready(LONG)))
    const remote = await reached(t, nodes.map(urlOf))
    const put = remote.put('a', 1, LONG)
    await gate.arrived.promise
    const closed = nodes[0].close()
    await put
    assert.equal(await nodes[1].get('a', LONG), 1)
    gate.open.resolve()
    await closed
    assert.equal(gate.writes, 1)
  })
})

// Side by side: one of them waits for the server's patience to end.
describe('a client of one node or two', { concurrency: true }, () => {
  test('pages are asked of the node whose iterator it is, and their end says from where to go on', async (t) => {
    const { db, url } = await api(t)
    const keys = Array.from({ length: 400 }, (_, at) => at)
    await db.putMany(keys.map((at) => ({ key: `k/${at}`, value: at })))
    await db.putMany(keys.map((at) => ({ key: `o/${at}`, value: at })))
    const way = await cable(t, url)
    const remote = await reached(t, [way.url, url])
    const entries = remote.entries({ prefix: 'k/' })[Symbol.asyncIterator]()
    await entries.next()
    way.cut()
    // Another iterator of the same number, of another connection: it is not taken for the first one.
    const others = remote.entries({ prefix: 'o/' })[Symbol.asyncIterator]()
    await others.next()
    const error = (await rejection(
      (async () => {
        while ((await entries.next()).done !== true);
      })(),
    )) as ConcordError
    assert.equal(error.code, 'CONNECTION_LOST')
    assert.equal(typeof error.details?.['cursor'], 'string')
    let left = 0
    while ((await others.next()).done !== true) left++
    assert.equal(left, 399)
  })

  test('over TLS it is let in by certificates of `ca` for the name in the URL, and by no other', async (t) => {
    const dir = await temporary(t)
    const ca = createAuthority('ca')
    const certified = async (name: string, address?: string): Promise<Api> => {
      const files = { cert: join(dir, `${name}.crt`), key: join(dir, `${name}.key`) }
      const { cert, key } = ca.issue(name, undefined, address)
      writeFileSync(files.cert, cert)
      writeFileSync(files.key, key)
      return api(t, { tls: files })
    }
    const { db, url } = await certified('n1', '127.0.0.1')
    const remote = await reached(t, [url], { ca: `# of the test\r\n${ca.cert}` })
    await remote.put('a', 1)
    assert.equal(await db.get('a'), 1)
    const elsewhere = await certified('n2')
    const refusals = [
      [url, {}],
      [url, { ca: createAuthority('other').cert }],
      [elsewhere.url, { ca: ca.cert }],
    ] as const
    for (const [at, options] of refusals) {
      const error = (await rejection(connect(at, options))) as ConcordError
      assert.deepEqual([error.code, error.outcome], ['CANNOT_CONNECT', 'not-applied'])
      assert.match(error.message, /certificate/)
    }
    assert.match((await rejection(connect(url))).message, /give that authority's as `ca`/)
    const plain = await rejection(connect(url.replace('https:', 'http:')))
    assert.match(plain.message, /was https:\/\/127\.0\.0\.1:\d+ meant/)
  })

  test('that sends half a request for an upgrade is let go of in time', async (t) => {
    const { url } = await api(t)
    const socket = connectSocket(Number(new URL(url).port), '127.0.0.1')
    t.after(() => socket.destroy())
    let said = ''
    socket.on('data', (chunk) => (said += chunk.toString('latin1')))
    socket.on('error', () => undefined)
    const half = [
      'GET /api/v1/connect HTTP/1.1',
      'Host: x',
      'Connection: Upgrade',
      'Upgrade: concord-endpoint',
    ]
    socket.write(half.join('\r\n'))
    await once(socket, 'close')
    assert.match(said, /^HTTP\/1\.1 408 /)
  })
})
