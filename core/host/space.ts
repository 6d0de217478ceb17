/**
 * A plugin's own replicated keys and commands, over the replicated log. The space is held by core beside
 * the users' keys and needs no plugin code to apply; it enters the state when it is first written to.
 */
import { type Call, type CallRules, OPTIONS, checkCall, checkTtl } from '../store/calls.ts'
import { toEntry } from '../store/answers.ts'
import { checkTxn } from '../store/conditions.ts'
import { checkKey, openStored } from '../codec.ts'
import { ConcordError } from '../errors.ts'
import {
  type CommandResult,
  type Keyspace,
  type Machine,
  type SliceDone,
  type SpaceDone,
  type TxnDone,
  USERS,
  dueAt,
  encodeDelete,
  encodePut,
  encodeSlice,
  encodeSliceRegister,
  encodeSpace,
  encodeTxn,
  find,
  openAt,
  pluginSpace,
  recordAt,
  revisionAt,
  scan,
} from '../machine/index.ts'
import type { Writer } from '../bytes.ts'
import type { ReplicatedLog } from '../node/replicated-log.ts'
import type {
  DeleteResult,
  Entry,
  Key,
  PutOptions,
  PutResult,
  ReadOptions,
  Revision,
  TxnRequest,
  Value,
  WriteOptions,
} from '../types.ts'
import type { PluginSpace, ScanOptions } from './contract.ts'

/** Keys of one step of an asynchronous scan. */
const SCAN_STEP = 256

export class PluginState implements PluginSpace {
  readonly #plugin: string
  readonly #log: () => ReplicatedLog
  readonly #rules: CallRules
  readonly #sliceVersion: number | undefined
  readonly local: PluginSpace['local']

  /** @param log throws `NOT_READY` until the node runs. */
  constructor(plugin: string, log: () => ReplicatedLog, rules: CallRules, sliceVersion: number | undefined) {
    this.#plugin = plugin
    this.#log = log
    this.#rules = rules
    this.#sliceVersion = sliceVersion
    this.local = {
      get: <T>(key: Key) => this.#valueNow(checkKey(key), this.#eventually()) as T | undefined,
      revision: (key: Key) => this.#revisionNow(checkKey(key), this.#eventually()),
      scan: <T>(options?: ScanOptions) => this.#scanNow<T>(options ?? {}),
    }
  }

  async get<T = unknown>(key: Key, options?: ReadOptions): Promise<T | undefined> {
    return (await this.getEntry<T>(key, options))?.value
  }

  async getEntry<T = unknown>(key: Key, options?: ReadOptions): Promise<Entry<T> | undefined> {
    const call = this.#check(options, OPTIONS.read)
    checkKey(key)
    const { clusterTime } = await this.#log().readPoint(call.consistency, call.minRevision, call)
    const space = this.#keyspace()
    const slot = space === undefined ? -1 : find(space, key)
    if (
      space !== undefined &&
      slot !== -1 &&
      dueAt(space, slot, clusterTime) &&
      call.consistency !== 'eventual'
    ) {
      await this.#log().expireDue([{ space: space.id, key }], call)
    }
    return this.#entryNow(key, clusterTime) as Entry<T> | undefined
  }

  async txn(
    request: Pick<TxnRequest, 'compare' | 'success'>,
    options?: WriteOptions,
  ): Promise<{ readonly succeeded: boolean; readonly revision: Revision }> {
    const call = this.#check(options, OPTIONS.write)
    const txn = checkTxn(request, this.#log().machine.settings.batch)
    const space = await this.#space(call)
    const { succeeded, revision } = await this.#propose<TxnDone>(call, (writer, machine) =>
      encodeTxn(writer, headerOf(space, call), txn, machine.settings.valueBytes),
    )
    return { succeeded, revision }
  }

