/**
 * What needs the caller's own eyes: `expected`, `condition` and transaction functions. They are judged
 * here, on a linearizable read, and committed as "if the revisions are still these"; when one has
 * changed meanwhile, they are judged again. So no function and no foreign value is ever in the log.
 *
 * Works over any store, embedded or remote: it asks for data and commits data.
 */
import { Writer } from '../bytes.ts'
import { checkKey, decodeValue, deepEqualValues, encodeValue } from '../codec.ts'
import { AbortError, ConcordError } from '../errors.ts'
import { add } from '../machine/index.ts'
import { checkFields } from './calls.ts'
import type {
  ConditionalResult,
  Entry,
  Key,
  Transaction,
  TxnOperation,
  TxnRequest,
  TxnResult,
  Value,
} from '../types.ts'

/** What this needs of a store; whoever makes one knows the call's deadline, signal and token. */
export interface Optimist {
  /** Linearizable, all at one moment, in the order of `keys`. */
  read(keys: readonly Key[]): Promise<readonly (Entry | undefined)[]>
  commit(request: TxnRequest): Promise<TxnResult>
  /** Waits for the caller's own function no longer than he does himself. */
  within<R>(work: PromiseLike<R>): Promise<R>
}

/** Says why not, or nothing when the write may go ahead. */
export type Judge = (entry: Entry | undefined) => ConditionalResult | undefined

/** The judge of `expected: value`. */
export function expecting(expected: unknown): Judge {
  return (entry) => {
    if (entry === undefined) return { ok: false, reason: 'absent' }
    return deepEqualValues(entry.value, expected)
      ? undefined
      : { ok: false, reason: 'changed', current: entry }
  }
}

/** The judge of `condition: fn`. What the function throws is the caller's, and rejects the call. */
export function satisfying(condition: (value: never, entry: never) => boolean): Judge {
  return (entry) => {
    if (entry === undefined) return { ok: false, reason: 'absent' }
    const verdict: unknown = condition(entry.value as never, entry as never)
    if (typeof verdict !== 'boolean') {
      // A promise is truthy: an async condition would always hold.
      throw new ConcordError(
        'INVALID_ARGUMENT',
        `condition: returned ${kindOf(verdict)}, expected true or false`,
      )
    }
    return verdict ? undefined : { ok: false, reason: 'changed', current: entry }
  }
}

const kindOf = (verdict: unknown): string =>
  typeof verdict === 'object' && verdict !== null && 'then' in verdict ? 'a promise' : typeof verdict

/** Commits one write of `key` if `judge` approves of the key as it stands. */
export async function writeIfJudged(
  store: Optimist,
  key: Key,
  judge: Judge,
  write: TxnOperation,
): Promise<ConditionalResult> {
  for (;;) {
    const [entry] = await store.read([key])
    const refusal = judge(entry)
    if (refusal !== undefined) return refusal
    const compare = [{ key, revision: entry === undefined ? 0 : entry.revision }]
    const { succeeded, revision } = await store.commit({ compare, success: [write] })
    if (succeeded) return { ok: true, revision }
  }
}

/** Runs a transaction function until what it read is what it commits on. */
export async function runTransaction<R>(
  store: Optimist,
  run: (tx: Transaction) => R | Promise<R>,
): Promise<R> {
  for (;;) {
    const attempt = new Attempt(store)
    let value: R
    try {
      value = await store.within(Promise.resolve(run(attempt)))
    } catch (error) {
      attempt.end()
      if (attempt.isStale && !isGivingUp(error)) continue
      throw error
    }
    if (!attempt.isStale && (await attempt.commit())) return value
  }
}

/** The caller waits no longer, however stale the attempt is. */
const isGivingUp = (error: unknown): boolean =>
  error instanceof AbortError || (ConcordError.is(error) && error.code === 'TIMEOUT')

/** Thrown into the transaction function when what it read has changed: it runs again from the start. */
const RERUN = new Error('the transaction read something that has changed; it runs again')

/** One run of a transaction function: what it has read so far, and what it will write. */
class Attempt implements Transaction {
  readonly #store: Optimist
  readonly #read = new Map<Key, Entry | undefined>()
  /** What a later read of the transaction sees where it has written. */
  readonly #written = new Map<Key, unknown>()
  readonly #writes: TxnOperation[] = []
  isStale = false
  #reading: Promise<void> = Promise.resolve()
  #done = false

