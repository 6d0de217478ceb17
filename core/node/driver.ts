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
import { apply, stateHash } from '../machine/index.ts'
import type { Change, CommandResult, Machine, Slice } from '../machine/index.ts'
import { within } from '../patience.ts'
import type { Clock, LogStore, SnapshotStore } from '../ports.ts'
import {
  clusterTimeNow,
  hasReady,
  leaseRead,
  membershipNow,
  nextDeadline,
  propose,
  status,
  step,
  takeReady,
  uncommittedBytes,
} from '../raft/index.ts'
import type {
  Entry,
  EntryId,
  Input,
  Leadership,
  Membership,
  Message,
  NodeId,
  Persist,
  Raft,
  Ready,
  SnapshotMeta,
  Time,
} from '../raft/index.ts'
import type { Telemetry, TelemetryEvent, TelemetryEvents } from '../telemetry.ts'
import type { Consistency, MemberState, MemberStatus } from '../types.ts'
import { VERSION } from '../version.ts'
import { Agreement, type AgreementOwner } from './agreement.ts'
import type { SettingValues } from './checked.ts'
import type { Operated, Operation } from './cluster-operations.ts'
import { type Comparison, Divergence, type DivergenceOwner } from './divergence.ts'
import { askedAgain, type DueKey, Expiry } from './expiry.ts'
import { Forwarding } from './forwarding.ts'
import { Installs } from './installs.ts'
import { type Knowledge, knowledgeOf, logStatus } from './log-status.ts'
import { memberStates } from './member-states.ts'
import type { Network } from './network.ts'
import { objections, refuseSlice } from './objections.ts'
import { decodePoint, encodeCall } from './peer-calls.ts'
import { Intake, overloaded, storageFull } from './intake.ts'
import { Operations, type OperationsOwner } from './operations.ts'
import { Proposals } from './proposals.ts'
import { Reads, type ReadPoint } from './reads.ts'
import { RemoteReads } from './remote-reads.ts'
import type { LogStatus, Patience, ReplicatedLog } from './replicated-log.ts'
import { serve, type Served } from './serving.ts'
import { Snapshots, type SnapshotDone } from './snapshots.ts'
import { Stamps } from './stamps.ts'
import { Ticker } from './ticker.ts'
import { whyUnusable } from './unusable.ts'

/** How long a command of the node's own may wait for its entry. */
const LOG_MS = 5000

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
  /** The state was replaced by a leader's snapshot: changes up to it were not seen one by one. */
  installed(meta: SnapshotMeta): void
  /** Who belongs to the cluster has changed; also said once at the start. */
  membership(membership: Membership): void
  /** Not all voters had the same state at an index; this node is not known to be wrong, and goes on. */
  differing(comparison: Comparison): void
  /** What this node's config wishes for does not hold, and why not. */
  disagreed(values: SettingValues, why: string): void
  /** The node has failed. Said once; `stop` is still to be called. */
  failed(error: Error): void
}

export interface DriverStart {
  readonly raft: Raft
  readonly machine: Machine
  /** All the code of slices that this node has. */
  readonly slices: readonly Slice[]
  /** Index of the last entry that recovery found: what is applied up to here was seen before. */
  readonly recoveredIndex: number
  /** Replicated settings that this node's config wishes for. */
  readonly wanted?: SettingValues | undefined
}

