/** Faults by class, as data: each class is on or off by the seed, with a stream of chance and an interval of its own. */
import { Stream } from '../../core/testing/prng.ts'

export type FaultSource<F> = (stream: Stream, at: number) => F

export class FaultClasses<F extends { readonly at: number; readonly kind: string }> {
  readonly #seed: number
  readonly #swarm: Stream
  readonly #horizonMs: number
  readonly #isCalm: boolean
  readonly #faults: F[] = []

  /** @param calm how likely a seed has no faults at all. */
  constructor(seed: number, swarm: Stream, horizonMs: number, calm: number) {
    this.#seed = seed
    this.#swarm = swarm
    this.#horizonMs = horizonMs
    this.#isCalm = swarm.chance(calm)
  }

  /** `on`: how likely the class is; its mean interval is drawn between the two, in milliseconds. */
  add(kind: F['kind'], on: number, minMs: number, maxMs: number, draw: FaultSource<F>): void {
    const meanMs = this.#swarm.scaled(minMs, maxMs)
    if (!this.#swarm.chance(on) || this.#isCalm) return
    const stream = new Stream(this.#seed, `faults:${kind}`)
    for (let at = stream.exponential(meanMs); at < this.#horizonMs; at += stream.exponential(meanMs)) {
      this.#faults.push(draw(stream, at))
    }
  }

  /** All of them, in the order of time. */
  get drawn(): readonly F[] {
    return this.#faults.sort((a, b) => a.at - b.at)
  }
}
