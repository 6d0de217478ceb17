// What every operation of every surface needs, as one table: each with no token, a wrong one, one that has expired,
// one that was revoked, one that may only read, one of another prefix, and an admin's.

import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { Concord } from '../../core/index.ts'
import { ConcordError } from '../../core/index.ts'
import type { Permission, Store } from '../../core/plugin.ts'
import { apiOf, type Api } from '../http/api.ts'
import { memoryNode } from '../store/node.ts'
import { until } from '../cluster/processes.ts'

/** What a call needs on the key `app/k`, or on the cluster; a list is filtered instead. */
type Needs =
  | 'public'
  | 'token'
  | 'list'
  | { readonly key: readonly Permission[] }
  | { readonly cluster: Permission }

interface Tokens {
  readonly none: undefined
  readonly wrong: string
  readonly expired: string
  readonly revoked: string
  readonly reader: string
  readonly foreign: string
  readonly admin: string
}

async function node(t: TestContext): Promise<{ db: Concord; api: Api; tokens: Tokens }> {
  const db = await memoryNode(t, { plugins: { http: { port: 0 }, auth: true } })
  const auth = db.plugin('auth')
  const { token: admin } = await auth.bootstrap()
  const gone = await auth.createToken({ name: 'gone', roles: ['admin'] })
  await auth.revokeToken(gone.id)
  const brief = await auth.createToken({ name: 'brief', roles: ['admin'], ttl: 0.01 })
  const asBrief = db.with({ token: brief.token })
  await until(async () => (await asBrief.status().then(() => 'known', codeOf)) === 'UNAUTHORIZED')
  const reader = await auth.createToken({ name: 'reader', roles: ['viewer'] })
  const everything: Permission[] = ['read', 'write', 'delete', 'admin']
  const foreign = await auth.createToken({
    name: 'foreign',
    grants: [{ prefix: 'other/', permissions: everything }],
  })
  const wrong = `${reader.token.slice(0, -1)}${reader.token.endsWith('A') ? 'E' : 'A'}`
  const tokens: Tokens = {
    none: undefined,
    wrong,
    expired: brief.token,
    revoked: gone.token,
    reader: reader.token,
    foreign: foreign.token,
    admin,
  }
  return { db, api: apiOf(db), tokens }
}

const codeOf = (error: unknown): string => (ConcordError.is(error) ? error.code : String(error))

/** What each token is to be told: undefined is that it may. */
function verdicts(needs: Needs): Record<keyof Tokens, string | undefined> {
  const nobody = needs === 'public' ? undefined : 'UNAUTHORIZED'
  return {
    none: nobody,
    wrong: nobody,
    expired: nobody,
    revoked: nobody,
    reader: mayReader(needs) ? undefined : 'FORBIDDEN',
    foreign: mayForeign(needs) ? undefined : 'FORBIDDEN',
    admin: undefined,
  }
}

function mayReader(needs: Needs): boolean {
  if (typeof needs === 'string') return true
  return 'key' in needs ? needs.key.every((one) => one === 'read') : needs.cluster === 'read'
}

/** It has every permission, and none on this key nor on the cluster but to look at it. */
function mayForeign(needs: Needs): boolean {
  if (typeof needs === 'string') return true
  return 'cluster' in needs && needs.cluster === 'read'
}

const key = (...permissions: Permission[]): Needs => ({ key: permissions })
const K = 'app/k'
const inPath = encodeURIComponent(K)

const ROUTES: Record<
  string,
  { needs: Needs; path?: string; body?: unknown; headers?: Record<string, string> }
