/**
 * One turn after another: take what has come in -> step the core -> start the write, send what may go
 * -> apply what is committed -> answer who waited. A turn never waits, neither for the disk nor for a
 * plugin: one write is in flight, and what gathers meanwhile is the next (group commit).
 *
 * This is the only place where promises, the ports and the two values, Raft and Machine, meet.
 */
import { assert } from '../assert.ts'
import { AbortError, ConcordError } from '../errors.ts'
import type { Writer } from '../bytes.ts'
import { apply } from '../machine/index.ts'
import type { Change, CommandResult, Machine } from '../machine/index.ts'
import { within } from '../patience.ts'
import type { Clock, LogStore, SnapshotStore } from '../ports.ts'
import {
  clusterTimeNow,
  hasReady,
  leaseRead,
  nextDeadline,
  propose,
  status,
  step,
  takeReady,
} from '../raft/index.ts'
import type { Entry, Input, Leadership, NodeId, Persist, Raft, Ready, Time } from '../raft/index.ts'
import type { Telemetry, TelemetryEvent, TelemetryEvents } from '../telemetry.ts'
import type { Consistency, Member } from '../types.ts'
import { Expiry } from './expiry.ts'
import { Proposals, type Waiter } from './proposals.ts'
import { Reads, type ReadPoint } from './reads.ts'
import type { LogStatus, Patience, ReplicatedLog } from './replicated-log.ts'
import { Snapshots, type SnapshotDone } from './snapshots.ts'
import { Stamps } from './stamps.ts'
import { Ticker } from './ticker.ts'
import { whyUnusable } from './unusable.ts'

export interface DriverLimits {
  readonly entryBytes: number
  readonly queueBytes: number
  /** Log since the last snapshot at which the next one is taken. */
  readonly snapshotLogBytes: number
}

export interface DriverPorts {
  readonly clock: Clock
  readonly telemetry: Telemetry
  readonly log: LogStore
  readonly snapshots: SnapshotStore
}

/** What the driver tells of itself; synchronous, and must not throw. */
export interface DriverEvents {
  /** Whether anybody looks at changes: building them costs something. */
  wantsChanges(): boolean
  applied(entry: Entry, revision: number, changes: readonly Change[], replay: boolean): void
  leadership(leadership: Leadership): void
  stall(durationMs: number): void
  snapshot(done: SnapshotDone): void
  /** The node has failed. Said once; `stop` is still to be called. */
  failed(error: Error): void
}

export interface DriverStart {
  readonly raft: Raft
  readonly machine: Machine
  /** Index of the last entry that recovery found: what is applied up to here was seen before. */
  readonly recoveredIndex: number
}

export class Driver implements ReplicatedLog {
  machine: Machine
  readonly #raft: Raft
  readonly #clock: Clock
  /** The time of right now, each part looked up when it is asked for: most reads need none. */
  readonly #now: Time
  readonly #log: LogStore
  readonly #events: DriverEvents
  readonly #appended: TelemetryEvent<TelemetryEvents['log.append']>
  readonly #appliedOne: TelemetryEvent<TelemetryEvents['operation.apply']>
  readonly #recoveredIndex: number
  readonly #proposals: Proposals
  readonly #reads = new Reads()
  readonly #expiry: Expiry
  readonly #stamps: Stamps
  readonly #snapshots: Snapshots
  readonly #ticker: Ticker
  readonly #inputs: Input[] = []
  #planned = false
  #compacting: Promise<void> = Promise.resolve()
  #leadership: Leadership = { term: 0, role: 'follower', leader: null, established: false }
  /** Set once the node takes no more commands; called when nobody waits any more. */
  #drained: (() => void) | undefined
  #stopped: Error | undefined

