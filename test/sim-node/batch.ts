/** Many seeds, one after another: runs each, runs one in a hundred twice, and adds up what happened. */
import { addCounters, type Counters, createCounters } from './counters.ts'
import { drawPlan, type Options } from './plan.ts'
import { type Failure, type Outcome, run } from './run.ts'

export interface Batch {
  /** The first seed, and the distance to the next. */
  readonly seed: number
  readonly stride: number
  readonly seeds: number
  /** Stops after this long; Infinity never. */
  readonly seconds: number
  readonly nodes: number
  readonly events: number
}

export interface Tally {
  seeds: number
  events: number
  simulatedMs: number
  /** Milliseconds of processor time, which another program on the machine does not stretch. */
  cpuMs: number
  replayed: number
  readonly counters: Counters
  failed?: { readonly options: Options; readonly failure: Failure } | undefined
}

export const createTally = (): Tally => ({
  seeds: 0,
  events: 0,
  simulatedMs: 0,
  cpuMs: 0,
  replayed: 0,
  counters: createCounters(),
})

/** Of this thread; of the whole process on a Node.js that cannot tell. */
const cpuUsage: typeof process.cpuUsage = process.threadCpuUsage ?? process.cpuUsage

/** Stops at the first failure. */
export async function runBatch(batch: Batch): Promise<Tally> {
  const tally = createTally()
  const began = performance.now()
  const cpuBegan = cpuUsage()
  for (let i = 0; i < batch.seeds && performance.now() - began < batch.seconds * 1000; i++) {
    const { nodes, events } = batch
    const options = { seed: batch.seed + i * batch.stride, nodes, events }
    const outcome = await runChecked(options, tally)
    tally.seeds++
    tally.events += outcome.events
    tally.simulatedMs += outcome.simulatedMs
    addCounters(tally.counters, outcome.counters)
    if (outcome.failure === undefined) continue
    tally.failed = { options, failure: outcome.failure }
    break
  }
  const { user, system } = cpuUsage(cpuBegan)
  tally.cpuMs = (user + system) / 1000
  return tally
}

/** One seed is one run: of every hundredth, both traces have to be the same. */
async function runChecked(options: Options, tally: Tally): Promise<Outcome> {
  const outcome = await run(drawPlan(options))
  if (options.seed % 100 !== 0 || outcome.failure !== undefined) return outcome
  tally.replayed++
  const again = await run(drawPlan(options))
  if (again.traceHash === outcome.traceHash) return outcome
  const message = `${outcome.traceHash.toString(16)}, then ${again.traceHash.toString(16)}`
  const at = { atEvent: outcome.events, atMs: outcome.simulatedMs }
  return { ...outcome, failure: { invariant: 'one seed is one run', message, ...at } }
}

export function addTally(sum: Tally, more: Tally): void {
  sum.seeds += more.seeds
  sum.events += more.events
  sum.simulatedMs += more.simulatedMs
  sum.cpuMs += more.cpuMs
  sum.replayed += more.replayed
  addCounters(sum.counters, more.counters)
  sum.failed ??= more.failed
}
