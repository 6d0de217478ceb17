/** What a driver is made of, what it asks of the world, and what it tells of itself. */
import type { Change, Machine, Slice } from '../machine/index.ts'
import type { Clock, LogStore, SnapshotStore } from '../ports.ts'
import type { Entry, Leadership, Membership, Raft } from '../raft/index.ts'
import type { Telemetry } from '../telemetry.ts'
import type { SettingValues } from './checked.ts'
import type { Comparison } from './divergence.ts'
import type { Installed } from './installs.ts'
import type { Network } from './network.ts'
import type { SnapshotDone } from './snapshots.ts'

export interface DriverStart {
  readonly raft: Raft
  readonly machine: Machine
  /** All the code of slices that this node has. */
  readonly slices: readonly Slice[]
  /** Index of the last entry that recovery found: what is applied up to here was seen before. */
  readonly recoveredIndex: number
  /** Replicated settings that this node's config wishes for. */
  readonly wanted?: SettingValues | undefined
  /** Where clients reach the plugins of this node, by their names; more may come while it runs. */
  readonly urls?: ReadonlyMap<string, string> | undefined
}

export interface DriverLimits {
  readonly entryBytes: number
  readonly queueBytes: number
  /** Log since the last snapshot at which the next one is taken. */
  readonly snapshotLogBytes: number
  /** How many voters the cluster is to have. */
  readonly voters: number
}

export interface DriverPorts {
  readonly clock: Clock
  readonly telemetry: Telemetry
  readonly log: LogStore
  readonly snapshots: SnapshotStore
  readonly network: Network
  /** Writes down that the tail of the log is in doubt no more; absent when it was not. */
  readonly settle?: (() => Promise<void>) | undefined
}

/** What the driver tells of itself; synchronous, and must not throw. */
export interface DriverEvents {
  /** Whether anybody looks at changes: building them costs something. */
  wantsChanges(): boolean
  applied(entry: Entry, revision: number, changes: readonly Change[], replay: boolean): void
  leadership(leadership: Leadership): void
  stall(durationMs: number): void
  snapshot(done: SnapshotDone): void
  /** The volume has no room for the log any more, or has some again. */
  space(isFull: boolean): void
  /** The state was replaced by a leader's snapshot: changes up to it were not seen one by one. */
  installed(installed: Installed): void
  /** Who belongs to the cluster has changed; also said once at the start. */
  membership(membership: Membership): void
  /** Not all voters had the same state at an index; this node is not known to be wrong, and goes on. */
  differing(comparison: Comparison): void
  /** What this node's config wishes for does not hold, and why not. */
  disagreed(values: SettingValues, why: string): void
  /** The node has failed. Said once; `stop` is still to be called. */
  failed(error: Error): void
}
