// The server around the routes: mounted elsewhere, behind TLS, from a browser's page, at its limits, and on its way down.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { get as secureGet } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import type { TLSSocket } from 'node:tls'
import express from 'express'
import { fastify } from 'fastify'
import { pino } from 'pino'
import { answer } from '../../core/plugin.ts'
import { open } from '../../core/index.ts'
import { until } from '../cluster/processes.ts'
import { memoryNode, temporary } from '../store/node.ts'
import { type Certificate, createAuthority } from '../transport/certificates.ts'
import { networkOf } from '../../plugins/http/client.ts'
import { api, apiOf, routeOf } from './api.ts'

describe('the handler', () => {
  test('serves in a server of node:http', async (t) => {
    const { db } = await api(t, { listen: false })
    assert.equal(db.plugin('http').url, undefined)
    const server = createServer(db.plugin('http').handler).listen(0, '127.0.0.1')
    t.after(() => server.close())
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const { call } = apiOf(db, `http://127.0.0.1:${port}`)
    assert.equal((await call('PUT', '/api/v1/kv/a', { body: { value: 1 } })).status, 200)
    assert.equal((await call('GET', '/api/v1/kv/a')).body.data.value, 1)
    server.closeAllConnections()
  })

  test('serves in express, at its root and below a path, and refuses a body that somebody has read', async (t) => {
    const { db } = await api(t, { listen: false })
    const app = express()
    app.get('/mine', (_request, response) => void response.send('mine'))
    app.use('/behind', express.json(), db.plugin('http').handler)
    app.use('/store', db.plugin('http').handler)
    app.use(db.plugin('http').handler)
    const server = app.listen(0, '127.0.0.1')
    t.after(() => server.close())
    await once(server, 'listening')
    const root = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const { call } = apiOf(db, root)
    assert.equal((await call('PUT', '/api/v1/kv/a%2Fb', { body: { value: 1 } })).status, 200)
    assert.equal((await apiOf(db, `${root}/store`).call('GET', '/api/v1/kv/a%2Fb')).body.data.value, 1)
    assert.equal(await (await fetch(`${root}/mine`)).text(), 'mine')
    const behind = apiOf(db, `${root}/behind`)
    const late = await behind.call('PUT', '/api/v1/kv/c', { body: { value: 1 } })
    assert.deepEqual([late.status, late.body.error.code], [400, 'INVALID_REQUEST'])
    assert.match(late.body.error.message, /mount the handler before it/)
    assert.equal((await behind.call('GET', '/api/v1/kv/a%2Fb')).status, 200)
    server.closeAllConnections()
  })

  test('serves beside the routes of a fastify of the application', async (t) => {
    const { db } = await api(t, { listen: false })
    const app = fastify()
    app.get('/mine', () => 'mine')
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', (_request, _payload, done) => done(null)) // the handler reads the body itself
    app.all('/api/*', (request, reply) => {
      reply.hijack()
      db.plugin('http').handler(request.raw, reply.raw)
    })
    await app.listen({ port: 0, host: '127.0.0.1' })
    t.after(() => app.close())
    const { port } = app.server.address() as AddressInfo
    const { call } = apiOf(db, `http://127.0.0.1:${port}`)
    assert.equal((await call('PUT', '/api/v1/kv/a', { body: { value: 1 } })).status, 200)
    assert.equal(await (await fetch(`http://127.0.0.1:${port}/mine`)).text(), 'mine')
  })
})

