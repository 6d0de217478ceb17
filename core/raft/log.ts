/**
 * The log since the snapshot, in memory: the core never reads the disk after it has started. It owns the
 * entries, how much of them is durable, and the memberships they contain, because all of these must
 * fall together when a tail is truncated. Sections 3.5, 3.8, 5.1 and Figure 5.3 of the thesis.
 *
 * 1. base.index <= snapshot.index; entries run from base.index + 1 without a hole, terms never fall.
 * 2. durableIndex <= max(stagedIndex, snapshot.index); stagedIndex <= lastIndex.
 * 3. memberships[0] is the snapshot's; the others are the membership entries above it, ascending.
 * 4. Entries at or below the snapshot are committed and never truncated.
 */
import { assert, AssertionError } from '../assert.ts'
import type { Entry, EntryId, Index, Membership, SnapshotMeta, Term } from './types.ts'

export interface MembershipRecord {
  readonly index: Index
  readonly membership: Membership
}

export interface Log {
  /** The newest durable snapshot; index 0 is the founding state. */
  snapshot: SnapshotMeta
  /** The entry just before the first one held. */
  base: EntryId
  readonly entries: Entry[]
  /** Bytes of all entries ever held up to and including `entries[i]`: differences are sizes. */
  readonly ends: number[]
  baseEnd: number
  /** Up to here the log survives a crash, in itself or in the snapshot. */
  durableIndex: Index
  /** Up to here it has been handed to the disk. */
  stagedIndex: Index
  /** What the disk still holds from here on is no longer in the log; null: nothing. */
  truncateFrom: Index | null
  readonly memberships: MembershipRecord[]
}

/** What an entry costs beyond its data, about: header, object, array slots. */
const ENTRY_OVERHEAD_BYTES = 96

/** What a membership takes for each member and for each tombstone, about: an id, a name, an address. */
const MEMBER_BYTES = 128
const TOMBSTONE_BYTES = 48

export function entryBytes(entry: Entry): number {
  return ENTRY_OVERHEAD_BYTES + entry.data.length + membershipBytes(entry.membership)
}

function membershipBytes(membership: Membership | undefined): number {
  if (membership === undefined) return 0
  const { members, removed } = membership
  return MEMBER_BYTES * Object.keys(members).length + TOMBSTONE_BYTES * removed.length
}

/** An empty log that goes on after `snapshot`. */
export function createLog(snapshot: SnapshotMeta): Log {
  return {
    snapshot,
    base: { index: snapshot.index, term: snapshot.term },
    entries: [],
    ends: [],
    baseEnd: 0,
    durableIndex: snapshot.index,
    stagedIndex: snapshot.index,
    truncateFrom: null,
    memberships: [{ index: snapshot.index, membership: snapshot.membership }],
  }
}

export interface RecoveredEntries {
  readonly log: Log
  /** True when the disk's log does not lead up to the snapshot and must be dropped there too. */
  readonly stale: boolean
}

/** Entries that are taken in at a time when a node starts: about two milliseconds. */
const STEP_ENTRIES = 4096

/**
 * The log from what the disk held, in steps, by the rule of Figure 5.3: entries are kept only if they lead through
 * the snapshot's last entry; a crash between installing a snapshot and dropping the log is mended here.
 * Throws when entries between the snapshot and the log are missing (H49).
 */
export function* recoverLog(
  snapshot: SnapshotMeta,
  entries: readonly Entry[],
): Generator<void, RecoveredEntries> {
  const log = createLog(snapshot)
  const first = entries[0]
  if (first === undefined) return { log, stale: false }
  if (first.index > snapshot.index + 1) {
    throw new Error(
      `the log begins at index ${first.index}, but the snapshot ends at ${snapshot.index}: ` +
        'the entries between are missing',
    )
  }
  const hasLed = first.index <= snapshot.index
  if (hasLed) {
    const last = entries.at(-1)!
    const atSnapshot = entries[snapshot.index - first.index]
    if (last.index < snapshot.index || atSnapshot?.term !== snapshot.term) return { log, stale: true }
    log.base = { index: first.index, term: first.term }
  }
  for (let at = hasLed ? 1 : 0; at < entries.length; at += STEP_ENTRIES) {
    append(log, entries.slice(at, at + STEP_ENTRIES))
    yield
  }
  log.durableIndex = lastIndex(log)
  log.stagedIndex = lastIndex(log)
  return { log, stale: false }
}

