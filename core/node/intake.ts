/**
 * The way of a command into the log: encoded once, straight into the entry that is being gathered, and a
 * promise for whoever waits. What others forward arrives here, encoded. What cannot be taken is refused before it
 * leaves a trace.
 */
import type { Writer } from '../bytes.ts'
import { AbortError, ConcordError } from '../errors.ts'
import { type CommandResult, encodeInto } from '../machine/index.ts'
import type { LogStore } from '../ports.ts'
import { propose, quorumRoomBytes, status, uncommittedBytes } from '../raft/index.ts'
import type { EntryId } from '../raft/index.ts'
import type { Proposals } from './proposals.ts'
import type { Patience } from './replicated-log.ts'
import type { Waiter } from './waiters.ts'
import type { Whole } from './whole.ts'

type IntakeOwner = Pick<Whole, 'refusalOfCommands' | 'raft' | 'time' | 'isFarBehind' | 'plan'>

export class Intake {
  readonly #proposals: Proposals
  readonly #log: Pick<LogStore, 'hasRoom'>
  readonly #queueBytes: number
  readonly #owner: IntakeOwner

  constructor(proposals: Proposals, log: Pick<LogStore, 'hasRoom'>, queueBytes: number, owner: IntakeOwner) {
    this.#proposals = proposals
    this.#log = log
    this.#queueBytes = queueBytes
    this.#owner = owner
  }

  propose<R>(
    encode: (writer: Writer) => void,
    patience: Patience,
    map: ((result: CommandResult) => R) | undefined,
    mayUseReserve: boolean,
  ): Promise<R> {
    const refusal = this.#owner.refusalOfCommands()
    if (refusal !== undefined) return Promise.reject(refusal)
    if (!mayUseReserve && (this.#proposals.isFull || this.#owner.isFarBehind())) {
      return Promise.reject(overloaded())
    }
    const { writer } = this.#proposals
    let start: number
    try {
      start = encodeInto(writer, encode)
    } catch (error) {
      return Promise.reject(error)
    }
    // Asked when the command itself is counted: it may be larger than all that is free.
    if (!mayUseReserve && !this.#hasRoom(this.#proposals.queuedBytes)) {
      writer.truncate(start)
      // The turn sees what can be done about it.
      this.#owner.plan()
      return Promise.reject(storageFull())
    }
    return this.#wait(start, patience, map)
  }

  /**
   * Appends entries that a follower has gathered, if this node leads.
   *
   * @throws what stands in the way; then none of them is appended.
   */
  append(datas: readonly Uint8Array[]): EntryId {
    const refusal = this.#owner.refusalOfCommands()
    if (refusal !== undefined) throw refusal
    const raft = this.#owner.raft()
    const bytes = datas.reduce((sum, data) => sum + data.length, 0)
    if (this.#owner.isFarBehind() || uncommittedBytes(raft) + bytes > this.#queueBytes) throw overloaded()
    if (!this.#hasRoom(this.#proposals.queuedBytes + bytes)) {
      this.#owner.plan()
      throw storageFull()
    }
    const ids = propose(raft, this.#owner.time(), datas)
    this.#owner.plan()
    if (ids !== undefined) return ids[0]!
    const { role, transferTo } = status(raft)
    if (role === 'leader' && transferTo === null) throw overloaded()
    throw new ConcordError('NOT_LEADER', 'this node hands its leadership over')
  }

  /** Here, where it is applied; and on the disks of a quorum, where it could not be committed without. */
  #hasRoom(bytes: number): boolean {
    return this.#log.hasRoom(bytes) && bytes <= quorumRoomBytes(this.#owner.raft())
  }

  #wait<R>(start: number, patience: Patience, map?: (result: CommandResult) => R): Promise<R> {
    let waiter!: Waiter
    const result = new Promise<R>((resolve, reject) => {
      waiter = {
        resolve: resolve as (result: unknown) => void,
        reject,
        deadlineMs: patience.deadlineMs,
        guarded: patience.requestId !== undefined,
        map,
        bytes: 0,
        placed: false,
        settled: false,
      }
      this.#proposals.add(start, waiter)
    })
    this.#owner.plan()
    return patience.signal === undefined ? result : this.#abortable(result, waiter, patience.signal)
  }

  /** The listener goes with the call: a signal may outlive a million of them. */
  #abortable<R>(result: Promise<R>, waiter: Waiter, signal: AbortSignal): Promise<R> {
    const abort = (): void => {
      if (waiter.settled) return
      const outcome = this.#proposals.withdraw(waiter) ? 'not-applied' : 'unknown'
      waiter.reject(new AbortError(signal.reason, outcome))
    }
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort)
    return result.finally(() => signal.removeEventListener('abort', abort))
  }
}

const overloaded = (): ConcordError =>
  new ConcordError('OVERLOADED', 'too many writes wait for the log; slow down and try again')

const storageFull = (): ConcordError =>
  new ConcordError('STORAGE_FULL', 'no space is left for the log; writes resume when there is')
