/**
 * One space of keys: a table from key to slot, the columns behind it, the order of the keys, their deadlines,
 * the moments that are being read, and the hash of it all. Every change of the replicated state, whoever
 * asked for it, goes through `insert`, `replace`, `extend` and `remove`, so none of these can be forgotten.
 */
import type { Encoded, Stored } from '../codec.ts'
import type { Columns } from './columns.ts'
import * as columns from './columns.ts'
import type { Deadlines } from './deadlines.ts'
import { collectSlots, createDeadlines, earliest, schedule } from './deadlines.ts'
import { keyHash, laneA, laneB } from './hash.ts'
import type { Moment } from './moment.ts'
import { keepBeforeChange, keepBeforeRemoval } from './moment.ts'
import type { Order } from './order.ts'
import { appendKey, createOrder, isBefore, keyAppeared, keyGone, keysFrom, merge } from './order.ts'
import type { RecordView } from './result.ts'
import type { Table } from './table.ts'
import { addSlot, createTable, dropSlot, findSlot } from './table.ts'
import * as values from './values.ts'

export interface Keyspace {
  readonly id: number
  /** How many keys there are, those that are due among them. */
  count: number
  readonly table: Table
  readonly columns: Columns
  readonly order: Order
  readonly deadlines: Deadlines
  /** Open moments, which see none of the changes to come. */
  readonly moments: Set<Moment>
  hashA: number
  hashB: number
}

/** A large space has large pages: fewer of them to find one's way through. */
const PAGE_BITS = 9
const LARGE_PAGE_BITS = 12

export function createKeyspace(id: number, isLarge = false): Keyspace {
  return {
    id,
    count: 0,
    table: createTable(),
    columns: columns.createColumns(isLarge ? LARGE_PAGE_BITS : PAGE_BITS),
    order: createOrder(),
    deadlines: createDeadlines(),
    moments: new Set(),
    hashA: 0,
    hashB: 0,
  }
}

// ---------------------------------------------------------------------------------------------- reading

/** The slot of a key, good until the space changes; -1 when it is absent. */
export const find = (space: Keyspace, key: string): number =>
  findSlot(space.table, space.columns, key, keyHash(space.id, key))

/** The value as it leaves the machine: a copy, which `openStored` opens. */
export const valueAt = (space: Keyspace, slot: number): Stored => values.valueAt(space.columns, slot)

/** The value opened, as `openStored(valueAt(…))` does, without a step between. */
export const openAt = (space: Keyspace, slot: number): unknown => values.openAt(space.columns, slot)

/** How many bytes the value takes, encoded. */
export const bytesAt = (space: Keyspace, slot: number): number => values.bytesAt(space.columns, slot)

/** Of the key's last change. */
export const revisionAt = (space: Keyspace, slot: number): number => columns.revisionAt(space.columns, slot)

/** When the key is due, in ms of clusterTime; 0 when it does not expire. */
export const expiresAt = (space: Keyspace, slot: number): number => columns.expiresAt(space.columns, slot)

/** Whether the key should have gone by this clusterTime. */
export function dueAt(space: Keyspace, slot: number, clusterTime: number): boolean {
  const at = expiresAt(space, slot)
  return at !== 0 && at <= clusterTime
}

export const recordAt = (space: Keyspace, slot: number): RecordView => values.recordAt(space.columns, slot)

/** The record of a key as it stands; undefined when it is absent. */
export function findRecord(space: Keyspace, key: string): RecordView | undefined {
  const slot = find(space, key)
  return slot < 0 ? undefined : recordAt(space, slot)
}

/** Up to `max` keys in order, from `bound` on, or after it. */
export function keysInOrder(space: Keyspace, bound: string, inclusive: boolean, max: number): string[] {
  mergeOrder(space)
  return keysFrom(space.order, bound, inclusive, max)
}

export interface ScanOptions {
  /** Only keys that start with this. */
  readonly prefix?: string | undefined
  /** Only keys after this one. */
  readonly after?: string | undefined
  /** At most this many; default all. */
  readonly limit?: number | undefined
}

const SCAN_KEYS = 128

/**
 * Records in key order, as they stand when they are reached. The space may change between two of them:
 * each key is seen at most once, and one that is there all the time is seen. For one moment, see view.ts.
 */
