/**
 * The nouns of the consensus core, by their published names (Figure 3.1 of the Raft thesis).
 *
 * Plain aliases, named precisely: an `Index` and a `Term` are numbers that are never mixed up because
 * they travel as an `EntryId` where both are meant.
 */

/** One incarnation of a member: `name/incarnation`. Never reused, so votes count per incarnation. */
export type NodeId = string

/** Number of an election era, from 1; 0 is "before the first election". At most one leader in each. */
export type Term = number

/** Position of an entry in the log, from 1; 0 is "none". */
export type Index = number

export interface EntryId {
  readonly index: Index
  readonly term: Term
}

/** What the clocks say when an input arrives. The core has no clock: time comes in with every input. */
export interface Time {
  /** Milliseconds of a clock that never goes back and knows no wall time. */
  readonly monotonicMs: number
  /** Milliseconds since 1970 UTC; may jump. Stamped into entries for people; compared with itself alone. */
  readonly wallMs: number
}

export type EntryKind = 'noop' | 'commands' | 'membership'

/** One log record. Its content is opaque to the core, except for a membership. */
export interface Entry {
  readonly index: Index
  readonly term: Term
  readonly kind: EntryKind
  /** Milliseconds of the cluster's duration clock, stamped by the leader; never falls along the log. */
  readonly clusterTime: number
  /** The leader's wall clock when it appended the entry; for people. */
  readonly wallTime: number
  /** Encoded commands; empty unless `kind` is `commands`. */
  readonly data: Uint8Array
  /** Present exactly when `kind` is `membership`. */
  readonly membership?: Membership | undefined
}

export interface MemberInfo {
  readonly name: string
  readonly incarnation: string
  /** Advertised `host:port` of the peer listener; empty on a single node, which opens none. */
  readonly address: string
  /** A learner that is to stay one until an operator promotes it: the policy leaves it alone. */
  readonly staysLearner?: true | undefined
}

/** Who counts, as of some entry. Joint (4.3) while `outgoing` is not empty: then both halves must agree. */
export interface Membership {
  readonly voters: readonly NodeId[]
  /** While joint, the voters so far. */
  readonly outgoing: readonly NodeId[]
  readonly learners: readonly NodeId[]
  readonly members: Readonly<Record<NodeId, MemberInfo>>
  /** Tombstones, oldest first: ids that have been members and never may be again; the last 256 of them. */
  readonly removed: readonly NodeId[]
}

/** What must be on disk before any answer that depends on it. */
export interface HardState {
  readonly term: Term
  readonly votedFor: NodeId | null
  /** Absent until a leader has been heard. */
  readonly wallMark?: WallMark | undefined
}

/** What a node's own wall clock says of cluster time. Never told to anybody: wall clocks differ. */
export interface WallMark {
  /** Cluster time minus the wall clock, in milliseconds. */
  readonly offsetMs: number
  /** Of the leader who said what cluster time was. */
  readonly term: Term
}

/** What a snapshot covers, and the facts of the log at that point. Index 0 is the founding state. */
export interface SnapshotMeta {
  readonly index: Index
  readonly term: Term
  readonly clusterTime: number
  readonly wallTime: number
  readonly membership: Membership
}

/** The settings of one node's core. All are positive; `leaseMs + driftMs <= electionTimeoutMs`. */
export interface RaftConfig {
  readonly id: NodeId
  /** The least time without a leader before a node campaigns; drawn anew from [1x, 2x) each time. */
  readonly electionTimeoutMs: number
  /** How often a leader shows itself; well below `electionTimeoutMs`. */
  readonly heartbeatMs: number
  /** How long a confirmed round of heartbeats lets the leader answer reads alone (6.4.1). */
  readonly leaseMs: number
  /**
   * The longest `leaseMs` that this node may have gone by before it was started: it votes for nobody for so long. Whole
   * milliseconds, as `leaseMs` is; default none but `leaseMs`.
   */
  readonly promisedMs?: number | undefined
  /** What two monotonic clocks may differ by within one lease; voters wait for it on top of the lease. */
  readonly driftMs: number
  /** Most bytes of entries in one AppendEntries; an entry that is larger travels alone. */
  readonly maxMessageBytes: number
  /** Most bytes of entries under way to one follower and not yet acknowledged. */
  readonly inflightBytes: number
  /** Most bytes of entries in one `Persist`; an entry that is larger is written alone. */
  readonly maxPersistBytes: number
  /** Most bytes of entries in one `Ready.committed`; an entry that is larger comes alone. */
  readonly maxReadyBytes: number
  /**
   * Most bytes of entries that a leader holds uncommitted; 64 MiB by default. Beyond it proposals are refused,
   * except when nothing is waiting: an entry that is larger is taken alone.
   */
  readonly maxUncommittedBytes?: number | undefined
  /** Bytes of entries kept in the log behind the newest snapshot, for followers that lag a little. */
  readonly retainBytes: number
  /** Where the randomized timeouts start from: any 32-bit number. */
  readonly seed: number
}

/** What this node's disk held when it started. */
export interface Recovered {
  readonly hardState: HardState
  /** The newest durable snapshot; the founding state (index 0) when there is none. */
  readonly snapshot: SnapshotMeta
  /** Contiguous and ascending; may begin below the snapshot, at most one above it. */
  readonly entries: readonly Entry[]
  /**
   * True when acknowledged entries may be missing at the end (a power loss under a relaxed fsync
   * mode): the node then grants no vote and does not campaign until it has caught up with a leader.
   */
  readonly tailInDoubt?: boolean | undefined
}
