/**
 * Ratios: the only figures that are compared between runs, between machines and with targets. One is made of
 * two cases that took turns: the ratio of their medians, and as its spread the lowest and highest ratio
 * within a round.
 */
import type { Measured } from './measure.ts'

export interface Ratio {
  readonly id: string
  readonly of: string
  readonly against: string
  readonly ratio: number
  readonly low: number
  readonly high: number
  /** True when a smaller ratio is better: times and bytes. */
  readonly lowerIsBetter?: boolean | undefined
}

export interface Comparison {
  readonly id: string
  /** Ids of cases. */
  readonly of: string
  readonly against: string
  /** The figure to beat is this part of what `against` reaches: of a peer that cannot run here. */
  readonly times?: number | undefined
  /** The name of that peer. */
  readonly as?: string | undefined
}

export function compare(measured: readonly Measured[], comparisons: readonly Comparison[]): Ratio[] {
  const byId = new Map(measured.map((each) => [each.id, each]))
  return comparisons.flatMap(({ id, of, against, times = 1, as }) => {
    const ours = byId.get(of)
    const theirs = byId.get(against)
    if (ours === undefined || theirs === undefined) return []
    const perRound = ours.rounds.map((figure, round) => figure / (theirs.rounds[round]! * times))
    const ratio = ours.operationsPerSecond.median / (theirs.operationsPerSecond.median * times)
    const name = as === undefined ? against : `${as} (taken as ${times} of: ${against})`
    return [{ id, of, against: name, ratio, low: Math.min(...perRound), high: Math.max(...perRound) }]
  })
}
