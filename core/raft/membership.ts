/**
 * Who counts (chapter 4). A membership is a value; the one in force is the last one in the log, committed
 * or not, and the log rolls it back with the entries (H56). Every change of voters goes through a joint
 * membership, in which both the old and the new voters must agree (4.3), so any set can follow any other.
 *
 *     C_old --> enterJoint --> C_old,new committed --> leaveJoint --> C_new
 *
 * Proposing and the moments at which the leader moves on are in change.ts.
 */
import type { Electorate } from './quorum.ts'
import type { Index, MemberInfo, Membership, NodeId } from './types.ts'

/** Voters and learners together: a membership travels whole, in its entry and with each snapshot. */
const MEMBERS_MAX = 64
/**
 * Tombstones that are kept: of those who left last. One that is forgotten costs a removed node no more than the word
 * that it was removed: its votes and acknowledgements are those of its directory as before, its log is older than
 * any that has its removal, and when it campaigns it is told all the same (removal.ts).
 */
const TOMBSTONES_MAX = 256

/** What a membership is to become; `expected` is the index of the membership it was made from. */
export interface MembershipChange {
  readonly expected: Index
  readonly voters: readonly NodeId[]
  readonly learners: readonly NodeId[]
  /** One for each voter and learner. */
  readonly members: Readonly<Record<NodeId, MemberInfo>>
}

export function isJoint(membership: Membership): boolean {
  return membership.outgoing.length > 0
}

/** Whether it may campaign and counts in quorums. */
export function isVoter(membership: Electorate, id: NodeId): boolean {
  return membership.voters.includes(id) || membership.outgoing.includes(id)
}

/** The only voter: it needs nobody to lead. */
export function isSoleVoter({ voters, outgoing }: Electorate, id: NodeId): boolean {
  return voters.length === 1 && voters[0] === id && outgoing.every((voter) => voter === id)
}

/** Nobody else is a member, or ever was: no other leader can have had its help. */
export function isSolitary(membership: Membership, id: NodeId): boolean {
  return isSoleVoter(membership, id) && memberIds(membership).length === 1 && membership.removed.length === 0
}

/** Everybody who receives the log, each once: voters first, in the order of the membership. */
export function memberIds(membership: Membership): NodeId[] {
  return [...new Set([...membership.voters, ...membership.outgoing, ...membership.learners])]
}

/** Why a leader does not append a change. */
export type ChangeRefusal =
  | 'notLeader'
  /** No entry of the leader's own term is committed yet (H54): again in a moment. */
  | 'notEstablished'
  /** Another change is under way: again when it is committed. */
  | 'inProgress'
  /** The membership is not the one that the change was made from (H55). */
  | 'changedMeanwhile'
  /** It would leave no voter (H60). */
  | 'lastVoter'
  /** It brings back an id that was removed (H44). */
  | 'tombstoned'
  /** It promotes one that does not keep up with the log (H59): again when `promotable` names it. */
  | 'notCaughtUp'
  /** It replaces an incarnation that still answers. */
  | 'stillAnswers'
  /** Too few of its voters answer to agree on anything (H60). */
  | 'noQuorum'
  /** It contradicts itself. */
  | 'invalid'

export interface ChangeProblem {
  readonly reason: ChangeRefusal
  readonly message: string
}

/** What is wrong with a change, whoever is there to carry it out; undefined when nothing is. */
export function problemWith(current: Membership, change: MembershipChange): ChangeProblem | undefined {
  const invalid = (message: string): ChangeProblem => ({ reason: 'invalid', message })
  const ids = [...change.voters, ...change.learners]
  if (change.voters.length === 0) {
    const names = current.voters.map((id) => current.members[id]?.name ?? id).join(', ')
    const message = `no voter would be left without ${names}: add another member and promote it first`
    return { reason: 'lastVoter', message }
  }
  if (ids.length > MEMBERS_MAX)
    return invalid(`members: found ${ids.length}, expected at most ${MEMBERS_MAX}`)
  if (new Set(ids).size !== ids.length) return invalid('voters and learners: found an id twice')
  for (const id of ids) {
    if (!Object.hasOwn(change.members, id)) return invalid(`members: nothing about ${id}`)
    if (current.removed.includes(id)) {
      const message = `${id} has been removed, and an id is never used again`
      return { reason: 'tombstoned', message }
    }
  }
  const extra = Object.keys(change.members).find((id) => !ids.includes(id))
  return extra === undefined ? undefined : invalid(`members: ${extra} is neither a voter nor a learner`)
}

/** The first step: joint when the voters change, at once the final one when only learners or addresses do. */
export function enterJoint(current: Membership, change: MembershipChange): Membership {
  const { voters, learners } = change
  const sameVoters =
    voters.length === current.voters.length && voters.every((id) => current.voters.includes(id))
  const joint: Membership = {
    voters,
    outgoing: current.voters,
    learners,
    members: { ...current.members, ...change.members },
    removed: current.removed,
  }
  return sameVoters ? leaveJoint(joint) : joint
}

/** The tombstones when these have left, too. */
export function bury(removed: readonly NodeId[], ids: readonly NodeId[]): NodeId[] {
  return [...removed, ...ids].slice(-TOMBSTONES_MAX)
}

/** The second step: the incoming voters alone. Whoever has no place any more is tombstoned. */
export function leaveJoint(joint: Membership): Membership {
  const stays = (id: NodeId) => joint.voters.includes(id) || joint.learners.includes(id)
  const members = Object.entries(joint.members)
  return {
    voters: joint.voters,
    outgoing: [],
    learners: joint.learners,
    members: Object.fromEntries(members.filter(([id]) => stays(id))),
    removed: bury(
      joint.removed,
      members.map(([id]) => id).filter((id) => !stays(id)),
    ),
  }
}
