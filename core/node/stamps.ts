/**
 * The leader stamps the log when wall and monotonic clock have moved apart: the wall clock was set, or the
 * machine was asleep. Every entry is a stamp; when none is written, an empty one is.
 *
 * When all have restarted, cluster time goes on from the last stamp by the wall clock (see raft/clock.ts).
 * What moved the clocks apart before must not count as time that nobody ran, or a TTL ends early (H63).
 */
import { USERS, encodeNothing } from '../machine/index.ts'
import type { Clock } from '../ports.ts'
import type { Leading } from './expiry.ts'

/** What a restart may count too much, or too little. Clocks that are merely slewed take minutes to get there. */
const APART_MS = 1000

export class Stamps {
  readonly #node: Leading
  readonly #clock: Clock
  #underWay = false

  constructor(node: Leading, clock: Clock) {
    this.#node = node
    this.#clock = clock
  }

  /** Called at every tick, and before a clean stop, which may come before the next tick. */
  consider(): void {
    if (this.#underWay || this.#node.leaderTerm === undefined || this.#apartMs() <= APART_MS) return
    this.#underWay = true
    // One that fails is due at the next tick, if this node then still leads.
    const done = (): void => {
      this.#underWay = false
    }
    this.#node
      .proposeReserved((writer) => encodeNothing(writer, { space: USERS }), { deadlineMs: Infinity })
      .then(done, done)
  }

  #apartMs(): number {
    const { wallTime, clusterTime } = this.#node.machine
    return Math.abs(this.#clock.wallMs() - wallTime - (this.#node.clusterTimeNow() - clusterTime))
  }
}
