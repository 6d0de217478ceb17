/**
 * The store over the replicated log of this process: check the call, pass the door, encode one command,
 * wait for its result; or find the moment at which a read holds, and read the machine there.
 *
 * `put` and `get` have a short way through when no plugin stands at the door: the same steps, without
 * an object or a promise that nobody needs.
 */
import { createHash } from 'node:crypto'
import { secondsLeft, toConditional, toIncrement, toMany, toTxn } from './answers.ts'
import { Writer } from './bytes.ts'
import {
  type AnyOptions,
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
  describe,
  refuse,
} from './calls.ts'
import { checkKey, encodeValue, openStored } from './codec.ts'
import {
  type CheckedCondition,
  type CheckedTxn,
  checkBy,
  checkCondition,
  checkTxn,
  isReadOnly,
} from './conditions.ts'
import type { Door } from './door.ts'
import { ConcordError, refusedAs } from './errors.ts'
import type { DoorRequest, Permission, Write } from './hook-events.ts'
import {
  type CommandResult,
  type TxnDone,
  USERS,
  encodeBatch,
  encodeSliceRetire,
  expiresAt,
  find,
  lookUp,
  valueAt,
} from './machine/index.ts'
import type { ReplicatedLog } from './node/replicated-log.ts'
import { ReadPath, readAccess } from './read-path.ts'
import { WritePath, encodeCompared, encodeOne, encodeRewritten } from './write-path.ts'
import {
  type Judge,
  type Optimist,
  expecting,
  runTransaction,
  satisfying,
  writeIfJudged,
} from './optimistic.ts'
import type { Cluster, LocalReads, Store, StoreDefaults } from './store.ts'
import type {
  CallOptions,
  ConditionalResult,
  Consistency,
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
  Revision,
  Status,
  TouchItem,
  TouchResult,
  Transaction,
  TxnOperation,
  TxnRequest,
  TxnResult,
  Value,
  WriteOptions,
} from './types.ts'

const ABSENT = Promise.resolve(undefined)

export interface KvParts {
  readonly log: ReplicatedLog
  readonly door: Door
  readonly rules: CallRules
  readonly iteratorBytes: number
  /** Why the node takes no more calls of this store's users, if so; what is under way is finished. */
  readonly refusal: () => Error | undefined
  readonly status: () => Status
}

/** For a caller who judges the condition of a `putIf` or `deleteIf` elsewhere: a client of this node. */
export interface JudgedWrites {
  /** What the call has done already, under its request id; undefined when that has not taken effect. */
  recall(operation: TxnOperation, options?: WriteOptions): Promise<PutResult | undefined>
  /** Writes if the key's revision is the one that was judged; 0 for an absent key. */
  commitJudged(operation: TxnOperation, revision: Revision, options?: WriteOptions): Promise<TxnResult>
}

export class Kv implements Store, JudgedWrites {
  readonly #parts: KvParts
  readonly #log: ReplicatedLog
  readonly #door: Door
  readonly #reads: ReadPath
  readonly #writes: WritePath
  readonly #defaults: StoreDefaults
  readonly #consistency: Consistency
  readonly cluster: Cluster
  readonly local: LocalReads

