/**
 * Reading a data directory from end to end without opening it: what `concord fsck` and `concord recover` know of the
 * files. Changes nothing, and goes on after damage, so that one look shows all of it.
 */
import { join } from 'node:path'

import type { ConcordError } from '../../errors.ts'
import type { Index, SnapshotMeta } from '../../raft/index.ts'
import { type Disk, nodeDisk } from './disk.ts'
import { cannotOpen, corrupted } from './errors.ts'
import { type IdentityFile, readIdentity } from './identity.ts'
import {
  identityPath,
  isTemporary,
  logDir,
  parseSegmentName,
  parseSnapshotName,
  snapshotDir,
} from './layout.ts'
import { LogImage, type ReadLog, readLog } from './recovery.ts'
import { listSegments, scanSegment } from './segment-reading.ts'
import { openSnapshotFile, verifySnapshot } from './snapshot-file.ts'

export interface DirectoryContents {
  /** Undefined when it is missing or damaged; then the log is not read. */
  readonly content: IdentityFile | undefined
  /** Those that are whole, in the order of their indexes. */
  readonly snapshots: readonly WholeSnapshot[]
  /** Undefined when something in it is wrong. */
  readonly log: ReadLog | undefined
  /** Of a log with damage: how far each segment can be read by itself, which is what a repair could still take. */
  readonly readable: readonly ReadableSegment[]
  /** Files that were not finished; a node removes them when it starts. */
  readonly halfWritten: readonly string[]
  /** Why a node would not start on these files, in the order in which they are read; `details` name file and offset. */
  readonly problems: readonly ConcordError[]
}

export interface WholeSnapshot {
  readonly path: string
  readonly meta: SnapshotMeta
  readonly bytes: number
}

export interface ReadableSegment {
  readonly path: string
  readonly lastIndex: Index
  /** Where reading ends, and why. */
  readonly offset: number
  readonly problem: string
}

type Attempt = <R>(read: () => Promise<R>) => Promise<R | undefined>

/** Everything that is found. Never rejects: what cannot be read is a problem. */
export async function readDirectory(dir: string, disk: Disk = nodeDisk): Promise<DirectoryContents> {
  const problems: ConcordError[] = []
  const attempt: Attempt = async (read) => {
    try {
      return await read()
    } catch (error) {
      const problem = await cannotOpen(dir, error)
      // A damaged segment is met again when it is read by itself.
      if (problems.every(({ message }) => message !== problem.message)) problems.push(problem)
      return undefined
    }
  }
  const content = await attempt(() => identityOf(disk, dir))
  const snapshots = await wholeSnapshots(disk, dir, attempt)
  const newest = snapshots.at(-1)?.meta.index ?? 0
  const log = content && (await attempt(() => logOf(disk, dir, content, newest)))
  const readable = content === undefined || log !== undefined ? [] : await readWhatIsLeft(disk, dir, attempt)
  const halfWritten = (await attempt(() => temporaries(disk, dir))) ?? []
  return { content, snapshots, log, readable, halfWritten, problems }
}

async function identityOf(disk: Disk, dir: string): Promise<IdentityFile> {
  const content = await readIdentity(disk, dir)
  if (content !== undefined) return content
  throw corrupted({ file: identityPath(dir), offset: 0, problem: 'the file is missing' })
}

async function wholeSnapshots(disk: Disk, dir: string, attempt: Attempt): Promise<WholeSnapshot[]> {
  const found: WholeSnapshot[] = []
  const names = (await attempt(() => disk.list(snapshotDir(dir)))) ?? []
  for (const name of names.filter((one) => parseSnapshotName(one) !== undefined)) {
    const path = join(snapshotDir(dir), name)
    const whole = await attempt(async () => {
      const snapshot = await openSnapshotFile(disk, path)
      try {
        await verifySnapshot(snapshot)
        return { path, meta: snapshot.meta, bytes: snapshot.payloadBytes }
      } finally {
        await snapshot.file.close()
      }
    })
    if (whole !== undefined) found.push(whole)
  }
  return found
}

function logOf(
  disk: Disk,
  dir: string,
  { identity, hasLog, run }: IdentityFile,
  snapshotIndex: Index,
): Promise<ReadLog> {
  const { clusterId, incarnation } = identity
  const closedBy = run?.closed === true ? run.id : null
  return readLog(disk, logDir(dir), { clusterId, incarnation, hasLog, closedBy, snapshotIndex })
}

/** What is wrong was said when the log was read, but for what lies behind the first damage. */
async function readWhatIsLeft(disk: Disk, dir: string, attempt: Attempt): Promise<ReadableSegment[]> {
  const found: ReadableSegment[] = []
  for (const name of (await attempt(() => disk.list(logDir(dir)))) ?? []) {
    if (parseSegmentName(name) === undefined) continue
    const one = await attempt(() => readOne(disk, logDir(dir), name))
    if (one !== undefined) found.push(one)
  }
  return found
}

async function readOne(disk: Disk, dir: string, name: string): Promise<ReadableSegment> {
  const [segment] = await listSegments(disk, dir, name)
  const { path, header } = segment!
  const file = await disk.open(path, 'read')
  try {
    const image = new LogImage(header.firstIndex)
    const { end, problem } = await scanSegment(file, segment!, image)
    return { path, lastIndex: image.next - 1, offset: end, problem }
  } finally {
    await file.close()
  }
}

async function temporaries(disk: Disk, dir: string): Promise<string[]> {
  const found: string[] = []
  for (const part of [dir, logDir(dir), snapshotDir(dir)]) {
    const names = (await disk.list(part)) ?? []
    found.push(...names.filter(isTemporary).map((name) => join(part, name)))
  }
  return found
}
