/**
 * The record: the whole state of one node's consensus, and how it is made from what the disk held. The
 * chapters are functions over it. Nobody outside this folder sees its fields.
 *
 * Volatile state is rebuilt as Figure 3.1 says: commitIndex and appliedIndex start at the snapshot.
 */
import { assert } from '../assert.ts'
import { reckon } from './clock.ts'
import type { Anchor } from './clock.ts'
import { NO_CONTACT } from './contact.ts'
import type { Contact } from './contact.ts'
import { effectiveMembership, recoverLog } from './log.ts'
import type { Log } from './log.ts'
import { isSolitary, isSoleVoter } from './membership.ts'
import type { Envelope } from './message.ts'
import { draw, seedFor } from './prng.ts'
import type { Leadership, ReadAnswer, RefusedRead, SnapshotRead, SnapshotWrite } from './ready.ts'
import type { Removal } from './removal.ts'
import type { Role } from './role.ts'
import type { TransferEnd } from './handover.ts'
import type {
  EntryId,
  HardState,
  Index,
  NodeId,
  RaftConfig,
  Recovered,
  SnapshotMeta,
  Term,
  Time,
  WallMark,
} from './types.ts'

/** What the next `Ready` takes along. */
export interface Out {
  send: Envelope[]
  installed: SnapshotMeta | null
  reads: ReadAnswer[]
  refusedReads: RefusedRead[]
  compact: Index | null
  snapshotReads: SnapshotRead[]
  snapshotWrites: SnapshotWrite[]
  transfersEnded: TransferEnd[]
  removed: Removal | null
}

/** A snapshot on its way in. It outlives roles and terms (H53). */
export interface Install {
  /** Whose bytes they are. */
  readonly from: NodeId
  readonly meta: SnapshotMeta
  /** Bytes accepted, and of those the bytes written. */
  offset: number
  writtenOffset: number
  /** The last piece was accepted: the disk will say `snapshotReceived` or `snapshotRejected`. */
  finishing: boolean
}

/** A write: what will be durable when it is done, and what was still to be done, if it is refused. */
export interface Persisting {
  readonly sequence: number
  readonly hardState: HardState
  readonly last: EntryId
  /** Null: term and vote alone. */
  readonly before: {
    readonly stagedIndex: Index
    readonly truncateFrom: Index | null
    readonly resetTo: SnapshotMeta | null
  } | null
}

/** See `LogRoom` of the ports: bytes of entries that go to the disk without waiting. */
export interface Room {
  /** Of new commands. */
  readonly commandBytes: number
  /** Of entries that were promised elsewhere; term and vote have space beside them. */
  readonly entryBytes: number
}

export interface RaftState {
  readonly config: RaftConfig
  /** What the clocks said at the last input. */
  time: Time
  term: Term
  votedFor: NodeId | null
  /** Of term and vote, what the disk has confirmed. */
  durable: HardState
  role: Role
  readonly log: Log
  commitIndex: Index
  /** Up to here entries were handed over to be applied; snapshotIndex <= appliedIndex <= commitIndex. */
  appliedIndex: Index
  /** Where cluster time stood, and when, by our monotonic clock; null when we have restarted and not heard. */
  clock: Anchor | null
  /** The same by our own wall clock, which says for how long we were down; null when the disk had no mark. */
  reckoning: Anchor | null
  /** What our wall clock is worth: to be on disk with the entries of whoever said so. */
  wallMark: WallMark | undefined
  /** State of the generator that draws election timeouts. */
  random: number
  electionDeadlineMs: number
  /** When a message of a leader was last accepted: what loyalty and leases are counted from (4.2.3). */
  leaderHeardAtMs: number
  contact: Contact
  /** No vote before this: a node that has restarted does not know what lease it had helped to (6.4.1). */
  votesFromMs: number
  /** Until then the leader is taken to be dead, because its connection is. */
  leaderLostUntilMs: number
  preVoteRound: number
  install: Install | null
  tailInDoubt: boolean
  /** It leads no more and has told this node to: settled by whoever leads next. */
  heir: NodeId | null
  /** It is no member any more, for good. */
  removal: Removal | null
  stallCount: number
  storageFailed: boolean
  /** Messages of this term that may not leave before the term and the vote are durable. */
  held: Envelope[]
  persistSequence: number
  /** The write under way. */
  persisting: Persisting | null
  /** The last write was not done, for want of room. */
  refusal: { readonly atMs: number; readonly hadMore: boolean } | null
  /** What the disk takes now. */
  room: Room
  /** The disk's log must be dropped before anything else is written. */
  resetTo: SnapshotMeta | null
  out: Out
  /** Something was put in since the last `takeReady`. */
  touched: boolean
  toldLeadership: Leadership
}

export function emptyOut(): Out {
  return {
    send: [],
    installed: null,
    reads: [],
    refusedReads: [],
    compact: null,
    snapshotReads: [],
    snapshotWrites: [],
    transfersEnded: [],
    removed: null,
  }
}

/** In steps: the log that the disk held may be long. */
export function* recoverRaft(
  config: RaftConfig,
  recovered: Recovered,
  time: Time,
): Generator<void, RaftState> {
  assert(config.leaseMs + config.driftMs <= config.electionTimeoutMs, 'leaseMs + driftMs > electionTimeoutMs')
  const { hardState, snapshot } = recovered
  const { log, stale } = yield* recoverLog(snapshot, recovered.entries)
  const lastTerm = recovered.entries.at(-1)?.term ?? 0
  if (hardState.term < lastTerm) {
    throw new Error(`the log has an entry of term ${lastTerm}, but the saved term is ${hardState.term}`)
  }
  // A received snapshot may have become durable before the term in which it came. No vote of that term can have
  // been said, since it would have been saved with it.
  const isBehind = hardState.term < snapshot.term
  const { membership } = effectiveMembership(log)
  const alone = isSoleVoter(membership, config.id)
  const { state, value } = draw(seedFor(config.seed, config.id))
  const now = time.monotonicMs
  const hasNoPast = (hardState.term === 0 && !isBehind) || isSolitary(membership, config.id)
  const raft: RaftState = {
    config,
    time,
    term: isBehind ? snapshot.term : hardState.term,
    votedFor: isBehind ? null : hardState.votedFor,
    durable: hardState,
    role: { kind: 'follower', leader: null, receivedIndex: 0, owesResult: false },
    log,
    commitIndex: snapshot.index,
    appliedIndex: snapshot.index,
    clock: null,
    reckoning: reckon(hardState.wallMark, time),
    wallMark: hardState.wallMark,
    random: state,
    electionDeadlineMs: now + config.electionTimeoutMs * (1 + value),
    leaderHeardAtMs: -Infinity,
    contact: NO_CONTACT,
    votesFromMs: hasNoPast ? now : now + Math.max(config.leaseMs, config.promisedMs ?? 0) + config.driftMs,
    leaderLostUntilMs: -Infinity,
    preVoteRound: 0,
    install: null,
    tailInDoubt: recovered.tailInDoubt === true && !alone,
    heir: null,
    removal: null,
    stallCount: 0,
    storageFailed: false,
    held: [],
    persistSequence: 0,
    persisting: null,
    refusal: null,
    room: { commandBytes: Infinity, entryBytes: Infinity },
    resetTo: stale ? snapshot : null,
    out: emptyOut(),
    touched: stale,
    toldLeadership: { term: hardState.term, role: 'follower', leader: null, established: false },
  }
  if (alone) raft.electionDeadlineMs = raft.votesFromMs
  return raft
}
