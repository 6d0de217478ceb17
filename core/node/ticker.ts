/**
 * Turns the clock into ticks, and notices when the event loop stood still: a tick that comes much too
 * late is a stall, whoever caused it (a long synchronous task, the collector, a debugger).
 *
 * While somebody waits for the node, the next tick keeps the process alive: it may be what answers him. It
 * goes on doing so until it has fired, for the next call may come at once.
 */
import type { Clock, Timer } from '../ports.ts'
import type { Whole } from './whole.ts'

/** The longest time between two ticks: it bounds how late a deadline of a call is noticed. */
const TICK_MS = 50
const SHORTEST_MS = 1
/** So late that somebody ought to know. */
const STALL_MS = 200

type TickerOwner = Pick<Whole, 'deadlineMs' | 'isAwaited' | 'tick' | 'stall'>

export class Ticker {
  readonly #clock: Clock
  readonly #owner: TickerOwner
  #timer: Timer | undefined
  #dueMs = Infinity
  #keepsAlive = false
  #running = false
  /** The tick is late, and comes after what has gathered meanwhile. */
  #isListening = false
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
    this.#arm(Infinity)
  }

  /** The core's deadline may have come nearer, or somebody has begun to wait. */
  look(): void {
    if (!this.#running || this.#isListening) return
    const isSooner = this.#owner.deadlineMs() < this.#dueMs - SHORTEST_MS
    if (isSooner || (!this.#keepsAlive && this.#owner.isAwaited())) {
      this.#cancel()
      this.#arm(this.#dueMs)
    }
  }

  stop(): void {
    this.#running = false
    this.#cancel()
  }

  /** A tick that is armed anew never comes later than it would have. */
  #arm(latestMs: number): void {
    const now = this.#clock.monotonicMs()
    const soonestMs = now + SHORTEST_MS
    this.#dueMs = Math.min(latestMs, now + TICK_MS, Math.max(soonestMs, this.#owner.deadlineMs()))
    const delayMs = Math.max(SHORTEST_MS, this.#dueMs - now)
    this.#keepsAlive = this.#owner.isAwaited()
    this.#timer = this.#clock.after(delayMs, () => this.#fire(), { keepAlive: this.#keepsAlive })
  }

  #fire(): void {
    const lateMs = this.#clock.monotonicMs() - this.#dueMs
    if (lateMs > STALL_MS) {
      this.#count++
      this.#worstMs = Math.max(this.#worstMs, lateMs)
      // Armed before anybody is told: whoever listens may throw, and the ticks go on.
      this.#listen()
      return this.#owner.stall(lateMs)
    }
    this.#tick()
  }

  /**
   * What peers have said while nobody listened waits in the sockets, and says more than the clock does: a
   * round of the event loop hears it before a timer is judged (H08).
   */
  #listen(): void {
    this.#isListening = true
    this.#clock.soon(() => {
      this.#isListening = false
      if (this.#running) this.#tick()
    })
  }

  #tick(): void {
    try {
      this.#owner.tick()
    } finally {
      if (this.#running) this.#arm(Infinity)
    }
  }

  #cancel(): void {
    if (this.#timer !== undefined) this.#clock.cancel(this.#timer)
    this.#timer = undefined
  }
}
