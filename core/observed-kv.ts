/**
 * The store, and what telemetry says of its calls: one event for each, on the node where it was made.
 * When nobody listens a call costs one question more; a payload never holds a value.
 */
import { Kv, type KvParts } from './kv.ts'
import { ConcordError } from './errors.ts'
import type { Store, StoreDefaults } from './store.ts'
import type { Telemetry, TelemetryEvent, TelemetryEvents } from './telemetry.ts'
import type {
  CallOptions,
  ConditionalResult,
  Consistency,
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
} from './types.ts'

/** The events of the store's calls, got once for a node. */
export interface ApiEvents {
  readonly nowMs: () => number
  readonly consistency: Consistency
  readonly of: { readonly [E in ApiEvent]: TelemetryEvent<TelemetryEvents[E]> }
}

type ApiEvent = Extract<keyof TelemetryEvents, `api.${string}`>

/** What an event says beside how the call ended. */
type Said<E extends ApiEvent> = Omit<TelemetryEvents[E], 'durationMs' | 'result' | 'code'>

export function apiEvents(telemetry: Telemetry, nowMs: () => number, consistency: Consistency): ApiEvents {
  const of = Object.fromEntries(API_EVENTS.map((name) => [name, telemetry.event(name)])) as ApiEvents['of']
  return { nowMs, consistency, of }
}

const API_EVENTS: readonly ApiEvent[] = [
  'api.put',
  'api.get',
  'api.get_with_ttl',
  'api.ttl',
  'api.delete',
  'api.touch',
  'api.increment',
  'api.put_if',
  'api.delete_if',
  'api.put_many',
  'api.get_many',
  'api.delete_many',
  'api.touch_many',
  'api.txn',
]

export class ObservedKv extends Kv {
  readonly #events: ApiEvents

  constructor(parts: KvParts, events: ApiEvents, defaults: StoreDefaults = {}) {
    super(parts, defaults)
    this.#events = events
  }

  override with(defaults: StoreDefaults): Store {
    return new ObservedKv(this.parts, this.#events, this.merged(defaults))
  }

  override put(key: Key, value: Value, options?: PutOptions): Promise<PutResult> {
    if (!this.#events.of['api.put'].isWanted) return super.put(key, value, options)
    return this.#tell(
      'api.put',
      () => super.put(key, value, options),
      () => ({ key, hasTtl: options?.ttl !== undefined, compressed: false }),
    )
  }

  override get<T = unknown>(key: Key, options?: ReadOptions): Promise<T | undefined> {
    if (!this.#events.of['api.get'].isWanted) return super.get<T>(key, options)
    return this.#tell(
      'api.get',
      () => super.get<T>(key, options),
      () => this.#read(key, options),
    )
  }

  override getEntry<T = unknown>(key: Key, options?: ReadOptions): Promise<Entry<T> | undefined> {
    return this.#tell(
      'api.get_with_ttl',
      () => super.getEntry<T>(key, options),
      () => this.#read(key, options),
    )
  }

  override ttl(key: Key, options?: ReadOptions): Promise<number | null | undefined> {
    return this.#tell(
      'api.ttl',
      () => super.ttl(key, options),
      () => this.#read(key, options),
    )
  }

  override delete(key: Key, options?: WriteOptions): Promise<DeleteResult> {
    return this.#tell(
      'api.delete',
      () => super.delete(key, options),
      () => ({ key }),
    )
  }

  override touch(key: Key, ttl: number, options?: WriteOptions): Promise<TouchResult> {
    return this.#tell(
      'api.touch',
      () => super.touch(key, ttl, options),
      () => ({ key }),
    )
  }

  override increment(key: Key, options?: IncrementOptions): Promise<IncrementResult> {
    return this.#tell(
      'api.increment',
      () => super.increment(key, options),
      () => ({ key }),
    )
  }

  override putIf<T = unknown>(
    key: Key,
    value: Value,
    options: PutIfOptions<T>,
  ): Promise<ConditionalResult<T>> {
    return this.#tell(
      'api.put_if',
      () => super.putIf(key, value, options),
      () => ({ key, ...conditionOf(options) }),
    )
  }

  override deleteIf<T = unknown>(key: Key, options: DeleteIfOptions<T>): Promise<ConditionalResult<T>> {
    return this.#tell(
      'api.delete_if',
      () => super.deleteIf(key, options),
      () => ({ key, ...conditionOf(options) }),
    )
  }

  override putMany(items: readonly PutItem[], options?: PutOptions): Promise<PutResult[]> {
    return this.#tell(
      'api.put_many',
      () => super.putMany(items, options),
      () => sizeOf(items),
    )
  }

  override getMany<T = unknown>(keys: readonly Key[], options?: ReadOptions): Promise<(T | undefined)[]> {
    return this.#tell(
      'api.get_many',
      () => super.getMany<T>(keys, options),
      () => ({
        ...sizeOf(keys),
        consistency: options?.consistency ?? this.#events.consistency,
      }),
    )
  }

  override deleteMany(keys: readonly Key[], options?: WriteOptions): Promise<DeleteResult[]> {
    return this.#tell(
      'api.delete_many',
      () => super.deleteMany(keys, options),
      () => sizeOf(keys),
    )
  }

  override touchMany(items: readonly TouchItem[], options?: WriteOptions): Promise<TouchResult[]> {
    return this.#tell(
      'api.touch_many',
      () => super.touchMany(items, options),
      () => sizeOf(items),
    )
  }

  override txn<R>(run: (tx: Transaction) => R | Promise<R>, options?: CallOptions): Promise<R>
  override txn(request: TxnRequest, options?: WriteOptions): Promise<TxnResult>
  override txn<R>(
    what: TxnRequest | ((tx: Transaction) => R | Promise<R>),
    options?: WriteOptions,
  ): Promise<R | TxnResult> {
    if (typeof what !== 'function') {
      return this.#tell(
        'api.txn',
        () => super.txn(what, options),
        () => ({ attempts: 1 }),
      )
    }
    let attempts = 0
    const counted = (tx: Transaction): R | Promise<R> => {
      attempts++
      return what(tx)
    }
    return this.#tell(
      'api.txn',
      () => super.txn(counted, options),
      () => ({ attempts }),
    )
  }

  #read(key: Key, options: ReadOptions | undefined): { key: Key; consistency: Consistency } {
    return { key, consistency: options?.consistency ?? this.#events.consistency }
  }

  #tell<E extends ApiEvent, R>(name: E, begin: () => Promise<R>, say: () => Said<E>): Promise<R> {
    const event = this.#events.of[name]
    if (!event.isWanted) return begin()
    const startedMs = this.#events.nowMs()
    const call = begin()
    const emit = (ended: object): void => {
      const durationMs = this.#events.nowMs() - startedMs
      event.emit({ ...say(), ...ended, durationMs } as unknown as TelemetryEvents[E])
    }
    call.then(
      () => emit({ result: 'ok' }),
      (error: Error) =>
        emit({ result: 'error', code: ConcordError.is(error) ? error.code : abortCode(error) }),
    )
    return call
  }
}

const abortCode = (error: Error): 'ABORT_ERR' | undefined =>
  error.name === 'AbortError' ? 'ABORT_ERR' : undefined

const sizeOf = (list: readonly unknown[]): { batchSize: number } => ({
  batchSize: Array.isArray(list) ? list.length : 0,
})

const conditionOf = (options: object): { hasCondition: boolean; hasExpected: boolean } => ({
  hasCondition: 'condition' in options,
  hasExpected: 'expected' in options,
})
