/**
 * The store on another process's node. What can be said as data is one request; what needs the caller's own
 * eyes (`condition`, transaction functions) is judged here, over requests. Calls are checked here as on a
 * node, so that a call that is wrong is not sent.
 */
import { checkKey } from '../codec.ts'
import {
  OPTIONS,
  checkDefaults,
  checkList,
  checkPutItem,
  checkTouchItem,
  checkTouchTtl,
  checkTtl,
  refuse,
} from '../store/calls.ts'
import { checkBy, checkTxn } from '../store/conditions.ts'
import { type Moment, OneMoment } from '../store/one-moment.ts'
import type { EndpointClient } from './client.ts'
import { RemoteCalls } from './remote-calls.ts'
import { conditional, runRemotely } from './remote-judging.ts'
import { remoteEntries, remoteRecords } from './remote-pages.ts'
import { type NodeHello, type Page, entryIn, setAside, valueIfAny, withValueIn } from './shapes.ts'
import type { CommandCall } from '../plugin.ts'
import type { Cluster, Store, StoreDefaults } from '../store.ts'
import type {
  CallOptions,
  ConditionalResult,
  DeleteIfOptions,
  DeleteResult,
  Entries,
  EntriesOptions,
  Entry,
  IncrementOptions,
  IncrementResult,
  Key,
  PutIfOptions,
  PutItem,
  PutOptions,
  PutResult,
  ReadOptions,
  Status,
  TouchItem,
  TouchResult,
  Transaction,
  TxnRequest,
  TxnResult,
  Value,
  WriteOptions,
} from '../types.ts'

/** A store on another process's node, and the end of the connection to it. */
export interface Remote extends Store, AsyncDisposable {
  /** Calls under way reject with `CONNECTION_LOST`, later ones with `STOPPED`. */
  close(): Promise<void>
}

export class RemoteStore implements Remote {
  readonly cluster: Cluster
  /** Most keys in one call, by the node's config. */
  readonly batch: number
  readonly #calls: RemoteCalls
  readonly with: (defaults: StoreDefaults) => RemoteStore

  constructor(client: EndpointClient, hello: NodeHello, defaults: StoreDefaults = {}) {
    const { timeoutMs, consistency, callOptions, offPlugins: off, batch } = hello
    this.batch = batch
    const pluginOptions = new Map(Object.entries(callOptions))
    const rules = { nowMs: () => client.nowMs(), timeoutMs, consistency, pluginOptions, off }
    this.#calls = new RemoteCalls(client, rules, defaults)
    this.cluster = {
      members: (options) => this.#plain('cluster.members', options),
      status: (options) => this.#plain('cluster.status', options),
      addMember: (address, options) => this.#plain('cluster.addMember', options, true, { address }),
      removeMember: (member, options) => this.#plain('cluster.removeMember', options, true, { member }),
      promote: (member, options) => this.#plain('cluster.promote', options, true, { member }),
      demote: (member, options) => this.#plain('cluster.demote', options, true, { member }),
      transferLeadership: (to, options) => this.#plain('cluster.transferLeadership', options, true, { to }),
      snapshot: (options) => this.#plain('cluster.snapshot', options, true),
      retire: (plugin, options) => this.#plain('cluster.retire', options, true, { plugin }),
    }
    this.with = (changed) => new RemoteStore(client, hello, { ...defaults, ...checkDefaults(rules, changed) })
  }