describe('strangers', () => {
  test('beyond this machine are let in by no node without auth, unless its config says so', async (t) => {
    const config = { storage: 'memory', log: { level: 'silent' } } as const
    const wide = { ...config, plugins: { http: { port: 0, host: '0.0.0.0' } } }
    await assert.rejects(open(wide), { code: 'CONFIG_INVALID', message: /plugins\.auth.*insecure/ })
    const insecure = await memoryNode(t, { plugins: { http: { port: 0, host: '0.0.0.0', insecure: true } } })
    assert.match((await insecure.status()).unsafe.join('\n'), /plugins\.http: insecure/)
    const safe = await memoryNode(t, { plugins: { auth: true, http: { port: 0, host: '0.0.0.0' } } })
    assert.doesNotMatch(
      (await safe.status({ token: (await safe.plugin('auth').bootstrap()).token })).unsafe.join('\n'),
      /http/,
    )
  })

  test('from another origin are let in only where its name is', async (t) => {
    const { url } = await api(t, { corsOrigins: ['https://console.example.com'] })
    const preflight = (origin: string) =>
      fetch(`${url}/api/v1/kv/a`, {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'PUT' },
      })
    const allowed = await preflight('https://console.example.com')
    assert.equal(allowed.headers.get('access-control-allow-origin'), 'https://console.example.com')
    assert.match(allowed.headers.get('access-control-allow-methods')!, /PUT/)
    assert.equal(
      (await preflight('https://evil.example.com')).headers.get('access-control-allow-origin'),
      null,
    )
    const closed = await api(t)
    const refused = await fetch(`${closed.url}/api/v1/kv/a`, {
      headers: { origin: 'https://console.example.com' },
    })
    assert.equal(refused.headers.get('access-control-allow-origin'), null)
  })
})

describe('limits', () => {
  test('of requests hold for each token that is known, and for an address, whatever it makes up', async (t) => {
    const { call, db } = await api(t, { rateLimit: 3, rateWindowMs: 60_000 }, { plugins: { auth: true } })
    const tokenOf = async (name: string) => (await db.plugin('auth').createToken({ name })).token
    const [one, two] = [await tokenOf('one'), await tokenOf('two')]
    const as = (token: string, path = '/livez') =>
      call('GET', path, { headers: { authorization: `Bearer ${token}` } })
    for (let i = 0; i < 3; i++) assert.equal((await as(one)).status, 200)
    const refused = await as(one)
    assert.deepEqual(
      [refused.status, refused.body.error.code, refused.body.error.outcome],
      [429, 'RATE_LIMITED', 'not-applied'],
    )
    assert.ok(Number(refused.headers.get('retry-after')) > 0)
    const guess = (digit: number) => one.slice(0, -1) + String(digit)
    assert.equal((await as(guess(1))).status, 200)
    assert.equal((await as(guess(2), '/api/v1/kv/a')).status, 401)
    assert.equal((await as('nonsense', '/nowhere')).status, 404)
    for (const path of ['/livez', '/api/v1/kv/a', '/nowhere']) {
      assert.equal((await as(guess(3), path)).status, 429, path)
      assert.equal((await call('GET', path, { headers: { 'x-api-key': guess(4) } })).status, 429, path)
      assert.equal((await call('GET', path)).status, 429, path)
    }
    assert.equal((await as(two)).status, 200, 'a token that is known goes on, from the same address')
  })

  test('of one client are those of its network: nobody becomes another by taking another address of his own', () => {
    const networks = [
      ['192.0.2.7', '192.0.2.7'],
      ['::ffff:192.0.2.7', '192.0.2.7'],
      ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
      ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
      ['2001:db8::9', '2001:db8:0:0::/64'],
      ['fe80::1%eth0', 'fe80:0:0:0::/64'],
      ['::1', '0:0:0:0::/64'],
      ['', ''],
    ] as const
    for (const [address, network] of networks) assert.equal(networkOf(address), network)
  })

  test('of what is under way refuse the rest with 503, and nothing of it was done', async (t) => {
    const waiting = Promise.withResolvers<void>()
    const slow = routeOf({ path: '/slow', handle: () => waiting.promise })
    const { call } = await api(t, { requests: 2 }, slow)
    const held = [call('GET', '/api/v1/slow'), call('GET', '/api/v1/slow')]
    await until(async () => (await call('GET', '/api/v1/status')).status === 503)
    const refused = await call('PUT', '/api/v1/kv/a', { body: { value: 1 } })
    assert.deepEqual(
      [refused.status, refused.body.error.code, refused.body.error.outcome],
      [503, 'OVERLOADED', 'not-applied'],
    )
    assert.equal(refused.headers.get('retry-after'), '1')
    waiting.resolve()
    for (const one of await Promise.all(held)) assert.equal(one.status, 200)
    await until(async () => (await call('GET', '/api/v1/status')).status === 200)
  })

  test('of a body and of media types are told', async (t) => {
    const { call } = await api(t, { bodyBytes: 2048 })
    const large = await call('PUT', '/api/v1/kv/a', { body: { value: 'x'.repeat(3000) } })
    assert.deepEqual([large.status, large.body.error.code], [413, 'PAYLOAD_TOO_LARGE'])
    const xml = await call('PUT', '/api/v1/kv/a', {
      body: '<a/>',
      headers: { 'content-type': 'application/xml' },
    })
    assert.deepEqual([xml.status, xml.body.error.code], [415, 'UNSUPPORTED_MEDIA_TYPE'])
    const none = await call('PUT', '/api/v1/kv/a')
    assert.deepEqual([none.status, none.body.error.code], [400, 'INVALID_REQUEST'])
  })
})

