/**
 * Reading a data directory from end to end without opening it: the core of `concord fsck`. Changes nothing, and
 * goes on after damage, so that one look shows all of it.
 */
import { join } from 'node:path'

import type { ConcordError } from '../../errors.ts'
import type { EntryId } from '../../raft/types.ts'
import { type Disk, errorCode, nodeDisk } from './disk.ts'
import { type IdentityFile, readIdentity } from './identity.ts'
import {
  identityPath,
  isTemporary,
  logDir,
  parseSegmentName,
  parseSnapshotName,
  snapshotDir,
} from './layout.ts'
import { LogImage, listSegments, readLog, scanSegment, type SegmentFile } from './recovery.ts'
import { openSnapshotFile, verifySnapshot } from './snapshot-file.ts'

export interface Finding {
  /** `damage`: a node refuses to start on it. `torn`: it will be cut, nothing was acknowledged. `note`: is so. */
  readonly severity: 'damage' | 'torn' | 'note'
  readonly file: string
  readonly offset?: number | undefined
  readonly message: string
}

/** Everything that is found, in the order in which it is read. Rejects only when files cannot be read at all. */
export async function* checkDirectory(dir: string, disk: Disk = nodeDisk): AsyncGenerator<Finding> {
  const content = yield* checkIdentity(disk, dir)
  const newest = yield* checkSnapshots(disk, dir)
  if (content !== undefined) yield* checkLog(disk, dir, content, newest)
  for (const part of [dir, logDir(dir), snapshotDir(dir)]) {
    for (const name of (await disk.list(part)) ?? []) {
      const message = 'half-written; removed at the next start'
      if (isTemporary(name)) yield { severity: 'note', file: join(part, name), message }
    }
  }
}

function damage(error: unknown, file: string): Finding {
  if (errorCode(error) !== 'CORRUPTED' && errorCode(error) !== 'IDENTITY_MISMATCH') throw error
  const { details, message } = error as ConcordError
  return {
    severity: 'damage',
    file: (details?.['file'] as string | undefined) ?? file,
    offset: details?.['offset'] as number | undefined,
    message,
  }
}

async function* checkIdentity(disk: Disk, dir: string): AsyncGenerator<Finding, IdentityFile | undefined> {
  const file = identityPath(dir)
  try {
    const content = await readIdentity(disk, dir)
    if (content === undefined) {
      yield { severity: 'damage', file, offset: 0, message: `${file} is missing` }
      return undefined
    }
    const { name, incarnation, clusterId } = content.identity
    yield {
      severity: 'note',
      file,
      message: `node ${name}/${incarnation}, cluster ${clusterId || 'not founded yet'}`,
    }
    return content
  } catch (error) {
    yield damage(error, file)
    return undefined
  }
}

/** Answers with the newest snapshot that can be read. */
async function* checkSnapshots(disk: Disk, dir: string): AsyncGenerator<Finding, EntryId> {
  let newest: EntryId = { index: 0, term: 0 }
  for (const name of (await disk.list(snapshotDir(dir))) ?? []) {
    const id = parseSnapshotName(name)
    if (id === undefined) continue
    const path = join(snapshotDir(dir), name)
    try {
      const snapshot = await openSnapshotFile(disk, path)
      try {
        await verifySnapshot(snapshot)
      } finally {
        await snapshot.file.close()
      }
      newest = id
      const message = `up to entry ${id.index} of term ${id.term}, ${snapshot.payloadBytes} bytes`
      yield { severity: 'note', file: path, message }
    } catch (error) {
      yield damage(error, path)
    }
  }
  return newest
}

async function* checkLog(
  disk: Disk,
  dir: string,
  { identity, hasLog, run }: IdentityFile,
  newest: EntryId,
): AsyncGenerator<Finding> {
  const { clusterId, incarnation } = identity
  const closedBy = run?.closed === true ? run.id : null
  const expected = { clusterId, incarnation, hasLog, closedBy, snapshotIndex: newest.index }
  const path = logDir(dir)
  try {
    const { image, last, usedTo, segments, cleanStop } = await readLog(disk, path, expected)
    const { entries, hardState } = image
    const range =
      entries.length === 0 ? 'no entries' : `entries ${entries[0]!.index} to ${entries.at(-1)!.index}`
    const end = cleanStop ? 'closed cleanly' : 'not closed'
    const message = `${segments.length} segments, ${range}, term ${hardState.term}, ${end}`
    yield { severity: 'note', file: path, message }
    if (usedTo > last.end) {
      const file = segments.at(-1)!.file.path
      yield {
        severity: 'torn',
        file,
        offset: last.end,
        message: `${usedTo - last.end} bytes of a torn batch`,
      }
    }
  } catch (error) {
    yield damage(error, path)
    yield* readWhatIsLeft(disk, path)
  }
}

/** Where each segment can be read to, by itself: what a repair could still take from it. */
async function* readWhatIsLeft(disk: Disk, dir: string): AsyncGenerator<Finding> {
  for (const name of (await disk.list(dir)) ?? []) {
    if (parseSegmentName(name) === undefined) continue
    const path = join(dir, name)
    try {
      const [segment] = await listSegments(disk, dir, name)
      if (segment !== undefined) yield await readOne(disk, segment)
    } catch (error) {
      yield damage(error, path)
    }
  }
}

async function readOne(disk: Disk, segment: SegmentFile): Promise<Finding> {
  const file = await disk.open(segment.path, 'read')
  try {
    const image = new LogImage(segment.header.firstIndex)
    const { end, problem } = await scanSegment(file, segment, image)
    const message = `readable up to entry ${image.next - 1}, then: ${problem}`
    return { severity: 'note', file: segment.path, offset: end, message }
  } finally {
    await file.close()
  }
}
