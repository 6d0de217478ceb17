/**
 * Slices: plugins' own deterministic commands over their own space. The code is local, its name and version
 * are replicated; a node that lacks the code, or has an older one, stops rather than go on without it.
 *
 * A slice that throws is a bug on every node, and the end of this one: the error leaves `apply`. So does a slice
 * that is not done when it returns: what it did later would be outside the log, and different on every node.
 */
import { Writer } from '../bytes.ts'
import { Encoded, checkKey, encodeValue, openStored } from '../codec.ts'
import { ConcordError } from '../errors.ts'
import type { Command } from './command.ts'
import type { Keyspace, ScanOptions } from './keyspace.ts'
import { dueAt, find, openAt, scan } from './keyspace.ts'
import type { ActiveSlice, Machine } from './machine.ts'
import { UnsupportedByThisNode } from './unsupported.ts'
import type { Run } from './write.ts'
import { deleteKey, expireKey, nextRevision, putKey } from './write.ts'

/** The slice's own keys. Values are copies: changing one changes nothing until it is `put`. */
export interface SliceSpace {
  get<T = unknown>(key: string): T | undefined
  /** Throws `INVALID_KEY`, `INVALID_VALUE` and `VALUE_TOO_LARGE`: let them pass only if they are bugs. */
  put(key: string, value: unknown): void
  /** Whether the key was there. */
  delete(key: string): boolean
  /** In key order, as they stand when they are reached. */
  scan<T = unknown>(options?: ScanOptions): Iterable<{ readonly key: string; readonly value: T }>
}

/** All that a command may know of the world; the same on every node. */
export interface SliceMeta {
  readonly index: number
  /** Of the store before this command. */
  readonly revision: number
  readonly clusterTime: number
  readonly wallTime: number
  readonly actor: string | undefined
  /** Of the slice that wrote the command: may be below the one that is in force. */
  readonly version: number
}

export interface Slice {
  readonly name: string
  /** The highest version of state and commands that this code understands; it understands all before it. */
  readonly version: number
  apply(space: SliceSpace, command: never, meta: SliceMeta): unknown
}

/** Throws `UnsupportedByThisNode`, naming the slice, unless this node has it at `version` or above. */
export function requireSlice(machine: Machine, name: string, version: number): Slice {
  const slice = machine.slices.get(name)
  if (slice !== undefined && slice.version >= version) return slice
  throw new UnsupportedByThisNode({
    kind: 'slice',
    name,
    found: `version ${version}`,
    supported: slice === undefined ? 'no such slice' : `versions up to ${slice.version}`,
  })
}

/** Runs one command of an active slice; all its changes have one revision. Returns the slice's answer. */
export function runSlice(
  run: Run,
  space: Keyspace,
  active: ActiveSlice,
  command: Command & { readonly kind: 'slice' },
): unknown {
  const { machine, entry } = run
  const slice = requireSlice(machine, active.name, Math.max(active.version, command.version))
  const meta: SliceMeta = {
    index: entry.index,
    revision: machine.revision,
    clusterTime: machine.clusterTime,
    wallTime: entry.wallTime,
    actor: run.header.actor,
    version: command.version,
  }
  const turn: Turn = { slice: active.name, isOver: false }
  try {
    return checkAnswer(
      active.name,
      slice.apply(sliceSpace(run, space, turn), openStored(command.body) as never, meta),
    )
  } finally {
    turn.isOver = true
  }
}

/** One call of `apply`: its space is of no use after it. */
interface Turn {
  readonly slice: string
  isOver: boolean
}

function checkTurn({ slice, isOver }: Turn): void {
  if (isOver) throw failed(slice, 'space is used after apply has returned; it is there for one command')
}

/** What leaves a slice is a value, as what enters it: the caller may be on another node. */
function checkAnswer(slice: string, answer: unknown): unknown {
  if (answer === undefined) return undefined
  if (isThenable(answer)) {
    answer.then(undefined, () => {}) // nobody waits for it, and its rejection would end the process
    throw failed(slice, 'apply returned a promise; it must be synchronous')
  }
  try {
    encodeValue(new Writer(64), answer)
  } catch (error) {
    throw failed(slice, 'apply returned what is not a value', error)
  }
  return answer
}

const isThenable = (answer: unknown): answer is PromiseLike<unknown> =>
  typeof answer === 'object' && answer !== null && typeof (answer as { then?: unknown }).then === 'function'

function failed(slice: string, why: string, cause?: unknown): ConcordError {
  const reason = cause instanceof Error ? `${why}: ${cause.message}` : why
  const details = { plugin: slice, step: 'apply' }
  return new ConcordError('PLUGIN_FAILED', `plugin "${slice}": ${reason}`, { details, cause })
}

/**
 * The space as the slice sees it. What is due is absent; it goes when the slice puts or deletes it, as part
 * of the slice's own change.
 */
function sliceSpace(run: Run, space: Keyspace, turn: Turn): SliceSpace {
  const { machine } = run
  const revision = nextRevision(run)
  const meet = (key: string) => {
    const slot = find(space, key)
    if (slot < 0 || !dueAt(space, slot, machine.clusterTime)) return slot
    machine.revision = revision
    expireKey(run, space, slot, revision)
    return -1
  }
  return {
    get: <T>(key: string) => {
      checkTurn(turn)
      const slot = find(space, key)
      if (slot < 0 || dueAt(space, slot, machine.clusterTime)) return undefined
      return openAt(space, slot) as T
    },
    put: (key, value) => {
      checkTurn(turn)
      const encoded = encode(value, machine.settings.valueBytes)
      putKey(run, space, meet(checkKey(key)), key, encoded, 0, revision)
      machine.revision = revision
    },
    delete: (key) => {
      checkTurn(turn)
      const slot = meet(key)
      if (slot < 0) return false
      deleteKey(run, space, slot, revision)
      machine.revision = revision
      return true
    },
    scan: <T>(options?: ScanOptions) => scanValues<T>(space, machine.clusterTime, turn, options),
  }
}

function* scanValues<T>(
  space: Keyspace,
  clusterTime: number,
  turn: Turn,
  options: ScanOptions = {},
): Generator<{ key: string; value: T }, void, undefined> {
  checkTurn(turn)
  let left = options.limit ?? Infinity
  if (left <= 0) return
  for (const { key, value, expiresAt } of scan(space, { ...options, limit: undefined })) {
    if (expiresAt !== 0 && expiresAt <= clusterTime) continue
    yield { key, value: openStored(value) as T }
    if (--left <= 0) return
    checkTurn(turn)
  }
}

function encode(value: unknown, maxBytes: number): Encoded {
  const writer = new Writer(256)
  encodeValue(writer, value, maxBytes)
  return new Encoded(writer.buffer, 0, writer.length)
}
