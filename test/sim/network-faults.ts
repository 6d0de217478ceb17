/** What goes wrong on the way: partitions of every shape, resets, slow links, old messages that come back. */
import { deliverAt } from './mail.ts'
import { cut, linkOf, resetConnection } from './network.ts'
import type { OperationKind, PartitionShape, Target } from './plan.ts'
import { give, hand } from './process.ts'
import { find } from './targets.ts'
import { later, type Node, say, type World } from './world.ts'

export function partition(
  world: World,
  shape: PartitionShape,
  target: Target,
  bits: number,
  forMs: number,
): void {
  const victim = find(world, target)?.slot ?? 0
  const mend = cut(world.network, cutsOf(shape, victim, bits, world.slots.length))
  world.counters.partition++
  const heal = () => {
    if (world.calm) return
    mend()
    say(world, () => `${shape} partition heals`)
  }
  later(world, forMs, 'heal', heal)
}

/** Two nodes hear nothing of each other. */
export function separate(world: World, a: Node, b: Node, forMs: number): void {
  const mend = cut(world.network, [
    [a.slot, b.slot],
    [b.slot, a.slot],
  ])
  later(world, forMs, 'heal', () => {
    if (!world.calm) mend()
  })
}

function cutsOf(shape: PartitionShape, victim: number, bits: number, nodes: number): [number, number][] {
  const pairs: [number, number][] = []
  const side = (slot: number): number => (bits >>> slot) & 1
  for (let from = 0; from < nodes; from++) {
    for (let to = 0; to < nodes; to++) {
      if (from !== to && isCut(shape, from, to, victim, side)) pairs.push([from, to])
    }
  }
  return pairs
}

function isCut(
  shape: PartitionShape,
  from: number,
  to: number,
  victim: number,
  side: (slot: number) => number,
): boolean {
  switch (shape) {
    case 'halves':
      return side(from) !== side(to)
    case 'isolate':
      return from === victim || to === victim
    case 'bridge':
      return from !== victim && to !== victim && side(from) !== side(to)
    case 'one-way':
      return side(from) < side(to)
    case 'deaf':
      return to === victim
    case 'mute':
      return from === victim
  }
}

export function reset(world: World, first: Target, slotB: number, deafMs: number): void {
  const a = find(world, first)
  const b = world.slots[slotB]
  if (!a || !b || a === b) return
  world.counters.reset++
  resetConnection(world.network, a.slot, slotB)
  if (!world.profile.hints) return
  // The connection was reset and the first reconnect refused, though the peer lives.
  give(world, a, { type: 'peerLost', peer: b.id })
  give(world, b, { type: 'peerLost', peer: a.id })
  if (deafMs > 0) deafen(world, a, deafMs)
}

/** Whoever believes to lead and hears nothing is asked, again and again, what it still answers by its lease. */
export function deafen(world: World, node: Node, forMs: number): void {
  partition(world, 'deaf', node.slot, 0, forMs)
  if (node.leadership.role === 'leader') keepAsking(world, node, 'lease-read', forMs)
}

export function keepAsking(world: World, node: Node, kind: OperationKind, forMs: number): void {
  for (let i = 1; i <= 20; i++) {
    const operation = { at: 0, kind, pick: 1, anywhere: false, count: 1 }
    const ask = () => {
      if (!world.calm) hand(world, node, { type: 'operation', operation })
    }
    later(world, (forMs * i) / 20, kind, ask, node)
  }
}

export function clog(world: World, from: number, to: number, extraMs: number, forMs: number): void {
  if (from === to) return
  const link = linkOf(world.network, from, to)
  world.counters.clog++
  link.extraMs += extraMs
  later(world, forMs, 'unclog', () => {
    if (!world.calm) link.extraMs -= extraMs
  })
}

export function replay(world: World, picks: readonly number[]): void {
  const { archive } = world.network
  for (const pick of picks) {
    const letter = archive[pick % archive.length]
    if (!letter) continue
    world.counters.replayed++
    deliverAt(world, letter.from, letter.to, letter.mail, world.now + 0.01)
  }
}
