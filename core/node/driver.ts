/**
 * One turn after another: take what has come in -> step the core -> start the write, send what may go
 * -> apply what is committed -> answer who waited. A turn never waits, neither for the disk nor for a
 * plugin: one write is in flight, and what gathers meanwhile is the next (group commit).
 *
 * The two values, Raft and Machine, are held and stepped here. What each part of a turn does is in a chapter of its own:
 * ticker, intake, forwarding, writing, room, applying, expiry, reading, snapshots, installs, cluster changes, consultation.
 * What they may ask of the driver, and tell it, is the list in whole.ts.
 */
import { assert } from '../assert.ts'
import { ConcordError } from '../errors.ts'
import type { Writer } from '../bytes.ts'
import { type CommandResult, type Guard, type Machine, guardHolds } from '../machine/index.ts'
import { holding, within } from '../patience.ts'
import type { Clock } from '../ports.ts'
import {
  clusterTimeNow,
  contactMs,
  hasReady,
  leaseRead,
  membershipNow,
  nextDeadline,
  propose,
  setRoom,
  status,
  step,
  takeReady,
} from '../raft/index.ts'
import type { EntryId, Input, Leadership, Membership, Message, NodeId } from '../raft/index.ts'
import type { Raft, Ready, Time } from '../raft/index.ts'
import type { Consistency, MemberStatus } from '../types.ts'
import { Applying } from './applying.ts'
import type { Operated, Operation } from './operator.ts'
import { Consultation } from './consultation.ts'
import type { DriverEvents, DriverLimits, DriverPorts, DriverStart } from './driver-ports.ts'
import { type DueKey, Expiry } from './expiry.ts'
import { Forwarding } from './forwarding.ts'
import { Installs } from './installs.ts'
import { Intake } from './intake.ts'
import { type Knowledge, knowledgeOf, logStatus } from './log-status.ts'
import type { Network } from './network.ts'
import { ClusterChanges } from './cluster-changes.ts'
import { Proposals } from './proposals.ts'
import { Reading } from './reading.ts'
import type { ReadPoint } from './reads.ts'
import type { Asked, LogStatus, Patience, ReplicatedLog } from './replicated-log.ts'
import { Room } from './room.ts'
import { serve, type Served } from './serving.ts'
import { Snapshots, type SnapshotDone } from './snapshots.ts'
import { Ticker } from './ticker.ts'
import { noLeader, notInTime } from './waiters.ts'
import type { Whole } from './whole.ts'
import { Writing } from './writing.ts'

/** How long a command of the node's own may wait for its entry. */
const LOG_MS = 5000

export class Driver implements ReplicatedLog, Served {
  readonly changes: ClusterChanges
  readonly consultation: Consultation
  #raft: Raft
  readonly #clock: Clock
  /** The time of right now, each part looked up when it is asked for: most reads need none. */
  readonly #now: Time
  readonly #network: Network
  readonly #events: DriverEvents
  readonly #proposals: Proposals
  readonly #intake: Intake
  readonly #forwarding: Forwarding
  readonly #writing: Writing
  readonly #applying: Applying
  readonly #reading: Reading
  readonly #installs: Installs
  readonly #expiry: Expiry
  readonly #snapshots: Snapshots
  readonly #room: Room
  readonly #ticker: Ticker
  readonly #inputs: Input[] = []
  #planned = false
  #membership: Membership | undefined
  #leadership: Leadership = { term: 0, role: 'follower', leader: null, established: false }
  /** Set once the node takes no more commands; called when nobody waits any more. */
  #drained: (() => void) | undefined
  #stopped: Error | undefined

  constructor(start: DriverStart, ports: DriverPorts, limits: DriverLimits, events: DriverEvents) {
    this.#raft = start.raft
    this.#clock = ports.clock
    this.#now = timeOf(ports.clock)
    this.#network = ports.network
    this.#events = events
    const whole = this.#whole()
    this.#proposals = new Proposals(limits)
    this.#room = new Room(ports.log, (isFull) => events.space(isFull))
    this.#snapshots = new Snapshots(ports, limits.snapshotLogBytes, whole)
    this.#intake = new Intake(this.#proposals, ports.log, limits.queueBytes, whole)
    this.#forwarding = new Forwarding(whole, this.#proposals, ports.network)
    this.#writing = new Writing(ports, whole)
    this.#installs = new Installs(ports, start.slices, whole)
    this.changes = new ClusterChanges(whole, ports.network, limits.voters)
    this.consultation = new Consultation(whole, ports.network, start)
    const { divergence } = this.consultation
    const parts = {
      proposals: this.#proposals,
      snapshots: this.#snapshots,
      installs: this.#installs,
      divergence,
    }
    this.#applying = new Applying(start, ports, parts, events)
    this.#expiry = new Expiry(this, ports.telemetry.event('ttl.cleanup'))
    this.#ticker = new Ticker(ports.clock, whole)
    this.#reading = new Reading(whole, ports, this.#expiry)
  }

