/**
 * The store, and an event for every call on it: how long it took and how it ended, never a value. While nobody
 * listens to an event, its call goes straight through.
 */
import type { Store, StoreDefaults } from '../store.ts'
import type {
  CallOptions,
  ConditionalResult,
  DeleteIfOptions,
  DeleteResult,
  Entry,
  IncrementOptions,
  IncrementResult,
  Key,
  PutIfOptions,
  PutItem,
  PutOptions,
  PutResult,
  ReadOptions,
  TouchItem,
  TouchResult,
  Transaction,
  TxnRequest,
  TxnResult,
  Value,
  WriteOptions,
} from '../types.ts'
import type { ApiEvents, Said } from './api-events.ts'
import { Kv, type KvParts } from './kv.ts'

export interface ToldKvParts extends KvParts {
  readonly events: ApiEvents
}

export class ToldKv extends Kv {
  readonly #parts: ToldKvParts
  readonly #events: ApiEvents

  constructor(parts: ToldKvParts, defaults?: StoreDefaults, paths?: Kv['paths']) {
    super(parts, defaults, paths)
    this.#parts = parts
    this.#events = parts.events
  }

  override with(defaults: StoreDefaults): Store {
    return new ToldKv(this.#parts, this.merged(defaults), this.paths)
  }

  override put(key: Key, value: Value, options?: PutOptions): Promise<PutResult> {
    if (!this.#events.isWanted('api.put')) return super.put(key, value, options)
    const say = (): Said<'api.put'> => ({ key, hasTtl: options?.ttl !== undefined })
    return this.#events.tell('api.put', say, () => super.put(key, value, options))
  }

  override get<T = unknown>(key: Key, options?: ReadOptions): Promise<T | undefined> {
    if (!this.#events.isWanted('api.get')) return super.get<T>(key, options)
    return this.#events.tell('api.get', this.#read(key, options), () => super.get<T>(key, options))
  }

  override getEntry<T = unknown>(key: Key, options?: ReadOptions): Promise<Entry<T> | undefined> {
    if (!this.#events.isWanted('api.get_with_ttl')) return super.getEntry<T>(key, options)
    const say = this.#read(key, options)
    return this.#events.tell('api.get_with_ttl', say, () => super.getEntry<T>(key, options))
  }

  override ttl(key: Key, options?: ReadOptions): Promise<number | null | undefined> {
    return this.#events.tell('api.ttl', this.#read(key, options), () => super.ttl(key, options))
  }

  override delete(key: Key, options?: WriteOptions): Promise<DeleteResult> {
    const say = () => ({ key })
    return this.#events.tell('api.delete', say, () => super.delete(key, options))
  }

  override touch(key: Key, ttl: number, options?: WriteOptions): Promise<TouchResult> {
    const say = () => ({ key })
    return this.#events.tell('api.touch', say, () => super.touch(key, ttl, options))
  }

  override increment(key: Key, options?: IncrementOptions): Promise<IncrementResult> {
    const say = () => ({ key })
    return this.#events.tell('api.increment', say, () => super.increment(key, options))
  }

  override putIf<T = unknown>(
    key: Key,
    value: Value,
    options: PutIfOptions<T>,
  ): Promise<ConditionalResult<T>> {
    const say = () => ({ key, ...conditionOf(options) })
    return this.#events.tell('api.put_if', say, () => super.putIf<T>(key, value, options))
  }

  override deleteIf<T = unknown>(key: Key, options: DeleteIfOptions<T>): Promise<ConditionalResult<T>> {
    const say = () => ({ key, ...conditionOf(options) })
    return this.#events.tell('api.delete_if', say, () => super.deleteIf<T>(key, options))
  }

  override putMany(items: readonly PutItem[], options?: PutOptions): Promise<PutResult[]> {
    const say = () => sizeOf(items)
    return this.#events.tell('api.put_many', say, () => super.putMany(items, options))
  }

  override deleteMany(keys: readonly Key[], options?: WriteOptions): Promise<DeleteResult[]> {
    const say = () => sizeOf(keys)
    return this.#events.tell('api.delete_many', say, () => super.deleteMany(keys, options))
  }

  override touchMany(items: readonly TouchItem[], options?: WriteOptions): Promise<TouchResult[]> {
    const say = () => sizeOf(items)
    return this.#events.tell('api.touch_many', say, () => super.touchMany(items, options))
  }

  override getMany<T = unknown>(keys: readonly Key[], options?: ReadOptions): Promise<(T | undefined)[]> {
    const say = () => ({ ...sizeOf(keys), consistency: options?.consistency ?? this.consistency })
    return this.#events.tell('api.get_many', say, () => super.getMany<T>(keys, options))
  }

  override txn<R>(run: (tx: Transaction) => R | Promise<R>, options?: CallOptions): Promise<R>
  override txn(request: TxnRequest, options?: WriteOptions): Promise<TxnResult>
  override txn<R>(
    what: TxnRequest | ((tx: Transaction) => R | Promise<R>),
    options?: WriteOptions,
  ): Promise<R | TxnResult> {
    let attempts = typeof what === 'function' ? 0 : 1
    const say = () => ({ attempts })
    return this.#events.tell('api.txn', say, (): Promise<R | TxnResult> => {
      if (typeof what !== 'function') return super.txn(what, options)
      return super.txn((tx: Transaction) => (attempts++, what(tx)), options)
    })
  }

  #read(key: Key, options: ReadOptions | undefined): () => Said<'api.get'> {
    return () => ({ key, consistency: options?.consistency ?? this.consistency })
  }
}

const sizeOf = (list: readonly unknown[]): { batchSize: number } => ({
  batchSize: Array.isArray(list) ? list.length : 0,
})

const conditionOf = (options: object | undefined): { hasCondition: boolean; hasExpected: boolean } => ({
  hasCondition: options !== undefined && 'condition' in options,
  hasExpected: options !== undefined && 'expected' in options,
})
