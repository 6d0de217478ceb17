/**
 * The way of a read: past the door, to the moment at which it holds, then this machine's keys at that
 * moment, all in one tick. A key that a linearizable read finds due is expired first, once, by a change
 * with a revision of its own; `eventual` reads only hide it.
 */
import { toEntry } from './answers.ts'
import { type Call, refuse } from './calls.ts'
import type { Admitted, Door } from './door.ts'
import type { Access, DoorRequest } from '../hook-events.ts'
import { checkKey, openStored } from '../codec.ts'
import {
  type Budget,
  type RecordView,
  USERS,
  collectDue,
  dueAt,
  expiresAt,
  find,
  nextDue,
  openView,
  recordAt,
} from '../machine/index.ts'
import type { ReplicatedLog } from '../node/replicated-log.ts'
import { AbortError, ConcordError } from '../errors.ts'
import type { Moment } from './one-moment.ts'
import type { Consistency, Entry, Key } from '../types.ts'

/** Entries taken from a view at once; behind them others run, however eagerly they are read. */
const ENTRIES_STEP = 256

/** What becomes of a record that is there, at the cluster time of the read. */
export type Answer<R> = (record: RecordView, clusterTime: number, request: DoorRequest) => R

export class ReadPath {
  readonly #log: ReplicatedLog
  readonly #door: Door
  readonly #iterators: Budget

  constructor(log: ReplicatedLog, door: Door, iterators: Budget) {
    this.#log = log
    this.#door = door
    this.#iterators = iterators
  }

  /**
   * The slot of a key that a read of this level finds right now, without waiting: -1 when the key is absent.
   * Undefined when the read has to wait, or the key is due.
   */
  slotNow(key: Key, consistency: Consistency): number | undefined {
    if (!this.#log.canReadNow(consistency)) return undefined
    const { users } = this.#log.machine
    const slot = find(users, key)
    if (slot === -1 || expiresAt(users, slot) === 0) return slot
    return dueAt(users, slot, this.#log.clusterTimeNow()) ? undefined : slot
  }

  /** The entry in a slot that `slotNow` has just found, for a door at which nobody stands. */
  entryAt(slot: number): Entry {
    const record = recordAt(this.#log.machine.users, slot)
    return toEntry(record, record.expiresAt === 0 ? 0 : this.#log.clusterTimeNow(), openRecord)
  }

  async one<R>(operation: string, key: Key, call: Call, answer: Answer<R>): Promise<R | undefined> {
    const [result] = await this.many(operation, [key], call, answer)
    return result
  }

  /** All keys in one tick, at a moment that the level of the read allows; `undefined` for the absent. */
  async many<R>(
    operation: string,
    keys: readonly Key[],
    call: Call,
    answer: Answer<R>,
  ): Promise<(R | undefined)[]> {
    const admitted = await this.#admitted(operation, keys.map(readAccess), call)
    const { clusterTime } = await this.#log.readPoint(call.consistency, call.minRevision, call)
    if (call.consistency !== 'eventual') await this.#expire(this.#dueAt(keys, clusterTime), call)
    const { request } = this.#door.still(admitted)
    return keys.map((key) => {
      const record = this.visible(key, clusterTime)
      return record === undefined ? undefined : answer(record, clusterTime, request)
    })
  }

  /** @param call `prefix` and `after` are among its options. */
  async *entries(call: Call, moment: Moment): AsyncGenerator<Entry, undefined, undefined> {
    const { prefix = '', after } = call.options
    if (typeof prefix !== 'string') refuse('prefix', prefix, 'a string')
    if (after !== undefined) checkKey(after)
    const admitted = await this.#admitted('entries', [{ permission: 'read', prefix }], call)
    const { clusterTime } = await this.#log.readPoint(call.consistency, call.minRevision, call)
    if (call.consistency !== 'eventual') await this.#expireAll(clusterTime, call)
    let still = this.#door.still(admitted)
    const view = openView(this.#log.machine, { prefix, after, budget: this.#iterators })
    moment.revision = this.#log.machine.revision
    try {
      for (let records = view.next(ENTRIES_STEP); records !== undefined; records = view.next(ENTRIES_STEP)) {
        for (const record of records) {
          // Before each: whoever reads may take his time, and rights may go meanwhile.
          still = this.#door.still(still)
          if (still.request.visible?.(record.key) === false) continue
          if (record.expiresAt === 0 || record.expiresAt > clusterTime)
            yield this.entry(record, clusterTime, still.request)
        }
        await this.#log.pause()
        if (call.signal?.aborted === true) throw new AbortError(call.signal.reason, 'not-applied')
      }
    } finally {
      view.close()
    }
    return undefined
  }

  /** Whoever asks for this node's own state is judged by it. */
  #admitted(operation: string, access: readonly Access[], call: Call): Admitted | Promise<Admitted> {
    return call.consistency === 'eventual'
      ? this.#door.admit(operation, access, call)
      : this.#door.enter(this.#log, operation, access, call)
  }

  /** As this node's own state stands now. */
  local(key: Key, call: Call): Entry | undefined {
    if (this.#log.isStopped) throw new ConcordError('STOPPED', 'this node has stopped')
    const now = this.#log.clusterTimeNow()
    const { request } = this.#door.admit('get', [readAccess(key)], call)
    const record = this.visible(key, now)
    return record === undefined ? undefined : this.entry(record, now, request)
  }

  visible(key: Key, clusterTime: number): RecordView | undefined {
    const { users } = this.#log.machine
    const slot = find(users, key)
    if (slot === -1 || dueAt(users, slot, clusterTime)) return undefined
    return recordAt(users, slot)
  }

  entry(record: RecordView, clusterTime: number, request: DoorRequest): Entry {
    return toEntry(record, clusterTime, (found) => this.#door.outgoing(found, request))
  }

  /** An entry inside the answer of a command: it holds at the time of the machine that gave it. */
  entryNow(record: RecordView, request: DoorRequest): Entry {
    return this.entry(record, this.#log.machine.clusterTime, request)
  }

  /** Whatever an iterator would hide has gone before it begins: it cannot come back behind it. */
  async #expireAll(clusterTime: number, call: Call): Promise<void> {
    const { machine } = this.#log
    while (nextDue(machine) <= clusterTime) {
      await this.#expire(collectDue(machine, clusterTime, machine.settings.batch), call)
    }
  }

  /** What could not be expired was not read, and nothing was written on behalf of the reader. */
  async #expire(due: readonly { readonly space: number; readonly key: Key }[], call: Call): Promise<void> {
    if (due.length === 0) return
    try {
      await this.#log.expireDue(due, call)
    } catch (error) {
      if (!ConcordError.is(error) || error.outcome === 'not-applied') throw error
      const { code, message, details } = error
      throw new ConcordError(code, `a key is due, and its expiry is not confirmed: ${message}`, {
        outcome: 'not-applied',
        retryable: true,
        cause: error,
        details,
      })
    }
  }

  #dueAt(keys: readonly Key[], clusterTime: number): { space: number; key: Key }[] {
    const { users } = this.#log.machine
    const due = keys.filter((key) => {
      const slot = find(users, key)
      return slot !== -1 && dueAt(users, slot, clusterTime)
    })
    return [...new Set(due)].map((key) => ({ space: USERS, key }))
  }
}

const openRecord = ({ value }: RecordView): unknown => openStored(value)

export const readAccess = (key: Key): Access => ({ permission: 'read', key })
