/** Makes the items of the plan happen. Each picks its victim when its time comes, and counts only if it bit. */
import {
  type Membership,
  type MembershipChange,
  membershipDue,
  type NodeId,
  proposeMembership,
  type Raft,
  status,
} from '../../core/raft/index.ts'
import { loseTail } from './disk.ts'
import { judgePromotion } from './judge.ts'
import { deliverAt } from './mail.ts'
import { cut, linkOf, resetConnection } from './network.ts'
import type { Fault, OperationKind, PartitionShape, Target } from './plan.ts'
import { crash, give, hand, pause, start, stopCleanly, timeOf, wake } from './process.ts'
import { takeSnapshot } from './store.ts'
import { addNode, later, memberInfo, type Node, say, type World } from './world.ts'

export function strike(world: World, fault: Fault): void {
  if (world.calm) return
  say(world, () => `FAULT ${JSON.stringify(fault)}`)
  switch (fault.kind) {
    case 'partition':
      partition(world, fault.shape, fault.target, fault.bits, fault.forMs)
      break
    case 'reset':
      reset(world, fault.a, fault.b, fault.deafMs)
      break
    case 'clog':
      clog(world, fault.from, fault.to, fault.extraMs, fault.forMs)
      break
    case 'replay':
      replay(world, fault.picks)
      break
    case 'power-loss':
      world.counters['power-loss']++
      fault.downMs.forEach((downMs, slot) => crashFor(world, world.slots[slot], downMs))
      break
    case 'usurp':
      usurp(world, fault.extraMs, fault.afterMs, fault.forMs)
      break
    case 'crash-installing':
      world.whenInstalling = (node) => {
        world.whenInstalling = undefined
        later(world, 0.01, 'crash while installing', () => crashFor(world, node, fault.downMs), node)
      }
      break
    case 'transfer':
      transfer(world, fault.to, fault.deafMs)
      break
    case 'membership':
      changeMembership(world, fault)
      break
    case 'crash':
    case 'stop':
    case 'pause':
    case 'suspend':
    case 'wall-step':
    case 'disk-stall':
    case 'fsync-failure':
    case 'tail-loss':
    case 'snapshot': {
      const node = find(world, fault.target)
      if (node?.raft) strikeNode(world, node, fault)
      break
    }
  }
}

type NodeFault = Extract<Fault, { target: Target }>

function strikeNode(world: World, node: Node, fault: Exclude<NodeFault, { kind: 'partition' }>): void {
  const { counters } = world
  if (fault.kind !== 'snapshot' && fault.kind !== 'tail-loss')
    counters[fault.kind === 'fsync-failure' ? 'fsync-failures-armed' : fault.kind]++
  switch (fault.kind) {
    case 'crash':
      crashFor(world, node, fault.downMs)
      break
    case 'stop':
      stop(world, node, fault.downMs)
      break
    case 'pause':
    case 'suspend':
      pause(world, node, fault.forMs, fault.kind === 'suspend')
      break
    case 'wall-step':
      node.clocks.wallOffset += fault.byMs
      break
    case 'disk-stall':
      node.diskStalledUntil = world.now + fault.forMs
      break
    case 'fsync-failure':
      node.failsForMs = fault.downMs
      break
    case 'tail-loss':
      losePower(world, node, fault.downMs)
      break
    case 'snapshot':
      if (node.pausedUntil <= world.now) takeSnapshot(world, node)
      break
  }
}

function find(world: World, target: Target): Node | undefined {
  if (target !== 'leader') return world.slots[target]
  return leaderOf(world)
}

/** Whoever leads in the highest term, as it believes. */
export function leaderOf(world: World): Node | undefined {
  let found: Node | undefined
  for (const node of world.slots) {
    if (!node?.raft || node.leadership.role !== 'leader') continue
    if (!found || node.leadership.term > found.leadership.term) found = node
  }
  return found
}

// ---------------------------------------------------------------------------------------------------- network

