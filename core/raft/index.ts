/**
 * The door to the Raft core: everything a driver needs, and none of the record's fields, which only the
 * chapters see. Start reading at README.md.
 */
import { proposeMembership as proposeMembershipIn } from './change.ts'
import type { MembershipProposal } from './change.ts'
import { clusterTimeNow as clusterTimeIn } from './clock.ts'
import { contactAtMs } from './contact.ts'
import type { Input } from './input.ts'
import { checkInvariants as checkInvariantsOf } from './invariants.ts'
import type { Checked } from './invariants.ts'
import { effectiveMembership } from './log.ts'
import { isJoint } from './membership.ts'
import type { MembershipChange } from './membership.ts'
import type { Standing } from './next-membership.ts'
import { membershipDue as membershipDueIn, promotable as promotableIn } from './promotion.ts'
import { recoverRaft as recover } from './raft.ts'
import type { RaftState, Room } from './raft.ts'
import { leaseRead as leaseReadIn } from './read.ts'
import { hasReady as hasReadyIn, takeReady as takeReadyOf } from './ready.ts'
import type { Ready } from './ready.ts'
import { quorumRoomBytes as quorumRoomBytesOf } from './replication.ts'
import { snapshotMeta as snapshotMetaOf } from './snapshot.ts'
import { status as statusOf } from './status.ts'
import type { Status } from './status.ts'
import {
  advanceTime,
  propose as proposeTo,
  step as stepIn,
  uncommittedBytes as uncommittedIn,
} from './step.ts'
import { heirWithRoom as heirWithRoomOf } from './transfer.ts'
import { nextDeadline as nextDeadlineOf } from './timer.ts'
import type { EntryId, Index, NodeId, RaftConfig, Recovered, SnapshotMeta, Term, Time } from './types.ts'

declare const opaque: unique symbol
/** The whole state of one node's consensus. The same state and the same inputs give the same outputs. */
export interface Raft {
  readonly [opaque]: never
}

export type * from './types.ts'
export type * from './message.ts'
export type { Input } from './input.ts'
export type {
  Leadership,
  Persist,
  ReadAnswer,
  Ready,
  RefusedRead,
  SnapshotRead,
  SnapshotWrite,
} from './ready.ts'
export { bury } from './membership.ts'
export type { MembershipChange } from './membership.ts'
export { addLearner, changeDue, demote, promote, readdress, remove, replace } from './next-membership.ts'
export type { Standing } from './next-membership.ts'
export type { Room } from './raft.ts'
export type { Removal } from './removal.ts'
export type { TransferEnd } from './handover.ts'
export type { MembershipProposal } from './change.ts'
export type { Status } from './status.ts'
export type { Checked } from './invariants.ts'

const inside = (raft: Raft) => raft as unknown as RaftState

/**
 * A core over what the disk held, in steps of a few milliseconds, between which others may have their turn. Throws when
 * the log does not reach back to the snapshot (H49).
 *
 * @param time no later than now: what was promised before the restart is reckoned from it.
 */
export function* recoverRaft(config: RaftConfig, recovered: Recovered, time: Time): Generator<void, Raft> {
  return (yield* recover(config, recovered, time)) as unknown as Raft
}

/** As `recoverRaft`, at once. */
export function createRaft(config: RaftConfig, recovered: Recovered, time: Time): Raft {
  const steps = recoverRaft(config, recovered, time)
  for (;;) {
    const taken = steps.next()
    if (taken.done === true) return taken.value
  }
}

/** Any input in any state. Monotonic time never goes back from one call to the next. */
export function step(raft: Raft, time: Time, input: Input): void {
  stepIn(inside(raft), time, input)
}

/**
 * Appends an entry of commands for each of `datas`, and returns their ids; undefined when nothing was
 * appended: this node does not lead, is handing over, has lost its disk, leads in another term than
 * `fenceTerm`, or has `maxUncommittedBytes` waiting to be committed. An id is settled by the entry committed at its index: of the same term, or it is lost.
 */
export function propose(
  raft: Raft,
  time: Time,
  datas: readonly Uint8Array[],
  fenceTerm?: Term,
): readonly EntryId[] | undefined {
  return proposeTo(inside(raft), time, datas, fenceTerm)
}

