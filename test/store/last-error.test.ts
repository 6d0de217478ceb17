/** What ended a node is still to be seen when it runs again. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Closed, Concord } from '../../core/index.ts'
import { definePlugin } from '../../core/plugin.ts'
import { until } from '../cluster/processes.ts'
import { fileNode, temporary } from './node.ts'

test('the status of a node says what ended it the last time, until something else does', async (t) => {
  const dir = await temporary(t)
  let isBroken = true
  const odd = definePlugin({
    name: 'odd',
    version: '1.0.0',
    apiVersion: 1,
    slice: {
      version: 1,
      apply() {
        if (isBroken) throw new Error('a bug of a plugin')
        return 'mended'
      },
    },
    setup: (ctx) => ({ go: () => ctx.slice.propose('go' as never) }),
  })
  const open = (): Promise<Concord> => fileNode(t, dir, { use: [odd], plugins: { odd: true } as never })
  const first = await open()
  assert.equal((await first.status()).lastError, null)
  let closed: Closed | undefined
  void first.closed.then((how) => (closed = how))
  await assert.rejects((first.plugin('odd' as never) as { go(): Promise<unknown> }).go(), { code: 'STOPPED' })
  await until(() => closed !== undefined)

  isBroken = false
  for (const how of ['after the failure', 'and after a clean stop']) {
    const again = await open()
    const { lastError } = await again.status()
    assert.deepEqual([lastError?.code, /a bug of a plugin/.test(lastError!.message)], ['INTERNAL', true], how)
    assert.ok(lastError!.at > 0)
    await again.close()
  }
})