export function* scan(space: Keyspace, options: ScanOptions = {}): Generator<RecordView, void, undefined> {
  const { prefix = '', after, limit = Infinity } = options
  let inclusive = after === undefined || !startsAfter(space, after, prefix)
  let bound = inclusive ? prefix : after!
  let left = limit
  for (;;) {
    const keys = keysInOrder(space, bound, inclusive, Math.min(left, SCAN_KEYS))
    if (keys.length === 0) return
    for (const key of keys) {
      if (!key.startsWith(prefix)) return
      const slot = find(space, key)
      if (slot < 0) continue
      yield recordAt(space, slot)
      if (--left === 0) return
    }
    bound = keys.at(-1)!
    inclusive = false
  }
}

/** Whether a scan after this key begins behind the start of the prefix. */
const startsAfter = (space: Keyspace, after: string, prefix: string): boolean =>
  after === prefix || isBefore(space.order, prefix, after)

/** When the first key of the space is due; Infinity when none expires. */
export function nextDueIn(space: Keyspace): number {
  const slot = earliest(space.deadlines)
  return slot < 0 ? Infinity : expiresAt(space, slot)
}

/** Up to `limit` slots that are due; costs as much as there are. */
export const dueSlots = (space: Keyspace, clusterTime: number, limit: number): number[] =>
  collectSlots(space.deadlines, space.columns, clusterTime, limit)

/** The slot that is due first, if it is due; else -1. */
export function firstDue(space: Keyspace, clusterTime: number): number {
  const slot = earliest(space.deadlines)
  return slot >= 0 && expiresAt(space, slot) <= clusterTime ? slot : -1
}

// --------------------------------------------------------------------------------------------- changing

/** Makes a key that is absent. */
export function insert(
  space: Keyspace,
  key: string,
  value: Encoded,
  revision: number,
  deadline: number,
): number {
  const slot = add(space, key, value, revision, revision, 1, deadline)
  if (keyAppeared(space.order, key)) mergeOrder(space)
  return slot
}

/** Gives a key another value and deadline. */
export function replace(
  space: Keyspace,
  slot: number,
  value: Encoded,
  revision: number,
  deadline: number,
): void {
  if (space.moments.size > 0) keepBeforeChange(space, slot)
  hash(space, slot, -1)
  values.overwriteValue(space.columns, slot, value)
  columns.setRevision(space.columns, slot, revision)
  schedule(space.deadlines, space.columns, slot, deadline)
  hash(space, slot, 1)
}

/** Gives a key another deadline; it keeps its value. */
export function extend(space: Keyspace, slot: number, revision: number, deadline: number): void {
  if (space.moments.size > 0) keepBeforeChange(space, slot)
  hash(space, slot, -1)
  columns.setRevision(space.columns, slot, revision)
  schedule(space.deadlines, space.columns, slot, deadline)
  hash(space, slot, 1)
}

export function remove(space: Keyspace, slot: number): void {
  if (space.moments.size > 0) keepBeforeRemoval(space, slot)
  hash(space, slot, -1)
  schedule(space.deadlines, space.columns, slot, 0)
  const key = columns.keyAt(space.columns, slot)
  dropSlot(space.table, slot, columns.keyHashAt(space.columns, slot))
  values.dropValue(space.columns, slot)
  columns.freeRow(space.columns, slot)
  space.count--
  if (keyGone(space.order, key)) mergeOrder(space)
}

/** Puts back a record as it was saved, behind all others of its space. */
export function restore(
  space: Keyspace,
  key: string,
  value: Encoded,
  revision: number,
  createRevision: number,
  version: number,
  deadline: number,
): void {
  add(space, key, value, revision, createRevision, version, deadline)
  appendKey(space.order, key)
}

function add(
  space: Keyspace,
  key: string,
  value: Encoded,
  revision: number,
  createRevision: number,
  version: number,
  deadline: number,
): number {
  const hashed = keyHash(space.id, key)
  const slot = columns.addRow(space.columns, key, hashed, revision, createRevision, version)
  values.writeValue(space.columns, slot, value)
  schedule(space.deadlines, space.columns, slot, deadline)
  addSlot(space.table, slot, hashed)
  hash(space, slot, 1)
  space.count++
  return slot
}

/** Adds a record to the hash, or takes it out. */
function hash(space: Keyspace, slot: number, sign: 1 | -1): void {
  space.hashA = (space.hashA + sign * columns.foldRow(space.columns, slot, laneA)) | 0
  space.hashB = (space.hashB + sign * columns.foldRow(space.columns, slot, laneB)) | 0
}

function mergeOrder(space: Keyspace): void {
  merge(space.order, (key) => find(space, key) >= 0)
}
