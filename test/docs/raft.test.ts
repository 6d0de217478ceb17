/** docs/internals/raft.md names every file of the core, and walks through functions that are there. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'

const core = new URL('../../core/raft/', import.meta.url)
const page = readFileSync(new URL('../../docs/internals/raft.md', import.meta.url), 'utf8')

test('every file of the core has one row', () => {
  const files = readdirSync(core).filter((file) => file.endsWith('.ts'))
  const rows = [...page.matchAll(/^\| `(\S+\.ts)` \|/gm)].map(([, file]) => file!)
  assert.deepEqual(rows.sort(), files.sort())
})

test('every step of a walk is a function of the file that it names', () => {
  const steps = [...page.matchAll(/^([\w-]+\.ts) +(\w+) /gm)]
  assert.ok(steps.length > 50, `found ${steps.length} steps`)
  const missing = steps.filter(([, file = '', name = '']) => {
    const source = readFileSync(new URL(file, core), 'utf8')
    return !new RegExp(`^(?:export )?function ${name}\\b`, 'm').test(source)
  })
  assert.deepEqual(
    missing.map(([line]) => line),
    [],
  )
})
