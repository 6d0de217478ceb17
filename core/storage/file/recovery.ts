/**
 * Reading the log back, and judging what is found.
 *
 * Only what was never acknowledged may be cut: bytes behind the last whole batch of the last segment, unless
 * a record behind them was written when they were durable already. Anything else that is wrong is damage, and
 * the answer to damage is to refuse, with file and offset: a log that lost its middle and starts all the same
 * has silently lost what others were promised. Nothing in this file writes.
 */
import { join } from 'node:path'

import { assert } from '../../assert.ts'
import { MalformedError, Reader } from '../../bytes.ts'
import { readEntry } from '../../entry-codec.ts'
import { ConcordError } from '../../errors.ts'
import type { Entry, HardState, Index } from '../../raft/types.ts'
import type { Disk, DiskFile } from './disk.ts'
import { corrupted, decodeOrRefuse, inFile } from './errors.ts'
import { parseSegmentName, segmentName } from './layout.ts'
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

// ------------------------------------------------------------------------------------------- one segment

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

// ------------------------------------------------------------------------------------------- the segments

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

/**
 * The newest unbroken run of segments. What is before a gap, or before a log that began afresh, was left
 * behind by a compaction or a reset that a crash interrupted, if `snapshotIndex` covers it.
 */
function liveSegments(
  segments: readonly SegmentFile[],
  snapshotIndex: Index,
): { live: readonly SegmentFile[]; leftovers: readonly SegmentFile[] } {
  let first = segments.length - 1
  while (first > 0 && segments[first]!.header.previous !== undefined) {
    const { header, path } = segments[first]!
    if (segments[first - 1]!.header.sequence !== header.sequence - 1) {
      if (header.firstIndex <= snapshotIndex + 1) break
      const problem = `the segment before it, ${segmentName(header.sequence - 1)}, is missing`
      throw corrupted({
        file: path,
        offset: 0,
        problem,
        toIndex: header.firstIndex - 1,
        fromIndex: snapshotIndex + 1,
      })
    }
    first--
  }
  return { live: segments.slice(Math.max(first, 0)), leftovers: segments.slice(0, Math.max(first, 0)) }
}

/** The log as the batches build it up. */
export class LogImage implements BatchSink {
  hardState: HardState = { term: 0, votedFor: null }
  entries: Entry[] = []
  /** Index that the next entry has to have. */
  next: Index
  /** Highest index ever written, truncated or not, in the segment that is being read. */
  maxIndex: Index = 0

  constructor(next: Index) {
    this.next = next
  }

  truncate(from: Index): void {
    if (from > this.next) throw new MalformedError(`truncation at ${from}, behind the end of the log`, 0)
    const first = this.entries[0]?.index ?? this.next
    this.entries.length = Math.max(0, Math.min(this.entries.length, from - first))
    this.next = from
  }

  entry(entry: Entry): void {
    if (entry.index !== this.next) {
      throw new MalformedError(`entry ${this.next} expected, found entry ${entry.index}`, 0)
    }
    this.entries.push(entry)
    this.next++
    this.maxIndex = Math.max(this.maxIndex, entry.index)
  }

  setHardState(state: HardState): void {
    this.hardState = state
  }
}

export interface Expected {
  readonly clusterId: string
  readonly incarnation: string
  readonly snapshotIndex: Index
  /** This directory has had a log before. */
  readonly hasLog: boolean
  /** The run that closed the log, when the identity says that it did: then nothing may be wrong at all. */
  readonly closedBy: string | null
}

export interface ReadLog {
  readonly image: LogImage
  /** In order; the last one is where appending goes on. Empty when there is no log yet. */
  readonly segments: readonly { readonly file: SegmentFile; readonly maxIndex: Index }[]
  readonly leftovers: readonly SegmentFile[]
  readonly last: { readonly end: number; readonly chain: number; readonly durable: number }
  /** The bytes from `last.end` to `usedTo` are the remains of a batch that was never acknowledged. */
  readonly usedTo: number
  readonly cleanStop: boolean
}

