/**
 * What has to come together for the rarest mistakes to show: a leader that lives on what it has heard while others
 * elect, a voter that forgets, an alarm that is false, a leader that knows nothing and dies. Drawn at random these
 * would meet once in ten thousand seeds.
 */
import { clog, deafen, keepAsking, partition, separate } from './network-faults.ts'
import { resetConnection } from './network.ts'
import type { Fault } from './plan.ts'
import { crashFor, losePower } from './process-faults.ts'
import { give } from './process.ts'
import { leaderOf } from './targets.ts'
import { later, type Node, type World } from './world.ts'

type Of<Kind extends Fault['kind']> = Extract<Fault, { kind: Kind }>

/**
 * H26: the leader hears everything ever later, so it always hears something, then is heard by nobody: it lives on old
 * answers while the others elect.
 */
export function usurp(world: World, { extraMs, afterMs, forMs }: Of<'usurp'>): void {
  const leader = leaderOf(world)
  if (!leader) return
  const { electionTimeoutMs } = world.profile
  world.counters.usurp++
  const steps = Math.ceil(extraMs / (0.6 * electionTimeoutMs))
  const muteMs = (steps * electionTimeoutMs) / 2 + afterMs
  for (let step = 0; step < steps; step++) {
    const startsMs = (step * electionTimeoutMs) / 2
    later(world, startsMs, 'later still', () => {
      if (world.calm) return
      for (let from = 0; from < world.slots.length; from++) {
        clog(world, from, leader.slot, extraMs / steps, muteMs - startsMs + forMs)
      }
    })
  }
  later(world, muteMs, 'mute', () => {
    if (world.calm) return
    partition(world, 'mute', leader.slot, 0, forMs)
    keepAsking(world, leader, 'read', forMs)
  })
}

export function transfer(world: World, slot: number, deafMs: number): void {
  const leader = leaderOf(world)
  const to = world.slots[slot]
  if (!leader || !to || leader === to) return
  world.counters.transfers++
  give(world, leader, { type: 'transfer', to: to.id })
  if (deafMs > 0) deafen(world, leader, deafMs)
}

/** The leader, a node that stands by it, and one that will not. */
interface Trio {
  readonly leader: Node
  readonly helper: Node
  readonly rival: Node
}

function trioOf(world: World, pick: number): Trio | undefined {
  const leader = leaderOf(world)
  const others = world.slots.filter((node): node is Node => node?.raft !== undefined && node !== leader)
  if (!leader || others.length < 2) return undefined
  const at = pick % others.length
  return { leader, helper: others[at]!, rival: others[(at + 1) % others.length]! }
}

/** H28, 6.4.1: the rival's question meets the helper just after its restart, within the lease. */
export function forgetfulVoter(world: World, { pick, afterMs }: Of<'forgetful-voter'>): void {
  const trio = trioOf(world, pick)
  if (!trio) return
  const { leader, helper, rival } = trio
  const { electionTimeoutMs, leaseMs } = world.profile
  world.counters['forgetful-voter']++
  separate(world, leader, rival, afterMs + 2 * electionTimeoutMs)
  later(world, afterMs, 'a voter forgets', () => {
    if (world.calm) return
    separate(world, leader, helper, 2 * electionTimeoutMs)
    crashFor(world, helper, 0.1)
    keepAsking(world, leader, 'lease-read', leaseMs)
    keepAsking(world, rival, 'write', leaseMs)
  })
}

/** H28: the rival's connection to the leader is gone, but the leader lives, and so does its lease. */
export function falseAlarm(world: World, { pick, afterMs }: Of<'false-alarm'>): void {
  const trio = trioOf(world, pick)
  if (!trio) return
  const { leader, rival } = trio
  const { electionTimeoutMs, leaseMs } = world.profile
  world.counters['false-alarm']++
  separate(world, leader, rival, 4 * electionTimeoutMs)
  later(world, afterMs, 'a false alarm', () => {
    if (world.calm) return
    give(world, rival, { type: 'peerLost', peer: leader.id })
    deafen(world, leader, electionTimeoutMs)
    keepAsking(world, leader, 'lease-read', leaseMs)
    keepAsking(world, rival, 'write', leaseMs)
  })
}

/** The helper has lost what it had acknowledged, and only the leader has it; the rival never had it. */
export function blindLeader(world: World, { pick, cutMs, liveMs }: Of<'blind-leader'>): void {
  const trio = trioOf(world, pick)
  if (!trio || world.slots.some((node) => node?.inDoubt)) return
  const { leader, helper, rival } = trio
  world.counters['blind-leader']++
  separate(world, leader, rival, cutMs)
  separate(world, helper, rival, cutMs)
  keepAsking(world, leader, 'write', cutMs)
  later(world, cutMs, 'tails are lost', () => {
    if (world.calm) return
    losePower(world, helper, 1)
    crashFor(world, leader, 1)
    later(world, 2, 'wait for the blind leader', () => awaitDeath(world, leader, liveMs))
  })
}

function awaitDeath(world: World, leader: Node, liveMs: number): void {
  if (world.calm) return
  if (!leader.raft || leader.leadership.role !== 'leader') {
    later(world, 1, 'wait for the blind leader', () => awaitDeath(world, leader, liveMs), leader)
    return
  }
  later(world, liveMs, 'the blind leader dies', () => {
    if (world.calm) return
    for (const { slot } of world.slots as Node[]) {
      if (slot !== leader.slot) resetConnection(world.network, leader.slot, slot)
    }
    crashFor(world, leader, 8 * world.profile.electionTimeoutMs)
  })
}
