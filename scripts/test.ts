// Runs the suite of `npm test`, or what is named of it: `npm test -- --test-name-pattern=lease test/raft/scripts.test.ts`.
//
// Several hundred processes of one run load the same sources: they share what Node.js makes of them (without
// types, compiled) in a directory of the run. One that opens a node then takes half the processor time.
// Four files at once, also on two cores: those with clusters of their own wait for timers most of the time.
// Where no test leaves anything that another one meets, all files of a folder are one process (test-files.ts).

import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { ALONE, filesOf, TOGETHER } from './test-files.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const own = mkdtempSync(join(tmpdir(), 'concord-suite-'))
const { NODE_DISABLE_COMPILE_CACHE: _, ...environment } = process.env

const given = process.argv.slice(2)
const files = given.filter((one) => !one.startsWith('-'))
const options = given.filter((one) => one.startsWith('-'))

/** A file that brings those of a folder. */
function together(folder: string): string {
  const path = join(own, `${folder}.test.mjs`)
  const imports = filesOf(folder, root).map(
    (file) => `import ${JSON.stringify(pathToFileURL(join(root, file)))}\n`,
  )
  writeFileSync(path, imports.join(''))
  return path
}

const suite = spawn(
  process.execPath,
  [
    '--test',
    '--test-reporter=spec',
    '--test-concurrency=4',
    ...options,
    ...(files.length === 0 ? [...TOGETHER.map(together), ...ALONE] : files),
  ],
  {
    cwd: root,
    env: { ...environment, NODE_COMPILE_CACHE: join(own, 'compiled') },
    stdio: 'inherit',
  },
)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => suite.kill(signal))
suite.on('close', (code) => {
  rmSync(own, { recursive: true, force: true })
  process.exitCode = code ?? 1
})