/** Reads and judges the whole log. Rejects with `CORRUPTED` or `IDENTITY_MISMATCH`; changes nothing. */
export async function readLog(disk: Disk, dir: string, expected: Expected): Promise<ReadLog> {
  const all = await listSegments(disk, dir)
  for (const segment of all) checkOwner(segment, expected)
  const { live, leftovers } = liveSegments(all, expected.snapshotIndex)
  const image = new LogImage(live[0]?.header.firstIndex ?? 1)
  const segments: { file: SegmentFile; maxIndex: Index }[] = []
  let last = { end: 0, chain: 0, durable: 0 }
  let usedTo = 0
  let cleanStop = false
  for (const [i, segment] of live.entries()) {
    const file = await disk.open(segment.path, 'read')
    try {
      if (i > 0) checkStart(segment, image.next)
      image.maxIndex = segment.header.firstIndex - 1
      const scan = await scanSegment(file, segment, image)
      segments.push({ file: segment, maxIndex: image.maxIndex })
      last = { end: scan.end, chain: scan.chain, durable: scan.durable }
      const following = live[i + 1]
      if (following !== undefined) {
        checkLink(segment, scan, following, image.next)
      } else {
        usedTo = await judgeEnd(file, segment, scan, image.next, expected)
        cleanStop = expected.closedBy !== null
      }
    } catch (error) {
      throw inFile(segment.path, error)
    } finally {
      await file.close()
    }
  }
  if (live.length === 0 && (expected.hasLog || expected.snapshotIndex > 0)) {
    throw corrupted({ file: dir, offset: 0, problem: 'there was a log here, and now there is none' })
  }
  checkGap(image, live[0], expected.snapshotIndex)
  return { image, segments, leftovers, last, usedTo, cleanStop }
}

function checkOwner({ path, header }: SegmentFile, { clusterId, incarnation }: Expected): void {
  const foreign = header.clusterId !== '' && header.clusterId !== clusterId
  if (!foreign && header.incarnation === incarnation) return
  const theirs = `${header.clusterId}/${header.incarnation}`
  throw new ConcordError(
    'IDENTITY_MISMATCH',
    `${path} belongs to ${theirs}, this is ${clusterId}/${incarnation}`,
    {
      details: { file: path, found: theirs, expected: `${clusterId}/${incarnation}` },
    },
  )
}

function checkStart({ path, header }: SegmentFile, next: Index): void {
  if (header.firstIndex === next) return
  const problem = `the segment begins at entry ${header.firstIndex}, the one before it ended at ${next - 1}`
  throw corrupted({ file: path, offset: 0, problem })
}

/** A segment that another follows was durable to its end before the other was made. */
function checkLink({ path }: SegmentFile, scan: SegmentScan, following: SegmentFile, next: Index): void {
  const { previous, firstIndex } = following.header
  assert(previous !== undefined, 'a segment in the middle of a log has one before it')
  // Behind the end that the next segment knows of comes a seal at most, which says nothing new.
  if (scan.end === previous.end && scan.chain === previous.chain) return
  const offset = Math.min(scan.stopAt, previous.end)
  throw corrupted({
    file: path,
    offset,
    problem:
      scan.end < previous.end ? scan.problem : 'this is not the segment that the next one was made after',
    fromIndex: next,
    toIndex: firstIndex - 1,
  })
}

/** The end of the last segment. Returns how far the remains of an unacknowledged batch go. */
async function judgeEnd(
  file: DiskFile,
  segment: SegmentFile,
  scan: SegmentScan,
  next: Index,
  { closedBy }: Expected,
): Promise<number> {
  const { path } = segment
  const { mark, end, stopAt, problem } = scan
  const damage = (why: string, lastIndex?: Index): ConcordError =>
    corrupted({ file: path, offset: stopAt, problem: why, fromIndex: next, toIndex: lastIndex })
  if (end === SEGMENT_HEADER_BYTES) throw damage(problem)
  if (mark?.kind === 'seal') throw damage(`segment ${mark.sequence}, which goes on from here, is missing`)
  const tail = await inspectTail(file, segment, end)
  if (tail.witness !== undefined) {
    throw damage(`${problem}, and the record at ${tail.witness} proves that it was durable`, tail.lastIndex)
  }
  if (closedBy === null) return tail.usedTo
  if (mark?.kind !== 'close' || mark.runId !== closedBy) {
    throw damage('the log was closed cleanly, and its closing mark is not here', tail.lastIndex)
  }
  if (tail.usedTo > end) throw damage('there are bytes behind the closing mark')
  return end
}

/** The log has to go on where the snapshot ends (H49). */
function checkGap({ entries, next }: LogImage, first: SegmentFile | undefined, snapshotIndex: Index): void {
  const firstIndex = entries[0]?.index ?? next
  if (firstIndex <= snapshotIndex + 1) return
  throw corrupted({
    file: first?.path ?? '',
    offset: 0,
    problem: `the log begins at entry ${firstIndex}, and the newest readable snapshot ends at ${snapshotIndex}`,
    fromIndex: snapshotIndex + 1,
    toIndex: firstIndex - 1,
  })
}
