/**
 * What a simulator is to whoever runs its seeds: the core's alone (core.ts) and that of whole nodes (../sim-node).
 * A seed gives a plan, a plan a run, and a run the same record each time.
 */

export interface PlanOptions {
  readonly seed: number
  /** Members at the founding; 0 draws it from the seed. */
  readonly nodes: number
  /** How many events the phase with faults may take. */
  readonly events: number
  /** Instead of the faults that the seed draws, one coincidence again and again. */
  readonly directed?: string | undefined
}

export interface AnyPlan {
  readonly options: PlanOptions
  readonly profile: { readonly nodes: number }
  readonly faults: readonly unknown[]
  readonly operations: readonly unknown[]
}

/** What happened in a run, counted, by name. */
export type Counts = Record<string, number>

export interface Failure {
  readonly invariant: string
  readonly message: string
  readonly atEvent: number
  readonly atMs: number
}

export interface Outcome<N extends Counts = Counts> {
  readonly seed: number
  /** Events in all phases. */
  readonly events: number
  /** True milliseconds that passed in the simulated world. */
  readonly simulatedMs: number
  readonly traceHash: number
  readonly counters: N
  readonly failure?: Failure | undefined
}

export interface Simulator<P extends AnyPlan, N extends Counts = Counts> {
  /** What runs it from a command line: `npm run sim`. */
  readonly command: string
  /** The module that exports it as `simulator`, for other threads. */
  readonly module: string
  readonly directions: readonly string[]
  /** What each rate of a profile is when nothing is wrong. */
  readonly calm: Partial<P['profile']>
  /** Least counts in `perEvents` events, all of them a quarter or less of what such a run reaches. */
  readonly expected: { readonly perEvents: number; readonly counts: Partial<N> }
  createCounters(): N
  drawPlan(options: PlanOptions): P
  run(plan: P, trace?: (line: string) => void): Outcome<N> | Promise<Outcome<N>>
}

export function addCounts<N extends Counts>(sum: N, more: N): void {
  for (const name of Object.keys(sum) as (keyof N)[]) sum[name] = (sum[name]! + more[name]!) as N[keyof N]
}

/** Which counters a run of so many events has left below what it must reach; short runs owe nothing. */
export function shortfalls(
  { perEvents, counts }: Simulator<AnyPlan>['expected'],
  found: Counts,
  events: number,
): string[] {
  const scale = events / perEvents
  if (scale < 1) return []
  return Object.entries(counts).flatMap(([name, least = 0]) =>
    found[name]! < least * scale
      ? [`${name}: ${found[name]}, expected at least ${Math.ceil(least * scale)}`]
      : [],
  )
}
