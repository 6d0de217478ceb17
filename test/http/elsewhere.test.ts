// A client that does not want its calls passed on is sent to the leader, wherever that serves.

import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { Concord, Store } from '../../core/index.ts'
import { reachableAt } from '../../plugins/http/elsewhere.ts'
import { LONG, town, until } from '../cluster/processes.ts'
import { type Api, apiOf } from './api.ts'

interface Pair {
  readonly leader: Concord
  readonly follower: Api
}

const isLeader = async (db: Store): Promise<boolean> => (await db.status()).role === 'leader'

/** Two nodes with the HTTP API. */
async function pair(t: TestContext): Promise<Pair> {
  const { startAll } = await town(t, ['n1', 'n2'], { plugins: { http: { port: 0 } } })
  const [one, other] = (await startAll()) as [Concord, Concord]
  await until(async () => (await isLeader(one)) || (await isLeader(other)))
  return (await isLeader(one))
    ? { leader: one, follower: apiOf(other) }
    : { leader: other, follower: apiOf(one) }
}

describe('forward=never', () => {
  test('sends to the leader, path and query as they are, and the call that follows is done', async (t) => {
    const { leader, follower } = await pair(t)
    // Who has just heard of a leader may still have to learn from it where it serves: 503 until then.
    await until(async () => (await follower.call('GET', '/api/v1/kv/a?forward=never')).status === 307)
    const at = '/api/v1/kv/a%2Fb?forward=never&timeout_ms=9000'
    const one = { body: { value: 1 } }
    const sentAway = await follower.call('PUT', at, one)
    const { url } = leader.plugin('http')
    assert.deepEqual([sentAway.status, sentAway.headers.get('location')], [307, url! + at])
    assert.deepEqual(
      [sentAway.body.error.code, sentAway.body.error.outcome, sentAway.body.error.retryable],
      ['NOT_LEADER', 'not-applied', true],
    )
    assert.equal(sentAway.body.error.details.leader, (await leader.status()).node.name)
    const there = apiOf(leader)
    assert.equal((await there.call('PUT', at, one)).status, 200, 'a leader answers itself')
    // What fetch does of its own: the same method and body again.
    const followed = await fetch(follower.url + at, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: '{"value":2}',
    })
    assert.equal(followed.url, url! + at)
    assert.equal(await leader.get('a/b', LONG), 2)
    // So it is with every call that takes it.
    await leader.put('a', 1, LONG)
    const calls: readonly (readonly [string, string, unknown?])[] = [
      ['GET', '/kv/a?'],
      ['GET', '/kv/a?consistency=strong&'],
      ['GET', '/kv?key=a&'],
      ['GET', '/kv?limit=1&'],
      ['GET', '/kv/a/ttl?'],
      ['POST', '/kv/a/touch?', { ttl: 60 }],
      ['POST', '/kv/bulk?', { operations: [{ key: 'b', value: 1 }] }],
      ['POST', '/kv/bulk/get?', { keys: ['a'] }],
      ['POST', '/kv/bulk/touch?', { operations: [{ key: 'a', ttl: 60 }] }],
      ['POST', '/kv/bulk/delete?', { keys: ['b'] }],
      ['POST', '/txn?', { success: [{ op: 'get', key: 'a' }] }],
      ['DELETE', '/kv/b?'],
    ]
    for (const [method, path, body] of calls) {
      const sent = body === undefined ? {} : { body }
      const away = await follower.call(method, `/api/v1${path}forward=never`, sent)
      assert.equal(away.status, 307, `${method} ${path}`)
      assert.equal(await leader.get('b', LONG), undefined, 'nothing was done')
    }
    // A read of the node that answers stays there; and without the word all are passed on.
    for (const [method, path, body] of calls) {
      const sent = body === undefined ? {} : { body }
      const passedOn = await follower.call(method, `/api/v1${path}timeout_ms=9000`, sent)
      assert.equal(passedOn.status, 200, `${method} ${path}`)
    }
    await until(
      async () =>
        (await follower.call('GET', '/api/v1/kv/a?consistency=eventual&forward=never')).status === 200,
    )
    assert.equal((await follower.call('GET', '/api/v1/kv/a?forward=always')).status, 400)
  })

  test('is 503 and names the leader where nobody knows at which address that serves', async (t) => {
    const { start } = await town(t, ['n1', 'n2'])
    const starting = start('n1', { plugins: { http: { port: 0 } } })
    const leader = await start('n2', { plugins: { http: { listen: false } } })
    const { call, db } = apiOf(await starting)
    await leader.ready(LONG)
    if (!(await isLeader(leader))) await leader.cluster.transferLeadership('n2', LONG)
    await until(async () => (await db.status()).leader === (await leader.status()).node.id)
    const lost = await call('GET', '/api/v1/kv/a?forward=never')
    assert.deepEqual(
      [lost.status, lost.body.error.code, lost.body.error.outcome, lost.headers.get('retry-after')],
      [503, 'NOT_LEADER', 'not-applied', '1'],
    )
    assert.deepEqual(lost.body.error.details, { leader: 'n2' })
  })

  test('tells nobody without a token where the leader is, whose config may say at which address', async (t) => {
    const advertise = 'https://concord.example.com'
    const plugins = { http: { port: 0, advertise }, auth: true } as const
    const [one, other] = (await (await town(t, ['n1', 'n2'], { plugins })).startAll()) as [Concord, Concord]
    const { token } = await one.plugin('auth').bootstrap()
    const { call } = apiOf((await isLeader(one.with({ token }))) ? other : one)
    const path = '/api/v1/kv/a?forward=never'
    const stranger = await call('GET', path)
    assert.deepEqual([stranger.status, stranger.headers.get('location')], [401, null])
    const headers = { authorization: `Bearer ${token}` }
    await until(async () => (await call('GET', path, { headers })).status === 307)
    const away = await call('GET', path, { headers: { ...headers, accept: 'application/problem+json' } })
    assert.equal(away.headers.get('location'), advertise + path)
    assert.deepEqual([away.body.status, away.body.code], [307, 'NOT_LEADER'])
  })
})

test('a member that listens on all addresses is at the one that its peers have; on its own only, nowhere', () => {
  const at = (said: string | undefined, peer = '10.0.0.7:7001') => reachableAt(said, peer)
  assert.equal(at('http://0.0.0.0:4000'), 'http://10.0.0.7:4000')
  assert.equal(at('https://[::]:4000', 'n1.example.com:7001'), 'https://n1.example.com:4000')
  assert.equal(at('http://[::]:4000', '[fd00::7]:7001'), 'http://[fd00::7]:4000')
  assert.equal(at('http://127.0.0.1:4000'), undefined)
  assert.equal(at('http://[::1]:4000'), undefined)
  assert.equal(at('http://127.0.0.1:4000', '127.0.0.1:7001'), 'http://127.0.0.1:4000')
  assert.equal(at('http://10.0.0.8:4000'), 'http://10.0.0.8:4000')
  for (const odd of [undefined, '', 'nonsense', 'javascript:alert(1)', 'file:///etc'])
    assert.equal(at(odd), undefined)
})
