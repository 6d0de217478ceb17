/** Many seeds, one after another: runs each, runs one in a hundred twice, and adds up what happened. */
import { mix } from './hash.ts'
import {
  addCounts,
  type AnyPlan,
  type Counts,
  type Failure,
  type Outcome,
  type PlanOptions,
  type Simulator,
} from './simulator.ts'

export interface Batch {
  /** The first seed, and the distance to the next. */
  readonly seed: number
  readonly stride: number
  readonly seeds: number
  /** Stops after this long; Infinity never. */
  readonly seconds: number
  readonly nodes: number
  readonly events: number
  readonly directed?: string | undefined
}

export interface Tally<N extends Counts = Counts> {
  seeds: number
  events: number
  simulatedMs: number
  /** Milliseconds of processor time, which another program on the machine does not stretch. */
  cpuMs: number
  replayed: number
  readonly counters: N
  failed?: { readonly options: PlanOptions; readonly failure: Failure } | undefined
}

export function createTally<N extends Counts>(counters: N): Tally<N> {
  return { seeds: 0, events: 0, simulatedMs: 0, cpuMs: 0, replayed: 0, counters }
}

/** Of this thread; of the whole process on a Node.js that cannot tell. */
const cpuUsage: typeof process.cpuUsage = process.threadCpuUsage ?? process.cpuUsage

/** Stops at the first failure. */
export async function runBatch<P extends AnyPlan, N extends Counts>(
  simulator: Simulator<P, N>,
  batch: Batch,
): Promise<Tally<N>> {
  const tally = createTally(simulator.createCounters())
  const began = performance.now()
  const cpuBegan = cpuUsage()
  for (let i = 0; i < batch.seeds && performance.now() - began < batch.seconds * 1000; i++) {
    const { nodes, events, directed } = batch
    const options = { seed: batch.seed + i * batch.stride, nodes, events, directed }
    const outcome = await runChecked(simulator, options, tally)
    tally.seeds++
    tally.events += outcome.events
    tally.simulatedMs += outcome.simulatedMs
    addCounts(tally.counters, outcome.counters)
    if (outcome.failure) {
      tally.failed = { options, failure: outcome.failure }
      break
    }
  }
  const { user, system } = cpuUsage(cpuBegan)
  tally.cpuMs = (user + system) / 1000
  return tally
}

/** One seed in a hundred runs twice: the second run must leave the same trace. */
async function runChecked<P extends AnyPlan, N extends Counts>(
  { drawPlan, run }: Simulator<P, N>,
  options: PlanOptions,
  tally: Tally<N>,
): Promise<Outcome<N>> {
  const outcome = await run(drawPlan(options))
  if (mix(7, options.seed) % 100 !== 0) return outcome
  const again = await run(drawPlan(options))
  tally.replayed++
  tally.events += again.events
  if (again.traceHash === outcome.traceHash) return outcome
  const message = `trace ${outcome.traceHash} and ${again.traceHash} from seed ${options.seed}`
  return { ...outcome, failure: { invariant: 'one seed is one run', message, atEvent: 0, atMs: 0 } }
}

export function addTally<N extends Counts>(sum: Tally<N>, more: Tally<N>): void {
  sum.seeds += more.seeds
  sum.events += more.events
  sum.simulatedMs += more.simulatedMs
  sum.cpuMs += more.cpuMs
  sum.replayed += more.replayed
  addCounts(sum.counters, more.counters)
  if (more.failed && (!sum.failed || more.failed.options.seed < sum.failed.options.seed)) {
    sum.failed = more.failed
  }
}
