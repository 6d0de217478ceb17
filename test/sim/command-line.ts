/**
 * What may follow the name of a simulator is in `USAGE`. It runs seeds of it, prints what they met, and exits 1 when an
 * invariant broke: then with the seed, the last events, and the smallest plan that still fails, as a command.
 */
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { addTally, type Batch, createTally, runBatch, type Tally } from './batch.ts'
import { narrow, type Narrowing, narrowingWords, parseIndexes } from './narrow.ts'
import { shrink } from './shrink.ts'
import {
  type AnyPlan,
  type Counts,
  type Failure,
  type PlanOptions,
  shortfalls,
  type Simulator,
} from './simulator.ts'

/** How many events before the end are shown of a failure. */
const LAST = 60

const USAGE = `
  --seeds N         how many; 100 when --seconds does not say how long
  --seconds T       as many as end in so long
  --seed S          the first; 1
  --nodes N         in each; 0 draws them
  --events N        of each seed, at most; 5000
  --jobs N          at once; 1
  --directed NAME   towards one kind of trouble
  --trace           one seed, and all its events
  --no-shrink       the failure as it is, not the smallest plan that still fails
  --faults, --operations, --calm    narrow a plan, as the command of a failure says
`

/** Exit code 2: what was asked for cannot be. */
export async function commandLine<P extends AnyPlan, N extends Counts>(
  simulator: Simulator<P, N>,
): Promise<void> {
  let line: CommandLine<P, N>
  try {
    line = new CommandLine(simulator)
  } catch (error) {
    console.error((error as Error).message)
    process.exitCode = 2
    return
  }
  if (line.wantsHelp) return console.log(`${simulator.command} --${USAGE}`)
  await line.run()
}

class CommandLine<P extends AnyPlan, N extends Counts> {
  readonly #simulator: Simulator<P, N>
  readonly #values = parse()
  readonly #seed = this.#number('seed')
  readonly #nodes = this.#number('nodes')
  readonly #events = this.#number('events')
  readonly #jobs = Math.max(1, this.#number('jobs'))
  readonly #seeds = this.#values.seeds === undefined ? undefined : this.#number('seeds')
  readonly #seconds = this.#values.seconds === undefined ? undefined : this.#number('seconds')

  constructor(simulator: Simulator<P, N>) {
    this.#simulator = simulator
    const { directed } = this.#values
    if (directed === undefined || simulator.directions.includes(directed)) return
    throw new RangeError(
      `--directed ${directed}: expected one of ${simulator.directions.join(', ') || 'none'}`,
    )
  }

  get wantsHelp(): boolean {
    return this.#values.help
  }

  run(): Promise<void> {
    const isNarrowed = Object.values(this.#narrowing).some((part) => part !== undefined)
    return this.#values.trace || isNarrowed ? this.#replay() : this.#runMany()
  }

  get #narrowing(): Narrowing {
    const { faults, operations, calm } = this.#values
    return {
      faults: faults === undefined ? undefined : parseIndexes(faults),
      operations: operations === undefined ? undefined : parseIndexes(operations),
      calm: calm?.split(','),
    }
  }

  #number(name: 'seed' | 'nodes' | 'events' | 'jobs' | 'seeds' | 'seconds'): number {
    const value = Number(this.#values[name])
    if (Number.isSafeInteger(value) && value >= 0) return value
    throw new RangeError(`--${name}: found ${this.#values[name]}, expected an integer from 0`)
  }

  // ---------------------------------------------------------------------------------------------- the runs

  async #replay(): Promise<void> {
    const { drawPlan, run } = this.#simulator
    const { directed, trace } = this.#values
    const options = {
      seed: this.#seed,
      nodes: this.#nodes,
      events: this.#events,
      directed,
    }
    const plan = narrow(this.#simulator, drawPlan(options), this.#narrowing)
    const outcome = await run(plan, trace ? console.log : undefined)
    console.log(`seed ${options.seed}: ${outcome.events} events, trace ${outcome.traceHash.toString(16)}`)
    if (outcome.failure) await this.#fail(plan, this.#narrowing, outcome.failure)
  }

