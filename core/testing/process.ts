/**
 * A process of the simulated world: it can be killed, and it can be paused, as by SIGSTOP or by work that
 * blocks its event loop. All that happens to it comes through here.
 *
 * What is due while it is paused waits, and then comes in the order of a real event loop: timers first, the
 * network and the disk after them.
 */
import type { Clock, Entropy } from '../ports.ts'
import { type Clocks, readClocks } from './clocks.ts'
import type { Stream } from './prng.ts'
import { type Event, type Simulation, callOff } from './simulation.ts'

export class SimulatedProcess {
  readonly clock: Clock
  readonly entropy: Entropy
  isAlive = true
  isPaused = false
  readonly #simulation: Simulation
  #timers: (() => void)[] = []
  #arrivals: (() => void)[] = []

  constructor(simulation: Simulation, clocks: Clocks, chance: Stream) {
    this.#simulation = simulation
    this.clock = this.#clockOver(clocks)
    this.entropy = { random: () => chance.float(), id: () => idFrom(chance) }
  }

  kill(): void {
    this.isAlive = false
  }

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
    for (const run of [...this.#timers.splice(0), ...this.#arrivals.splice(0)]) {
      this.#simulation.after(0, () => this.#meet(run, this.#arrivals))
    }
  }

  /** Something reaches it: now, when it goes on, or never, if it has ended by then. */
  reach(run: () => void): void {
    this.#meet(run, this.#arrivals)
  }

  #meet(run: () => void, waiting: (() => void)[]): void {
    if (!this.isAlive) return
    if (this.isPaused) waiting.push(run)
    else run()
  }

  #clockOver(clocks: Clocks): Clock {
    const simulation = this.#simulation
    return {
      monotonicMs: () => readClocks(clocks, simulation.now).monotonicMs,
      wallMs: () => readClocks(clocks, simulation.now).wallMs,
      after: (delayMs, run): SimulatedTimer => {
        const fire = (): void => {
          timer.run?.()
          timer.run = undefined
        }
        const event = simulation.after(delayMs / clocks.rate, () => this.#meet(fire, this.#timers))
        const timer: SimulatedTimer = { event, run }
        return timer
      },
      cancel: (timer) => {
        if (timer === undefined) return
        const { event } = timer as SimulatedTimer
        callOff(event)
        // It may be due already, and wait for the process to go on.
        ;(timer as SimulatedTimer).run = undefined
      },
      soon: (run) => void simulation.after(0, () => this.#meet(run, this.#arrivals)),
    }
  }
}

interface SimulatedTimer {
  readonly event: Event
  run: (() => void) | undefined
}

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

function idFrom(chance: Stream): string {
  let id = ''
  for (let at = 0; at < 21; at++) id += LETTERS[chance.below(64)]
  return id
}
