/**
 * The store on another process's node. What can be said as data is one request; what needs the caller's own
 * eyes (`condition`, transaction functions) is judged here, over requests. Calls are checked here as on a
 * node, so that a call that is wrong is not sent.
 */
import {
  type Call,
  type CallRules,
  OPTIONS,
  checkCall,
  checkDefaults,
  checkList,
  checkPutItem,
  checkTouchItem,
  checkTouchTtl,
  checkTtl,
  refuse,
} from '../store/calls.ts'
import { checkKey } from '../codec.ts'
import { checkBy, checkCondition, checkTxn } from '../store/conditions.ts'
import type { EndpointClient } from './client.ts'
import {
  type Answer,
  type NodeHello,
  type Page,
  type RequestHead,
  entryIn,
  operationOut,
  setAside,
  valueIfAny,
  withEntryIn,
  withValueIn,
} from './wire.ts'
import { ConcordError } from '../errors.ts'
import { within } from '../patience.ts'
import { type Optimist, runTransaction, satisfying, writeIfJudged } from '../store/optimistic.ts'
import type { CommandCall } from '../plugin.ts'
import type { Cluster, Store, StoreDefaults } from '../store.ts'
import type {
  CallOptions,
  ConditionalResult,
  DeleteIfOptions,
  DeleteResult,
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
  TxnOperation,
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

interface Sending {
  readonly method: string
  readonly fields?: Readonly<Record<string, unknown>> | undefined
  readonly values?: readonly unknown[] | undefined
  readonly call: Call
  readonly isWrite?: boolean | undefined
}

export class RemoteStore implements Remote {
  readonly cluster: Cluster
  /** Most keys in one call, by the node's config. */
  readonly batch: number
  readonly #client: EndpointClient
  readonly #rules: CallRules
  readonly #defaults: StoreDefaults

  constructor(client: EndpointClient, hello: NodeHello, defaults: StoreDefaults = {}) {
    this.#client = client
    this.#defaults = defaults
    const { timeoutMs, consistency, callOptions, batch } = hello
    this.batch = batch
    this.#rules = {
      nowMs: () => client.nowMs(),
      timeoutMs,
      consistency,
      pluginOptions: new Map(Object.entries(callOptions)),
    }
    this.cluster = {
      members: () => this.#plain('cluster.members'),
      snapshot: () => this.#plain('cluster.snapshot', true),
      retire: (plugin) => this.#plain('cluster.retire', true, { plugin }),
    }
    this.with = (changed) =>
      new RemoteStore(client, hello, { ...this.#defaults, ...checkDefaults(this.#rules, changed) })
  }

  readonly with: (defaults: StoreDefaults) => RemoteStore

  async close(): Promise<void> {
    await this.#client.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  // ------------------------------------------------------------------------------------ one key

  async put(key: Key, value: Value, options?: PutOptions): Promise<PutResult> {
    const call = this.#check(options, OPTIONS.put)
    checkTtl(options?.ttl)
    const fields = { key: checkKey(key), value: 0 }
    return this.#data({ method: 'put', fields, values: [value], call, isWrite: true })
  }

  async get<T = unknown>(key: Key, options?: ReadOptions): Promise<T | undefined> {
    const call = this.#check(options, OPTIONS.read)
    const { head, values } = await this.#send({ method: 'get', fields: { key: checkKey(key) }, call })
    return valueIfAny(values, head) as T | undefined
  }

  async getEntry<T = unknown>(key: Key, options?: ReadOptions): Promise<Entry<T> | undefined> {
    const call = this.#check(options, OPTIONS.read)
    const { head, values } = await this.#send({ method: 'getEntry', fields: { key: checkKey(key) }, call })
    return entryIn(values, head) as Entry<T> | undefined
  }

  async ttl(key: Key, options?: ReadOptions): Promise<number | null | undefined> {
    const call = this.#check(options, OPTIONS.read)
    const fields = { key: checkKey(key) }
    const { ttl } = await this.#data<{ readonly ttl: number | null | undefined }>({
      method: 'ttl',
      fields,
      call,
    })
    return ttl
  }

  async delete(key: Key, options?: WriteOptions): Promise<DeleteResult> {
    const call = this.#check(options, OPTIONS.write)
    return this.#data({ method: 'delete', fields: { key: checkKey(key) }, call, isWrite: true })
  }

  async touch(key: Key, ttl: number, options?: WriteOptions): Promise<TouchResult> {
    const call = this.#check(options, OPTIONS.write)
    checkTouchTtl(ttl)
    return this.#data({ method: 'touch', fields: { key: checkKey(key), ttl }, call, isWrite: true })
  }

  async increment(key: Key, options?: IncrementOptions): Promise<IncrementResult> {
    const call = this.#check(options, OPTIONS.increment)
    checkBy(options?.by)
    checkTtl(options?.ttl)
    const fields = { key: checkKey(key) }
    const { head, values } = await this.#send({ method: 'increment', fields, call, isWrite: true })
    return withValueIn(values, 'current', head) as IncrementResult
  }

  // ------------------------------------------------------------------------------------ conditions

  async putIf<T = unknown>(key: Key, value: Value, options: PutIfOptions<T>): Promise<ConditionalResult<T>> {
    const call = this.#check(options, OPTIONS.putIf)
    checkTtl(options?.ttl)
    const operation = { op: 'put', key: checkKey(key), value, ttl: options.ttl } as const
    return this.#conditional('putIf', operation, options, call) as Promise<ConditionalResult<T>>
  }

  async deleteIf<T = unknown>(key: Key, options: DeleteIfOptions<T>): Promise<ConditionalResult<T>> {
    const call = this.#check(options, OPTIONS.deleteIf)
    const operation = { op: 'delete', key: checkKey(key) } as const
    return this.#conditional('deleteIf', operation, options, call) as Promise<ConditionalResult<T>>
  }

  async #conditional(
    method: 'putIf' | 'deleteIf',
    operation: TxnOperation,
    options: object,
    call: Call,
  ): Promise<ConditionalResult> {
    const condition = checkCondition(options as Readonly<Record<string, unknown>>)
    if (condition.kind === 'condition') return this.#judged(operation, satisfying(condition.fn), call)
    const { op: _, ttl: __, ...fields } = { ttl: undefined, ...operation }
    const values: unknown[] = []
    if ('value' in fields) fields.value = setAside(values, fields.value)
    const expected = condition.kind === 'expected' ? { expected: setAside(values, condition.value) } : {}
    const { head, values: found } = await this.#send({
      method,
      fields: { ...fields, ...expected },
      values,
      call: withoutOption(call, 'expected'),
      isWrite: true,
    })
    return withEntryIn(found, 'current', head) as ConditionalResult
  }

  /** The function runs here; a retry under a request id asks first what its first try did. */
  async #judged(
    operation: TxnOperation,
    judge: ReturnType<typeof satisfying>,
    given: Call,
  ): Promise<ConditionalResult> {
    const call = withoutOption(withoutOption(given, 'condition'), 'ttl')
    if (call.requestId !== undefined) {
      const values: unknown[] = []
      const fields = { operation: operationOut(values, operation) }
      const recorded = await this.#data<PutResult | null>({ method: 'recall', fields, values, call })
      if (recorded !== null) return { ok: true, revision: recorded.revision }
    }
    const commit = (request: TxnRequest): Promise<TxnResult> => {
      const values: unknown[] = []
      const { revision } = request.compare[0]!
      const fields = { operation: operationOut(values, operation), revision }
      return this.#txn({ method: 'commitJudged', fields, values, call, isWrite: true })
    }
    return writeIfJudged({ ...this.#optimist(call), commit }, operation.key, judge, operation)
  }

  #optimist(call: Call): Optimist {
    const reading = withoutOption(call, 'requestId')
    return {
      read: async (keys) => {
        const success = keys.map((key) => ({ op: 'get', key: checkKey(key) }) as const)
        const { results } = await this.#txn(sendTxn({ compare: [], success }, reading, false))
        return results.map((result) => ('entry' in result ? result.entry : undefined))
      },
      commit: (request) => {
        checkTxn(request, Infinity)
        return this.#txn(sendTxn(request, call, true))
      },
      within: (work) => within(this.#client.clock, call, work),
    }
  }

  // ------------------------------------------------------------------------------------ many keys

  async putMany(items: readonly PutItem[], options?: PutOptions): Promise<PutResult[]> {
    const call = this.#check(options, OPTIONS.put)
    checkTtl(options?.ttl)
    const values: unknown[] = []
    const checked = checkList(items, 'items', Infinity, (item, at) => {
      const { key, value, ttl } = checkPutItem(item, at)
      checkTtl(ttl)
      return { key, value: setAside(values, value), ...(ttl === undefined ? {} : { ttl }) }
    })
    return this.#data({ method: 'putMany', fields: { items: checked }, values, call, isWrite: true })
  }

  async getMany<T = unknown>(keys: readonly Key[], options?: ReadOptions): Promise<(T | undefined)[]> {
    const call = this.#check(options, OPTIONS.read)
    const fields = { keys: checkList(keys, 'keys', Infinity, (key) => checkKey(key)) }
    const { head, values } = await this.#send({ method: 'getMany', fields, call })
    return (head as (number | null)[]).map((place) => valueIfAny(values, place) as T | undefined)
  }

  async deleteMany(keys: readonly Key[], options?: WriteOptions): Promise<DeleteResult[]> {
    const call = this.#check(options, OPTIONS.write)
    const fields = { keys: checkList(keys, 'keys', Infinity, (key) => checkKey(key)) }
    return this.#data({ method: 'deleteMany', fields, call, isWrite: true })
  }

  async touchMany(items: readonly TouchItem[], options?: WriteOptions): Promise<TouchResult[]> {
    const call = this.#check(options, OPTIONS.write)
    const checked = checkList(items, 'items', Infinity, (item, at) => {
      checkTouchItem(item, at)
      return { key: item.key, ttl: item.ttl }
    })
    return this.#data({ method: 'touchMany', fields: { items: checked }, call, isWrite: true })
  }

  txn<R>(run: (tx: Transaction) => R | Promise<R>, options?: CallOptions): Promise<R>
  txn(request: TxnRequest, options?: WriteOptions): Promise<TxnResult>
  async txn<R>(
    what: TxnRequest | ((tx: Transaction) => R | Promise<R>),
    options?: WriteOptions,
  ): Promise<R | TxnResult> {
    if (typeof what === 'function') {
      return runTransaction(this.#optimist(this.#check(options, OPTIONS.call)), what)
    }
    checkTxn(what, Infinity)
    return this.#txn(sendTxn(what, this.#check(options, OPTIONS.write), true))
  }

  async *entries<T = unknown>(options?: EntriesOptions): AsyncGenerator<Entry<T>, undefined, undefined> {
    const call = this.#check(options, OPTIONS.entries)
    const { prefix } = options ?? {}
    if (prefix !== undefined && typeof prefix !== 'string') refuse('prefix', prefix, 'a string')
    if (options?.after !== undefined) checkKey(options.after)
    let last: Key | undefined
    const first = await this.#send({ method: 'entries', call })
    try {
      for await (const { records, values } of this.#pages(first, call)) {
        for (const record of records) {
          const entry = entryIn(values, record) as Entry<T>
          last = entry.key
          yield entry
        }
      }
    } catch (error) {
      throw withCursor(error, last)
    }
    return undefined
  }

  // ------------------------------------------------------------------------------------ the node itself

  status(): Promise<Status> {
    return this.#plain('status')
  }

  /**
   * Runs a verb of a plugin on the node. What is a stream there is one here. Takes as long as it takes,
   * unless the store has a `timeoutMs` of its own.
   */
  async runCommand(
    name: string,
    { arguments: given, options: flags, signal }: Pick<CommandCall, 'arguments' | 'options' | 'signal'>,
  ): Promise<unknown> {
    const checked = this.#check({ signal }, OPTIONS.call)
    const deadlineMs = this.#defaults.timeoutMs === undefined ? Infinity : checked.deadlineMs
    const call = { ...checked, deadlineMs }
    const fields = { name, arguments: given, flags }
    const { head, values } = await this.#send({ method: 'command', fields, call, isWrite: true })
    const { page, result } = head as { readonly page?: Page; readonly result?: unknown }
    if (page === undefined) return valueIfAny(values, result)
    return this.#records({ head: page, values }, call)
  }

  async *#records(first: Answer, call: Call): AsyncGenerator<unknown, void, undefined> {
    for await (const { records, values } of this.#pages(first, call)) {
      for (const record of records) yield valueIfAny(values, record)
    }
  }

  /** Asks for page after page; each has the time of a call. The node's iterator is closed when this ends. */
  async *#pages(
    first: Answer,
    call: Call,
  ): AsyncGenerator<{ readonly records: readonly unknown[]; readonly values: readonly unknown[] }> {
    const patienceMs = call.deadlineMs - this.#client.nowMs()
    let answer = first
    let iterator: number | undefined
    try {
      for (;;) {
        const { records, iterator: next } = answer.head as Page
        iterator = next
        yield { records, values: answer.values }
        if (iterator === undefined) return
        const deadlineMs = this.#client.nowMs() + Math.max(patienceMs, this.#rules.timeoutMs)
        answer = await this.#next(iterator, { ...call, deadlineMs })
      }
    } finally {
      if (iterator !== undefined) this.#closeIterator(iterator)
    }
  }

  #next(iterator: number, { deadlineMs, signal }: Call): Promise<Answer> {
    const head = { method: 'next', iterator }
    return this.#client.ask({ head, values: [], isWrite: false, deadlineMs, signal })
  }

  #closeIterator(iterator: number): void {
    const head = { method: 'close', iterator }
    const deadlineMs = this.#client.nowMs() + this.#rules.timeoutMs
    // Its end has no taker: with the connection the iterator goes, too.
    this.#client.ask({ head, values: [], isWrite: false, deadlineMs }).catch(() => undefined)
  }

  // ------------------------------------------------------------------------------------ small things

  #check(options: object | undefined, allowed: ReadonlySet<string>): Call {
    const call = checkCall(this.#rules, this.#defaults, options, allowed)
    // Of the defaults only what this call takes: freshness is no option of a write.
    const { token, consistency } = this.#defaults
    const sent = { ...(token === undefined ? {} : { token }), ...options }
    if (consistency !== undefined && allowed.has('consistency')) {
      return { ...call, options: { consistency, ...sent } }
    }
    return { ...call, options: sent }
  }

  async #plain<R>(
    method: string,
    isWrite = false,
    fields: Readonly<Record<string, unknown>> = {},
  ): Promise<R> {
    return this.#data({ method, fields, call: this.#check(undefined, OPTIONS.call), isWrite })
  }

  async #data<R>(sending: Sending): Promise<R> {
    return (await this.#send(sending)).head as R
  }

  async #txn(sending: Sending): Promise<TxnResult> {
    const { head, values } = await this.#send(sending)
    const result = head as TxnResult
    const results = result.results.map((one) =>
      withValueIn(values, 'current', withEntryIn(values, 'entry', one)),
    )
    return { ...result, results } as TxnResult
  }

  #send({ method, fields, values = [], call, isWrite = false }: Sending): Promise<Answer> {
    const { timeoutMs: _, signal: __, ...options } = call.options
    const head: RequestHead = { ...fields, method, options }
    const { deadlineMs, signal, requestId } = call
    return this.#client.ask({ head, values, isWrite, isGuarded: requestId !== undefined, deadlineMs, signal })
  }
}

function sendTxn(request: TxnRequest, call: Call, isWrite: boolean): Sending {
  const values: unknown[] = []
  const out = (operations: readonly TxnOperation[] | undefined): object[] | undefined =>
    operations?.map((operation) => operationOut(values, operation))
  const { compare, success, failure } = request
  const sent = { compare, success: out(success), ...(failure === undefined ? {} : { failure: out(failure) }) }
  return { method: 'txn', fields: { request: sent }, values, call, isWrite }
}

function withoutOption(call: Call, name: string): Call {
  const { [name]: _, ...options } = call.options as Record<string, unknown>
  return { ...call, options }
}

/** Whoever reads on after a loss needs to know where. */
function withCursor(error: unknown, cursor: Key | undefined): unknown {
  const isLoss =
    ConcordError.is(error) && (error.code === 'SNAPSHOT_TOO_OLD' || error.code === 'CONNECTION_LOST')
  if (!isLoss || cursor === undefined || error.details?.['cursor'] !== undefined) return error
  const { code, message, outcome, retryable, details, cause } = error
  return new ConcordError(code, message, { outcome, retryable, details: { ...details, cursor }, cause })
}
