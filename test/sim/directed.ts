/**
 * Directed plans: a quiet cluster of three, and one coincidence again and again. For what a swarm of faults meets
 * too seldom; a mutant that only such a coincidence shows names its direction.
 */
import type { Fault, Plan, Profile } from './plan.ts'
import { Stream } from '../../core/testing/prng.ts'

export type Direction = keyof typeof directions

interface Directed {
  readonly profile: Partial<Profile>
  /** From one coincidence to the next: long enough that the cluster is whole again. */
  readonly everyMs: number
  readonly draw: (stream: Stream, at: number, timeoutMs: number) => Fault
}

const directions = {
  'late-answers': {
    profile: { turnMs: 0 },
    everyMs: 2500,
    draw: (s, at, timeoutMs) => ({
      at,
      kind: 'usurp',
      extraMs: s.between(timeoutMs, timeoutMs * 3),
      afterMs: s.between(0, timeoutMs * 2),
      forMs: s.between(timeoutMs * 2, timeoutMs * 4),
    }),
  },
  'forgetful-voter': {
    profile: { hints: false },
    everyMs: 4000,
    draw: (s, at, timeoutMs) => ({
      at,
      kind: 'forgetful-voter',
      pick: s.uint32(),
      afterMs: s.between(timeoutMs * 2, timeoutMs * 4),
    }),
  },
  'false-alarm': {
    profile: { hints: true },
    everyMs: 3000,
    draw: (s, at, timeoutMs) => ({
      at,
      kind: 'false-alarm',
      pick: s.uint32(),
      afterMs: s.between(timeoutMs / 3, timeoutMs),
    }),
  },
  'blind-leader': {
    profile: { fsyncEveryMs: 200, maxMessageBytes: 100, inflightBytes: 1, diskMs: 3 },
    everyMs: 6000,
    draw: (s, at, timeoutMs) => ({
      at,
      kind: 'blind-leader',
      pick: s.uint32(),
      cutMs: s.between(20, timeoutMs / 3),
      liveMs: s.between(0, 30),
    }),
  },
} satisfies Record<string, Directed>

export const directionNames: readonly string[] = Object.keys(directions)

const quiet: Partial<Profile> = {
  nodes: 3,
  lossRate: 0,
  duplicateRate: 0,
  delayMs: 0.5,
  tailRate: 0,
  ordered: true,
  drift: 0,
  diskMs: 0.3,
  diskTailRate: 0,
  timerLateMs: 0,
  turnMs: 0,
  snapshotEvery: 0,
  payloadBytes: 8,
  membershipChanges: false,
  fsyncEveryMs: 0,
}

export function direct(plan: Plan, direction: Direction): Plan {
  const { profile, everyMs, draw }: Directed = directions[direction]
  const stream = new Stream(plan.options.seed, `directed:${direction}`)
  const horizonMs = 22_000
  const faults: Fault[] = []
  for (let at = stream.between(1000, 1000 + everyMs); at < horizonMs; at += everyMs) {
    faults.push(draw(stream, at, plan.profile.electionTimeoutMs))
  }
  return { ...plan, profile: { ...plan.profile, ...quiet, ...profile }, faults, horizonMs }
}
