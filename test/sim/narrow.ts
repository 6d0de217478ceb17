/**
 * A plan made smaller: which faults and operations are left, and which rates are back to calm.
 *
 * Written as words of the command line, so that a shrunk failure is one line to replay: `--faults 3,7-9`.
 */
import type { AnyPlan, Simulator } from './simulator.ts'

export interface Narrowing {
  /** Indexes into the drawn plan; undefined keeps all. */
  readonly faults?: readonly number[] | undefined
  readonly operations?: readonly number[] | undefined
  /** Fields of the profile that are set to their calm value. */
  readonly calm?: readonly string[] | undefined
}

export function narrow<P extends AnyPlan>(
  { calm: calmest }: Pick<Simulator<P>, 'calm'>,
  plan: P,
  { faults, operations, calm }: Narrowing,
): P {
  const quiet = Object.fromEntries(
    Object.entries(calmest).filter(([field]) => calm?.includes(field) ?? false),
  )
  return {
    ...plan,
    profile: { ...plan.profile, ...quiet },
    faults: faults ? faults.map((i) => plan.faults[i]!) : plan.faults,
    operations: operations ? operations.map((i) => plan.operations[i]!) : plan.operations,
  }
}

export function narrowingWords(narrowing: Narrowing): string {
  const words: string[] = []
  if (narrowing.faults) words.push('--faults', formatIndexes(narrowing.faults))
  if (narrowing.operations) words.push('--operations', formatIndexes(narrowing.operations))
  if (narrowing.calm && narrowing.calm.length > 0) words.push('--calm', narrowing.calm.join(','))
  return words.join(' ')
}

/** `0,3-5`; `none` for the empty list. */
export function formatIndexes(indexes: readonly number[]): string {
  const ranges: [number, number][] = []
  for (const index of indexes) {
    const last = ranges.at(-1)
    if (last && last[1] + 1 === index) last[1] = index
    else ranges.push([index, index])
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',') || 'none'
}

export function parseIndexes(text: string): readonly number[] {
  if (text === 'none') return []
  return text.split(',').flatMap((part) => {
    const [from, to = from] = part.split('-').map(Number) as [number, number?]
    return Array.from({ length: to - from + 1 }, (_, i) => from + i)
  })
}
