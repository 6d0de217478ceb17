// Every endpoint of the API, as a client in another language sees it. `api.call` holds each answer to the OpenAPI document.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { api } from './api.ts'

const json = (body: unknown) => ({ body })

describe('one key', () => {
  test('is set, read, and keeps the TTL that came with it', async (t) => {
    const { call, db } = await api(t)
    const put = await call('PUT', '/api/v1/kv/fruit', json({ value: { colour: 'red' }, ttl: 60 }))
    assert.deepEqual(put.body, { status: 'ok', data: { revision: 1 } })
    assert.equal(put.headers.get('etag'), '"1"')
    const got = await call('GET', '/api/v1/kv/fruit?with_ttl=true')
    assert.deepEqual(got.body.data.value, { colour: 'red' })
    assert.ok(got.body.data.ttl > 50 && got.body.data.ttl <= 60)
    assert.equal(got.headers.get('etag'), null, 'the seconds change: no entity tag stands for them')
    assert.ok((await db.ttl('fruit'))! > 50)
    await call('PUT', '/api/v1/kv/fruit', json({ value: 1 }))
    assert.deepEqual((await call('GET', '/api/v1/kv/fruit/ttl')).body.data, { ttl: null })
  })

  test('null is a value, and an absent key is 404', async (t) => {
    const { call } = await api(t)
    await call('PUT', '/api/v1/kv/nil', json({ value: null }))
    assert.deepEqual((await call('GET', '/api/v1/kv/nil')).body, { status: 'ok', data: { value: null } })
    const missing = await call('GET', '/api/v1/kv/nobody')
    assert.equal(missing.status, 404)
    assert.equal(missing.body.error.code, 'NOT_FOUND')
    assert.equal(missing.body.error.message, 'Key not found')
  })

  test('is deleted, and to delete it again is no error', async (t) => {
    const { call } = await api(t)
    await call('PUT', '/api/v1/kv/k', json({ value: 1 }))
    assert.equal((await call('DELETE', '/api/v1/kv/k')).body.data.deleted, true)
    const again = await call('DELETE', '/api/v1/kv/k')
    assert.equal(again.status, 200)
    assert.equal(again.body.data.deleted, false)
  })

  test('is touched while it lives, and is not revived', async (t) => {
    const { call } = await api(t)
    await call('PUT', '/api/v1/kv/k', json({ value: 1 }))
    assert.equal((await call('POST', '/api/v1/kv/k/touch', json({ ttl: 0.5 }))).status, 200)
    const { data } = (await call('GET', '/api/v1/kv/k/ttl')).body
    assert.ok(data.ttl > 0 && data.ttl <= 0.5)
    assert.equal((await call('POST', '/api/v1/kv/nobody/touch', json({ ttl: 5 }))).status, 404)
    assert.equal((await call('GET', '/api/v1/kv/nobody/ttl')).status, 404)
  })

  test('with slashes is one key, percent-encoded in the path or as it is in the query', async (t) => {
    const { call, db } = await api(t)
    await call('PUT', '/api/v1/kv/a%2Fb', json({ value: 1 }))
    assert.equal(await db.get('a/b'), 1)
    assert.equal((await call('GET', '/api/v1/kv?key=a/b')).body.data.value, 1)
    await call('PUT', '/api/v1/kv?key=a/b/touch', json({ value: 2 }))
    assert.equal(await db.get('a/b/touch'), 2)
    assert.equal((await call('DELETE', '/api/v1/kv?key=a/b/touch')).body.data.deleted, true)
    assert.equal(
      (await call('PUT', '/api/v1/kv/a/b', json({ value: 1 }))).status,
      404,
      'a plain slash is no part of a key',
    )
  })

  test('may be called bulk, or anything else that a path can carry', async (t) => {
    const { call, db } = await api(t)
    for (const key of [
      'bulk',
      '..',
      '.',
      '__proto__',
      'ünïcødé',
      ' ',
      '%',
      '%2F',
      '\u0000',
      '?a=b',
      '#',
      'a'.repeat(1024),
    ]) {
      const at = `/api/v1/kv?key=${encodeURIComponent(key)}`
      assert.equal((await call('PUT', at, json({ value: key }))).status, 200, key)
      assert.equal(await db.get(key), key)
      assert.equal((await call('GET', at)).body.data.value, key)
    }
    assert.equal((await call('PUT', '/api/v1/kv/bulk', json({ value: 'a key' }))).status, 200)
    assert.equal((await call('GET', '/api/v1/kv/bulk')).body.data.value, 'a key')
  })

  test('of no byte, or of more than 1024, is INVALID_KEY', async (t) => {
    const { call } = await api(t)
    for (const path of [
      '/api/v1/kv/',
      '/api/v1/kv?key=',
      `/api/v1/kv?key=${'a'.repeat(1025)}`,
      `/api/v1/kv/${'a'.repeat(1025)}`,
    ]) {
      const refused = await call('PUT', path, json({ value: 1 }))
      assert.deepEqual([refused.status, refused.body.error.code], [400, 'INVALID_KEY'], path)
    }
  })
})