  async close(): Promise<void> {
    await this.#calls.client.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  // ------------------------------------------------------------------------------------ one key

  async put(key: Key, value: Value, options?: PutOptions): Promise<PutResult> {
    const call = this.#calls.check(options, OPTIONS.put)
    checkTtl(options?.ttl)
    const fields = { key: checkKey(key), value: 0 }
    return this.#calls.data({ method: 'put', fields, values: [value], call, isWrite: true })
  }

  async get<T = unknown>(key: Key, options?: ReadOptions): Promise<T | undefined> {
    const call = this.#calls.check(options, OPTIONS.read)
    const { head, values } = await this.#calls.send({ method: 'get', fields: { key: checkKey(key) }, call })
    return valueIfAny(values, head) as T | undefined
  }

  async getEntry<T = unknown>(key: Key, options?: ReadOptions): Promise<Entry<T> | undefined> {
    const call = this.#calls.check(options, OPTIONS.read)
    const { head, values } = await this.#calls.send({
      method: 'getEntry',
      fields: { key: checkKey(key) },
      call,
    })
    return entryIn(values, head) as Entry<T> | undefined
  }

  async ttl(key: Key, options?: ReadOptions): Promise<number | null | undefined> {
    const call = this.#calls.check(options, OPTIONS.read)
    const fields = { key: checkKey(key) }
    const { ttl } = await this.#calls.data<{ readonly ttl: number | null | undefined }>({
      method: 'ttl',
      fields,
      call,
    })
    return ttl
  }

  async delete(key: Key, options?: WriteOptions): Promise<DeleteResult> {
    const call = this.#calls.check(options, OPTIONS.write)
    return this.#calls.data({ method: 'delete', fields: { key: checkKey(key) }, call, isWrite: true })
  }

  async touch(key: Key, ttl: number, options?: WriteOptions): Promise<TouchResult> {
    const call = this.#calls.check(options, OPTIONS.write)
    checkTouchTtl(ttl)
    return this.#calls.data({ method: 'touch', fields: { key: checkKey(key), ttl }, call, isWrite: true })
  }

  async increment(key: Key, options?: IncrementOptions): Promise<IncrementResult> {
    const call = this.#calls.check(options, OPTIONS.increment)
    checkBy(options?.by)
    checkTtl(options?.ttl)
    const fields = { key: checkKey(key) }
    const { head, values } = await this.#calls.send({ method: 'increment', fields, call, isWrite: true })
    return withValueIn(values, 'current', head) as IncrementResult
  }

  // ------------------------------------------------------------------------------------ conditions

  async putIf<T = unknown>(key: Key, value: Value, options: PutIfOptions<T>): Promise<ConditionalResult<T>> {
    const call = this.#calls.check(options, OPTIONS.putIf)
    checkTtl(options?.ttl)
    const operation = { op: 'put', key: checkKey(key), value, ttl: options.ttl } as const
    return conditional(this.#calls, 'putIf', operation, options, call) as Promise<ConditionalResult<T>>
  }

  async deleteIf<T = unknown>(key: Key, options: DeleteIfOptions<T>): Promise<ConditionalResult<T>> {
    const call = this.#calls.check(options, OPTIONS.deleteIf)
    const operation = { op: 'delete', key: checkKey(key) } as const
    return conditional(this.#calls, 'deleteIf', operation, options, call) as Promise<ConditionalResult<T>>
  }

  // ------------------------------------------------------------------------------------ many keys

  async putMany(items: readonly PutItem[], options?: PutOptions): Promise<PutResult[]> {
    const call = this.#calls.check(options, OPTIONS.put)
    checkTtl(options?.ttl)
    const values: unknown[] = []
    const checked = checkList(items, 'items', Infinity, (item, at) => {
      const { key, value, ttl } = checkPutItem(item, at)
      checkTtl(ttl)
      return { key, value: setAside(values, value), ...(ttl === undefined ? {} : { ttl }) }
    })
    return this.#calls.data({ method: 'putMany', fields: { items: checked }, values, call, isWrite: true })
  }

  async getMany<T = unknown>(keys: readonly Key[], options?: ReadOptions): Promise<(T | undefined)[]> {
    const call = this.#calls.check(options, OPTIONS.read)
    const fields = { keys: checkList(keys, 'keys', Infinity, (key) => checkKey(key)) }
    const { head, values } = await this.#calls.send({ method: 'getMany', fields, call })
    return (head as (number | null)[]).map((place) => valueIfAny(values, place) as T | undefined)
  }

  async deleteMany(keys: readonly Key[], options?: WriteOptions): Promise<DeleteResult[]> {
    const call = this.#calls.check(options, OPTIONS.write)
    const fields = { keys: checkList(keys, 'keys', Infinity, (key) => checkKey(key)) }
    return this.#calls.data({ method: 'deleteMany', fields, call, isWrite: true })
  }

  async touchMany(items: readonly TouchItem[], options?: WriteOptions): Promise<TouchResult[]> {
    const call = this.#calls.check(options, OPTIONS.write)
    const checked = checkList(items, 'items', Infinity, (item, at) => {
      checkTouchItem(item, at)
      return { key: item.key, ttl: item.ttl }
    })
    return this.#calls.data({ method: 'touchMany', fields: { items: checked }, call, isWrite: true })
  }

  txn<R>(run: (tx: Transaction) => R | Promise<R>, options?: CallOptions): Promise<R>
  txn(request: TxnRequest, options?: WriteOptions): Promise<TxnResult>
  async txn<R>(
    what: TxnRequest | ((tx: Transaction) => R | Promise<R>),
    options?: WriteOptions,
  ): Promise<R | TxnResult> {
    if (typeof what === 'function') {
      return runRemotely(this.#calls, what, this.#calls.check(options, OPTIONS.call))
    }
    checkTxn(what, Infinity)
    return this.#calls.txn(what, this.#calls.check(options, OPTIONS.write), true)
  }

  entries<T = unknown>(options?: EntriesOptions): Entries<T> {
    return new OneMoment((moment) => this.#entries<T>(options, moment))
  }

  async *#entries<T>(
    options: EntriesOptions | undefined,
    moment: Moment,
  ): AsyncGenerator<Entry<T>, undefined, undefined> {
    const call = this.#calls.check(options, OPTIONS.entries)
    const { prefix } = options ?? {}
    if (prefix !== undefined && typeof prefix !== 'string') refuse('prefix', prefix, 'a string')
    if (options?.after !== undefined) checkKey(options.after)
    return yield* remoteEntries(this.#calls, call, moment) as AsyncGenerator<Entry<T>, undefined, undefined>
  }

  // ------------------------------------------------------------------------------------ the node itself

  status(options?: CallOptions): Promise<Status> {
    return this.#plain('status', options)
  }

  /**
   * Runs a verb of a plugin on the node. What is a stream there is one here. Takes as long as it takes,
   * unless the store has a `timeoutMs` of its own.
   */
  async runCommand(
    name: string,
    { arguments: given, options: flags, signal }: Pick<CommandCall, 'arguments' | 'options' | 'signal'>,
  ): Promise<unknown> {
    const checked = this.#calls.check({ signal }, OPTIONS.call)
    const deadlineMs = this.#calls.defaults.timeoutMs === undefined ? Infinity : checked.deadlineMs
    const call = { ...checked, deadlineMs }
    const fields = { name, arguments: given, flags }
    const sending = { method: 'command', fields, call, isWrite: true, isBound: true }
    const { head, values, from } = await this.#calls.send(sending)
    const { page, result } = head as { readonly page?: Page; readonly result?: unknown }
    if (page === undefined) return valueIfAny(values, result)
    return remoteRecords(this.#calls, { head: page, values, from }, call)
  }

  async #plain<R>(
    method: string,
    options: CallOptions | undefined,
    isWrite = false,
    fields: Readonly<Record<string, unknown>> = {},
  ): Promise<R> {
    return this.#calls.data({ method, fields, call: this.#calls.check(options, OPTIONS.call), isWrite })
  }
}