function partition(world: World, shape: PartitionShape, target: Target, bits: number, forMs: number): void {
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

function reset(world: World, first: Target, slotB: number, deafMs: number): void {
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
function deafen(world: World, node: Node, forMs: number): void {
  partition(world, 'deaf', node.slot, 0, forMs)
  if (node.leadership.role === 'leader') keepReading(world, node, 'lease-read', forMs)
}

function keepReading(world: World, node: Node, kind: OperationKind, forMs: number): void {
  for (let i = 1; i <= 20; i++) {
    const operation = { at: 0, kind, pick: 1, anywhere: false, count: 1 }
    const ask = () => {
      if (!world.calm) hand(world, node, { type: 'operation', operation })
    }
    later(world, (forMs * i) / 20, kind, ask, node)
  }
}

function clog(world: World, from: number, to: number, extraMs: number, forMs: number): void {
  if (from === to) return
  const link = linkOf(world.network, from, to)
  world.counters.clog++
  link.extraMs += extraMs
  later(world, forMs, 'unclog', () => {
    if (!world.calm) link.extraMs -= extraMs
  })
}

function replay(world: World, picks: readonly number[]): void {
  const { archive } = world.network
  for (const pick of picks) {
    const letter = archive[pick % archive.length]
    if (!letter) continue
    world.counters.replayed++
    deliverAt(world, letter.from, letter.to, letter.mail, world.now + 0.01)
  }
}

// -------------------------------------------------------------------------------------------------- processes

function crashFor(world: World, node: Node | undefined, downMs: number): void {
  if (!node?.raft) return
  crash(world, node)
  later(world, downMs, 'restart', () => start(world, node))
}

/** One machine at a time: while another is in doubt, losing a second tail may lose what was acknowledged. */
function losePower(world: World, node: Node, downMs: number): void {
  if (world.slots.some((other) => other?.inDoubt)) return
  world.counters['tail-loss']++
  crashFor(world, node, downMs)
  const lost = loseTail(node.disk)
  world.counters.entriesLost += lost
  node.inDoubt = true
  node.hasLostTail = true
  say(world, () => `${node.id} has lost power, and ${lost} entries`)
}

/** A clean stop hands leadership over first, waits a little, and ends. */
function stop(world: World, node: Node, downMs: number): void {
  if (node.leadership.role === 'leader') give(world, node, { type: 'transfer' })
  const end = () => {
    stopCleanly(world, node)
    later(world, downMs, 'restart', () => start(world, node))
  }
  later(world, node.stream.between(1, 100), 'stop', end, node)
}

function usurp(world: World, extraMs: number, afterMs: number, forMs: number): void {
  const leader = leaderOf(world)
  if (!leader) return
  world.counters.usurp++
  for (let from = 0; from < world.slots.length; from++) {
    clog(world, from, leader.slot, extraMs, afterMs + forMs)
  }
  later(world, afterMs, 'mute', () => {
    if (world.calm) return
    partition(world, 'mute', leader.slot, 0, forMs)
    keepReading(world, leader, 'read', forMs)
  })
}

function transfer(world: World, slot: number, deafMs: number): void {
  const leader = leaderOf(world)
  const to = world.slots[slot]
  if (!leader || !to || leader === to) return
  world.counters.transfers++
  give(world, leader, { type: 'transfer', to: to.id })
  if (deafMs > 0) deafen(world, leader, deafMs)
}

// ------------------------------------------------------------------------------------------------- membership

/** Asks the leader for a change drawn from the present membership; it may refuse. */
function changeMembership(world: World, fault: Extract<Fault, { kind: 'membership' }>): void {
  const leader = leaderOf(world)
  if (!leader?.raft || leader.pausedUntil > world.now || leader.storageFailed) return
  const before = status(leader.raft).membership.voters
  const change = chooseChange(world, leader, leader.raft, fault.bits)
  const { voters, learners } = change
  const proposal = proposeMembership(leader.raft, timeOf(world, leader), change)
  say(
    world,
    () =>
      `${leader.id} is asked for voters ${voters.join()} learners ${learners.join()}: ${JSON.stringify(proposal)}`,
  )
  if (!proposal.ok) {
    world.counters.membershipsRefused++
    return
  }
  world.counters.membershipsProposed++
  if (!before.every((id) => voters.includes(id)) || voters.length > before.length) {
    judgePromotions(
      world,
      leader,
      voters.filter((id) => !before.includes(id)),
    )
  }
  if (!voters.includes(leader.id)) world.counters.leadersRemoved++
  for (const id of [...voters, ...learners]) {
    const node = world.byId.get(id)
    if (node && node.life === 0) start(world, node)
  }
  wake(world, leader)
  if (fault.crashAfterMs === 0) return
  later(
    world,
    fault.crashAfterMs,
    'crash after a change',
    () => {
      if (world.calm) return
      world.counters.crash++
      crashFor(world, leader, fault.downMs)
    },
    leader,
  )
}

/** Half of the time what the policy asks for, if anything; else a change drawn from the present membership. */
function chooseChange(world: World, leader: Node, raft: Raft, bits: number): MembershipChange {
  const due = bits & 0x80 ? membershipDue(raft, world.profile.nodes) : undefined
  if (due) {
    world.counters.membershipsDue++
    return due
  }
  const { membership, membershipIndex } = status(raft)
  const { voters, learners } = drawMembership(world, leader, bits, membership)
  const members = Object.fromEntries([...voters, ...learners].map((id) => [id, memberInfo(id)]))
  return { expected: membershipIndex, voters, learners, members }
}

/** Of a leader that no other has replaced; by a clock that has stood still nothing can be told. */
function judgePromotions(world: World, leader: Node, promoted: readonly NodeId[]): void {
  const { judge, profile } = world
  const isLast = leader.leadership.term === Math.max(...judge.leaders.keys())
  if (!isLast || leader.clocks.suspendedMs > 0) return
  const agoMs = world.now - 2 * profile.electionTimeoutMs * (1 + 2 * profile.drift)
  for (const id of promoted) judgePromotion(judge, world.byId.get(id)!, agoMs)
}

function drawMembership(
  world: World,
  leader: Node,
  bits: number,
  { voters, learners }: Membership,
): { voters: readonly NodeId[]; learners: readonly NodeId[] } {
  const pick = bits >>> 8
  const oneOf = (ids: readonly NodeId[]): NodeId | undefined => ids[pick % ids.length]
  const without = (ids: readonly NodeId[], id: NodeId | undefined) => ids.filter((other) => other !== id)
  const voter = oneOf(voters)
  const learner = oneOf(learners)
  switch (bits % 8) {
    case 0:
    case 1: {
      const newcomer = freeNode(world, leader, pick, [...voters, ...learners])
      return { voters, learners: newcomer ? [...learners, newcomer.id] : learners }
    }
    case 2:
    case 3:
      return { voters: learner ? [...voters, learner] : voters, learners: without(learners, learner) }
    case 4:
      return { voters: without(voters, voter), learners }
    case 5:
      return { voters: without(voters, voter), learners: voter ? [...learners, voter] : learners }
    case 6:
      // A replacement in one joint change.
      return {
        voters: learner ? [...without(voters, voter), learner] : voters,
        learners: without(learners, learner),
      }
    default: {
      const chosen = [...voters, ...learners].filter((_, i) => (pick >>> i) & 1)
      return { voters: chosen, learners: [...voters, ...learners].filter((id) => !chosen.includes(id)) }
    }
  }
}

/**
 * A node that is no member: one that never became one, or a new incarnation in a slot whose last one is
 * removed for good. Wiping a member's disk would be out of contract.
 */
function freeNode(world: World, leader: Node, pick: number, members: readonly NodeId[]): Node | undefined {
  const removed = committedRemovals(world)
  const free = [...world.slots.keys()].filter((slot) => {
    const node = world.slots[slot]
    if (node === leader) return false
    return !node || removed.has(node.id) || (!members.includes(node.id) && node.life === 0)
  })
  const slot = free[pick % free.length]
  if (slot === undefined) return undefined
  const node = world.slots[slot]
  if (node && !removed.has(node.id)) return node
  if (node) crash(world, node)
  return addNode(world, slot)
}

function committedRemovals(world: World): ReadonlySet<NodeId> {
  const removed = new Set<NodeId>()
  for (const node of world.slots) {
    for (const id of node?.model.applied.membership.removed ?? []) removed.add(id)
  }
  return removed
}