describe('values', () => {
  test('come back as they went in: what JSON has, and what it has no word for', async (t) => {
    const { call, db } = await api(t)
    const bodies = [
      '{"value":{"__proto__":{"a":1},"constructor":2}}',
      '{"value":"\\ud800 alone"}',
      '{"value":{"$date":"2026-01-31T12:00:00.000Z"}}',
      '{"value":{"$bigint":"9007199254740993"}}',
      '{"value":{"$map":[["a",1]]}}',
      '{"value":{"$$date":"an object that only looks like it"}}',
      '{"value":[1e+21,0.1,-0.5,"",{},[]]}',
    ]
    for (const body of bodies) {
      assert.equal((await call('PUT', '/api/v1/kv/v', { body })).status, 200, body)
      assert.equal((await call('GET', '/api/v1/kv/v')).text, `{"status":"ok","data":${body}}`)
    }
    assert.ok((await call('PUT', '/api/v1/kv/v', { body: bodies[2] })).status === 200)
    assert.deepEqual(await db.get('v'), new Date('2026-01-31T12:00:00.000Z'))
  })

  test('as bytes or as text stand in the body themselves', async (t) => {
    const { call, db } = await api(t)
    const bytes = new Uint8Array([0, 1, 254, 255])
    const octets = 'application/octet-stream'
    await call('PUT', '/api/v1/kv/b?ttl=60', { body: bytes, headers: { 'content-type': octets } })
    assert.deepEqual(await db.get('b'), bytes)
    assert.ok((await db.ttl('b'))! > 50)
    const got = await call('GET', '/api/v1/kv/b', { headers: { accept: octets } })
    assert.equal(got.headers.get('content-type'), octets)
    assert.equal(
      (await call('GET', '/api/v1/kv/b')).text,
      '{"status":"ok","data":{"value":{"$bytes":"AAH+/w=="}}}',
    )
    await call('PUT', '/api/v1/kv/t', {
      body: 'naïve',
      headers: { 'content-type': 'text/plain; charset=utf-8' },
    })
    assert.equal((await call('GET', '/api/v1/kv/t', { headers: { accept: 'text/plain' } })).text, 'naïve')
    const other = await call('GET', '/api/v1/kv/t', { headers: { accept: octets } })
    assert.equal(other.status, 406)
    assert.match(other.body.error.message, /can be had as application\/json or text\/plain$/)
    await db.put('n', 1)
    const number = await call('GET', '/api/v1/kv/n', { headers: { accept: 'text/plain' } })
    assert.match(number.body.error.message, /can be had as application\/json$/)
    const broken = await call('PUT', '/api/v1/kv/t', {
      body: new Uint8Array([0xff]),
      headers: { 'content-type': 'text/plain' },
    })
    assert.equal(broken.status, 400)
  })
})

