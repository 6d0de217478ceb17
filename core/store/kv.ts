/**
 * The store over the replicated log of this process: check the call, pass the door, encode one command,
 * wait for its result; or find the moment at which a read holds, and read the machine there.
 *
 * `put` and `get` have a short way through when no plugin stands at the door: the same steps, without
 * an object or a promise that nobody needs. Who listens to calls is told by told-kv.ts, around all of this.
 */
import { secondsLeft, toIncrement } from './answers.ts'
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
import { type Door, admittedNow } from './door.ts'
import type { Access, DoorRequest } from '../hook-events.ts'
import { JudgedPath, type JudgedWrites } from './judged-path.ts'
import { localReads } from './local-reads.ts'
import { type Budget, openAt } from '../machine/index.ts'
import { ManyPath } from './many-path.ts'
import type { ReplicatedLog } from '../node/replicated-log.ts'
import { type Moment, OneMoment } from './one-moment.ts'
import { promised } from './promised.ts'
import { ReadPath, readAccess } from './read-path.ts'
import { TxnPath } from './txn-path.ts'
import { WritePath, encodeOne } from './write-path.ts'
import type { Cluster, LocalReads, Store, StoreDefaults } from '../store.ts'
import type {
  CallOptions,
  ConditionalResult,
  Consistency,
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
  /** Of the iterators of all stores on this node. */
  readonly iterators: Budget
  /** Why the node takes no more calls of this store's users, if so; what is under way is finished. */
  readonly refusal: () => Error | undefined
  readonly status: () => Status
}

/** By which calls go, whoever makes them. */
interface Paths {
  readonly reads: ReadPath
  readonly writes: WritePath
  readonly txns: TxnPath
  readonly judged: JudgedPath
  readonly conditional: ConditionalPath
  readonly many: ManyPath
}

function pathsOf({ log, door, iterators }: KvParts): Paths {
  const reads = new ReadPath(log, door, iterators)
  const writes = new WritePath(log, door)
  const txns = new TxnPath(log, reads, writes)
  const judged = new JudgedPath(log, door, txns)
  const conditional = new ConditionalPath(reads, writes, judged)
  return { reads, writes, txns, judged, conditional, many: new ManyPath(log, door, reads, writes) }
}

export class Kv implements Store, JudgedWrites {
  readonly #parts: KvParts
  readonly #log: ReplicatedLog
  readonly #door: Door
  protected readonly paths: Paths
  readonly #defaults: StoreDefaults
  protected readonly consistency: Consistency
  #cluster: Cluster | undefined
  #local: LocalReads | undefined

  /** @param paths of another store over the same parts: `with` is called for each request of an application. */
  constructor(parts: KvParts, defaults: StoreDefaults = {}, paths: Paths = pathsOf(parts)) {
    this.#parts = parts
    this.#log = parts.log
    this.#door = parts.door
    this.paths = paths
    this.#defaults = defaults
    this.consistency = defaults.consistency ?? parts.rules.consistency
  }

  get cluster(): Cluster {
    this.#cluster ??= clusterCalls(this.#log, this.#door, (options, allowed) => this.#check(options, allowed))
    return this.#cluster
  }

