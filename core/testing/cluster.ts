/**
 * `testCluster`: a whole cluster in one process, with the real store, log, codec and consensus, over a network,
 * disks and clocks that are simulated. Nothing in it waits for real time, and a seed replays exactly.
 */
import type { StartAct } from '../accept-loss.ts'
import { type Config, type ResolvedConfig, resolveConfig } from '../config/index.ts'
import { ConcordError } from '../errors.ts'
import { describe } from '../found.ts'
import type { Concord, OpenNode } from '../open-node.ts'
import type { BuiltinPlugins } from '../plugin.ts'
import { didYouMean } from '../suggest.ts'
import { MemoryNetwork } from '../transport/memory.ts'
import type { Clocks } from './clocks.ts'
import { Computer, DIRECTORY } from './computer.ts'
import { held } from './held-store.ts'
import { Simulation } from './simulation.ts'
import { Waiting } from './wait.ts'

/** What `testCluster` takes. */
export interface TestClusterOptions {
  /** How many nodes found the cluster; they are `n1`, `n2` and so on. Default 3; 1 to 15. */
  readonly nodes?: number | undefined
  /** Of all chance: network, disks, election timeouts, ids. Default 1; a safe integer. */
  readonly seed?: number | undefined
  /** What every node's config says beside its id, its directory and its cluster: `use`, `plugins`, `limits`. */
  readonly config?: Omit<Config, 'node' | 'cluster' | 'env'> | undefined
}

/** A node of a test's cluster. */
export interface TestNode {
  /** By which the cluster knows it: `n1`, `n2` and so on. */
  readonly name: string
  /** Whether a node runs here; it may be paused. */
  readonly isUp: boolean
  /**
   * The node, as `open()` gives it. Time passes while a call is under way. A call on a process that is killed
   * rejects with `STOPPED`, its outcome unknown. After a restart it is another one.
   */
  readonly db: Concord
}

/** Of the world's own time: how long a test waits for what should happen, and how often it looks. */
const PATIENCE_MS = 60_000
const LOOK_MS = 10
/** Small, so that a test of a few hundred writes has more than one. */
const SEGMENT_BYTES = 256 * 1024
const FOUNDED_AT = Date.UTC(2026, 0, 1)

/** `testCluster`, in index.ts, which says what may fail; with the plugins that a config may name. */
export async function foundCluster(
  options: TestClusterOptions,
  builtins: BuiltinPlugins,
): Promise<TestCluster> {
  const { nodes = 3, seed = 1, config = {}, ...rest } = options
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined) {
    const hint = didYouMean(unknown, ['nodes', 'seed', 'config'])
    throw new ConcordError('INVALID_OPTION', `testCluster has no option ${JSON.stringify(unknown)}.${hint}`)
  }
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > 15) {
    throw new ConcordError('INVALID_OPTION', `nodes: found ${nodes}, expected an integer from 1 to 15`)
  }
  if (!Number.isSafeInteger(seed)) {
    throw new ConcordError('INVALID_OPTION', `seed: found ${seed}, expected a safe integer`)
  }
  const founders = Array.from({ length: nodes }, (_, at) => `n${at + 1}`)
  const cluster = new TestCluster(seed, founders, config, builtins)
  try {
    await Promise.all(founders.map((name) => cluster.start(name)))
    await cluster.leader()
    await Promise.all(cluster.nodes.map(({ db }) => db.ready({ timeoutMs: PATIENCE_MS })))
  } catch (error) {
    await cluster.close()
    throw error
  }
  return cluster
}

interface Running {
  readonly node: OpenNode
  /** The same, as it is given to the test. */
  readonly db: Concord
}

/** What `testCluster` resolves with: the nodes, and what may happen to them. */
export class TestCluster implements AsyncDisposable {
  /** That replays this history. */
  readonly seed: number
  readonly #simulation: Simulation
  readonly #network: MemoryNetwork
  readonly #waiting: Waiting
  readonly #founders: readonly string[]
  readonly #config: NonNullable<TestClusterOptions['config']>
  readonly #builtins: BuiltinPlugins
  readonly #computers = new Map<string, Computer>()
  readonly #running = new Map<string, Running>()
  /** Ends the calls on a node, by its name. */
  readonly #killers = new Map<string, (reason: ConcordError) => void>()

