// The contract of the API in its corners: what clients of many kinds write for the same thing, what is refused and with which
// word, and what no answer may say.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { LONG, town, until } from '../cluster/processes.ts'
import { type Api, api, apiOf } from './api.ts'

const KEY = '/api/v1/kv/k'
const TEXT = { 'content-type': 'text/plain' }

async function codeOf(answer: ReturnType<Api['call']>): Promise<readonly [number, string | undefined]> {
  const { status, body } = await answer
  return [status, body?.error?.code]
}

describe('a body', () => {
  test('of a type that the route does not take is 415, on every route that takes one', async (t) => {
    const { call, db } = await api(t)
    const routes = [
      ['POST', '/kv/bulk'],
      ['POST', '/kv/bulk/get'],
      ['POST', '/kv/bulk/touch'],
      ['POST', '/kv/bulk/delete'],
      ['POST', `/kv/k/touch`],
      ['POST', '/txn'],
      ['POST', '/cluster/members'],
      ['PATCH', '/cluster/members/n1'],
      ['POST', '/cluster/leader'],
    ] as const
    for (const [method, path] of routes) {
      for (const type of ['text/plain', 'application/octet-stream']) {
        const answer = call(method, `/api/v1${path}`, { body: 'x', headers: { 'content-type': type } })
        assert.deepEqual(await codeOf(answer), [415, 'UNSUPPORTED_MEDIA_TYPE'], `${method} ${path} ${type}`)
      }
    }
    await db.put('k', 1)
    assert.equal((await call('DELETE', KEY, { body: 'x', headers: TEXT })).status, 200, 'nobody looks at it')
  })

  test('that is compressed is 415: it would be kept, and come back, as something else', async (t) => {
    const { call, db } = await api(t)
    for (const type of ['application/json', 'application/octet-stream', 'text/plain']) {
      const headers = { 'content-type': type, 'content-encoding': 'gzip' }
      const answer = call('PUT', KEY, { body: '{"value":1}', headers })
      assert.deepEqual(await codeOf(answer), [415, 'UNSUPPORTED_MEDIA_TYPE'], type)
    }
    assert.equal(await db.get('k'), undefined)
    const plain = { 'content-type': 'text/plain', 'content-encoding': 'identity' }
    assert.equal((await call('PUT', KEY, { body: 'x', headers: plain })).status, 200)
  })

  test('is nowhere in what is said about it', async (t) => {
    const { call } = await api(t)
    const wrong = [
      '{"value":canary}',
      'canary',
      '"canary',
      '{"value":"canary}',
      '{"canary":1,',
      `{"value":[${'"fill",'.repeat(50)}canary]}`,
      '{"value":{"$date":"canary"}}',
      '{"value":1,"ttl":"canary"}',
      '{"value":1,"ttl":["canary"]}',
      '{"value":770077007700770077}',
      '{"value":7700e7700}',
    ]
    for (const body of wrong) {
      const { status, text } = await call('PUT', KEY, { body })
      assert.equal(status, 400, body)
      assert.doesNotMatch(text, /canary|7700/, body)
    }
  })
})

