/**
 * The segment that the log is appended to: made from a spare file, or opened again after a restart. It knows how
 * far it is written and how far that is on stable storage, and is sealed when another follows it.
 */
import { join } from 'node:path'

import type { Writer } from '../../bytes.ts'
import type { HardState, Index } from '../../raft/types.ts'
import { type Disk, type DiskFile, isDiskFull, syncFile, writeAll } from './disk.ts'
import { inFile } from './errors.ts'
import { segmentName } from './layout.ts'
import { type Frame, writeBatch, writeSeal } from './record.ts'
import type { ReadLog } from './recovery.ts'
import { encodeSegmentHeader, MARK_ROOM_BYTES, SEGMENT_HEADER_BYTES, type SegmentHeader } from './segment.ts'
import type { Spare } from './space.ts'

const ZEROS = Buffer.alloc(256 * 1024)

export interface OpenSegment {
  readonly file: DiskFile
  readonly path: string
  readonly header: SegmentHeader
  /** After the last batch, and the chain there. */
  end: number
  chain: number
  /** Everything before is on stable storage. */
  durable: number
  /** Not all of its space has been taken. */
  readonly sparse: boolean
  maxIndex: Index
}

/** What its next record follows. */
export const frameOf = ({ header, end, durable, chain }: OpenSegment): Frame => ({
  salt: header.salt,
  start: end,
  durable,
  chain,
})

/** Bytes that it still takes, room for a mark kept free. */
export const roomIn = ({ header, end }: OpenSegment): number => header.capacity - end - MARK_ROOM_BYTES

export async function syncSegment(segment: OpenSegment): Promise<void> {
  const { end } = segment
  await syncFile(segment.file)
  segment.durable = Math.max(segment.durable, end)
}

/** A file of zeros that becomes a segment: header and hard state are durable before it is called one. */
export async function createSegment(
  { disk, dir, durable }: { readonly disk: Disk; readonly dir: string; readonly durable: boolean },
  spare: Spare,
  given: Omit<SegmentHeader, 'capacity'>,
  hardState: HardState,
  writer: Writer,
): Promise<OpenSegment> {
  const header = { ...given, capacity: spare.bytes }
  const path = join(dir, segmentName(header.sequence))
  const file = await disk.open(spare.path, 'update', { durable })
  const start = SEGMENT_HEADER_BYTES
  writer.truncate(0)
  const frame = { salt: header.salt, start, durable: start, chain: 0 }
  const chain = writeBatch(writer, frame, { entries: [], hardState })
  const head = writer.buffer.subarray(0, writer.length)
  await writeAll(file, Buffer.concat([encodeSegmentHeader(header), head]), 0)
  if (!durable) await syncFile(file)
  await disk.rename(spare.path, path)
  await disk.syncDir(dir)
  const end = start + head.length
  const maxIndex = header.firstIndex - 1
  return { file, path, header, end, chain, durable: end, sparse: spare.sparse === true, maxIndex }
}

/** The last segment of a log that was read, its torn tail wiped durably (H33). */
export async function reopenSegment(
  disk: Disk,
  { file: { path, header }, maxIndex }: ReadLog['segments'][number],
  { last, usedTo, cleanStop }: ReadLog,
  durable: boolean,
): Promise<OpenSegment> {
  const file = await disk.open(path, 'update', { durable })
  const { end, chain } = last
  try {
    if (!cleanStop) await rewrite(file, last.durable, end)
    for (let at = end; at < usedTo; at += ZEROS.length) {
      await writeAll(file, ZEROS.subarray(0, Math.min(ZEROS.length, usedTo - at)), at)
    }
    await syncFile(file)
  } catch (error) {
    await file.close()
    throw inFile(path, error)
  }
  // It may have been a sparse one; nobody knows any more.
  return { file, path, header, end, chain, durable: end, sparse: true, maxIndex }
}

/**
 * Writes what is there once more. After an fsync that failed, the page cache holds what the disk does not,
 * and calls it clean: read back after a restart it looks durable, and no fsync would write it (H34).
 */
async function rewrite(file: DiskFile, from: number, to: number): Promise<void> {
  for (let at = from; at < to; at += ZEROS.length) {
    const piece = Buffer.allocUnsafe(Math.min(ZEROS.length, to - at))
    await file.read(piece, at)
    await writeAll(file, piece, at)
  }
}

/** Says that there is a segment behind this one. A full disk may prevent it: then a lost one is not noticed. */
export async function sealSegment(segment: OpenSegment, writer: Writer): Promise<void> {
  writer.truncate(0)
  writeSeal(writer, frameOf(segment), segment.header.sequence + 1)
  try {
    await writeAll(segment.file, writer.buffer.subarray(0, writer.length), segment.end)
  } catch (error) {
    if (!isDiskFull(error)) throw error
  }
}
