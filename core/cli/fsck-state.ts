/**
 * The second half of `concord fsck`: builds the machine that a node on these files would come to, from the newest
 * snapshot and the log on it, in memory. Reads only. What the log holds is taken for committed: of one voter all of
 * it is, and whether the last entries of a larger cluster are, no node knows from its own files.
 */
import { MalformedError } from '../bytes.ts'
import { ConcordError } from '../errors.ts'
import {
  type Machine,
  type Slice,
  UnsupportedByThisNode,
  apply,
  createMachine,
  decodeCommands,
  snapshotLoader,
  stateHash,
} from '../machine/index.ts'
import { whyUnusable } from '../node/unusable.ts'
import type { Entry } from '../raft/index.ts'
import { nodeDisk } from '../storage/file/disk.ts'
import { isBehind } from '../storage/file/log-reading.ts'
import { LogImage, type ReadLog } from '../storage/file/recovery.ts'
import { scanSegment } from '../storage/file/segment-reading.ts'
import { RUN_BLOCKS, openSnapshotFile, readBlocks } from '../storage/file/snapshot-file.ts'

export interface State {
  /** Of the last entry that is in it. */
  readonly index: number
  readonly revision: number
  /** Of the users. */
  readonly keys: number
  /** As every node has it at this index. */
  readonly hash: string
}

/** A plugin whose slice is part of the state, and not here. */
export interface Need {
  readonly plugin: string
  /** The version that the state has. */
  readonly found: string
  /** What could not be applied without it, and nothing behind it: `entry 12`, or the snapshot. */
  readonly at: string
}

export interface Loaded {
  /** Null when not even the snapshot could be loaded. */
  readonly state: State | null
  readonly needs: Need | null
  readonly problems: readonly ConcordError[]
  /** The state itself; null when it is not whole. */
  readonly machine: Machine | null
}

/** Problems that are said one by one. */
const MOST_PROBLEMS = 100

/** @param snapshot the newest one that is whole; undefined when there is none. */
export async function loadState(
  snapshot: { readonly path: string; readonly index: number; readonly term: number } | undefined,
  log: ReadLog,
  slices: readonly Slice[],
): Promise<Loaded> {
  const { index = 0, term } = snapshot ?? {}
  const entries = isBehind(log.image, index, term) ? [] : log.image.entries.filter((one) => one.index > index)
  const problems = await undecodable(entries, log)
  let machine: Machine
  try {
    machine = snapshot === undefined ? createMachine(slices) : await load(snapshot.path, slices)
  } catch (error) {
    const where = snapshot!.path
    const needs = needOf(error, where)
    return {
      state: null,
      needs,
      problems: needs === null ? [problemOf(error, where), ...problems] : problems,
      machine: null,
    }
  }
  return applyAll(machine, entries, problems)
}

async function load(path: string, slices: readonly Slice[]): Promise<Machine> {
  const loader = snapshotLoader(slices)
  const file = await openSnapshotFile(nodeDisk, path)
  try {
    for (let block = 0; block < file.blocks; block += RUN_BLOCKS) {
      loader.push(await readBlocks(file, block, RUN_BLOCKS))
    }
    return loader.finish()
  } finally {
    await file.file.close()
  }
}

/** As far as that goes. A machine that has thrown is not asked any more. */
function applyAll(machine: Machine, entries: readonly Entry[], problems: readonly ConcordError[]): Loaded {
  const firstBad = problems[0]?.details?.['index']
  for (const entry of entries) {
    if (entry.index === firstBad) break
    const before = stateOf(machine)
    try {
      apply(machine, entry, false)
    } catch (error) {
      const where = `entry ${entry.index}`
      const needs = needOf(error, where)
      const found = needs === null ? [...problems, problemOf(error, where)] : problems
      return { state: before, needs, problems: found, machine: null }
    }
  }
  return { state: stateOf(machine), needs: null, problems, machine: problems.length === 0 ? machine : null }
}

function stateOf(machine: Machine): State {
  const { appliedIndex: index, revision, users } = machine
  return { index, revision, keys: users.count, hash: stateHash(machine) }
}

function needOf(error: unknown, at: string): Need | null {
  if (!(error instanceof UnsupportedByThisNode) || error.lack.kind !== 'slice') return null
  const { name: plugin, found } = error.lack
  return { plugin, found, at }
}

function problemOf(error: unknown, where: string): ConcordError {
  const why = whyUnusable(error, where)
  if (!ConcordError.is(why)) return new ConcordError('INTERNAL', why.message, { cause: why })
  if (why.code !== 'UNSUPPORTED') return why
  const { code, message, details, cause } = why
  return new ConcordError(code, `${message}; a newer version of Concord can read it`, { details, cause })
}

// ------------------------------------------------------------------------------------------ the entries

/** Each entry by itself: one that cannot be decoded does not hide the next. */
async function undecodable(entries: readonly Entry[], log: ReadLog): Promise<ConcordError[]> {
  const problems: ConcordError[] = []
  for (const { index, kind, data } of entries) {
    if (kind !== 'commands' || problems.length >= MOST_PROBLEMS) continue
    try {
      decodeCommands(data)
    } catch (error) {
      const file = await fileOf(index, log)
      const { code, message } =
        error instanceof MalformedError
          ? {
              code: 'CORRUPTED' as const,
              message: `${file}: entry ${index} cannot be decoded: ${error.message}`,
            }
          : problemOf(error, `${file}: entry ${index}`)
      problems.push(new ConcordError(code, message, { cause: error, details: { file, index } }))
    }
  }
  return problems
}

/** The last segment in which it was written: what an earlier one holds of that index was truncated. */
async function fileOf(index: number, { segments }: ReadLog): Promise<string> {
  for (const { file: segment } of segments.toReversed()) {
    const file = await nodeDisk.open(segment.path, 'read')
    try {
      const seen = new Indexes(segment.header.firstIndex)
      await scanSegment(file, segment, seen)
      if (seen.has(index)) return segment.path
    } finally {
      await file.close()
    }
  }
  return 'the log'
}

/** Of one segment: what it has written, truncated later or not. */
class Indexes extends LogImage {
  readonly #seen = new Set<number>()

  override entry(entry: Entry): void {
    this.#seen.add(entry.index)
  }

  override truncate(): void {
    // What is written again is in the set already.
  }

  has(index: number): boolean {
    return this.#seen.has(index)
  }
}
