/**
 * The values of a space: exactly the bytes of their envelopes, as the log and the snapshot carry them. Up to
 * 4 KiB they lie in the arena, larger ones in memory of their own, or in that of their entry when it holds
 * little else.
 *
 * What is read leaves as a copy. What is written is hashed where it lies in the end.
 */
import type { Writer } from '../bytes.ts'
import type { Encoded, Stored } from '../codec.ts'
import { Packed, hashLong, hashWords, openEncoded, pack, storedAt } from '../codec.ts'
import { MOST_CELL_BYTES, lengthAt, release, slabAt, startAt, store, storeOver } from './arena.ts'
import type { Columns } from './columns.ts'
import {
  LARGE,
  cellAt,
  createRevisionAt,
  expiresAt,
  keyAt,
  keyHashAt,
  largeAt,
  revisionAt,
  setCell,
  setContent,
  setLarge,
  versionAt,
} from './columns.ts'
import type { RecordView } from './result.ts'

const LEAST_SHARED_BYTES = 256 * 1024
const MOST_OF = 0.75

/** A record with its value as bytes of its own: what is put aside for a moment that is being read. */
export interface RawRecord extends Omit<RecordView, 'value'> {
  readonly envelope: Packed
}

// ---------------------------------------------------------------------------------------------- reading

/** Where the bytes lie of the value that was looked for last. Read at once; they do not leave this file. */
let found: Buffer
let from = 0
let to = 0

function look(columns: Columns, slot: number): void {
  const cell = cellAt(columns, slot)
  if (cell === LARGE) {
    found = largeAt(columns, slot)
    from = 0
    to = found.length
  } else {
    const slab = slabAt(columns.arena, cell)
    found = slab.bytes
    from = startAt(slab, cell)
    to = from + lengthAt(slab, from)
  }
}

/** The value itself: a copy that is the reader's own. Throws `MalformedError` when its bytes are unsound. */
export function openAt(columns: Columns, slot: number): unknown {
  look(columns, slot)
  return openEncoded(found, from, to)
}

export function valueAt(columns: Columns, slot: number): Stored {
  look(columns, slot)
  return storedAt(found, from, to)
}

/** How long the envelope is. */
export function bytesAt(columns: Columns, slot: number): number {
  look(columns, slot)
  return to - from
}

/** A copy of one record. */
export const recordAt = (columns: Columns, slot: number): RecordView => ({
  key: keyAt(columns, slot),
  value: valueAt(columns, slot),
  revision: revisionAt(columns, slot),
  createRevision: createRevisionAt(columns, slot),
  version: versionAt(columns, slot),
  expiresAt: expiresAt(columns, slot),
})

/** As `recordAt`, without opening the value. */
export const rawAt = (columns: Columns, slot: number): RawRecord => ({
  key: keyAt(columns, slot),
  envelope: envelopeAt(columns, slot),
  revision: revisionAt(columns, slot),
  createRevision: createRevisionAt(columns, slot),
  version: versionAt(columns, slot),
  expiresAt: expiresAt(columns, slot),
})

/** Large bytes are shared: nobody changes them. */
function envelopeAt(columns: Columns, slot: number): Packed {
  if (cellAt(columns, slot) === LARGE) return new Packed(largeAt(columns, slot))
  look(columns, slot)
  return pack(found, from, to)
}

/** Appends the envelope. */
export function writeAt(writer: Writer, columns: Columns, slot: number): void {
  look(columns, slot)
  writer.reserve(to - from)
  found.copy(writer.buffer, writer.length, from, to)
  writer.length += to - from
}

// --------------------------------------------------------------------------------------------- changing

/** Gives a new row its value. */
export function writeValue(columns: Columns, slot: number, value: Encoded): void {
  const { bytes } = value
  const isSmall = bytes <= MOST_CELL_BYTES
  setCell(columns, slot, isSmall ? store(columns.arena, slot, value.buffer, value.from, bytes) : LARGE)
  if (!isSmall) setLarge(columns, slot, ownBytes(value))
  setContent(columns, slot, contentAt(columns, slot))
}

/** Gives a row another value; in place, where the two are about as long. */
export function overwriteValue(columns: Columns, slot: number, value: Encoded): void {
  const { bytes } = value
  const cell = cellAt(columns, slot)
  const isCell = cell !== LARGE && bytes <= MOST_CELL_BYTES
  if (isCell && storeOver(columns.arena, cell, value.buffer, value.from, bytes)) {
    setContent(columns, slot, contentAt(columns, slot))
    return
  }
  writeValue(columns, slot, value)
  // Behind that, since what is let go may move the one that was just written.
  if (cell !== LARGE) release(columns.arena, cell)
  else if (bytes <= MOST_CELL_BYTES) setLarge(columns, slot, undefined)
}

export function dropValue(columns: Columns, slot: number): void {
  const cell = cellAt(columns, slot)
  if (cell === LARGE) setLarge(columns, slot, undefined)
  else release(columns.arena, cell)
}

/** A large value that is nearly all of the memory it came in stays there: touching as much anew costs more. */
function ownBytes({ buffer, from: start, to: end, bytes, lasting }: Encoded): Buffer {
  const isShared = lasting && bytes >= LEAST_SHARED_BYTES && bytes >= buffer.buffer.byteLength * MOST_OF
  if (isShared) return buffer.subarray(start, end)
  const copy = Buffer.allocUnsafeSlow(bytes)
  buffer.copy(copy, 0, start, end)
  return copy
}

/** The hash of the value behind the key's: of its bytes, so that two nodes agree that have the same log. */
function contentAt(columns: Columns, slot: number): number {
  const seed = keyHashAt(columns, slot)
  const cell = cellAt(columns, slot)
  if (cell === LARGE) return hashLong(seed, largeAt(columns, slot))
  const slab = slabAt(columns.arena, cell)
  const start = startAt(slab, cell)
  return hashWords(seed, slab.view, start, lengthAt(slab, start))
}
