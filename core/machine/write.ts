/**
 * The changes that commands make of keys, and what watchers are told of them. Every write path ends here:
 * single commands, batches, transactions, expiry and slices alike (H72).
 */
import type { Encoded } from '../codec.ts'
import type { Entry } from '../raft/types.ts'
import type { CommandHeader } from './command.ts'
import type { Keyspace } from './keyspace.ts'
import { dueAt, extend, find, insert, nextDueIn, recordAt, remove, replace, revisionAt } from './keyspace.ts'
import type { Machine } from './machine.ts'
import type { Change, RecordView } from './result.ts'

/** One entry being applied. */
export interface Run {
  readonly machine: Machine
  readonly entry: Entry
  /** Undefined when nobody watches. */
  readonly changes: Change[] | undefined
  /** Of the command at hand. */
  header: CommandHeader
  /** Changes that the command at hand has made itself; keys that it found due do not count. */
  effects: number
}

const NOBODY = { actor: undefined, requestId: undefined, trace: undefined }

/** The revision that the next change will have. */
export const nextRevision = (run: Run): number => run.machine.revision + 1

/** The slot of a key that is there and not due; a key that is due goes first, at its own revision. */
export function meet(run: Run, space: Keyspace, key: string): number {
  const slot = find(space, key)
  if (slot < 0 || !dueAt(space, slot, run.machine.clusterTime)) return slot
  const revision = nextRevision(run)
  run.machine.revision = revision
  expireKey(run, space, slot, revision)
  return -1
}

/** Lets all keys that are due go, together at one revision. Returns how many. */
export function meetAll(run: Run, space: Keyspace, keys: Iterable<{ readonly key: string }>): number {
  if (nextDueIn(space) > run.machine.clusterTime) return 0
  const revision = nextRevision(run)
  let expired = 0
  for (const { key } of keys) {
    const slot = find(space, key)
    if (slot < 0 || !dueAt(space, slot, run.machine.clusterTime)) continue
    expireKey(run, space, slot, revision)
    expired++
  }
  if (expired > 0) run.machine.revision = revision
  return expired
}

/** Sets a key; `slot` is where it is, or -1. `ttlMs` 0: it does not expire. */
export function putKey(
  run: Run,
  space: Keyspace,
  slot: number,
  key: string,
  value: Encoded,
  ttlMs: number,
  revision: number,
): void {
  const previous = run.changes === undefined || slot < 0 ? undefined : recordAt(space, slot)
  const now = setKey(run, space, slot, key, value, ttlMs, revision)
  if (run.changes !== undefined)
    tell(run, run.changes, space, 'put', recordAt(space, now), previous, revision)
}

/** As `putKey`, for a key whose deadline stays: an increment. */
export function changeValue(
  run: Run,
  space: Keyspace,
  slot: number,
  value: Encoded,
  deadline: number,
  revision: number,
): void {
  const previous = run.changes === undefined ? undefined : recordAt(space, slot)
  replace(space, slot, value, revision, deadline)
  run.effects++
  if (run.changes !== undefined)
    tell(run, run.changes, space, 'put', recordAt(space, slot), previous, revision)
}

export function touchKey(run: Run, space: Keyspace, slot: number, ttlMs: number, revision: number): void {
  const previous = run.changes === undefined ? undefined : recordAt(space, slot)
  extend(space, slot, revision, run.machine.clusterTime + ttlMs)
  run.effects++
  if (run.changes !== undefined)
    tell(run, run.changes, space, 'touch', recordAt(space, slot), previous, revision)
}

export function deleteKey(run: Run, space: Keyspace, slot: number, revision: number): void {
  run.effects++
  goneKey(run, space, slot, 'delete', revision)
}

export function expireKey(run: Run, space: Keyspace, slot: number, revision: number): void {
  goneKey(run, space, slot, 'expire', revision)
}

/** The revision that conditions compare with; `slot` -1 is an absent key: 0. */
export const conditionRevision = (space: Keyspace, slot: number): number =>
  slot < 0 ? 0 : revisionAt(space, slot)

function setKey(
  run: Run,
  space: Keyspace,
  slot: number,
  key: string,
  value: Encoded,
  ttlMs: number,
  revision: number,
): number {
  const deadline = ttlMs === 0 ? 0 : run.machine.clusterTime + ttlMs
  run.effects++
  if (slot < 0) return insert(space, key, value, revision, deadline)
  replace(space, slot, value, revision, deadline)
  return slot
}

function goneKey(run: Run, space: Keyspace, slot: number, type: 'delete' | 'expire', revision: number): void {
  if (run.changes === undefined) {
    remove(space, slot)
    return
  }
  const record = recordAt(space, slot)
  remove(space, slot)
  tell(run, run.changes, space, type, record, record, revision)
}

function tell(
  run: Run,
  changes: Change[],
  space: Keyspace,
  type: Change['type'],
  record: RecordView,
  previous: RecordView | undefined,
  revision: number,
): void {
  const { entry, machine } = run
  // A key goes because its time has come, not because of who came across it.
  const header = type === 'expire' ? NOBODY : run.header
  const isGone = type === 'delete' || type === 'expire'
  changes.push({
    space: space.id,
    type,
    key: record.key,
    revision,
    createRevision: record.createRevision,
    version: record.version,
    value: isGone ? undefined : record.value,
    previous,
    expiresAt: record.expiresAt,
    index: entry.index,
    clusterTime: machine.clusterTime,
    wallTime: entry.wallTime,
    actor: header.actor,
    requestId: header.requestId,
    trace: header.trace,
  })
}