describe('an answer without an end', () => {
  const numbers = async function* (signal: AbortSignal) {
    for (let at = 0; ; at++) {
      if (signal.aborted) return
      yield `${at}\n`
      await new Promise((resolve) => void setImmediate(resolve))
    }
  }
  const endless = routeOf({
    path: '/numbers',
    handle: ({ signal }) => answer({ raw: { type: 'application/x-ndjson', body: numbers(signal) } }),
  })

  test('H75: is made no faster than its client reads, and ends when the client goes', async (t) => {
    let ended = false
    let made = 0
    const watched = routeOf({
      path: '/numbers',
      handle: ({ signal }) => {
        signal.addEventListener('abort', () => (ended = true))
        const lines = async function* () {
          for (; !signal.aborted; made++) yield `${made} ${'x'.repeat(1024)}\n`
        }
        return answer({ raw: { type: 'application/x-ndjson', body: lines() } })
      },
    })
    const { url } = await api(t, {}, watched)
    const abort = new AbortController()
    const response = await fetch(`${url}/api/v1/numbers`, { signal: abort.signal })
    const reader = response.body!.getReader()
    const { value } = await reader.read()
    assert.match(Buffer.from(value).toString(), /^0 x/)
    // Nobody reads on: what is made is what the buffers on the way take, and then no more, however much the node does.
    await until(async () => {
      const before = made
      for (let i = 0; i < 20; i++) await (await fetch(`${url}/livez`)).text()
      return made === before
    })
    assert.ok(made < 64 * 1024, `${made} KiB were made for a client that does not read`)
    abort.abort()
    await until(() => ended)
  })

  test('ends when the node closes, which waits for nobody', async (t) => {
    const { db, url } = await api(t, {}, endless)
    const response = await fetch(`${url}/api/v1/numbers`)
    const all = response.text()
    await db.close()
    assert.match(await all, /^0\n1\n/)
  })

  test('is given to one client only so often at once', async (t) => {
    const { url } = await api(t, { streams: 2 }, endless)
    const abort = new AbortController()
    const get = (madeUp: string) =>
      fetch(`${url}/api/v1/numbers`, { signal: abort.signal, headers: { 'x-api-key': madeUp } })
    const held = [await get('one'), await get('two')]
    const third = await get('three')
    assert.equal(third.status, 429)
    await third.text()
    abort.abort()
    await Promise.allSettled(held.map((one) => one.text()))
    await until(
      async () =>
        (await fetch(`${url}/api/v1/numbers`, { signal: AbortSignal.timeout(200) }).catch(() => undefined))
          ?.status === 200,
    )
  })
})

