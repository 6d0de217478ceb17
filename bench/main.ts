/**
 * `npm run bench [-- SUITE ...] [--quick | --full] [--rounds N]`: runs suites, prints them and the targets, and
 * keeps the run as a file under bench/results/. `-- compare [FILE]` holds a run against the baseline,
 * `-- baseline [FILE]` makes a run the baseline. Exits 1 when a call failed or answered wrongly, or when a
 * ratio is worse than the baseline's.
 */
import { fork } from 'node:child_process'
import { loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { compareWithBaseline, readRun, storeBaseline } from './baseline.ts'
import { environment } from './environment.ts'
import { describeEnvironment, describeSuite, describeTargets, type Run, save } from './report.ts'
import type { Settings, SuiteResult } from './suite.ts'
import { SUITES } from './suites/index.ts'

const ROUNDS = 5
const ROUND_MS = 500
const QUICK = { rounds: 2, roundMs: 40 }

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    full: { type: 'boolean', default: false },
    rounds: { type: 'string', default: String(ROUNDS) },
  },
})
const [verb, file] = positionals

if (verb === 'compare') await compare(file)
else if (verb === 'baseline') console.log(`baseline: ${await storeBaseline(await readRun(file))}`)
else await run(positionals.length === 0 ? Object.keys(SUITES) : positionals)

async function run(names: readonly string[]): Promise<void> {
  const unknown = names.find((name) => !(name in SUITES))
  if (unknown !== undefined) {
    throw new Error(`no suite ${unknown}: there are ${Object.keys(SUITES).join(', ')}, compare and baseline`)
  }
  const { quick, full } = values
  const plan = quick ? QUICK : { rounds: Number(values.rounds), roundMs: ROUND_MS }
  const settings: Settings = { quick, full, plan }
  const here = await environment()
  console.log(describeEnvironment(here))
  console.log(
    `${plan.rounds} rounds of ${plan.roundMs} ms a case${quick ? '; quick: the figures mean nothing' : ''}`,
  )
  const suites: Record<string, SuiteResult> = {}
  const startedAt = new Date().toISOString()
  for (const name of names) {
    suites[name] = await inProcess(name, settings)
    console.log(`\n== ${name}\n\n${describeSuite(suites[name])}`)
  }
  here.loadAverageAtEnd = loadavg()
  const done: Run = { format: 1, startedAt, environment: here, settings, suites }
  console.log(`\n== targets\n\n${describeTargets(done)}`)
  console.log(`\n${await save(done)}`)
}

function inProcess(name: string, settings: Settings): Promise<SuiteResult> {
  const path = fileURLToPath(new URL('./suite-process.ts', import.meta.url))
  const child = fork(path, [name, JSON.stringify(settings)])
  return new Promise((resolve, reject) => {
    let result: SuiteResult | undefined
    child.on('message', (message) => {
      result = message as SuiteResult
    })
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      if (code === 0 && result !== undefined) resolve(result)
      else reject(new Error(`suite ${name} failed (${signal ?? `exit ${code}`})`))
    })
  })
}

async function compare(path: string | undefined): Promise<void> {
  const moved = await compareWithBaseline(await readRun(path))
  for (const { id, before, now, verdict } of moved) {
    console.log(`${verdict.padEnd(6)}  ${before.toPrecision(3)} -> ${now.toPrecision(3)}  ${id}`)
  }
  if (moved.some(({ verdict }) => verdict === 'worse')) process.exitCode = 1
}
