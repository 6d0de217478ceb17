/** The faults of one seed: each class on or off, with its own stream of chance and its own mean interval. */
import type { Fault, PartitionShape, Profile, Target } from './plan.ts'
import type { Stream } from '../../core/testing/prng.ts'
import { FaultClasses } from './fault-classes.ts'

const shapes: readonly PartitionShape[] = [
  'halves',
  'isolate',
  'isolate',
  'bridge',
  'one-way',
  'deaf',
  'mute',
]

export function drawFaults(
  seed: number,
  swarm: Stream,
  profile: Profile,
  horizonMs: number,
): readonly Fault[] {
  const classes = new FaultClasses<Fault>(seed, swarm, horizonMs, 0.08)
  const node = (s: Stream): number => s.below(profile.nodes)
  const target = (s: Stream): Target => (s.chance(0.4) ? 'leader' : node(s))
  const timeout = profile.electionTimeoutMs

  classes.add('partition', 0.5, 300, 4000, (s, at) => ({
    at,
    kind: 'partition',
    shape: s.pick(shapes),
    target: target(s),
    bits: s.uint32(),
    forMs: s.scaled(timeout / 4, timeout * 8),
  }))
  classes.add('reset', 0.3, 200, 3000, (s, at) => ({
    at,
    kind: 'reset',
    a: target(s),
    b: node(s),
    deafMs: s.chance(0.5) ? 0 : s.scaled(10, timeout),
  }))
  classes.add('clog', 0.3, 300, 4000, (s, at) => ({
    at,
    kind: 'clog',
    from: node(s),
    to: node(s),
    extraMs: s.scaled(10, timeout * 4),
    forMs: s.scaled(timeout / 4, timeout * 6),
  }))
  // Under a relaxed fsync mode an acknowledgement may be void after a power loss; connections keep old ones out.
  classes.add('replay', profile.fsyncEveryMs > 0 ? 0 : 0.3, 50, 1500, (s, at) => ({
    at,
    kind: 'replay',
    picks: Array.from({ length: 1 + s.below(4) }, () => s.uint32()),
  }))
  const downMs = (s: Stream): number => s.scaled(1, timeout * 6)
  classes.add('crash', 0.5, 200, 4000, (s, at) => ({
    at,
    kind: 'crash',
    target: target(s),
    downMs: downMs(s),
  }))
  classes.add('power-loss', 0.15, 1000, 6000, (s, at) => ({
    at,
    kind: 'power-loss',
    downMs: Array.from({ length: profile.nodes }, () => downMs(s)),
  }))
  classes.add('crash-installing', 0.3, 300, 4000, (s, at) => ({
    at,
    kind: 'crash-installing',
    downMs: downMs(s),
  }))
  classes.add('stop', 0.25, 500, 5000, (s, at) => ({
    at,
    kind: 'stop',
    target: target(s),
    downMs: downMs(s),
  }))
  classes.add('pause', 0.4, 300, 4000, (s, at) => ({
    at,
    kind: 'pause',
    target: target(s),
    forMs: s.scaled(10, timeout * 8),
  }))
  classes.add('suspend', 0.2, 500, 5000, (s, at) => ({
    at,
    kind: 'suspend',
    target: target(s),
    forMs: s.scaled(30, timeout * 8),
  }))
  classes.add('wall-step', 0.3, 200, 3000, (s, at) => ({
    at,
    kind: 'wall-step',
    target: target(s),
    byMs: s.pick([-3_600_000, 3_600_000, -86_400_000, 86_400_000, 1000, -1000]),
  }))
  classes.add('disk-stall', 0.3, 300, 4000, (s, at) => ({
    at,
    kind: 'disk-stall',
    target: target(s),
    forMs: s.scaled(20, timeout * 4),
  }))
  classes.add('fsync-failure', 0.2, 500, 5000, (s, at) => ({
    at,
    kind: 'fsync-failure',
    target: target(s),
    downMs: downMs(s),
  }))
  classes.add('snapshot', 0.3, 100, 3000, (s, at) => ({ at, kind: 'snapshot', target: target(s) }))
  classes.add('usurp', 0.3, 1000, 5000, (s, at) => ({
    at,
    kind: 'usurp',
    extraMs: s.between(timeout, timeout * 4),
    afterMs: s.between(0, timeout * 2),
    forMs: s.between(timeout, timeout * 5),
  }))
  classes.add('transfer', 0.3, 300, 4000, (s, at) => ({
    at,
    kind: 'transfer',
    to: node(s),
    deafMs: s.chance(0.5) ? 0 : s.scaled(10, timeout),
  }))
  classes.add('forgetful-voter', 0.1, 1000, 5000, (s, at) => ({
    at,
    kind: 'forgetful-voter',
    pick: s.uint32(),
    afterMs: s.between(timeout * 2, timeout * 4),
  }))
  classes.add('false-alarm', profile.hints ? 0.1 : 0, 1000, 5000, (s, at) => ({
    at,
    kind: 'false-alarm',
    pick: s.uint32(),
    afterMs: s.between(timeout / 3, timeout),
  }))
  if (profile.fsyncEveryMs > 0) {
    classes.add('blind-leader', 0.3, 1000, 6000, (s, at) => ({
      at,
      kind: 'blind-leader',
      pick: s.uint32(),
      cutMs: s.between(20, timeout),
      liveMs: s.between(0, 50),
    }))
    classes.add('tail-loss', 1, 300, 3000, (s, at) => ({
      at,
      kind: 'tail-loss',
      target: target(s),
      downMs: downMs(s),
    }))
  }
  if (profile.membershipChanges) {
    classes.add('membership', 1, 200, 2500, (s, at) => ({
      at,
      kind: 'membership',
      bits: s.uint32(),
      crashAfterMs: s.chance(0.3) ? s.scaled(0.1, 50) : 0,
      downMs: downMs(s),
    }))
  }
  classes.add('disk-full', 0.25, 1000, 8000, (s, at) => ({
    at,
    kind: 'disk-full',
    target: target(s),
    all: s.chance(0.2),
    roomBytes: s.chance(0.3) ? 0 : Math.floor(s.scaled(100, 10_000)),
    blindMs: s.chance(0.5) ? 0 : s.scaled(10, timeout * 4),
    forMs: s.scaled(timeout / 4, timeout * 10),
  }))
  return classes.drawn
}