  get local(): LocalReads {
    this.#local ??= localReads(
      this.#log,
      this.#door,
      this.paths.reads,
      () => this.#check(undefined, OPTIONS.read),
      () => this.#parts.refusal() !== undefined,
    )
    return this.#local
  }

  with(defaults: StoreDefaults): Store {
    return new Kv(this.#parts, this.merged(defaults), this.paths)
  }

  protected merged(defaults: StoreDefaults): StoreDefaults {
    return { ...this.#defaults, ...checkDefaults(this.#parts.rules, defaults) }
  }

  /**
   * Whether whoever calls may do something that is no call of the store: a verb, a route. Judged on a state that no
   * later one contradicts.
   */
  async judge(operation: string, access: readonly Access[], options?: CallOptions): Promise<DoorRequest> {
    const call = this.#check(options, OPTIONS.call)
    return (await admittedNow(this.#log, this.#door, operation, access, call)).request
  }

  status(options?: CallOptions): Promise<Status> {
    return promised(() => {
      this.#door.admit('status', [{ permission: 'read' }], this.#check(options, OPTIONS.call))
      return this.#parts.status()
    })
  }

  // ------------------------------------------------------------------------------------ one key

  put(key: Key, value: Value, options?: PutOptions): Promise<PutResult> {
    try {
      const call = this.#check(options, OPTIONS.put)
      const ttlMs = checkTtl(call.options.ttl)
      checkKey(key)
      if (this.#door.isOpenIn) return this.paths.writes.put(key, value, ttlMs, call)
      return this.paths.writes.write('put', [{ op: 'put', key, value, ttlMs }], call, encodeOne)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  get<T = unknown>(key: Key, options?: ReadOptions): Promise<T | undefined> {
    try {
      const call = options === undefined ? undefined : this.#check(options, OPTIONS.read)
      const slot = this.#slotNow(checkKey(key), call)
      if (slot === -1) return ABSENT
      if (slot !== undefined) return Promise.resolve(openAt(this.#log.machine.users, slot) as T)
      return this.paths.reads.one(
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
      if (slot !== undefined) return Promise.resolve(this.paths.reads.entryAt(slot) as Entry<T>)
      return this.paths.reads.one(
        'getEntry',
        key,
        call ?? this.#check(undefined, OPTIONS.read),
        (record, now, request) => this.paths.reads.entry(record, now, request) as Entry<T>,
      )
    } catch (error) {
      return Promise.reject(error)
    }
  }

  ttl(key: Key, options?: ReadOptions): Promise<number | null | undefined> {
    return promised(() =>
      this.paths.reads.one('ttl', checkKey(key), this.#check(options, OPTIONS.read), (record, now) =>
        secondsLeft(record.expiresAt, now),
      ),
    )
  }

  delete(key: Key, options?: WriteOptions): Promise<DeleteResult> {
    return promised(() =>
      this.paths.writes.write(
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
      return this.paths.writes.write('touch', [write], this.#check(options, OPTIONS.write), encodeOne)
    })
  }

  increment(key: Key, options?: IncrementOptions): Promise<IncrementResult> {
    return promised(() => {
      const call = this.#check(options, OPTIONS.increment)
      const write = {
        op: 'increment',
        key: checkKey(key),
        by: checkBy(call.options.by),
        ttlMs: checkTtl(call.options.ttl),
      } as const
      return this.paths.writes.write('increment', [write], call, encodeOne, toIncrement, [
        readAccess(write.key),
      ])
    })
  }

  // ------------------------------------------------------------------------------------ conditions

  putIf<T = unknown>(key: Key, value: Value, options: PutIfOptions<T>): Promise<ConditionalResult<T>> {
    return promised(() => {
      const call = this.#check(options, OPTIONS.putIf)
      const write = { op: 'put', key: checkKey(key), value, ttlMs: checkTtl(call.options.ttl) } as const
      return this.paths.conditional.write('putIf', write, checkCondition(call.options), call)
    }) as Promise<ConditionalResult<T>>
  }

  deleteIf<T = unknown>(key: Key, options: DeleteIfOptions<T>): Promise<ConditionalResult<T>> {
    return promised(() => {
      const call = this.#check(options, OPTIONS.deleteIf)
      const write = { op: 'delete', key: checkKey(key) } as const
      return this.paths.conditional.write('deleteIf', write, checkCondition(call.options), call)
    }) as Promise<ConditionalResult<T>>
  }

  recall(operation: TxnOperation, options?: WriteOptions): Promise<PutResult | undefined> {
    return promised(() => this.paths.judged.recalled(operation, this.#check(options, OPTIONS.write)))
  }

  commitJudged(operation: TxnOperation, revision: Revision, options?: WriteOptions): Promise<TxnResult> {
    return promised(() => this.paths.judged.commit(operation, revision, this.#check(options, OPTIONS.write)))
  }

  // ------------------------------------------------------------------------------------ many keys

  putMany(items: readonly PutItem[], options?: PutOptions): Promise<PutResult[]> {
    return promised(() => this.paths.many.put(items, this.#check(options, OPTIONS.put)))
  }

  deleteMany(keys: readonly Key[], options?: WriteOptions): Promise<DeleteResult[]> {
    return promised(() => this.paths.many.delete(keys, this.#check(options, OPTIONS.write)))
  }

  touchMany(items: readonly TouchItem[], options?: WriteOptions): Promise<TouchResult[]> {
    return promised(() => this.paths.many.touch(items, this.#check(options, OPTIONS.write)))
  }

  getMany<T = unknown>(keys: readonly Key[], options?: ReadOptions): Promise<(T | undefined)[]> {
    return promised(() => this.paths.many.get<T>(keys, this.#check(options, OPTIONS.read)))
  }

  txn<R>(run: (tx: Transaction) => R | Promise<R>, options?: CallOptions): Promise<R>
  txn(request: TxnRequest, options?: WriteOptions): Promise<TxnResult>
  txn<R>(
    what: TxnRequest | ((tx: Transaction) => R | Promise<R>),
    options?: WriteOptions,
  ): Promise<R | TxnResult> {
    return promised<R | TxnResult>(() =>
      typeof what === 'function'
        ? this.paths.txns.run(what, this.#check(options, OPTIONS.call))
        : this.paths.txns.commit('txn', what, this.#check(options, OPTIONS.write)),
    )
  }

  entries<T = unknown>(options?: EntriesOptions): Entries<T> {
    return new OneMoment((moment) => this.#entries<T>(options, moment))
  }

  /** What is wrong with the call is told by the first `next`. */
  async *#entries<T>(
    options: EntriesOptions | undefined,
    moment: Moment,
  ): AsyncGenerator<Entry<T>, undefined, undefined> {
    const call = this.#check(options, OPTIONS.entries)
    return yield* this.paths.reads.entries(call, moment) as AsyncGenerator<Entry<T>, undefined, undefined>
  }

  // ------------------------------------------------------------------------------------ small things

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
      return this.#defaults.signal === undefined ? this.paths.reads.slotNow(key, this.consistency) : undefined
    if (call.signal?.aborted === true || call.minRevision !== 0) return undefined
    return this.paths.reads.slotNow(key, call.consistency)
  }
}
