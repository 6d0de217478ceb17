/**
 * Iterators that a client reads page by page: a moment of the store, or what a plugin's verb gives. Each
 * holds something of the node's (old versions, a watch), so they are few, end with their connection, and one
 * that nobody asks for is closed.
 */
import { Writer } from '../bytes.ts'
import { encodeValue } from '../codec.ts'
import { ConcordError } from '../errors.ts'
import type { Clock, Timer } from '../ports.ts'
import type { Entries, Entry } from '../types.ts'
import { Encoded } from './frames.ts'
import { type Answer, ITERATOR_IDLE_MS, type Page, setAside } from './shapes.ts'

const MAX_OPEN = 16
const PAGE_RECORDS = 256
const PAGE_BYTES = 256 * 1024

interface Open {
  readonly iterator: AsyncIterator<unknown>
  readonly isEntries: boolean
  readonly abort: AbortController
  idle: Timer | undefined
  isReading: boolean
  /** Met after records that had to be given first. */
  error: unknown
}

export class Iterators {
  readonly #open = new Map<number, Open>()
  readonly #clock: Clock
  readonly #idleMs: number
  #nextId = 1

  constructor(clock: Clock, idleMs = ITERATOR_IDLE_MS) {
    this.#clock = clock
    this.#idleMs = idleMs
  }

  /** @param abort ends what the iterator stands on. */
  open(iterable: AsyncIterable<unknown>, isEntries: boolean, abort: AbortController): number {
    if (this.#open.size >= MAX_OPEN) {
      throw new ConcordError('OVERLOADED', `${MAX_OPEN} iterators are open on this connection; close one`)
    }
    const id = this.#nextId++
    const iterator = iterable[Symbol.asyncIterator]()
    const opened: Open = {
      iterator,
      isEntries,
      abort,
      idle: undefined,
      isReading: false,
      error: undefined,
    }
    this.#open.set(id, opened)
    this.#watch(id, opened)
    return id
  }

  /** The next page: what there is of entries, and a record of a verb as soon as there is one. */
  async next(id: unknown): Promise<Answer> {
    const open = this.#open.get(id as number)
    if (open === undefined) {
      throw new ConcordError(
        'SNAPSHOT_TOO_OLD',
        `the iterator was closed, perhaps after ${this.#idleMs} ms without a call; go on after the last key, later`,
      )
    }
    if (open.isReading) {
      throw new ConcordError('INVALID_ARGUMENT', 'the iterator is being read: ask for one page at a time')
    }
    this.#clock.cancel(open.idle)
    open.isReading = true
    const values: unknown[] = []
    const records: unknown[] = []
    try {
      const isLast = await fill(open, records, values)
      if (isLast) this.close(id)
      const { revision } = open.iterator as Partial<Entries>
      const page: Page = {
        records,
        ...(isLast ? {} : { iterator: id as number }),
        ...(open.isEntries && { revision }),
      }
      return { head: page, values }
    } catch (error) {
      this.close(id)
      throw error
    } finally {
      open.isReading = false
      this.#watch(id as number, open)
    }
  }

  close(id: unknown): void {
    const open = this.#open.get(id as number)
    if (open === undefined) return
    this.#open.delete(id as number)
    this.#clock.cancel(open.idle)
    open.abort.abort(new Error('nobody reads any more'))
    // A generator that waits for something returns when that is over; nobody waits for it here.
    open.iterator.return?.().catch(() => undefined)
  }

  closeAll(): void {
    for (const id of this.#open.keys()) this.close(id)
  }

  #watch(id: number, open: Open): void {
    if (this.#open.get(id) !== open) return
    open.idle = this.#clock.after(this.#idleMs, () => this.close(id))
  }
}

/** True after the last record. */
async function fill(open: Open, records: unknown[], values: unknown[]): Promise<boolean> {
  if (open.error !== undefined) throw open.error
  const writer = new Writer(1024)
  let bytes = 0
  const limit = open.isEntries ? PAGE_RECORDS : 1
  try {
    while (records.length < limit && bytes < PAGE_BYTES) {
      const { done, value } = await open.iterator.next()
      if (done === true) return true
      const record = open.isEntries ? (value as Entry).value : value
      // A verb may give nothing at a time; the store never does.
      if (record === undefined) {
        records.push(null)
        continue
      }
      encodeValue(writer, record)
      bytes += writer.length
      const place = setAside(values, new Encoded(writer.take()))
      records.push(open.isEntries ? { ...(value as Entry), value: place } : place)
    }
  } catch (error) {
    if (records.length === 0) throw error
    open.error = error
  }
  return false
}
