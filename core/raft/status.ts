/** What may be known of a core from outside: numbers and names, copied. */
import { bytesBetween, effectiveMembership, lastId } from './log.ts'
import { nextIndexOf } from './progress.ts'
import { isAnswering, isCaughtUp } from './promotion.ts'
import type { RaftState } from './raft.ts'
import type { Leadership } from './ready.ts'
import type { Removal } from './removal.ts'
import { isEstablished, leaderOf } from './role.ts'
import { uncommittedBytes } from './step.ts'
import type { Index, Membership, NodeId, Term } from './types.ts'

export interface PeerStatus {
  readonly id: NodeId
  readonly kind: 'probe' | 'replicate' | 'snapshot'
  readonly matchIndex: Index
  readonly nextIndex: Index
  /** Monotonic time of its last answer in this term. */
  readonly heardAtMs: number
  /** It has answered in this term, and within an election timeout. */
  readonly answers: boolean
  /** It keeps up with the log, within an election timeout: a learner that does may be promoted. */
  readonly caughtUp: boolean
}

export interface Status extends Leadership {
  readonly id: NodeId
  readonly votedFor: NodeId | null
  /** The entry before the first one held. */
  readonly baseIndex: Index
  readonly snapshotIndex: Index
  readonly appliedIndex: Index
  readonly commitIndex: Index
  readonly durableIndex: Index
  readonly lastIndex: Index
  readonly lastTerm: Term
  /** Bytes of entries held in memory, and of those of them that are not committed. */
  readonly logBytes: number
  readonly uncommittedBytes: number
  readonly membership: Membership
  /** Index of the entry (or snapshot) that the membership came from. */
  readonly membershipIndex: Index
  /** Ticks that came later than a whole election timeout: this node stood still. */
  readonly stallCount: number
  readonly storageFailed: boolean
  /** It may lack what it has acknowledged: no vote until a leader has caught it up. */
  readonly tailInDoubt: boolean
  /** Whom leadership is being handed to. */
  readonly transferTo: NodeId | null
  /** Not null: this node is no member any more, for good. */
  readonly removal: Removal | null
  /** Of a leader; empty elsewhere. */
  readonly peers: readonly PeerStatus[]
}

export function status(raft: RaftState): Status {
  const { config, log, role } = raft
  const last = lastId(log)
  const { index, membership } = effectiveMembership(log)
  const peers = role.kind === 'leader' ? [...role.peers.values()] : []
  return {
    id: config.id,
    term: raft.term,
    votedFor: raft.votedFor,
    role: role.kind,
    leader: leaderOf(raft),
    established: isEstablished(raft),
    baseIndex: log.base.index,
    snapshotIndex: log.snapshot.index,
    appliedIndex: raft.appliedIndex,
    commitIndex: raft.commitIndex,
    durableIndex: log.durableIndex,
    lastIndex: last.index,
    lastTerm: last.term,
    logBytes: bytesBetween(log, log.base.index, last.index),
    uncommittedBytes: uncommittedBytes(raft),
    membership,
    membershipIndex: index,
    stallCount: raft.stallCount,
    storageFailed: raft.storageFailed,
    tailInDoubt: raft.tailInDoubt,
    removal: raft.removal,
    transferTo: role.kind === 'leader' ? (role.transfer?.to ?? null) : null,
    peers: peers.map((peer) => ({
      id: peer.id,
      kind: peer.progress.kind,
      matchIndex: peer.matchIndex,
      nextIndex: nextIndexOf(peer),
      heardAtMs: peer.heardAtMs,
      answers: isAnswering(raft, peer),
      caughtUp: isCaughtUp(raft, peer),
    })),
  }
}
