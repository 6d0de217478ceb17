// Runs the suite of `npm test`, or what is named of it: `npm test -- --test-name-pattern=lease test/raft/scripts.test.ts`.
//
// Several hundred processes of one run load the same sources: they share what Node.js makes of them (without
// types, compiled) in a directory of the run. One that opens a node then takes half the processor time.
// Four files at once, also on two cores: those with clusters of their own wait for timers most of the time.

import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const cache = mkdtempSync(join(tmpdir(), 'concord-compiled-'))
const { NODE_DISABLE_COMPILE_CACHE: _, ...environment } = process.env

const given = process.argv.slice(2)
const files = given.filter((one) => !one.startsWith('-'))
const options = given.filter((one) => one.startsWith('-'))
const all = ['test/*.test.ts', 'test/!(tools|packaging)/**/*.test.ts']

const suite = spawn(
  process.execPath,
  [
    '--test',
    '--test-reporter=spec',
    '--test-concurrency=4',
    ...options,
    ...(files.length === 0 ? all : files),
  ],
  {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    env: { ...environment, NODE_COMPILE_CACHE: cache },
    stdio: 'inherit',
  },
)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => suite.kill(signal))
suite.on('close', (code) => {
  rmSync(cache, { recursive: true, force: true })
  process.exitCode = code ?? 1
})