describe('many keys', () => {
  test('are set all or none, every one of them checked', async (t) => {
    const { call, db } = await api(t)
    const done = await call(
      'POST',
      '/api/v1/kv/bulk',
      json({
        operations: [
          { key: '10', value: 1, ttl: 60 },
          { key: '9', value: 2 },
        ],
      }),
    )
    assert.equal(done.text, '{"status":"ok","data":{"10":"ok","9":"ok"}}', 'in the order of the request')
    assert.ok((await db.ttl('10'))! > 50)
    const wrong: readonly (readonly [unknown, number, string])[] = [
      [
        {
          operations: [
            { key: 'a', value: 1 },
            { key: '', value: 1 },
          ],
        },
        400,
        'INVALID_KEY',
      ],
      [{ operations: [{ key: 'a', value: 1, ttl: -1 }] }, 400, 'INVALID_REQUEST'],
      [{ operations: [{ key: 'a', value: 1, tll: 1 }] }, 400, 'INVALID_REQUEST'],
      [{ operations: [{ key: 'a' }] }, 400, 'INVALID_REQUEST'],
      [{ operations: [] }, 400, 'INVALID_REQUEST'],
      [{}, 400, 'INVALID_REQUEST'],
      [
        { operations: Array.from({ length: 501 }, (_, at) => ({ key: `k${at}`, value: at })) },
        413,
        'BATCH_TOO_LARGE',
      ],
    ]
    for (const [body, status, code] of wrong) {
      const refused = await call('POST', '/api/v1/kv/bulk', json(body))
      assert.deepEqual(
        [refused.status, refused.body.error.code],
        [status, code],
        JSON.stringify(body).slice(0, 80),
      )
      assert.equal(refused.body.error.outcome, 'not-applied')
    }
    assert.equal(await db.get('a'), undefined)
  })

  test('are read at one moment, touched and deleted, each with its own answer', async (t) => {
    const { call } = await api(t)
    await call(
      'POST',
      '/api/v1/kv/bulk',
      json({
        operations: [
          { key: 'a', value: null },
          { key: 'b', value: 2 },
        ],
      }),
    )
    const got = await call('POST', '/api/v1/kv/bulk/get', json({ keys: ['b', 'a', 'x'] }))
    const missing = { status: 'error', error: 'not_found' }
    assert.deepEqual(got.body.data, {
      b: { status: 'ok', value: 2 },
      a: { status: 'ok', value: null },
      x: missing,
    })
    const touched = await call(
      'POST',
      '/api/v1/kv/bulk/touch',
      json({
        operations: [
          { key: 'a', ttl: 9 },
          { key: 'x', ttl: 9 },
        ],
      }),
    )
    assert.deepEqual(touched.body.data, { a: 'ok', x: 'not_found' })
    const withTtl = await call('POST', '/api/v1/kv/bulk/get', json({ keys: ['a', 'b'], with_ttl: true }))
    assert.ok(withTtl.body.data.a.ttl <= 9)
    assert.equal(withTtl.body.data.b.ttl, null)
    const deleted = await call('POST', '/api/v1/kv/bulk/delete', json({ keys: ['a', 'x'] }))
    assert.deepEqual(deleted.body.data, [
      { key: 'a', status: 'ok', deleted: true },
      { key: 'x', status: 'ok', deleted: false },
    ])
  })

  test('are listed in the order of their bytes, page by page, each page with its revision', async (t) => {
    const { call, db } = await api(t)
    const keys = ['10', '9', 'a', 'a/b', 'ä', '😀']
    await db.putMany(keys.map((key, value) => ({ key, value })))
    const all = await call('GET', '/api/v1/kv')
    assert.equal(
      all.text,
      '{"status":"ok","data":{"10":0,"9":1,"a":2,"a/b":3,"ä":4,"😀":5},"page":{"next_cursor":null,"has_more":false,"revision":1}}',
    )
    const found: string[] = []
    let path = '/api/v1/kv?limit=4&keys_only=true'
    for (;;) {
      const { body, headers } = await call('GET', path)
      found.push(...body.data)
      if (!body.page.has_more) break
      await db.put('zz-later', 1)
      path = /<(.*)>; rel="next"/.exec(headers.get('link')!)![1]!
    }
    assert.deepEqual(found, ['10', '9', 'a', 'a/b', 'zz-later', 'ä', '😀'])
    const below = await call('GET', '/api/v1/kv?prefix=a&with_ttl=true')
    assert.deepEqual(below.body.data, { a: { value: 2, ttl: null }, 'a/b': { value: 3, ttl: null } })
    assert.equal((await call('GET', '/api/v1/kv?cursor=%25')).status, 400)
  })
})

