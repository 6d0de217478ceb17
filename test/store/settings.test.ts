/** Replicated settings: what a config may ask for is what the machine can honour, and no more. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { configSchema } from '../../core/config/schema.ts'
import { DEFAULT_SETTINGS, SETTING_BOUNDS } from '../../core/machine/index.ts'
import { fileNode, rejection, temporary } from './node.ts'

test('the schema’s bounds and defaults of replicated limits are those of the machine', () => {
  const { limits, requests } = configSchema.properties
  const pairs = [
    ['valueBytes', limits.properties.valueBytes],
    ['batch', limits.properties.batch],
    ['requests.keepMs', requests.properties.keepMs],
    ['requests.max', requests.properties.max],
  ] as const
  for (const [name, option] of pairs) {
    assert.deepEqual(SETTING_BOUNDS[name], [option.minimum, option.maximum], name)
    assert.equal(DEFAULT_SETTINGS[name], option.default, name)
  }
})

test('a limit out of bounds is refused at the start, and the directory is as it was', async (t) => {
  const dir = await temporary(t)
  const before = await fileNode(t, dir)
  await before.put('a', 1)
  await before.close()
  const error = await rejection(fileNode(t, dir, { limits: { valueBytes: 100 } }))
  assert.equal(error.code, 'CONFIG_INVALID')
  const after = await fileNode(t, dir, { limits: { valueBytes: 4096 } })
  assert.equal(await after.get('a'), 1)
  assert.equal((await rejection(after.put('b', 'x'.repeat(5000)))).code, 'VALUE_TOO_LARGE')
})
