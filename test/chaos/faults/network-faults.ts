/** Partitions of every shape, and links that are bad without being dead. */
import type { Stream } from '../../../core/testing/prng.ts'
import type { Fleet } from '../fleet.ts'
import { type Fault, shuffled, victim } from './fault.ts'

type Pair = readonly [from: string, to: string]

/** All ordered pairs of one from each. */
const between = (some: readonly string[], others: readonly string[]): Pair[] =>
  some.flatMap((a) =>
    others.flatMap((b): Pair[] => [
      [a, b],
      [b, a],
    ]),
  )

/** A partition: nothing passes on these ways. Half of them are silent, half say so by resets and refusals. */
function partition(
  name: string,
  draw: (fleet: Fleet, random: Stream) => readonly Pair[],
  isOneWay = false,
): Fault {
  return {
    name,
    kind: 'network',
    lastsMs: [200, 5000],
    begin: async (fleet, random) => {
      const { net } = fleet
      const pairs = draw(fleet, random)
      const isSilent = isOneWay || random.chance(0.5)
      const before = net.counts.parted
      for (const [from, to] of pairs) {
        if (isSilent) net.silence(from, to)
        else net.cut(from, to)
      }
      return async () => {
        const { parted } = net.counts
        await net.heal()
        return parted > before
      }
    },
  }
}

/** Ways between a leader and the others, and back. */
function leaderWays(fleet: Fleet, random: Stream): { readonly out: Pair[]; readonly back: Pair[] } {
  const leader = fleet.leader ?? random.pick(fleet.founders)
  const others = all(fleet).filter((name) => name !== leader)
  return {
    out: others.map((other): Pair => [leader, other]),
    back: others.map((other): Pair => [other, leader]),
  }
}

const all = (fleet: Fleet): readonly string[] => [...fleet.founders, ...fleet.spares]

export const NETWORK_FAULTS: readonly Fault[] = [
  partition('isolate-leader', (fleet, random) => {
    const { out, back } = leaderWays(fleet, random)
    return [...out, ...back]
  }),
  partition('halves', (fleet, random) => {
    const names = shuffled(all(fleet), random)
    const cut = 1 + random.below(names.length - 1)
    return between(names.slice(0, cut), names.slice(cut))
  }),
  partition('bridge', (fleet, random) => {
    const [, ...names] = shuffled(fleet.founders, random)
    const cut = Math.ceil(names.length / 2)
    return between(names.slice(0, cut), [...names.slice(cut), ...fleet.spares])
  }),
  partition(
    'one-way',
    (fleet, random) => {
      const { out, back } = leaderWays(fleet, random)
      const dice = random.float()
      if (dice < 0.3) return out
      if (dice < 0.6) return back
      return [...out, ...back].filter(() => random.chance(0.5))
    },
    true,
  ),
  {
    name: 'resets',
    kind: 'network',
    lastsMs: [300, 2000],
    begin: async (fleet, random) => {
      const { net } = fleet
      const before = net.counts.parted
      const name = fleet.leader ?? random.pick(fleet.founders)
      let ended = false
      const again = (): void => {
        if (ended) return
        void net.reset(name)
        setTimeout(again, random.between(20, 300))
      }
      again()
      return async () => {
        ended = true
        return net.counts.parted > before
      }
    },
  },
  {
    name: 'slow-link',
    kind: 'network',
    lastsMs: [500, 5000],
    begin: async (fleet, random) => {
      const { net } = fleet
      const name = victim(fleet, random)
      const bytesPerSecond = random.scaled(4000, 125_000)
      const before = net.counts.passedBytes
      for (const [from, to] of between(
        [name],
        all(fleet).filter((other) => other !== name),
      )) {
        net.throttle(from, to, bytesPerSecond)
      }
      return async () => {
        const { passedBytes } = net.counts
        await net.heal()
        return passedBytes > before
      }
    },
  },
  {
    name: 'delay',
    kind: 'network',
    lastsMs: [500, 5000],
    begin: async (fleet, random) => {
      const { net } = fleet
      const before = net.counts.passedBytes
      for (const name of all(fleet)) {
        for (const other of all(fleet)) {
          if (name !== other && random.chance(0.6)) net.delay(name, other, random.scaled(5, 400))
        }
      }
      return async () => {
        const { passedBytes } = net.counts
        await net.heal()
        return passedBytes > before
      }
    },
  },
]