> = {
  'PUT /api/v1/kv/{key}': { needs: key('write'), path: `/api/v1/kv/${inPath}`, body: { value: 1 } },
  'GET /api/v1/kv/{key}': { needs: key('read'), path: `/api/v1/kv/${inPath}` },
  'DELETE /api/v1/kv/{key}': { needs: key('delete'), path: `/api/v1/kv/${inPath}` },
  'PUT /api/v1/kv': { needs: key('write'), path: `/api/v1/kv?key=${K}`, body: { value: 1 } },
  'DELETE /api/v1/kv': { needs: key('delete'), path: `/api/v1/kv?key=${K}` },
  'GET /api/v1/kv': { needs: 'list' },
  'POST /api/v1/kv/{key}/touch': {
    needs: key('write'),
    path: `/api/v1/kv/${inPath}/touch`,
    body: { ttl: 60 },
  },
  'GET /api/v1/kv/{key}/ttl': { needs: key('read'), path: `/api/v1/kv/${inPath}/ttl` },
  'POST /api/v1/kv/bulk': {
    needs: key('write'),
    body: {
      operations: [
        { key: 'other/x', value: 1 },
        { key: K, value: 1 },
      ],
    },
  },
  'POST /api/v1/kv/bulk/get': { needs: key('read'), body: { keys: ['other/x', K] } },
  'POST /api/v1/kv/bulk/touch': { needs: key('write'), body: { operations: [{ key: K, ttl: 60 }] } },
  'POST /api/v1/kv/bulk/delete': { needs: key('delete'), body: { keys: [K] } },
  'POST /api/v1/txn': {
    needs: key('read', 'write'),
    body: { compare: [{ key: K, revision: 0 }], success: [{ op: 'put', key: 'other/x', value: 1 }] },
  },
  'GET /api/v1/status': { needs: { cluster: 'read' } },
  'GET /api/v1/cluster': { needs: { cluster: 'read' } },
  'GET /api/v1/cluster/members': { needs: { cluster: 'read' } },
  'POST /api/v1/cluster/members': { needs: { cluster: 'admin' }, body: { address: '127.0.0.1:1' } },
  'DELETE /api/v1/cluster/members/{member}': {
    needs: { cluster: 'admin' },
    path: '/api/v1/cluster/members/nobody',
  },
  'PATCH /api/v1/cluster/members/{member}': {
    needs: { cluster: 'admin' },
    path: '/api/v1/cluster/members/nobody',
    body: { role: 'voter' },
  },
  'POST /api/v1/cluster/leader': { needs: { cluster: 'admin' } },
  'POST /api/v1/cluster/snapshot': { needs: { cluster: 'admin' } },
  'GET /livez': { needs: 'public' },
  'GET /startupz': { needs: 'public' },
  'GET /readyz': { needs: 'public' },
  'GET /ready': { needs: 'public' },
  'GET /health': { needs: 'public' },
  'GET /api/v1/health': { needs: 'public' },
  'GET /api/v1/connect': { needs: 'public' },
  'GET /api/v1/openapi.json': { needs: 'public' },
  'GET /openapi.json': { needs: 'public' },
  'GET /api/docs': { needs: 'public' },
  'GET /api/docs/{file}': { needs: 'public', path: '/api/docs/start.js' },
  'POST /api/v1/tokens': { needs: { cluster: 'admin' }, body: { name: 'more' } },
  'GET /api/v1/tokens': { needs: { cluster: 'admin' } },
  'DELETE /api/v1/tokens/{id}': { needs: { cluster: 'admin' }, path: '/api/v1/tokens/nobody' },
  'POST /api/v1/tokens/{id}/rotate': { needs: { cluster: 'admin' }, path: '/api/v1/tokens/nobody/rotate' },
  'PUT /api/v1/tokens/{id}/roles/{role}': {
    needs: { cluster: 'admin' },
    path: '/api/v1/tokens/nobody/roles/viewer',
  },
  'DELETE /api/v1/tokens/{id}/roles/{role}': {
    needs: { cluster: 'admin' },
    path: '/api/v1/tokens/nobody/roles/viewer',
  },
  'PUT /api/v1/tokens/{id}/grants': {
    needs: { cluster: 'admin' },
    path: '/api/v1/tokens/nobody/grants',
    body: { grants: [] },
  },
  'GET /api/v1/roles': { needs: { cluster: 'admin' } },
  'POST /api/v1/roles': { needs: { cluster: 'admin' }, body: { name: 'some-role', grants: [] } },
  'DELETE /api/v1/roles/{role}': { needs: { cluster: 'admin' }, path: '/api/v1/roles/some-role' },
  'GET /api/v1/can-i': { needs: 'token', path: '/api/v1/can-i?permission=read' },
}