/** Appends the first step of a change of membership; the second follows by itself. */
export function proposeMembership(raft: Raft, time: Time, change: MembershipChange): MembershipProposal {
  if (!inside(raft).storageFailed) advanceTime(inside(raft), time)
  return proposeMembershipIn(inside(raft), change)
}

/** Bytes of entries in the log that are not committed: what a driver bounds its proposals by. */
export function uncommittedBytes(raft: Raft): number {
  return uncommittedIn(inside(raft))
}

/** The membership in force, and where it came from: the same object until another takes its place. */
export function membershipNow(raft: Raft): Standing {
  return effectiveMembership(inside(raft).log)
}

/** Whether it is committed, and not the first half of a change. */
export function isMembershipSettled(raft: Raft): boolean {
  const { index, membership } = membershipNow(raft)
  return index <= inside(raft).commitIndex && !isJoint(membership)
}

/**
 * Learners that keep up with the log, within an election timeout: those that `proposeMembership` lets become
 * voters. Empty on a node that does not lead.
 */
export function promotable(raft: Raft): readonly NodeId[] {
  return promotableIn(inside(raft))
}

/**
 * The one change that keeps `voters` voters (`cluster.voters`), or undefined: a lost incarnation is replaced by a
 * new one of its name that has caught up, once it is silent; else learners that have caught up become voters, two
 * at once where one would make their number even. For `proposeMembership`, by the node that leads; to be asked
 * after each turn or with each heartbeat.
 */
export function membershipDue(raft: Raft, voters: number): MembershipChange | undefined {
  return membershipDueIn(inside(raft), voters)
}

/** What the disk takes now: to be said before each turn. Without it there is room for everything. */
export function setRoom(raft: Raft, room: Room): void {
  inside(raft).room = room
}

/**
 * Of new commands, so many bytes find room on the disks of a quorum, behind all that this leader's log holds: more is
 * not to be proposed. As the followers have said last, one heartbeat ago or less; whether this node has room its log
 * store knows better. Infinity on a node that does not lead.
 */
export function quorumRoomBytes(raft: Raft): number {
  return quorumRoomBytesOf(inside(raft))
}

/**
 * To whom leadership may go when this leader's disk is full: a voter that keeps up and has room for `bytes` of new
 * commands. Undefined when there is none, or while it is being handed over already.
 */
export function heirWithRoom(raft: Raft, bytes: number): NodeId | undefined {
  return heirWithRoomOf(inside(raft), bytes)
}

/** Whether `takeReady` could bring anything. */
export function hasReady(raft: Raft): boolean {
  return hasReadyIn(inside(raft))
}

/** Ends a turn: all that the core wants done, once. */
export function takeReady(raft: Raft): Ready {
  return takeReadyOf(inside(raft))
}

/** Monotonic milliseconds of the earliest timer; Infinity when there is none. */
export function nextDeadline(raft: Raft): number {
  return nextDeadlineOf(inside(raft))
}

/**
 * The index at which a read is linearizable at `time`, given bounded clock drift; undefined without a
 * lease: use a `read` input. To be asked again just before the answer goes out.
 */
export function leaseRead(raft: Raft, time: Time): Index | undefined {
  return leaseReadIn(inside(raft), time)
}

/** How long ago what is applied here was known to be all that a leader had committed: see contact.ts. */
export function contactMs(raft: Raft, { monotonicMs }: Time): number {
  return Math.max(0, monotonicMs - contactAtMs(inside(raft)))
}

/** Cluster time in milliseconds, if this node leads; else its estimate. */
export function clusterTimeNow(raft: Raft, time: Time): number {
  return clusterTimeIn(inside(raft), time)
}

/** What a snapshot of the machine at `index` must carry; from the newest snapshot to what is applied. */
export function snapshotMeta(raft: Raft, index: Index): SnapshotMeta {
  return snapshotMetaOf(inside(raft), index)
}

export function status(raft: Raft): Status {
  return statusOf(inside(raft))
}

/** Throws when the state is none that Raft can be in, or could not have come from `previous`. */
export function checkInvariants(raft: Raft, previous?: Checked): Checked {
  return checkInvariantsOf(inside(raft), previous)
}
