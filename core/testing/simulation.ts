/**
 * Time in a simulated world: what happens next, one event after another, and nothing by itself.
 *
 * After each event everything that promises make of it runs, before the next one begins. Nodes that reach the
 * world only through their ports therefore do the same thing each time: a seed is a history.
 */
import type { Clock } from '../ports.ts'
import { systemWorld } from '../world.ts'
import { Agenda, type Appointment } from './agenda.ts'
import { Stream } from './prng.ts'

export interface Event extends Appointment {
  /** Undefined: it was called off, or has happened. */
  run: (() => void) | undefined
}

export class Simulation {
  readonly seed: number
  /** Of the world itself, for what stands between nodes. */
  readonly clock: Clock
  /** True milliseconds since the world began, fractional. No node sees them: each has a clock of its own. */
  now = 0
  /** Events that have happened. */
  events = 0
  readonly #settle: (done: () => void) => void
  readonly #agenda = new Agenda<Event>()

  /**
   * @param settle calls back when all microtasks have run. By default in the next macrotask: what is real in a world, a
   *   plugin that reads a file, goes on between two events.
   */
  constructor(seed: number, settle: (done: () => void) => void = (done) => systemWorld.clock.soon(done)) {
    this.seed = seed
    this.#settle = settle
    this.clock = {
      monotonicMs: () => this.now,
      wallMs: () => this.now,
      after: (delayMs, run) => this.after(delayMs, run),
      cancel: (timer) => callOff(timer as Event),
      soon: (run) => void this.after(0, run),
    }
  }

  /** Chance for one purpose, independent of every other's. */
  stream(purpose: string): Stream {
    return new Stream(this.seed, purpose)
  }

  after(delayMs: number, run: () => void): Event {
    const event = { at: this.now + Math.max(0, delayMs), sequence: 0, run }
    this.#agenda.add(event)
    return event
  }

  /** When the next event happens; undefined: never. */
  get nextAt(): number | undefined {
    let next = this.#agenda.first
    while (next !== undefined && next.run === undefined) {
      this.#agenda.next()
      next = this.#agenda.first
    }
    return next?.at
  }

  /** Lets the next event happen, and all that comes of it at once. False when there is none. */
  async step(): Promise<boolean> {
    if (this.nextAt === undefined) return false
    const event = this.#agenda.next()!
    const run = event.run!
    event.run = undefined
    this.now = event.at
    this.events++
    run()
    await this.settled()
    return true
  }

  /** All that promises make of the last event has happened. */
  settled(): Promise<void> {
    return new Promise(this.#settle)
  }
}

export function callOff(event: Event): void {
  event.run = undefined
}
