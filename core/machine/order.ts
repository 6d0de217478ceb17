/**
 * The keys of a space in the order of their UTF-8 bytes: a list of sorted chunks. Only keys that appear or
 * go touch it, and not at once: they wait in `pending` until there are enough of them, or until somebody
 * reads in order, and are then sorted and merged in together. Both the pending set and the chunks are
 * bounded, so no merge takes longer because there are more keys.
 */
import { compareKeys } from '../codec.ts'

const PENDING_KEYS = 2048
const CHUNK_KEYS = 512
/** How full a chunk is when it is cut from a longer run: room for what comes between. */
const CUT_KEYS = 384
/** From so many changes on, a chunk is merged in one pass instead of key by key. */
const MERGE_KEYS = 8

export interface Order {
  /** Never empty ones; ascending within and across. */
  readonly chunks: string[][]
  /** Keys whose presence has changed since the last merge; with repetitions. */
  pending: string[]
  /** Whether keys in `pending` may be gone; else all of them are there, each once. */
  hasGone: boolean
  /** Some key holds a unit from U+D800 up: only then does the order of bytes differ from that of units. */
  wide: boolean
}

export const createOrder = (): Order => ({ chunks: [], pending: [], hasGone: false, wide: false })

/** True when enough has gathered that the caller should `merge` before it goes on. */
export function keyAppeared(order: Order, key: string): boolean {
  if (!order.wide && isWide(key)) order.wide = true
  return order.pending.push(key) >= PENDING_KEYS
}

export function keyGone(order: Order, key: string): boolean {
  order.hasGone = true
  return order.pending.push(key) >= PENDING_KEYS
}

/** Adds a key after all others: for loading what is already sorted. */
export function appendKey(order: Order, key: string): void {
  if (!order.wide && isWide(key)) order.wide = true
  const last = order.chunks.at(-1)
  if (last === undefined || last.length >= CUT_KEYS) order.chunks.push([key])
  else last.push(key)
}

export function isBefore(order: Order, a: string, b: string): boolean {
  return order.wide ? compareKeys(a, b) < 0 : a < b
}

/** Brings the chunks up to date. `isThere` says whether a key is there now. */
export function merge(order: Order, isThere: (key: string) => boolean): void {
  const keys = order.pending
  if (keys.length === 0) return
  const has = order.hasGone ? isThere : always
  order.pending = []
  order.hasGone = false
  sortKeys(order, keys)
  const { chunks } = order
  let from = 0
  let chunk = 0
  while (from < keys.length) {
    chunk = chunkOf(order, keys[from]!, chunk)
    const next = chunks[chunk + 1]?.[0]
    let to = from + 1
    while (to < keys.length && (next === undefined || isBefore(order, keys[to]!, next))) to++
    mergeChunk(order, chunk, keys, from, to, has)
    from = to
  }
}

/**
 * Up to `max` keys from `bound` on, or after it. The order must be merged.
 */
export function keysFrom(order: Order, bound: string, inclusive: boolean, max: number): string[] {
  const found: string[] = []
  const { chunks } = order
  let chunk = chunkOf(order, bound, 0)
  if (chunk >= chunks.length) return found
  let at = position(order, chunks[chunk]!, bound)
  if (!inclusive && chunks[chunk]![at] === bound) at++
  while (found.length < max && chunk < chunks.length) {
    const keys = chunks[chunk]!
    const end = Math.min(keys.length, at + max - found.length)
    while (at < end) found.push(keys[at++]!)
    chunk++
    at = 0
  }
  return found
}

const always = (): boolean => true

/** The chunk that a key belongs to: the last one that does not begin after it, or the first. */
function chunkOf(order: Order, key: string, from: number): number {
  const { chunks } = order
  let low = from
  let high = chunks.length
  while (high - low > 1) {
    const middle = (low + high) >>> 1
    if (isBefore(order, key, chunks[middle]![0]!)) high = middle
    else low = middle
  }
  return low
}

/** Where a key is in a chunk, or would be. */
function position(order: Order, chunk: readonly string[], key: string): number {
  let low = 0
  let high = chunk.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (isBefore(order, chunk[middle]!, key)) low = middle + 1
    else high = middle
  }
  return low
}

function mergeChunk(
  order: Order,
  index: number,
  keys: readonly string[],
  from: number,
  to: number,
  has: (key: string) => boolean,
): void {
  let chunk = order.chunks[index] ?? []
  if (to - from < MERGE_KEYS) {
    for (let i = from; i < to; i++) settle(order, chunk, keys[i]!, has)
  } else {
    chunk = mergeRun(order, chunk, keys, from, to, has)
  }
  if (chunk.length > 0 && chunk.length <= CHUNK_KEYS) order.chunks[index] = chunk
  else order.chunks.splice(index, 1, ...cut(chunk))
}

/** One key in or out of its chunk. */
function settle(order: Order, chunk: string[], key: string, has: (key: string) => boolean): void {
  const at = position(order, chunk, key)
  const there = chunk[at] === key
  const wanted = has(key)
  if (wanted && !there) chunk.splice(at, 0, key)
  else if (!wanted && there) chunk.splice(at, 1)
}

/** One pass over a chunk and a sorted run of keys. */
function mergeRun(
  order: Order,
  chunk: readonly string[],
  keys: readonly string[],
  from: number,
  to: number,
  has: (key: string) => boolean,
): string[] {
  const merged: string[] = []
  let at = 0
  for (let i = from; i < to; i++) {
    const key = keys[i]!
    if (i > from && keys[i - 1] === key) continue
    while (at < chunk.length && isBefore(order, chunk[at]!, key)) merged.push(chunk[at++]!)
    if (chunk[at] === key) at++
    if (has(key)) merged.push(key)
  }
  while (at < chunk.length) merged.push(chunk[at++]!)
  return merged
}

function cut(keys: readonly string[]): string[][] {
  const chunks: string[][] = []
  for (let i = 0; i < keys.length; i += CUT_KEYS) chunks.push(keys.slice(i, i + CUT_KEYS))
  return chunks
}

function sortKeys(order: Order, keys: string[]): void {
  if (order.wide) keys.sort(compareKeys)
  else keys.sort()
}

/** Costs nothing on a string that V8 keeps as one byte a unit. */
const WIDE = /[\ud800-\uffff]/

const isWide = (key: string): boolean => WIDE.test(key)
