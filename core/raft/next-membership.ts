/**
 * From one membership to the next, as values: what an operator or the policy wants, put as the change that
 * `proposeMembership` takes. Nothing is judged here; the leader judges (change.ts, promotion.ts).
 */
import { isJoint } from './membership.ts'
import type { MembershipChange } from './membership.ts'
import type { Index, MemberInfo, Membership, NodeId } from './types.ts'

/** A membership and the index it came from: `membership` and `membershipIndex` of `status`. */
export interface Standing {
  readonly index: Index
  readonly membership: Membership
}

/** Everybody joins as a learner: it gets the log, and does not count. */
export function addLearner(standing: Standing, id: NodeId, info: MemberInfo): MembershipChange {
  const { voters, learners } = standing.membership
  return changeTo(standing, voters, [...without(learners, [id]), id], { [id]: info })
}

/** Learners become voters, all in one joint change: from one voter to three, say. */
export function promote(standing: Standing, ids: readonly NodeId[]): MembershipChange {
  const { voters, learners, members } = standing.membership
  const news = ids.flatMap((id) =>
    Object.hasOwn(members, id) ? [[id, unmarked(members[id]!)] as const] : [],
  )
  return changeTo(
    standing,
    [...without(voters, ids), ...ids],
    without(learners, ids),
    Object.fromEntries(news),
  )
}

/** A voter becomes a learner: it stays, counts no more, and is promoted by nobody but an operator. */
export function demote(standing: Standing, id: NodeId): MembershipChange {
  const { voters, learners, members } = standing.membership
  const info = members[id]
  const news = info === undefined ? {} : { [id]: { ...info, staysLearner: true as const } }
  return changeTo(standing, without(voters, [id]), [...without(learners, [id]), id], news)
}

const unmarked = ({ name, incarnation, address }: MemberInfo): MemberInfo => ({ name, incarnation, address })

/** For ever: its id is tombstoned. */
export function remove(standing: Standing, id: NodeId): MembershipChange {
  const { voters, learners } = standing.membership
  return changeTo(standing, without(voters, [id]), without(learners, [id]))
}

/** A new incarnation, a learner, takes the place of a lost one, in one joint change: as what that was meant to be. */
export function replace(standing: Standing, lost: NodeId, by: NodeId): MembershipChange {
  const { voters, learners, members } = standing.membership
  const isVoter = voters.includes(lost)
  const info = members[by]
  const isMarked = !isVoter && info !== undefined && members[lost]?.staysLearner === true
  return changeTo(
    standing,
    voters.map((id) => (id === lost ? by : id)),
    without(learners, isVoter ? [lost, by] : [lost]),
    isMarked ? { [by]: { ...info, staysLearner: true } } : {},
  )
}

/** Addresses are data: who counts stays as it is. */
export function readdress(standing: Standing, id: NodeId, address: string): MembershipChange {
  const { voters, learners, members } = standing.membership
  const info = members[id]
  return changeTo(standing, voters, learners, info === undefined ? {} : { [id]: { ...info, address } })
}

const without = (ids: readonly NodeId[], gone: readonly NodeId[]) => ids.filter((id) => !gone.includes(id))

function changeTo(
  { index, membership }: Standing,
  voters: readonly NodeId[],
  learners: readonly NodeId[],
  news: Readonly<Record<NodeId, MemberInfo>> = {},
): MembershipChange {
  const known = Object.entries({ ...membership.members, ...news })
  const stays = (id: NodeId) => voters.includes(id) || learners.includes(id)
  return { expected: index, voters, learners, members: Object.fromEntries(known.filter(([id]) => stays(id))) }
}

// ---------------------------------------------------------------------------------------- the policy

export interface Policy {
  /** How many voters there are to be: `cluster.voters`. */
  readonly voters: number
  /** Learners that may be promoted. */
  readonly caughtUp: readonly NodeId[]
  /** Members that are there. */
  readonly answering: readonly NodeId[]
}

/** The one change that the policy asks for now; undefined when all is as it is to be, or nothing can be done yet. */
export function changeDue(standing: Standing, policy: Policy): MembershipChange | undefined {
  if (isJoint(standing.membership)) return undefined
  return replacementDue(standing, policy) ?? promotionDue(standing, policy)
}

/** An incarnation that is silent gives way to a later one of its name; one that counts, when that has caught up. */
function replacementDue(standing: Standing, { caughtUp, answering }: Policy): MembershipChange | undefined {
  const { voters, learners } = standing.membership
  for (const by of learners) {
    const lost = namesakes(standing.membership, by).find((id) => !answering.includes(id))
    if (lost === undefined) continue
    if (
      voters.includes(lost) ? caughtUp.includes(by) : isLater(learners, by, lost) && answering.includes(by)
    ) {
      return replace(standing, lost, by)
    }
  }
  return undefined
}

const isLater = (learners: readonly NodeId[], id: NodeId, other: NodeId) =>
  learners.indexOf(id) > learners.indexOf(other)

/** Other members of the same name. */
function namesakes({ voters, learners, members }: Membership, id: NodeId): NodeId[] {
  const name = members[id]?.name
  return [...voters, ...learners].filter((other) => other !== id && members[other]?.name === name)
}

/**
 * As many as are wanted and ready. An even number of voters survives no more failures than one fewer, so it is no
 * step on the way: from one voter to three is one change, when both have caught up.
 */
function promotionDue(
  standing: Standing,
  { voters: wanted, caughtUp }: Policy,
): MembershipChange | undefined {
  const { membership } = standing
  const count = membership.voters.length
  const mayCount = (id: NodeId) =>
    namesakes(membership, id).length === 0 && membership.members[id]?.staysLearner !== true
  const ready = caughtUp.filter(mayCount)
  let size = Math.min(wanted, count + ready.length)
  if (size < wanted && size % 2 === 0) size--
  return size > count ? promote(standing, ready.slice(0, size - count)) : undefined
}
