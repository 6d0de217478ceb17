/**
 * `concord fsck`: reads a data directory as a node would, whole and offline, and changes nothing of it. Says
 * everything that is wrong, where a node stops at the first.
 */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ConcordError } from '../errors.ts'
import { nodeDisk } from '../storage/file/disk.ts'
import { cannotOpen } from '../storage/file/errors.ts'
import { type IdentityFile, readIdentity } from '../storage/file/identity.ts'
import { logDir, parseSnapshotName, snapshotDir } from '../storage/file/layout.ts'
import { lockDirectory } from '../storage/file/lock.ts'
import { readLog } from '../storage/file/recovery.ts'
import { openSnapshotFile, verifySnapshot } from '../storage/file/snapshot-file.ts'
import type { Cli } from './cli.ts'
import { CliError, EXIT, NODE_EXIT, nodeExitCodeOf, sentenceOf } from './failure.ts'
import { dataDirectory } from './node.ts'
import { facts } from './text.ts'

interface Report {
  readonly dir: string
  readonly ok: boolean
  readonly node: string
  readonly clusterId: string
  readonly snapshots: readonly { readonly file: string; readonly index: number; readonly bytes: number }[]
  readonly log: LogReport | null
  readonly problems: readonly { readonly code: string; readonly message: string }[]
}

interface LogReport {
  readonly segments: number
  readonly entries: number
  readonly firstIndex: number | null
  readonly lastIndex: number | null
  readonly cleanStop: boolean
  /** Of a write that was never acknowledged; a node cuts it when it starts. */
  readonly tornBytes: number
}

export async function fsck(cli: Cli, given: string | undefined): Promise<number> {
  let dir = given
  try {
    dir ??= await dataDirectory(cli)
    await requireDirectory(dir)
    const lock = await lockDirectory(dir)
    try {
      const report = await check(dir)
      cli.show(report, () => describe(report))
      return report.ok ? EXIT.ok : exitCodeFor(report)
    } finally {
      await lock.release()
    }
  } catch (error) {
    const failure = error instanceof CliError ? error : await storageError(error, dir)
    process.stderr.write(`${sentenceOf(failure, { verb: 'fsck', dir })}\n`)
    return failure instanceof CliError ? EXIT.usage : nodeExitCodeOf(failure)
  }
}

async function requireDirectory(dir: string): Promise<void> {
  const found = await stat(dir).catch(() => undefined)
  if (found?.isDirectory() !== true) {
    throw new CliError('USAGE', `${dir} is no directory`, 'concord fsck DIR')
  }
}

async function check(dir: string): Promise<Report> {
  const problems: ConcordError[] = []
  const attempt = async <R>(read: () => Promise<R>): Promise<R | undefined> => {
    try {
      return await read()
    } catch (error) {
      problems.push(await storageError(error, dir))
      return undefined
    }
  }
  const content = await attempt(() => readIdentity(nodeDisk, dir))
  if (content === undefined && problems.length === 0) {
    throw new CliError(
      'USAGE',
      `${dir} is not the data directory of a node: it has no identity.json`,
      'concord fsck DIR',
    )
  }
  const snapshots = await checkSnapshots(dir, attempt)
  const log =
    content === undefined
      ? undefined
      : await attempt(() => checkLog(dir, content, snapshots.at(-1)?.index ?? 0))
  return {
    dir,
    ok: problems.length === 0,
    node: content?.identity.name ?? '',
    clusterId: content?.identity.clusterId ?? '',
    snapshots,
    log: log ?? null,
    problems: problems.map(({ code, message }) => ({ code, message })),
  }
}

type Attempt = <R>(read: () => Promise<R>) => Promise<R | undefined>

async function checkSnapshots(dir: string, attempt: Attempt): Promise<Report['snapshots']> {
  const found: Report['snapshots'][number][] = []
  const names = (await attempt(() => nodeDisk.list(snapshotDir(dir)))) ?? []
  for (const name of names.filter((one) => parseSnapshotName(one) !== undefined).sort()) {
    const whole = await attempt(async () => {
      const snapshot = await openSnapshotFile(nodeDisk, join(snapshotDir(dir), name))
      try {
        await verifySnapshot(snapshot)
        return { file: name, index: snapshot.meta.index, bytes: snapshot.payloadBytes }
      } finally {
        await snapshot.file.close()
      }
    })
    if (whole !== undefined) found.push(whole)
  }
  return found
}

async function checkLog(dir: string, content: IdentityFile, snapshotIndex: number): Promise<LogReport> {
  const { identity, run, hasLog } = content
  const { image, segments, last, usedTo, cleanStop } = await readLog(nodeDisk, logDir(dir), {
    clusterId: identity.clusterId,
    incarnation: identity.incarnation,
    snapshotIndex,
    hasLog,
    closedBy: run?.closed === true ? run.id : null,
  })
  const { entries } = image
  return {
    segments: segments.length,
    entries: entries.length,
    firstIndex: entries[0]?.index ?? null,
    lastIndex: entries.at(-1)?.index ?? null,
    cleanStop,
    tornBytes: Math.max(0, usedTo - last.end),
  }
}

/** The system's own errors are the disk's. */
async function storageError(error: unknown, dir = ''): Promise<ConcordError> {
  return ConcordError.is(error) ? error : cannotOpen(dir, error)
}

function exitCodeFor({ problems }: Report): number {
  if (problems.some(({ code }) => code === 'STORAGE_FAILED')) return NODE_EXIT.storage
  return problems.every(({ code }) => code === 'IDENTITY_MISMATCH') ? NODE_EXIT.config : NODE_EXIT.corrupted
}

function describe({ dir, ok, node, clusterId, snapshots, log, problems }: Report): string {
  const pairs: [string, string][] = [
    ['directory', dir],
    ['node', `${node}, cluster ${clusterId}`],
    ...snapshots.map(({ file, bytes }): [string, string] => ['snapshot', `${file}, ${bytes} bytes`]),
  ]
  if (log !== null) {
    const range = log.firstIndex === null ? 'no entries' : `entries ${log.firstIndex} to ${log.lastIndex}`
    pairs.push(['log', `${log.segments} ${log.segments === 1 ? 'segment' : 'segments'}, ${range}`])
    pairs.push([
      'last stop',
      log.cleanStop ? 'clean' : 'not clean: the process was killed, or the machine went down',
    ])
    if (log.tornBytes > 0) {
      pairs.push(['torn', `${log.tornBytes} bytes of a write that was never acknowledged; a node cuts them`])
    }
  }
  for (const { code, message } of problems) pairs.push(['problem', `${code}: ${message}`])
  pairs.push(['verdict', ok ? 'sound' : 'damaged'])
  return facts(pairs)
}
