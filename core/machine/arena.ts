/**
 * The bytes of small values, outside of V8's heap: the collector neither visits nor moves them, and a value
 * that is replaced by one of about its size is written over in place.
 *
 * Slabs hold cells of one size; sizes are at most an eighth apart. A freed cell is used again, a slab without values
 * is given back, and when a quarter of a size's cells is free, the values of its sparsest slab move to the
 * others, a few at each release: after any shift in sizes what is held stays near what is live. A cell knows
 * the slot of its row, and whoever owns the rows is told of the new place. No view of a slab leaves the
 * machine. The page docs/decisions/ has why, with figures.
 */
import { assert } from '../assert.ts'

/** In front of the bytes of a cell: the slot (4), how many bytes there are (2); 0 of them in a free cell. */
const HEADER_BYTES = 6
const LENGTH_AT = 4

/** A value of more bytes has memory of its own. */
export const MOST_CELL_BYTES = 4096

const LEAST_CELL_BYTES = 16
const FIRST_SLAB_BYTES = 4 * 1024
const SLAB_BYTES = 256 * 1024
/** Of a slab without header: so many cells of the least size. */
const CELL_BITS = 14
const CELL_MASK = (1 << CELL_BITS) - 1
/** The last one is left out: a place is never -1. */
const MOST_SLABS = 2 ** (32 - CELL_BITS) - 1
/** A slab grows with the size it is of: by this part of what there is. */
const GROWTH = 0.25
/** The part of a size's cells that may be free. */
const MOST_FREE = 0.25
/** A release at the edge adds 4/3 cells to what must go, and frees one of them by moving at most 3 others. */
const MOVES = 8
const LOOKS = 64
/** Slabs that are looked at to find a sparse one. */
const CANDIDATES = 8

/** The cell sizes, header included; and the index of the least that holds so many words of 4 bytes. */
const SIZES = cellSizes()
const SIZE_OF_WORDS = sizesByWords()

export interface Slab {
  readonly id: number
  /** Index of its size. */
  readonly size: number
  readonly cellBytes: number
  readonly cells: number
  readonly bytes: Buffer
  readonly view: DataView
  used: number
  /** Cells from here on have never been used. */
  end: number
  /** The first freed cell, plus 1; the next one's number stands in it. */
  free: number
  /** Among the slabs of its size that have room; -1 when it has none, or is being left. */
  at: number
}

interface Size {
  cells: number
  used: number
  /** Slabs with room; new values go into the last. */
  readonly open: Slab[]
  /** The slab whose values move out, and how far that has come. */
  leaving: Slab | undefined
  left: number
  /** The first candidate of the next look for a sparse slab. */
  next: number
}

export interface Arena {
  readonly slabs: (Slab | undefined)[]
  readonly freeIds: number[]
  readonly sizes: Size[]
  /** Called for each value that moves. */
  readonly moved: (slot: number, place: number) => void
  /** Of all slabs; of all values in them. */
  heldBytes: number
  liveBytes: number
}

export const createArena = (moved: Arena['moved']): Arena => ({
  slabs: [],
  freeIds: [],
  sizes: [],
  moved,
  heldBytes: 0,
  liveBytes: 0,
})

// ---------------------------------------------------------------------------------------------- reading

export const slabAt = (arena: Arena, place: number): Slab => arena.slabs[place >>> CELL_BITS]!

/** Where in its slab a value begins. */
export const startAt = (slab: Slab, place: number): number =>
  (place & CELL_MASK) * slab.cellBytes + HEADER_BYTES

export const lengthAt = (slab: Slab, start: number): number =>
  slab.view.getUint16(start + LENGTH_AT - HEADER_BYTES, true)

// --------------------------------------------------------------------------------------------- changing

/** Copies the value of a slot in. Returns its place: 32 bits, never -1, good until something is released. */
export function store(arena: Arena, slot: number, from: Buffer, start: number, bytes: number): number {
  const place = takeCell(arena, sizeOf(bytes))
  const slab = slabAt(arena, place)
  const at = (place & CELL_MASK) * slab.cellBytes
  slab.view.setInt32(at, slot, true)
  slab.view.setUint16(at + LENGTH_AT, bytes, true)
  from.copy(slab.bytes, at + HEADER_BYTES, start, start + bytes)
  arena.liveBytes += bytes
  return place
}

/** Writes another value over one, if it belongs into a cell of that size. */
export function storeOver(arena: Arena, place: number, from: Buffer, start: number, bytes: number): boolean {
  const slab = slabAt(arena, place)
  if (slab.size !== sizeOf(bytes)) return false
  const at = startAt(slab, place)
  arena.liveBytes += bytes - lengthAt(slab, at)
  slab.view.setUint16(at + LENGTH_AT - HEADER_BYTES, bytes, true)
  from.copy(slab.bytes, at, start, start + bytes)
  return true
}

/** Lets go of a value. Others may move. */
export function release(arena: Arena, place: number): void {
  const slab = slabAt(arena, place)
  arena.liveBytes -= lengthAt(slab, startAt(slab, place))
  freeCell(arena, slab, place & CELL_MASK)
  leaveSparse(arena, arena.sizes[slab.size]!)
}

// ------------------------------------------------------------------------------------------------ cells

