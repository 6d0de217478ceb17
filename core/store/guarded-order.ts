/**
 * The order of writes while rights change. A write is let in by the rights that this node knows of, and refused where
 * it is applied if those have changed by then; it is judged again and proposed again. What was called after it must
 * not overtake it meanwhile: whoever was let in by newer rights waits until all that went by older ones are answered.
 */
import { ConcordError } from '../errors.ts'
import type { Guard } from '../machine/index.ts'
import { promised } from './promised.ts'

/** What one that waits takes beside its command. */
const WAITING_BYTES = 512

export class GuardedOrder {
  readonly #limitBytes: number
  /** By which those under way were let in. */
  #guard: Guard | undefined
  #underWay = 0
  #waiting = new Set<() => void>()
  #waitingBytes = 0

  /** @param limitBytes of all commands together that may wait. */
  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes
  }

  /** Whether nobody would be overtaken. */
  isTurnOf(guard: Guard | undefined): boolean {
    return this.#waiting.size === 0 && (this.#underWay === 0 || same(guard, this.#guard))
  }

  /** Counts a write as under way until it is answered. */
  count<R>(guard: Guard | undefined, answer: Promise<R>): Promise<R> {
    this.#guard = guard
    this.#underWay++
    return answer.finally(() => this.#answered())
  }

  /**
   * Calls `go` as soon as nobody would be overtaken, or never, when `patience` has ended by then.
   *
   * @throws `OVERLOADED` - too much waits already.
   */
  async inTurn<R>(
    bytes: number,
    patience: (turn: Promise<void>) => Promise<void>,
    go: () => Promise<R>,
  ): Promise<R> {
    const held = bytes + WAITING_BYTES
    if (this.#waitingBytes + held > this.#limitBytes) throw tooManyWait()
    let begun: Promise<R> | undefined
    const { promise: turn, resolve } = Promise.withResolvers<void>()
    const begin = (): void => {
      begun = promised(go)
      resolve()
    }
    this.#waiting.add(begin)
    this.#waitingBytes += held
    try {
      await patience(turn)
    } catch (error) {
      // Once it is on its way its own answer says what became of it.
      if (begun === undefined) throw error
    } finally {
      this.#waiting.delete(begin)
      this.#waitingBytes -= held
    }
    return begun!
  }

  /** All that wait begin at once, in order: they are judged by the same state. */
  #answered(): void {
    if (--this.#underWay > 0) return
    const waiting = this.#waiting
    this.#waiting = new Set()
    for (const begin of waiting) begin()
  }
}

const same = (a: Guard | undefined, b: Guard | undefined): boolean =>
  a?.revision === b?.revision && a?.key === b?.key && a?.space === b?.space

const tooManyWait = (): ConcordError =>
  new ConcordError('OVERLOADED', 'too many writes wait while rights change; slow down and try again')
