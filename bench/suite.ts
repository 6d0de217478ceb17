/** What a suite is, and what it hands back. */
import type { Latency, Measured, Plan } from './measure.ts'
import type { Ratio } from './ratios.ts'

export interface Settings {
  /** Only whether it works: the figures mean nothing. */
  readonly quick: boolean
  /** The whole matrix. */
  readonly full: boolean
  readonly plan: Plan
}

export interface SuiteResult {
  readonly measured: readonly Measured[]
  readonly ratios: readonly Ratio[]
  readonly latencies?: Readonly<Record<string, Latency>> | undefined
  /** Figures that are no operations a second, each with its unit in its name. */
  readonly facts?: Readonly<Record<string, number>> | undefined
}

export type Suite = (settings: Settings, say: (line: string) => void) => Promise<SuiteResult>

export function merge(results: readonly SuiteResult[]): SuiteResult {
  return {
    measured: results.flatMap(({ measured }) => measured),
    ratios: results.flatMap(({ ratios }) => ratios),
    latencies: Object.assign({}, ...results.map(({ latencies }) => latencies)) as Record<string, Latency>,
    facts: Object.assign({}, ...results.map(({ facts }) => facts)) as Record<string, number>,
  }
}
