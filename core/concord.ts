/**
 * `open`: the one place that knows everyone. It chooses the storage, sets the plugins up, recovers,
 * starts the driver, and takes all of it down again in reverse. On the way up: config -> plugins set up,
 * hooks sealed -> directory locked -> recovered -> driver started -> plugins ready -> socket open.
 */
import type { Socket } from 'node:net'
import { IN_DOUBT, type StartAct, checkAct, isInDoubt } from './accept-loss.ts'
import { idOf } from './address.ts'
import { agreeOnSettings, differing, wantedSettings } from './agreed-settings.ts'
import { type Config, DRIFT_MS, type ResolvedConfig, loadConfig, resolveConfig } from './config/index.ts'
import { frameBytes } from './endpoint/frames.ts'
import { type Endpoint, openEndpoint } from './endpoint/server.ts'
import { Visitors } from './endpoint/visitors.ts'
import { ConcordError } from './errors.ts'
import { PluginHost } from './host/host.ts'
import { PluginState } from './host/space.ts'
import { type NodeLog, createLog } from './log.ts'
import { alone, beginning, foundingOf } from './node/beginning.ts'
import { Driver } from './node/driver.ts'
import { nobody } from './node/network.ts'
import { forgetPromise, rememberPromise } from './node/promise.ts'
import { recover } from './node/recovery.ts'
import type { ReplicatedLog } from './node/replicated-log.ts'
import { newsOf, tellStatus } from './node-news.ts'
import { type OpenTransport, type Peers, openTransport, peersOf } from './node-peers.ts'
import { type NodeStorage, type OpenStorage, openStorage } from './node-storage.ts'
import { type Concord, OpenNode } from './open-node.ts'
import type { BuiltinPlugins, EndpointPort } from './plugin.ts'
import type { Clock, Entropy, Founding } from './ports.ts'
import { type RaftConfig, createRaft, status } from './raft/index.ts'
import type { Store } from './store.ts'
import type { CallRules } from './store/calls.ts'
import { LateStore } from './store/late-store.ts'
import { type Telemetry, createTelemetry } from './telemetry.ts'
import { VERSION } from './version.ts'
import { type World, systemWorld } from './world.ts'

/** What one turn applies before others run: a millisecond or two of small commands. */
const READY_BYTES = 64 * 1024
/** What one write to the log encodes and checksums before others run. */
const PERSIST_BYTES = 4 * 1024 * 1024

export interface OpenContext {
  readonly builtins: BuiltinPlugins
}

/** `open`, in core/index.ts, which says what happens and what may fail; with the plugins that a config may name. */
export async function openConfigured(
  config: Config | undefined,
  act: StartAct,
  context: OpenContext,
): Promise<Concord> {
  if (config === undefined) return openResolved(await loadConfig(context), {}, act)
  if (config?.env !== undefined) throw envOfNoMode()
  return openResolved(await resolveConfig(config, context), {}, act)
}

/** The environment does not count for a config that is given: none of its sections ever would. */
function envOfNoMode(): ConcordError {
  const message =
    'expected no env in what open() is given, since NODE_ENV and CONCORD_* do not count there; found one. Give the config that is meant, or leave env to a file and call open()'
  return new ConcordError('CONFIG_INVALID', `env: ${message}`, {
    details: { problems: [{ path: 'env', message }] },
  })
}

/** All that a node takes from outside: time, chance, what it stands on, the way to its peers. */
export interface NodeWorld extends World {
  readonly openStorage: OpenStorage
  readonly openTransport: OpenTransport
  /** How other processes reach the node; undefined in a world without any. */
  readonly openEndpoint: typeof openEndpoint | undefined
}

const SYSTEM: NodeWorld = { ...systemWorld, openStorage, openTransport, openEndpoint }

/**
 * As `openConfigured`, with a config that has been loaded already, in a world of which a part, or all, may be
 * the caller's: the system's where nothing is given.
 */
