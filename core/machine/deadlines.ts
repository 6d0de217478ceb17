/**
 * When the keys of a space are due: a binary heap of slots. Each slot knows its place, so a key that is
 * touched moves instead of leaving a stale node behind: the heap is as large as the number of keys that
 * expire, and finding what is due costs as much as there is due.
 *
 * Equal deadlines go by revision, so the request table empties in the same order on every node.
 */
import type { Columns } from './columns.ts'
import { expiresAt as deadlineOf, placeAt, revisionAt, setExpiresAt, setPlace } from './columns.ts'

const PAGE_BITS = 10
const PAGE_NODES = 1 << PAGE_BITS
const PAGE_MASK = PAGE_NODES - 1

export interface Deadlines {
  /** Slots in heap order, in pages, so that growth copies nothing. */
  readonly slots: Int32Array[]
  size: number
}

export const createDeadlines = (): Deadlines => ({ slots: [], size: 0 })

/** Sets when a slot is due; 0 for never. */
export function schedule(heap: Deadlines, columns: Columns, slot: number, expiresAt: number): void {
  const was = deadlineOf(columns, slot)
  if (was === 0 && expiresAt === 0) return
  if (expiresAt === 0) {
    cancel(heap, columns, slot)
    return
  }
  setExpiresAt(columns, slot, expiresAt)
  if (was !== 0) {
    const at = placeAt(columns, slot)
    if (up(heap, columns, slot, at) === at) down(heap, columns, slot, at)
    return
  }
  const at = heap.size++
  if (at >>> PAGE_BITS === heap.slots.length) heap.slots.push(new Int32Array(PAGE_NODES))
  put(heap, columns, at, slot)
  up(heap, columns, slot, at)
}

/** The slot due first, or -1. */
export const earliest = (heap: Deadlines): number => (heap.size === 0 ? -1 : slotAt(heap, 0))

/** Up to `limit` slots due at `time`, in no particular order; visits them and their children only. */
export function collectSlots(heap: Deadlines, columns: Columns, time: number, limit: number): number[] {
  const found: number[] = []
  const open = [0]
  while (open.length > 0 && found.length < limit) {
    const at = open.pop()!
    if (at >= heap.size) continue
    const slot = slotAt(heap, at)
    if (deadlineOf(columns, slot) > time) continue
    found.push(slot)
    open.push(2 * at + 2, 2 * at + 1)
  }
  return found
}

function cancel(heap: Deadlines, columns: Columns, slot: number): void {
  const at = placeAt(columns, slot)
  const last = slotAt(heap, --heap.size)
  if (last !== slot) {
    put(heap, columns, at, last)
    if (up(heap, columns, last, at) === at) down(heap, columns, last, at)
  }
  setExpiresAt(columns, slot, 0)
  const pages = (heap.size + PAGE_MASK) >>> PAGE_BITS
  // One page is kept in hand, so that a heap at the edge of a page does not make and drop it each time.
  if (heap.slots.length > pages + 1) heap.slots.pop()
}

function up(heap: Deadlines, columns: Columns, slot: number, from: number): number {
  let at = from
  while (at > 0) {
    const parent = (at - 1) >>> 1
    const other = slotAt(heap, parent)
    if (!before(columns, slot, other)) break
    put(heap, columns, at, other)
    at = parent
  }
  put(heap, columns, at, slot)
  return at
}

function down(heap: Deadlines, columns: Columns, slot: number, from: number): void {
  let at = from
  for (;;) {
    let child = 2 * at + 1
    if (child >= heap.size) break
    let other = slotAt(heap, child)
    if (child + 1 < heap.size) {
      const right = slotAt(heap, child + 1)
      if (before(columns, right, other)) {
        child++
        other = right
      }
    }
    if (!before(columns, other, slot)) break
    put(heap, columns, at, other)
    at = child
  }
  put(heap, columns, at, slot)
}

function before(columns: Columns, a: number, b: number): boolean {
  const timeA = deadlineOf(columns, a)
  const timeB = deadlineOf(columns, b)
  if (timeA !== timeB) return timeA < timeB
  return revisionAt(columns, a) < revisionAt(columns, b)
}

const slotAt = (heap: Deadlines, at: number): number => heap.slots[at >>> PAGE_BITS]![at & PAGE_MASK]!

function put(heap: Deadlines, columns: Columns, at: number, slot: number): void {
  heap.slots[at >>> PAGE_BITS]![at & PAGE_MASK] = slot
  setPlace(columns, slot, at)
}
