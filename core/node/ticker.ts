/**
 * Turns the clock into ticks, and notices when the event loop stood still: a tick that comes much too
 * late is a stall, whoever caused it (a long synchronous task, the collector, a debugger).
 */
import type { Clock, Timer } from '../ports.ts'

/** The longest time between two ticks: it bounds how late a deadline of a call is noticed. */
const TICK_MS = 50
const SHORTEST_MS = 1
/** So late that somebody ought to know. */
const STALL_MS = 200

export interface TickerOwner {
  /** Monotonic milliseconds at which the core wants to be woken. */
  deadlineMs(): number
  tick(): void
  stall(durationMs: number): void
}

export class Ticker {
  readonly #clock: Clock
  readonly #owner: TickerOwner
  #timer: Timer | undefined
  #dueMs = Infinity
  #running = false
  #count = 0
  #worstMs = 0

  constructor(clock: Clock, owner: TickerOwner) {
    this.#clock = clock
    this.#owner = owner
  }

  get stalls(): { readonly count: number; readonly worstMs: number } {
    return { count: this.#count, worstMs: this.#worstMs }
  }

  start(): void {
    this.#running = true
    this.#arm()
  }

  /** The core's deadline may have come nearer. */
  look(): void {
    if (this.#running && this.#owner.deadlineMs() < this.#dueMs - SHORTEST_MS) {
      this.#cancel()
      this.#arm()
    }
  }

  stop(): void {
    this.#running = false
    this.#cancel()
  }

  #arm(): void {
    const now = this.#clock.monotonicMs()
    const delayMs = Math.min(TICK_MS, Math.max(SHORTEST_MS, this.#owner.deadlineMs() - now))
    this.#dueMs = now + delayMs
    this.#timer = this.#clock.after(delayMs, () => this.#fire())
  }

  #fire(): void {
    const lateMs = this.#clock.monotonicMs() - this.#dueMs
    if (lateMs > STALL_MS) {
      this.#count++
      this.#worstMs = Math.max(this.#worstMs, lateMs)
      this.#owner.stall(lateMs)
    }
    this.#owner.tick()
    if (this.#running) this.#arm()
  }

  #cancel(): void {
    if (this.#timer !== undefined) this.#clock.cancel(this.#timer)
    this.#timer = undefined
  }
}
