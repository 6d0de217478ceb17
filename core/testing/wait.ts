/**
 * Time passes while somebody waits, and stands still otherwise: a call on a node of the simulated world gets
 * its answer, and a test that holds none finds the world as it left it.
 */
import { systemWorld } from '../world.ts'
import type { Simulation } from './simulation.ts'

/** Real milliseconds between looks at work that the simulation does not know of, such as a thread's. */
const OUTSIDE_MS = 1

export class Waiting {
  readonly #simulation: Simulation
  #calls = 0
  #untilMs = 0
  #running: Promise<void> | undefined

  constructor(simulation: Simulation) {
    this.#simulation = simulation
  }

  /** What `work` resolves with; time passes until it does. */
  async for<T>(work: PromiseLike<T>): Promise<T> {
    this.#calls++
    void this.#run()
    try {
      return await work
    } finally {
      this.#calls--
    }
  }

  /** Lets so much time pass, and all that is due in it happen. */
  async advance(ms: number): Promise<void> {
    this.#untilMs = Math.max(this.#untilMs, this.#simulation.now + ms)
    await this.#run()
  }

  #run(): Promise<void> {
    this.#running ??= this.#loop().finally(() => (this.#running = undefined))
    return this.#running
  }

  async #loop(): Promise<void> {
    const simulation = this.#simulation
    // Whoever calls may have more to call at this moment.
    await Promise.resolve()
    for (;;) {
      const { nextAt } = simulation
      if (nextAt !== undefined && (this.#calls > 0 || nextAt <= this.#untilMs)) await simulation.step()
      else if (this.#calls > 0 && nextAt === undefined) await outside()
      else break
    }
    simulation.now = Math.max(simulation.now, this.#untilMs)
  }
}

const outside = (): Promise<void> =>
  new Promise((resolve) => void systemWorld.clock.after(OUTSIDE_MS, resolve, { keepAlive: true }))