  constructor(start: DriverStart, ports: DriverPorts, limits: DriverLimits, events: DriverEvents) {
    this.machine = start.machine
    this.#raft = start.raft
    this.#recoveredIndex = start.recoveredIndex
    this.#clock = ports.clock
    this.#now = timeOf(ports.clock)
    this.#log = ports.log
    this.#events = events
    this.#proposals = new Proposals(limits)
    this.#appended = ports.telemetry.event('log.append')
    this.#appliedOne = ports.telemetry.event('operation.apply')
    this.#expiry = new Expiry(this, ports.telemetry.event('ttl.cleanup'))
    this.#stamps = new Stamps(this, ports.clock)
    this.#snapshots = new Snapshots(ports, limits.snapshotLogBytes, {
      machine: () => this.machine,
      raft: this.#raft,
      taken: (done) => this.#snapshotTaken(done),
      failed: (error) => this.#fail(error),
    })
    this.#ticker = new Ticker(ports.clock, {
      deadlineMs: () => nextDeadline(this.#raft),
      isAwaited: () => !this.#isIdle,
      tick: () => this.#tick(),
      stall: (durationMs) => events.stall(durationMs),
    })
  }

  start(): void {
    void this.#log.failed.then((error) => this.#fail(error))
    this.#ticker.start()
    this.#input({ type: 'tick' })
  }

  // ---------------------------------------------------------------------------------- the seam

  get isStopped(): boolean {
    return this.#stopped !== undefined
  }

  nowMs(): number {
    return this.#clock.monotonicMs()
  }

  propose<R>(
    encode: (writer: Writer) => void,
    patience: Patience,
    map?: (result: CommandResult) => R,
  ): Promise<R> {
    return this.#propose(encode, patience, map, false)
  }

  /** As `propose`, for what may use the reserve: expiries go on when nobody else may write. */
  proposeReserved<R>(
    encode: (writer: Writer) => void,
    patience: Patience,
    map?: (result: CommandResult) => R,
  ): Promise<R> {
    return this.#propose(encode, patience, map, true)
  }

  #propose<R>(
    encode: (writer: Writer) => void,
    patience: Patience,
    map: ((result: CommandResult) => R) | undefined,
    mayUseReserve: boolean,
  ): Promise<R> {
    if (this.#stopped !== undefined || this.#drained !== undefined) {
      return Promise.reject(this.#refusedAsStopped())
    }
    if (!mayUseReserve && (this.#proposals.isFull || this.#snapshots.isFarBehind)) {
      return refused('OVERLOADED', 'too many writes wait for the log; slow down and try again')
    }
    const { writer } = this.#proposals
    if (writer.busy) {
      return refused('INVALID_VALUE', 'a getter of a value that is being written must not write itself')
    }
    const start = writer.length
    try {
      encode(writer)
    } catch (error) {
      writer.truncate(start)
      return Promise.reject(error)
    }
    // Asked when the command itself is counted: it may be larger than all that is free.
    if (!mayUseReserve && !this.#log.hasRoom(this.#proposals.queuedBytes)) {
      writer.truncate(start)
      return refused('STORAGE_FULL', 'no space is left for the log; writes resume when there is')
    }
    return this.#wait(start, patience, map)
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
    this.#plan()
    return patience.signal === undefined ? result : this.#abortable(result, waiter, patience.signal)
  }

  canReadNow(consistency: Consistency): boolean {
    if (this.#stopped !== undefined || consistency === 'strong') return false
    if (consistency === 'eventual') return true
    const index = leaseRead(this.#raft, this.#now)
    return index !== undefined && index <= this.machine.appliedIndex
  }

  async readPoint(consistency: Consistency, minRevision: number, patience: Patience): Promise<ReadPoint> {
    const { signal } = patience
    if (this.#stopped !== undefined) throw this.#refusedAsStopped()
    if (signal?.aborted === true) throw new AbortError(signal.reason, 'not-applied')
    const point = await this.#point(consistency, patience)
    if (minRevision <= this.machine.revision) return point
    const reached = this.#reads.until(point, minRevision, patience)
    this.#ticker.look()
    return reached
  }

  async expireDue(
    keys: readonly { readonly space: number; readonly key: string }[],
    patience: Patience,
  ): Promise<void> {
    await this.#reads.during(this.#expiry.gone(keys), patience)
  }

  /** Term in which a command decided now is to be applied, or undefined when this node does not lead. */
  get leaderTerm(): number | undefined {
    return this.#leadership.established && this.#leadership.role === 'leader'
      ? this.#leadership.term
      : undefined
  }

  clusterTimeNow(): number {
    return clusterTimeNow(this.#raft, this.#now)
  }

  snapshot(): Promise<{ readonly index: number; readonly revision: number }> {
    if (this.#stopped !== undefined) return Promise.reject(this.#refusedAsStopped())
    return this.#snapshots.take()
  }

  within<R>(work: PromiseLike<R>, patience: Patience): Promise<R> {
    return within(this.#clock, patience, work)
  }

  pause(): Promise<void> {
    return new Promise((resolve) => this.#clock.soon(resolve))
  }

  status(): LogStatus {
    const { role, term, leader, commitIndex, appliedIndex, lastIndex, snapshotIndex, membership } = status(
      this.#raft,
    )
    const members = [...membership.voters, ...membership.learners].map((id) =>
      memberOf(id, membership.members[id], membership.voters.includes(id), leader),
    )
    return {
      role: this.#stopped === undefined ? role : 'stopped',
      term,
      leader,
      ready: this.isReady,
      commitIndex,
      appliedIndex,
      lastIndex,
      snapshotIndex,
      stalls: this.#ticker.stalls,
      members,
    }
  }

  /** A leader is known, and what it had committed when it was elected is applied here. */
  get isReady(): boolean {
    return (
      this.#stopped === undefined &&
      this.#leadership.established &&
      this.machine.appliedIndex >= this.#recoveredIndex
    )
  }

  // ---------------------------------------------------------------------------------- the turn

  #input(input: Input): void {
    this.#inputs.push(input)
    this.#plan()
  }

  #plan(): void {
    if (this.#planned || this.#stopped !== undefined) return
    this.#planned = true
    this.#clock.soon(() => {
      this.#planned = false
      this.#turn()
    })
  }

  #turn(): void {
    if (this.#stopped !== undefined) return
    try {
      const time = this.#time()
      for (const input of this.#inputs.splice(0)) step(this.#raft, time, input)
      this.#proposeNew(time)
      if (hasReady(this.#raft)) this.#carryOut(takeReady(this.#raft))
      if (hasReady(this.#raft)) this.#plan()
      this.#snapshots.consider()
      this.#ticker.look()
      if (this.#drained !== undefined && this.#isIdle) this.#drained()
    } catch (error) {
      this.#fail(error as Error)
    }
  }

  #proposeNew(time: Time): void {
    if (!this.#proposals.hasUnplaced || !this.#leadership.established) return
    const ids = propose(this.#raft, time, this.#proposals.unplaced())
    if (ids !== undefined) this.#proposals.place(ids)
  }

  #carryOut(ready: Ready): void {
    assert(ready.send.length === 0 && ready.installed === undefined, 'a cluster of one has no peers')
    if (ready.persist !== undefined) this.#persist(ready.persist)
    if (ready.leadership !== undefined) this.#lead(ready.leadership)
    for (const { id, index, clusterTime } of ready.reads) this.#reads.confirm(id, { index, clusterTime })
    for (const { id } of ready.refusedReads) this.#reads.hold(id)
    for (const entry of ready.committed) this.#apply(entry)
    this.#reads.advance(this.machine.appliedIndex, this.machine.revision)
    if (ready.compact !== undefined) this.#compact(ready.compact)
  }

  #persist({ sequence, batch }: Persist): void {
    const startedMs = this.#appended.isWanted ? this.nowMs() : 0
    void this.#log.append(batch).then(
      () => {
        if (this.#appended.isWanted) this.#tellAppended(batch.entries, startedMs)
        this.#inputs.push({ type: 'persisted', sequence })
        this.#turn()
      },
      (error: Error) => this.#fail(error),
    )
  }

  #tellAppended(entries: readonly Entry[], startedMs: number): void {
    const bytes = entries.reduce((sum, { data }) => sum + data.length, 0)
    this.#appended.emit({ entries: entries.length, bytes, durationMs: this.nowMs() - startedMs })
  }

  /** Beside the writes: dropping whole files does not touch the one that is written to. */
  #compact(index: number): void {
    this.#compacting = this.#compacting
      .then(() => this.#log.compact(index))
      .catch((error: Error) => this.#fail(error))
  }

  #apply(entry: Entry): void {
    const wanted = this.#events.wantsChanges()
    const isTold = this.#appliedOne.isWanted
    const startedMs = isTold ? this.nowMs() : 0
    const { results, changes } = this.#applied(entry, wanted)
    const replay = entry.index <= this.#recoveredIndex
    if (isTold) {
      const { index, data } = entry
      const durationMs = this.nowMs() - startedMs
      this.#appliedOne.emit({ index, durationMs, commands: results.length, bytes: data.length, replay })
    }
    this.#snapshots.count(entry.data.length)
    this.#proposals.settle(entry.index, entry.term, results)
    if (wanted && changes.length > 0) {
      this.#events.applied(entry, this.machine.revision, changes, replay)
    }
  }

  /** What throws here is the end of this node: the entry cannot be skipped. */
  #applied(entry: Entry, wanted: boolean): ReturnType<typeof apply> {
    try {
      return apply(this.machine, entry, wanted)
    } catch (error) {
      throw whyUnusable(error, `entry ${entry.index}`)
    }
  }

  #lead(leadership: Leadership): void {
    const changed =
      leadership.leader !== this.#leadership.leader || leadership.established !== this.#leadership.established
    this.#leadership = leadership
    if (changed) this.#events.leadership(leadership)
    if (!leadership.established) return
    for (const id of this.#reads.takeHeld()) this.#input({ type: 'read', id })
    this.#plan()
  }

  #tick(): void {
    if (this.#stopped !== undefined) return
    const now = this.nowMs()
    this.#proposals.expire(now, this.#leadership.leader !== null)
    this.#reads.expire(now)
    this.#expiry.consider()
    this.#stamps.consider()
    this.#inputs.push({ type: 'tick' })
    this.#turn()
  }

  // ---------------------------------------------------------------------------------- the end

  /**
   * Answers everybody, and leaves the ports to whoever opened them. A write that is under way may wait for
   * space that never comes: to close the log is what ends it.
   */
  async stop(error?: Error): Promise<void> {
    if (this.#stopped === undefined)
      this.#halt(error ?? new ConcordError('STOPPED', 'the node has been closed'))
    await this.#snapshots.stop()
    await this.#compacting
  }

  /** Takes no new commands; resolves when nobody waits any more, or at the deadline. */
  async drain(timeoutMs: number): Promise<void> {
    if (this.#stopped !== undefined || this.#drained !== undefined) return
    this.#stamps.consider()
    const drained = new Promise<void>((resolve) => {
      this.#drained = resolve
    })
    const timer = this.#clock.after(timeoutMs, () => this.#drained?.(), { keepAlive: true })
    this.#plan()
    await drained
    this.#clock.cancel(timer)
  }

  #fail(error: Error): void {
    if (this.#stopped !== undefined) return
    step(this.#raft, this.#time(), { type: 'storageFailed' })
    this.#halt(error)
    this.#events.failed(error)
  }

  #halt(cause: Error): void {
    this.#stopped = cause
    this.#ticker.stop()
    this.#proposals.failAll(
      () => this.#refusedAsStopped(),
      (guarded) =>
        new ConcordError('STOPPED', 'the node stopped while the write was under way; it may have happened', {
          outcome: 'unknown',
          retryable: guarded,
          cause,
        }),
    )
    this.#reads.failAll(() => this.#refusedAsStopped())
    this.#drained?.()
  }

  #refusedAsStopped(): ConcordError {
    return new ConcordError('STOPPED', 'this node has stopped', { cause: this.#stopped })
  }

  // ---------------------------------------------------------------------------------- small things

  /** Nobody waits for this node. */
  get #isIdle(): boolean {
    return this.#proposals.isIdle && this.#reads.isIdle
  }

  #time(): Time {
    return { monotonicMs: this.#clock.monotonicMs(), wallMs: this.#clock.wallMs() }
  }

  #point(consistency: Consistency, patience: Patience): ReadPoint | Promise<ReadPoint> {
    if (this.canReadNow(consistency)) {
      return { index: this.machine.appliedIndex, clusterTime: this.clusterTimeNow() }
    }
    const { id, point } = this.#reads.start(patience)
    this.#input({ type: 'read', id })
    return point
  }

  #snapshotTaken(done: SnapshotDone): void {
    this.#input({ type: 'snapshotTaken', meta: done.meta })
    this.#events.snapshot(done)
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

function timeOf(clock: Clock): Time {
  return {
    get monotonicMs() {
      return clock.monotonicMs()
    },
    get wallMs() {
      return clock.wallMs()
    },
  }
}

function refused(code: 'OVERLOADED' | 'STORAGE_FULL' | 'INVALID_VALUE', message: string): Promise<never> {
  return Promise.reject(new ConcordError(code, message))
}

function memberOf(
  id: NodeId,
  info: { readonly name: string; readonly address: string } | undefined,
  isVoter: boolean,
  leader: NodeId | null,
): Member {
  return {
    id,
    name: info?.name ?? id,
    address: info?.address ?? '',
    role: isVoter ? 'voter' : 'learner',
    leader: id === leader,
  }
}
