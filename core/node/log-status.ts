/** What is known of a node's log from outside: for people, and for judging its peers. */
import { isMembershipSettled, membershipNow, status } from '../raft/index.ts'
import type { Acknowledged } from '../ports.ts'
import type { EntryId, Membership, NodeId, Raft, Status } from '../raft/index.ts'
import type { Member } from '../types.ts'
import type { LogStatus } from './replicated-log.ts'

/** By what peers are judged. */
export interface Knowledge {
  /** Who belongs to the cluster, and who was removed from it. */
  readonly membership: Membership
  /** It is committed, and not the first half of a change. */
  readonly isSettled: boolean
  /** The last entry that is durable here. */
  readonly durable: EntryId
  /** Up to where followers have acknowledged the log; nobody on a node that does not lead. */
  acknowledged(): Acknowledged
  /** Monotonic time at which the leader last heard a member, or began to lead; `undefined` on a node that does not lead. */
  heardAtMs(id: NodeId): number | undefined
}

export function knowledgeOf(raft: Raft): Knowledge {
  return {
    membership: membershipNow(raft).membership,
    isSettled: isMembershipSettled(raft),
    get durable() {
      const { durableIndex: index, lastIndex, lastTerm } = status(raft)
      // Of an older entry only that it is not newer matters.
      return { index, term: index === lastIndex ? lastTerm : 0 }
    },
    acknowledged: () => {
      const { term, peers } = status(raft)
      return { term, upTo: new Map(peers.map(({ id, matchIndex }) => [id, matchIndex])) }
    },
    heardAtMs: (id) => status(raft).peers.find((peer) => peer.id === id)?.heardAtMs,
  }
}

export interface NodeFacts {
  readonly isStopped: boolean
  readonly ready: boolean
  readonly stalls: LogStatus['stalls']
}

export function logStatus(raft: Status, { isStopped, ready, stalls }: NodeFacts): LogStatus {
  const { role, term, leader, commitIndex, appliedIndex, lastIndex, snapshotIndex, membership } = raft
  const members = [...membership.voters, ...membership.learners].map((id) =>
    memberOf(id, membership.members[id], membership.voters.includes(id), leader),
  )
  return {
    role: isStopped ? 'stopped' : role,
    term,
    leader,
    ready,
    commitIndex,
    appliedIndex,
    lastIndex,
    snapshotIndex,
    stalls,
    members,
  }
}

function memberOf(
  id: NodeId,
  info: { readonly name: string; readonly address: string } | undefined,
  isVoter: boolean,
  leader: NodeId | null,
): Member {
  return {
    id,
    name: info?.name ?? id,
    address: info?.address ?? '',
    role: isVoter ? 'voter' : 'learner',
    leader: id === leader,
  }
}
