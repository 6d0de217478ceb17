/**
 * Whether a run counts: a cluster that was dead, or faults that met nothing, prove nothing. What is asked for is
 * less of a run of less than two minutes.
 */
import type { Operation } from './history.ts'
import type { Tally } from './schedule.ts'

export interface Facts {
  readonly operations: readonly Operation[]
  /** When the first fault began, and when the clients did. */
  readonly firstFaultMs: number
  readonly beganMs: number
  readonly endedMs: number
  /** Terms in which somebody led. */
  readonly leaderships: number
  readonly tallies: ReadonlyMap<string, Tally>
}

export interface Measure {
  readonly name: string
  readonly value: number
  readonly least?: number
  readonly most?: number
}

export function measuresOf(facts: Facts): Measure[] {
  const { operations, firstFaultMs, beganMs, endedMs, leaderships, tallies } = facts
  const isShort = endedMs - beganMs < 120_000
  const ok = operations.filter(({ outcome }) => outcome === 'ok')
  const share = (part: number, whole: number): number => (whole === 0 ? 0 : round(part / whole))
  const calmMs = firstFaultMs - beganMs
  const calm = ok.filter(({ endMs }) => endMs < firstFaultMs).length
  const unknown = operations.filter(({ outcome }) => outcome === 'unknown').length
  const begun = [...tallies.values()].filter((tally) => tally.begun > 0)
  const idle = begun.filter((tally) => tally.begun > 1 && tally.bitten === 0).length
  const all = begun.reduce((sum, tally) => sum + tally.begun, 0)
  const bitten = begun.reduce((sum, tally) => sum + tally.bitten, 0)
  return [
    {
      name: 'acknowledged a second before the first fault',
      value: round(calm / (calmMs / 1000)),
      least: isShort ? 30 : 100,
    },
    {
      name: 'share of operations that were acknowledged',
      value: share(ok.length, operations.length),
      least: 0.6,
    },
    { name: 'share of operations of unknown outcome', value: share(unknown, operations.length), most: 0.15 },
    { name: 'changes of leadership', value: leaderships - 1, least: isShort ? 1 : 5 },
    { name: 'share of reads that saw the work of others', value: seenOfOthers(ok), least: 0.3 },
    { name: 'share of faults that had an effect', value: share(bitten, all), least: 0.75 },
    { name: 'kinds of fault tried more than once, and never with an effect', value: idle, most: 0 },
  ]
}

export const isBitten = (measures: readonly Measure[]): boolean =>
  measures.every(({ value, least = -Infinity, most = Infinity }) => value >= least && value <= most)

/** A value's tag begins with who has written it. */
function seenOfOthers(ok: readonly Operation[]): number {
  let reads = 0
  let others = 0
  for (const { client, answer } of ok) {
    if (answer?.kind !== 'get' || answer.seen === null) continue
    reads++
    const { value } = answer.seen
    if (typeof value === 'number' || !value.startsWith(`${client}.`)) others++
  }
  return reads === 0 ? 0 : round(others / reads)
}

const round = (value: number): number => Math.round(value * 1000) / 1000
