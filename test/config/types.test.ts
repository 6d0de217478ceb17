/** Mistakes in a config are type errors: the fixtures compile only if each marked line is one. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))

for (const [what, project] of [
  ['with plugins registered', 'tsconfig.json'],
  ['with none', 'tsconfig.bare.json'],
] as const) {
  test(`defineConfig, ${what}`, () => {
    const { stdout, status } = spawnSync(
      process.execPath,
      [`${root}node_modules/typescript/bin/tsc`, '-p', `test/config/fixtures/${project}`],
      { cwd: root, encoding: 'utf8' },
    )
    const ours = stdout.split('\n').filter((line) => line.startsWith('test/config/fixtures/'))
    assert.deepEqual(ours, [])
    // Only what the fixtures import is compiled; an error elsewhere is for the type check to report.
    assert.ok(status === 0 || stdout.includes('error TS'), stdout)
  })
}
