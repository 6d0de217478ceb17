/**
 * `concord fsck`: reads a data directory as a node would, whole and offline, and changes nothing of it: the files,
 * and then, in memory, the state that they amount to. Says everything that is wrong, where a node stops at the first.
 */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ConcordError, type ErrorCode } from '../errors.ts'
import type { Slice } from '../machine/index.ts'
import type { SnapshotMeta } from '../raft/index.ts'
import { setAside } from '../storage/file/directory.ts'
import { nodeDisk } from '../storage/file/disk.ts'
import { cannotOpen } from '../storage/file/errors.ts'
import { type IdentityFile, readIdentity } from '../storage/file/identity.ts'
import { logDir, parseSnapshotName, snapshotDir } from '../storage/file/layout.ts'
import { lockDirectory } from '../storage/file/lock.ts'
import { type ReadLog, readLog } from '../storage/file/recovery.ts'
import { openSnapshotFile, verifySnapshot } from '../storage/file/snapshot-file.ts'
import type { Cli } from './cli.ts'
import { CliError, EXIT, NODE_EXIT, nodeExitCodeOf, sentenceOf } from './failure.ts'
import { type Loaded, type Need, type State, loadState } from './fsck-state.ts'
import { dataDirectory, loadConfig } from './node.ts'
import { facts } from './text.ts'

interface Report {
  readonly dir: string
  readonly ok: boolean
  readonly node: string
  readonly clusterId: string
  readonly snapshots: readonly { readonly file: string; readonly index: number; readonly bytes: number }[]
  readonly log: LogReport | null
  /** What the files amount to; null when that was not asked for, or cannot be said. */
  readonly state: State | null
  /** The plugin without which the state is not whole here. */
  readonly needs: Need | null
  readonly problems: readonly { readonly code: string; readonly message: string }[]
}

interface LogReport {
  readonly segments: number
  readonly entries: number
  readonly firstIndex: number | null
  readonly lastIndex: number | null
  readonly lastTerm: number | null
  readonly cleanStop: boolean
  /** Of a write that was never acknowledged; a node cuts it when it starts. */
  readonly tornBytes: number
}

