/**
 * Views: all keys of a space as they stood at one moment, in key order, a few at a time, while everything
 * changes under them. What iterators and snapshots read; `moment.ts` is how the past is kept.
 *
 * A view costs writers a little as long as it is open: close what is not read to its end.
 */
import { unpacked } from '../codec.ts'
import { ConcordError } from '../errors.ts'
import { createRevisionAt } from './columns.ts'
import type { Keyspace } from './keyspace.ts'
import { createKeyspace, find, keysInOrder, recordAt } from './keyspace.ts'
import type { Machine } from './machine.ts'
import { USERS } from './machine.ts'
import type { Budget, Moment, Reader } from './moment.ts'
import {
  closeMoment,
  createBudget,
  createReader,
  dropFirstGone,
  firstGone,
  openMoment,
  takeKept,
} from './moment.ts'
import { isBefore } from './order.ts'
import type { RecordView } from './result.ts'
import type { RawRecord } from './values.ts'

/** Whoever takes the records of a view, one after another. */
export interface Taker {
  /** Asked before each record. */
  readonly hasRoom: boolean
  /** A record that has not changed since the moment: it is still in its slot. */
  slot(slot: number): void
  /** A record as it was put aside. */
  kept(record: RawRecord): void
}

export interface ViewOptions {
  /** Default: the users' space. */
  readonly space?: number | undefined
  /** Only keys that start with this; default all. */
  readonly prefix?: string | undefined
  /** Only keys after this one. */
  readonly after?: string | undefined
  /** Bounds the old versions that are held for all views opened with it: past it the oldest is lost. */
  readonly budget: Budget
}

/** One moment of one space. Whoever opened it closes it; reading it to the end does too. */
export class View {
  /** Of the store at this moment; and the clusterTime by which what is due is judged. */
  readonly revision: number
  readonly clusterTime: number
  readonly #space: Keyspace
  readonly #moment: Moment
  #last: string | undefined
  #isOpen = true

  constructor(machine: Machine, space: Keyspace, prefix: string, after: string | undefined, reader: Reader) {
    this.revision = machine.revision
    this.clusterTime = machine.clusterTime
    this.#space = space
    this.#last = after
    const isAfter = after !== undefined && (after === prefix || isBefore(space.order, prefix, after))
    const bound = isAfter ? after : prefix
    this.#moment = openMoment(reader, space.moments, machine.revision, prefix, bound, !isAfter)
  }

  /** Bytes of old versions held now. */
  get heldBytes(): number {
    return this.#moment.heldBytes
  }

  /**
   * The next records; perhaps none although there are more, since it looks at no more than `max` keys.
   * Undefined after the last one. Throws `SNAPSHOT_TOO_OLD` when the budget was passed and this
   * was the oldest; then `details.cursor` is the last key read, to go on after at a later moment.
   */
  next(max: number): RecordView[] | undefined {
    const records: RecordView[] = []
    const count = this.read(max, {
      hasRoom: true,
      slot: (slot) => void records.push(recordAt(this.#space, slot)),
      kept: (record) => void records.push(opened(record)),
    })
    this.#last = records.at(-1)?.key ?? this.#last
    return count === undefined ? undefined : records
  }

  /** As `next`, for a taker that reads the records where they are. Returns how many it was given. */
  read(max: number, taker: Taker): number | undefined {
    if (!this.#isOpen) return undefined
    if (this.#moment.reader.lost) throw this.#lost()
    let count = 0
    const { bound, inclusive, prefix } = this.#moment
    const keys = keysInOrder(this.#space, bound, inclusive, max)
    for (const key of keys) {
      if (!key.startsWith(prefix)) break
      count += this.#readGone(taker, max - count, key)
      if (count >= max || !taker.hasRoom) return count
      if (this.#read(taker, key)) count++
    }
    const isEnd = keys.length < max || !keys.at(-1)!.startsWith(prefix)
    if (!isEnd) return count
    count += this.#readGone(taker, max - count, undefined)
    if (firstGone(this.#moment) === undefined) this.close()
    return count === 0 && !this.#isOpen ? undefined : count
  }

  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    closeMoment(this.#moment)
  }

  /** Gives what went since, up to `key`, and `key` itself if it went and came back. */
  #readGone(taker: Taker, max: number, key: string | undefined): number {
    const { order } = this.#space
    let count = 0
    while (count < max && taker.hasRoom) {
      const gone = firstGone(this.#moment)
      if (gone === undefined || (key !== undefined && isBefore(order, key, gone))) break
      dropFirstGone(order, this.#moment)
      this.#advance(gone)
      const record = takeKept(this.#moment, gone)
      if (record === undefined) continue
      taker.kept(record)
      count++
    }
    return count
  }

  /** Gives a key that is there now, unless it is newer than the moment. */
  #read(taker: Taker, key: string): boolean {
    if (this.#moment.bound === key && !this.#moment.inclusive) return false
    this.#advance(key)
    const kept = takeKept(this.#moment, key)
    if (kept !== undefined) {
      taker.kept(kept)
      return true
    }
    const slot = find(this.#space, key)
    if (createRevisionAt(this.#space.columns, slot) > this.revision) return false
    taker.slot(slot)
    return true
  }

  #advance(key: string): void {
    this.#moment.bound = key
    this.#moment.inclusive = false
  }

  #lost(): ConcordError {
    const { limitBytes } = this.#moment.reader.budget
    return new ConcordError(
      'SNAPSHOT_TOO_OLD',
      `more than ${limitBytes} bytes changed while this and younger readers read; go on after details.cursor`,
      { details: { cursor: this.#last, limitBytes } },
    )
  }
}

function opened({ envelope, ...record }: RawRecord): RecordView {
  return { ...record, value: unpacked(envelope) }
}

/** Opens a view of the machine as it is now. A space that has not been given out has no keys. */
export function openView(machine: Machine, options: ViewOptions): View {
  const { space: id = USERS, prefix = '', after, budget } = options
  const space = machine.spaces.get(id) ?? createKeyspace(id)
  return new View(machine, space, prefix, after, createReader(budget))
}

/** Views of all spaces at one moment, in the order of their ids, under a limit of their own. */
export function openAll(machine: Machine, limitBytes: number): { space: Keyspace; view: View }[] {
  const reader = createReader(createBudget(limitBytes))
  const spaces = [...machine.spaces.values()].sort((a, b) => a.id - b.id)
  return spaces.map((space) => ({ space, view: new View(machine, space, '', undefined, reader) }))
}
