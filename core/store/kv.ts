/**
 * The store over the replicated log of this process: check the call, pass the door, encode one command,
 * wait for its result; or find the moment at which a read holds, and read the machine there.
 *
 * `put` and `get` have a short way through when no plugin stands at the door: the same steps, without
 * an object or a promise that nobody needs.
 */
import { secondsLeft, toIncrement } from './answers.ts'
import type { ApiEvent, ApiEvents, Said } from './api-events.ts'
import {
  type Call,
  type CallRules,
  OPTIONS,
  checkCall,
  checkDefaults,
  checkTouchTtl,
  checkTtl,
} from './calls.ts'
import { clusterCalls } from './cluster-calls.ts'
import { checkKey } from '../codec.ts'
import { ConditionalPath } from './conditional-path.ts'
import { checkBy, checkCondition } from './conditions.ts'
import type { Door } from './door.ts'
import { JudgedPath, type JudgedWrites } from './judged-path.ts'
import { localReads } from './local-reads.ts'
import { type Budget, openAt } from '../machine/index.ts'
import { ManyPath } from './many-path.ts'
import type { ReplicatedLog } from '../node/replicated-log.ts'
import { promised } from './promised.ts'
import { ReadPath } from './read-path.ts'
import { TxnPath } from './txn-path.ts'
import { WritePath, encodeOne } from './write-path.ts'
import type { Cluster, LocalReads, Store, StoreDefaults } from '../store.ts'
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
} from '../types.ts'

const ABSENT = Promise.resolve(undefined)

export interface KvParts {
  readonly log: ReplicatedLog
  readonly door: Door
  readonly rules: CallRules
  readonly events: ApiEvents
  /** Of the iterators of all stores on this node. */
  readonly iterators: Budget
  /** Why the node takes no more calls of this store's users, if so; what is under way is finished. */
  readonly refusal: () => Error | undefined
  readonly status: () => Status
}

export class Kv implements Store, JudgedWrites {
  readonly #parts: KvParts
  readonly #log: ReplicatedLog
  readonly #door: Door
  readonly #reads: ReadPath
  readonly #writes: WritePath
  readonly #txns: TxnPath
  readonly #judged: JudgedPath
  readonly #conditional: ConditionalPath
  readonly #many: ManyPath
  readonly #events: ApiEvents
  readonly #defaults: StoreDefaults
  readonly #consistency: Consistency
  readonly cluster: Cluster
  readonly local: LocalReads

