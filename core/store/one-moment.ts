/** Entries of one moment: an iterator that says which revision it stands at. */
import type { Entries, Entry, Revision } from '../types.ts'

/** Where the reading notes its revision, once it has begun. */
export interface Moment {
  revision: Revision | undefined
}

type Reading<T> = AsyncGenerator<Entry<T>, undefined, undefined>

export class OneMoment<T> implements Entries<T> {
  readonly #moment: Moment = { revision: undefined }
  readonly #reading: Reading<T>

  constructor(read: (moment: Moment) => Reading<T>) {
    this.#reading = read(this.#moment)
  }

  get revision(): Revision | undefined {
    return this.#moment.revision
  }

  next(): Promise<IteratorResult<Entry<T>, undefined>> {
    return this.#reading.next()
  }

  return(): Promise<IteratorResult<Entry<T>, undefined>> {
    return this.#reading.return(undefined)
  }

  throw(error: unknown): Promise<IteratorResult<Entry<T>, undefined>> {
    return this.#reading.throw(error)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }
}