  async put(key: Key, value: Value, options?: PutOptions): Promise<PutResult> {
    const call = this.#check(options, OPTIONS.put)
    checkKey(key)
    const ttlMs = checkTtl(call.options.ttl)
    const space = await this.#space(call)
    return this.#propose<PutResult>(call, (writer, machine) =>
      encodePut(writer, headerOf(space, call), key, value, ttlMs, machine.settings.valueBytes),
    )
  }

  async delete(key: Key, options?: WriteOptions): Promise<DeleteResult> {
    const call = this.#check(options, OPTIONS.write)
    checkKey(key)
    const space = await this.#space(call)
    return this.#propose<DeleteResult>(call, (writer) => encodeDelete(writer, headerOf(space, call), key))
  }

  async *scan<T = unknown>(
    options: ScanOptions = {},
  ): AsyncGenerator<{ key: Key; value: T }, void, undefined> {
    let { after } = options
    let left = options.limit ?? Infinity
    while (left > 0) {
      const limit = Math.min(left, SCAN_STEP)
      const page = [...this.#scanNow<T>({ ...options, after, limit })]
      yield* page
      if (page.length < limit) return
      left -= page.length
      after = page.at(-1)?.key
      await this.#log().pause()
    }
  }

  /** Proposes a command to the plugin's slice, which becomes part of the state with its first command. */
  async proposeSlice(command: unknown, options?: WriteOptions): Promise<unknown> {
    const call = this.#check(options, OPTIONS.write)
    const version = this.#sliceVersion as number
    const space = await this.#slice(version, call)
    const done = await this.#propose<SliceDone>(call, (writer, machine) =>
      encodeSlice(writer, headerOf(space, call), version, command, machine.settings.valueBytes),
    ).catch((error: unknown) => {
      throw this.#asRetired(error)
    })
    return done.answer
  }

  /** The slice was there when the command set out. A call that is made again registers it anew. */
  #asRetired(error: unknown): unknown {
    if (!ConcordError.is(error) || error.code !== 'SLICE_MISSING') return error
    const plugin = this.#plugin
    return new ConcordError(
      'SLICE_MISSING',
      `plugin "${plugin}": its slice was retired before the command could be applied; nothing was applied. ` +
        `Call again to bring the slice back. To be without it, run "npx concord-kv plugin retire ${plugin}" and turn it off: plugins: { '${plugin}': false }`,
      { retryable: true, details: { ...error.details, plugin }, cause: error },
    )
  }

  #check(options: object | undefined, allowed: ReadonlySet<string>): Call {
    return checkCall(this.#rules, {}, options, allowed)
  }

  async #space(call: Call): Promise<number> {
    const known = this.#keyspace()
    if (known !== undefined) return known.id
    const done = await this.#propose<SpaceDone>(call, (writer) => encodeSpace(writer, CORE, this.#plugin))
    return done.space
  }

  async #slice(version: number, call: Call): Promise<number> {
    const space = this.#keyspace()
    const active = space === undefined ? undefined : this.#log().machine.active.get(space.id)
    if (space !== undefined && active !== undefined && active.version >= version) return space.id
    await this.#log().askForSlice(this.#plugin, version, call)
    const done = await this.#propose<SpaceDone>(call, (writer) =>
      encodeSliceRegister(writer, CORE, this.#plugin, version),
    )
    return done.space
  }

  #propose<R extends CommandResult>(
    call: Call,
    encode: (writer: Writer, machine: Machine) => void,
  ): Promise<R> {
    const log = this.#log()
    return log.propose((writer) => encode(writer, log.machine), call)
  }

  #keyspace(): Keyspace | undefined {
    return pluginSpace(this.#log().machine, this.#plugin)
  }

  #eventually(): number {
    const log = this.#log()
    if (log.isStopped) throw new ConcordError('STOPPED', 'this node has stopped')
    return log.clusterTimeNow()
  }

  #valueNow(key: Key, clusterTime: number): unknown {
    const space = this.#keyspace()
    const slot = visibleIn(space, key, clusterTime)
    return space === undefined || slot === -1 ? undefined : openAt(space, slot)
  }

  #revisionNow(key: Key, clusterTime: number): Revision {
    const space = this.#keyspace()
    const slot = visibleIn(space, key, clusterTime)
    return space === undefined || slot === -1 ? 0 : revisionAt(space, slot)
  }

  #entryNow(key: Key, clusterTime: number): Entry | undefined {
    const space = this.#keyspace()
    const slot = visibleIn(space, key, clusterTime)
    if (space === undefined || slot === -1) return undefined
    return toEntry(recordAt(space, slot), clusterTime, ({ value }) => openStored(value))
  }

  *#scanNow<T>(options: ScanOptions): Generator<{ key: Key; value: T }, void, undefined> {
    const space = this.#keyspace()
    if (space === undefined) return
    const clusterTime = this.#eventually()
    for (const { key, value, expiresAt: at } of scan(space, options)) {
      if (at === 0 || at > clusterTime) yield { key, value: openStored(value) as T }
    }
  }
}

/** The slot of a key that is there and not due; -1 otherwise. */
function visibleIn(space: Keyspace | undefined, key: Key, clusterTime: number): number {
  const slot = space === undefined ? -1 : find(space, key)
  return space === undefined || slot === -1 || dueAt(space, slot, clusterTime) ? -1 : slot
}

const CORE = { space: USERS } as const

const headerOf = (space: number, call: Call) => ({ space, requestId: call.requestId })