  async #runMany(): Promise<void> {
    const { createCounters, expected } = this.#simulator
    const { directed } = this.#values
    const jobs = this.#jobs
    const seeds = this.#seeds ?? (this.#seconds === undefined ? 100 : Infinity)
    const batches = Array.from({ length: jobs }, (_, job): Batch => ({
      seed: this.#seed + job,
      stride: jobs,
      seeds: Math.ceil((seeds - job) / jobs),
      seconds: this.#seconds ?? Infinity,
      nodes: this.#nodes,
      events: this.#events,
      directed,
    }))
    const tally = createTally(createCounters())
    const tallies = batches.map((batch) =>
      jobs === 1 ? runBatch(this.#simulator, batch) : this.#inThread(batch),
    )
    for (const one of await Promise.all(tallies)) addTally(tally, one)
    report(tally)
    if (tally.failed) return this.#explain(tally.failed.options, tally.failed.failure)
    if (directed !== undefined) return
    for (const line of shortfalls(expected, tally.counters, tally.events)) {
      console.log(`too seldom: ${line}`)
      process.exitCode = 1
    }
  }

  async #inThread(batch: Batch): Promise<Tally<N>> {
    const { module } = this.#simulator
    const worker = new Worker(new URL('worker.ts', import.meta.url), { workerData: { module, batch } })
    const [tally] = (await once(worker, 'message')) as [Tally<N>]
    return tally
  }

  // ------------------------------------------------------------------------------------------------ reports

  async #explain(options: PlanOptions, failure: Failure): Promise<void> {
    const { drawPlan, command } = this.#simulator
    const plan = drawPlan(options)
    await this.#fail(plan, {}, failure)
    if (this.#values['no-shrink'] || failure.invariant === 'one seed is one run') return
    const { runs, narrowing } = await shrink(this.#simulator, plan, failure.invariant)
    const { seed, nodes, events } = options
    console.log(
      `\nshrunk in ${runs} runs to ${narrowing.faults?.length} of ${plan.faults.length} faults and ` +
        `${narrowing.operations?.length} of ${plan.operations.length} operations; replay with`,
    )
    console.log(
      `  ${command} -- --seed ${seed} --nodes ${nodes} --events ${events} ${this.#direction}${narrowingWords(narrowing)} --trace`,
    )
  }

  get #direction(): string {
    const { directed } = this.#values
    return directed === undefined ? '' : `--directed ${directed} `
  }

  async #fail(plan: P, kept: Narrowing, failure: Failure): Promise<void> {
    process.exitCode = 1
    const { seed, nodes, events } = plan.options
    console.log(
      `\nVIOLATED ${failure.invariant}\n  seed ${seed}, ${plan.profile.nodes} nodes (--nodes ${nodes}), ` +
        `--events ${events} ${this.#direction}${narrowingWords(kept)}, event ${failure.atEvent}, ${failure.atMs.toFixed(2)} ms\n`,
    )
    console.log(failure.message)
    if (this.#values.trace) return
    console.log('\nthe last events:')
    for (const line of await this.#lastEvents(plan)) console.log(line)
  }

  async #lastEvents(plan: P): Promise<readonly string[]> {
    const lines: string[] = []
    await this.#simulator.run(plan, (line) => {
      lines.push(line)
      if (lines.length > 4 * LAST) lines.splice(0, 3 * LAST)
    })
    return lines.slice(-LAST)
  }
}

function parse() {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string' },
      seed: { type: 'string', default: '1' },
      seconds: { type: 'string' },
      nodes: { type: 'string', default: '0' },
      events: { type: 'string', default: '5000' },
      jobs: { type: 'string', default: '1' },
      trace: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      faults: { type: 'string' },
      operations: { type: 'string' },
      calm: { type: 'string' },
      directed: { type: 'string' },
      'no-shrink': { type: 'boolean', default: false },
    },
  })
  return values
}

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
