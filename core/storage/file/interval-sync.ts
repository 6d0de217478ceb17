/**
 * `fsync: 'interval'`: what was written is on stable storage a while later, by an fsync in the background. When
 * nothing has been written for a while after that, the log is told that it rests. Once this is settled nothing runs
 * any more, and the file may be closed.
 */
import type { Clock, Timer } from '../../ports.ts'
import { type OpenSegment, syncSegment } from './open-segment.ts'

/** So long that a steady trickle of writes never rests: the first write after a rest waits for the disk. */
const REST_MS = 1000

export interface SyncOwner {
  /** Of an fsync; the caller of the write has long been answered. */
  failed(error: unknown): void
  /** All is on stable storage, and nothing has been written for `REST_MS`. */
  rests(): void
}

export class IntervalSync {
  readonly #clock: Clock
  readonly #intervalMs: number
  readonly #owner: SyncOwner
  #rest: Timer | undefined
  #timer: Timer | undefined
  /** The one that is under way. */
  #syncing: Promise<void> | undefined

  constructor(clock: Clock, intervalMs: number, owner: SyncOwner) {
    this.#clock = clock
    this.#intervalMs = intervalMs
    this.#owner = owner
  }

  /** At most an interval from now. */
  plan(segment: OpenSegment): void {
    this.#stir()
    this.#timer ??= this.#clock.after(this.#intervalMs, () => {
      this.#timer = undefined
      this.#syncing = Promise.resolve(this.#syncing)
        .then(() => this.#sync(segment))
        .catch((error: unknown) => this.#owner.failed(error))
    })
  }

  async #sync(segment: OpenSegment): Promise<void> {
    if (segment.durable < segment.end) await syncSegment(segment)
    if (this.#timer !== undefined || segment.durable < segment.end) return
    this.#rest ??= this.#clock.after(REST_MS, () => {
      this.#rest = undefined
      this.#owner.rests()
    })
  }

  #stir(): void {
    if (this.#rest !== undefined) this.#clock.cancel(this.#rest)
    this.#rest = undefined
  }

  /** Whoever goes on syncs for himself what was only planned. */
  async settle(): Promise<void> {
    if (this.#timer !== undefined) this.#clock.cancel(this.#timer)
    this.#timer = undefined
    await this.#syncing
    this.#stir()
  }
}
