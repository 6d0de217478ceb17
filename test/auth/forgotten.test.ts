// A node whose config has forgotten auth, in a cluster that has tokens.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Config } from '../../core/index.ts'
import { testCluster } from '../../core/testing/index.ts'
import { fileNode, temporary } from '../store/node.ts'

type Plugins = Config['plugins']

test('a node without auth in its config takes no calls once there are tokens, unless that is said in words', async (t) => {
  const dir = await temporary(t)
  const first = await fileNode(t, dir, { plugins: { auth: true } })
  const { token } = await first.plugin('auth').bootstrap()
  await first.put('k', 1, { token })
  await first.close()

  const forgetful = await fileNode(t, dir, { plugins: { http: { port: 0 } } })
  const refused = { code: 'UNSUPPORTED', outcome: 'not-applied', message: /plugins\.auth/ }
  await assert.rejects(forgetful.put('k', 2), refused)
  await assert.rejects(forgetful.get('k', { consistency: 'eventual' }), refused)
  await assert.rejects(forgetful.entries().next(), refused)
  await assert.rejects(forgetful.cluster.snapshot(), refused)
  assert.throws(() => forgetful.local.get('k'), refused)
  const { url } = forgetful.plugin('http')
  const said = async (path: string): Promise<string> => {
    const answer = await fetch(`${url}${path}`)
    return `${answer.status} ${await answer.text()}`
  }
  assert.match(await said('/api/v1/kv/k'), /^503 .*UNSUPPORTED.*plugins\.auth/)
  assert.match(await said('/readyz'), /^503 not ready: open/)
  assert.match(await said('/health'), /^503 /)
  assert.match(await said('/livez'), /^200 ok/)
  await forgetful.close()

  const open = await fileNode(t, dir, { plugins: { auth: false } })
  assert.equal(await open.get('k'), 1)
  const { unsafe } = await open.status()
  assert.ok(unsafe.some((line) => line.includes('plugins.auth: false')))
  await open.close()
})

test('a member that starts without auth is open to nobody before it has heard that there are tokens', async () => {
  for (let seed = 1; seed <= 3; seed++) {
    let plugins: Plugins = { auth: true }
    const config = {
      get plugins() {
        return plugins
      },
    }
    const t = await testCluster({ seed, config })
    try {
      const { token } = await t.node('n1').db.plugin('auth').bootstrap()
      await t.node('n1').db.put('k', 'secret', { token })
      const leader = await t.leader()
      const member = t.nodes.find(({ name }) => name !== leader.name)!.name
      t.crash(member)
      plugins = {}
      const { db } = await t.start(member)
      const calls = [
        db.get('k'),
        db.put('k', 1),
        db.txn((tx) => tx.put('k', 1)),
        db.entries().next(),
        db.cluster.transferLeadership(member),
      ]
      for (const call of calls) await assert.rejects(call, { code: 'UNSUPPORTED', outcome: 'not-applied' })
      assert.equal(await leader.db.get('k', { token }), 'secret')
    } finally {
      await t.close()
    }
  }
})

test('a node without auth is as it always was where nobody has made a token', async (t) => {
  const db = await fileNode(t, await temporary(t), { plugins: { auth: false } })
  await db.put('k', 1)
  assert.deepEqual(
    (await db.status()).unsafe.filter((line) => line.includes('auth')),
    [],
  )
})
