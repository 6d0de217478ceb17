/**
 * When a connection that says nothing is given up. A machine that is lost, or a process that is paused, ends no
 * connection: it only says no more, and TCP goes on trying for a quarter of an hour. A deadline alone proves nothing,
 * it may have been a millisecond. So the node is asked something small that every node answers at once, but
 * for one that reads no more from this client for now: that says by itself, every second, that it is there. The connection is
 * lost when not a byte of anything has come until the patience is over.
 */
import type { Clock, Timer } from '../ports.ts'

/** More than the nodes themselves give each other: whoever is silent for as long leads nobody any more. */
export const SILENCE_MS = 3000
/**
 * Looks that must find the same. The process that looks may have stood still itself, and its timers run before
 * it reads what has come meanwhile: only the next look knows.
 */
const LOOKS = 2
/** Of what this side has still to send: the question stands behind it. */
const LEAST_BYTES_PER_MS = 1024

export interface SilenceOwner {
  readonly clock: Clock
  /** Sends the question. */
  ask(): void
  unsentBytes(): number
  /** Nobody answers. */
  lost(error: Error): void
}

export class Silence {
  readonly #owner: SilenceOwner
  #heardAtMs = -Infinity
  #timer: Timer | undefined
  #isAsked = false

  constructor(owner: SilenceOwner) {
    this.#owner = owner
  }

  /** Something has come: whatever it is, somebody is there. */
  heard(): void {
    this.#heardAtMs = this.#owner.clock.monotonicMs()
    if (this.#isAsked) this.end()
  }

  /** A call that was sent then has ended without an answer. */
  suspect(sentAtMs: number): void {
    if (this.#isAsked || this.#heardAtMs > sentAtMs) return
    this.#isAsked = true
    const patienceMs = SILENCE_MS + this.#owner.unsentBytes() / LEAST_BYTES_PER_MS
    this.#owner.ask()
    this.#look(patienceMs / LOOKS, LOOKS)
  }

  end(): void {
    this.#isAsked = false
    this.#owner.clock.cancel(this.#timer)
  }

  #look(delayMs: number, looks: number): void {
    const { clock } = this.#owner
    this.#timer = clock.after(delayMs, () => {
      if (looks > 1) return this.#look(delayMs, looks - 1)
      this.#isAsked = false
      const text = `nothing has come from the node for ${Math.round(LOOKS * delayMs)} ms, though it was asked`
      this.#owner.lost(new Error(text))
    })
  }
}