function takeCell(arena: Arena, sizeAt: number): number {
  const size = (arena.sizes[sizeAt] ??= createSize())
  const slab = size.open.at(-1) ?? addSlab(arena, size, sizeAt)
  let cell = slab.end
  if (slab.free === 0) {
    slab.end++
  } else {
    cell = slab.free - 1
    slab.free = slab.view.getInt32(cell * slab.cellBytes, true)
  }
  size.used++
  if (++slab.used === slab.cells) close(size, slab)
  return (slab.id << CELL_BITS) | cell
}

function freeCell(arena: Arena, slab: Slab, cell: number): void {
  const size = arena.sizes[slab.size]!
  size.used--
  if (--slab.used === 0) {
    dropSlab(arena, size, slab)
    return
  }
  const at = cell * slab.cellBytes
  slab.view.setInt32(at, slab.free, true)
  slab.view.setUint16(at + LENGTH_AT, 0, true)
  slab.free = cell + 1
  if (slab.at < 0 && slab !== size.leaving) open(size, slab)
}

function open(size: Size, slab: Slab): void {
  slab.at = size.open.push(slab) - 1
}

function close(size: Size, slab: Slab): void {
  const last = size.open.pop()!
  if (last !== slab) {
    size.open[slab.at] = last
    last.at = slab.at
  }
  slab.at = -1
}

// ------------------------------------------------------------------------------------------------ slabs

const createSize = (): Size => ({ cells: 0, used: 0, open: [], leaving: undefined, left: 0, next: 0 })

function addSlab(arena: Arena, size: Size, sizeAt: number): Slab {
  const cellBytes = SIZES[sizeAt]!
  const wanted = Math.min(SLAB_BYTES, Math.max(FIRST_SLAB_BYTES, size.cells * cellBytes * GROWTH))
  const cells = Math.max(2, Math.floor(wanted / cellBytes))
  const id = arena.freeIds.pop() ?? arena.slabs.length
  assert(id < MOST_SLABS, 'an arena holds at most 64 GiB')
  const bytes = Buffer.allocUnsafeSlow(cells * cellBytes)
  const view = new DataView(bytes.buffer)
  const slab: Slab = { id, size: sizeAt, cellBytes, cells, bytes, view, used: 0, end: 0, free: 0, at: -1 }
  arena.slabs[id] = slab
  arena.heldBytes += bytes.length
  size.cells += cells
  open(size, slab)
  return slab
}

function dropSlab(arena: Arena, size: Size, slab: Slab): void {
  if (slab.at >= 0) close(size, slab)
  if (size.leaving === slab) size.leaving = undefined
  arena.slabs[slab.id] = undefined
  arena.freeIds.push(slab.id)
  arena.heldBytes -= slab.bytes.length
  size.cells -= slab.cells
}

/** Goes on with the slab that is being left, or begins with one when too many cells are free. */
function leaveSparse(arena: Arena, size: Size): void {
  if (size.leaving === undefined) {
    const slab = size.cells - size.used > size.cells * MOST_FREE ? sparsest(size) : undefined
    // The others have room for all of it.
    if (slab === undefined || size.cells - size.used < slab.cells) return
    close(size, slab)
    size.leaving = slab
    size.left = 0
  }
  leave(arena, size, size.leaving)
}

function leave(arena: Arena, size: Size, slab: Slab): void {
  let moves = MOVES
  for (let looks = LOOKS; looks > 0 && moves > 0 && size.leaving === slab; looks--) {
    const cell = size.left++
    const at = cell * slab.cellBytes
    const bytes = slab.view.getUint16(at + LENGTH_AT, true)
    if (bytes === 0) continue
    const slot = slab.view.getInt32(at, true)
    const place = takeCell(arena, slab.size)
    const to = slabAt(arena, place)
    slab.bytes.copy(to.bytes, (place & CELL_MASK) * to.cellBytes, at, at + HEADER_BYTES + bytes)
    arena.moved(slot, place)
    freeCell(arena, slab, cell)
    moves--
  }
}

/** Of a few slabs with room, the one with the least part in use. */
function sparsest(size: Size): Slab | undefined {
  const { open: slabs } = size
  let found: Slab | undefined
  for (let i = Math.min(CANDIDATES, slabs.length); i > 0; i--) {
    size.next = (size.next + 1) % slabs.length
    const slab = slabs[size.next]!
    if (found === undefined || slab.used * found.cells < found.used * slab.cells) found = slab
  }
  return found
}

// ------------------------------------------------------------------------------------------------ sizes

const sizeOf = (bytes: number): number => SIZE_OF_WORDS[(bytes + HEADER_BYTES + 3) >>> 2]!

/** Eight to each doubling, in whole words. */
function cellSizes(): number[] {
  const most = (MOST_CELL_BYTES + HEADER_BYTES + 3) & ~3
  const sizes = [LEAST_CELL_BYTES]
  for (let size = LEAST_CELL_BYTES; size < most;) {
    size = Math.min(most, size + Math.max(4, 2 ** (Math.floor(Math.log2(size)) - 3)))
    sizes.push(size)
  }
  return sizes
}

function sizesByWords(): Uint8Array {
  const byWords = new Uint8Array(SIZES.at(-1)! / 4 + 1)
  let size = 0
  for (let words = 0; words < byWords.length; words++) {
    if (words * 4 > SIZES[size]!) size++
    byWords[words] = size
  }
  return byWords
}