  constructor(parts: KvParts, defaults: StoreDefaults = {}) {
    this.#parts = parts
    this.#log = parts.log
    this.#door = parts.door
    this.#reads = new ReadPath(parts.log, parts.door, parts.iteratorBytes)
    this.#writes = new WritePath(parts.log, parts.door)
    this.#defaults = defaults
    this.#consistency = defaults.consistency ?? parts.rules.consistency
    this.cluster = {
      members: () => promised(() => (this.#admitted('members', 'read'), [...parts.log.status().members])),
      snapshot: () => promised(() => (this.#admitted('snapshot', 'admin'), parts.log.snapshot())),
      retire: (plugin) => promised(() => this.#retire(plugin)),
    }
    this.local = {
      get: (key) => this.#localValue(key) as never,
      getEntry: (key) => this.#local(key) as never,
    }
  }

  with(defaults: StoreDefaults): Store {
    return new Kv(this.#parts, this.merged(defaults))
  }

  protected get parts(): KvParts {
    return this.#parts
  }

  /** These defaults over the store's own. Throws `INVALID_OPTION`. */
  protected merged(defaults: StoreDefaults): StoreDefaults {
    return { ...this.#defaults, ...checkDefaults(defaults) }
  }

  status(): Promise<Status> {
    return promised(() => (this.#admitted('status', 'read'), this.#parts.status()))
  }

  // ------------------------------------------------------------------------------------ one key

  put(key: Key, value: Value, options?: PutOptions): Promise<PutResult> {
    try {
      const call = this.#check(options, OPTIONS.put)
      const ttlMs = options?.ttl === undefined ? undefined : ttlOf(options.ttl)
      checkKey(key)
      if (this.#door.isOpenIn) return this.#writes.put(key, value, ttlMs, call)
      return this.#writes.write('put', [{ op: 'put', key, value, ttlMs }], call, encodeOne)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  get<T = unknown>(key: Key, options?: ReadOptions): Promise<T | undefined> {
    try {
      const call = options === undefined ? undefined : this.#check(options, OPTIONS.read)
      const slot = this.#slotNow(checkKey(key), call)
      if (slot === -1) return ABSENT
      if (slot !== undefined) return Promise.resolve(openStored(valueAt(this.#log.machine.users, slot)) as T)
      return this.#reads.one(
        'get',
        key,
        call ?? this.#check(undefined, OPTIONS.read),
        (record, _, request) => this.#door.outgoing(record, request) as T,
      )
    } catch (error) {
      return Promise.reject(error)
    }
  }

  getEntry<T = unknown>(key: Key, options?: ReadOptions): Promise<Entry<T> | undefined> {
    try {
      const call = options === undefined ? undefined : this.#check(options, OPTIONS.read)
      const slot = this.#slotNow(checkKey(key), call)
      if (slot === -1) return ABSENT
      if (slot !== undefined) return Promise.resolve(this.#reads.entryAt(slot) as Entry<T>)
      return this.#reads.one(
        'getEntry',
        key,
        call ?? this.#check(undefined, OPTIONS.read),
        (record, now, request) => this.#reads.entry(record, now, request) as Entry<T>,
      )
    } catch (error) {
      return Promise.reject(error)
    }
  }

  ttl(key: Key, options?: ReadOptions): Promise<number | null | undefined> {
    return promised(() =>
      this.#reads.one('ttl', checkKey(key), this.#check(options, OPTIONS.read), (record, now) =>
        secondsLeft(record.expiresAt, now),
      ),
    )
  }

  delete(key: Key, options?: WriteOptions): Promise<DeleteResult> {
    return promised(() =>
      this.#writes.write(
        'delete',
        [{ op: 'delete', key: checkKey(key) }],
        this.#check(options, OPTIONS.write),
        encodeOne,
      ),
    )
  }

  touch(key: Key, ttl: number, options?: WriteOptions): Promise<TouchResult> {
    return promised(() => {
      const write = { op: 'touch', key: checkKey(key), ttlMs: checkTouchTtl(ttl) } as const
      return this.#writes.write('touch', [write], this.#check(options, OPTIONS.write), encodeOne)
    })
  }

  increment(key: Key, options?: IncrementOptions): Promise<IncrementResult> {
    return promised(() => {
      const call = this.#check(options, OPTIONS.increment)
      const write = {
        op: 'increment',
        key: checkKey(key),
        by: checkBy(options?.by),
        ttlMs: ttlOf(options?.ttl),
      } as const
      return this.#writes.write('increment', [write], call, encodeOne, toIncrement)
    })
  }

  // ------------------------------------------------------------------------------------ conditions

  putIf<T = unknown>(key: Key, value: Value, options: PutIfOptions<T>): Promise<ConditionalResult<T>> {
    return promised(() => {
      const call = this.#check(options, OPTIONS.putIf)
      const write = { op: 'put', key: checkKey(key), value, ttlMs: ttlOf(options.ttl) } as const
      return this.#conditional('putIf', write, checkCondition(options), call)
    }) as Promise<ConditionalResult<T>>
  }

  deleteIf<T = unknown>(key: Key, options: DeleteIfOptions<T>): Promise<ConditionalResult<T>> {
    return promised(() => {
      const call = this.#check(options, OPTIONS.deleteIf)
      return this.#conditional(
        'deleteIf',
        { op: 'delete', key: checkKey(key) },
        checkCondition(options),
        call,
      )
    }) as Promise<ConditionalResult<T>>
  }

  #conditional(
    operation: 'putIf' | 'deleteIf',
    write: Write,
    condition: CheckedCondition,
    call: Call,
  ): Promise<ConditionalResult> {
    if (condition.kind === 'revision') {
      const compares = [{ key: write.key, revision: condition.revision }]
      const map = (done: CommandResult, request: DoorRequest): ConditionalResult =>
        toConditional(done as TxnDone, condition.absent, (record) => this.#reads.entryNow(record, request))
      return this.#writes.write(operation, [write], call, encodeCompared(compares), map)
    }
    const judge = condition.kind === 'expected' ? expecting(condition.value) : satisfying(condition.fn)
    const fingerprint = call.requestId === undefined ? undefined : fingerprintOf(operation, write, condition)
    return this.#judged(operation, write, judge, { ...call, fingerprint })
  }

  /** A retry of a judged call must not be judged again: what its first try did is in the way (4.8). */
  async #judged(operation: string, write: Write, judge: Judge, call: Call): Promise<ConditionalResult> {
    const recorded = await this.#recall(call)
    if (recorded !== undefined) return { ok: true, revision: recorded.revision }
    return writeIfJudged(this.#optimist(operation, call), write.key, judge, operationOf(write))
  }

  recall(operation: TxnOperation, options?: WriteOptions): Promise<PutResult | undefined> {
    return promised(async () => {
      const recorded = await this.#recall(this.#judgedElsewhere(operation, options).call)
      return recorded === undefined ? undefined : { revision: recorded.revision }
    })
  }

  commitJudged(operation: TxnOperation, revision: Revision, options?: WriteOptions): Promise<TxnResult> {
    return promised(() => {
      const { name, call } = this.#judgedElsewhere(operation, options)
      const compare = [{ key: operation.key, revision }]
      return this.#commit(name, checkTxn({ compare, success: [operation] }, this.#batch), call)
    })
  }

  #judgedElsewhere(
    operation: TxnOperation,
    options: WriteOptions | undefined,
  ): { readonly name: 'putIf' | 'deleteIf'; readonly call: Call } {
    const call = this.#check(options, OPTIONS.write)
    const [write] = checkTxn({ compare: [], success: [operation] }, this.#batch).success
    if (write?.op !== 'put' && write?.op !== 'delete') {
      throw new ConcordError('INVALID_ARGUMENT', 'only a put or a delete has a condition')
    }
    const name = write.op === 'put' ? 'putIf' : 'deleteIf'
    const fingerprint =
      call.requestId === undefined ? undefined : fingerprintOf(name, write, { kind: 'condition' })
    return { name, call: { ...call, fingerprint } }
  }

  /** The result recorded under the call's request id, if it took effect before. */
  async #recall(call: Call): Promise<TxnDone | undefined> {
    if (call.requestId === undefined) return undefined
    await this.#log.readPoint('leader', 0, call)
    const { actor } = this.#door.admit('recall', [], call)
    const { requestId, fingerprint = '' } = call
    const known = lookUp(this.#log.machine, { space: USERS, actor, requestId, call: fingerprint })
    if (known === undefined) return undefined
    if (known.call !== fingerprint) throw refusedAs('REQUEST_ID_REUSED', { requestId })
    return known.result as TxnDone
  }

  /** Reads and commits on behalf of one call: its deadline, its signal, its request id. */
  #optimist(operation: string, call: Call): Optimist {
    const fresh = linearizable(call)
    return {
      read: (keys) =>
        this.#reads.many(operation, keys, fresh, (record, now, request) =>
          this.#reads.entry(record, now, request),
        ),
      commit: (request) => this.#commit(operation, checkTxn(request, this.#batch), call),
    }
  }

  // ------------------------------------------------------------------------------------ many keys

  putMany(items: readonly PutItem[], options?: PutOptions): Promise<PutResult[]> {
    return promised(() => {
      const call = this.#check(options, OPTIONS.put)
      const common = ttlOf(options?.ttl)
      const writes = checkList(items, 'items', this.#batch, (item, at) => {
        const { key, value, ttl } = checkPutItem(item, at)
        return { op: 'put', key, value, ttlMs: ttl === undefined ? common : ttlOf(ttl) } as const
      })
      return this.#writeMany<PutResult>('putMany', writes, call)
    })
  }

  deleteMany(keys: readonly Key[], options?: WriteOptions): Promise<DeleteResult[]> {
    return promised(() => {
      const call = this.#check(options, OPTIONS.write)
      const writes = checkList(
        keys,
        'keys',
        this.#batch,
        (key) => ({ op: 'delete', key: checkKey(key) }) as const,
      )
      return this.#writeMany<DeleteResult>('deleteMany', writes, call)
    })
  }

  touchMany(items: readonly TouchItem[], options?: WriteOptions): Promise<TouchResult[]> {
    return promised(() => {
      const call = this.#check(options, OPTIONS.write)
      const writes = checkList(items, 'items', this.#batch, (item, at) => {
        const { key, ttlMs } = checkTouchItem(item, at)
        return { op: 'touch', key, ttlMs } as const
      })
      return this.#writeMany<TouchResult>('touchMany', writes, call)
    })
  }

  getMany<T = unknown>(keys: readonly Key[], options?: ReadOptions): Promise<(T | undefined)[]> {
    return promised(() => {
      const call = this.#check(options, OPTIONS.read)
      const checked = checkList(keys, 'keys', this.#batch, (key) => checkKey(key))
      return this.#reads.many(
        'getMany',
        checked,
        call,
        (record, _, request) => this.#door.outgoing(record, request) as T,
      )
    })
  }

  txn<R>(run: (tx: Transaction) => R | Promise<R>, options?: CallOptions): Promise<R>
  txn(request: TxnRequest, options?: WriteOptions): Promise<TxnResult>
  txn<R>(
    what: TxnRequest | ((tx: Transaction) => R | Promise<R>),
    options?: WriteOptions,
  ): Promise<R | TxnResult> {
    return promised<R | TxnResult>(() => {
      if (typeof what === 'function') {
        return runTransaction(this.#optimist('txn', this.#check(options, OPTIONS.call)), what)
      }
      return this.#commit('txn', checkTxn(what, this.#batch), this.#check(options, OPTIONS.write))
    })
  }

  /** A transaction that only reads needs no entry in the log: it is one linearizable moment. */
  #commit(operation: string, txn: CheckedTxn, call: Call): Promise<TxnResult> {
    if (isReadOnly(txn)) return this.#readTxn(operation, txn, linearizable(call))
    const writes = [...txn.success, ...txn.failure].filter((op): op is Write => op.op !== 'get')
    const reads = [...txn.compares, ...txn.success, ...txn.failure].filter(
      (item) => !('op' in item) || item.op === 'get',
    )
    const map = (done: CommandResult, request: DoorRequest): TxnResult =>
      toTxn(done as TxnDone, (record) => this.#reads.entryNow(record, request))
    return this.#writes.write(
      operation,
      writes,
      call,
      encodeRewritten(txn),
      map,
      reads.map(({ key }) => readAccess(key)),
    )
  }

  async #readTxn(operation: string, txn: CheckedTxn, call: Call): Promise<TxnResult> {
    const keys = [...txn.compares, ...txn.success, ...txn.failure].map(({ key }) => key)
    let revision = 0
    const records = await this.#reads.many(operation, keys, call, (record, now, request) => {
      revision = this.#log.machine.revision
      return this.#reads.entry(record, now, request)
    })
    const succeeded = txn.compares.every((compare, at) => (records[at]?.revision ?? 0) === compare.revision)
    const from = txn.compares.length + (succeeded ? 0 : txn.success.length)
    const branch = succeeded ? txn.success : txn.failure
    const results = branch.map((_, at) => ({ entry: records[from + at] }))
    return { succeeded, revision: revision === 0 ? this.#log.machine.revision : revision, results }
  }

  async *entries<T = unknown>(options?: EntriesOptions): AsyncGenerator<Entry<T>, undefined, undefined> {
    const call = this.#check(options, OPTIONS.entries)
    const prefix = options?.prefix ?? ''
    if (typeof prefix !== 'string') refuse('prefix', prefix, 'a string')
    const after = options?.after === undefined ? undefined : checkKey(options.after)
    yield* this.#reads.entries(call, prefix, after) as AsyncGenerator<Entry<T>, undefined, undefined>
    return undefined
  }

  // ------------------------------------------------------------------------------------ small things

  get #batch(): number {
    return this.#log.machine.settings.batch
  }

  #check(options: AnyOptions | undefined, allowed: ReadonlySet<string>): Call {
    const refusal = this.#parts.refusal()
    if (refusal !== undefined) throw refusal
    return checkCall(this.#parts.rules, this.#defaults, options, allowed)
  }

  /**
   * Where a read finds its key at once, when nobody stands at the door and there is nothing to wait for or to
   * give up; see `ReadPath.slotNow`. A call without options needs none made for it.
   */
  #slotNow(key: Key, call: Call | undefined): number | undefined {
    if (!this.#door.isOpenOut || this.#parts.refusal() !== undefined) return undefined
    if (call === undefined)
      return this.#defaults.signal === undefined ? this.#reads.slotNow(key, this.#consistency) : undefined
    if (call.signal !== undefined || call.minRevision !== 0) return undefined
    return this.#reads.slotNow(key, call.consistency)
  }

  /** A call on the cluster, past the door. */
  #admitted(
    operation: string,
    permission: Permission,
  ): { readonly call: Call; readonly actor: string | undefined } {
    const call = this.#check(undefined, OPTIONS.call)
    return { call, actor: this.#door.admit(operation, [{ permission }], call).actor }
  }

  #retire(plugin: string): Promise<{ readonly retired: boolean; readonly revision: Revision }> {
    if (typeof plugin !== 'string' || plugin === '' || !plugin.isWellFormed()) {
      throw new ConcordError(
        'INVALID_ARGUMENT',
        `retire: found ${describe(plugin)}, expected the name of a plugin`,
      )
    }
    const { call, actor } = this.#admitted('retire', 'admin')
    return this.#log.propose((writer) => encodeSliceRetire(writer, { space: USERS, actor }, plugin), call)
  }

  #writeMany<R extends PutResult | DeleteResult | TouchResult>(
    operation: string,
    writes: readonly Write[],
    call: Call,
  ): Promise<R[]> {
    if (writes.length === 0) return Promise.resolve([])
    return this.#writes.write(operation, writes, call, encodeBatch, (done) => toMany<R>(done))
  }

  /** Without an entry, when nobody stands at the door: a flag inside a loop costs a look into a map. */
  #localValue(key: Key): unknown {
    if (!this.#door.isOpenOut || this.#log.isStopped) return this.#local(key)?.value
    const { users } = this.#log.machine
    const slot = find(users, checkKey(key))
    if (slot === -1 || expiresAt(users, slot) !== 0) return this.#local(key)?.value
    return openStored(valueAt(users, slot))
  }

  #local(key: Key): Entry | undefined {
    return this.#reads.local(checkKey(key), this.#check(undefined, OPTIONS.read))
  }
}