export async function openResolved(
  config: ResolvedConfig,
  world: Partial<NodeWorld> = {},
  act: StartAct = {},
): Promise<OpenNode> {
  checkAct(act)
  const node = new Assembly(config, { ...SYSTEM, ...world }, act)
  try {
    return await node.open()
  } catch (error) {
    await node.abandon()
    throw whyNotOpened(error)
  }
}

/**
 * A node that failed while it was opened says why, not only that it has stopped. Whatever its disk says,
 * nothing was applied: nobody could ask for anything yet.
 */
function whyNotOpened(error: unknown): unknown {
  const isStopped = ConcordError.is(error) && error.code === 'STOPPED' && error.cause !== undefined
  const why = isStopped ? error.cause : error
  if (!ConcordError.is(why) || why.code !== 'STORAGE_FAILED') return why
  const { code, message, retryable, details, cause } = why
  return new ConcordError(code, message, { outcome: 'not-applied', retryable, details, cause })
}

/** A node while it is put together, and what of it has to be taken down. */
class Assembly {
  readonly config: ResolvedConfig
  readonly clock: Clock
  readonly telemetry: Telemetry
  readonly nodeLog: NodeLog
  readonly host: PluginHost
  readonly rules: CallRules
  readonly #world: NodeWorld
  readonly #act: StartAct
  storage: NodeStorage | undefined
  peers: Peers | undefined
  driver: Driver | undefined
  node: OpenNode | undefined
  #visitors: Visitors | undefined

