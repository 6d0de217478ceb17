/** The faults of one seed: each class on or off, with its own stream of chance and its own mean interval. */
import type { Stream } from '../../core/testing/prng.ts'
import { FaultClasses } from '../sim/fault-classes.ts'
import type { Profile } from './plan.ts'

/** A member by number, or whoever leads when the time comes. */
export type Target = number | 'leader'

export type Fault =
  | {
      at: number
      kind: 'partition'
      shape: 'halves' | 'isolate' | 'one-way'
      target: Target
      bits: number
      forMs: number
    }
  | { at: number; kind: 'reset'; a: Target; b: number }
  | { at: number; kind: 'crash'; target: Target; downMs: number }
  /** The computer loses power, and the disk what it had not synced. */
  | { at: number; kind: 'power'; target: Target; downMs: number }
  /** All of them at once. */
  | { at: number; kind: 'blackout'; downMs: readonly number[] }
  | { at: number; kind: 'stop'; target: Target; downMs: number }
  | { at: number; kind: 'pause'; target: Target; forMs: number }
  /** As a laptop that is closed: the monotonic clock has not counted it. */
  | { at: number; kind: 'suspend'; target: Target; forMs: number }
  | { at: number; kind: 'wall-step'; target: Target; byMs: number }
  | { at: number; kind: 'disk-stall'; target: Target; forMs: number }
  /** The next fsync fails, once, and the power soon after. */
  | { at: number; kind: 'fsync-failure'; target: Target; downMs: number }
  /** One disk, or all of them at once. */
  | { at: number; kind: 'disk-full'; target: Target; all: boolean; forMs: number }
  /** A byte of the log has changed when a node starts again. */
  | { at: number; kind: 'rot'; target: number; bits: number; downMs: number }
  /** The next command of a plugin's slice throws, on one node alone: a bug, which that node must not outlive. */
  | { at: number; kind: 'bug'; target: Target }
  | { at: number; kind: 'snapshot'; target: Target }
  | { at: number; kind: 'transfer'; bits: number }
  /** A computer is replaced by a new one, with an empty disk, under the same name. */
  | { at: number; kind: 'replace'; target: number }
  | { at: number; kind: 'join' }
  | { at: number; kind: 'remove'; target: Target }

export type FaultKind = Fault['kind']

export function drawFaults(
  seed: number,
  swarm: Stream,
  profile: Profile,
  horizonMs: number,
): readonly Fault[] {
  const classes = new FaultClasses<Fault>(seed, swarm, horizonMs, 0.06)
  const node = (s: Stream): number => s.below(profile.nodes)
  const target = (s: Stream): Target => (s.chance(0.4) ? 'leader' : node(s))
  const timeout = profile.electionTimeoutMs
  const downMs = (s: Stream): number => s.scaled(1, timeout * 5)

  classes.add('partition', 0.5, 600, 6000, (s, at) => ({
    at,
    kind: 'partition',
    shape: s.pick(['halves', 'isolate', 'isolate', 'one-way'] as const),
    target: target(s),
    bits: s.uint32(),
    forMs: s.scaled(timeout / 4, timeout * 6),
  }))
  classes.add('reset', 0.3, 300, 4000, (s, at) => ({ at, kind: 'reset', a: target(s), b: node(s) }))
  classes.add('crash', 0.5, 500, 6000, (s, at) => ({
    at,
    kind: 'crash',
    target: target(s),
    downMs: downMs(s),
  }))
  classes.add('power', 0.5, 500, 6000, (s, at) => ({
    at,
    kind: 'power',
    target: target(s),
    downMs: downMs(s),
  }))
  classes.add('blackout', 0.2, 2000, 8000, (s, at) => ({
    at,
    kind: 'blackout',
    downMs: Array.from({ length: profile.nodes }, () => downMs(s)),
  }))
  classes.add('stop', 0.25, 1000, 8000, (s, at) => ({
    at,
    kind: 'stop',
    target: target(s),
    downMs: downMs(s),
  }))
  classes.add('pause', 0.4, 500, 6000, (s, at) => ({
    at,
    kind: 'pause',
    target: target(s),
    forMs: s.scaled(10, timeout * 6),
  }))
  classes.add('suspend', 0.2, 1000, 8000, (s, at) => ({
    at,
    kind: 'suspend',
    target: target(s),
    forMs: s.scaled(30, timeout * 8),
  }))
  classes.add('wall-step', 0.3, 500, 5000, (s, at) => ({
    at,
    kind: 'wall-step',
    target: target(s),
    byMs: s.pick([-3_600_000, 3_600_000, -86_400_000, 86_400_000, 1000, -1000]),
  }))
  classes.add('disk-stall', 0.3, 500, 6000, (s, at) => ({
    at,
    kind: 'disk-stall',
    target: target(s),
    forMs: s.scaled(20, timeout * 4),
  }))
  classes.add('fsync-failure', 0.3, 1000, 8000, (s, at) => ({
    at,
    kind: 'fsync-failure',
    target: target(s),
    downMs: downMs(s),
  }))
  classes.add('disk-full', 0.25, 1000, 8000, (s, at) => ({
    at,
    kind: 'disk-full',
    target: target(s),
    forMs: s.scaled(50, timeout * 6),
    all: (s.uint32() & 1) === 1,
  }))
  classes.add('bug', 0.2, 1000, 6000, (s, at) => ({ at, kind: 'bug', target: target(s) }))
  classes.add('snapshot', 0.3, 300, 5000, (s, at) => ({ at, kind: 'snapshot', target: target(s) }))
  classes.add('transfer', 0.3, 500, 6000, (s, at) => ({ at, kind: 'transfer', bits: s.uint32() }))
  if (profile.nodes >= 3) {
    classes.add('rot', 0.3, 1500, 8000, (s, at) => ({
      at,
      kind: 'rot',
      target: node(s),
      bits: s.uint32(),
      downMs: downMs(s),
    }))
    classes.add('replace', 0.25, 1500, 8000, (s, at) => ({ at, kind: 'replace', target: node(s) }))
    classes.add('join', 0.25, 1500, 8000, (_, at) => ({ at, kind: 'join' }))
    classes.add('remove', 0.25, 1500, 8000, (s, at) => ({ at, kind: 'remove', target: target(s) }))
  }
  return classes.drawn
}