export async function fsck(
  cli: Cli,
  given: string | undefined,
  { load }: { readonly load: boolean },
): Promise<number> {
  let dir = given
  try {
    dir ??= await dataDirectory(cli)
    await requireDirectory(dir, 'fsck')
    const lock = await lockDirectory(dir)
    try {
      const report = await check(dir, load ? () => slicesOf(cli) : undefined)
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

export async function requireDirectory(dir: string, verb: string): Promise<void> {
  const found = await stat(dir).catch(() => undefined)
  if (found?.isDirectory() !== true) {
    throw new CliError('USAGE', `${dir} is no directory`, `concord ${verb} DIR`)
  }
}

/** The commands of plugins that the config has, if there is one that can be loaded. */
export async function slicesOf(cli: Cli): Promise<readonly Slice[]> {
  try {
    const { definitions } = await loadConfig(cli)
    return Object.values(definitions).flatMap(({ name, slice }) =>
      slice === undefined ? [] : [{ name, version: slice.version, apply: slice.apply.bind(slice) }],
    )
  } catch (error) {
    cli.hint(
      `No plugin can be asked for its commands: ${error instanceof Error ? error.message : String(error)}`,
    )
    return []
  }
}

/** All that was read of a directory, and what is wrong with it. */
export interface Examined {
  readonly content: IdentityFile | undefined
  readonly snapshots: readonly Snapshot[]
  readonly log: ReadLog | undefined
  readonly loaded: Loaded | undefined
  readonly problems: readonly ConcordError[]
}

/**
 * @param slices how to get at the commands of plugins; undefined: the state is not asked for.
 * @throws `USAGE` - it is not the data directory of a node.
 */
export async function examine(
  dir: string,
  slices: (() => Promise<readonly Slice[]>) | undefined,
): Promise<Examined> {
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
      undefined,
    )
  }
  const quarantine = content?.identity.quarantine
  if (quarantine !== undefined) problems.push(setAside(dir, quarantine))
  const snapshots = await checkSnapshots(dir, attempt)
  const newest = snapshots.at(-1)
  const log =
    content === undefined ? undefined : await attempt(() => checkLog(dir, content, newest?.index ?? 0))
  const loaded =
    log === undefined || slices === undefined
      ? undefined
      : await attempt(() => loadWith(dir, newest, log, slices))
  problems.push(...(loaded?.problems ?? []))
  return { content, snapshots, log, loaded, problems }
}

async function check(dir: string, slices: (() => Promise<readonly Slice[]>) | undefined): Promise<Report> {
  const { content, snapshots, log, loaded, problems } = await examine(dir, slices)
  return {
    dir,
    ok: problems.length === 0,
    node: content?.identity.name ?? '',
    clusterId: content?.identity.clusterId ?? '',
    snapshots: snapshots.map(({ file, index, bytes }) => ({ file, index, bytes })),
    log: log === undefined ? null : reportOf(log),
    state: loaded?.state ?? null,
    needs: loaded?.needs ?? null,
    problems: problems.map(({ code, message }) => ({ code, message })),
  }
}

/** A config is loaded only when the state needs a plugin: that takes longer than all the rest. */
async function loadWith(
  dir: string,
  newest: Snapshot | undefined,
  log: ReadLog,
  slices: () => Promise<readonly Slice[]>,
): Promise<Loaded> {
  const snapshot = newest && { ...newest, path: join(snapshotDir(dir), newest.file) }
  const loaded = await loadState(snapshot, log, [])
  if (loaded.needs === null) return loaded
  const known = await slices()
  return known.length === 0 ? loaded : loadState(snapshot, log, known)
}

export interface Snapshot {
  readonly file: string
  readonly index: number
  readonly term: number
  readonly meta: SnapshotMeta
  readonly bytes: number
}

type Attempt = <R>(read: () => Promise<R>) => Promise<R | undefined>

async function checkSnapshots(dir: string, attempt: Attempt): Promise<Snapshot[]> {
  const found: Snapshot[] = []
  const names = (await attempt(() => nodeDisk.list(snapshotDir(dir)))) ?? []
  for (const name of names.filter((one) => parseSnapshotName(one) !== undefined).sort()) {
    const whole = await attempt(async () => {
      const snapshot = await openSnapshotFile(nodeDisk, join(snapshotDir(dir), name))
      try {
        await verifySnapshot(snapshot)
        const { meta } = snapshot
        const { index, term } = meta
        return { file: name, index, term, meta, bytes: snapshot.payloadBytes }
      } finally {
        await snapshot.file.close()
      }
    })
    if (whole !== undefined) found.push(whole)
  }
  return found
}

function checkLog(dir: string, content: IdentityFile, snapshotIndex: number): Promise<ReadLog> {
  const { identity, run, hasLog } = content
  return readLog(nodeDisk, logDir(dir), {
    clusterId: identity.clusterId,
    incarnation: identity.incarnation,
    snapshotIndex,
    hasLog,
    closedBy: run?.closed === true ? run.id : null,
  })
}

function reportOf({ image: { entries }, segments, last, usedTo, cleanStop }: ReadLog): LogReport {
  return {
    segments: segments.length,
    entries: entries.length,
    firstIndex: entries[0]?.index ?? null,
    lastIndex: entries.at(-1)?.index ?? null,
    lastTerm: entries.at(-1)?.term ?? null,
    cleanStop,
    tornBytes: Math.max(0, usedTo - last.end),
  }
}

/** The system's own errors are the disk's. */
export async function storageError(error: unknown, dir = ''): Promise<ConcordError> {
  return ConcordError.is(error) ? error : cannotOpen(dir, error)
}

/** What a node would end with: the worst of all that is wrong. */
function exitCodeFor({ problems }: Report): number {
  const codes = problems.map(({ code }) => nodeExitCodeOf(new ConcordError(code as ErrorCode, '')))
  const worst = [NODE_EXIT.storage, NODE_EXIT.corrupted, EXIT.unexpected, NODE_EXIT.config]
  return worst.find((code) => codes.includes(code)) ?? EXIT.unexpected
}

function describe({ dir, ok, node, clusterId, snapshots, log, state, needs, problems }: Report): string {
  const pairs: [string, string][] = [
    ['directory', dir],
    ['node', `${node}, cluster ${clusterId}`],
    ...snapshots.map(({ file, bytes }): [string, string] => ['snapshot', `${file}, ${bytes} bytes`]),
  ]
  if (log !== null) {
    const range =
      log.firstIndex === null
        ? 'no entries'
        : `entries ${log.firstIndex} to ${log.lastIndex} (term ${log.lastTerm})`
    pairs.push(['log', `${log.segments} ${log.segments === 1 ? 'segment' : 'segments'}, ${range}`])
    pairs.push([
      'last stop',
      log.cleanStop ? 'clean' : 'not clean: the process was killed, or the machine went down',
    ])
    if (log.tornBytes > 0) {
      pairs.push(['torn', `${log.tornBytes} bytes of a write that was never acknowledged; a node cuts them`])
    }
  }
  if (state !== null) {
    const { index, revision, keys, hash } = state
    pairs.push(['state', `revision ${revision}, ${keys} keys, hash ${hash}, at entry ${index}`])
  }
  if (needs !== null) {
    const { plugin, found, at } = needs
    pairs.push([
      'needs',
      `plugin ${plugin}, ${found}: not applied are ${at} and what follows. Give the config that has it: --config FILE`,
    ])
  }
  for (const { code, message } of problems) pairs.push(['problem', `${code}: ${message}`])
  pairs.push(['verdict', ok ? 'sound' : 'damaged'])
  return facts(pairs)
}
