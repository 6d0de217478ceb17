/**
 * A plan made smaller: which faults and operations are left, and which rates are back to calm.
 *
 * Written as words of the command line, so that a shrunk failure is one line to replay: `--faults 3,7-9`.
 */
import type { Plan, Profile } from './plan.ts'

export interface Narrowing {
  /** Indexes into the drawn plan; undefined keeps all. */
  readonly faults?: readonly number[] | undefined
  readonly operations?: readonly number[] | undefined
  /** Fields of the profile that are set to their calm value. */
  readonly calm?: readonly string[] | undefined
}

/** What each rate is when nothing is wrong. */
const calmValues: Partial<Profile> = {
  lossRate: 0,
  duplicateRate: 0,
  delayMs: 1,
  tailRate: 0,
  ordered: true,
  drift: 0,
  diskMs: 1,
  diskTailRate: 0,
  timerLateMs: 0,
  turnMs: 0,
  snapshotEvery: 0,
  chunkBytes: 65_536,
  payloadBytes: 8,
  maxMessageBytes: 65_536,
  inflightBytes: 1 << 20,
  maxReadyBytes: 1 << 20,
  frozen: false,
  hints: false,
}

export const calmable: readonly string[] = Object.keys(calmValues)

export function narrow(plan: Plan, { faults, operations, calm }: Narrowing): Plan {
  const quiet = Object.fromEntries(
    Object.entries(calmValues).filter(([field]) => calm?.includes(field) ?? false),
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
