/**
 * One space of keys: a map from key to slot, the columns behind it, the order of the keys, their deadlines,
 * the moments that are being read, and the hash of it all. Every change of the replicated state, whoever
 * asked for it, goes through `insert`, `replace`, `extend` and `remove`, so none of these can be forgotten.
 *
 * The map is many maps, chosen by a cheap hash of the key: one that holds a million keys takes tens of
 * milliseconds to grow, and all writes would wait for it.
 */
import type { Stored } from '../codec.ts'
import type { Columns, Page } from './columns.ts'
import {
  createColumns,
  expiresAtOf,
  freeSlot,
  offsetOf,
  pageOf,
  recordAt as recordInColumns,
  takeSlot,
} from './columns.ts'
import type { Deadlines } from './deadlines.ts'
import { collectSlots, createDeadlines, earliest, schedule } from './deadlines.ts'
import { contentHash, laneA, laneB } from './hash.ts'
import type { Moment } from './moment.ts'
import { keepBeforeChange, keepBeforeRemoval } from './moment.ts'
import type { Order } from './order.ts'
import { appendKey, createOrder, isBefore, keyAppeared, keyGone, keysFrom, merge } from './order.ts'
import type { RecordView } from './result.ts'

const SHARDS = 256
/** With fewer keys than this one map does; then it is dealt out, once. */
const ONE_MAP_KEYS = 4096

export interface Keyspace {
  readonly id: number
  count: number
  /** One, or SHARDS. */
  shards: Map<string, number>[]
  readonly columns: Columns
  readonly order: Order
  readonly deadlines: Deadlines
  /** Open moments, which see none of the changes to come. */
  readonly moments: Moment[]
  hashA: number
  hashB: number
}

export function createKeyspace(id: number): Keyspace {
  return {
    id,
    count: 0,
    shards: [new Map()],
    columns: createColumns(),
    order: createOrder(),
    deadlines: createDeadlines(),
    moments: [],
    hashA: 0,
    hashB: 0,
  }
}

// ---------------------------------------------------------------------------------------------- reading

/** The slot of a key, good until the space changes; -1 when it is absent. */
export function find(space: Keyspace, key: string): number {
  const slot = shardOf(space, key).get(key)
  return slot === undefined ? -1 : slot
}

export const valueAt = (space: Keyspace, slot: number): Stored =>
  pageOf(space.columns, slot).values[offsetOf(slot)]!

export const revisionAt = (space: Keyspace, slot: number): number =>
  pageOf(space.columns, slot).revision[offsetOf(slot)]!

/** When the key is due, in ms of clusterTime; 0 when it does not expire. */
export const expiresAt = (space: Keyspace, slot: number): number => expiresAtOf(space.columns, slot)

/** Whether the key should have gone by this clusterTime. */
export function dueAt(space: Keyspace, slot: number, clusterTime: number): boolean {
  const at = expiresAtOf(space.columns, slot)
  return at !== 0 && at <= clusterTime
}

export const recordAt = (space: Keyspace, slot: number): RecordView => recordInColumns(space.columns, slot)

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
  return slot < 0 ? Infinity : expiresAtOf(space.columns, slot)
}

/** Up to `limit` slots that are due; costs as much as there are. */
export const dueSlots = (space: Keyspace, clusterTime: number, limit: number): number[] =>
  collectSlots(space.deadlines, space.columns, clusterTime, limit)

/** The slot that is due first, if it is due; else -1. */
export function firstDue(space: Keyspace, clusterTime: number): number {
  const slot = earliest(space.deadlines)
  return slot >= 0 && expiresAtOf(space.columns, slot) <= clusterTime ? slot : -1
}

// --------------------------------------------------------------------------------------------- changing

/** Makes a key that is absent. */
export function insert(
  space: Keyspace,
  key: string,
  value: Stored,
  revision: number,
  deadline: number,
): number {
  const slot = place(space, key, value, revision, revision, 1, deadline)
  if (keyAppeared(space.order, key)) mergeOrder(space)
  return slot
}

/** Gives a key another value. */
export function replace(
  space: Keyspace,
  slot: number,
  value: Stored,
  revision: number,
  deadline: number,
): void {
  if (space.moments.length > 0) keepBeforeChange(space, slot)
  unhash(space, slot)
  const page = pageOf(space.columns, slot)
  const at = offsetOf(slot)
  page.values[at] = value
  page.content[at] = contentHash(space.id, page.keys[at]!, value)
  page.revision[at] = revision
  countChange(page, at)
  schedule(space.deadlines, space.columns, slot, deadline)
  hash(space, slot)
}

