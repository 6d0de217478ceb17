/**
 * `concord fsck`: reads a data directory as a node would, whole and offline, and changes nothing of it: the files,
 * and then, in memory, the state that they amount to. Says everything that is wrong, where a node stops at the first.
 */
import { stat } from 'node:fs/promises'
import { basename, relative } from 'node:path'
import { ConcordError, type ErrorCode } from '../errors.ts'
import { slicesOf } from '../host/host.ts'
import type { Slice } from '../machine/index.ts'
import { type DirectoryContents, type WholeSnapshot, readDirectory } from '../storage/file/check.ts'
import { setAside } from '../storage/file/directory.ts'
import { cannotOpen } from '../storage/file/errors.ts'
import { mayHaveLost } from '../storage/file/identity.ts'
import { identityPath } from '../storage/file/layout.ts'
import { bootId, lockDirectory } from '../storage/file/lock.ts'
import type { ReadLog } from '../storage/file/recovery.ts'
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
  /** Of a log with damage: up to which entry each segment can be read by itself. */
  readonly readable: readonly { readonly file: string; readonly lastIndex: number }[]
  /** The machine went down under a relaxed fsync, and writes that were acknowledged may be missing at the end. */
  readonly inDoubt: boolean
  /** Files that a node removes when it starts. */
  readonly halfWritten: readonly string[]
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
      const report = await check(dir, load ? () => slicesAt(cli) : undefined)
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
export async function slicesAt(cli: Cli): Promise<readonly Slice[]> {
  try {
    const { definitions } = await loadConfig(cli)
    return slicesOf(Object.values(definitions))
  } catch (error) {
    cli.hint(
      `No plugin can be asked for its commands: ${error instanceof Error ? error.message : String(error)}`,
    )
    return []
  }
}

/** All that was read of a directory, and what is wrong with it. */
export interface Examined extends DirectoryContents {
  readonly loaded: Loaded | undefined
}

/**
 * @param slices how to get at the commands of plugins; undefined: the state is not asked for.
 * @throws `USAGE` - it is not the data directory of a node.
 */
export async function examine(
  dir: string,
  slices: (() => Promise<readonly Slice[]>) | undefined,
): Promise<Examined> {
  if ((await stat(identityPath(dir)).catch(() => undefined)) === undefined) {
    throw new CliError(
      'USAGE',
      `${dir} is not the data directory of a node: it has no identity.json`,
      undefined,
    )
  }
  const contents = await readDirectory(dir)
  const { content, snapshots, log } = contents
  const quarantine = content?.identity.quarantine
  const problems = quarantine === undefined ? [] : [setAside(dir, quarantine)]
  problems.push(...contents.problems)
  if (log === undefined || slices === undefined) return { ...contents, problems, loaded: undefined }
  try {
    const loaded = await loadWith(snapshots.at(-1), log, slices)
    return { ...contents, problems: [...problems, ...loaded.problems], loaded }
  } catch (error) {
    return { ...contents, problems: [...problems, await storageError(error, dir)], loaded: undefined }
  }
}

/** As a node that starts on the directory would say of itself. */
export const isInDoubt = ({ content, log }: DirectoryContents): boolean =>
  content !== undefined && mayHaveLost(content, bootId(), log?.isMarked === true)

async function check(dir: string, slices: (() => Promise<readonly Slice[]>) | undefined): Promise<Report> {
  const examined = await examine(dir, slices)
  const { content, snapshots, log, readable, halfWritten, loaded, problems } = examined
  return {
    dir,
    ok: problems.length === 0,
    node: content?.identity.name ?? '',
    clusterId: content?.identity.clusterId ?? '',
    snapshots: snapshots.map(({ path, meta: { index }, bytes }) => ({ file: basename(path), index, bytes })),
    log: log === undefined ? null : reportOf(log),
    readable: readable.map(({ path, lastIndex }) => ({ file: basename(path), lastIndex })),
    inDoubt: isInDoubt(examined),
    halfWritten: halfWritten.map((path) => relative(dir, path)),
    state: loaded?.state ?? null,
    needs: loaded?.needs ?? null,
    problems: problems.map(({ code, message }) => ({ code, message })),
  }
}

/** A config is loaded only when the state needs a plugin: that takes longer than all the rest. */
async function loadWith(
  newest: WholeSnapshot | undefined,
  log: ReadLog,
  slices: () => Promise<readonly Slice[]>,
): Promise<Loaded> {
  const snapshot = newest && { path: newest.path, ...newest.meta }
  const loaded = await loadState(snapshot, log, [])
  if (loaded.needs === null) return loaded
  const known = await slices()
  return known.length === 0 ? loaded : loadState(snapshot, log, known)
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

const IN_DOUBT =
  'the machine went down with storage.fsync other than "always": writes that were acknowledged may be missing at the end. ' +
  'A member of a cluster does not vote until a leader has given them back'

function describe(report: Report): string {
  const { dir, ok, node, clusterId, snapshots, log, readable, halfWritten, state, needs, problems } = report
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
  if (report.inDoubt) pairs.push(['in doubt', IN_DOUBT])
  for (const { file, lastIndex } of readable) pairs.push(['readable', `${file} up to entry ${lastIndex}`])
  for (const file of halfWritten) pairs.push(['half-written', `${file}; a node removes it when it starts`])
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