  constructor(config: ResolvedConfig, world: NodeWorld, act: StartAct) {
    const { node, reads, timeoutMs, log, logger } = config
    this.config = config
    this.#world = world
    this.#act = act
    const { clock } = world
    this.clock = clock
    this.telemetry = createTelemetry(node.id)
    this.nodeLog = createLog({ node: node.id, level: log.level, format: log.format, logger })
    const pluginOptions = new Map<string, string>()
    this.rules = {
      nowMs: () => clock.monotonicMs(),
      timeoutMs,
      consistency: reads.consistency,
      pluginOptions,
      off: config.offPlugins,
    }
    const versions = new Map<string, number>()
    const states = new Map<string, PluginState>()
    const stateOf = (plugin: string): PluginState => {
      const known = states.get(plugin)
      if (known !== undefined) return known
      const state = new PluginState(plugin, () => this.#running(), this.rules, versions.get(plugin))
      states.set(plugin, state)
      return state
    }
    this.host = new PluginHost({
      plugins: Object.entries(config.definitions).map(([name, definition]) => ({
        definition,
        options: config.plugins[name] as object,
      })),
      known: config.known,
      ports: {
        clock,
        store: () => this.#lateStore(),
        space: stateOf,
        authorize: (operation, access, token) => {
          if (this.node === undefined) return Promise.reject(notReady())
          const options = pluginOptions.has('token') ? { token: token ?? '' } : {}
          return this.node.forClients.judge(operation, access, options)
        },
        contactMs: () => this.driver?.contactMs() ?? Infinity,
        endpoint: this.#endpointPort(),
        proposeSlice: (plugin, command, options) => stateOf(plugin).proposeSlice(command, options),
      },
      log: this.nodeLog.log,
      telemetry: this.telemetry,
      stepTimeoutMs: config.pluginTimeoutMs,
    })
    for (const { name, version } of this.host.slices) versions.set(name, version)
    for (const [option, plugin] of this.host.callOptions) pluginOptions.set(option, plugin)
  }

  async open(): Promise<OpenNode> {
    const { config, host, nodeLog, clock } = this
    const { entropy } = this.#world
    for (const warning of config.warnings) nodeLog.log.warn(warning)
    await host.setup()
    const storage = (this.storage = await this.#world.openStorage(config, this.#world))
    const { identity } = storage
    const id = idOf(identity)
    const peers = (this.peers = await this.#openPeers(storage))
    const founding = peers === undefined ? await alone(identity, clock, entropy) : foundingOf(identity)
    const promisedMs = await rememberPromise(identity, config.raft.leaseMs)
    const consensus = raftConfig(config, id, promisedMs, entropy)
    const { raft, machine, recoveredIndex, cut, loaded } = await recover(
      consensus,
      beginning(founding),
      host.slices,
      {
        clock,
        log: storage.log,
        snapshots: storage.snapshots,
        tailInDoubt: () => isInDoubt(storage, this.#act, nodeLog.log),
      },
    )
    // A sole voter is never in doubt: it is the only copy there is.
    const doubted = status(raft).tailInDoubt
    if (doubted) nodeLog.log.warn(IN_DOUBT)
    if (loaded !== undefined) {
      nodeLog.log.info({ ...loaded, durationMs: Math.round(loaded.durationMs) }, 'snapshot loaded')
      this.telemetry.event('snapshot.loaded').emit(loaded)
    }
    if (cut !== undefined) nodeLog.log.warn({ ...cut }, 'cut a write that was never acknowledged')
    const driver = (this.driver = new Driver(
      {
        raft,
        machine,
        slices: host.slices,
        recoveredIndex,
        wanted: peers && wantedSettings(config),
        urls: host.urls,
      },
      {
        clock,
        telemetry: this.telemetry,
        log: storage.log,
        snapshots: storage.snapshots,
        network: peers?.peering ?? nobody,
        settle: storage.tailInDoubt
          ? async () => {
              await storage.settle()
              if (doubted) nodeLog.log.info('caught up with a leader: the node votes again')
            }
          : undefined,
      },
      {
        entryBytes: config.limits.entryBytes,
        queueBytes: config.limits.queueBytes,
        snapshotLogBytes: config.snapshot.logBytes,
        voters: peers?.voters ?? 1,
      },
      newsOf({
        id,
        hooks: host.hooks,
        log: nodeLog.log,
        telemetry: this.telemetry,
        peering: peers?.peering,
        configured: config.cluster?.members && Object.keys(config.cluster.members),
        node: () => this.node,
      }),
    ))
    const node = (this.node = new OpenNode(this, driver, storage, id))
    await peers?.peering.listen(driver, peers.founder)
    driver.start()
    const waits = { promisedMs, leaseMs: config.raft.leaseMs, driftMs: DRIFT_MS }
    forgetPromise(
      { clock, identity },
      waits,
      () => driver.isStopped,
      (error) => void node.stop({ reason: 'failed', error }),
    )
    tellStatus(driver, clock, this.telemetry)
    if (peers === undefined) await agreeOnSettings(driver, config)
    else await this.#meet(peers, driver, consensus)
    host.hooks.started.call({ appliedIndex: driver.machine.appliedIndex, revision: driver.machine.revision })
    const visitors = (this.#visitors = this.#visitorsOf(node))
    node.attach(visitors)
    await host.ready()
    node.attachSocket(await this.#openEndpoint(visitors))
    return node
  }

  async #openPeers(storage: NodeStorage): Promise<Peers | undefined> {
    const { config } = this
    if (config.cluster === undefined) return undefined
    const transport = await this.#world.openTransport(config.cluster, this.#world)
    return peersOf(config.cluster, config, storage, transport, this.nodeLog.log, this.#world)
  }

  /** Looks for the others, and waits for nobody: a node that belongs to no cluster yet goes on looking for one. */
  async #meet(peers: Peers, driver: Driver, consensus: RaftConfig): Promise<void> {
    const { clock } = this
    const { founder, peering } = peers
    await peers.look()
    const others = differing(driver, this.config)
    if (Object.keys(others).length > 0) {
      this.nodeLog.log.warn(
        { configured: others },
        'limits are facts of the cluster; these of the config do not hold until all members have them',
      )
    }
    if (this.storage?.identity.clusterId !== '') return
    const begin = (founding: Founding | undefined): void => {
      if (founding === undefined || driver.isStopped) return
      this.nodeLog.log.info({ clusterId: founding.id }, 'belongs to a cluster')
      const time = { monotonicMs: clock.monotonicMs(), wallMs: clock.wallMs() }
      const recovered = { hardState: { term: 0, votedFor: null }, snapshot: beginning(founding), entries: [] }
      driver.begin(createRaft(consensus, recovered, time))
      peering.joined()
    }
    void founder.run().then(begin, (error: Error) => this.node?.stop({ reason: 'failed', error }))
  }

  /** Nobody is let in before the node runs. */
  #endpointPort(): EndpointPort {
    const visitors = (): Visitors => {
      if (this.#visitors === undefined) throw notReady()
      return this.#visitors
    }
    const node = () => this.node
    return Object.freeze({
      get refusal() {
        return node()?.refusalOfStrangers ?? visitors().refusal
      },
      accept: (socket: Socket) => visitors().accept(socket, false),
    })
  }

  #visitorsOf(node: OpenNode): Visitors {
    const { limits, timeoutMs, reads } = this.config
    const settings = () => this.#running().machine.settings
    const clusterId = () => this.storage?.identity.clusterId
    return new Visitors({
      node: node.forClients,
      clock: this.clock,
      hello: {
        version: VERSION,
        get clusterId() {
          return clusterId() || undefined
        },
        frameBytes: frameBytes(limits),
        // A fact of the cluster, whatever this node's config would like; as it is when the client comes.
        get batch() {
          return settings().batch
        },
        timeoutMs,
        consistency: reads.consistency,
        callOptions: Object.fromEntries(this.host.callOptions),
        offPlugins: this.config.offPlugins,
      },
      connections: limits.connections,
      log: this.nodeLog.log,
    })
  }

  /** Where other processes of this machine reach this node; none for one without a directory to say so in. */
  async #openEndpoint(visitors: Visitors): Promise<Endpoint | undefined> {
    const { storage, file, mode } = this.config
    if (storage === 'memory') return undefined
    return this.#world.openEndpoint?.({
      dir: storage.dir,
      visitors,
      from: { config: file ?? null, mode: mode ?? null },
      log: this.nodeLog.log,
    })
  }

  /** Takes down what an opening that failed had put up. */
  async abandon(): Promise<void> {
    if (this.node !== undefined) return this.node.close()
    await this.host
      .close()
      .catch((error: unknown) => this.nodeLog.log.error({ err: error }, 'plugins failed to close'))
    await this.peers
      ?.close()
      .catch((error: unknown) => this.nodeLog.log.error({ err: error }, 'while closing'))
    await this.storage?.close(false)
    this.nodeLog.flush()
  }

  #running(): ReplicatedLog {
    if (this.driver === undefined) throw notReady()
    return this.driver
  }

  /** A store that plugins hold from `setup` on: every call rejects with `NOT_READY` until the node runs. */
  #lateStore(): Store {
    return new LateStore(() => {
      if (this.node === undefined) throw notReady()
      return this.node.forPlugins
    })
  }
}

function raftConfig(
  { raft, limits, snapshot }: ResolvedConfig,
  id: string,
  promisedMs: number,
  entropy: Entropy,
): RaftConfig {
  return {
    id,
    electionTimeoutMs: raft.electionTimeoutMs,
    heartbeatMs: raft.heartbeatMs,
    leaseMs: raft.leaseMs,
    promisedMs,
    driftMs: DRIFT_MS,
    maxMessageBytes: limits.entryBytes,
    inflightBytes: 4 * limits.entryBytes,
    maxPersistBytes: PERSIST_BYTES,
    maxReadyBytes: READY_BYTES,
    retainBytes: snapshot.keepBytes,
    seed: Math.floor(entropy.random() * 2 ** 32),
  }
}

const notReady = (): ConcordError => new ConcordError('NOT_READY', 'the node is still starting')