export function lastIndex(log: Log): Index {
  return log.base.index + log.entries.length
}

export function lastId(log: Log): EntryId {
  return log.entries.at(-1) ?? log.base
}

/** The term, clusterTime and wallTime of the newest entry, or of the snapshot when there is none. */
export function lastStamp(log: Log): Pick<Entry, 'term' | 'clusterTime' | 'wallTime'> {
  return log.entries.at(-1) ?? log.snapshot
}

/** Never 0 for what is unknown: a compacted index has a term, it is just not held any more (H20). */
export function termAt(log: Log, index: Index): Term | 'compacted' | 'missing' {
  if (index < log.base.index) return 'compacted'
  if (index === log.base.index) return log.base.term
  return log.entries[index - log.base.index - 1]?.term ?? 'missing'
}

/** 3.6.1: later term in the last entry, or the same and at least as long. */
export function isUpToDate(log: Log, theirs: EntryId): boolean {
  const ours = lastId(log)
  return theirs.term > ours.term || (theirs.term === ours.term && theirs.index >= ours.index)
}

/** Appends entries that follow the last one. */
export function append(log: Log, entries: readonly Entry[]): void {
  let previous = lastId(log)
  let end = log.ends.at(-1) ?? log.baseEnd
  for (const entry of entries) {
    // A restart passes all of its log through here: what a failure would say is not put together before.
    if (entry.index !== previous.index + 1 || entry.term < previous.term) misplaced(entry, previous)
    end += entryBytes(entry)
    log.entries.push(entry)
    log.ends.push(end)
    if (entry.membership !== undefined && entry.index > log.snapshot.index) {
      log.memberships.push({ index: entry.index, membership: entry.membership })
    }
    previous = entry
  }
}

function misplaced(entry: Entry, previous: EntryId): never {
  assert(entry.index === previous.index + 1, `entry ${entry.index} appended after ${previous.index}`)
  throw new AssertionError(`term ${entry.term} appended after ${previous.term}`)
}

/**
 * Drops the entries from `from` on. The only way a log becomes shorter at its end, so whatever is counted
 * along the log is lowered here (H16): durable and staged index, and memberships (H56).
 */
export function truncate(log: Log, from: Index): void {
  assert(from > log.snapshot.index && from > log.base.index, `truncating a snapshot's entry ${from}`)
  const kept = from - log.base.index - 1
  log.entries.length = Math.min(log.entries.length, kept)
  log.ends.length = log.entries.length
  if (log.stagedIndex >= from) {
    log.truncateFrom = Math.min(log.truncateFrom ?? from, from)
    log.stagedIndex = from - 1
  }
  log.durableIndex = Math.min(log.durableIndex, from - 1)
  while (log.memberships.at(-1)!.index >= from) log.memberships.pop()
}

/** Bytes of the entries above `after`, up to and including `through`; what is not held counts 0. */
export function bytesBetween(log: Log, after: Index, through: Index): number {
  return Math.max(0, endAt(log, through) - endAt(log, after))
}

function endAt(log: Log, index: Index): number {
  if (index <= log.base.index) return log.baseEnd
  return log.ends[Math.min(index, lastIndex(log)) - log.base.index - 1] ?? log.baseEnd
}

/** Entries from `from` through `through`, as many as fit into `maxBytes`, and at least one. */
export function slice(log: Log, from: Index, through: Index, maxBytes: number): Entry[] {
  assert(from > log.base.index, `entry ${from} is compacted`)
  const start = from - log.base.index - 1
  const stop = Math.min(through, lastIndex(log)) - log.base.index
  const limit = endAt(log, from - 1) + maxBytes
  let end = start
  while (end < stop && (end === start || log.ends[end]! <= limit)) end++
  return log.entries.slice(start, end)
}

/**
 * The last entry at or before `index` whose term is at most `term`; index 0 when none is held. Both sides
 * of a refused AppendEntries use it to skip whole terms instead of single entries (3.5, end). Terms never
 * fall along the log, so it is a binary search.
 */
export function lastAtOrBefore(log: Log, index: Index, term: Term): EntryId {
  let low = 0
  let high = Math.min(index, lastIndex(log)) - log.base.index
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (log.entries[middle - 1]!.term <= term) low = middle
    else high = middle - 1
  }
  if (low > 0) return log.entries[low - 1]!
  return log.base.index <= index && log.base.term <= term ? log.base : { index: 0, term: 0 }
}