/** Gives a key another deadline; it keeps its value. */
export function extend(space: Keyspace, slot: number, revision: number, deadline: number): void {
  if (space.moments.length > 0) keepBeforeChange(space, slot)
  unhash(space, slot)
  const page = pageOf(space.columns, slot)
  const at = offsetOf(slot)
  page.revision[at] = revision
  countChange(page, at)
  schedule(space.deadlines, space.columns, slot, deadline)
  hash(space, slot)
}

/** Stands still at the end of its range rather than begin anew. */
function countChange(page: Page, at: number): void {
  if (page.version[at]! < 0xffffffff) page.version[at]!++
}

export function remove(space: Keyspace, slot: number): void {
  if (space.moments.length > 0) keepBeforeRemoval(space, slot)
  unhash(space, slot)
  schedule(space.deadlines, space.columns, slot, 0)
  const key = pageOf(space.columns, slot).keys[offsetOf(slot)]!
  shardOf(space, key).delete(key)
  freeSlot(space.columns, slot)
  space.count--
  if (keyGone(space.order, key)) mergeOrder(space)
}

/** Puts back a record as it was saved, behind all others of its space. */
export function restore(space: Keyspace, record: RecordView): void {
  const { key, value, revision, createRevision, version } = record
  place(space, key, value, revision, createRevision, version, record.expiresAt)
  appendKey(space.order, key)
}

function place(
  space: Keyspace,
  key: string,
  value: Stored,
  revision: number,
  createRevision: number,
  version: number,
  deadline: number,
): number {
  const { columns } = space
  const slot = takeSlot(columns)
  const page = pageOf(columns, slot)
  const at = offsetOf(slot)
  page.keys[at] = key
  page.values[at] = value
  page.revision[at] = revision
  page.createRevision[at] = createRevision
  page.version[at] = version
  page.content[at] = contentHash(space.id, key, value)
  schedule(space.deadlines, columns, slot, deadline)
  if (++space.count > ONE_MAP_KEYS && space.shards.length === 1) deal(space)
  shardOf(space, key).set(key, slot)
  hash(space, slot)
  return slot
}

function hash(space: Keyspace, slot: number): void {
  const page = pageOf(space.columns, slot)
  const at = offsetOf(slot)
  const content = page.content[at]!
  const revision = page.revision[at]!
  const created = page.createRevision[at]!
  const version = page.version[at]!
  const deadline = page.expiresAt === undefined ? 0 : page.expiresAt[at]!
  space.hashA = (space.hashA + laneA(content, revision, created, version, deadline)) | 0
  space.hashB = (space.hashB + laneB(content, revision, created, version, deadline)) | 0
}

function unhash(space: Keyspace, slot: number): void {
  const page = pageOf(space.columns, slot)
  const at = offsetOf(slot)
  const content = page.content[at]!
  const revision = page.revision[at]!
  const created = page.createRevision[at]!
  const version = page.version[at]!
  const deadline = page.expiresAt === undefined ? 0 : page.expiresAt[at]!
  space.hashA = (space.hashA - laneA(content, revision, created, version, deadline)) | 0
  space.hashB = (space.hashB - laneB(content, revision, created, version, deadline)) | 0
}

function mergeOrder(space: Keyspace): void {
  merge(space.order, (key) => find(space, key) >= 0)
}

function shardOf(space: Keyspace, key: string): Map<string, number> {
  const { shards } = space
  return shards.length === 1 ? shards[0]! : shards[shardIndex(key)]!
}

/** All of a short key; of a long one its end, and samples of what comes before. */
function shardIndex(key: string): number {
  const units = key.length
  let h = units
  let i = 0
  if (units > 32) {
    const stride = units >>> 3
    for (; i < units - 16; i += stride) h = Math.imul(h, 31) + key.charCodeAt(i)
    i = units - 16
  }
  for (; i < units; i++) h = (Math.imul(h, 31) + key.charCodeAt(i)) | 0
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b)
  return (h >>> 16) & (SHARDS - 1)
}

function deal(space: Keyspace): void {
  const [only] = space.shards
  space.shards = Array.from({ length: SHARDS }, () => new Map<string, number>())
  for (const [key, slot] of only!) shardOf(space, key).set(key, slot)
}
