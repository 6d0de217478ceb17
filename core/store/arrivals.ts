/**
 * The order of writes that are not at once ready to be proposed: their token is one this node has not heard of yet, or
 * a plugin takes its time to rewrite them. What is written to the same keys meanwhile is made ready beside them, and
 * proposed after them; what is written to others passes by. Each token has an order of its own: whoever tries made-up
 * ones makes nobody else wait.
 */
import { ConcordError } from '../errors.ts'
import { promised } from './promised.ts'
import type { Key } from '../types.ts'

/** Whose write it is, and of what. */
export interface Arrival {
  readonly token: unknown
  readonly keys: readonly Key[]
  /** That it holds of memory until it is proposed. */
  readonly bytes: number
}

export class Arrivals {
  readonly #limitBytes: number
  /** Of writes that are not proposed yet, and of those given up on that a plugin still has in its hands. */
  #heldBytes = 0
  /** By token and key: ends when the last write to arrive, and all before it, are proposed or given up. */
  readonly #last = new Map<string, Promise<unknown>>()

  /** @param limitBytes of all writes together that may wait. */
  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes
  }

  /** Whether nobody would be overtaken. */
  isTurnOf(token: unknown, writes: readonly { readonly key: Key }[]): boolean {
    return this.#last.size === 0 || !writes.some(({ key }) => this.#last.has(laneOf(token, key)))
  }

  /**
   * Calls `go` with what `prepare` gives, for each key in the order in which this was called; at once, if there is
   * nobody to wait for.
   *
   * @param patience ends the wait for both.
   * @throws `OVERLOADED` - too much waits already; `prepare` was not called.
   */
  inOrder<P, R>(
    arrival: Arrival,
    prepare: () => P | Promise<P>,
    patience: <T>(work: Promise<T>) => Promise<T>,
    go: (prepared: P) => Promise<R>,
  ): Promise<R> {
    const { bytes } = arrival
    // One that is larger than all that may wait does so alone.
    if (this.#heldBytes > 0 && this.#heldBytes + bytes > this.#limitBytes) throw tooManyWait()
    const prepared = prepare()
    const lanes = lanesOf(arrival)
    const before = lanes.flatMap((lane) => this.#last.get(lane) ?? [])
    if (before.length === 0 && !(prepared instanceof Promise)) return go(prepared)
    // In an object, lest the answer be waited for.
    const gone = (async (): Promise<{ readonly answer: Promise<R> }> => {
      const ready = await patience(Promise.resolve(prepared))
      if (before.length > 0) await patience(Promise.all(before))
      return { answer: promised(() => go(ready)) }
    })()
    this.#hold(bytes, [prepared, gone])
    this.#follow(lanes, Promise.allSettled([...before, gone]))
    return gone.then(({ answer }) => answer)
  }

  #hold(bytes: number, until: readonly unknown[]): void {
    this.#heldBytes += bytes
    void Promise.allSettled(until).then(() => (this.#heldBytes -= bytes))
  }

  #follow(lanes: readonly string[], last: Promise<unknown>): void {
    for (const lane of lanes) this.#last.set(lane, last)
    void last.then(() => {
      for (const lane of lanes) if (this.#last.get(lane) === last) this.#last.delete(lane)
    })
  }
}

/** No token holds a NUL: it would be refused as one. */
const laneOf = (token: unknown, key: Key): string => `${String(token)}\0${key}`

const lanesOf = ({ token, keys }: Arrival): readonly string[] => keys.map((key) => laneOf(token, key))

const tooManyWait = (): ConcordError =>
  new ConcordError('OVERLOADED', 'too many writes wait at the door; slow down and try again')
