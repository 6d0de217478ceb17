/**
 * What is committed is applied here, in the order of the log, and nowhere else: the machine moves on, whoever
 * waits for the entry has his result, and the window sees the changes.
 */
import { assert } from '../assert.ts'
import { apply } from '../machine/index.ts'
import type { Machine } from '../machine/index.ts'
import type { Entry, SnapshotMeta } from '../raft/index.ts'
import type { TelemetryEvent, TelemetryEvents } from '../telemetry.ts'
import type { Divergence } from './divergence.ts'
import type { DriverEvents, DriverPorts, DriverStart } from './driver-ports.ts'
import type { Installs } from './installs.ts'
import type { Proposals } from './proposals.ts'
import type { Snapshots } from './snapshots.ts'
import { whyUnusable } from './unusable.ts'

/** Who has to know that the machine has moved on. */
export interface ApplyingParts {
  readonly proposals: Proposals
  readonly snapshots: Snapshots
  readonly installs: Installs
  readonly divergence: Divergence
}

export class Applying {
  machine: Machine
  readonly #recoveredIndex: number
  readonly #ports: DriverPorts
  readonly #parts: ApplyingParts
  readonly #events: DriverEvents
  readonly #appliedOne: TelemetryEvent<TelemetryEvents['operation.apply']>

  constructor(start: DriverStart, ports: DriverPorts, parts: ApplyingParts, events: DriverEvents) {
    this.machine = start.machine
    this.#recoveredIndex = start.recoveredIndex
    this.#ports = ports
    this.#parts = parts
    this.#events = events
    this.#appliedOne = ports.telemetry.event('operation.apply')
  }

  /** What this node had when it started is applied. */
  get hasCaughtUp(): boolean {
    return this.machine.appliedIndex >= this.#recoveredIndex
  }

  /** @throws the end of this node: an entry that cannot be applied cannot be skipped. */
  apply(entry: Entry): void {
    const wanted = this.#events.wantsChanges()
    const isTold = this.#appliedOne.isWanted
    const startedMs = isTold ? this.#nowMs() : 0
    const { results, changes, table } = this.#applied(entry, wanted)
    const replay = entry.index <= this.#recoveredIndex
    this.#parts.divergence.applied(entry.index, table, replay)
    if (isTold) {
      const { index, data } = entry
      const durationMs = this.#nowMs() - startedMs
      this.#appliedOne.emit({ index, durationMs, commands: results.length, bytes: data.length, replay })
    }
    this.#parts.snapshots.count(entry.data.length)
    this.#parts.proposals.settle(entry.index, entry.term, results)
    if (wanted && changes.length > 0) {
      this.#events.applied(entry, this.machine.revision, changes, replay)
    }
  }

  #applied(entry: Entry, wanted: boolean): ReturnType<typeof apply> {
    try {
      return apply(this.machine, entry, wanted)
    } catch (error) {
      throw whyUnusable(error, `entry ${entry.index}`)
    }
  }

  /** What was committed up to the snapshot is in it; nothing here has seen it happen. */
  install(meta: SnapshotMeta): void {
    const installed = this.#parts.installs.take(meta)
    assert(installed !== undefined, `the snapshot at ${meta.index} was loaded before it counted as received`)
    this.machine = installed.machine
    this.#parts.snapshots.installed()
    this.#parts.proposals.passOver(meta.index)
    this.#events.installed(installed)
  }

  #nowMs(): number {
    return this.#ports.clock.monotonicMs()
  }
}
