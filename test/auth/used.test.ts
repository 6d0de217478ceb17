/** When a token was last used is written down by the node that let it in, and not lost when it cannot be at once. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testCluster } from '../../core/testing/index.ts'

test('the use of a token is written down once there is a quorum again', async () => {
  const t = await testCluster({ seed: 3, config: { plugins: { auth: true } } })
  const leader = await t.leader()
  const auth = leader.db.plugin('auth')
  const { id, token } = await auth.bootstrap()
  const usedAt = async () => (await auth.listTokens()).find((one) => one.id === id)!.usedAt
  await leader.db.put('a', 1, { token })
  assert.equal(await usedAt(), null, 'not yet')
  const others = t.nodes.filter(({ name }) => name !== leader.name).map(({ name }) => name)
  for (const name of others) t.crash(name)
  await t.advance(25_000)
  for (const name of others) await t.start(name)
  await t.advance(40_000)
  assert.ok((await usedAt())! > 0)
  await t.close()
})
