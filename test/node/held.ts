/** A driver over a log whose writes a test holds back, fails or lets go, under a clock that it turns. */
import { Door } from '../../core/store/door.ts'
import { createHooks } from '../../core/hooks.ts'
import { Kv } from '../../core/store/kv.ts'
import { createBudget, createMachine } from '../../core/machine/index.ts'
import { ConcordError } from '../../core/errors.ts'
import { Driver } from '../../core/node/driver.ts'
import type { DriverLimits } from '../../core/node/driver-ports.ts'
import { nobody } from '../../core/node/network.ts'
import type {
  Clock,
  LogBatch,
  LogRoom,
  LogStore,
  RecoveredLog,
  SnapshotStore,
  SnapshotWriter,
} from '../../core/ports.ts'
import { createTelemetry } from '../../core/telemetry.ts'
import { createRaft } from '../../core/raft/index.ts'
import type { NodeId, RaftConfig, SnapshotMeta } from '../../core/raft/index.ts'

/** Time stands still until the test turns it; `soon` runs at once when asked to `settle`. */
export class TestClock implements Clock {
  nowMs = 1000
  /** A test may set the wall clock, or let the machine sleep: monotonic time then stands still. */
  wallOffsetMs = 1_700_000_000_000
  #queue: (() => void)[] = []
  #timers: { dueMs: number; run: () => void; keepAlive: boolean }[] = []

  monotonicMs(): number {
    return this.nowMs
  }

  wallMs(): number {
    return this.wallOffsetMs + this.nowMs
  }

  /** Whether a timer would keep a process alive. */
  get keepsAlive(): boolean {
    return this.#timers.some(({ keepAlive }) => keepAlive)
  }

  after(delayMs: number, run: () => void, { keepAlive = false } = {}): object {
    const timer = { dueMs: this.nowMs + delayMs, run, keepAlive }
    this.#timers.push(timer)
    return timer
  }

  cancel(timer: unknown): void {
    this.#timers = this.#timers.filter((each) => each !== timer)
  }

  soon(run: () => void): void {
    this.#queue.push(run)
  }

  /** Runs all that is queued, and what promises make of it, until nothing is left. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 3;) {
      const next = this.#queue.shift()
      next?.()
      quiet = next === undefined ? quiet + 1 : 0
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** Lets time pass in steps, and timers fire in order. */
  async advance(ms: number): Promise<void> {
    await this.settle()
    const end = this.nowMs + ms
    for (;;) {
      const next = this.#timers.filter(({ dueMs }) => dueMs <= end).sort((a, b) => a.dueMs - b.dueMs)[0]
      if (next === undefined) break
      this.cancel(next)
      this.nowMs = Math.max(this.nowMs, next.dueMs)
      next.run()
      await this.settle()
    }
    this.nowMs = end
    await this.settle()
  }
}

/** Appends wait while `held`, and all that were waiting go when it is let go. */
export class HeldLog implements LogStore {
  held = false
  /** What `hasRoom` still promises. */
  roomBytes = Infinity
  /** What it says that it takes of entries that are promised elsewhere; and above which it refuses a batch. */
  entryBytes = Infinity
  volumeBytes = Infinity
  failure: Error | undefined
  /** Breaks the store while no call is under way. */
  breakDown!: (error: Error) => void
  readonly failed = new Promise<Error>((resolve) => (this.breakDown = resolve))
  readonly batches: LogBatch[] = []
  #waiting: (() => void)[] = []

  async recover(): Promise<RecoveredLog> {
    return this.read()
  }

  /** What a restart finds; a cluster of one never truncates. */
  read(): RecoveredLog {
    const hardStates = this.batches.flatMap(({ hardState }) => (hardState === undefined ? [] : [hardState]))
    return {
      hardState: hardStates.at(-1) ?? { term: 0, votedFor: null },
      entries: this.batches.flatMap(({ entries }) => entries),
      cleanStop: false,
    }
  }

  async append(batch: LogBatch): Promise<void> {
    if (this.held) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    if (this.failure !== undefined) throw this.failure
    if (batch.entries.reduce((sum, { data }) => sum + data.length, 0) > this.volumeBytes) {
      // As a disk does that was filled by somebody else: from now on it knows.
      this.entryBytes = this.volumeBytes
      throw new ConcordError('STORAGE_FULL', 'no space')
    }
    this.batches.push(batch)
  }

  hasSpace(bytes: number): void {
    this.volumeBytes = bytes
    if (bytes === Infinity) this.entryBytes = bytes
  }

