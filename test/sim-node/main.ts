/**
 * `npm run sim:node -- --seeds N --seed S [--seconds T] [--nodes 3] [--events 5000] [--jobs 2] [--trace]`
 *
 * Runs seeds of the simulator of whole nodes: the real store, driver, machine, log and codec over a network, disks
 * and clocks of its own. Prints what they met, and exits 1 when an invariant broke: then with the seed, the last
 * events, and the smallest plan that still fails, as a command.
 */
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { parseIndexes } from '../sim/narrow.ts'
import { addTally, type Batch, createTally, runBatch, type Tally } from './batch.ts'
import { shortfalls } from './counters.ts'
import { drawPlan, type Plan } from './plan.ts'
import { type Failure, run } from './run.ts'
import { narrow, type Narrowing, narrowingWords, shrink } from './shrink.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    seed: { type: 'string', default: '1' },
    seconds: { type: 'string' },
    nodes: { type: 'string', default: '0' },
    events: { type: 'string', default: '5000' },
    jobs: { type: 'string', default: '1' },
    trace: { type: 'boolean', default: false },
    faults: { type: 'string' },
    operations: { type: 'string' },
    'no-shrink': { type: 'boolean', default: false },
  },
})

const narrowing: Narrowing = {
  faults: values.faults === undefined ? undefined : parseIndexes(values.faults),
  operations: values.operations === undefined ? undefined : parseIndexes(values.operations),
}
const isNarrowed = Object.values(narrowing).some((part) => part !== undefined)

/** How many events before the end are shown of a failure. */
const LAST = 80

if (values.trace || isNarrowed) await replay()
else await runMany()

function number(name: 'seed' | 'nodes' | 'events' | 'jobs'): number {
  const value = Number(values[name])
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw new RangeError(`--${name} ${values[name]}: not a number`)
}

async function replay(): Promise<void> {
  const options = { seed: number('seed'), nodes: number('nodes'), events: number('events') }
  const plan = narrow(drawPlan(options), narrowing)
  const outcome = await run(plan, values.trace ? console.log : undefined)
  console.log(`seed ${options.seed}: ${outcome.events} events, trace ${outcome.traceHash.toString(16)}`)
  if (outcome.failure) tellFailure(plan, narrowing, outcome.failure)
}

async function runMany(): Promise<void> {
  const jobs = Math.max(1, number('jobs'))
  const seeds = values.seeds === undefined ? (values.seconds ? Infinity : 20) : Number(values.seeds)
  const batches = Array.from({ length: jobs }, (_, job): Batch => ({
    seed: number('seed') + job,
    stride: jobs,
    seeds: Math.ceil((seeds - job) / jobs),
    seconds: Number(values.seconds ?? Infinity),
    nodes: number('nodes'),
    events: number('events'),
  }))
  const tally = createTally()
  for (const one of await Promise.all(batches.map(jobs === 1 ? runBatch : inThread))) addTally(tally, one)
  tellTally(tally)
  if (tally.failed !== undefined) await explain(drawPlan(tally.failed.options), tally.failed.failure)
  else for (const line of shortfalls(tally.counters, tally.events)) tooSeldom(line)
}

async function inThread(batch: Batch): Promise<Tally> {
  const worker = new Worker(new URL('worker.ts', import.meta.url), { workerData: batch })
  const [tally] = (await once(worker, 'message')) as [Tally]
  return tally
}

// --------------------------------------------------------------------------------------------------- reports

function tellTally(tally: Tally): void {
  const perSecond = Math.round(tally.events / (tally.cpuMs / 1000))
  console.log(
    `${tally.seeds} seeds, ${tally.events} events, ${perSecond} events/s per core, ` +
      `${(tally.simulatedMs / 1000).toFixed(0)} simulated seconds, ${tally.replayed} seeds run twice`,
  )
  const counts = Object.entries(tally.counters).map(([name, count]) => `${name} ${count}`)
  for (let at = 0; at < counts.length; at += 6) console.log(`  ${counts.slice(at, at + 6).join(', ')}`)
}

function tooSeldom(line: string): void {
  console.log(`too seldom: ${line}`)
  process.exitCode = 1
}

async function explain(plan: Plan, failure: Failure): Promise<void> {
  tellFailure(plan, {}, failure)
  if (values['no-shrink'] || failure.invariant === 'one seed is one run') return
  const shrunk = await shrink(plan, failure.invariant)
  const { seed, nodes, events } = plan.options
  console.log(
    `\nshrunk to ${shrunk.faults?.length} faults and ${shrunk.operations?.length} operations; replay with`,
  )
  console.log(
    `  npm run sim:node -- --seed ${seed} --nodes ${nodes} --events ${events} ${narrowingWords(shrunk)} --trace`,
  )
  for (const line of await lastEvents(narrow(plan, shrunk))) console.log(line)
}

function tellFailure(plan: Plan, kept: Narrowing, failure: Failure): void {
  process.exitCode = 1
  const { seed, nodes, events } = plan.options
  console.log(
    `\nVIOLATED ${failure.invariant}\n  seed ${seed}, ${plan.profile.nodes} nodes (--nodes ${nodes}), ` +
      `--events ${events} ${narrowingWords(kept)}, event ${failure.atEvent}, ${failure.atMs.toFixed(2)} ms\n`,
  )
  console.log(failure.message)
}

async function lastEvents(plan: Plan): Promise<readonly string[]> {
  const lines: string[] = []
  await run(plan, (line) => {
    lines.push(line)
    if (lines.length > 4 * LAST) lines.splice(0, 3 * LAST)
  })
  return lines.slice(-LAST)
}
