/** What nobody has said: nothing of it loses data. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { resolveConfig } from '../../core/config/index.ts'
import { fileNode, memoryNode, temporary } from './node.ts'

test('H84: without a word everything is on disk before it is answered, beside the config', async (t) => {
  const cwd = await temporary(t)
  const { storage } = await resolveConfig({}, { baseDir: cwd })
  assert.ok(storage !== 'memory')
  assert.deepEqual([storage.fsync, storage.dir], ['always', join(cwd, 'data')])
  const status = await (await fileNode(t, cwd)).status()
  assert.deepEqual([status.storage.fsync, status.unsafe], ['always', []])
})

test('H84: what trades safety away has to be said, and the node repeats it for as long as it runs', async (t) => {
  const memory = await memoryNode(t)
  assert.match((await memory.status()).unsafe.join(), /memory.*everything is gone when the process ends/)
  for (const fsync of ['interval', 'never'] as const) {
    const dir = await temporary(t)
    const node = await fileNode(t, dir, { storage: { dir: join(dir, 'data'), fsync } })
    assert.match((await node.status()).unsafe.join(), new RegExp(`"${fsync}".*not of the machine`))
  }
})
