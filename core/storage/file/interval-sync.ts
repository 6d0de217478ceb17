/**
 * `fsync: 'interval'`: what was written is on stable storage a while later, by an fsync in the background. Once
 * it is settled nothing runs any more, and the file may be closed.
 */
import type { Clock, Timer } from '../../ports.ts'
import { type OpenSegment, syncSegment } from './open-segment.ts'

export class IntervalSync {
  readonly #clock: Clock
  readonly #intervalMs: number
  readonly #failed: (error: unknown) => void
  #timer: Timer | undefined
  /** The one that is under way. */
  #syncing: Promise<void> | undefined

  /** @param failed is told of an fsync that failed; the caller of the write has long been answered. */
  constructor(clock: Clock, intervalMs: number, failed: (error: unknown) => void) {
    this.#clock = clock
    this.#intervalMs = intervalMs
    this.#failed = failed
  }

  /** At most an interval from now. */
  plan(segment: OpenSegment): void {
    this.#timer ??= this.#clock.after(this.#intervalMs, () => {
      this.#timer = undefined
      this.#syncing = Promise.resolve(this.#syncing)
        .then(() => syncSegment(segment))
        .catch(this.#failed)
    })
  }

  /** Whoever goes on syncs for himself what was only planned. */
  async settle(): Promise<void> {
    if (this.#timer !== undefined) this.#clock.cancel(this.#timer)
    this.#timer = undefined
    await this.#syncing
  }
}
