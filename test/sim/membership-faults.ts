/** Operators: joins, promotions, removals, demotions, replacements, arbitrary jumps, and what the policy asks for. */
import {
  type Membership,
  type MembershipChange,
  membershipDue,
  type NodeId,
  proposeMembership,
  type Raft,
  status,
} from '../../core/raft/index.ts'
import { judgePromotion } from './judge-commit.ts'
import type { Fault } from './plan.ts'
import { crashFor } from './process-faults.ts'
import { crash, start, timeOf, wake } from './process.ts'
import { leaderOf } from './targets.ts'
import { addNode, later, memberInfo, type Node, say, type World } from './world.ts'

/** Asks the leader for a change drawn from the present membership; it may refuse. */
export function changeMembership(world: World, fault: Extract<Fault, { kind: 'membership' }>): void {
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