export class Driver implements ReplicatedLog, Served {
  machine: Machine
  readonly operations: Operations
  readonly divergence: Divergence
  readonly agreement: Agreement
  #raft: Raft
  readonly #clock: Clock
  /** The time of right now, each part looked up when it is asked for: most reads need none. */
  readonly #now: Time
  readonly #log: LogStore
  #settle: (() => Promise<void>) | undefined
  readonly #events: DriverEvents
  readonly #appended: TelemetryEvent<TelemetryEvents['log.append']>
  readonly #appliedOne: TelemetryEvent<TelemetryEvents['operation.apply']>
  readonly #recoveredIndex: number
  readonly #queueBytes: number
  readonly #proposals: Proposals
  readonly #intake: Intake
  readonly #reads = new Reads()
  readonly #forwarding: Forwarding
  readonly #remoteReads: RemoteReads
  readonly #network: Network
  readonly #installs: Installs
  #membership: Membership | undefined
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
    this.#settle = ports.settle
    this.#events = events
    this.#network = ports.network
    this.#proposals = new Proposals(limits)
    this.#queueBytes = limits.queueBytes
    this.#intake = new Intake(this.#proposals, ports.log, {
      refusal: () => (this.#takesCommands ? undefined : this.#refusedAsStopped()),
      plan: () => this.#plan(),
    })
    const follower = {
      proposals: this.#proposals,
      reads: this.#reads,
      nowMs: () => this.nowMs(),
      leader: () => this.#otherLeader,
      plan: () => this.#plan(),
      advance: () => this.#reads.advance(this.machine.appliedIndex, this.machine.revision),
    }
    this.#forwarding = new Forwarding(follower, ports.network)
    this.#remoteReads = new RemoteReads(follower, ports.network)
    this.#installs = new Installs(ports, start.slices, {
      input: (input) => this.#input(input),
      failed: (error) => this.#fail(error),
    })
    this.#appended = ports.telemetry.event('log.append')
    this.#appliedOne = ports.telemetry.event('operation.apply')
    this.operations = new Operations(this.#operating(), ports.network, limits.voters)
    const member = this.#asMember()
    this.divergence = new Divergence(member, ports.network)
    this.agreement = new Agreement(member, ports.network, start.wanted ?? {})
    this.#expiry = new Expiry(this, ports.telemetry.event('ttl.cleanup'))
    this.#stamps = new Stamps(this, ports.clock)
    this.#snapshots = new Snapshots(ports, limits.snapshotLogBytes, {
      machine: () => this.machine,
      raft: () => this.#raft,
      taken: (done) => this.#snapshotTaken(done),
      failed: (error) => this.#fail(error),
    })
    this.#ticker = new Ticker(ports.clock, {
      deadlineMs: () => nextDeadline(this.#raft),
      isAwaited: () => !this.#isIdle,
      tick: () => this.#guarded(() => this.#tick()),
      stall: (durationMs) => events.stall(durationMs),
    })
  }

  #operating(): OperationsOwner {
    const leads = (): boolean => this.leads
    return {
      raft: () => this.#raft,
      time: () => this.#time(),
      get leads() {
        return leads()
      },
      leader: () => this.#leadership.leader,
      refusal: () => (this.#stopped === undefined ? undefined : this.#refusedAsStopped()),
      ledBy: (patience) => this.readPoint('strong', 0, patience),
      within: (work, patience) => this.within(work, patience),
      input: (input) => this.#input(input),
      plan: () => this.#plan(),
    }
  }

  #asMember(): DivergenceOwner & AgreementOwner {
    const driver = (): Driver => this
    return {
      self: status(this.#raft).id,
      get machine() {
        return driver().machine
      },
      get settings() {
        return driver().machine.settings
      },
      get membership() {
        return driver().knowledge.membership
      },
      get leads() {
        return driver().leads
      },
      get leader() {
        return driver().#otherLeader
      },
      nowMs: () => this.nowMs(),
      log: (encode) => this.proposeReserved(encode, { deadlineMs: this.nowMs() + LOG_MS }),
      doubt: (isInDoubt) => (this.#snapshots.inDoubt = isInDoubt),
      differing: (comparison) => this.#events.differing(comparison),
      disagreed: (values, why) => this.#events.disagreed(values, why),
    }
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
    if (this.#stopped === undefined && this.#snapshots.isFarBehind) return Promise.reject(overloaded())
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

  async expireDue(keys: readonly DueKey[], patience: Patience): Promise<void> {
    await this.#reads.during(
      askedAgain(this.#clock, patience, () => this.#expireOnce(keys, patience)),
      patience,
    )
  }

  async #expireOnce(keys: readonly DueKey[], patience: Patience): Promise<void> {
    const leader = this.#otherLeader
    if (leader === null) return this.expireHere(keys, patience)
    const answer = await this.#network.call(leader, encodeCall({ kind: 'expire', keys }), patience)
    await this.#reads.until(decodePoint(answer), 0, patience)
  }

  expireHere(keys: readonly DueKey[], patience: Patience): Promise<void> {
    return this.#reads.during(this.#expiry.gone(keys), patience)
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
    return logStatus(status(this.#raft), {
      isStopped: this.isStopped,
      ready: this.isReady,
      stalls: this.#ticker.stalls,
    })
  }

  /** What this node says of itself when another member asks. */
  get state(): MemberState {
    const { role, term, ready, commitIndex, appliedIndex, lastIndex, snapshotIndex } = this.status()
    const { machine } = this
    const { revision } = machine
    const hash = { hash: stateHash(machine), index: machine.appliedIndex }
    const log = { commitIndex, appliedIndex, lastIndex, snapshotIndex }
    return { role, term, ready, ...log, revision, version: VERSION, stateHash: hash }
  }

  memberStates(patience: Patience): Promise<MemberStatus[]> {
    const { self, nowMs } = this.#asMember()
    return memberStates({ self, state: this.state, nowMs }, this.status().members, this.#network, patience)
  }

  async askForSlice(name: string, version: number, patience: Patience): Promise<void> {
    const call = { kind: 'slice', name, version } as const
    refuseSlice(name, version, await objections(this.#asMember(), this.#network, call, patience))
  }

  /** A leader is known, and what this node had when it started is applied here. */
  get isReady(): boolean {
    const { leader, role, established } = this.#leadership
    const hasLeader = role === 'leader' ? established : leader !== null
    return this.#stopped === undefined && hasLeader && this.machine.appliedIndex >= this.#recoveredIndex
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
    return this.#stopped === undefined && this.#leadership.role === 'leader' && this.#leadership.established
  }

  get appliedIndex(): number {
    return this.machine.appliedIndex
  }

  append(datas: readonly Uint8Array[]): EntryId {
    if (!this.#takesCommands) throw this.#refusedAsStopped()
    const bytes = datas.reduce((sum, data) => sum + data.length, 0)
    if (this.#snapshots.isFarBehind || uncommittedBytes(this.#raft) + bytes > this.#queueBytes) {
      throw overloaded()
    }
    if (!this.#log.hasRoom(this.#proposals.queuedBytes + bytes)) throw storageFull()
    const ids = propose(this.#raft, this.#time(), datas)
    this.#plan()
    if (ids !== undefined) return ids[0]!
    const { role, transferTo } = status(this.#raft)
    if (role === 'leader' && transferTo === null) throw overloaded()
    throw new ConcordError('NOT_LEADER', 'this node hands its leadership over')
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

  operate(operation: Operation, patience: Patience): Promise<Operated> {
    return this.operations.operate(operation, patience)
  }

  operateHere(operation: Operation, patience: Patience): Promise<Operated> {
    return this.operations.operateHere(operation, patience)
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
      for (const input of this.#inputs.splice(0)) step(this.#raft, time, input)
      this.#proposeNew(time)
      if (hasReady(this.#raft)) this.#carryOut(takeReady(this.#raft))
      if (hasReady(this.#raft)) this.#plan()
      this.#lookAtMembers()
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
    if (!established) return
    const taken = this.#proposals.take()
    if (taken === undefined) return
    const ids = propose(this.#raft, time, taken.datas)
    if (ids === undefined) this.#proposals.putBack(taken)
    else this.#proposals.place(taken, ids)
  }

  #carryOut(ready: Ready): void {
    if (ready.persist !== undefined) this.#persist(ready.persist)
    for (const { to, message } of ready.send) this.#network.send(to, message)
    if (ready.leadership !== undefined) this.#lead(ready.leadership)
    this.#read(ready)
    this.#installs.write(ready.snapshotWrites)
    this.#installs.read(ready.snapshotReads)
    if (ready.installed !== undefined) this.#install(ready.installed)
    for (const entry of ready.committed) this.#apply(entry)
    this.#reads.advance(this.machine.appliedIndex, this.machine.revision)
    if (ready.compact !== undefined) this.#compact(ready.compact)
    if (ready.transfersEnded.length > 0) {
      this.operations.handedOver(ready.transfersEnded)
    }
    if (ready.removed !== undefined) this.#fail(wasRemoved(`at index ${ready.removed.index} of the log`))
  }

  #lookAtMembers(): void {
    this.operations.look()
    const { membership } = membershipNow(this.#raft)
    if (membership === this.#membership) return
    this.#membership = membership
    this.#events.membership(membership)
  }

  #read({ reads, refusedReads }: Ready): void {
    for (const { id, index, clusterTime } of reads) this.#reads.confirm(id, { index, clusterTime })
    if (refusedReads.length === 0) return
    const leader = this.#otherLeader
    for (const { id } of refusedReads) {
      if (leader === null) this.#reads.hold(id)
      else this.#remoteReads.add(id)
    }
    if (leader !== null) this.#remoteReads.ask(leader)
  }

  /** What was committed up to the snapshot is in it; nothing here has seen it happen. */
  #install(meta: SnapshotMeta): void {
    const machine = this.#installs.take(meta)
    assert(machine !== undefined, `the snapshot at ${meta.index} was loaded before it counted as received`)
    this.machine = machine
    this.#snapshots.installed()
    this.#proposals.passOver(meta.index)
    this.#events.installed(meta)
  }

  #persist({ sequence, reset, batch }: Persist): void {
    const startedMs = this.#appended.isWanted ? this.nowMs() : 0
    const written =
      reset === undefined
        ? this.#log.append(batch)
        : this.#log.reset(reset.meta, reset.hardState).then(() => this.#log.append(batch))
    void written.then(
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
    const { results, changes, table } = this.#applied(entry, wanted)
    const replay = entry.index <= this.#recoveredIndex
    this.divergence.applied(entry.index, table, replay)
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
    this.#lookForLeader()
  }

  /** Whoever waits for a leader tries again. */
  #lookForLeader(): void {
    this.#forwarding.retry()
    if (this.#leadership.leader === null) return
    for (const id of this.#reads.takeHeld()) this.#input({ type: 'read', id })
    if (this.#proposals.hasUnplaced) this.#plan()
  }

  #tick(): void {
    if (this.#stopped !== undefined) return
    const now = this.nowMs()
    this.#proposals.expire(now, this.#leadership.leader !== null)
    this.#reads.expire(now)
    this.#expiry.consider()
    this.#stamps.consider()
    this.operations.considerPolicy()
    this.divergence.consider()
    this.agreement.consider()
    this.#installs.tidy()
    this.#settleTail()
    this.#lookForLeader()
    this.#inputs.push({ type: 'tick' })
    this.#turn()
  }

  /** Once a leader has given back what a loss of power may have taken, later starts need not ask for it. */
  #settleTail(): void {
    if (this.#settle === undefined || status(this.#raft).tailInDoubt) return
    this.#settle().catch((error: Error) => this.#fail(error))
    this.#settle = undefined
  }

  // ---------------------------------------------------------------------------------- the end

  /**
   * Answers everybody, and leaves the ports to whoever opened them. A write that is under way may wait for
   * space that never comes: to close the log is what ends it.
   */
  async stop(error?: Error): Promise<void> {
    if (this.#stopped === undefined)
      this.#halt(error ?? new ConcordError('STOPPED', 'the node has been closed'))
    await this.#installs.stop()
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
    this.operations.failAll(() => this.#refusedAsStopped())
    this.#drained?.()
  }

  #refusedAsStopped(): ConcordError {
    return new ConcordError('STOPPED', 'this node has stopped', { cause: this.#stopped })
  }

  // ---------------------------------------------------------------------------------- small things

  get #takesCommands(): boolean {
    return this.#stopped === undefined && this.#drained === undefined
  }

  /** Nobody waits for this node. */
  get #isIdle(): boolean {
    return this.#proposals.isIdle && this.#reads.isIdle && this.operations.isIdle
  }

  #time(): Time {
    return { monotonicMs: this.#clock.monotonicMs(), wallMs: this.#clock.wallMs() }
  }

  #point(consistency: Consistency, patience: Patience): ReadPoint | Promise<ReadPoint> {
    if (this.canReadNow(consistency)) {
      return { index: this.machine.appliedIndex, clusterTime: this.clusterTimeNow() }
    }
    assert(consistency !== 'eventual', 'an eventual read waits for nobody')
    const { id, point } = this.#reads.start(consistency, patience)
    this.#input({ type: 'read', id })
    return point
  }

  #snapshotTaken(done: SnapshotDone): void {
    this.#input({ type: 'snapshotTaken', meta: done.meta })
    this.#events.snapshot(done)
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
