// `concord bench`: what it says of a short load, and that nothing of it is left.

import assert from 'node:assert/strict'
import { fileNode, temporary } from '../store/node.ts'
import { type Story, tellAll } from './command.ts'

const stories: Story[] = []
const story = (name: string, told: Story['told']): void => void stories.push({ name, told })

story('every kind of load is done, counted and cleaned away', async (t, inDirectory) => {
  const cwd = await temporary(t)
  const db = await fileNode(t, cwd)
  await db.put('mine', 1)
  const run = inDirectory(cwd)
  for (const kind of ['put', 'get', 'mixed']) {
    const ran = await run(['bench', kind, '--duration', '100ms', '--clients', '4', '--value-size', '100'])
    assert.equal(ran.code, 0, ran.stderr)
    const { operations, latencyMs, ...rest } = JSON.parse(ran.stdout) as {
      operations: number
      latencyMs: Record<string, number>
    } & Record<string, unknown>
    assert.deepEqual([rest['kind'], rest['clients'], rest['valueBytes'], rest['errors']], [kind, 4, 100, {}])
    assert.ok(operations >= 4, `${kind}: ${operations}`)
    assert.ok(latencyMs['p50']! > 0 && latencyMs['p50']! <= latencyMs['max']!, kind)
    const { revision, keys } = await db.status()
    assert.equal(keys, 1, `${kind}: only what was there before`)
    assert.ok(revision > 1)
  }
  assert.match(
    (await run(['bench', 'get', '--duration', '50ms', '-o', 'table'])).stdout,
    /^rate +\d+ a second$/m,
  )
})

story(
  'calls that fail are counted by code, and end it with 9; what cannot be is usage',
  async (t, inDirectory) => {
    const cwd = await temporary(t)
    await fileNode(t, cwd, { limits: { valueBytes: 1024 } })
    const run = inDirectory(cwd)
    const ran = await run(['bench', 'put', '--duration', '50ms', '--value-size', '2000'])
    assert.equal(ran.code, 9, ran.stderr)
    assert.match(ran.stderr, /^CHECK_FAILED: calls failed: \d+ × VALUE_TOO_LARGE/)
    const { operations } = JSON.parse(ran.stdout) as { operations: number }
    assert.equal(operations, 0)
    for (const args of [['scan'], ['--clients', '0'], ['--clients', '1000'], ['--duration', 'long']]) {
      assert.equal((await run(['bench', ...args])).code, 2, args.join(' '))
    }
  },
)

tellAll('bench', stories)
