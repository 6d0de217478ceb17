/**
 * From key to slot: an open-addressed hash table (linear probing, deletion by shifting back). The hash of a
 * key lies in its row, so growing reads no keys; and the table takes 4 bytes for what a `Map` takes 30.
 *
 * It is many small tables, chosen by the upper bits of the hash: to double one that holds a million keys
 * takes tens of milliseconds, and all writes would wait for it.
 */
import type { Columns } from './columns.ts'
import { keyAt, keyHashAt } from './columns.ts'

const SHARD_BITS = 8
/** With fewer keys than this there is one table; then it is dealt out, once. */
const ONE_TABLE_KEYS = 4096
const FIRST_PLACES = 16

interface Shard {
  /** Slot plus 1; 0 is free. The length is a power of 2. */
  places: Int32Array
  count: number
}

export interface Table {
  /** One, or 2^SHARD_BITS. */
  shards: Shard[]
  count: number
}

export const createTable = (): Table => ({ shards: [createShard()], count: 0 })

/** The slot of a key, or -1. */
export function findSlot(table: Table, columns: Columns, key: string, hash: number): number {
  const { places } = shardOf(table, hash)
  const mask = places.length - 1
  for (let at = hash & mask; ; at = (at + 1) & mask) {
    const slot = places[at]! - 1
    if (slot < 0) return -1
    if (keyHashAt(columns, slot) === hash && keyAt(columns, slot) === key) return slot
  }
}

/** Adds a slot whose row is there and whose key is not in the table. */
export function addSlot(table: Table, columns: Columns, slot: number, hash: number): void {
  if (++table.count > ONE_TABLE_KEYS && table.shards.length === 1) deal(table, columns)
  const shard = shardOf(table, hash)
  if (++shard.count * 4 > shard.places.length * 3) grow(shard, columns)
  place(shard.places, slot, hash)
}

/** Removes a slot whose row is still there. */
export function dropSlot(table: Table, columns: Columns, slot: number): void {
  const shard = shardOf(table, keyHashAt(columns, slot))
  const { places } = shard
  const mask = places.length - 1
  let hole = keyHashAt(columns, slot) & mask
  while (places[hole] !== slot + 1) hole = (hole + 1) & mask
  for (let at = (hole + 1) & mask; places[at] !== 0; at = (at + 1) & mask) {
    const home = keyHashAt(columns, places[at]! - 1) & mask
    // It may move into the hole unless its home lies behind the hole, on the way to where it stands.
    if (((at - home) & mask) < ((at - hole) & mask)) continue
    places[hole] = places[at]!
    hole = at
  }
  places[hole] = 0
  shard.count--
  table.count--
}

const createShard = (): Shard => ({ places: new Int32Array(FIRST_PLACES), count: 0 })

const shardOf = ({ shards }: Table, hash: number): Shard =>
  shards.length === 1 ? shards[0]! : shards[hash >>> (32 - SHARD_BITS)]!

function place(places: Int32Array, slot: number, hash: number): void {
  const mask = places.length - 1
  let at = hash & mask
  while (places[at] !== 0) at = (at + 1) & mask
  places[at] = slot + 1
}

function grow(shard: Shard, columns: Columns): void {
  const larger = new Int32Array(shard.places.length * 2)
  for (const filled of shard.places) {
    if (filled !== 0) place(larger, filled - 1, keyHashAt(columns, filled - 1))
  }
  shard.places = larger
}

function deal(table: Table, columns: Columns): void {
  const [only] = table.shards
  table.shards = Array.from({ length: 1 << SHARD_BITS }, createShard)
  for (const filled of only!.places) {
    if (filled === 0) continue
    const hash = keyHashAt(columns, filled - 1)
    const shard = shardOf(table, hash)
    if (++shard.count * 4 > shard.places.length * 3) grow(shard, columns)
    place(shard.places, filled - 1, hash)
  }
}
