/**
 * The seam between the store and consensus: propose, read barrier, status. The store asks for nothing
 * else, so a log that another system keeps could stand behind it. Raft is the one that ships.
 */
import type { Writer } from '../bytes.ts'
import type { CommandResult, Guard, Machine } from '../machine/index.ts'
import type { Consistency, Member, MemberStatus, Status } from '../types.ts'
import type { Operated, Operation } from './operator.ts'
import type { ReadPoint } from './reads.ts'

/** How long a caller waits, and what makes it stop waiting. */
export interface Patience {
  /** Monotonic milliseconds, of `nowMs`. */
  readonly deadlineMs: number
  readonly signal?: AbortSignal | undefined
  /** Given: a retry is safe, even when the outcome is unknown. */
  readonly requestId?: string | undefined
}

/** A call, and what it was let in by: whoever carries it out looks whether that still holds. */
export interface Asked extends Patience {
  readonly guard?: Guard | undefined
}

export interface ReplicatedLog {
  /** This node's applied state: to be read only, and within one tick. */
  readonly machine: Machine
  /** Every call is refused from now on. */
  readonly isStopped: boolean
  nowMs(): number
  /**
   * Encodes one command at the end of the entry that is being gathered, and resolves with its result,
   * mapped, once it is applied here. What `encode` throws rejects it, and leaves no trace.
   *
   * @throws `STOPPED`, `OVERLOADED`, `STORAGE_FULL` - nothing was applied. Later: see `Store`.
   */
  propose<R>(
    encode: (writer: Writer) => void,
    patience: Patience,
    map?: (result: CommandResult) => R,
  ): Promise<R>
  /** Whether this machine may be read right now, within this tick, at this level; if not, ask `readPoint`. */
  canReadNow(consistency: Consistency): boolean
  /** In ms, as far as this node knows: what is due by now is not to be seen by a read of right now. */
  clusterTimeNow(): number
  /** Waits until this machine may be read, at this level and revision. */
  readPoint(consistency: Consistency, minRevision: number, patience: Patience): Promise<ReadPoint>
  /** Expires, with their own changes, keys that are due at the cluster time of a read. */
  expireDue(
    keys: readonly { readonly space: number; readonly key: string }[],
    patience: Patience,
  ): Promise<void>
  /** Waits for what a caller's function or a plugin does no longer than the caller does. */
  within<R>(work: PromiseLike<R>, patience: Patience): Promise<R>
  /** Lets others run: timers, sockets, the disk. For whoever reads a great many keys. */
  pause(): Promise<void>
  status(): LogStatus
  /**
   * Does something to the cluster, where its leader is. See `carryOut`.
   *
   * @throws `RIGHTS_CHANGED` - the leader's state is not that by which it was let in.
   */
  operate(operation: Operation, asked: Asked): Promise<Operated>
  /** What all members say of themselves; whoever does not answer soon is said not to. */
  memberStates(patience: Patience): Promise<MemberStatus[]>
  /**
   * Resolves when every member has said that it has this slice, at this version or above: only then may it become
   * part of the state, without which nobody could go on.
   *
   * @throws `SLICE_MISSING`, `NOT_READY` - one has not, or could not be asked.
   */
  askForSlice(name: string, version: number, patience: Patience): Promise<void>
  /** Takes a snapshot of the machine, and drops the log behind it. */
  snapshot(): Promise<{ readonly index: number; readonly revision: number }>
}

export interface LogStatus extends Pick<
  Status,
  | 'role'
  | 'term'
  | 'leader'
  | 'ready'
  | 'commitIndex'
  | 'appliedIndex'
  | 'lastIndex'
  | 'snapshotIndex'
  | 'stalls'
> {
  readonly members: readonly Member[]
}