  constructor(
    seed: number,
    founders: readonly string[],
    config: NonNullable<TestClusterOptions['config']>,
    builtins: BuiltinPlugins,
  ) {
    this.seed = seed
    this.#simulation = new Simulation(seed)
    this.#waiting = new Waiting(this.#simulation)
    this.#founders = founders
    this.#config = config
    this.#builtins = builtins
    const chance = this.#simulation.stream('network')
    this.#network = new MemoryNetwork(this.#simulation.clock, {
      delayMs: () => 0.2 + chance.exponential(0.3),
      party: nameOf,
      hand: (to, arrive) => this.#hand(to, arrive),
    })
  }

  /** Milliseconds since the beginning, of the world's own time. */
  get now(): number {
    return this.#simulation.now
  }

  /** All that were ever started, those that are down among them. */
  get nodes(): TestNode[] {
    return [...this.#computers.keys()].map((name) => this.node(name))
  }

  /** Throws `INVALID_ARGUMENT` when there is none of that name. */
  node(name: string): TestNode {
    this.#computer(name)
    const isUp = () => this.#running.has(name)
    const db = () => this.#runningAt(name).db
    return {
      name,
      get isUp() {
        return isUp()
      },
      get db() {
        return db()
      },
    }
  }

  /**
   * Lets so much time pass, for everything: timers, leases, times to live.
   *
   * @throws `INVALID_ARGUMENT` - `ms` is no number of milliseconds from 0. No time has passed.
   */
  async advance(ms: number): Promise<void> {
    checkMs('ms', ms)
    await this.#waiting.advance(ms)
  }

  /**
   * Lets time pass until `condition` holds.
   *
   * @throws `TIMEOUT` - it did not within `withinMs` of the world's time (default 60,000).
   * @throws `INVALID_ARGUMENT` - `withinMs` is no number of milliseconds from 0.
   */
  async until(condition: () => boolean | Promise<boolean>, withinMs = PATIENCE_MS): Promise<void> {
    checkMs('withinMs', withinMs)
    const latest = this.now + withinMs
    while (!(await this.settle(condition()))) {
      if (this.now >= latest) throw new ConcordError('TIMEOUT', `it did not come to that in ${withinMs} ms`)
      await this.advance(LOOK_MS)
    }
  }

  /** Lets time pass while `work` is under way: for promises that do not come from a node's store. */
  settle<T>(work: T | PromiseLike<T>): Promise<T> {
    return this.#waiting.for(Promise.resolve(work))
  }

  /** The node that leads, as soon as a majority of the voters says so. Rejects as `until`. */
  async leader(): Promise<TestNode> {
    let name: string | undefined
    await this.until(async () => {
      name = await this.#agreedLeader()
      return name !== undefined
    })
    return this.node(name!)
  }

  async #agreedLeader(): Promise<string | undefined> {
    const awake = [...this.#running].filter(([name]) => !this.#computer(name).isPaused)
    const said = await Promise.all(awake.map(([, { node }]) => node.forPlugins.status()))
    const leads = said.filter(({ role }) => role === 'leader').sort((a, b) => b.term - a.term)[0]
    if (leads === undefined) return undefined
    const voters = leads.members.filter(({ role }) => role === 'voter')
    const agree = said.filter(({ leader, node }) => {
      return leader === leads.node.id && voters.some(({ id }) => id === node.id)
    })
    return agree.length * 2 > voters.length ? leads.node.name : undefined
  }

  // ------------------------------------------------------------------------------ nodes come and go

  /**
   * Starts a node that is new to the cluster, or that does not run: its disk is as it was left. `act` as of `open`.
   *
   * @throws `INVALID_ARGUMENT` - it runs already, or is no name of a node.
   * @throws what `open` throws; the process has ended then. `STOPPED` - it was crashed while it started.
   */
  async start(name: string, act: StartAct = {}): Promise<TestNode> {
    if (this.#running.has(name)) throw new ConcordError('INVALID_ARGUMENT', `${name} runs already`)
    const computer = this.#computers.get(name) ?? this.#build(name)
    const config = await this.#configOf(name, computer.address)
    const killed = Promise.withResolvers<never>()
    killed.promise.catch(() => {})
    this.#killers.set(name, killed.reject)
    const node = await this.settle(
      Promise.race([computer.start(config, undefined, act), killed.promise]),
    ).catch((error: unknown) => {
      computer.kill()
      throw error
    })
    const db = held<Concord>(node, { waiting: this.#waiting, killed: killed.promise })
    this.#running.set(name, { node, db })
    void node.closed.then(() => this.#ended(name, node))
    return this.node(name)
  }

  /**
   * The process ends at once, as by SIGKILL. With `power`, the computer does, and loses what was not fsynced. One that is
   * down already stays down.
   *
   * @throws `INVALID_ARGUMENT` - there is no node of that name.
   */
  crash(name: string, { power = false } = {}): void {
    const computer = this.#computer(name)
    this.#running.delete(name)
    this.#killers.get(name)?.(new ConcordError('STOPPED', `${name} was killed`, { outcome: 'unknown' }))
    if (power) computer.cutPower()
    else computer.kill()
  }

  /**
   * Closes the node, as `db.close()` does, and ends its process.
   *
   * @throws `INVALID_ARGUMENT` - it does not run.
   */
  async stop(name: string): Promise<void> {
    await this.#runningAt(name).db.close()
    this.crash(name)
  }

  /** `crash`, an empty disk, and `start`: it comes back as a stranger of the same name. Throws as those do. */
  replace(name: string): Promise<TestNode> {
    this.crash(name)
    this.#computer(name).replaceDisk()
    return this.start(name)
  }

  /**
   * The process stands still, as by SIGSTOP or a blocked event loop: what reaches it waits.
   *
   * @throws `INVALID_ARGUMENT` - it does not run.
   */
  pause(name: string): void {
    this.#runningAt(name)
    this.#computer(name).process?.pause()
  }

  /** It goes on where it was paused, and meets what has waited. One that was not paused goes on as before. */
  resume(name: string): void {
    this.#computer(name).process?.resume()
  }

  // ------------------------------------------------------------------------------------ the network

  /**
   * Nothing passes between nodes of different groups, until the next `partition` or `heal`; all nodes in none of them
   * make one more group.
   *
   * @throws `INVALID_ARGUMENT` - there is no node of one of the names.
   */
  partition(...groups: readonly (readonly string[])[]): void {
    for (const name of groups.flat()) this.#computer(name)
    const rest = [...this.#computers.keys()].filter((name) => !groups.flat().includes(name))
    this.#network.partition(...groups, rest)
  }

  /** Everything passes again. */
  heal(): void {
    this.#network.heal()
  }

  /** What comes to a process that is gone, its computer answers. */
  #hand(to: string, arrive: () => void): void {
    const process = this.#computers.get(nameOf(to))?.process
    if (process === undefined) arrive()
    else process.reach(arrive)
  }

  // ---------------------------------------------------------------------------------------- the end

  /** Ends all of it. Nothing is left: it was all in memory. */
  async close(): Promise<void> {
    this.heal()
    for (const name of this.#computers.keys()) this.crash(name)
  }

  /** As `close`: for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #build(name: string): Computer {
    const chance = this.#simulation.stream(`disk:${name}`)
    const computer = new Computer(name, addressOf(name), evenClocks(), {
      simulation: this.#simulation,
      network: this.#network,
      segmentBytes: SEGMENT_BYTES,
      diskMs: (work) => (work === 'sync' || work === 'write' ? 0.3 + chance.exponential(0.5) : 0.05),
    })
    this.#computers.set(name, computer)
    return computer
  }

  async #configOf(name: string, address: string): Promise<ResolvedConfig> {
    const { log = { level: 'silent' }, storage, ...rest } = this.#config
    const names = new Set([...this.#founders, name])
    const members = Object.fromEntries([...names].map((each) => [each, addressOf(each)]))
    const files = { ...(storage === 'memory' ? {} : storage), dir: DIRECTORY }
    const config: Config = {
      ...rest,
      log,
      node: { id: name },
      storage: storage === 'memory' ? storage : files,
      cluster: { name: 'test', members, listen: address, advertise: address, insecure: true },
    }
    return resolveConfig(config, { builtins: this.#builtins })
  }

  #runningAt(name: string): Running {
    this.#computer(name)
    const running = this.#running.get(name)
    if (running === undefined) throw new ConcordError('STOPPED', `${name} does not run; start it`)
    return running
  }

  #ended(name: string, node: OpenNode): void {
    if (this.#running.get(name)?.node === node) this.#running.delete(name)
  }

  #computer(name: string): Computer {
    const computer = this.#computers.get(name)
    if (computer !== undefined) return computer
    const names = [...this.#computers.keys()].join(', ')
    throw new ConcordError('INVALID_ARGUMENT', `there is no node ${name}; there are ${names}`)
  }
}

const addressOf = (name: string): string => `${name}:4100`

/** Of an id, which is a name and an incarnation, or of an address, which is a name and a port. */
const nameOf = (to: string): string => to.split(/[/:]/, 1)[0]!

const evenClocks = (): Clocks => ({ rate: 1, origin: 0, wallOffset: FOUNDED_AT, suspendedMs: 0 })

/** Time that does not go on would be waited for for ever. */
function checkMs(name: string, found: unknown): void {
  if (typeof found === 'number' && found >= 0 && found < Infinity) return
  const text = `${name}: found ${describe(found)}, expected a number of milliseconds from 0`
  throw new ConcordError('INVALID_ARGUMENT', text)
}
