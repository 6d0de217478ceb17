/**
 * What the core wants durable goes to the log store, and comes back as the input `persisted`. One write is in
 * flight at a time, which the core sees to; compaction goes on beside it. Whatever fails here fails the node: an
 * fsync that failed cannot be asked again (H33). Only what a full volume has refused goes back to the core (H37).
 */
import { ConcordError } from '../errors.ts'
import type { Entry, Persist } from '../raft/index.ts'
import type { TelemetryEvent, TelemetryEvents } from '../telemetry.ts'
import type { DriverPorts } from './driver-ports.ts'
import type { Whole } from './whole.ts'

type WritingOwner = Pick<Whole, 'persisted' | 'persistRefused' | 'failed'>

export class Writing {
  readonly #ports: DriverPorts
  readonly #owner: WritingOwner
  readonly #appended: TelemetryEvent<TelemetryEvents['log.append']>
  #settle: (() => Promise<void>) | undefined
  #compacting: Promise<void> = Promise.resolve()

  constructor(ports: DriverPorts, owner: WritingOwner) {
    this.#ports = ports
    this.#owner = owner
    this.#settle = ports.settle
    this.#appended = ports.telemetry.event('log.append')
  }

  start(): void {
    void this.#ports.log.failed.then((error) => this.#owner.failed(error))
  }

  persist({ sequence, reset, batch }: Persist): void {
    const { log } = this.#ports
    const startedMs = this.#appended.isWanted ? this.#nowMs() : 0
    const written =
      reset === undefined
        ? log.append(batch)
        : log.reset(reset.meta, reset.hardState).then(() => log.append(batch))
    void written.then(
      () => {
        if (this.#appended.isWanted) this.#tell(batch.entries, startedMs)
        this.#owner.persisted(sequence)
      },
      (error: Error) => {
        if (ConcordError.is(error) && error.code === 'STORAGE_FULL') this.#owner.persistRefused(sequence)
        else this.#owner.failed(error)
      },
    )
  }

  #tell(entries: readonly Entry[], startedMs: number): void {
    const bytes = entries.reduce((sum, { data }) => sum + data.length, 0)
    this.#appended.emit({ entries: entries.length, bytes, durationMs: this.#nowMs() - startedMs })
  }

  /** Beside the writes: dropping whole files does not touch the one that is written to. */
  compact(index: number): void {
    this.#compacting = this.#compacting
      .then(() => this.#ports.log.compact(index))
      .catch((error: Error) => this.#owner.failed(error))
  }

  /** Once a leader has given back what a loss of power may have taken, later starts need not ask for it. */
  settleTail(isInDoubt: boolean): void {
    if (this.#settle === undefined || isInDoubt) return
    this.#settle().catch((error: Error) => this.#owner.failed(error))
    this.#settle = undefined
  }

  /** A write that is under way may wait for space that never comes: to close the log is what ends it. */
  async stop(): Promise<void> {
    await this.#compacting
  }

  #nowMs(): number {
    return this.#ports.clock.monotonicMs()
  }
}