describe('over HTTP', () => {
  test('every route of the document stands in the table', async (t) => {
    const { api } = await node(t)
    const routes = Object.entries(api.document.paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
    )
    assert.deepEqual(routes.sort(), Object.keys(ROUTES).sort())
  })

  test('every route lets in whom it should, and tells everybody else what he is to be told', async (t) => {
    const { api, tokens } = await node(t)
    for (const [route, { needs, path, body }] of Object.entries(ROUTES)) {
      const [method, template] = route.split(' ') as [string, string]
      for (const [who, verdict] of Object.entries(verdicts(needs))) {
        const token = tokens[who as keyof Tokens]
        const headers: Record<string, string> =
          token === undefined ? {} : { authorization: `Bearer ${token}` }
        const { status, body: answer } = await api.call(method, path ?? template, { body, headers })
        const at = `${route} with ${who}: ${status} ${JSON.stringify(answer)}`
        if (verdict === undefined) assert.ok(status !== 401 && status !== 403, at)
        else assert.deepEqual([status, answer.error.code], [verdict === 'FORBIDDEN' ? 403 : 401, verdict], at)
      }
    }
  })

  test('a token may also come as X-API-Key', async (t) => {
    const { api, tokens } = await node(t)
    const headers = { 'x-api-key': tokens.reader }
    assert.equal((await api.call('GET', '/api/v1/status', { headers })).status, 200)
    assert.equal(
      (await api.call('GET', '/api/v1/status', { headers: { authorization: 'Basic abc' } })).status,
      401,
    )
    assert.equal(
      (await api.call('GET', '/api/v1/status')).headers.get('www-authenticate'),
      'Bearer realm="concord"',
    )
  })

  test('a list shows only what may be read, and no count of the rest', async (t) => {
    const { db, api, tokens } = await node(t)
    await db
      .with({ token: tokens.admin })
      .putMany(['a', 'other/1', 'other/2', 'z'].map((at) => ({ key: at, value: 1 })))
    const headers = { authorization: `Bearer ${tokens.foreign}` }
    const { body } = await api.call('GET', '/api/v1/kv', { headers })
    assert.deepEqual(Object.keys(body.data), ['other/1', 'other/2'])
    assert.equal(body.page.has_more, false)
  })
})

