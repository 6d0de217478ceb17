/**
 * Reading one segment of the log by itself: its header, its batches up to what is no record any more, and what lies
 * behind them. What that means for the log is judged in recovery.ts. Nothing in this file writes.
 */
import { join } from 'node:path'

import { MalformedError, Reader } from '../../bytes.ts'
import { readEntry } from '../../entry-codec.ts'
import type { Index } from '../../raft/types.ts'
import type { Disk, DiskFile } from './disk.ts'
import { corrupted, decodeOrRefuse, inFile } from './errors.ts'
import { parseSegmentName } from './layout.ts'
import {
  BatchReader,
  type BatchSink,
  type Mark,
  RECORD,
  RECORD_ALIGNMENT,
  RECORD_HEADER_BYTES,
  readRecordHeader,
  recordBytes,
} from './record.ts'
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader } from './segment.ts'

/** Small enough that the records of one read are decoded in a few milliseconds. */
const READ_BYTES = 256 * 1024
const ZEROS = Buffer.alloc(READ_BYTES)

/** A segment as far as its header and name tell. */
export interface SegmentFile {
  readonly path: string
  readonly header: SegmentHeader
}

/** What one segment holds, and where reading it ended. */
export interface SegmentScan {
  /** After the last whole batch, a seal not counted, and the chain there. */
  readonly end: number
  readonly chain: number
  /** Up to here the segment was on stable storage when its last batch was written. */
  readonly durable: number
  readonly mark: Mark | undefined
  /** Where the first thing that is no record lies, and what is wrong with it. */
  readonly stopAt: number
  readonly problem: string
}

export interface Tail {
  /** Offset after the last byte that is not zero, or the start of the tail. */
  readonly usedTo: number
  /** A record that was written when what lies before it was durable: so it was not torn, it is damaged. */
  readonly witness: number | undefined
  /** Highest index of an entry found behind, for the message. */
  readonly lastIndex: Index | undefined
}

/** A piece of a file in memory, which moves forward. Each piece is its own: entries keep views of it. */
class Window {
  readonly #file: DiskFile
  readonly #end: number
  buffer: Buffer = Buffer.alloc(0)
  start = 0

  constructor(file: DiskFile, end: number) {
    this.#file = file
    this.#end = end
  }

  holds(position: number, bytes: number): boolean {
    return position >= this.start && position + bytes <= this.start + this.buffer.length
  }

  async load(position: number, bytes: number): Promise<void> {
    const wanted = Math.min(Math.max(bytes, READ_BYTES), this.#end - position)
    const buffer = Buffer.allocUnsafeSlow(wanted)
    const read = await this.#file.read(buffer, position)
    this.buffer = read === wanted ? buffer : buffer.subarray(0, read)
    this.start = position
  }
}

/** Reads whole batches into the sink until something is no record. Rejects only for what no crash explains. */
export async function scanSegment(
  file: DiskFile,
  { path, header }: SegmentFile,
  sink: BatchSink,
): Promise<SegmentScan> {
  const { salt, capacity } = header
  const reader = new BatchReader(salt, SEGMENT_HEADER_BYTES, sink)
  const window = new Window(file, capacity)
  const stop = (stopAt: number, problem: string): SegmentScan => {
    const { end, chain, durable, mark } = reader
    return { end, chain, durable, mark, stopAt, problem }
  }
  let position = SEGMENT_HEADER_BYTES
  while (position + RECORD_HEADER_BYTES <= capacity) {
    if (!window.holds(position, RECORD_HEADER_BYTES)) await window.load(position, RECORD_HEADER_BYTES)
    const record = readRecordHeader(window.buffer, position - window.start, position, salt)
    if (record === undefined) return stop(position, 'this is not the header of a record')
    const bytes = recordBytes(record.payloadBytes)
    if (position + bytes > capacity) return stop(position, 'the record is longer than the file')
    if (!window.holds(position, bytes)) await window.load(position, bytes)
    const { buffer, start } = window
    const whole = decodeOrRefuse(path, position, () =>
      reader.take(record, buffer, position - start, position),
    )
    if (!whole) return stop(position, "the record's contents do not match their checksum")
    position += bytes
  }
  return stop(position, 'the segment is full')
}

/** Looks at everything from `from` to the end of the segment: zeros, remains, or proof of damage. */
export async function inspectTail(file: DiskFile, { header }: SegmentFile, from: number): Promise<Tail> {
  let usedTo = from
  let witness: number | undefined
  let lastIndex: Index | undefined
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES)
  // Pieces overlap by a header, so that none is missed between two.
  for (let position = from; position < header.capacity; position += READ_BYTES - RECORD_HEADER_BYTES) {
    const wanted = Math.min(READ_BYTES, header.capacity - position)
    const piece = buffer.subarray(0, await file.read(buffer.subarray(0, wanted), position))
    if (piece.equals(ZEROS.subarray(0, piece.length))) continue
    let last = piece.length - 1
    while (piece[last] === 0) last--
    usedTo = Math.max(usedTo, position + last + 1)
    for (let at = 0; at + RECORD_HEADER_BYTES <= piece.length; at += RECORD_ALIGNMENT) {
      const record = readRecordHeader(piece, at, position + at, header.salt)
      if (record === undefined) continue
      if (record.durable > from) witness ??= position + at
      if (record.kind === RECORD.entry) lastIndex = indexOfEntry(piece, at) ?? lastIndex
    }
  }
  return { usedTo, witness, lastIndex }
}

function indexOfEntry(piece: Buffer, at: number): Index | undefined {
  try {
    return readEntry(new Reader(piece, at + RECORD_HEADER_BYTES)).index
  } catch (error) {
    if (error instanceof MalformedError) return undefined
    throw error
  }
}

/** The segments of a directory in order, or the one of this name; headers read and lengths checked. */
export async function listSegments(disk: Disk, dir: string, only?: string): Promise<SegmentFile[]> {
  const segments: SegmentFile[] = []
  for (const name of only === undefined ? ((await disk.list(dir)) ?? []) : [only]) {
    const sequence = parseSegmentName(name)
    if (sequence === undefined) continue
    const path = join(dir, name)
    const file = await disk.open(path, 'read')
    try {
      segments.push({ path, header: await readHeader(file, path, sequence) })
    } catch (error) {
      throw inFile(path, error)
    } finally {
      await file.close()
    }
  }
  return segments
}

async function readHeader(file: DiskFile, path: string, sequence: number): Promise<SegmentHeader> {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES)
  const read = await file.read(bytes, 0)
  const header = decodeOrRefuse(path, 0, () => decodeSegmentHeader(bytes.subarray(0, read)))
  if (header.sequence !== sequence) {
    throw corrupted({
      file: path,
      offset: 0,
      problem: `this is segment ${header.sequence} under another name`,
    })
  }
  const size = await file.size()
  if (size !== header.capacity) {
    const problem = `the file has ${size} bytes, and was made with ${header.capacity}`
    throw corrupted({ file: path, offset: Math.min(size, header.capacity), problem })
  }
  return header
}
