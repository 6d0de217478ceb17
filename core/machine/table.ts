/**
 * From key to slot: an open-addressed hash table (linear probing, deletion by shifting back). The hash of a
 * key stands beside its slot, so that neither growing nor passing by other keys reads their rows: reaching
 * for memory is what a look-up among millions costs. A place takes 8 bytes for what a `Map` takes 30.
 *
 * It is many small tables, chosen by the upper bits of the hash: to double one that holds a million keys
 * takes tens of milliseconds, and all writes would wait for it. They fill up evenly, so each has a level of
 * its own at which it doubles: at one level, all of them would within a few hundred keys.
 */
import type { Columns } from './columns.ts'
import { keyAt } from './columns.ts'

const SHARD_BITS = 8
/** With fewer keys than this there is one table; then it is dealt out, once. */
const ONE_TABLE_KEYS = 4096
const FIRST_PLACES = 16
/** The parts of its places at which the first shard doubles, and the one after the last would. */
const LEAST_FULL = 0.55
const MOST_FULL = 0.8

interface Shard {
  /** Pairs: the hash of a key, and its slot plus 1; 0 is free. The number of pairs is a power of 2. */
  pairs: Int32Array
  count: number
  /** The part of its places that may be taken. */
  readonly full: number
}

export interface Table {
  /** One, or 2^SHARD_BITS. */
  shards: Shard[]
  count: number
}

export const createTable = (): Table => ({ shards: [createShard(0)], count: 0 })

/** The slot of a key, or -1. */
export function findSlot(table: Table, columns: Columns, key: string, hash: number): number {
  const { pairs } = shardOf(table, hash)
  const mask = maskOf(pairs)
  for (let at = (hash << 1) & mask; ; at = (at + 2) & mask) {
    const slot = pairs[at + 1]! - 1
    if (slot < 0) return -1
    if (pairs[at] === hash && keyAt(columns, slot) === key) return slot
  }
}

/** Adds a slot whose key is not in the table. */
export function addSlot(table: Table, slot: number, hash: number): void {
  if (++table.count > ONE_TABLE_KEYS && table.shards.length === 1) deal(table)
  place(shardOf(table, hash), slot, hash)
}

/** Removes a slot that is in the table. */
export function dropSlot(table: Table, slot: number, hash: number): void {
  const shard = shardOf(table, hash)
  const { pairs } = shard
  const mask = maskOf(pairs)
  let hole = (hash << 1) & mask
  while (pairs[hole + 1] !== slot + 1) hole = (hole + 2) & mask
  for (let at = (hole + 2) & mask; pairs[at + 1] !== 0; at = (at + 2) & mask) {
    const home = (pairs[at]! << 1) & mask
    // It may move into the hole unless its home lies behind the hole, on the way to where it stands.
    if (((at - home) & mask) < ((at - hole) & mask)) continue
    pairs[hole] = pairs[at]!
    pairs[hole + 1] = pairs[at + 1]!
    hole = at
  }
  pairs[hole + 1] = 0
  shard.count--
  table.count--
}

/** @param part where the shard stands among all, from 0 to 1. */
const createShard = (part: number): Shard => ({
  pairs: new Int32Array(2 * FIRST_PLACES),
  count: 0,
  full: LEAST_FULL + part * (MOST_FULL - LEAST_FULL),
})

const shardOf = ({ shards }: Table, hash: number): Shard =>
  shards.length === 1 ? shards[0]! : shards[hash >>> (32 - SHARD_BITS)]!

/** Of the positions at which pairs begin. */
const maskOf = (pairs: Int32Array): number => pairs.length - 2

function place(shard: Shard, slot: number, hash: number): void {
  if (++shard.count > (shard.pairs.length / 2) * shard.full) grow(shard)
  settle(shard.pairs, slot + 1, hash)
}

function settle(pairs: Int32Array, filled: number, hash: number): void {
  const mask = maskOf(pairs)
  let at = (hash << 1) & mask
  while (pairs[at + 1] !== 0) at = (at + 2) & mask
  pairs[at] = hash
  pairs[at + 1] = filled
}

function grow(shard: Shard): void {
  const { pairs } = shard
  shard.pairs = new Int32Array(pairs.length * 2)
  for (let at = 0; at < pairs.length; at += 2) {
    if (pairs[at + 1] !== 0) settle(shard.pairs, pairs[at + 1]!, pairs[at]!)
  }
}

function deal(table: Table): void {
  const { pairs } = table.shards[0]!
  table.shards = Array.from({ length: 1 << SHARD_BITS }, (_, at) => createShard(at / (1 << SHARD_BITS)))
  for (let at = 0; at < pairs.length; at += 2) {
    const hash = pairs[at]!
    if (pairs[at + 1] !== 0) place(shardOf(table, hash), pairs[at + 1]! - 1, hash)
  }
}
