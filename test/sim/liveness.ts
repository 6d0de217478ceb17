/**
 * After the faults: a majority is healed for good, the rest stays broken, and the cluster must come to life
 * within twenty election timeouts. Then everybody is healed, and everybody must catch up.
 */
import { propose, status } from '../../core/raft/index.ts'
import { Violation } from './judge.ts'
import { cut } from './network.ts'
import { crash, resume, start, timeOf, wake } from './process.ts'
import { leaderOf } from './targets.ts'
import { type Node, say, type World } from './world.ts'

type Advance = (world: World) => boolean

const patience = 20

export function demandLife(world: World, advance: Advance): void {
  world.calm = true
  world.whenInstalling = undefined
  world.network.perfect = true
  // With memberships that change, who is a majority is the cluster's own affair: all are healed at once.
  // Whoever lost its tail grants no vote before it has caught up, so then too.
  const isWhole = !world.profile.membershipChanges && world.profile.fsyncEveryMs === 0
  const broken = isWhole ? drawBroken(world) : []
  say(world, () => `HEAL all but ${broken.map(({ id }) => id).join() || 'nobody'}`)
  const mend = breakDown(world, broken)
  for (const node of world.slots) if (node && !broken.includes(node)) heal(world, node)
  demandCommit(world, advance, 'a healed majority commits within 20 election timeouts')
  mend()
  for (const node of broken) heal(world, node)
  demandCommit(world, advance, 'a healed cluster commits within 20 election timeouts')
  demandRest(world, advance)
}

/** A minority that stays down, or cannot hear, or cannot be heard. */
function drawBroken(world: World): readonly Node[] {
  const { chance, slots } = world
  const most = Math.ceil(slots.length / 2) - 1
  const first = chance.below(slots.length)
  return Array.from({ length: chance.below(most + 1) }, (_, i) => slots[(first + i) % slots.length]!)
}

function breakDown(world: World, broken: readonly Node[]): () => void {
  for (const link of world.network.links.flat()) {
    link.cuts = 0
    link.extraMs = 0
  }
  const pairs: [number, number][] = []
  for (const { slot } of broken) {
    const hears = world.chance.chance(0.3)
    const speaks = !hears && world.chance.chance(0.5)
    for (const { slot: other } of world.slots as Node[]) {
      if (other === slot) continue
      if (!hears) pairs.push([other, slot])
      if (!speaks) pairs.push([slot, other])
    }
    if (!hears && !speaks) crash(world, world.slots[slot]!)
  }
  return cut(world.network, pairs)
}

function heal(world: World, node: Node): void {
  node.failsForMs = undefined
  node.diskStalledUntil = 0
  node.roomBytes = Infinity
  if (node.storageFailed) crash(world, node)
  if (node.pausedUntil > world.now) resume(world, node)
  if (!node.raft && node.life > 0) start(world, node)
}

function demandCommit(world: World, advance: Advance, invariant: string): void {
  const { judge, profile } = world
  const patienceMs = patience * profile.electionTimeoutMs
  let deadline = world.now + patienceMs
  let committed = judge.states.length
  let replicated = replication(world)
  const before = world.counters.writesAcked
  let nextWrite = world.now
  while (world.counters.writesAcked === before) {
    // What is ahead of the new write in the log may be a great deal, and travel entry by entry.
    const now = replication(world)
    const goesOn = now.term === replicated.term && now.matched > replicated.matched
    if (goesOn || judge.states.length > committed) deadline = world.now + patienceMs
    committed = judge.states.length
    replicated = now
    if (world.now >= nextWrite) {
      nextWrite = world.now + profile.electionTimeoutMs / 4
      proposeOne(world)
    }
    if (!advance(world) || world.now > deadline) {
      throw new Violation(invariant, `committed ${judge.states.length - 1}; ${describeNodes(world)}`)
    }
  }
}

/** How far the leader of a term knows its log to be with the others, all together. */
function replication(world: World): { readonly term: number; readonly matched: number } {
  const leader = leaderOf(world)
  if (!leader?.raft) return { term: 0, matched: 0 }
  const { term, peers } = status(leader.raft)
  return { term, matched: peers.reduce((sum, { matchIndex }) => sum + matchIndex, 0) }
}

function proposeOne(world: World): void {
  const leader = leaderOf(world)
  if (!leader?.raft || leader.pausedUntil > world.now) return
  const { judge } = world
  const number = judge.effects.length
  const data = new Uint8Array(8)
  new DataView(data.buffer).setUint32(0, number, true)
  judge.effects.push(0)
  const ids = propose(leader.raft, timeOf(world, leader), [data])
  if (ids)
    leader.pendingWrites.set(ids[0]!.index, { term: ids[0]!.term, payload: number, floor: judge.floor })
  else judge.effects[number] = -1
  wake(world, leader)
}

/**
 * Lagging members have caught up, and nobody still waits for a read. A thousand entries that travel one by one
 * take their time: what is demanded is that it goes on, at least one step in twenty election timeouts.
 */
function demandRest(world: World, advance: Advance): void {
  const patienceMs = patience * world.profile.electionTimeoutMs
  let deadline = world.now + patienceMs
  let reached = appliedTogether(world)
  let nextLook = 0
  for (;;) {
    if (world.now >= nextLook) {
      if (isAtRest(world)) return
      nextLook = world.now + world.profile.heartbeatMs
      const applied = appliedTogether(world)
      if (applied > reached) deadline = world.now + patienceMs
      reached = applied
    }
    if (!advance(world) || world.now > deadline) {
      throw new Violation(
        'a healed cluster goes on to rest, a step in 20 election timeouts',
        describeNodes(world),
      )
    }
  }
}

const appliedTogether = ({ slots }: World): number =>
  slots.reduce((sum, node) => sum + (node?.model.applied.index ?? 0), 0)

function isAtRest(world: World): boolean {
  const leader = leaderOf(world)
  if (!leader?.raft) return false
  const { membership, commitIndex, lastIndex } = status(leader.raft)
  if (commitIndex !== lastIndex || membership.outgoing.length > 0) return false
  return [...membership.voters, ...membership.learners].every((id) => {
    const node = world.byId.get(id)!
    return (
      node.model.applied.index === commitIndex &&
      node.coreReads.size === 0 &&
      node.waitingReads.length === 0 &&
      !node.isHandingOver
    )
  })
}

function describeNodes(world: World): string {
  const lines = world.slots.map((node) => {
    if (!node?.raft) return `${node?.id ?? '-'} down`
    const { role, term, leader, commitIndex, lastIndex, lastTerm, durableIndex, membership } = status(
      node.raft,
    )
    return (
      `${node.id} ${role} term ${term} leader ${leader} applied ${node.model.applied.index} commit ${commitIndex} ` +
      `durable ${durableIndex} last (${lastIndex}, ${lastTerm}) voters ${membership.voters.join()} ` +
      `outgoing ${membership.outgoing.join()} learners ${membership.learners.join()} ` +
      `reads ${node.coreReads.size}+${node.waitingReads.length}`
    )
  })
  return `\n  ${lines.join('\n  ')}`
}