test('a transaction compares and changes many keys at once', async (t) => {
  const { call, db } = await api(t)
  const body = {
    compare: [{ key: 'user', revision: 0 }],
    success: [
      { op: 'put', key: 'user', value: { $date: '2026-01-01T00:00:00.000Z' }, ttl: 60 },
      { op: 'increment', key: 'users', by: { $bigint: '2' } },
    ],
    failure: [{ op: 'get', key: 'user' }],
  }
  const made = await call('POST', '/api/v1/txn', json(body))
  assert.equal(made.body.data.succeeded, true)
  assert.equal(await db.get('users'), 2n)
  const again = await call('POST', '/api/v1/txn', json(body))
  assert.equal(again.body.data.succeeded, false)
  assert.deepEqual(again.body.data.results[0].entry.value, { $date: '2026-01-01T00:00:00.000Z' })
  const wrong = await call('POST', '/api/v1/txn', json({ success: [{ op: 'putt', key: 'a' }] }))
  assert.equal(wrong.status, 400)
})

describe('conditions', () => {
  test('If-Match is compare-and-swap, and the answer of a lost race has the present revision', async (t) => {
    const { call } = await api(t)
    const { headers } = await call('PUT', '/api/v1/kv/k', json({ value: 1 }))
    const tag = headers.get('etag')!
    assert.equal(
      (await call('PUT', '/api/v1/kv/k', { body: { value: 2 }, headers: { 'if-match': tag } })).status,
      200,
    )
    const lost = await call('PUT', '/api/v1/kv/k', { body: { value: 3 }, headers: { 'if-match': tag } })
    assert.deepEqual(
      [lost.status, lost.body.error.code, lost.headers.get('etag')],
      [412, 'CONDITION_FAILED', '"2"'],
    )
    assert.equal((await call('DELETE', '/api/v1/kv/k', { headers: { 'if-match': tag } })).status, 412)
    assert.equal((await call('DELETE', '/api/v1/kv/k', { headers: { 'if-match': '"9", "2"' } })).status, 200)
    assert.equal(
      (await call('PUT', '/api/v1/kv/k', { body: { value: 3 }, headers: { 'if-match': '*' } })).status,
      412,
    )
    assert.equal(
      (await call('PUT', '/api/v1/kv/k', { body: { value: 3 }, headers: { 'if-match': 'W/"2"' } })).status,
      412,
    )
    assert.equal(
      (await call('PUT', '/api/v1/kv/k', { body: { value: 3 }, headers: { 'if-match': '2' } })).status,
      400,
    )
  })

  test('If-None-Match makes a key only if it is absent, and spares a client what it has', async (t) => {
    const { call } = await api(t)
    const once = { body: { value: 1 }, headers: { 'if-none-match': '*' } }
    assert.equal((await call('PUT', '/api/v1/kv/lock', once)).status, 200)
    assert.equal((await call('PUT', '/api/v1/kv/lock', once)).status, 412)
    const unchanged = await call('GET', '/api/v1/kv/lock', { headers: { 'if-none-match': '"7", W/"1"' } })
    assert.deepEqual([unchanged.status, unchanged.text, unchanged.headers.get('etag')], [304, '', '"1"'])
    assert.equal((await call('GET', '/api/v1/kv/lock', { headers: { 'if-none-match': '"2"' } })).status, 200)
  })

  test('an Idempotency-Key applies once, and belongs to one call', async (t) => {
    const { call, db } = await api(t)
    const sent = { body: { success: [{ op: 'increment', key: 'n' }] }, headers: { 'idempotency-key': 'one' } }
    const first = await call('POST', '/api/v1/txn', sent)
    assert.deepEqual((await call('POST', '/api/v1/txn', sent)).body, first.body)
    assert.equal(await db.get('n'), 1)
    const other = await call('PUT', '/api/v1/kv/n', {
      body: { value: 5 },
      headers: { 'idempotency-key': 'one' },
    })
    assert.deepEqual([other.status, other.body.error.code], [422, 'REQUEST_ID_REUSED'])
  })
})