/** A put or delete as the public surface says it. */
function operationOf(write: Write): TxnOperation {
  if (write.op !== 'put') return { op: 'delete', key: write.key }
  const { key, value, ttlMs } = write
  return { op: 'put', key, value: value as Value, ttl: ttlMs === undefined ? undefined : ttlMs / 1000 }
}

/** Milliseconds, or undefined for a key that does not expire. */
function ttlOf(ttl: unknown): number | undefined {
  const ttlMs = checkTtl(ttl)
  return ttlMs === 0 ? undefined : ttlMs
}

/** What is judged and then committed is never read from a node's own state alone. */
const linearizable = (call: Call): Call =>
  call.consistency === 'eventual' ? { ...call, consistency: 'leader' } : call

/** What tells one judged call from another: all that the caller gave, but not what was read. */
function fingerprintOf(
  operation: string,
  write: Write,
  condition: Pick<CheckedCondition, 'kind'> & { readonly value?: unknown },
): string {
  const writer = new Writer(256)
  const expected = condition.kind === 'expected' ? condition.value : null
  encodeValue(writer, [operation, condition.kind, expected, { ...write }])
  return createHash('sha256').update(writer.take()).digest('base64url')
}

/** Calls never throw synchronously. */
function promised<R>(run: () => Promise<R> | R): Promise<R> {
  try {
    return Promise.resolve(run())
  } catch (error) {
    return Promise.reject(error)
  }
}