export function effectiveMembership(log: Log): MembershipRecord {
  return log.memberships.at(-1)!
}

/** What no truncation can take back any more. */
export function committedMembership(log: Log, commitIndex: Index): MembershipRecord {
  let at = log.memberships.length - 1
  while (log.memberships[at]!.index > commitIndex) at--
  return log.memberships[at]!
}

/** The membership in force at `index`, which is at or above the snapshot: what a snapshot there holds (H52). */
export function membershipAt(log: Log, index: Index): Membership {
  assert(index >= log.snapshot.index, `no membership is known at ${index}, before the snapshot`)
  return log.memberships.findLast((record) => record.index <= index)!.membership
}

/** A newer snapshot covers the log up to its index, of which the log holds the same entry. */
export function adoptSnapshot(log: Log, meta: SnapshotMeta): void {
  assert(termAt(log, meta.index) === meta.term, `the log does not hold the snapshot's entry ${meta.index}`)
  const later = log.memberships.filter((record) => record.index > meta.index)
  log.memberships.splice(0, Infinity, { index: meta.index, membership: meta.membership }, ...later)
  log.snapshot = meta
  log.durableIndex = Math.max(log.durableIndex, meta.index)
}

/** Forgets entries up to `index`, which the snapshot covers and the disk has been given. */
export function compact(log: Log, index: Index): void {
  assert(index <= log.snapshot.index && index <= log.stagedIndex, `compacting ${index} too early`)
  const count = index - log.base.index
  if (count <= 0) return
  const term = log.entries[count - 1]!.term
  log.baseEnd = log.ends[count - 1]!
  log.entries.splice(0, count)
  log.ends.splice(0, count)
  log.base = { index, term }
}

/** Drops everything: the log goes on after a snapshot that it does not lead up to (Figure 5.3). */
export function restart(log: Log, meta: SnapshotMeta): void {
  Object.assign(log, createLog(meta))
}

export interface Staged {
  readonly truncateFrom: Index | null
  readonly entries: readonly Entry[]
  /** What the log on disk then ends with. */
  readonly last: EntryId
}

/** Whether the disk lacks entries, and has `roomBytes` for the first of them. */
export function canStage(log: Log, roomBytes: number): boolean {
  const first = log.entries[firstUnstaged(log) - log.base.index - 1]
  return first !== undefined && (roomBytes === Infinity || entryBytes(first) <= roomBytes)
}

/**
 * The first `maxBytes` of what the disk has not been given yet, and at least one entry; from now on it has. No more
 * than `roomBytes`, and then maybe none.
 */
export function stage(log: Log, maxBytes: number, roomBytes = Infinity): Staged {
  const { truncateFrom } = log
  const from = firstUnstaged(log)
  const bytes = Math.min(maxBytes, roomBytes)
  const entries = canStage(log, roomBytes) ? slice(log, from, lastIndex(log), bytes) : []
  const last = entries.at(-1) ?? { index: from - 1, term: termAt(log, from - 1) as Term }
  log.truncateFrom = null
  log.stagedIndex = last.index
  return { truncateFrom, entries, last }
}

function firstUnstaged(log: Log): Index {
  return Math.max(log.stagedIndex, log.base.index) + 1
}

/** The disk was not given what was staged behind `stagedIndex`, nor told to truncate from `truncateFrom`. */
export function unstage(log: Log, stagedIndex: Index, truncateFrom: Index | null): void {
  // Cut meanwhile: what the disk never had it need not be told to drop.
  const cut = log.truncateFrom !== null && log.truncateFrom <= stagedIndex ? log.truncateFrom : Infinity
  const from = Math.min(cut, truncateFrom ?? Infinity)
  log.truncateFrom = from === Infinity ? null : from
  log.stagedIndex = Math.min(log.stagedIndex, stagedIndex)
}

/** The last entry that fits into `roomBytes` together with all that the disk does not hold yet. */
export function lastWithin(log: Log, roomBytes: number): Index {
  let through = lastIndex(log)
  while (through > log.durableIndex && bytesBetween(log, log.durableIndex, through) > roomBytes) through--
  return through
}

/**
 * The disk holds the log up to `written`. Believed only while the log still has that very entry: the index
 * may have been rewritten in a newer term since (H17). True when the durable index rose.
 */
export function markDurable(log: Log, written: EntryId): boolean {
  if (written.index <= log.durableIndex || termAt(log, written.index) !== written.term) return false
  log.durableIndex = written.index
  return true
}