describe('errors', () => {
  test('are an envelope, or problem+json for whoever asks for it, with the same code', async (t) => {
    const { call } = await api(t)
    const headers = { accept: 'application/problem+json' }
    const plain = await call('GET', '/api/v1/kv/x')
    const problem = await call('GET', '/api/v1/kv/x', { headers })
    assert.equal(problem.headers.get('content-type'), 'application/problem+json; charset=utf-8')
    assert.equal(problem.body.code, plain.body.error.code)
    assert.deepEqual([problem.body.status, problem.body.instance], [404, '/api/v1/kv/x'])
  })

  test('name the field, what was found and what was expected', async (t) => {
    const { call } = await api(t)
    const wrong: readonly (readonly [string, string, unknown, RegExp])[] = [
      ['PUT', '/api/v1/kv/k', { value: 1, ttl: 'x' }, /body\.ttl: found a text of 1, expected number/],
      ['PUT', '/api/v1/kv/k', { value: 1, ttl: 0 }, /body\.ttl: found 0, expected > 0/],
      ['PUT', '/api/v1/kv/k', { valeu: 1 }, /"value" is missing|no "valeu"/],
      [
        'GET',
        '/api/v1/kv/k?consistency=none',
        undefined,
        /query\.consistency: .*expected one of leader, strong, eventual/,
      ],
      ['GET', '/api/v1/kv/k?wiht_ttl=true', undefined, /query: there is no "wiht_ttl"/],
      ['GET', '/api/v1/kv?limit=ten', undefined, /query\.limit: found a text of 3, expected integer/],
      ['POST', '/api/v1/kv/bulk/get', { keys: ['a', 7] }, /body\.keys\[1\]: found 7, expected string/],
      ['GET', '/api/v1/kv?keys_only=true&with_ttl=true', undefined, /query: with_ttl .* beside keys_only/],
      ['GET', '/api/v1/kv?key=a&prefix=a', undefined, /query: prefix has no meaning beside key/],
    ]
    for (const [method, path, body, message] of wrong) {
      const refused = await call(method, path, body === undefined ? {} : json(body))
      assert.equal(refused.status, 400, path)
      assert.match(refused.body.error.message, message)
    }
  })

  test('an endpoint that there is not is 404; of one that takes other methods, Allow says which', async (t) => {
    const { call } = await api(t)
    for (const [method, path] of [
      ['GET', '/api/v1/nothing'],
      ['POST', '/api/v1'],
      ['GET', '/'],
    ] as const) {
      const { status, body } = await call(method, path)
      assert.deepEqual(
        [status, body.error.code, body.error.message],
        [404, 'NOT_FOUND', 'API endpoint not found'],
      )
    }
    for (const [method, path, allow] of [
      ['POST', '/api/v1/kv/k', 'DELETE, GET, HEAD, PUT'],
      ['PATCH', '/api/v1/kv/a%2Fb?timeout_ms=100', 'DELETE, GET, HEAD, PUT'],
      ['DELETE', '/api/v1/txn', 'POST'],
      ['OPTIONS', '/api/v1/cluster/members/n1', 'DELETE, PATCH'],
      ['PUT', '/livez', 'GET, HEAD'],
    ] as const) {
      const { status, headers, body } = await call(method, path)
      assert.deepEqual(
        [status, body.error.code, headers.get('allow')],
        [405, 'METHOD_NOT_ALLOWED', allow],
        `${method} ${path}`,
      )
    }
  })

  test('of a key whose slash is not encoded say how it is written', async (t) => {
    const { call, db } = await api(t)
    for (const [method, path, status] of [
      ['PUT', '/api/v1/kv/app/colour', 404],
      ['GET', '/api/v1/kv/app/', 404],
      ['POST', '/api/v1/kv/app/colour/touch', 404],
      ['PUT', '/api/v1/kv/app/ttl', 405],
    ] as const) {
      const refused = await call(method, path, method === 'GET' ? {} : json({ value: 1 }))
      assert.equal(refused.status, status, path)
      assert.match(refused.body.error.message, /written %2F in a path .* or .* in the query .*\?key=/, path)
    }
    for (const path of ['/api/v1/kv/app%2Fcolour', '/api/v1/kv?key=app/hue'])
      assert.equal((await call('PUT', path, json({ value: 1 }))).status, 200)
    assert.deepEqual(await db.getMany(['app/colour', 'app/hue']), [1, 1])
  })

  test('of somebody without a token say how one is shown, and never what he has shown', async (t) => {
    const { call } = await api(t, {}, { plugins: { auth: true } })
    const odd =
      /^a token is needed.*\. The header Authorization is there in another form than "Bearer TOKEN"$/
    const wrong: readonly (readonly [Record<string, string>, RegExp])[] = [
      [{}, /^a token is needed.*\. It is shown as "Authorization: Bearer TOKEN", or as X-API-Key$/],
      [{ authorization: 'sk_concord_canary' }, odd],
      [{ authorization: 'Token sk_concord_canary' }, odd],
      [{ authorization: 'Basic Y2FuYXJ5' }, odd],
      [{ authorization: 'Bearer Bearer sk_concord_canary' }, odd],
      [{ authorization: 'Bearer canary' }, /^what was given is no token$/],
      [{ authorization: 'Basic Y2FuYXJ5', 'x-api-key': 'canary' }, /^what was given is no token$/],
    ]
    for (const path of ['/api/v1/kv/k', '/api/v1/status']) {
      for (const [headers, message] of wrong) {
        const { status, body } = await call('GET', path, { headers })
        assert.deepEqual([status, body.error.code], [401, 'UNAUTHORIZED'])
        assert.match(body.error.message, message, JSON.stringify(headers))
        assert.doesNotMatch(body.error.message, /canary|Y2F/)
      }
    }
  })
})

