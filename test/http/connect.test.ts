// `connect` by URL: the store of a node for other processes, over the node's HTTP port.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type Server, createServer } from 'node:http'
import {
  type AddressInfo,
  type Socket,
  connect as connectSocket,
  createServer as createListener,
} from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import { type Concord, ConcordError, connect, type Remote } from '../../core/index.ts'
import type { RemoteStore } from '../../core/endpoint/remote-store.ts'
import { Upgrades } from '../../plugins/http/upgrade.ts'
import { until } from '../cluster/processes.ts'
import { TestClock } from '../node/held.ts'
import { atEnd, fileNode, rejection, temporary } from '../store/node.ts'
import { api, apiOf } from './api.ts'
import { cable } from './cable.ts'

type Options = Parameters<typeof connect>[1]

async function reached(
  t: TestContext,
  urls: string | readonly string[],
  options: Options = {},
): Promise<Remote> {
  const remote = await connect(urls, options)
  atEnd(t, () => remote.close())
  return remote
}

/** As soon as there is a place: that the one before has gone is heard a moment later. */
async function eventually(run: () => Promise<Remote>): Promise<Remote> {
  for (;;) {
    try {
      return await run()
    } catch (error) {
      if ((error as ConcordError).code !== 'OVERLOADED') throw error
    }
  }
}

const SECRET = 'concord_bootstrap_of_the_test_with_enough_of_it_0123456789'

async function withAuth(t: TestContext): Promise<{ db: Concord; url: string; admin: string }> {
  const { db, url } = await api(t, {}, { plugins: { auth: true } })
  const { token } = await db.plugin('auth').bootstrap()
  return { db, url, admin: token }
}

/** What a stranger is answered with on a raw connection, to its end. */
async function raw(t: TestContext, url: string, text: string): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connectSocket(Number(port), hostname)
  t.after(() => socket.destroy())
  let said = ''
  socket.on('data', (chunk) => (said += chunk.toString('latin1')))
  socket.on('error', () => undefined)
  socket.write(text)
  await once(socket, 'close')
  return said
}

