/**
 * One fault after another, and now and then a second of another kind beside it; between them the cluster has a
 * moment of peace. Counts what was done and what of it had an effect.
 */
import type { Stream } from '../../core/testing/prng.ts'
import { type Fleet, pause } from './fleet.ts'
import type { End, Fault } from './faults/fault.ts'
import { deck } from './faults/faults.ts'

export interface Tally {
  begun: number
  bitten: number
}

export interface Schedule {
  readonly faults: readonly Fault[]
  readonly random: Stream
  /** No fault begins after this, by the monotonic clock. */
  readonly untilMs: number
  readonly tell: (line: string) => void
}

const SECOND_CHANCE = 0.25
/** No fault takes more than this part of the run. */
const SHARE = 1 / 8

export async function runFaults(fleet: Fleet, schedule: Schedule): Promise<ReadonlyMap<string, Tally>> {
  const { random, untilMs } = schedule
  const longestMs = (untilMs - performance.now()) * SHARE
  const short = schedule.faults.filter(({ lastsMs: [least] }) => least < longestMs)
  const faults = short.length > 0 ? short : schedule.faults
  const tallies = new Map(faults.map(({ name }): [string, Tally] => [name, { begun: 0, bitten: 0 }]))
  const drawn = deck(faults, random)
  while (performance.now() < untilMs) {
    const first = drawn.next().value
    const running = [await begun(fleet, schedule, first, tallies)]
    const second = random.pick(faults)
    if (random.chance(SECOND_CHANCE) && mayMeet(first, second)) {
      running.push(await begun(fleet, schedule, second, tallies))
    }
    const [least, most] = first.lastsMs
    await pause(random.scaled(least, Math.max(least, Math.min(most, longestMs))))
    for (const end of running) await end()
    await pause(random.scaled(200, 1500))
  }
  return tallies
}

/** A change of the members beside a lost node may leave too few. */
const mayMeet = (a: Fault, b: Fault): boolean =>
  (a.kind === 'network' && b.kind !== 'network' && b.kind !== 'cluster') ||
  (b.kind === 'network' && a.kind !== 'network' && a.kind !== 'cluster') ||
  a.name === 'clock' ||
  b.name === 'clock'

async function begun(
  fleet: Fleet,
  { random, tell }: Schedule,
  fault: Fault,
  tallies: Map<string, Tally>,
): Promise<() => Promise<void>> {
  const tally = tallies.get(fault.name)!
  tally.begun++
  const startMs = performance.now()
  const end: End = await attempt(fault.begin(fleet, random), async () => false, fault, tell)
  return async () => {
    const hasBitten = await attempt(end(), false, fault, tell)
    if (hasBitten) tally.bitten++
    tell(`${fault.name}, ${Math.round(performance.now() - startMs)} ms${hasBitten ? '' : ', without effect'}`)
  }
}

/** The tool may meet a cluster that is not as it was: that ends a fault, not the run. */
async function attempt<R>(
  work: Promise<R>,
  otherwise: R,
  fault: Fault,
  tell: (line: string) => void,
): Promise<R> {
  try {
    return await work
  } catch (error) {
    tell(`${fault.name}: ${(error as Error).message}`)
    return otherwise
  }
}
