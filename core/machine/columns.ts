/**
 * Records as rows of numbers beside their keys: a record is a slot, and its fields are places in arrays. A
 * million objects of six fields would cost twice the memory, and the collector would visit each. Values are
 * bytes elsewhere: the row says where, and `values.ts` reads and writes them.
 *
 * What is read together lies together: reaching for memory is what a write of one key among millions costs.
 * Arrays come in pages and are never copied, so no write pays for the growth of all. A freed slot is used
 * again. Deadlines have a column only where something expires, large values where there are any.
 */
import type { Arena } from './arena.ts'
import { createArena } from './arena.ts'

/**
 * A row is 32 bytes: two floats, then four words. Hashes are signed, so that V8 needs no heap number for them;
 * the version is not, and comes out of its word by `>>> 0`.
 */
const ROW_FLOATS = 4
const ROW_WORDS = 8
const VERSION = 4
const CONTENT = 5
const KEY_HASH = 6
const PLACE = 7
const MAX_VERSION = 0xffffffff

/** In place of a cell: the value has memory of its own. */
export const LARGE = -1

export interface Page {
  readonly keys: (string | undefined)[]
  /** Where the values are: places in the arena, or `LARGE`. A column of its own: it is all that a read needs. */
  readonly cells: Int32Array
  /** revision, createRevision, and the four words in the same bytes. */
  readonly floats: Float64Array
  readonly words: Int32Array
  /** 0 when the key does not expire. */
  expiresAt: Float64Array | undefined
  /** The bytes of values that are too large for a cell. Never changed, so that they may be shared. */
  large: (Buffer | undefined)[] | undefined
}

export interface Columns {
  readonly pages: Page[]
  readonly arena: Arena
  /** A page has 2^bits slots. */
  readonly bits: number
  /** Slots ever used: the first one never used yet. */
  end: number
  /** Head of the list of freed slots, plus 1; 0 when there is none. */
  free: number
}

export function createColumns(bits: number): Columns {
  const pages: Page[] = []
  const arena = createArena((slot, place) => setCell(columns, slot, place))
  const columns: Columns = { pages, arena, bits, end: 0, free: 0 }
  return columns
}

export const keyAt = (columns: Columns, slot: number): string =>
  pageOf(columns, slot).keys[rowOf(columns, slot)] as string

export const revisionAt = (columns: Columns, slot: number): number =>
  pageOf(columns, slot).floats[ROW_FLOATS * rowOf(columns, slot)]!

export const createRevisionAt = (columns: Columns, slot: number): number =>
  pageOf(columns, slot).floats[ROW_FLOATS * rowOf(columns, slot) + 1]!

/** Changes since the key was made; the first is 1. */
export const versionAt = (columns: Columns, slot: number): number =>
  pageOf(columns, slot).words[ROW_WORDS * rowOf(columns, slot) + VERSION]! >>> 0

export const keyHashAt = (columns: Columns, slot: number): number =>
  pageOf(columns, slot).words[ROW_WORDS * rowOf(columns, slot) + KEY_HASH]!

/** The place of the value in the arena, or `LARGE`. */
export const cellAt = (columns: Columns, slot: number): number =>
  pageOf(columns, slot).cells[rowOf(columns, slot)]!

export function setCell(columns: Columns, slot: number, cell: number): void {
  pageOf(columns, slot).cells[rowOf(columns, slot)] = cell
}

/** The bytes of a value whose cell is `LARGE`. */
export const largeAt = (columns: Columns, slot: number): Buffer =>
  pageOf(columns, slot).large![rowOf(columns, slot)]!

export function setLarge(columns: Columns, slot: number, bytes: Buffer | undefined): void {
  const page = pageOf(columns, slot)
  page.large ??= Array<undefined>(1 << columns.bits).fill(undefined)
  page.large[rowOf(columns, slot)] = bytes
}

/** The hash of the value behind the key's. */
export function setContent(columns: Columns, slot: number, content: number): void {
  pageOf(columns, slot).words[ROW_WORDS * rowOf(columns, slot) + CONTENT] = content
}

