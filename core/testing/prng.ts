/**
 * Chance for the simulator: one seed, and from it an independent stream per purpose and node.
 *
 * Streams are independent so that a fault that is dropped while a failure is shrunk does not shift the
 * draws of anything else. The generator is sfc32 (128 bits of state), seeded through splitmix32.
 */

export class Stream {
  private a: number
  private b: number
  private c: number
  private counter = 1

  /** `seed` is an integer up to 2^53; `purpose` names the stream, e.g. `disk:2`. */
  constructor(seed: number, purpose: string) {
    let state = seed >>> 0
    state = splitmix(state ^ Math.imul(Math.floor(seed / 2 ** 32), 0x9e3779b1))
    for (let i = 0; i < purpose.length; i++) state = splitmix(state ^ purpose.charCodeAt(i))
    this.a = splitmix(state)
    this.b = splitmix(this.a ^ seed)
    this.c = splitmix(this.b ^ state)
    for (let i = 0; i < 12; i++) this.uint32()
  }

  uint32(): number {
    const sum = (this.a + this.b + this.counter) | 0
    this.counter = (this.counter + 1) | 0
    this.a = this.b ^ (this.b >>> 9)
    this.b = (this.c + (this.c << 3)) | 0
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) | 0
    return sum >>> 0
  }

  /** A float in [0, 1). */
  float(): number {
    return this.uint32() / 2 ** 32
  }

  /** An integer in [0, bound). */
  below(bound: number): number {
    return Math.floor(this.float() * bound)
  }

  between(low: number, high: number): number {
    return low + this.float() * (high - low)
  }

  /** Between `low` and `high`, each order of magnitude as likely as the next. */
  scaled(low: number, high: number): number {
    return low * Math.exp(this.float() * Math.log(high / low))
  }

  chance(probability: number): boolean {
    return this.float() < probability
  }

  exponential(mean: number): number {
    return -mean * Math.log(1 - this.float())
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!
  }
}

function splitmix(value: number): number {
  let z = (value + 0x9e3779b9) | 0
  z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
  return (z ^ (z >>> 16)) >>> 0
}