  constructor(parts: KvParts, defaults: StoreDefaults = {}) {
    this.#parts = parts
    this.#log = parts.log
    this.#door = parts.door
    this.#reads = new ReadPath(parts.log, parts.door, parts.iterators)
    this.#writes = new WritePath(parts.log, parts.door)
    this.#txns = new TxnPath(parts.log, this.#reads, this.#writes)
    this.#judged = new JudgedPath(parts.log, parts.door, this.#txns)
    this.#conditional = new ConditionalPath(this.#reads, this.#writes, this.#judged)
    this.#many = new ManyPath(parts.log, parts.door, this.#reads, this.#writes)
    this.#events = parts.events
    this.#defaults = defaults
    this.#consistency = defaults.consistency ?? parts.rules.consistency
    const check = (options: object | undefined, allowed: ReadonlySet<string>): Call =>
      this.#check(options, allowed)
    this.cluster = clusterCalls(parts.log, parts.door, check)
    this.local = localReads(parts.log, parts.door, this.#reads, () => check(undefined, OPTIONS.read))
  }

  with(defaults: StoreDefaults): Store {
    const merged = { ...this.#defaults, ...checkDefaults(this.#parts.rules, defaults) }
    return new Kv(this.#parts, merged)
  }

  status(options?: CallOptions): Promise<Status> {
    return promised(() => {
      this.#door.admit('status', [{ permission: 'read' }], this.#check(options, OPTIONS.call))
      return this.#parts.status()
    })
  }

  // ------------------------------------------------------------------------------------ one key

  put(key: Key, value: Value, options?: PutOptions): Promise<PutResult> {
    if (this.#events.isWanted('api.put')) return this.#toldPut(key, value, options)
    return this.#put(key, value, options)
  }

  #put(key: Key, value: Value, options?: PutOptions): Promise<PutResult> {
    try {
      const call = this.#check(options, OPTIONS.put)
      const ttlMs = checkTtl(call.options.ttl)
      checkKey(key)
      if (this.#door.isOpenIn) return this.#writes.put(key, value, ttlMs, call)
      return this.#writes.write('put', [{ op: 'put', key, value, ttlMs }], call, encodeOne)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  get<T = unknown>(key: Key, options?: ReadOptions): Promise<T | undefined> {
    if (!this.#events.isWanted('api.get')) return this.#get<T>(key, options)
    return this.#events.tell('api.get', this.#read(key, options), () => this.#get<T>(key, options))
  }

  #get<T>(key: Key, options?: ReadOptions): Promise<T | undefined> {
    try {
      const call = options === undefined ? undefined : this.#check(options, OPTIONS.read)
      const slot = this.#slotNow(checkKey(key), call)
      if (slot === -1) return ABSENT
      if (slot !== undefined) return Promise.resolve(openAt(this.#log.machine.users, slot) as T)
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
    return this.#events.tell('api.get_with_ttl', this.#read(key, options), () =>
      this.#getEntry<T>(key, options),
    )
  }

  #getEntry<T>(key: Key, options?: ReadOptions): Promise<Entry<T> | undefined> {
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
    return this.#told('api.ttl', this.#read(key, options), () =>
      this.#reads.one('ttl', checkKey(key), this.#check(options, OPTIONS.read), (record, now) =>
        secondsLeft(record.expiresAt, now),
      ),
    )
  }

  delete(key: Key, options?: WriteOptions): Promise<DeleteResult> {
    return this.#told(
      'api.delete',
      () => ({ key }),
      () =>
        this.#writes.write(
          'delete',
          [{ op: 'delete', key: checkKey(key) }],
          this.#check(options, OPTIONS.write),
          encodeOne,
        ),
    )
  }

  touch(key: Key, ttl: number, options?: WriteOptions): Promise<TouchResult> {
    return this.#told(
      'api.touch',
      () => ({ key }),
      () => {
        const write = { op: 'touch', key: checkKey(key), ttlMs: checkTouchTtl(ttl) } as const
        return this.#writes.write('touch', [write], this.#check(options, OPTIONS.write), encodeOne)
      },
    )
  }

  increment(key: Key, options?: IncrementOptions): Promise<IncrementResult> {
    return this.#told(
      'api.increment',
      () => ({ key }),
      () => {
        const call = this.#check(options, OPTIONS.increment)
        const write = {
          op: 'increment',
          key: checkKey(key),
          by: checkBy(call.options.by),
          ttlMs: checkTtl(call.options.ttl),
        } as const
        return this.#writes.write('increment', [write], call, encodeOne, toIncrement)
      },
    )
  }

  // ------------------------------------------------------------------------------------ conditions

