/**
 * Time passes while somebody waits, and stands still otherwise: a call on a node of the simulated world gets
 * its answer, and a test that holds none finds the world as it left it.
 */
import { systemWorld } from '../world.ts'
import type { Simulation } from './simulation.ts'

/** Real milliseconds between looks at work that the simulation does not know of, such as a thread's. */
const OUTSIDE_MS = 1

interface Target {
  readonly atMs: number
  readonly reached: () => void
}

export class Waiting {
  readonly #simulation: Simulation
  readonly #targets = new Set<Target>()
  #calls = 0
  #isRunning = false

  constructor(simulation: Simulation) {
    this.#simulation = simulation
  }

  /** What `work` resolves with; time passes until it does. */
  async for<T>(work: PromiseLike<T>): Promise<T> {
    this.#calls++
    this.#run()
    try {
      return await work
    } finally {
      this.#calls--
    }
  }

  /** Lets so much time pass, and all that is due in it happen; whatever else is waited for goes on. */
  advance(ms: number): Promise<void> {
    return new Promise((reached) => {
      this.#targets.add({ atMs: this.#simulation.now + ms, reached })
      this.#run()
    })
  }

  #run(): void {
    if (this.#isRunning) return
    this.#isRunning = true
    void this.#loop()
  }

  async #loop(): Promise<void> {
    const simulation = this.#simulation
    // Whoever calls may have more to call at this moment.
    await Promise.resolve()
    for (;;) {
      const target = this.#nextTarget()
      const { nextAt } = simulation
      if (target !== undefined && (nextAt === undefined || nextAt > target.atMs)) await this.#reach(target)
      else if (target === undefined && this.#calls === 0) break
      else if (nextAt === undefined) await outside()
      else await simulation.step()
    }
    this.#isRunning = false
  }

  #nextTarget(): Target | undefined {
    let next: Target | undefined
    for (const target of this.#targets) if (next === undefined || target.atMs < next.atMs) next = target
    return next
  }

  /** Whoever waited for it does what it does then, before anything else happens. */
  #reach(target: Target): Promise<void> {
    this.#targets.delete(target)
    this.#simulation.now = Math.max(this.#simulation.now, target.atMs)
    target.reached()
    return this.#simulation.settled()
  }
}

const outside = (): Promise<void> =>
  new Promise((resolve) => void systemWorld.clock.after(OUTSIDE_MS, resolve, { keepAlive: true }))
