/** What `npm test` runs against the test files that are there: none is left out by its place, and none runs twice. */

import assert from 'node:assert/strict'
import { globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ALONE, filesOf, TOGETHER } from '../../scripts/test-files.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

const runIn = (cwd: string): string[] =>
  [...TOGETHER.flatMap((folder) => filesOf(folder, cwd)), ...globSync([...ALONE], { cwd })].sort()

test('every test file that needs Node.js and npm alone is run, and once', () => {
  const there = globSync('test/**/*.test.ts', { cwd: root }).filter(
    (file) => !/^test\/(?:tools|packaging)\//.test(file),
  )
  assert.ok(there.length > 100)
  assert.deepEqual(runIn(root), there.sort())
})

test('a file in a folder of a folder is run wherever that is', (t) => {
  const cwd = mkdtempSync(join(tmpdir(), 'concord-files-'))
  t.after(() => rmSync(cwd, { recursive: true, force: true }))
  const files = [...TOGETHER, 'http'].flatMap((folder) => [
    `test/${folder}/a.test.ts`,
    `test/${folder}/deep/deeper/b.test.ts`,
  ])
  for (const file of files) {
    mkdirSync(dirname(join(cwd, file)), { recursive: true })
    writeFileSync(join(cwd, file), '')
  }
  assert.deepEqual(runIn(cwd), files.sort())
})