describe('the node', () => {
  test('says what it is, who belongs to it, and how it is', async (t) => {
    const { call, db } = await api(t)
    const { data } = (await call('GET', '/api/v1/status')).body
    assert.equal(data.node, 'n1')
    assert.equal(data.cluster.nodes[0].status, 'leader')
    assert.equal(data.storage.size, 0)
    assert.equal(data.stateHash.hash, (await db.status()).stateHash.hash)
    assert.equal((await call('GET', '/api/v1/cluster/members')).body.data[0].name, 'n1')
    assert.equal((await call('GET', '/api/v1/cluster')).body.data.members[0].reachable, true)
    assert.ok((await call('POST', '/api/v1/cluster/snapshot')).body.data.index > 0)
    const refused = await call('POST', '/api/v1/cluster/leader')
    assert.deepEqual([refused.status, refused.body.error.code], [409, 'CHANGE_REFUSED'])
  })

  test('is healthy, alive, started and ready, and says so without being asked for a token', async (t) => {
    const { call } = await api(t)
    const health = await call('GET', '/api/v1/health')
    assert.equal(health.body.status, 'healthy')
    assert.equal(health.body.service, 'concord-api')
    assert.ok(!Number.isNaN(Date.parse(health.body.timestamp)))
    for (const path of ['/livez', '/startupz', '/readyz', '/ready'])
      assert.equal((await call('GET', path)).text, 'ok\n')
    assert.match((await call('GET', '/readyz?verbose=true')).text, /\[\+\] leader/)
    assert.equal((await call('GET', '/health')).status, 200)
  })
})