/** Where the slot stands in the heap of deadlines; meaningless while it has none. */
export const placeAt = (columns: Columns, slot: number): number =>
  pageOf(columns, slot).words[ROW_WORDS * rowOf(columns, slot) + PLACE]!

export function setPlace(columns: Columns, slot: number, place: number): void {
  pageOf(columns, slot).words[ROW_WORDS * rowOf(columns, slot) + PLACE] = place
}

export function expiresAt(columns: Columns, slot: number): number {
  const column = pageOf(columns, slot).expiresAt
  return column === undefined ? 0 : column[rowOf(columns, slot)]!
}

export function setExpiresAt(columns: Columns, slot: number, time: number): void {
  const page = pageOf(columns, slot)
  if (page.expiresAt === undefined) {
    if (time === 0) return
    page.expiresAt = new Float64Array(1 << columns.bits)
  }
  page.expiresAt[rowOf(columns, slot)] = time
}

/** A new record, without a deadline, and without a value until one is written. */
export function addRow(
  columns: Columns,
  key: string,
  keyHash: number,
  revision: number,
  createRevision: number,
  version: number,
): number {
  const slot = takeSlot(columns)
  const page = pageOf(columns, slot)
  const row = rowOf(columns, slot)
  page.keys[row] = key
  page.floats[ROW_FLOATS * row] = revision
  page.floats[ROW_FLOATS * row + 1] = createRevision
  page.words[ROW_WORDS * row + VERSION] = version
  page.words[ROW_WORDS * row + KEY_HASH] = keyHash
  return slot
}

/** One more change of the record. The count stands still at the end of its range. */
export function setRevision(columns: Columns, slot: number, revision: number): void {
  const page = pageOf(columns, slot)
  const row = rowOf(columns, slot)
  page.floats[ROW_FLOATS * row] = revision
  const version = page.words[ROW_WORDS * row + VERSION]! >>> 0
  if (version < MAX_VERSION) page.words[ROW_WORDS * row + VERSION] = version + 1
}

/** One lane of the state hash, over all of a record. */
export function foldRow(
  columns: Columns,
  slot: number,
  lane: (content: number, revision: number, created: number, version: number, expiresAt: number) => number,
): number {
  const page = pageOf(columns, slot)
  const row = rowOf(columns, slot)
  return lane(
    page.words[ROW_WORDS * row + CONTENT]!,
    page.floats[ROW_FLOATS * row]!,
    page.floats[ROW_FLOATS * row + 1]!,
    page.words[ROW_WORDS * row + VERSION]!,
    page.expiresAt === undefined ? 0 : page.expiresAt[row]!,
  )
}

/** Requires that the slot has no deadline, and that its value has been let go. */
export function freeRow(columns: Columns, slot: number): void {
  const page = pageOf(columns, slot)
  const row = rowOf(columns, slot)
  page.keys[row] = undefined
  page.words[ROW_WORDS * row + VERSION] = columns.free
  columns.free = slot + 1
}

function takeSlot(columns: Columns): number {
  const { free } = columns
  if (free !== 0) {
    const slot = free - 1
    // A freed row keeps the next one of the list where its version was.
    columns.free = pageOf(columns, slot).words[ROW_WORDS * rowOf(columns, slot) + VERSION]! >>> 0
    return slot
  }
  const slot = columns.end++
  if (rowOf(columns, slot) === 0) columns.pages.push(createPage(1 << columns.bits))
  return slot
}

const pageOf = (columns: Columns, slot: number): Page => columns.pages[slot >>> columns.bits]!

const rowOf = (columns: Columns, slot: number): number => slot & ((1 << columns.bits) - 1)

function createPage(slots: number): Page {
  const floats = new Float64Array(slots * ROW_FLOATS)
  return {
    // Filled, so that the array holds tagged values from the start and never turns into one of doubles.
    keys: Array<undefined>(slots).fill(undefined),
    cells: new Int32Array(slots),
    floats,
    words: new Int32Array(floats.buffer),
    expiresAt: undefined,
    large: undefined,
  }
}
