// Whether a cluster has had a token: what an application makes before the first one says nothing of that.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryNode } from '../store/node.ts'

test('roles, and what was there for nobody to take, are no tokens: strangers still hear how the first is made', async (t) => {
  const db = await memoryNode(t, { plugins: { auth: true } })
  const auth = db.plugin('auth')
  const isStranger = { code: 'UNAUTHORIZED', message: /token create --bootstrap/ }
  for (const make of [
    () => auth.createRole('writer', [{ prefix: 'app/', permissions: ['write'] }]),
    () => auth.deleteRole('writer'),
    () => auth.deleteRole('nobody'),
    () => auth.revokeToken('nobody'),
  ]) {
    await make()
    assert.equal(await auth.hadTokens(), false, String(make))
    await assert.rejects(db.get('k'), isStranger, String(make))
  }
  const { id } = await auth.createToken({ name: 'first', roles: ['viewer'] })
  await auth.revokeToken(id)
  assert.equal(await auth.hadTokens(), true)
  await assert.rejects(db.get('k'), {
    code: 'UNAUTHORIZED',
    message: 'a token is needed',
  })
})

test('to take what is not there changes nothing', async (t) => {
  const db = await memoryNode(t, { plugins: { auth: true } })
  const auth = db.plugin('auth')
  const { token } = await auth.bootstrap()
  const commits = async () => (await db.with({ token }).status()).commitIndex
  const before = await commits()
  assert.deepEqual(await auth.revokeToken('nobody'), { revoked: false })
  assert.deepEqual(await auth.deleteRole('nobody'), { deleted: false })
  assert.equal(await commits(), before)
})
