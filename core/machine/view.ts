/**
 * Views: all keys of a space as they stood at one moment, in key order, a few at a time, while everything
 * changes under them. What iterators and snapshots read; `moment.ts` is how the past is kept.
 *
 * A view costs writers a little as long as it is open: close what is not read to its end.
 */
import { ConcordError } from '../errors.ts'
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
    if (!this.#isOpen) return undefined
    if (this.#moment.reader.lost) throw this.#lost()
    const records: RecordView[] = []
    const { bound, inclusive } = this.#moment
    const keys = keysInOrder(this.#space, bound, inclusive, max)
    for (const key of keys) {
      if (!key.startsWith(this.#moment.prefix)) break
      if (!this.#readGone(records, max, key) || records.length >= max) return this.#pass(records)
      this.#read(records, key)
    }
    const isEnd = keys.length < max || !keys.at(-1)!.startsWith(this.#moment.prefix)
    if (isEnd && this.#readGone(records, max, undefined)) this.close()
    return isEnd && records.length === 0 ? undefined : this.#pass(records)
  }

  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    closeMoment(this.#moment)
  }

  /** Adds what went since, up to `key`, and `key` itself if it went and came back. False: no room. */
  #readGone(records: RecordView[], max: number, key: string | undefined): boolean {
    const { order } = this.#space
    for (;;) {
      const gone = firstGone(this.#moment)
      if (gone === undefined || (key !== undefined && isBefore(order, key, gone))) return true
      if (records.length >= max) return false
      dropFirstGone(order, this.#moment)
      this.#advance(gone)
      const record = takeKept(this.#moment, gone)
      if (record !== undefined) records.push(record)
    }
  }

  /** Adds a key that is there now, unless it is newer than the moment. */
  #read(records: RecordView[], key: string): void {
    if (this.#moment.bound === key && !this.#moment.inclusive) return
    this.#advance(key)
    const kept = takeKept(this.#moment, key)
    if (kept !== undefined) {
      records.push(kept)
      return
    }
    const record = recordAt(this.#space, find(this.#space, key))
    if (record.createRevision <= this.revision) records.push(record)
  }

  #advance(key: string): void {
    this.#moment.bound = key
    this.#moment.inclusive = false
  }

  #pass(records: RecordView[]): RecordView[] {
    this.#last = records.at(-1)?.key ?? this.#last
    return records
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
