/** What a node tells of its log: the core's numbers, and the members by name. */
import type { NodeId, Status } from '../raft/index.ts'
import type { Member } from '../types.ts'
import type { LogStatus } from './replicated-log.ts'

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
