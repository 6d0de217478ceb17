/**
 * The follower's side of replication (3.5): take what the leader's log has, drop what conflicts, say how
 * far it goes. A result never says more than is durable; a heartbeat is answered at once, entries when the
 * disk has them.
 */
import { assert } from '../assert.ts'
import { hearTime } from './clock.ts'
import { hearCommit } from './contact.ts'
import { endTransfer } from './handover.ts'
import {
  append,
  entryBytes,
  bytesBetween,
  lastAtOrBefore,
  lastIndex,
  lastWithin,
  termAt,
  truncate,
} from './log.ts'
import { ROOM_MAX_BYTES } from './message.ts'
import type { AppendEntries, InstallSnapshot, Refusal } from './message.ts'
import { dropInstall, send } from './outbox.ts'
import type { RaftState } from './raft.ts'
import { becomeFollower } from './role.ts'
import type { Follower } from './role.ts'
import { armElectionTimer } from './timer.ts'
import type { Entry, Index, NodeId } from './types.ts'

/** A message of the leader of this term: whoever campaigned gives up, the timers begin anew (3.4). */
export function followLeader(
  raft: RaftState,
  from: NodeId,
  message: AppendEntries | InstallSnapshot,
): Follower {
  assert(message.term === raft.term, 'a leader of another term')
  assert(raft.role.kind !== 'leader', `two leaders in term ${raft.term}: ${raft.config.id} and ${from}`)
  if (raft.role.kind !== 'follower') becomeFollower(raft, raft.term, from)
  const role = raft.role as Follower
  assert(role.leader === null || role.leader === from, `two leaders in term ${raft.term}`)
  role.leader = from
  endTransfer(raft, from === raft.heir ? 'done' : 'elsewhere')
  raft.leaderHeardAtMs = raft.time.monotonicMs
  raft.leaderLostUntilMs = -Infinity
  armElectionTimer(raft)
  hearTime(raft, message.clusterTime)
  return role
}

export function onAppendEntries(raft: RaftState, from: NodeId, message: AppendEntries): void {
  const role = followLeader(raft, from, message)
  hearCommit(raft, message.commitIndex)
  const { prevIndex, prevTerm, entries, round } = message
  const term = termAt(raft.log, prevIndex)
  // What lies below our log is committed, and so the same in the leader's.
  if (term !== prevTerm && term !== 'compacted') {
    return sendResult(raft, role, round, refusalOf(raft, message))
  }
  const taken = prevIndex + takeEntries(raft, prevIndex, entries)
  role.receivedIndex = Math.max(role.receivedIndex, taken)
  // Only as far as this leader has shown its log to be ours (H14).
  raft.commitIndex = Math.max(raft.commitIndex, Math.min(message.commitIndex, role.receivedIndex))
  // The log has brought what a snapshot was to bring.
  if (raft.install !== null && raft.install.meta.index <= raft.commitIndex) dropInstall(raft)
  trustTail(raft, message.commitIndex)
  if (entries.length > 0) {
    const isDurable = raft.log.durableIndex >= taken
    // What has found no room was lost on its way, as far as the leader can tell: it sends it again after a heartbeat.
    const isWhole = taken === prevIndex + entries.length
    if ((isDurable && isWhole) || round > 0) sendResult(raft, role, round, null)
    role.owesResult ||= !isDurable
  } else if (round > 0) {
    sendResult(raft, role, round, null)
  }
}

/**
 * Appends what is missing, as far as the disk has room; truncates at the first real conflict, and only there (H15).
 * How many of the entries the log holds then.
 */
function takeEntries(raft: RaftState, prevIndex: Index, entries: readonly Entry[]): number {
  const { log } = raft
  let at = Math.max(0, log.base.index - prevIndex)
  while (at < entries.length && termAt(log, entries[at]!.index) === entries[at]!.term) at++
  const next = entries[at]
  if (next === undefined) return entries.length
  if (next.index <= lastIndex(log)) {
    assert(next.index > raft.commitIndex, `the leader contradicts committed entry ${next.index}`)
    truncate(log, next.index)
  }
  const end = endOfRoom(raft, entries, at)
  append(log, at === 0 && end === entries.length ? entries : entries.slice(at, end))
  return end
}

/** Of the entries from `at` on, those before this one fit on the disk, behind what it does not hold yet. */
function endOfRoom({ log, room }: RaftState, entries: readonly Entry[], at: number): number {
  if (room.entryBytes === Infinity) return entries.length
  let left = room.entryBytes - bytesBetween(log, log.durableIndex, lastIndex(log))
  let end = at
  while (end < entries.length && (left -= entryBytes(entries[end]!)) >= 0) end++
  return end
}

/**
 * On a full disk: lets go what was received and never stored, as a crash would, so that it stands in nobody's way.
 * Only a follower may: a candidate is voted for by the log that it has named (3.6.1), and a leader's grows only.
 */
export function dropWhatHasNoRoom(raft: RaftState): void {
  const { log, role, room, persisting } = raft
  if (room.entryBytes === Infinity || role.kind !== 'follower' || persisting !== null) return
  const kept = Math.max(
    lastWithin(log, room.entryBytes),
    raft.commitIndex,
    log.snapshot.index,
    log.base.index,
  )
  if (kept >= lastIndex(log)) return
  truncate(log, kept + 1)
  role.receivedIndex = Math.min(role.receivedIndex, kept)
}

/**
 * Caught up with a leader, durably: whatever the power loss took, a leader has given back. It must have committed
 * an entry of its own term: before that it does not know how much is committed.
 */
function trustTail(raft: RaftState, leaderCommit: Index): void {
  const { log, term } = raft
  if (!raft.tailInDoubt || termAt(log, leaderCommit) !== term) return
  raft.tailInDoubt = log.durableIndex < leaderCommit || raft.commitIndex < leaderCommit
}

function refusalOf(raft: RaftState, { prevIndex, prevTerm }: AppendEntries): Refusal {
  const hint = lastAtOrBefore(raft.log, prevIndex, prevTerm)
  return { prevIndex, hintIndex: hint.index, hintTerm: hint.term }
}

export function sendResult(raft: RaftState, role: Follower, round: number, refusal: Refusal | null): void {
  const { receivedIndex, leader } = role
  send(raft, leader!, {
    type: 'appendEntriesResult',
    term: raft.term,
    round,
    matchIndex: Math.min(receivedIndex, raft.log.durableIndex),
    receivedIndex,
    refusal,
    promiseMs: raft.config.leaseMs,
    roomBytes: roomBehind(raft),
  })
}

/** For new commands, when all that the log holds is on the disk. */
export function roomBehind({ log, room }: RaftState): number {
  const bytes = room.commandBytes - bytesBetween(log, log.durableIndex, lastIndex(log))
  return Math.floor(Math.max(0, Math.min(ROOM_MAX_BYTES, bytes)))
}

/** The disk has more: the leader is told what it waited for. */
export function sendOwedResult(raft: RaftState, role: Follower): void {
  if (!role.owesResult || role.leader === null) return
  role.owesResult = role.receivedIndex > raft.log.durableIndex
  sendResult(raft, role, 0, null)
}