  constructor(store: Optimist) {
    this.#store = store
  }

  async get<T = unknown>(key: Key): Promise<T | undefined> {
    return (await this.getMany<T>([key]))[0]
  }

  async getMany<T = unknown>(keys: readonly Key[]): Promise<(T | undefined)[]> {
    this.#checkOpen()
    await this.#readInTurn(keys.map(checkKey))
    return keys.map((key) => this.#see(key) as T | undefined)
  }

  put(key: Key, value: Value, options: { readonly ttl?: number | undefined } = {}): void {
    this.#checkOpen()
    checkKey(key)
    checkFields(options, ['ttl'], 'tx.put')
    const kept = copyOf(value) as Value
    this.#written.set(key, kept)
    this.#writes.push({ op: 'put', key, value: kept, ttl: options.ttl })
  }

  delete(key: Key): void {
    this.#checkOpen()
    checkKey(key)
    this.#written.set(key, undefined)
    this.#writes.push({ op: 'delete', key })
  }

  async increment(
    key: Key,
    options: { readonly by?: number | bigint | undefined; readonly ttl?: number | undefined } = {},
  ): Promise<number | bigint> {
    this.#checkOpen()
    await this.#readInTurn([checkKey(key)])
    const sum = sumOf(key, this.#see(key), options.by ?? 1)
    this.#written.set(key, sum)
    this.#writes.push({ op: 'increment', key, by: options.by, ttl: options.ttl })
    return sum
  }

  /** The function is done with it, or is not waited for any more. */
  end(): void {
    this.#done = true
  }

  /** True when the writes happened, or there were none; false when something read has changed. */
  async commit(): Promise<boolean> {
    this.end()
    await this.#reading
    if (this.#writes.length === 0) return true
    const compare = [...this.#read].map(([key, entry]) => ({ key, revision: entry?.revision ?? 0 }))
    return (await this.#store.commit({ compare, success: this.#writes })).succeeded
  }

  /** One read after another: two at once would each be a moment of its own. */
  #readInTurn(keys: readonly Key[]): Promise<void> {
    const read = this.#reading.then(() => this.#readAll(keys))
    this.#reading = read.catch(() => undefined)
    return read
  }

  /** Reads what is new together with all that was read before, so that all of it is one moment. */
  async #readAll(keys: readonly Key[]): Promise<void> {
    const fresh = [...new Set(keys)].filter((key) => !this.#read.has(key))
    if (fresh.length === 0) return
    const earlier = [...this.#read.keys()]
    const entries = await this.#store.read([...earlier, ...fresh])
    for (const [at, key] of earlier.entries()) {
      if ((this.#read.get(key)?.revision ?? 0) !== (entries[at]?.revision ?? 0)) this.isStale = true
    }
    if (this.isStale) throw RERUN
    for (const [at, key] of fresh.entries()) this.#read.set(key, entries[earlier.length + at])
  }

  #see(key: Key): unknown {
    if (!this.#written.has(key)) return this.#read.get(key)?.value
    const written = this.#written.get(key)
    return written === undefined ? undefined : copyOf(written)
  }

  #checkOpen(): void {
    if (this.isStale) throw RERUN
    if (this.#done) {
      throw new ConcordError(
        'INVALID_ARGUMENT',
        'this transaction has ended; its methods may be used only inside it',
      )
    }
  }
}

/** As the store would give it back: later changes to the original are not seen. */
export function copyOf(value: unknown): unknown {
  const writer = new Writer(256)
  encodeValue(writer, value)
  return decodeValue(writer.take())
}

/** By the rules of the machine, which judges the same sum again when the transaction is applied. */
function sumOf(key: Key, current: unknown, by: number | bigint): number | bigint {
  const base = current ?? (typeof by === 'bigint' ? 0n : 0)
  const isNumber = typeof base === 'number' || typeof base === 'bigint'
  const sum = isNumber ? add(base, by, Infinity) : 'not-a-number'
  if (typeof sum !== 'string') return sum
  throw new ConcordError('INVALID_VALUE', `increment of ${JSON.stringify(key)}: ${sum}`, { details: { key } })
}