describe('a query', () => {
  test('says yes as other APIs do, and takes a check out of the probe as Kubernetes writes it', async (t) => {
    const { call } = await api(t)
    await call('PUT', KEY, { body: { value: 1, ttl: 60 } })
    for (const yes of ['with_ttl=true', 'with_ttl=1', 'with_ttl']) {
      assert.ok((await call('GET', `${KEY}?${yes}`)).body.data.ttl > 50, yes)
    }
    for (const no of ['with_ttl=false', 'with_ttl=0', '']) {
      assert.equal((await call('GET', `${KEY}?${no}`)).body.data.ttl, undefined, no)
    }
    assert.deepEqual(await codeOf(call('GET', `${KEY}?with_ttl=yes`)), [400, 'INVALID_REQUEST'])
    const few = await call('GET', '/readyz?verbose&exclude=leader&exclude=applied')
    assert.equal(few.status, 200)
    assert.doesNotMatch(few.text, /leader|applied/)
    assert.match(few.text, /\[\+\] serving/)
    assert.doesNotMatch((await call('GET', '/readyz?verbose&exclude=leader,applied')).text, /leader|applied/)
  })

  test('has the freshness and the patience of a read; what is not reached in time is 408, or 504 as a problem', async (t) => {
    const { call } = await api(t)
    await call('PUT', KEY, { body: { value: 1 } })
    for (const level of ['leader', 'strong', 'eventual']) {
      const { body } = await call('GET', `${KEY}?consistency=${level}&min_revision=1&timeout_ms=9000`)
      assert.equal(body.data.value, 1, level)
    }
    const never = `${KEY}?min_revision=99&timeout_ms=30`
    const late = await call('GET', never)
    assert.deepEqual(
      [late.status, late.body.error.code, late.body.error.outcome],
      [408, 'TIMEOUT', 'not-applied'],
    )
    const problem = await call('GET', never, { headers: { accept: 'application/problem+json' } })
    assert.deepEqual([problem.status, problem.body.status, problem.body.code], [504, 504, 'TIMEOUT'])
  })

  test('compress is refused while nobody compresses, and says what to turn on', async (t) => {
    const { call, db } = await api(t)
    const refused = await call('PUT', `${KEY}?compress=true`, { body: { value: 1 } })
    assert.deepEqual([refused.status, refused.body.error.code], [400, 'INVALID_OPTION'])
    assert.match(refused.body.error.message, /plugin compression/)
    assert.equal(await db.get('k'), undefined)
  })
})

test('a text is to be had as any text, and an Authorization for somebody else is none of ours', async (t) => {
  const { call } = await api(t)
  await call('PUT', KEY, { body: { value: 'naïve' } })
  const got = await call('GET', KEY, { headers: { accept: 'text/*' } })
  assert.deepEqual([got.status, got.text], [200, 'naïve'])
  const headers = { authorization: 'Basic dXNlcjpwYXNz' }
  assert.equal((await call('GET', KEY, { headers })).status, 200)
  const guarded = await api(t, {}, { plugins: { auth: true } })
  const { token } = await guarded.db.plugin('auth').bootstrap()
  const refused = await guarded.call('GET', KEY, { headers })
  assert.deepEqual([refused.status, refused.body.error.code], [401, 'UNAUTHORIZED'])
  assert.match(refused.headers.get('www-authenticate')!, /^Bearer/)
  const both = await guarded.call('GET', KEY, { headers: { ...headers, 'x-api-key': token } })
  assert.equal(both.status, 404, 'known by its other header')
})

test('without a quorum a node lives and is started, is neither ready nor healthy, and says what was not done', async (t) => {
  const { startAll } = await town(t, ['n1', 'n2'], { plugins: { http: { port: 0 } } })
  const [one, other] = await startAll()
  const { call } = apiOf(one!)
  assert.deepEqual((await call('GET', '/health')).body.cluster.nodes.sort(), ['n1', 'n2'])
  await one!.put('k', 1, LONG)
  await other!.close()
  await until(async () => (await call('GET', '/health')).status === 503)
  const { body, headers } = await call('GET', '/api/v1/health')
  assert.deepEqual([body.status, body.error.code], ['unhealthy', 'CLUSTER_UNAVAILABLE'])
  assert.equal(headers.get('retry-after'), '1')
  assert.equal((await call('GET', '/livez')).status, 200)
  assert.equal((await call('GET', '/startupz')).status, 200)
  assert.equal((await call('GET', '/readyz')).text, 'not ready: leader, applied\n')
  const write = await call('PUT', `${KEY}?timeout_ms=50`, { body: { value: 2 } })
  assert.ok([408, 503].includes(write.status), write.text)
  assert.equal((await call('GET', `${KEY}?consistency=eventual`)).body.data.value, 1)
})
