/**
 * `npm run sim -- --seeds N --seed S [--seconds T] [--nodes 3] [--events 5000] [--jobs 2] [--trace]
 * [--directed late-answers]`
 *
 * Runs seeds of the simulator, prints what they met, and exits 1 when an invariant broke: then with the seed, the
 * last events, and the smallest plan that still fails, as a command. `--faults`, `--operations` and `--calm`
 * narrow a plan to what such a command says.
 */
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { addTally, type Batch, createTally, runBatch, type Tally } from './batch.ts'
import { shortfalls } from './counters.ts'
import { type Direction, isDirection } from './directed.ts'
import { narrow, type Narrowing, narrowingWords, parseIndexes } from './narrow.ts'
import { drawPlan, type Options, type Plan } from './plan.ts'
import { type Failure, run } from './run.ts'
import { shrink } from './shrink.ts'

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
    calm: { type: 'string' },
    directed: { type: 'string' },
    'no-shrink': { type: 'boolean', default: false },
  },
})

const narrowing: Narrowing = {
  faults: values.faults === undefined ? undefined : parseIndexes(values.faults),
  operations: values.operations === undefined ? undefined : parseIndexes(values.operations),
  calm: values.calm?.split(','),
}
const isNarrowed = Object.values(narrowing).some((part) => part !== undefined)

const directed = directionOf(values.directed)

if (values.trace || isNarrowed) replay()
else await runMany()

// ------------------------------------------------------------------------------------------------ one seed

function replay(): void {
  const options = { seed: number('seed'), nodes: number('nodes'), events: number('events'), directed }
  const plan = narrow(drawPlan(options), narrowing)
  const outcome = run(plan, values.trace ? console.log : undefined)
  console.log(`seed ${options.seed}: ${outcome.events} events, trace ${outcome.traceHash.toString(16)}`)
  if (outcome.failure) fail(plan, narrowing, outcome.failure)
}

function directionOf(word: string | undefined): Direction | undefined {
  if (word === undefined || isDirection(word)) return word
  throw new RangeError(`--directed ${word}: no such direction (directed.ts)`)
}

function number(name: 'seed' | 'nodes' | 'events' | 'jobs'): number {
  const value = Number(values[name])
  if (!Number.isSafeInteger(value) || value < 0)
    throw new RangeError(`--${name} ${values[name]}: not a number`)
  return value
}

// ----------------------------------------------------------------------------------------------- many seeds

async function runMany(): Promise<void> {
  const jobs = Math.max(1, number('jobs'))
  const seeds = values.seeds === undefined ? (values.seconds ? Infinity : 100) : Number(values.seeds)
  const batches = Array.from({ length: jobs }, (_, job): Batch => ({
    seed: number('seed') + job,
    stride: jobs,
    seeds: Math.ceil((seeds - job) / jobs),
    seconds: Number(values.seconds ?? Infinity),
    nodes: number('nodes'),
    events: number('events'),
    directed,
  }))
  const tally = createTally()
  const tallies = jobs === 1 ? batches.map(runBatch) : await Promise.all(batches.map(inThread))
  for (const one of tallies) addTally(tally, one)
  report(tally)
  if (tally.failed) {
    const { options, failure } = tally.failed
    await reportFailure(drawPlan(options), options, failure)
    return
  }
  if (directed !== undefined) return
  for (const line of shortfalls(tally.counters, tally.events)) {
    console.log(`too seldom: ${line}`)
    process.exitCode = 1
  }
}

async function inThread(batch: Batch): Promise<Tally> {
  const worker = new Worker(new URL('worker.ts', import.meta.url), { workerData: batch })
  const [tally] = (await once(worker, 'message')) as [Tally]
  return tally
}

// --------------------------------------------------------------------------------------------------- reports

function report(tally: Tally): void {
  const perSecond = Math.round(tally.events / (tally.cpuMs / 1000))
  console.log(
    `${tally.seeds} seeds, ${tally.events} events, ${perSecond} events/s per core, ` +
      `${(tally.simulatedMs / 1000).toFixed(0)} simulated seconds, ${tally.replayed} seeds run twice`,
  )
  const counts = Object.entries(tally.counters).map(([name, count]) => `${name} ${count}`)
  console.log(wrap(counts, 110))
}

function wrap(words: readonly string[], width: number): string {
  let line = ''
  const lines: string[] = []
  for (const word of words) {
    if (line.length + word.length + 4 > width) {
      lines.push(line)
      line = ''
    }
    line += line === '' ? `  ${word}` : `, ${word}`
  }
  return [...lines, line].join('\n')
}

async function reportFailure(plan: Plan, options: Options, failure: Failure): Promise<void> {
  fail(plan, {}, failure)
  if (values['no-shrink'] || failure.invariant === 'one seed is one run') return
  const shrunk = await shrink(plan, failure.invariant)
  const words = narrowingWords(shrunk.narrowing)
  console.log(
    `\nshrunk in ${shrunk.runs} runs to ${shrunk.narrowing.faults?.length} of ${plan.faults.length} faults and ` +
      `${shrunk.narrowing.operations?.length} of ${plan.operations.length} operations; replay with`,
  )
  console.log(
    `  npm run sim -- --seed ${options.seed} --nodes ${options.nodes} --events ${options.events} ${words} --trace`,
  )
}

function fail(plan: Plan, kept: Narrowing, failure: Failure): void {
  process.exitCode = 1
  const { seed, nodes, events } = plan.options
  const direction = directed === undefined ? '' : `--directed ${directed} `
  console.log(
    `\nVIOLATED ${failure.invariant}\n  seed ${seed}, ${plan.profile.nodes} nodes (--nodes ${nodes}), ` +
      `--events ${events} ${direction}${narrowingWords(kept)}, event ${failure.atEvent}, ${failure.atMs.toFixed(2)} ms\n`,
  )
  console.log(failure.message)
  if (values.trace) return
  console.log('\nthe last events:')
  for (const line of lastEvents(plan, 60)) console.log(line)
}

function lastEvents(plan: Plan, count: number): readonly string[] {
  const lines: string[] = []
  run(plan, (line) => {
    lines.push(line)
    if (lines.length > 4 * count) lines.splice(0, 3 * count)
  })
  return lines.slice(-count)
}
