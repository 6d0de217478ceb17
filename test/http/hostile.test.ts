// What strangers send: too much, too slow, too deep, half of it, two in one. A 4xx or a closed connection, never a 500,
// and whoever asks properly is answered all the while.

import assert from 'node:assert/strict'
import { type Socket, connect } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import { until } from '../cluster/processes.ts'
import { answer as answerOf } from '../../core/plugin.ts'
import { type Api, api, routeOf } from './api.ts'

const portOf = ({ url }: Api): number => Number(new URL(url).port)

/** A connection that says `bytes`, and what comes back until it ends, or until `isEnough`. */
async function say(
  t: TestContext,
  node: Api,
  bytes: string | Buffer,
  isEnough: (text: string) => boolean = () => false,
): Promise<string> {
  const socket = connect(portOf(node), '127.0.0.1')
  t.after(() => socket.destroy())
  let text = ''
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
  socket.on('error', () => undefined) // it may well be closed while we write
  socket.write(bytes)
  let isOver = false
  socket.on('close', () => (isOver = true))
  await until(() => isOver || isEnough(text))
  socket.destroy()
  return text
}

const statusesIn = (text: string): number[] =>
  [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status))

const request = (line: string, ...headers: string[]): string =>
  `${line} HTTP/1.1\r\nHost: x\r\n${headers.map((header) => `${header}\r\n`).join('')}\r\n`

/** A put of one key, as it should be. */
const put = (key: string, body = '{"value":1}'): string =>
  request(`PUT /api/v1/kv/${key}`, 'Content-Type: application/json', `Content-Length: ${body.length}`) + body

/** A connection that asks for what is held, and for `many` other things behind it. */
function piled(t: TestContext, node: Api, many: number): Socket {
  const socket = connect(portOf(node), '127.0.0.1')
  t.after(() => socket.destroy())
  socket.on('error', () => undefined)
  socket.resume()
  socket.write(request('GET /api/v1/held') + request('GET /livez').repeat(many))
  return socket
}

async function works({ call }: Api): Promise<void> {
  assert.equal((await call('PUT', '/api/v1/kv/proper', { body: { value: 1 } })).status, 200)
  assert.equal((await call('GET', '/api/v1/kv/proper')).body.data.value, 1)
}

