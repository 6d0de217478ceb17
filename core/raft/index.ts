/**
 * Consensus as a value that steps: the door to the Raft core. Everything a driver needs is here, and the
 * record's fields are not: only the chapters see them. Start reading at README.md.
 */
import type { Input } from './input.ts'
import type { Ready } from './ready.ts'
import type {
  EntryId,
  Index,
  MemberInfo,
  Membership,
  NodeId,
  RaftConfig,
  Recovered,
  SnapshotMeta,
  Term,
  Time,
} from './types.ts'

declare const opaque: unique symbol
/** The whole state of one node's consensus. Same state and same inputs give the same outputs. */
export interface Raft {
  readonly [opaque]: never
}

export type * from './types.ts'
export type * from './message.ts'
export type { Input } from './input.ts'
export type * from './ready.ts'

/** What a membership is to become; `expected` is `Status.membershipIndex` of the one it was made from. */
export interface MembershipChange {
  readonly expected: Index
  readonly voters: readonly NodeId[]
  readonly learners: readonly NodeId[]
  /** One for each voter and learner. */
  readonly members: Readonly<Record<NodeId, MemberInfo>>
}

export type MembershipProposal =
  | { readonly ok: true; readonly id: EntryId }
  /** Nothing was appended. */
  | {
      readonly ok: false
      readonly reason: 'notLeader' | 'notEstablished' | 'inProgress' | 'changedMeanwhile' | 'invalid'
      readonly message: string
    }

export interface PeerStatus {
  readonly id: NodeId
  readonly kind: 'probe' | 'replicate' | 'snapshot'
  readonly matchIndex: Index
  readonly nextIndex: Index
  /** Monotonic time of its last answer in this term. */
  readonly heardAtMs: number
}

export interface Status {
  readonly id: NodeId
  readonly term: Term
  readonly votedFor: NodeId | null
  readonly role: 'follower' | 'preCandidate' | 'candidate' | 'leader'
  readonly leader: NodeId | null
  readonly established: boolean
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
  /** Timers that fired later than a whole election timeout: this node stood still. */
  readonly stallCount: number
  readonly storageFailed: boolean
  /** Whom leadership is being handed to. */
  readonly transferTo: NodeId | null
  /** Of a leader; empty elsewhere. */
  readonly peers: readonly PeerStatus[]
}

/** A core over what the disk held. Throws when the log does not reach the snapshot (H49). */
export declare function createRaft(config: RaftConfig, recovered: Recovered, time: Time): Raft
/** Total: any input in any state. Monotonic time never goes back. */
export declare function step(raft: Raft, time: Time, input: Input): void
/**
 * Appends entries of commands, one for each of `datas`; their ids, or undefined when nothing was
 * appended: not the leader, handing over, storage failed, or `fenceTerm` is not the current term.
 * An id is lost when the entry committed at its index has another term.
 */
export declare function propose(
  raft: Raft,
  time: Time,
  datas: readonly Uint8Array[],
  fenceTerm?: Term,
): readonly EntryId[] | undefined
export declare function proposeMembership(
  raft: Raft,
  time: Time,
  change: MembershipChange,
): MembershipProposal
export declare function hasReady(raft: Raft): boolean
export declare function takeReady(raft: Raft): Ready
/** Monotonic milliseconds of the earliest timer; Infinity when there is none. */
export declare function nextDeadline(raft: Raft): number
/** The index at which a read is linearizable now, by the lease; undefined: use a `read` input. */
export declare function leaseRead(raft: Raft, time: Time): Index | undefined
/** The leader's cluster time, or this node's estimate of it. Milliseconds. */
export declare function clusterTimeNow(raft: Raft, time: Time): number
/** What a snapshot of the machine at `index` must carry; `snapshotIndex <= index <= appliedIndex`. */
export declare function snapshotMeta(raft: Raft, index: Index): SnapshotMeta
export declare function status(raft: Raft): Status
/** What `checkInvariants` remembers of a node from one step to the next. */
export interface Checked {
  readonly term: Term
  readonly votedFor: NodeId | null
  readonly commitIndex: Index
  readonly appliedIndex: Index
}
/** Throws when the state is not one that Raft can be in, or could not have come from `previous`. */
export declare function checkInvariants(raft: Raft, previous?: Checked): Checked
