/**
 * A moment of one space, kept while everything changes under it: copy on write. Before a record changes or
 * goes for the first time after the moment, it is put aside for every moment that has not passed its key.
 *
 * A record whose revision is not above the moment's has not changed since; one that was created above it
 * did not exist. So new keys cost nothing, and most changes are judged without a look into a map. The bytes
 * put aside are counted against a budget that readers share; past it the oldest of them is lost, with all
 * that it holds, and is told when it reads on: whoever has been forgotten goes before whoever still reads.
 */
import type { Columns } from './columns.ts'
import { keyAt, revisionAt } from './columns.ts'
import type { Order } from './order.ts'
import { isBefore } from './order.ts'
import type { RawRecord } from './values.ts'
import { rawAt } from './values.ts'

/** What one record put aside costs beside its key and value. */
const OVERHEAD_BYTES = 160

/** What a moment costs that has put nothing aside: so that their number is bounded, too. */
const OPEN_BYTES = 1024

/** What readers may hold together. */
export interface Budget {
  readonly limitBytes: number
  heldBytes: number
  /** Oldest first. */
  readonly readers: Set<Reader>
}

/** Moments that are read as one: they are lost together. */
export interface Reader {
  readonly budget: Budget
  readonly moments: Set<Moment>
  lost: boolean
}

interface Kept {
  readonly record: RawRecord
  readonly bytes: number
  /** The key is no longer in the space's order, and stands in `gone`. */
  gone: boolean
}

export interface Moment {
  /** Of the store when the moment was opened. */
  readonly revision: number
  readonly prefix: string
  readonly reader: Reader
  /** All open moments of its space, itself among them. */
  readonly siblings: Set<Moment>
  /** Everything up to here has been read; `inclusive`: this key itself has not. */
  bound: string
  inclusive: boolean
  /** Records put aside by key; in several maps, since one that is large takes long to grow. */
  kept: (Map<string, Kept> | undefined)[]
  keptCount: number
  /** Of the records put aside. */
  heldBytes: number
  /** Keys that went since the moment, as a heap: the first in order is on top. */
  gone: string[]
}

export const createBudget = (limitBytes: number): Budget => ({
  limitBytes,
  heldBytes: 0,
  readers: new Set(),
})

export const createReader = (budget: Budget): Reader => ({ budget, moments: new Set(), lost: false })

/** Opens a moment of all keys of a space from `bound` on, or after it. */
export function openMoment(
  reader: Reader,
  siblings: Set<Moment>,
  revision: number,
  prefix: string,
  bound: string,
  inclusive: boolean,
): Moment {
  const past = { kept: [], keptCount: 0, heldBytes: 0, gone: [] }
  const moment: Moment = { revision, prefix, reader, siblings, bound, inclusive, ...past }
  const { budget, moments } = reader
  siblings.add(moment)
  moments.add(moment)
  budget.readers.add(reader)
  budget.heldBytes += OPEN_BYTES
  keepWithin(budget)
  return moment
}

/** Lets go of the past at once, however much it is. */
export function closeMoment(moment: Moment): void {
  const { reader, siblings } = moment
  const { budget, moments } = reader
  if (!moments.delete(moment)) return
  if (moments.size === 0) budget.readers.delete(reader)
  siblings.delete(moment)
  budget.heldBytes -= OPEN_BYTES + moment.heldBytes
  moment.heldBytes = 0
  moment.kept = []
  moment.keptCount = 0
  moment.gone = []
}

function keepWithin(budget: Budget): void {
  for (const reader of budget.readers) {
    if (budget.heldBytes <= budget.limitBytes) return
    reader.lost = true
    for (const moment of reader.moments) closeMoment(moment)
  }
}

const KEPT_MAPS = 64

/** By the end of the key, where keys differ most. */
function keptMap(moment: Moment, key: string): Map<string, Kept> {
  const units = key.length
  const last = key.charCodeAt(units - 1)
  const h = units < 3 ? last : last * 7 + key.charCodeAt(units - 2) * 31 + key.charCodeAt(units - 3)
  return (moment.kept[h % KEPT_MAPS] ??= new Map())
}

/** The part of a space that this file needs. */
interface Momentary {
  readonly columns: Columns
  readonly order: Order
  /** A set: one may close while the others are told of a change. */
  readonly moments: ReadonlySet<Moment>
}

export function keepBeforeChange(space: Momentary, slot: number): void {
  const key = keyAt(space.columns, slot)
  const revision = revisionAt(space.columns, slot)
  for (const moment of space.moments) {
    if (revision <= moment.revision && isAhead(space, moment, key)) keep(space, moment, slot, false)
  }
}

export function keepBeforeRemoval(space: Momentary, slot: number): void {
  const key = keyAt(space.columns, slot)
  const revision = revisionAt(space.columns, slot)
  for (const moment of space.moments) {
    if (!isAhead(space, moment, key)) continue
    if (revision <= moment.revision) {
      keep(space, moment, slot, true)
      continue
    }
    const kept = keptMap(moment, key).get(key)
    if (kept !== undefined && !kept.gone) {
      kept.gone = true
      push(space.order, moment.gone, key)
    }
  }
}

/** The first key that went and has not been read; undefined when there is none. */
export const firstGone = (moment: Moment): string | undefined => moment.gone[0]

export function dropFirstGone(order: Order, moment: Moment): void {
  pop(order, moment.gone)
}

/** The record as it stood at the moment, if it was put aside; forgets it. */
export function takeKept(moment: Moment, key: string): RawRecord | undefined {
  if (moment.keptCount === 0) return undefined
  const map = keptMap(moment, key)
  const kept = map.get(key)
  if (kept === undefined) return undefined
  map.delete(key)
  moment.keptCount--
  hold(moment, -kept.bytes)
  return kept.record
}

function hold(moment: Moment, bytes: number): void {
  moment.heldBytes += bytes
  moment.reader.budget.heldBytes += bytes
}

/** Whether the moment has yet to read this key. */
function isAhead(space: Momentary, moment: Moment, key: string): boolean {
  if (!key.startsWith(moment.prefix)) return false
  return isBefore(space.order, moment.bound, key) || (moment.inclusive && key === moment.bound)
}

function keep(space: Momentary, moment: Moment, slot: number, gone: boolean): void {
  const record = rawAt(space.columns, slot)
  const bytes = OVERHEAD_BYTES + record.key.length + record.envelope.content.length
  hold(moment, bytes)
  moment.keptCount++
  keptMap(moment, record.key).set(record.key, { record, bytes, gone })
  if (gone) push(space.order, moment.gone, record.key)
  keepWithin(moment.reader.budget)
}

function push(order: Order, heap: string[], key: string): void {
  let at = heap.push(key) - 1
  while (at > 0) {
    const parent = (at - 1) >>> 1
    if (!isBefore(order, key, heap[parent]!)) break
    heap[at] = heap[parent]!
    at = parent
  }
  heap[at] = key
}

function pop(order: Order, heap: string[]): void {
  const key = heap.pop()!
  if (heap.length === 0) return
  let at = 0
  for (;;) {
    let child = 2 * at + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && isBefore(order, heap[child + 1]!, heap[child]!)) child++
    if (!isBefore(order, heap[child]!, key)) break
    heap[at] = heap[child]!
    at = child
  }
  heap[at] = key
}
