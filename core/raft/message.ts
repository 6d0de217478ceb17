/**
 * What nodes say to each other: the RPCs of Figure 3.1, PreVote (9.6), InstallSnapshot (Figure 5.3) and
 * TimeoutNow (3.10), one variant each, by their published names; and Removed, which ends a node.
 *
 * `term` is the sender's current term, PreVote excepted. Who sent a message is not in it: the transport
 * knows, and says so in the input. Results are matched by exact term; a duplicate or a late one is harmless.
 *
 * All are plain data. Terms, indexes, rounds and offsets are integers from 0 to 2^53 - 1, times finite numbers of
 * milliseconds. All have a fixed size, except two. AppendEntries: `maxMessageBytes` of entries, or one entry that is
 * larger. InstallSnapshot: 64 KiB of data, and with the first a membership of at most 64 members (128 while it is
 * joint) and 256 tombstones. A sender has at most `inflightBytes` of entries (and one message
 * more) or 1 MiB of a snapshot under way to one peer; all else is one message for each heartbeat, read round or answer.
 */
import type { Entry, EntryId, Index, NodeId, SnapshotMeta, Term } from './types.ts'

/** Why a node campaigns, which decides how much of a voter's loyalty to its leader is overruled (4.2.3). */
export type CampaignReason =
  /** Its election timeout passed: voters who heard a leader within theirs refuse. */
  | 'timeout'
  /** Its connection to the leader was reset and refused: voters refuse only within lease and drift. */
  | 'leaderLost'
  /** The leader asked it to (TimeoutNow), having given up its lease: nobody refuses for loyalty. */
  | 'transfer'

/** Would you vote for me? Changes nothing in whoever answers (9.6). */
export interface PreVote {
  readonly type: 'preVote'
  /** The term in which the sender would campaign: its own plus one. Nobody adopts it. */
  readonly term: Term
  /** The sender's number for this round of questions, from 1; comes back in the answer. */
  readonly round: number
  /** The sender's last entry; 0 and 0 when its log is empty. */
  readonly lastIndex: Index
  readonly lastTerm: Term
  readonly reason: CampaignReason
}

export interface PreVoteResult {
  readonly type: 'preVoteResult'
  readonly term: Term
  readonly round: number
  readonly granted: boolean
}

export interface RequestVote {
  readonly type: 'requestVote'
  readonly term: Term
  /** The candidate's last entry; 0 and 0 when its log is empty. */
  readonly lastIndex: Index
  readonly lastTerm: Term
  readonly reason: CampaignReason
}

export interface RequestVoteResult {
  readonly type: 'requestVoteResult'
  readonly term: Term
  readonly granted: boolean
  /** The voter's estimate of cluster time when it answered; null when it has none. */
  readonly clusterTime: number | null
  /** Of the leader from whom that estimate is; 0 without one. */
  readonly clockTerm: Term
  /** The voter has restarted, and has measured by its own wall clock how long it was down (clock.ts). */
  readonly isReckoned: boolean
}

/** Entries, a heartbeat (no entries, `round` > 0) or a notice of commitment (no entries, `round` 0). */
export interface AppendEntries {
  readonly type: 'appendEntries'
  readonly term: Term
  /** The entry just before those sent; 0 and 0 for the start of the log, or to check nothing. */
  readonly prevIndex: Index
  readonly prevTerm: Term
  /** Contiguous from `prevIndex + 1`; may be empty. At most `maxMessageBytes`, or one entry that is larger. */
  readonly entries: readonly Entry[]
  readonly commitIndex: Index
  /** The round of heartbeats this belongs to, from 1 in each term; 0 belongs to none and confirms nothing. */
  readonly round: number
  /** The leader's cluster time when it sent this. */
  readonly clusterTime: number
}

export interface AppendEntriesResult {
  readonly type: 'appendEntriesResult'
  readonly term: Term
  /** The round of the message answered; 0 confirms nothing. */
  readonly round: number
  /** Up to here the follower's log equals the leader's and is durable; 0: nothing known to be. */
  readonly matchIndex: Index
  /** Up to here it equals the leader's, durable or not; at least `matchIndex`. */
  readonly receivedIndex: Index
  /** Null when the entry before those sent was there. */
  readonly refusal: Refusal | null
  /** For so long since it heard this round the follower votes for nobody; in ms of its own clock. */
  readonly promiseMs: number
  /**
   * Room on the follower's disk for entries of new commands, behind all that it has received; in bytes, up to
   * `ROOM_MAX_BYTES`, which stands for as much as anybody could want. 0: such entries may find none.
   */
  readonly roomBytes: number
}

/** More room than this is not told apart. */
export const ROOM_MAX_BYTES = 1024 * 1024 * 1024

/** The follower lacks the entry (`prevIndex`, its term), and says where to look next (3.5, end). */
export interface Refusal {
  readonly prevIndex: Index
  /** The follower's last entry at or before `prevIndex` whose term is not above `prevTerm`; 0 and 0: none. */
  readonly hintIndex: Index
  readonly hintTerm: Term
}

/** One piece of a snapshot (Figure 5.3). Pieces come in order, several may be under way. */
export interface InstallSnapshot {
  readonly type: 'installSnapshot'
  readonly term: Term
  /** Whole with the first bytes; of all others the id, which says whose they are. */
  readonly meta: SnapshotMeta | EntryId
  /** Where `data` belongs in the snapshot; 0 begins it, unless the receiver has a part of it from this sender. */
  readonly offset: number
  /** At most 64 KiB; empty only with `done`. */
  readonly data: Uint8Array
  readonly done: boolean
  readonly clusterTime: number
}

export interface InstallSnapshotResult {
  readonly type: 'installSnapshotResult'
  readonly term: Term
  readonly snapshotIndex: Index
  /** Bytes that the follower has written so far: what was sent before that is not needed again. */
  readonly offset: number
  /** True when a piece is missing: send again from `offset`. */
  readonly gap: boolean
  /** As in AppendEntriesResult; at or above `snapshotIndex` once the snapshot is installed or not needed. */
  readonly matchIndex: Index
}

/** Campaign now, without a pre-vote: the leader hands over (3.10). */
export interface TimeoutNow {
  readonly type: 'timeoutNow'
  readonly term: Term
}

/**
 * You are no member any more, and your id never will be one again: the answer of whoever knows that for
 * committed to anything that a removed node says (H58). True whoever says it and however far behind he is: a
 * tombstone, once committed, is in every later membership, and ids are never used again (H44).
 */
export interface Removed {
  readonly type: 'removed'
  readonly term: Term
  /** Of the entry or snapshot whose membership has the receiver's tombstone; committed. */
  readonly index: Index
}

export type Message =
  | PreVote
  | PreVoteResult
  | RequestVote
  | RequestVoteResult
  | AppendEntries
  | AppendEntriesResult
  | InstallSnapshot
  | InstallSnapshotResult
  | TimeoutNow
  | Removed

/** A message and whom it is for. */
export interface Envelope {
  readonly to: NodeId
  readonly message: Message
}
