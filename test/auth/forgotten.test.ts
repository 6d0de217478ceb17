// A node whose config has forgotten auth, in a cluster that has tokens.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileNode, temporary } from '../store/node.ts'

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

test('a node without auth is as it always was where nobody has made a token', async (t) => {
  const db = await fileNode(t, await temporary(t), { plugins: { auth: false } })
  await db.put('k', 1)
  assert.deepEqual(
    (await db.status()).unsafe.filter((line) => line.includes('auth')),
    [],
  )
})
