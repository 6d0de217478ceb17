/**
 * The way of calls on many keys: the list is checked item by item, then it is one command, or one moment,
 * however many items it has. Results come in the order of the request, duplicates included.
 */
import { toMany } from './answers.ts'
import { type Call, checkList, checkPutItem, checkTouchItem, checkTtl } from './calls.ts'
import { checkKey } from '../codec.ts'
import type { Door } from './door.ts'
import type { Write } from '../hook-events.ts'
import { encodeBatch } from '../machine/index.ts'
import type { ReplicatedLog } from '../node/replicated-log.ts'
import type { ReadPath } from './read-path.ts'
import type { DeleteResult, Key, PutItem, PutResult, TouchItem, TouchResult } from '../types.ts'
import type { WritePath } from './write-path.ts'

export class ManyPath {
  readonly #log: ReplicatedLog
  readonly #door: Door
  readonly #reads: ReadPath
  readonly #writes: WritePath

  constructor(log: ReplicatedLog, door: Door, reads: ReadPath, writes: WritePath) {
    this.#log = log
    this.#door = door
    this.#reads = reads
    this.#writes = writes
  }

  put(items: readonly PutItem[], call: Call): Promise<PutResult[]> {
    const common = checkTtl(call.options.ttl)
    const writes = checkList(items, 'items', this.#limit, (item, at) => {
      const { key, value, ttl } = checkPutItem(item, at)
      return { op: 'put', key, value, ttlMs: ttl === undefined ? common : checkTtl(ttl) } as const
    })
    return this.#write<PutResult>('putMany', writes, call)
  }

  delete(keys: readonly Key[], call: Call): Promise<DeleteResult[]> {
    const writes = checkList(
      keys,
      'keys',
      this.#limit,
      (key) => ({ op: 'delete', key: checkKey(key) }) as const,
    )
    return this.#write<DeleteResult>('deleteMany', writes, call)
  }

  touch(items: readonly TouchItem[], call: Call): Promise<TouchResult[]> {
    const writes = checkList(items, 'items', this.#limit, (item, at) => {
      const { key, ttlMs } = checkTouchItem(item, at)
      return { op: 'touch', key, ttlMs } as const
    })
    return this.#write<TouchResult>('touchMany', writes, call)
  }

  get<T>(keys: readonly Key[], call: Call): Promise<(T | undefined)[]> {
    const checked = checkList(keys, 'keys', this.#limit, (key) => checkKey(key))
    return this.#reads.many(
      'getMany',
      checked,
      call,
      (record, _, request) => this.#door.outgoing(record, request) as T,
    )
  }

  /** By the cluster's own setting, which `apply` judges again. */
  get #limit(): number {
    return this.#log.machine.settings.batch
  }

  #write<R extends PutResult | DeleteResult | TouchResult>(
    operation: string,
    writes: readonly Write[],
    call: Call,
  ): Promise<R[]> {
    if (writes.length === 0) return Promise.resolve([])
    return this.#writes.write(operation, writes, call, encodeBatch, (done) => toMany<R>(done))
  }
}
