/**
 * How a figure comes about. A case is measured in slices of a fixed number of calls, made by a fixed number
 * of callers, each of which makes the next call when its last one is answered. Cases that are held against
 * each other take turns in one process: a round of all of them, then the next, each round beginning with
 * another one. So what the machine does meanwhile meets them alike, and a ratio is taken within a round.
 *
 * Every answer is checked by the case itself: one that is wrong, or a call that fails, fails the benchmark.
 */
import { build } from 'hdr-histogram-js'
import { Bench } from 'tinybench'

/** Where a caller gets its next call from. */
export interface Work {
  /** The number of the next call, counted over all callers of the slice; -1 when there are no more. */
  next(): number
}

export interface Case {
  /** Unique in a run: what is done, and under which conditions. */
  readonly id: string
  readonly callers: number
  /** Operations that one call makes; default 1. A batch of 500 makes 500. */
  readonly perCall?: number | undefined
  readonly conditions: Conditions
  /** Not measured: makes ready for a slice of so many calls. */
  prepare?(calls: number): Promise<void> | void
  /** One caller, until there is no more work. Throws when an answer is wrong. */
  caller(work: Work, caller: number): Promise<void> | void
}

export interface Conditions {
  /** What is on disk before the answer: `fsync`, `write` (no fsync), or `memory`. */
  readonly durable: 'fsync' | 'write' | 'memory'
  readonly valueBytes: number
  readonly consistency?: string | undefined
}

export interface Plan {
  readonly rounds: number
  /** How long one case is measured in one round. */
  readonly roundMs: number
}

export interface Spread {
  readonly median: number
  readonly low: number
  readonly high: number
}

export interface Measured {
  readonly id: string
  readonly callers: number
  readonly conditions: Conditions
  readonly operationsPerSecond: Spread
  /** One per round. */
  readonly rounds: readonly number[]
  readonly latency?: Latency | undefined
}

/** Milliseconds. */
export interface Latency {
  readonly p50: number
  readonly p99: number
  readonly p999: number
  readonly max: number
  /** Calls a second at which they were begun, whatever became of those before; absent: as fast as answered. */
  readonly rate?: number | undefined
}

/** Measures the cases in turns. A slice takes about a third of a round's time. */
export async function interleave(cases: readonly Case[], plan: Plan): Promise<Measured[]> {
  const calls = new Map<Case, number>()
  for (const each of cases) calls.set(each, await warmUp(each, plan.roundMs / 3))
  const rounds = new Map<Case, number[]>(cases.map((each) => [each, []]))
  for (let round = 0; round < plan.rounds; round++) {
    const bench = new Bench({ time: plan.roundMs, iterations: 1, warmup: false, throws: true })
    for (const each of rotated(cases, round)) {
      const count = calls.get(each)!
      const operations = count * (each.perCall ?? 1)
      bench.add(
        each.id,
        async () => {
          const ms = await slice(each, count)
          return { overriddenDuration: ms / operations, overriddenIterationCost: ms }
        },
        { beforeEach: () => each.prepare?.(count) },
      )
    }
    await bench.run()
    for (const each of cases) {
      const result = bench.getTask(each.id)!.result
      if (!('latency' in result)) throw new Error(`${each.id}: ${result.state}`)
      rounds.get(each)!.push(1000 / result.latency.mean)
    }
  }
  return cases.map((each) => {
    const figures = rounds.get(each)!
    const { id, callers, conditions } = each
    return { id, callers, conditions, operationsPerSecond: spread(figures), rounds: figures }
  })
}

/** Runs slices until one takes `wantedMs`, so that the code is hot; how many calls that are. */
async function warmUp(each: Case, wantedMs: number): Promise<number> {
  let calls = Math.max(64, each.callers * 4)
  for (;;) {
    await each.prepare?.(calls)
    const ms = await slice(each, calls)
    if (ms >= wantedMs / 2) return Math.max(each.callers, Math.ceil((calls * wantedMs) / ms))
    calls = Math.ceil(calls * Math.min(8, Math.max(1.5, wantedMs / Math.max(ms, 0.1))))
  }
}

async function slice(each: Case, calls: number): Promise<number> {
  let at = 0
  const work: Work = { next: () => (at < calls ? at++ : -1) }
  const from = performance.now()
  await together(each, () => work)
  return performance.now() - from
}

/** All callers at once; one that is synchronous is done when it returns. */
async function together(each: Case, workOf: () => Work): Promise<void> {
  const running: Promise<void>[] = []
  for (let caller = 0; caller < each.callers; caller++) {
    const done = each.caller(workOf(), caller)
    if (done !== undefined) running.push(done)
  }
  await Promise.all(running)
}

// ---------------------------------------------------------------------------------------------- latencies

/** From a caller's call to its answer, while all callers call as fast as they are answered. */
export async function latencies(each: Case, calls: number): Promise<Latency> {
  const histogram = newHistogram()
  let at = 0
  await each.prepare?.(calls)
  const callerWork = (): Work => {
    let begun = 0
    return {
      next() {
        const now = performance.now()
        if (begun !== 0) histogram.recordValue(micros(now - begun))
        begun = now
        return at < calls ? at++ : -1
      },
    }
  }
  await together(each, callerWork)
  return inMs(histogram)
}

/**
 * `rate` calls a second, begun when their time has come and not when others are answered; counted from the
 * moment at which a call should have begun, so that a standstill counts for all who met it (coordinated
 * omission).
 */
export async function latenciesAtRate(
  call: (i: number) => Promise<void>,
  rate: number,
  durationMs: number,
): Promise<Latency> {
  const histogram = newHistogram()
  const from = performance.now()
  const total = Math.floor((rate * durationMs) / 1000)
  let begun = 0
  let failure: unknown
  const pending = new Set<Promise<void>>()
  const begin = (i: number): void => {
    const dueMs = from + (i * 1000) / rate
    const done = call(i).then(
      () => {
        histogram.recordValue(micros(performance.now() - dueMs))
        pending.delete(done)
      },
      (error: unknown) => {
        failure ??= error
      },
    )
    pending.add(done)
  }
  while (begun < total && failure === undefined) {
    const due = Math.min(total, Math.floor(((performance.now() - from) * rate) / 1000) + 1)
    while (begun < due) begin(begun++)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await Promise.all(pending)
  if (failure !== undefined) throw failure
  return { ...inMs(histogram), rate }
}

const newHistogram = () =>
  build({ lowestDiscernibleValue: 1, highestTrackableValue: 60e6, numberOfSignificantValueDigits: 3 })

const micros = (ms: number): number => Math.max(1, Math.min(60e6, Math.round(ms * 1000)))

function inMs(histogram: ReturnType<typeof newHistogram>): Latency {
  const at = (percentile: number): number => histogram.getValueAtPercentile(percentile) / 1000
  return { p50: at(50), p99: at(99), p999: at(99.9), max: histogram.maxValue / 1000 }
}

// ---------------------------------------------------------------------------------------------- arithmetic

export function spread(figures: readonly number[]): Spread {
  const sorted = figures.toSorted((a, b) => a - b)
  return { median: median(sorted), low: sorted[0]!, high: sorted.at(-1)! }
}

function median(sorted: readonly number[]): number {
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

const rotated = <T>(items: readonly T[], by: number): T[] => {
  const at = by % items.length
  return [...items.slice(at), ...items.slice(0, at)]
}

/** For answers: says which call was answered wrongly, and how. */
export function expect(holds: boolean, what: string, found: unknown): asserts holds {
  if (!holds) throw new Error(`${what}: wrong answer ${JSON.stringify(found)}`)
}
