/**
 * Records as columns: a record is a slot, and each of its fields is a place in an array. A million objects
 * of six fields would cost twice the memory, and the collector would visit each of them.
 *
 * Arrays come in pages and are never copied, so no write pays for the growth of all. A freed slot is used
 * again. Expiry has columns only where something expires.
 */
import type { Stored } from '../codec.ts'
import type { RecordView } from './result.ts'

const PAGE_BITS = 10
const PAGE_SLOTS = 1 << PAGE_BITS
const PAGE_MASK = PAGE_SLOTS - 1

export interface Page {
  readonly keys: (string | undefined)[]
  readonly values: (Stored | undefined)[]
  readonly revision: Float64Array
  readonly createRevision: Float64Array
  /** Of a freed slot: the next freed one, plus 1; 0 ends the list. */
  readonly version: Uint32Array
  /** Hash of space, key and value. */
  readonly content: Int32Array
  /** 0 when the key does not expire. */
  expiresAt: Float64Array | undefined
  /** Where the slot stands in the heap of deadlines; meaningless while `expiresAt` is 0. */
  place: Int32Array | undefined
}

export interface Columns {
  readonly pages: Page[]
  /** Slots ever used: the first one never used yet. */
  end: number
  /** Head of the list of freed slots, plus 1; 0 when there is none. */
  free: number
}

export const createColumns = (): Columns => ({ pages: [], end: 0, free: 0 })

export const pageOf = (columns: Columns, slot: number): Page => columns.pages[slot >>> PAGE_BITS]!
export const offsetOf = (slot: number): number => slot & PAGE_MASK

export function takeSlot(columns: Columns): number {
  const { free } = columns
  if (free !== 0) {
    const slot = free - 1
    columns.free = pageOf(columns, slot).version[offsetOf(slot)]!
    return slot
  }
  const slot = columns.end++
  if (offsetOf(slot) === 0) columns.pages.push(createPage())
  return slot
}

export function freeSlot(columns: Columns, slot: number): void {
  const page = pageOf(columns, slot)
  const at = offsetOf(slot)
  page.keys[at] = undefined
  page.values[at] = undefined
  page.version[at] = columns.free
  columns.free = slot + 1
}

export function expiresAtOf(columns: Columns, slot: number): number {
  const column = pageOf(columns, slot).expiresAt
  return column === undefined ? 0 : column[offsetOf(slot)]!
}

export function setExpiresAt(columns: Columns, slot: number, expiresAt: number): void {
  const page = pageOf(columns, slot)
  if (page.expiresAt === undefined) {
    if (expiresAt === 0) return
    page.expiresAt = new Float64Array(PAGE_SLOTS)
    page.place = new Int32Array(PAGE_SLOTS)
  }
  page.expiresAt[offsetOf(slot)] = expiresAt
}

/** A copy of one record; its value is shared, and never changed by anybody. */
export function recordAt(columns: Columns, slot: number): RecordView {
  const page = pageOf(columns, slot)
  const at = offsetOf(slot)
  return {
    key: page.keys[at]!,
    value: page.values[at]!,
    revision: page.revision[at]!,
    createRevision: page.createRevision[at]!,
    version: page.version[at]!,
    expiresAt: page.expiresAt === undefined ? 0 : page.expiresAt[at]!,
  }
}

function createPage(): Page {
  return {
    // Filled, so that the arrays hold tagged values from the start and never turn into arrays of doubles.
    keys: Array.from({ length: PAGE_SLOTS }, () => undefined),
    values: Array.from({ length: PAGE_SLOTS }, () => undefined),
    revision: new Float64Array(PAGE_SLOTS),
    createRevision: new Float64Array(PAGE_SLOTS),
    version: new Uint32Array(PAGE_SLOTS),
    content: new Int32Array(PAGE_SLOTS),
    expiresAt: undefined,
    place: undefined,
  }
}
