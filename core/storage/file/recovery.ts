/**
 * Reading the log back, segment by segment (segment-reading.ts), and judging what is found.
 *
 * Only what was never acknowledged may be cut: bytes behind the last whole batch of the last segment, unless
 * a record behind them was written when they were durable already. Anything else that is wrong is damage, and
 * the answer to damage is to refuse, with file and offset: a log that lost its middle and starts all the same
 * has silently lost what others were promised. Nothing in this file writes.
 */
import { assert } from '../../assert.ts'
import { MalformedError } from '../../bytes.ts'
import { ConcordError } from '../../errors.ts'
import type { Entry, HardState, Index } from '../../raft/types.ts'
import type { Disk, DiskFile } from './disk.ts'
import { corrupted, inFile } from './errors.ts'
import { segmentName } from './layout.ts'
import type { BatchSink } from './record.ts'
import { SEGMENT_HEADER_BYTES } from './segment.ts'
import {
  inspectTail,
  listSegments,
  scanSegment,
  type SegmentFile,
  type SegmentScan,
} from './segment-reading.ts'

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
  /** Its last whole batch is a closing mark, of whatever run, or one of a rest: all that was acknowledged lies before it. */
  readonly isMarked: boolean
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
  let isMarked = false
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
        isMarked = scan.mark?.kind === 'close'
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
  return { image, segments, leftovers, last, usedTo, cleanStop, isMarked }
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