async function serving(t: TestContext, server: Server): Promise<string> {
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const upgrading = (t: TestContext, upgrades: Upgrades): Promise<string> =>
  serving(
    t,
    createServer().on('upgrade', (request, socket, head) => {
      void upgrades.take(request, socket as Socket, head)
    }),
  )

/** Whether a server of this Node.js chooses which upgrades it takes. */
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
const LETS_CHOOSE = major > 24 || (major === 24 && minor >= 9) || (major === 22 && minor >= 21)

const upgradeTo = (protocol: string, path = '/api/v1/connect', more = ''): string =>
  `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n${more}\r\n`

describe('the same store in another process, by URL', () => {
  test('exact values, conditions, transactions and pages come as they do in the process', async (t) => {
    const { db, url } = await api(t)
    const remote = await reached(t, url)
    const value = new Map<unknown, unknown>([
      [1n, new Set([new Date(0), -0])],
      ['b', new Uint8Array([1, 2])],
    ])
    await remote.put('a', value)
    assert.deepStrictEqual(await db.get('a'), value)
    assert.deepStrictEqual(await remote.get('a'), value)
    assert.equal((await remote.putIf('a', 1, { expected: 2 })).ok, false)
    await remote.putMany(Array.from({ length: 300 }, (_, at) => ({ key: `k/${at}`, value: at })))
    const keys: string[] = []
    for await (const { key } of remote.entries({ prefix: 'k/' })) keys.push(key)
    assert.equal(keys.length, 300)
  })

  test('a mounted server serves it by the upgrade of the service', async (t) => {
    const { db } = await api(t, { listen: false })
    const service = db.plugin('http')
    const server = createServer(service.handler).on('upgrade', service.upgrade)
    const remote = await reached(t, await serving(t, server))
    await remote.put('a', 1)
    assert.equal(await db.get('a'), 1)
  })

  test('the upgrades of an application are left alone in its own server', async (t) => {
    const { db } = await api(t, { listen: false })
    const service = db.plugin('http')
    const server = createServer(service.handler).on('upgrade', service.upgrade)
    server.on('upgrade', (request, socket) => {
      if (request.headers.upgrade !== 'chat') return
      socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n')
      // What anybody else would say to it is said by then.
      setTimeout(() => socket.end('hello'), 50)
    })
    const url = await serving(t, server)
    assert.equal(await raw(t, url, upgradeTo('chat')), 'HTTP/1.1 101 Switching Protocols\r\n\r\nhello')
    const remote = await reached(t, url)
    await remote.put('a', 1)
  })

  test('a server without the upgrade of the service says what it lacks, and so does who connects', async (t) => {
    const { db, call } = await api(t)
    const plain = await call('GET', '/api/v1/connect?timeout_ms=100')
    assert.deepEqual([plain.status, plain.body.error.code], [426, 'UPGRADE_REQUIRED'])
    assert.equal(plain.headers.get('upgrade'), 'concord-endpoint')
    const url = await serving(t, createServer(db.plugin('http').handler))
    const error = (await rejection(connect(url))) as ConcordError
    assert.deepEqual([error.code, error.retryable], ['CANNOT_CONNECT', false])
    assert.match(error.message, /server\.on\("upgrade", http\.upgrade\), and a proxy/)
  })

  test('one that takes connections and says nothing is left for the next', async (t) => {
    const mute = createServer().on('upgrade', (_request, socket) => {
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: concord-endpoint\r\n\r\n',
      )
    })
    const { db, url } = await api(t)
    const urls = [await serving(t, mute), url]
    const remote = await reached(t, urls, { timeoutMs: 20_000 })
    await remote.put('a', 1)
    assert.equal(await db.get('a'), 1)
  })

  test('the next endpoint is asked when one does not answer, and when one goes', async (t) => {
    const { db, url } = await api(t)
    await db.put('a', 1)
    const ways = [await cable(t, url), await cable(t, url)]
    const remote = await reached(t, ['http://127.0.0.1:1', ...ways.map((way) => way.url)])
    ways[0]!.cut()
    assert.equal(await remote.get('a'), 1)
    ways[1]!.cut()
    assert.equal((await rejection(remote.get('a', { timeoutMs: 500 }))).code, 'CANNOT_CONNECT')
  })

  test('H61: a node of another cluster is no other endpoint of this one', async (t) => {
    const { db, url } = await api(t)
    const other = await api(t)
    const way = await cable(t, url)
    const remote = await reached(t, [way.url, other.url])
    await remote.put('a', 1)
    way.cut()
    await rejection(remote.get('a', { timeoutMs: 500 }))
    const error = (await rejection(remote.put('a', 2, { timeoutMs: 500 }))) as ConcordError
    assert.deepEqual([error.code, error.outcome], ['CANNOT_CONNECT', 'not-applied'])
    assert.match(error.message, new RegExp((await db.status()).clusterId))
    assert.match(error.message, new RegExp((await other.db.status()).clusterId))
    assert.equal(await other.db.get('a'), undefined)
  })

  test('a client that is closed while it dials waits for nobody', { timeout: 20_000 }, async (t) => {
    const { url } = await api(t)
    const { promise: dialled, resolve } = Promise.withResolvers<void>()
    // Takes connections, and never says a word.
    const hole = createListener((socket) => resolve(void socket.on('error', () => undefined)))
    await new Promise<void>((listening) => void hole.listen(0, '127.0.0.1', listening))
    t.after(() => hole.close())
    const way = await cable(t, url)
    const urls = [way.url, `http://127.0.0.1:${(hole.address() as AddressInfo).port}`]
    const remote = await reached(t, urls, { timeoutMs: 600_000 })
    way.cut()
    const call = rejection(remote.get('a', { timeoutMs: 600_000 }))
    await dialled
    await remote.close()
    assert.equal((await call).code, 'STOPPED')
  })

  test('a node that closes ends the connection, and closes in time', async (t) => {
    const { db, url } = await api(t)
    const remote = await reached(t, url)
    await remote.put('a', 1)
    await db.close()
    assert.match(String((await rejection(remote.get('a'))).code), /CANNOT_CONNECT|CONNECTION_LOST/)
  })
})

