/**
 * What the chapters of a node may ask of the whole, which is the driver, and what they tell it. Each is here once, and
 * each chapter says by its own type which of it it uses. All are functions: what they give is as it is at the call.
 */
import type { ConcordError } from '../errors.ts'
import type { Guard, Machine } from '../machine/index.ts'
import type { Input, Membership, NodeId, Raft, Time } from '../raft/index.ts'
import type { SettingValues } from './checked.ts'
import type { Comparison } from './divergence.ts'
import type { LogStatus, Patience, ReplicatedLog } from './replicated-log.ts'
import type { SnapshotDone } from './snapshots.ts'

export interface Whole {
  // ------------------------------------------------------------------------- the two values, and the time

  raft(): Raft
  machine(): Machine
  status(): LogStatus
  time(): Time
  nowMs(): number
  wallMs(): number
  clusterTimeNow(): number
  /** Monotonic milliseconds at which the core wants to be woken. */
  deadlineMs(): number
  /** What a read under the leader's lease has to see (6.4.1); undefined without a lease. */
  leaseIndex(): number | undefined

  // ---------------------------------------------------------------------------- who belongs, and who leads

  self(): NodeId
  membership(): Membership
  /** This node does, and has found its term established. */
  leads(): boolean
  /** As far as this node knows; it may be this node. */
  leader(): NodeId | null
  /** The leader, if it is somebody else. */
  otherLeader(): NodeId | null

  // --------------------------------------------------------------------------------- what stands in the way

  /** Why nothing is done any more; undefined while all is well. */
  refusal(): ConcordError | undefined
  /** Why no command is taken any more: earlier than the rest, while the node drains. */
  refusalOfCommands(): ConcordError | undefined
  /** There is no room for the log. */
  isFull(): boolean
  /** So much log since the last snapshot that new writes have to wait for the next one. */
  isFarBehind(): boolean
  /** By all that is committed; undefined: not all of that is applied here yet. */
  holds(guard: Guard): boolean | undefined

  // -------------------------------------------------------------------------------------- what is asked for

  /** Something has changed: a turn may have more to do. */
  plan(): void
  /** Whether a call waits for this node: an answer, or a deadline. */
  isAwaited(): boolean
  /** Somebody waits: the ticker has a deadline to look at. */
  look(): void
  /** Waits until somebody leads. */
  ledBy(patience: Patience): Promise<unknown>
  within<R>(work: PromiseLike<R>, patience: Patience): Promise<R>
  /** Puts a command of the node's own into the log. */
  log(encode: Parameters<ReplicatedLog['propose']>[0]): Promise<unknown>

  // ------------------------------------------------------------------------------------------ what is told

  tick(): void
  /** The event loop stood still. */
  stall(durationMs: number): void
  /** What the core has asked for, but for writes of the log. */
  input(input: Input): void
  persisted(sequence: number): void
  /** It was not done: the volume is full. */
  persistRefused(sequence: number): void
  /** The node ends by it. */
  failed(error: Error): void
  snapshotTaken(done: SnapshotDone): void
  /** Snapshots of this state are in doubt, or are so no more. */
  doubt(isInDoubt: boolean): void
  /** Not all have the same state, and this node goes on. */
  differing(comparison: Comparison): void
  /** What stands in the way of these values, in words; said when it changes. */
  disagreed(values: SettingValues, why: string): void
}
