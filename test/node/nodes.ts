/** Several drivers in one process, under one clock that the test turns, with a network that it can cut. */
import type { Kv } from '../../core/store/kv.ts'
import { ConcordError } from '../../core/errors.ts'
import { createMachine } from '../../core/machine/index.ts'
import { Driver } from '../../core/node/driver.ts'
import type { DriverLimits } from '../../core/node/driver-ports.ts'
import type { SettingValues } from '../../core/node/checked.ts'
import type { Comparison } from '../../core/node/divergence.ts'
import type { Installed } from '../../core/node/installs.ts'
import type { Network } from '../../core/node/network.ts'
import { createRaft } from '../../core/raft/index.ts'
import type { Membership, Message, NodeId, RaftConfig } from '../../core/raft/index.ts'
import { openMemoryStorage } from '../../core/storage/memory.ts'
import { createTelemetry } from '../../core/telemetry.ts'
import { HeldLog, TestClock, raftConfig, storeOn } from './held.ts'

const MIB = 1024 * 1024

export interface TestNode {
  readonly id: NodeId
  readonly driver: Driver
  readonly db: Kv
  readonly log: HeldLog
  readonly failures: Error[]
  readonly installed: Installed[]
  readonly differing: Comparison[]
  readonly disagreed: string[]
  /** Whether it has written down that its tail is in doubt no more. */
  readonly tail: { settled: number }
}

export interface Options {
  /** The name of a node that may have lost the tail of its log. */
  readonly inDoubt?: string
  readonly limits?: Partial<DriverLimits>
  readonly raft?: Partial<RaftConfig>
  /** What the config of each node wishes for, by its name. */
  readonly wanted?: Readonly<Record<string, SettingValues>>
}

/** What happens to messages between nodes, from one on. */
export class TestNetwork {
  readonly nodes = new Map<NodeId, TestNode>()
  /** Nothing passes between nodes of different groups; nobody is in one while there is none. */
  groups: readonly (readonly NodeId[])[] = []
  /** Answers to calls are dropped after the question has arrived. */
  losesAnswers = false
  readonly #clock: TestClock

  constructor(clock: TestClock) {
    this.#clock = clock
  }

  of(from: NodeId): Network {
    return {
      send: (to, message) => this.#send(from, to, message),
      call: (to, question) => this.#call(from, to as NodeId, question),
      invite: () => Promise.reject(new Error('nobody is empty here')),
    }
  }

  passes(from: NodeId, to: NodeId): boolean {
    if (!this.nodes.has(to)) return false
    return this.groups.length === 0 || this.groups.some((group) => group.includes(from) && group.includes(to))
  }

  #send(from: NodeId, to: NodeId, message: Message): void {
    this.#clock.soon(() => {
      if (this.passes(from, to)) this.nodes.get(to)?.driver.receive(from, message)
    })
  }

  async #call(from: NodeId, to: NodeId, question: Uint8Array): Promise<Uint8Array> {
    await new Promise<void>((resolve) => this.#clock.soon(resolve))
    if (!this.passes(from, to)) throw new ConcordError('NO_LEADER', `${to} cannot be reached`)
    const answer = await this.nodes.get(to)!.driver.answer(question)
    await new Promise<void>((resolve) => this.#clock.soon(resolve))
    if (this.losesAnswers || !this.passes(to, from)) {
      throw new ConcordError('CONNECTION_LOST', 'the answer was lost')
    }
    return answer
  }
}

export class TestCluster {
  readonly clock = new TestClock()
  readonly network = new TestNetwork(this.clock)
  readonly #membership: Membership
  readonly #options: Options

  constructor(count: number, options: Options = {}) {
    const voters = Array.from({ length: count }, (_, n) => `n${n + 1}/x`)
    const members = Object.fromEntries(
      voters.map((id) => [id, { name: id.slice(0, 2), incarnation: 'x', address: '' }]),
    )
    this.#membership = { voters, outgoing: [], learners: [], members, removed: [] }
    this.#options = options
    for (const id of voters) this.start(id)
  }

  get nodes(): TestNode[] {
    return [...this.network.nodes.values()]
  }

  node(name: string): TestNode {
    return this.network.nodes.get(`${name}/x`)!
  }

  /** Starts a node that holds nothing yet, as a founder does. */
  start(id: NodeId): TestNode {
    const { clock, network } = this
    const log = new HeldLog()
    const failures: Error[] = []
    const installed: Installed[] = []
    const differing: Comparison[] = []
    const disagreed: string[] = []
    const tail = { settled: 0 }
    const settle = async (): Promise<void> => void tail.settled++
    const tailInDoubt = this.#options.inDoubt === id.slice(0, 2)
    const raft = createRaft(
      { ...raftConfig(id, seedOf(id)), ...this.#options.raft },
      {
        hardState: { term: 0, votedFor: null },
        snapshot: { index: 0, term: 0, clusterTime: 0, wallTime: 0, membership: this.#membership },
        entries: [],
        tailInDoubt,
      },
      { monotonicMs: clock.monotonicMs(), wallMs: clock.wallMs() },
    )
    const telemetry = createTelemetry(id)
    const driver = new Driver(
      {
        raft,
        machine: createMachine(),
        slices: [],
        recoveredIndex: 0,
        wanted: this.#options.wanted?.[id.slice(0, 2)],
      },
      {
        clock,
        telemetry,
        log,
        snapshots: openMemoryStorage().snapshots,
        network: network.of(id),
        settle: tailInDoubt ? settle : undefined,
      },
      {
        entryBytes: MIB,
        queueBytes: 64 * MIB,
        snapshotLogBytes: 64 * MIB,
        voters: 3,
        ...this.#options.limits,
      },
      {
        wantsChanges: () => false,
        applied: () => {},
        leadership: () => {},
        membership: () => {},
        snapshot: () => {},
        space: () => {},
        installed: (one) => installed.push(one),
        differing: (comparison) => differing.push(comparison),
        disagreed: (_, why) => disagreed.push(why),
        stall: () => {},
        failed: (error) => failures.push(error),
      },
    )
    const db = storeOn(driver, clock)
    const node = { id, driver, db, log, failures, installed, differing, disagreed, tail }
    network.nodes.set(id, node)
    driver.start()
    return node
  }

  /** Lets time pass until somebody leads and says so; returns who. */
  async elect(): Promise<TestNode> {
    for (let tries = 0; tries < 100; tries++) {
      await this.clock.advance(100)
      const leader = this.nodes.find(({ driver }) => driver.leads && driver.isReady)
      if (leader !== undefined && this.nodes.filter(({ driver }) => driver.leads).length === 1) return leader
    }
    throw new Error('nobody leads')
  }

  followers(leader: TestNode): TestNode[] {
    return this.nodes.filter((node) => node !== leader)
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map(({ driver }) => driver.stop()))
    await this.clock.settle()
  }
}

function seedOf(id: NodeId): number {
  let seed = 7
  for (let at = 0; at < id.length; at++) seed = (Math.imul(seed, 31) + id.charCodeAt(at)) >>> 0
  return seed
}
