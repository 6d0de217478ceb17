/**
 * The leader lets keys go as they fall due: `expire` commands of a bounded number of keys, one under way
 * at a time, fenced by the term in which they were decided (H23). The work is that of what expires.
 */
import { collectDue, encodeExpire, nextDue } from '../machine/index.ts'
import type { ExpireDone, Machine } from '../machine/index.ts'
import type { Writer } from '../bytes.ts'
import { ConcordError } from '../errors.ts'
import type { TelemetryEvent, TelemetryEvents } from '../telemetry.ts'
import type { Patience } from './replicated-log.ts'

/** Nobody waits for an expiry that the leader proposes by itself; it need not be given up soon. */
const OWN_PATIENCE_MS = 60_000

type DueKey = { readonly space: number; readonly key: string }

/** What this needs of the driver. */
export interface Leading {
  readonly machine: Machine
  /** The term in which this node leads, or undefined. */
  readonly leaderTerm: number | undefined
  nowMs(): number
  clusterTimeNow(): number
  /** As `propose`, but may use the space that is kept for expiries. */
  proposeReserved<R>(encode: (writer: Writer) => void, patience: Patience): Promise<R>
}

export class Expiry {
  readonly #node: Leading
  readonly #cleanup: TelemetryEvent<TelemetryEvents['ttl.cleanup']>
  #underWay = false

  constructor(node: Leading, cleanup: TelemetryEvent<TelemetryEvents['ttl.cleanup']>) {
    this.#node = node
    this.#cleanup = cleanup
  }

  /** Proposes what is due, if this node leads. Called at every tick, and again while there is more. */
  consider(): void {
    const { machine, leaderTerm } = this.#node
    if (this.#underWay || leaderTerm === undefined) return
    const now = this.#node.clusterTimeNow()
    if (nextDue(machine) > now) return
    this.#underWay = true
    const patience = { deadlineMs: this.#node.nowMs() + OWN_PATIENCE_MS }
    this.#propose(leaderTerm, collectDue(machine, now, machine.settings.batch), patience).then(
      () => {
        this.#underWay = false
        this.consider()
      },
      // The node stopped, or leads no more: whoever leads next finds the same keys due.
      () => {
        this.#underWay = false
      },
    )
  }

  /** Expires keys that a read has found due at its own moment; they are gone when it resolves. */
  async now(keys: readonly DueKey[], patience: Patience): Promise<void> {
    const { leaderTerm } = this.#node
    if (leaderTerm === undefined) throw new ConcordError('NO_LEADER', 'this node no longer leads')
    const { batch } = this.#node.machine.settings
    for (let at = 0; at < keys.length; at += batch) {
      await this.#propose(leaderTerm, keys.slice(at, at + batch), patience)
    }
  }

  async #propose(term: number, keys: readonly DueKey[], patience: Patience): Promise<void> {
    const startedMs = this.#node.nowMs()
    const encode = (writer: Writer): void => encodeExpire(writer, term, keys)
    const { expired } = await this.#node.proposeReserved<ExpireDone>(encode, patience)
    if (!this.#cleanup.isWanted) return
    this.#cleanup.emit({ durationMs: this.#node.nowMs() - startedMs, deletedCount: expired })
  }
}