describe('TLS', () => {
  /** A certificate of the node, its key, and the authority of both. */
  const filesOf = async (t: TestContext) => {
    const dir = await temporary(t)
    const ca = createAuthority('ca')
    const files = { cert: join(dir, 'n1.crt'), key: join(dir, 'n1.key'), ca: join(dir, 'ca.crt') }
    const { cert, key } = ca.issue('n1')
    writeFileSync(files.cert, cert)
    writeFileSync(files.key, key)
    writeFileSync(files.ca, ca.cert)
    return { dir, ca, files }
  }

  test('is spoken, and a new certificate is taken while the node runs', async (t) => {
    const dir = await temporary(t)
    const ca = createAuthority('ca')
    const files = { cert: join(dir, 'now.crt'), key: join(dir, 'now.key') }
    const use = ({ cert, key }: Certificate): void => {
      writeFileSync(files.cert, cert)
      writeFileSync(files.key, key)
    }
    use(ca.issue('first'))
    const { url } = await api(t, { tls: files })
    assert.match(url, /^https:/)
    const subject = () =>
      new Promise<string>((resolve, reject) => {
        secureGet(`${url}/livez`, { rejectUnauthorized: false, agent: false }, (response) => {
          response.resume()
          resolve(String((response.socket as TLSSocket).getPeerCertificate().subject.CN))
        }).on('error', reject)
      })
    assert.equal(await subject(), 'first')
    use(ca.issue('second'))
    await until(async () => (await subject()) === 'second')
  })

  test('with an authority for clients lets in nobody without a certificate of it', async (t) => {
    const { ca, files } = await filesOf(t)
    const { url } = await api(t, { tls: files })
    const ask = (more: object): Promise<unknown> =>
      new Promise((resolve, reject) => {
        const options = { rejectUnauthorized: false, agent: false, ...more } as const
        secureGet(`${url}/livez`, options, (response) => {
          response.resume()
          resolve(response.statusCode)
        }).on('error', reject)
      })
    await assert.rejects(ask({}))
    assert.equal(await ask(ca.issue('client')), 200)
  })

  test('with a file that is missing, unreadable or of another pair does not start, and names it', async (t) => {
    const { ca, dir, files } = await filesOf(t)
    const other = join(dir, 'other.key')
    writeFileSync(other, ca.issue('n2').key)
    const wrong = [
      [{ ...files, cert: join(dir, 'missing.crt') }, /cert: .*missing\.crt cannot be read \(ENOENT\)/],
      [{ ...files, key: dir }, /key: .* cannot be read \(EISDIR\)/],
      [{ ...files, ca: join(dir, 'missing.ca') }, /ca: .*missing\.ca cannot be read \(ENOENT\)/],
      [{ ...files, key: other }, /key .*other\.key cannot be used/],
    ] as const
    for (const [tls, message] of wrong) {
      const started = open({
        storage: 'memory',
        log: { level: 'silent' },
        plugins: { http: { port: 0, tls } },
      })
      await assert.rejects(started, { code: 'CONFIG_INVALID', message })
    }
  })
})

test('a request that is under way when the node closes is finished; those that come later are refused', async (t) => {
  const waiting = Promise.withResolvers<void>()
  const slow = routeOf({ path: '/slow', handle: () => waiting.promise.then(() => ({ done: true })) })
  const { db, url } = await api(t, {}, slow)
  const under = fetch(`${url}/api/v1/slow`)
  await until(async () => (await fetch(`${url}/readyz`)).ok)
  const closed = db.close()
  await until(() =>
    fetch(`${url}/livez`).then(
      () => false,
      () => true,
    ),
  )
  waiting.resolve()
  assert.deepEqual(await (await under).json(), { status: 'ok', data: { done: true } })
  await closed
})

test('an answer that is there when the node closes is whole for whoever takes it; who does not holds up nobody', async (t) => {
  // More than all buffers on the way.
  const large = Buffer.alloc(32 * 1024 * 1024)
  let made = 0
  const route = routeOf({
    path: '/large',
    handle: () => {
      made++
      return answer({ raw: { type: 'application/octet-stream', body: large } })
    },
  })
  const complaints: string[] = []
  const logger = pino({ level: 'error' }, { write: (line: string) => void complaints.push(line) })
  const { db, url } = await api(t, {}, { ...route, log: { logger } })
  const ask = () => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    t.after(() => socket.destroy())
    socket.on('error', () => undefined)
    socket.pause()
    socket.write('GET /api/v1/large HTTP/1.1\r\nHost: x\r\n\r\n')
    return socket
  }
  const [taker, idler] = [ask(), ask()]
  await until(() => made === 2)
  const closed = db.close()
  let taken = 0
  let isOver = false
  taker.on('data', (piece: Buffer) => (taken += piece.length))
  taker.on('close', () => (isOver = true))
  taker.resume()
  await until(() => isOver)
  assert.ok(taken > large.length, `${taken} bytes of ${large.length}, and the head`)
  await closed
  assert.deepEqual(complaints, [])
  idler.destroy()
})

test('a port that is taken is an error that says so', async (t) => {
  const { url } = await api(t)
  const port = Number(new URL(url).port)
  const started = open({ storage: 'memory', log: { level: 'silent' }, plugins: { http: { port } } })
  await assert.rejects(started, { message: new RegExp(`${port}: somebody listens there already`) })
})