  letGo(): void {
    this.held = false
    for (const go of this.#waiting.splice(0)) go()
  }

  hasRoom(bytes: number): boolean {
    return bytes <= this.roomBytes
  }

  room(): LogRoom {
    return { commandBytes: this.roomBytes, entryBytes: this.entryBytes }
  }

  async compact(): Promise<void> {}
  async reset(): Promise<void> {}
  async close(): Promise<void> {}
}

/** Takes snapshots, one step of which waits while `held`, or fails; keeps the newest that is whole. */
export class HeldSnapshots implements SnapshotStore {
  held: 'create' | 'write' | undefined
  failure: Error | undefined
  abortFailure: Error | undefined
  tried = 0
  taken: { readonly meta: SnapshotMeta; readonly chunks: readonly Uint8Array[] } | undefined
  #waiting: (() => void)[] = []

  async create(meta: SnapshotMeta): Promise<SnapshotWriter> {
    this.tried++
    await this.#step('create')
    const chunks: Uint8Array[] = []
    return {
      write: async (chunk) => {
        await this.#step('write')
        chunks.push(Uint8Array.from(chunk))
      },
      commit: async () => {
        this.taken = { meta, chunks }
      },
      abort: async () => {
        if (this.abortFailure !== undefined) throw this.abortFailure
      },
    }
  }

  async #step(step: 'create' | 'write'): Promise<void> {
    if (this.held === step) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    if (this.failure !== undefined) throw this.failure
  }

  letGo(): void {
    this.held = undefined
    for (const go of this.#waiting.splice(0)) go()
  }

  async latest(): Promise<undefined> {}
  async prune(): Promise<void> {}
  async close(): Promise<void> {}
}

const MIB = 1024 * 1024

export interface Held {
  readonly clock: TestClock
  readonly log: HeldLog
  readonly snapshots: HeldSnapshots
  readonly driver: Driver
  readonly db: Kv
  readonly failures: Error[]
  readonly stalls: number[]
  /** Each time that the volume was full, or was no longer. */
  readonly spaces: boolean[]
}

/**
 * A cluster of `voters`, of which only the first runs here: with more than one it never has a leader. With the
 * log of one that has stopped, it goes on from there.
 */
export async function heldNode(
  limits: Partial<DriverLimits> = {},
  voters = 1,
  clock = new TestClock(),
  log = new HeldLog(),
): Promise<Held> {
  const { hardState, entries } = log.read()
  const snapshots = new HeldSnapshots()
  const ids = Array.from({ length: voters }, (_, n) => `n${n + 1}/x`)
  const members = Object.fromEntries(
    ids.map((id) => [id, { name: id.slice(0, 2), incarnation: 'x', address: '' }]),
  )
  const membership = { voters: ids, outgoing: [], learners: [], members, removed: [] }
  const raft = createRaft(
    raftConfig(ids[0]!, 1),
    {
      hardState,
      snapshot: { index: 0, term: 0, clusterTime: 0, wallTime: 0, membership },
      entries,
    },
    { monotonicMs: clock.monotonicMs(), wallMs: clock.wallMs() },
  )
  const failures: Error[] = []
  const stalls: number[] = []
  const spaces: boolean[] = []
  const driver = new Driver(
    { raft, machine: createMachine(), slices: [], recoveredIndex: entries.length },
    { clock, telemetry: createTelemetry('n1'), log, snapshots, network: nobody },
    { entryBytes: MIB, queueBytes: 64 * MIB, snapshotLogBytes: 64 * MIB, voters: 1, ...limits },
    {
      wantsChanges: () => false,
      applied: () => {},
      leadership: () => {},
      membership: () => {},
      snapshot: () => {},
      space: (isFull) => spaces.push(isFull),
      installed: () => {},
      differing: () => {},
      disagreed: () => {},
      stall: (durationMs) => stalls.push(durationMs),
      failed: (error) => failures.push(error),
    },
  )
  const db = storeOn(driver, clock)
  driver.start()
  await clock.settle()
  return { clock, log, snapshots, driver, db, failures, stalls, spaces }
}

export function raftConfig(id: NodeId, seed: number): RaftConfig {
  return {
    id,
    electionTimeoutMs: 1000,
    heartbeatMs: 50,
    leaseMs: 150,
    driftMs: 15,
    maxMessageBytes: MIB,
    inflightBytes: 4 * MIB,
    maxPersistBytes: 4 * MIB,
    maxReadyBytes: MIB,
    retainBytes: 16 * MIB,
    seed,
  }
}

/** The store over a driver, with no plugin at the door. */
export function storeOn(driver: Driver, clock: TestClock): Kv {
  const hooks = createHooks({ nowMs: () => 0, failed: () => {}, slow: () => {} })
  hooks.seal()
  return new Kv({
    log: driver,
    door: new Door(hooks.hooks, () => driver.machine),
    rules: { nowMs: () => clock.nowMs, timeoutMs: 5000, consistency: 'leader', pluginOptions: new Map() },
    iterators: createBudget(MIB),
    refusal: () => undefined,
    status: () => {
      throw new Error('not used')
    },
  })
}
