// Runs the suite of `npm test` on another Node.js, the oldest supported one unless another is named:
//   npm run test:node            npm run test:node -- 26
// It is installed in a temporary directory, by npm's package `node`. dist/ must be built.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const [, major, minor] = /\^(\d+)\.(\d+)/.exec(manifest.engines.node)!
const version = process.argv[2] ?? `${major}.${minor}.0`
const folder = mkdtempSync(join(tmpdir(), 'concord-node-'))

function run(command: string, cwd: string, path = process.env['PATH'] ?? ''): number {
  const env = { ...process.env, PATH: path }
  const done = spawnSync(command, { cwd, env, shell: true, stdio: 'inherit' })
  if (done.error) throw done.error
  return done.status ?? 1
}

try {
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, allowScripts: { node: true } }))
  process.exitCode =
    run(`npm install --no-audit --no-fund --no-package-lock --loglevel=error node@${version}`, folder) ||
    run(
      `node --version && ${manifest.scripts.test}`,
      root,
      join(folder, 'node_modules/.bin') + delimiter + process.env['PATH'],
    )
} finally {
  rmSync(folder, { recursive: true, force: true })
}
