/** Runs the simulator on a copy of the core that has one mutant in it, in a directory of their own. */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Mutant } from './mutant.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))

/** What each simulator is made of. */
const CORE = ['core/raft', 'core/testing', 'core/assert.ts', 'test/sim']
const NODE = ['core', 'plugins', 'package.json', 'test/sim', 'test/sim-node']

export interface Verdict {
  readonly caught: boolean
  /** How many seeds it took. */
  readonly seeds: number
  readonly invariant: string
}

/** Runs one mutant in a copy of the core and the simulator; `seeds` bounds the hunt. */
export function hunt(mutant: Mutant, seed: number, seeds: number): Verdict {
  const directory = mkdtempSync(join(tmpdir(), 'concord-mutant-'))
  try {
    writeFileSync(join(directory, 'package.json'), '{"type":"module"}')
    for (const path of mutant.needs === 'node' ? NODE : CORE) {
      cpSync(join(root, path), join(directory, path), { recursive: true })
    }
    symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'))
    for (const one of mutant.edits) patch(join(directory, one.file), one.find, one.put)
    return runSimulator(directory, mutant, seed, seeds)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

function patch(file: string, find: string, put: string): void {
  const source = readFileSync(file, 'utf8')
  const found = source.split(find).length - 1
  if (found !== 1) throw new Error(`${file} has ${found} places to patch, expected 1: ${find}`)
  writeFileSync(
    file,
    source.replace(find, () => put),
  )
}

function runSimulator(directory: string, { directed, needs }: Mutant, seed: number, seeds: number): Verdict {
  const main = needs === 'node' ? 'test/sim-node/main.ts' : 'test/sim/main.ts'
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [
      ...[main, '--seed', `${seed}`, '--seeds', `${seeds}`, '--no-shrink'],
      ...(directed === undefined ? [] : ['--directed', directed]),
    ],
    { cwd: directory, encoding: 'utf8', maxBuffer: 1 << 28 },
  )
  const ran = Number(/^(\d+) seeds/m.exec(stdout)?.[1])
  const invariant = /^VIOLATED (.*)$/m.exec(stdout)?.[1]
  if (!Number.isInteger(ran) || (status !== 0) !== (invariant !== undefined)) {
    throw new Error(
      `the simulator did not run: status ${status}\n${stdout.slice(0, 2000)}\n${stderr.slice(0, 2000)}`,
    )
  }
  return { caught: invariant !== undefined, seeds: ran, invariant: invariant ?? '' }
}