const CALLS: Record<string, { needs: Needs; call: (db: Store) => Promise<unknown> }> = {
  put: { needs: key('write'), call: (db) => db.put(K, 1) },
  get: { needs: key('read'), call: (db) => db.get(K) },
  'get, strong': { needs: key('read'), call: (db) => db.get(K, { consistency: 'strong' }) },
  'get, eventual': { needs: key('read'), call: (db) => db.get(K, { consistency: 'eventual' }) },
  getEntry: { needs: key('read'), call: (db) => db.getEntry(K) },
  ttl: { needs: key('read'), call: (db) => db.ttl(K) },
  delete: { needs: key('delete'), call: (db) => db.delete(K) },
  touch: { needs: key('write'), call: (db) => db.touch(K, 60) },
  'putIf a revision, which tells the present one': {
    needs: key('read', 'write'),
    call: (db) => db.putIf(K, 1, { ifRevision: 7 }),
  },
  'putIf expected': { needs: key('read', 'write'), call: (db) => db.putIf(K, 1, { expected: 2 }) },
  deleteIf: { needs: key('read', 'delete'), call: (db) => db.deleteIf(K, { ifRevision: 7 }) },
  'increment, which tells the sum': { needs: key('read', 'write'), call: (db) => db.increment('app/n') },
  putMany: {
    needs: key('write'),
    call: (db) =>
      db.putMany([
        { key: 'other/x', value: 1 },
        { key: K, value: 1 },
      ]),
  },
  getMany: { needs: key('read'), call: (db) => db.getMany(['other/x', K]) },
  deleteMany: { needs: key('delete'), call: (db) => db.deleteMany([K]) },
  touchMany: { needs: key('write'), call: (db) => db.touchMany([{ key: K, ttl: 9 }]) },
  'txn that reads': { needs: key('read'), call: (db) => db.txn((tx) => tx.get(K)) },
  'txn that writes': { needs: key('write'), call: (db) => db.txn((tx) => tx.put(K, 1)) },
  'txn as data, a branch that does not run': {
    needs: key('read', 'write'),
    call: (db) =>
      db.txn({
        compare: [{ key: 'other/x', revision: 0 }],
        success: [],
        failure: [
          { op: 'put', key: K, value: 1 },
          { op: 'get', key: K },
        ],
      }),
  },
  entries: {
    needs: 'list',
    call: async (db) => {
      for await (const { key: at } of db.entries()) if (!at) return
    },
  },
  status: { needs: { cluster: 'read' }, call: (db) => db.status() },
  'cluster.members': { needs: { cluster: 'read' }, call: (db) => db.cluster.members() },
  'cluster.status': { needs: { cluster: 'read' }, call: (db) => db.cluster.status() },
  'cluster.removeMember': { needs: { cluster: 'admin' }, call: (db) => db.cluster.removeMember('nobody') },
  'cluster.promote': { needs: { cluster: 'admin' }, call: (db) => db.cluster.promote('nobody') },
  'cluster.demote': { needs: { cluster: 'admin' }, call: (db) => db.cluster.demote('nobody') },
  'cluster.addMember': { needs: { cluster: 'admin' }, call: (db) => db.cluster.addMember('127.0.0.1:1') },
  'cluster.transferLeadership': {
    needs: { cluster: 'admin' },
    call: (db) => db.cluster.transferLeadership(),
  },
  'cluster.snapshot': { needs: { cluster: 'admin' }, call: (db) => db.cluster.snapshot() },
  'cluster.retire': { needs: { cluster: 'admin' }, call: (db) => db.cluster.retire('nobody') },
}

describe('in the process', () => {
  test('every call lets in whom it should, and tells everybody else what he is to be told', async (t) => {
    const { db, tokens } = await node(t)
    for (const [name, { needs, call }] of Object.entries(CALLS)) {
      for (const [who, verdict] of Object.entries(verdicts(needs))) {
        const token = tokens[who as keyof Tokens]
        const store = token === undefined ? db : db.with({ token })
        const code = await call(store).then(() => undefined, codeOf)
        const at = `${name} with ${who}: ${code ?? 'done'}`
        if (verdict === undefined) assert.ok(code !== 'UNAUTHORIZED' && code !== 'FORBIDDEN', at)
        else assert.equal(code, verdict, at)
      }
    }
  })

  test('the application is trusted without a token only where its config says so', async (t) => {
    const db = await memoryNode(t, { plugins: { auth: { embedded: 'trusted' } } })
    await db.put('a', 1)
    assert.equal(db.local.get('a'), 1)
    await assert.rejects(db.get('a', { token: 'sk_concord_wrong' }), { code: 'UNAUTHORIZED' })
  })

  test('a token of nobody is an option of nobody where auth is off', async (t) => {
    const db = await memoryNode(t)
    await assert.rejects(db.put('a', 1, { token: 'x' }), { code: 'INVALID_OPTION', message: /auth/ })
  })
})
