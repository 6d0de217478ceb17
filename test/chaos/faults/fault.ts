/** What a fault is: something that begins and ends, and says afterwards whether it had an effect. */
import type { Stream } from '../../../core/testing/prng.ts'
import type { Fleet } from '../fleet.ts'

/** Ends the fault. Resolves with whether it has bitten. */
export type End = () => Promise<boolean>

export interface Fault {
  readonly name: string
  /** Faults of different kinds may be under way at once. */
  readonly kind: 'process' | 'network' | 'disk' | 'cluster'
  /** How long it lasts, in ms; each order of magnitude as likely as the next. */
  readonly lastsMs: readonly [number, number]
  /** What is missing on this machine, or in this cluster, to do it. */
  cannot?(fleet: Fleet): string | undefined
  begin(fleet: Fleet, random: Stream): Promise<End>
}

/** The leader, half of the time, where there is one. */
export function victim(fleet: Fleet, random: Stream): string {
  const { leader } = fleet
  if (leader !== undefined && fleet.founders.includes(leader) && random.chance(0.5)) return leader
  return random.pick(fleet.founders)
}

export function shuffled<T>(items: readonly T[], random: Stream): T[] {
  const result = [...items]
  for (let at = result.length - 1; at > 0; at--) {
    const other = random.below(at + 1)
    ;[result[at], result[other]] = [result[other]!, result[at]!]
  }
  return result
}