  start(): void {
    this.#writing.start()
    this.#ticker.start()
    this.#input({ type: 'tick' })
  }

  /** What the chapters get of this: see whole.ts. */
  #whole(): Whole {
    const { id } = status(this.#raft)
    return {
      raft: () => this.#raft,
      machine: () => this.machine,
      status: () => this.status(),
      time: () => this.#time(),
      nowMs: () => this.nowMs(),
      wallMs: () => this.#clock.wallMs(),
      clusterTimeNow: () => this.clusterTimeNow(),
      leaseIndex: () => leaseRead(this.#raft, this.#now),
      deadlineMs: () => nextDeadline(this.#raft),

      self: () => id,
      membership: () => this.knowledge.membership,
      leads: () => this.leads,
      leader: () => this.#leadership.leader,
      otherLeader: () => this.#otherLeader,

      refusal: () => this.#refusal(),
      refusalOfCommands: () => (this.#takesCommands ? undefined : this.#refusedAsStopped()),
      isFull: () => this.#room.isFull,
      isFarBehind: () => this.#snapshots.isFarBehind,
      isAwaited: () => !this.#isIdle,
      holds: (guard) => this.#holds(guard),

      input: (input) => this.#input(input),
      plan: () => this.#plan(),
      look: () => this.#ticker.look(),
      tick: () => this.#guarded(() => this.#tick()),
      ledBy: (patience) => this.readPoint('strong', 0, patience),
      within: (work, patience) => this.within(work, patience),
      log: (encode) => this.proposeReserved(encode, { deadlineMs: this.nowMs() + LOG_MS }),

      persisted: (sequence) => this.#settled({ type: 'persisted', sequence }),
      persistRefused: (sequence) => this.#settled({ type: 'persistRefused', sequence }),
      snapshotTaken: (done) => this.#snapshotTaken(done),
      doubt: (isInDoubt) => (this.#snapshots.inDoubt = isInDoubt),
      differing: (comparison) => this.#events.differing(comparison),
      disagreed: (values, why) => this.#events.disagreed(values, why),
      stall: (durationMs) => this.#events.stall(durationMs),
      failed: (error) => this.#fail(error),
    }
  }

  // ---------------------------------------------------------------------------------- the seam

  get machine(): Machine {
    return this.#applying.machine
  }

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
    return this.#intake.propose(encode, patience, map, false)
  }

  /** As `propose`, for what may use the reserve: expiries go on when nobody else may write. */
  proposeReserved<R>(
    encode: (writer: Writer) => void,
    patience: Patience,
    map?: (result: CommandResult) => R,
  ): Promise<R> {
    return this.#intake.propose(encode, patience, map, true)
  }

  canReadNow(consistency: Consistency): boolean {
    return this.#reading.canReadNow(consistency)
  }

  readPoint(consistency: Consistency, minRevision: number, patience: Patience): Promise<ReadPoint> {
    return this.#reading.point(consistency, minRevision, patience)
  }

  expireDue(keys: readonly DueKey[], patience: Patience): Promise<void> {
    return this.#reading.expireDue(keys, patience)
  }

  expireHere(keys: readonly DueKey[], patience: Patience): Promise<void> {
    return this.#reading.expireHere(keys, patience)
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

  /** How long ago the state here was known to be a leader's, whom a quorum follows and which may be itself; in ms. */
  contactMs(): number {
    return this.#stopped === undefined ? contactMs(this.#raft, this.#now) : Infinity
  }

  snapshot(): Promise<{ readonly index: number; readonly revision: number }> {
    const refusal = this.#refusal()
    return refusal === undefined ? this.#snapshots.take() : Promise.reject(refusal)
  }

  within<R>(work: PromiseLike<R>, patience: Patience): Promise<R> {
    return within(this.#clock, patience, work)
  }

  pause(): Promise<void> {
    return new Promise((resolve) => this.#clock.soon(resolve))
  }

  status(): LogStatus {
    return logStatus(status(this.#raft), {
      isStopped: this.isStopped,
      ready: this.isReady,
      stalls: this.#ticker.stalls,
    })
  }

  memberStates(patience: Patience): Promise<MemberStatus[]> {
    return holding(this.#clock, patience, this.consultation.memberStates(patience))
  }

  askForSlice(name: string, version: number, patience: Patience): Promise<void> {
    return holding(this.#clock, patience, this.consultation.askForSlice(name, version, patience))
  }

  operate(operation: Operation, asked: Asked): Promise<Operated> {
    return this.changes.operate(operation, asked)
  }

  /** There is no room for the log: new commands are refused until there is. */
  get isFull(): boolean {
    return this.#room.isFull
  }

  /** A loss of power may have taken acknowledged writes, and no leader has given them back yet: no vote until then. */
  get isTailInDoubt(): boolean {
    return status(this.#raft).tailInDoubt
  }

  /** A leader is known, and what this node had when it started is applied here. */
  get isReady(): boolean {
    const { leader, role, established } = this.#leadership
    const hasLeader = role === 'leader' ? established : leader !== null
    return this.#stopped === undefined && hasLeader && this.#applying.hasCaughtUp
  }

  /** Whether the guard holds by all that is committed; undefined: not all of that is applied here yet. */
  #holds(guard: Guard): boolean | undefined {
    return this.appliedIndex < status(this.#raft).commitIndex ? undefined : guardHolds(this.machine, guard)
  }

  // --------------------------------------------------------------------------------- the peers

  /** A message of Raft has come in. */
  receive(from: NodeId, message: Message): void {
    this.#input({ type: 'message', from, message })
  }

  /** The connection to this peer was reset, and a new one refused. */
  peerLost(peer: NodeId): void {
    this.#input({ type: 'peerLost', peer })
  }

  /** The peer has come back with less than it had acknowledged. */
  peerRegressed(peer: NodeId): void {
    this.#input({ type: 'peerRegressed', peer })
  }

  /** What this node answers to a peer's question; never rejects. */
  answer(question: Uint8Array): Promise<Uint8Array> {
    return serve(this, question)
  }

  get leads(): boolean {
    return this.#stopped === undefined && this.leaderTerm !== undefined
  }

  get appliedIndex(): number {
    return this.machine.appliedIndex
  }

  append(datas: readonly Uint8Array[]): EntryId {
    return this.#intake.append(datas)
  }

  /**
   * The node belongs to a cluster from now on: its consensus begins. Until then it follows nobody and waits.
   * Only while nothing has happened yet.
   */
  begin(raft: Raft): void {
    assert(membershipNow(this.#raft).membership.voters.length === 0, 'a node begins once')
    this.#raft = raft
    this.#input({ type: 'tick' })
  }

  operateHere(operation: Operation, asked: Asked): Promise<Operated> {
    return this.changes.operateHere(operation, asked)
  }

  /** A member says that this node was removed, for good. */
  wasRemoved(): void {
    this.#fail(wasRemoved('says a member of it'))
  }

  get knowledge(): Knowledge {
    return knowledgeOf(this.#raft)
  }

  /** Who leads, if it is somebody else. */
  get #otherLeader(): NodeId | null {
    const { role, leader } = this.#leadership
    return role === 'leader' ? null : leader
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
    this.#guarded(() => {
      const time = this.#time()
      setRoom(this.#raft, this.#room.measure())
      for (const input of this.#inputs.splice(0)) step(this.#raft, time, input)
      this.#proposeNew(time)
      if (hasReady(this.#raft)) this.#carryOut(takeReady(this.#raft))
      if (hasReady(this.#raft)) this.#plan()
      this.#lookAtMembers()
      this.#room.look()
      this.#snapshots.consider()
      this.#ticker.look()
      if (this.#drained !== undefined && this.#isIdle) this.#drained()
    })
  }

  /** What throws in here is the end of this node, and of nothing else in its process. */
  #guarded(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#fail(error as Error)
    }
  }

  #proposeNew(time: Time): void {
    if (!this.#proposals.hasUnplaced) return
    const { role, established } = this.#leadership
    if (role !== 'leader') return this.#forwarding.forward()
    if (!established || this.#forwarding.isUnderWay) return
    const taken = this.#proposals.take()
    if (taken === undefined) return
    const ids = propose(this.#raft, time, taken.datas)
    if (ids === undefined) this.#proposals.putBack(taken)
    else this.#proposals.place(taken, ids)
  }

  #carryOut(ready: Ready): void {
    if (ready.persist !== undefined) this.#writing.persist(ready.persist)
    for (const { to, message } of ready.send) this.#network.send(to, message)
    if (ready.leadership !== undefined) this.#lead(ready.leadership)
    this.#reading.carryOut(ready)
    this.#installs.write(ready.snapshotWrites)
    this.#installs.read(ready.snapshotReads)
    if (ready.installed !== undefined) this.#applying.install(ready.installed)
    for (const entry of ready.committed) this.#applying.apply(entry)
    this.#reading.advance()
    if (ready.compact !== undefined) this.#writing.compact(ready.compact)
    if (ready.transfersEnded.length > 0) this.changes.handedOver(ready.transfersEnded)
    if (ready.removed !== undefined) this.#fail(wasRemoved(`at index ${ready.removed.index} of the log`))
  }

  /** The write that was under way has ended. */
  #settled(input: Input): void {
    this.#inputs.push(input)
    this.#turn()
  }

  #snapshotTaken(done: SnapshotDone): void {
    this.#input({ type: 'snapshotTaken', meta: done.meta })
    this.#events.snapshot(done)
  }

  #lookAtMembers(): void {
    this.changes.look()
    const { membership } = membershipNow(this.#raft)
    if (membership === this.#membership) return
    this.#membership = membership
    this.#events.membership(membership)
  }

  #lead(leadership: Leadership): void {
    const changed =
      leadership.leader !== this.#leadership.leader || leadership.established !== this.#leadership.established
    this.#leadership = leadership
    if (changed) this.#events.leadership(leadership)
    this.#lookForLeader()
  }

  /** Whoever waits for a leader tries again. */
  #lookForLeader(): void {
    this.#forwarding.retry()
    if (this.#leadership.leader === null) return
    this.#reading.retry()
    if (this.#proposals.hasUnplaced) this.#plan()
  }

  #noLeader(what: string): ConcordError {
    const { role, term, membership } = status(this.#raft)
    return noLeader(what, { role, term, voters: membership.voters })
  }

  #tick(): void {
    if (this.#stopped !== undefined) return
    const hasLeader = this.#leadership.leader !== null
    this.#proposals.expire(this.nowMs(), hasLeader ? notInTime : () => this.#noLeader('is known'))
    this.#reading.expire(() => this.#noLeader('confirmed the read in time'))
    this.#expiry.consider()
    this.changes.considerPolicy()
    if (this.#room.isTight) this.changes.considerRoom()
    this.consultation.consider()
    this.#installs.tidy()
    this.#writing.settleTail(status(this.#raft).tailInDoubt)
    this.#lookForLeader()
    this.#inputs.push({ type: 'tick' })
    this.#turn()
  }

  // ---------------------------------------------------------------------------------- the end

  /** Answers everybody, and leaves the ports to whoever opened them. */
  async stop(error?: Error): Promise<void> {
    if (this.#stopped === undefined)
      this.#halt(error ?? new ConcordError('STOPPED', 'the node has been closed'))
    await this.#installs.stop()
    await this.#snapshots.stop()
    await this.#writing.stop()
  }

  /** Takes no new commands; resolves when nobody waits any more, or at the deadline. */
  async drain(timeoutMs: number): Promise<void> {
    if (this.#stopped !== undefined || this.#drained !== undefined) return
    // What the clocks have done since the last tick is remembered, too.
    this.#inputs.push({ type: 'tick' })
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
    this.#reading.failAll(() => this.#refusedAsStopped())
    this.changes.failAll(() => this.#refusedAsStopped())
    this.#drained?.()
  }

  /** Why nothing is done here any more; undefined while all is well. */
  #refusal(): ConcordError | undefined {
    return this.#stopped === undefined ? undefined : this.#refusedAsStopped()
  }

  #refusedAsStopped(): ConcordError {
    return new ConcordError('STOPPED', 'this node has stopped', { cause: this.#stopped })
  }

  get #takesCommands(): boolean {
    return this.#stopped === undefined && this.#drained === undefined
  }

  /** Nobody waits for this node. */
  get #isIdle(): boolean {
    return this.#proposals.isIdle && this.#reading.isIdle && this.changes.isIdle
  }

  #time(): Time {
    return { monotonicMs: this.#clock.monotonicMs(), wallMs: this.#clock.wallMs() }
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

function wasRemoved(where: string): ConcordError {
  const why = `this node was removed from its cluster, ${where}, and its data has no further use: to take part again, start it on an empty directory`
  return new ConcordError('NODE_REMOVED', why)
}
