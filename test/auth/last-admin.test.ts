// Over HTTP, too, nobody locks everybody out by mistake, and nobody who names the wrong thing believes that it is done.
// Every answer is held to the node's own document.

import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { memoryNode } from '../store/node.ts'
import { type Answer, apiOf } from '../http/api.ts'

const BOSS = [{ prefix: '', permissions: ['admin'] }] as const

async function guarded(t: TestContext) {
  const db = await memoryNode(t, { plugins: { http: { port: 0 }, auth: true } })
  const auth = db.plugin('auth')
  const { id, token } = await auth.bootstrap()
  const api = apiOf(db)
  const headers = { authorization: `Bearer ${token}` }
  const call = (method: string, path: string, body?: unknown): Promise<Answer> =>
    api.call(method, `/api/v1${path}`, { headers, body })
  return { auth, id, call }
}

test('what takes the last who may let others in is 409, by every route that could, and done by force', async (t) => {
  const { auth, id, call } = await guarded(t)
  const none = { grants: [] }
  const refused = async (method: string, path: string, body?: unknown): Promise<void> => {
    const { status, body: said } = await call(method, path, body)
    assert.deepEqual([status, said.error.code, said.error.retryable], [409, 'CHANGE_REFUSED', false], path)
  }
  await refused('DELETE', `/tokens/${id}`)
  await refused('DELETE', `/tokens/${id}/roles/admin`)
  await auth.setGrants(id, BOSS)
  assert.equal((await call('DELETE', `/tokens/${id}/roles/admin`)).status, 200)
  await refused('PUT', `/tokens/${id}/grants`, none)
  await refused('PUT', `/tokens/${id}/grants?force=false`, none)
  await auth.createRole('boss', BOSS)
  await auth.grantRole(id, 'boss')
  assert.equal((await call('PUT', `/tokens/${id}/grants`, none)).status, 200)
  await refused('DELETE', '/roles/boss')
  assert.equal((await auth.listRoles()).length, 5)

  assert.equal((await call('DELETE', '/roles/boss?force=true')).status, 200)
  assert.equal((await call('GET', '/tokens')).status, 403, 'nobody may any more')
})

test('a name for an id is 400 and says the id; what is gone already is no error', async (t) => {
  const { auth, id, call } = await guarded(t)
  const named = await call('DELETE', '/tokens/bootstrap')
  assert.deepEqual([named.status, named.body.error.code], [400, 'INVALID_ARGUMENT'])
  assert.ok((named.body.error.message as string).includes(id))
  assert.deepEqual((await call('DELETE', '/tokens/nobody')).body.data, { revoked: false })
  assert.equal(
    (await call('POST', '/tokens', { name: 'x', grants: [{ prefix: '', permissions: ['red'] }] })).status,
    400,
  )
  assert.deepEqual(await auth.can(id, 'write', 'k'), { allowed: true, by: 'role admin', prefix: '' })
  await assert.rejects(auth.can('nobody', 'read'), {
    code: 'INVALID_ARGUMENT',
    message: /no token has the id "nobody"/,
  })
})