describe('a body', () => {
  test('of 100 MB is refused before it is read', async (t) => {
    const node = await api(t)
    const head = request(
      'PUT /api/v1/kv/a',
      'Content-Type: application/json',
      `Content-Length: ${100 * 1024 * 1024}`,
    )
    const text = await say(t, node, head, (so) => so.includes('\r\n\r\n'))
    assert.deepEqual(statusesIn(text), [413])
    await works(node)
  })

  test('without an end is read no further than to its answer, whatever that is', async (t) => {
    const node = await api(t, { bodyBytes: 64 * 1024 })
    const [json, chunked] = ['Content-Type: application/json', 'Transfer-Encoding: chunked']
    const endless: readonly (readonly [string, number])[] = [
      [request('PUT /api/v1/kv/a', json, chunked), 413],
      [request('PUT /api/v1/kv/a', json, 'Content-Length: 1000000000'), 413],
      [request('PUT /api/v1/kv/a', 'Content-Type: a/b', chunked), 415],
      [request('PUT /api/v1/kv/a', 'Content-Type: a/b', 'Content-Length: 1000000000'), 415],
      [request('GET /livez', chunked), 200],
    ]
    const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`
    for (const [head, status] of endless) {
      const socket = connect(portOf(node), '127.0.0.1')
      t.after(() => socket.destroy())
      let [text, isOver] = ['', false]
      socket.on('data', (piece: Buffer) => (text += piece.toString()))
      socket.on('error', () => undefined)
      socket.on('close', () => (isOver = true))
      socket.write(head)
      for (let sent = 0; text === '' && !isOver && sent < 1000; sent++) {
        if (!socket.write(chunk)) await until(() => socket.writableLength === 0 || text !== '' || isOver)
        await new Promise((resolve) => void setImmediate(resolve))
      }
      await until(() => isOver)
      assert.deepEqual(statusesIn(text), [status], head)
      assert.match(text, /^connection: close\r$/im, head)
    }
    await works(node)
  })

  test('that is too deep, has members without end, or one twice, is 400, or is taken as it is', async (t) => {
    const node = await api(t)
    const deep = (depth: number) => `{"value":${'['.repeat(depth)}${']'.repeat(depth)}}`
    const many = `{"value":{${Array.from({ length: 130_000 }, (_, at) => `"k${at}":0`).join()}}}`
    const bodies: readonly (readonly [string, number, string | undefined])[] = [
      [deep(100_000), 400, 'INVALID_REQUEST'],
      [deep(65), 400, 'INVALID_VALUE'],
      [deep(60), 200, undefined],
      [many, 413, 'VALUE_TOO_LARGE'],
      ['{"value":1,"value":2}', 400, 'INVALID_REQUEST'],
      ['{"value":{"a":1,"\\u0061":2}}', 400, 'INVALID_REQUEST'],
      ['{"value":9007199254740993}', 400, 'INVALID_REQUEST'],
      ['{"value":1e400}', 400, 'INVALID_REQUEST'],
      ['{"value":"\\udc00"}', 200, undefined],
      ['{"value":1}x', 400, 'INVALID_REQUEST'],
      ['[1]', 400, 'INVALID_REQUEST'],
      ['null', 400, 'INVALID_REQUEST'],
      ['', 400, 'INVALID_REQUEST'],
      ['\ufeff{"value":1}', 200, undefined],
    ]
    for (const [body, status, code] of bodies) {
      const answer = await node.call('PUT', '/api/v1/kv/a', {
        body,
        headers: { 'content-type': 'application/json' },
      })
      assert.deepEqual([answer.status, answer.body.error?.code], [status, code], body.slice(0, 60))
    }
    const bytes = Buffer.from('{"value":"\xff"}', 'latin1')
    const broken = await node.call('PUT', '/api/v1/kv/a', {
      body: bytes,
      headers: { 'content-type': 'application/json' },
    })
    assert.equal(broken.status, 400, 'no UTF-8')
    await works(node)
  })
})

describe('a request', () => {
  test('never becomes two, however its length is said', async (t) => {
    const node = await api(t)
    const inner = put('smuggled')
    const wrong = [
      // Two ways to say how long it is.
      request(
        'PUT /api/v1/kv/a',
        'Content-Type: application/json',
        'Content-Length: 4',
        'Transfer-Encoding: chunked',
      ) + `0\r\n\r\n${inner}`,
      request(
        'PUT /api/v1/kv/a',
        'Content-Type: application/json',
        'Content-Length: 11',
        'Content-Length: 3',
      ) + `{"value":1}${inner}`,
      request('PUT /api/v1/kv/a', 'Content-Type: application/json', 'Transfer-Encoding: chunked, identity') +
        `0\r\n\r\n${inner}`,
      request('PUT /api/v1/kv/a', 'Content-Type: application/json', 'Transfer-Encoding : chunked') +
        `0\r\n\r\n${inner}`,
      request('PUT /api/v1/kv/a', 'Content-Type: application/json', 'Content-Length: +11') +
        `{"value":1}${inner}`,
      // Lines that end otherwise, and a header that goes on.
      `PUT /api/v1/kv/a HTTP/1.1\nHost: x\nContent-Length: 0\n\n${inner}`,
      `PUT /api/v1/kv/a HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n${inner}`,
    ]
    for (const bytes of wrong) {
      const text = await say(t, node, bytes, (so) => statusesIn(so).length > 1)
      assert.ok(
        statusesIn(text).every((status) => status === 400),
        `${JSON.stringify(bytes.slice(0, 120))}: ${text}`,
      )
    }
    assert.equal(await node.db.get('smuggled'), undefined)
    await works(node)
  })

  test('whose body is shorter than it says waits, and does nothing', async (t) => {
    const node = await api(t)
    const socket = connect(portOf(node), '127.0.0.1')
    t.after(() => socket.destroy())
    socket.write(
      request('PUT /api/v1/kv/a', 'Content-Type: application/json', 'Content-Length: 500') + '{"value":1}',
    )
    await works(node)
    assert.equal(await node.db.get('a'), undefined)
    socket.destroy()
    await works(node)
    assert.equal(await node.db.get('a'), undefined)
  })

  test('with headers without end, a path without end, or a host that is none, is refused', async (t) => {
    const node = await api(t)
    const wrong: readonly (readonly [string, number])[] = [
      [request('GET /livez', ...Array.from({ length: 2000 }, (_, at) => `X-${at}: x`)), 431],
      [request('GET /livez', `X: ${'x'.repeat(20_000)}`), 431],
      [request(`GET /api/v1/kv/${'a'.repeat(20_000)}`), 431],
      ['GET /livez HTTP/1.1\r\n\r\n', 400],
      ['GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n', 400],
      ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
      ['GET\r\n\r\n', 400],
      ['GET /livez HTTP/9.9\r\nHost: x\r\n\r\n', 400],
    ]
    for (const [bytes, status] of wrong) {
      const text = await say(t, node, bytes)
      assert.deepEqual(statusesIn(text), [status], JSON.stringify(bytes.slice(0, 80)))
    }
    await works(node)
  })

  test('that is none is refused in the words of all errors', async (t) => {
    const node = await api(t)
    const wrong = [
      [request('GET /livez', `X: ${'x'.repeat(20_000)}`), 'HEADERS_TOO_LARGE'],
      [request('FOO /livez'), 'INVALID_REQUEST'],
      ['no HTTP at all\r\n\r\n', 'INVALID_REQUEST'],
    ] as const
    for (const [bytes, code] of wrong) {
      const text = await say(t, node, bytes)
      const answer = JSON.parse(text.slice(text.indexOf('\r\n\r\n')))
      assert.deepEqual([answer.error.code, answer.error.outcome], [code, 'not-applied'], text)
    }
    await works(node)
  })

  test('may come behind another on one connection, and each is answered in its turn', async (t) => {
    const node = await api(t)
    const text = await say(
      t,
      node,
      put('one') + put('two') + request('GET /api/v1/kv/one'),
      (so) => statusesIn(so).length === 3,
    )
    assert.deepEqual(statusesIn(text), [200, 200, 200])
    assert.deepEqual(await node.db.getMany(['one', 'two']), [1, 1])
  })

  test('of which many stand behind one that is not answered cost their connection, and nobody else anything', async (t) => {
    const released = Promise.withResolvers<object>()
    let held = 0
    const handle = (): Promise<object> => {
      held++
      return released.promise
    }
    const node = await api(t, { requests: 300 }, routeOf({ path: '/held', handle }))
    const behind = (many: number): Socket => piled(t, node, many)
    const ended = (socket: Socket): Promise<void> => until(() => socket.destroyed)

    // Too many behind one; the places of those that it held come back.
    for (let at = 0; at < 3; at++) await ended(behind(257))
    const line = behind(256)
    await until(() => held === 4)
    // Too many of all together.
    await ended(behind(45))
    await works(node)

    released.resolve({})
    let text = ''
    line.on('data', (piece: Buffer) => (text += piece.toString()))
    await until(() => statusesIn(text).length === 257)
    assert.deepEqual(new Set(statusesIn(text)), new Set([200]))
    await works(node)
  })

  test('with a path that is odd is a key, exactly, or is refused', async (t) => {
    const node = await api(t)
    const paths: readonly (readonly [string, string | undefined])[] = [
      ['%2e%2e', '..'],
      ['%2e%2e%2f%2e%2e%2fetc%2fpasswd', '../../etc/passwd'],
      ['%00', '\0'],
      ['%2F', '/'],
      ['a%252Fb', 'a%2Fb'],
      ['a+b', 'a+b'],
      ['%F0%9F%98%80', '😀'],
      ['constructor', 'constructor'],
      ['%E0%A4%A', undefined],
      ['%ff', undefined],
      ['%ED%A0%80', undefined],
    ]
    for (const [path, key] of paths) {
      const status = statusesIn(await say(t, node, put(path), (so) => so.includes('\r\n\r\n')))[0]!
      if (key === undefined) assert.equal(status, 400, path)
      else {
        assert.equal(status, 200, path)
        assert.equal(await node.db.get(key), 1, path)
      }
    }
  })
})

describe('connections', () => {
  test('a thousand of which say nothing, or half of something, leave room for the proper ones', async (t) => {
    const node = await api(t, { connections: 1200 })
    const sockets: Socket[] = []
    t.after(() => sockets.forEach((socket) => socket.destroy()))
    for (let at = 0; at < 1000; at++) {
      const socket = connect(portOf(node), '127.0.0.1')
      socket.on('error', () => undefined)
      sockets.push(socket)
      // Some say a little, and then no more.
      if (at % 2 === 0) socket.write('GET /livez HTTP/1.1\r\nHo')
    }
    await works(node)
    sockets.forEach((socket) => socket.destroy())
  })

  test('beyond the most that may be are closed at once', async (t) => {
    const node = await api(t, { connections: 50 })
    const sockets = Array.from({ length: 200 }, () => connect(portOf(node), '127.0.0.1'))
    t.after(() => sockets.forEach((socket) => socket.destroy()))
    let closed = 0
    for (const socket of sockets) {
      socket.on('error', () => undefined)
      socket.on('close', () => closed++)
    }
    await until(() => closed >= 150)
    sockets.forEach((socket) => socket.destroy())
    await until(() =>
      fetch(`${node.url}/livez`).then(
        ({ ok }) => ok,
        () => false,
      ),
    )
  })

  test('that ask much and read nothing hold one answer each: no other is made before it is taken', async (t) => {
    let made = 0
    // More than all buffers on the way: nobody who does not read takes it. No memory of it is ever touched.
    const large = Buffer.alloc(128 * 1024 * 1024)
    const route = routeOf({
      path: '/large',
      handle: () => {
        made++
        return answerOf({ raw: { type: 'application/octet-stream', body: large } })
      },
    })
    const node = await api(t, {}, route)
    const sockets = Array.from({ length: 10 }, () => connect(portOf(node), '127.0.0.1'))
    t.after(() => sockets.forEach((socket) => socket.destroy()))
    for (const socket of sockets) {
      socket.on('error', () => undefined)
      socket.pause()
      socket.write(request('GET /api/v1/large').repeat(10))
    }
    await until(() => made >= 10)
    for (let i = 0; i < 20; i++) await works(node)
    assert.equal(made, 10)
    sockets.forEach((socket) => socket.destroy())
    await works(node)
    await node.db.close()
    assert.equal(made, 10, 'nor when nobody is there any more to take it')
  })
})