describe('who is not let in is told, and costs nothing', () => {
  test('no token: UNAUTHORIZED when it connects', async (t) => {
    const { url } = await withAuth(t)
    assert.equal((await rejection(connect(url))).code, 'UNAUTHORIZED')
    assert.equal((await rejection(connect(url, { token: SECRET }))).code, 'UNAUTHORIZED')
    const said = await raw(t, url, upgradeTo('concord-endpoint'))
    assert.match(said, /^HTTP\/1\.1 401 Unauthorized\r\n/)
    assert.match(said, /application\/problem\+json/)
  })

  test('a call without a token of its own is not trusted because its connection had one', async (t) => {
    const { url, admin } = await withAuth(t)
    const remote = await reached(t, url, { token: admin })
    await remote.put('a', 1)
    assert.equal((await rejection(remote.get('a', { token: '' }))).code, 'UNAUTHORIZED')
  })

  test('a token that is revoked is refused by the next call', async (t) => {
    const { db, url } = await withAuth(t)
    const { id, token } = await db.plugin('auth').createToken({ name: 'x', roles: ['admin'] })
    const remote = await reached(t, url, { token })
    await remote.put('a', 1)
    await db.plugin('auth').revokeToken(id)
    assert.equal((await rejection(remote.get('a'))).code, 'UNAUTHORIZED')
  })

  test('the first token of a cluster is not made over the network', async (t) => {
    const { url, admin } = await withAuth(t)
    const remote = (await reached(t, url, { token: admin })) as RemoteStore
    const call = { arguments: { name: undefined }, options: { bootstrap: true } }
    const error = await rejection(remote.runCommand('token create', call as never))
    assert.equal(error.code, 'FORBIDDEN')
    assert.match(error.message, /own socket/)
  })

  test('one client too many is told OVERLOADED, with Retry-After', async (t) => {
    const { url } = await api(t, {}, { limits: { connections: 1 } })
    await reached(t, url)
    const error = await rejection(connect(url))
    assert.equal(error.code, 'OVERLOADED')
    assert.equal((error as ConcordError).retryable, true)
    assert.match(await raw(t, url, upgradeTo('concord-endpoint')), /^HTTP\/1\.1 503 [^]*retry-after: 1/i)
  })

  test('whoever closes leaves his place to the next one', async (t) => {
    const { db, url } = await api(t, {}, { limits: { connections: 1 } })
    for (let each = 0; each < 5; each++) {
      const remote = await eventually(() => connect(url))
      await remote.put('a', each)
      await remote.close()
    }
    assert.equal(await db.get('a'), 4)
  })

  test('a node that has forgotten auth lets nobody in, and the next endpoint is asked', async (t) => {
    const dir = await temporary(t)
    const guarded = await fileNode(t, dir, { plugins: { auth: true } })
    await guarded.plugin('auth').bootstrap()
    await guarded.close()
    const forgetful = await fileNode(t, dir, { plugins: { http: { port: 0 } } })
    const { call, url } = apiOf(forgetful)
    const stranger = (await rejection(connect(url))) as ConcordError
    assert.deepEqual([stranger.code, stranger.outcome], ['UNSUPPORTED', 'not-applied'])
    assert.match(await raw(t, url, upgradeTo('concord-endpoint')), /^HTTP\/1\.1 503 /)
    assert.match(
      (await call('GET', '/readyz?verbose')).text,
      /^\[-\] open: this cluster has tokens, and this/m,
    )
    assert.equal((await call('GET', '/readyz')).text, 'not ready: open\n')
    const { cluster, error } = (await call('GET', '/health')).body
    assert.deepEqual([cluster.status, error.code], ['takes no calls', 'UNSUPPORTED'])
    const next = await withAuth(t)
    const remote = await reached(t, [url, next.url], { token: next.admin })
    await remote.put('a', 1)
  })

  test('an upgrade does not overtake the answers to what was asked before it', async (t) => {
    const { db, url } = await api(t)
    await db.put('a', 1)
    const get = 'GET /api/v1/kv/a HTTP/1.1\r\nHost: x\r\n\r\n'
    const said = await raw(t, url, get + get + upgradeTo('concord-endpoint'))
    assert.deepEqual(
      [...said.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status),
      ['200', '200', '400'],
    )
    assert.match(said, /waits for no other answer/)
  })

  test('whoever says how long he waits is told in time what for', async (t) => {
    const clock = new TestClock()
    const judging = Promise.withResolvers<void>()
    const upgrades = new Upgrades({
      clock,
      endpoint: {} as never,
      log: {} as never,
      signal: new AbortController().signal,
      authorize: () => new Promise(() => judging.resolve()),
    })
    const said = raw(
      t,
      await upgrading(t, upgrades),
      upgradeTo('concord-endpoint', '/api/v1/connect?timeout_ms=80'),
    )
    await judging.promise
    await clock.advance(80)
    assert.match(await said, /^HTTP\/1\.1 503 [^]*"detail":"this node waits for a leader[^]*NOT_READY/)
  })

  test('whoever is silent loses his place when his token is revoked, and keeps it while nobody can tell', async (t) => {
    const clock = new TestClock()
    const verdicts: (ConcordError | undefined)[] = [
      undefined,
      undefined,
      new ConcordError('NO_LEADER', 'nobody can tell'),
      new ConcordError('UNAUTHORIZED', 'revoked'),
    ]
    const places = new Set<Socket>()
    const upgrades = new Upgrades({
      clock,
      endpoint: {
        refusal: undefined,
        accept: (socket) => {
          places.add(socket)
          socket.on('close', () => places.delete(socket))
          return { finish: async () => undefined }
        },
      },
      log: {} as never,
      signal: new AbortController().signal,
      authorize: async () => {
        const verdict = verdicts.shift()
        if (verdict !== undefined) throw verdict
      },
    })
    const said = raw(t, await upgrading(t, upgrades), upgradeTo('concord-endpoint'))
    await until(() => places.size === 1)
    for (const left of [2, 1]) {
      await clock.advance(60_000)
      assert.deepEqual([places.size, verdicts.length], [1, left])
    }
    await clock.advance(60_000)
    assert.match(await said, /^HTTP\/1\.1 101 /)
    await until(() => places.size === 0)
    await clock.advance(600_000)
    assert.equal(verdicts.length, 0)
  })

  test('another protocol, and another path, are answered and closed', async (t) => {
    const { url } = await api(t)
    const other = 'GET /livez HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n'
    assert.match(await raw(t, url, other), LETS_CHOOSE ? /^HTTP\/1\.1 200 / : /^HTTP\/1\.1 400 /)
    assert.match(await raw(t, url, upgradeTo('concord-endpoint', '/api/v1/kv/a')), /^HTTP\/1\.1 400 /)
  })

  test('garbage after the 101 ends that connection and no other', async (t) => {
    const { url } = await api(t)
    const remote = await reached(t, url)
    const said = await raw(t, url, upgradeTo('concord-endpoint') + '\xff'.repeat(64))
    assert.match(said, /^HTTP\/1\.1 101 /)
    await remote.put('a', 1)
  })

  test('what listens there and is no node is named so', async (t) => {
    const server = createServer((_request, response) => void response.writeHead(404).end('no'))
    const error = await rejection(connect(await serving(t, server)))
    assert.equal(error.code, 'CANNOT_CONNECT')
    assert.match(error.message, /no node with plugins\.http/)
  })

  test('a URL with more than scheme, host and port is refused before anything is sent', async () => {
    for (const url of ['http://u:p@127.0.0.1:1', 'http://127.0.0.1:1/x', 'http://127.0.0.1:1/?a']) {
      assert.equal((await rejection(connect(url))).code, 'INVALID_ARGUMENT')
    }
    assert.equal((await rejection(connect([]))).code, 'INVALID_ARGUMENT')
    assert.equal((await rejection(connect(['./data']))).code, 'INVALID_ARGUMENT')
  })

  test('what was meant is said: a URL, the other scheme, the text of a certificate', async (t) => {
    for (const target of ['127.0.0.1:1', 'node-1.example:4000', '[::1]:4000']) {
      const error = await rejection(connect(target))
      assert.equal(error.code, 'INVALID_ARGUMENT')
      assert.match(error.message, new RegExp(`was the URL http://${target.replace(/[[\]]/g, '\\$&')} meant`))
    }
    const { url } = await api(t)
    const tls = (await rejection(connect(url.replace('http:', 'https:')))) as ConcordError
    assert.equal(tls.code, 'CANNOT_CONNECT')
    assert.match(tls.message, /: was http:\/\/127\.0\.0\.1:\d+ meant\?$/)
    const key = '-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n'
    for (const [ca, found] of [
      ['tls/ca.pem', '"tls/ca.pem"'],
      [key, '"-----BEGIN PRIVATE KEY-----"'],
      [key.replaceAll('PRIVATE KEY', 'CERTIFICATE'), '"-----BEGIN CERTIFICATE-----"'],
      ['c2VjcmV0', '"another text"'],
    ] as const) {
      const error = await rejection(connect(url, { ca }))
      assert.equal(error.code, 'INVALID_OPTION')
      assert.equal(error.message, `ca: found ${found}, expected the PEM text of a certificate`)
    }
  })
})