  putIf<T = unknown>(key: Key, value: Value, options: PutIfOptions<T>): Promise<ConditionalResult<T>> {
    return this.#told(
      'api.put_if',
      () => ({ key, ...conditionOf(options) }),
      () => {
        const call = this.#check(options, OPTIONS.putIf)
        const write = { op: 'put', key: checkKey(key), value, ttlMs: checkTtl(call.options.ttl) } as const
        return this.#conditional.write('putIf', write, checkCondition(call.options), call)
      },
    ) as Promise<ConditionalResult<T>>
  }

  deleteIf<T = unknown>(key: Key, options: DeleteIfOptions<T>): Promise<ConditionalResult<T>> {
    return this.#told(
      'api.delete_if',
      () => ({ key, ...conditionOf(options) }),
      () => {
        const call = this.#check(options, OPTIONS.deleteIf)
        const write = { op: 'delete', key: checkKey(key) } as const
        return this.#conditional.write('deleteIf', write, checkCondition(call.options), call)
      },
    ) as Promise<ConditionalResult<T>>
  }

  recall(operation: TxnOperation, options?: WriteOptions): Promise<PutResult | undefined> {
    return promised(() => this.#judged.recalled(operation, this.#check(options, OPTIONS.write)))
  }

  commitJudged(operation: TxnOperation, revision: Revision, options?: WriteOptions): Promise<TxnResult> {
    return promised(() => this.#judged.commit(operation, revision, this.#check(options, OPTIONS.write)))
  }

  // ------------------------------------------------------------------------------------ many keys

  putMany(items: readonly PutItem[], options?: PutOptions): Promise<PutResult[]> {
    return this.#told(
      'api.put_many',
      () => sizeOf(items),
      () => this.#many.put(items, this.#check(options, OPTIONS.put)),
    )
  }

  deleteMany(keys: readonly Key[], options?: WriteOptions): Promise<DeleteResult[]> {
    return this.#told(
      'api.delete_many',
      () => sizeOf(keys),
      () => this.#many.delete(keys, this.#check(options, OPTIONS.write)),
    )
  }

  touchMany(items: readonly TouchItem[], options?: WriteOptions): Promise<TouchResult[]> {
    return this.#told(
      'api.touch_many',
      () => sizeOf(items),
      () => this.#many.touch(items, this.#check(options, OPTIONS.write)),
    )
  }

  getMany<T = unknown>(keys: readonly Key[], options?: ReadOptions): Promise<(T | undefined)[]> {
    return this.#told(
      'api.get_many',
      () => ({ ...sizeOf(keys), consistency: this.#levelOf(options) }),
      () => this.#many.get<T>(keys, this.#check(options, OPTIONS.read)),
    )
  }

  txn<R>(run: (tx: Transaction) => R | Promise<R>, options?: CallOptions): Promise<R>
  txn(request: TxnRequest, options?: WriteOptions): Promise<TxnResult>
  txn<R>(
    what: TxnRequest | ((tx: Transaction) => R | Promise<R>),
    options?: WriteOptions,
  ): Promise<R | TxnResult> {
    let attempts = 1
    return this.#told<'api.txn', R | TxnResult>(
      'api.txn',
      () => ({ attempts }),
      () => {
        if (typeof what !== 'function') {
          return this.#txns.commit('txn', what, this.#check(options, OPTIONS.write))
        }
        attempts = 0
        const counted = (tx: Transaction): R | Promise<R> => (attempts++, what(tx))
        return this.#txns.run(counted, this.#check(options, OPTIONS.call))
      },
    )
  }

  async *entries<T = unknown>(options?: EntriesOptions): AsyncGenerator<Entry<T>, undefined, undefined> {
    const call = this.#check(options, OPTIONS.entries)
    return yield* this.#reads.entries(call) as AsyncGenerator<Entry<T>, undefined, undefined>
  }

  // ------------------------------------------------------------------------------------ small things

  /** A call whose checks may throw: it rejects, and is told of to whoever listens. */
  #told<E extends ApiEvent, R>(name: E, say: () => Said<E>, run: () => Promise<R> | R): Promise<R> {
    return this.#events.tell(name, say, () => promised(run))
  }

  #toldPut(key: Key, value: Value, options: PutOptions | undefined): Promise<PutResult> {
    const say = (): Said<'api.put'> => ({ key, hasTtl: options?.ttl !== undefined })
    return this.#events.tell('api.put', say, () => this.#put(key, value, options))
  }

  #read(key: Key, options: ReadOptions | undefined): () => Said<'api.get'> {
    return () => ({ key, consistency: this.#levelOf(options) })
  }

  #levelOf(options: ReadOptions | undefined): Consistency {
    return options?.consistency ?? this.#consistency
  }

  #check(options: object | undefined, allowed: ReadonlySet<string>): Call {
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
    if (call.signal?.aborted === true || call.minRevision !== 0) return undefined
    return this.#reads.slotNow(key, call.consistency)
  }
}

const sizeOf = (list: readonly unknown[]): { batchSize: number } => ({
  batchSize: Array.isArray(list) ? list.length : 0,
})

const conditionOf = (options: object | undefined): { hasCondition: boolean; hasExpected: boolean } => ({
  hasCondition: options !== undefined && 'condition' in options,
  hasExpected: options !== undefined && 'expected' in options,
})
