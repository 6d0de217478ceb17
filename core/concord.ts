/**
 * `open`: the one place that knows everyone. It chooses the storage, sets the plugins up, recovers,
 * starts the driver, and takes all of it down again in reverse. On the way up: config -> plugins set up,
 * hooks sealed -> directory locked -> recovered -> driver started -> plugins ready -> socket open.
 */
import { appliedBatch } from './applied.ts'
import type { CallRules } from './calls.ts'
import {
  type Config,
  type ResolvedConfig,
  clusterRefusal,
  loadConfig,
  resolveConfig,
} from './config/index.ts'
import { Door } from './door.ts'
import { ConcordError } from './errors.ts'
import type { NodeEvents } from './hook-events.ts'
import { Kv, type KvParts } from './kv.ts'
import { type NodeLog, createLog } from './log.ts'
import { encodeSettings, stateHash } from './machine/index.ts'
import { Driver, type DriverEvents } from './node/driver.ts'
import type { ReplicatedLog } from './node/replicated-log.ts'
import { recover } from './node/recovery.ts'
import type { LogStore, SnapshotStore } from './ports.ts'
import { PluginHost } from './plugin-host.ts'
import { PluginState } from './plugin-space.ts'
import type { BuiltinPlugins, Plugin, PluginName, ServiceOf } from './plugin.ts'
import type { Membership, RaftConfig } from './raft/index.ts'
import { openFileStorage } from './storage/file/storage.ts'
import { openMemoryStorage } from './storage/memory.ts'
import type { Store } from './store.ts'
import { type Telemetry, createTelemetry } from './telemetry.ts'
import type { CallOptions, Closed, Status } from './types.ts'
import { VERSION } from './version.ts'

import { systemClock, systemEntropy } from './world.ts'

const MIB = 1024 * 1024
/** What two monotonic clocks may differ by within one lease. */
const DRIFT_MS = 15

/** What `db.on` tells. */
export interface ConcordEvents extends Omit<NodeEvents, 'started'> {
  /** A leader is known, and this node has caught up with what was committed when it started. */
  ready: { readonly revision: number }
}

/** A node in this process, and the store on it. */
export interface Concord extends Store, AsyncDisposable {
  readonly local: Kv['local']
  /**
   * Resolves once a leader is known and this node has caught up.
   *
   * @throws `NOT_READY` - not within `timeoutMs` (default 5000); try again. `STOPPED`, `AbortError`.
   */
  ready(options?: CallOptions): Promise<void>
  /** What the plugin's `setup` returned. Throws `PLUGIN_NOT_ENABLED`, or `PLUGIN_UNKNOWN` with a suggestion. */
  plugin<R extends PluginName | Plugin>(ref: R): ServiceOf<R>
  /** `fn` is called synchronously; what it throws is logged. Returns the way out. */
  on<E extends keyof ConcordEvents>(event: E, fn: (event: ConcordEvents[E]) => void): () => void
  /** Resolves when this node has stopped, whatever the reason; never rejects. */
  readonly closed: Promise<Closed>
  /**
   * Finishes what is under way (at most `shutdownMs`), closes the plugins in reverse, marks the log as
   * cleanly stopped. Calls that come later reject with `STOPPED`. May be called again.
   */
  close(): Promise<void>
}

export interface OpenContext {
  readonly builtins: BuiltinPlugins
}

/**
 * Opens a node in this process. Without an argument: `concord.config.*` found from the working
 * directory, its `env` section for NODE_ENV, then `CONCORD_*`. With one: exactly that object.
 *
 * Resolves when this node has recovered and its plugins are set up. Installs no signal handlers and never
 * ends its host: a fatal error stops the node, and every call then rejects with `STOPPED`.
 *
 * @throws `CONFIG_NOT_FOUND`, `CONFIG_NOT_LOADED`, `CONFIG_INVALID` - nothing was started.
 * @throws `PLUGIN_…` - a plugin could not be loaded or set up; what was up is down again.
 * @throws `DIRECTORY_LOCKED` - another process, or this one, has the directory open.
 * @throws `CORRUPTED`, `IDENTITY_MISMATCH`, `STORAGE_FAILED`, `STORAGE_FULL` - nothing was changed.
 */
export async function openConfigured(config: Config | undefined, context: OpenContext): Promise<Concord> {
  return openResolved(config === undefined ? await loadConfig(context) : await resolveConfig(config, context))
}

/** As `openConfigured`, with a config that has been loaded already. */
export async function openResolved(config: ResolvedConfig): Promise<Concord> {
  const refusal = clusterRefusal(config)
  if (refusal !== undefined) throw refusal
  const node = new Assembly(config)
  try {
    return await node.open()
  } catch (error) {
    await node.abandon()
    throw error
  }
}

/** A node while it is put together, and what of it has to be taken down. */
class Assembly {
  readonly config: ResolvedConfig
  readonly telemetry: Telemetry
  readonly nodeLog: NodeLog
  readonly host: PluginHost
  readonly rules: CallRules
  storage: NodeStorage | undefined
  driver: Driver | undefined
  node: OpenNode | undefined

  constructor(config: ResolvedConfig) {
    const { node, reads, timeoutMs, log } = config
    this.config = config
    this.telemetry = createTelemetry(node.id)
    this.nodeLog = createLog({ node: node.id, level: log.level, format: log.format })
    const pluginOptions = new Map<string, { plugin: string; enabled: boolean }>()
    this.rules = {
      nowMs: () => systemClock.monotonicMs(),
      timeoutMs,
      consistency: reads.consistency,
      pluginOptions,
    }
    const versions = new Map<string, number>()
    const stateOf = (plugin: string): PluginState =>
      new PluginState(plugin, () => this.#running(), this.rules, versions.get(plugin))
    this.host = new PluginHost({
      plugins: Object.entries(config.definitions).map(([name, definition]) => ({
        definition,
        options: config.plugins[name] as object,
      })),
      known: config.known,
      ports: {
        clock: systemClock,
        store: () => lateStore(() => this.#runningNode()),
        space: stateOf,
        proposeSlice: (plugin, command, options) => stateOf(plugin).proposeSlice(command, options),
      },
      log: this.nodeLog.log,
      telemetry: this.telemetry,
      stepTimeoutMs: config.pluginTimeoutMs,
    })
    for (const { name, version } of this.host.slices) versions.set(name, version)
    for (const [option, plugin] of this.host.callOptions) pluginOptions.set(option, { plugin, enabled: true })
  }

  async open(): Promise<Concord> {
    const { config, host, nodeLog } = this
    for (const warning of config.warnings) nodeLog.log.warn(warning)
    await host.setup()
    const storage = (this.storage = await openStorage(config))
    const id = `${storage.name}/${storage.incarnation}`
    const { raft, machine, recoveredIndex, log } = await recover(
      raftConfig(config, id),
      {
        index: 0,
        term: 0,
        clusterTime: 0,
        wallTime: storage.createdAt,
        membership: storage.founders,
      },
      host.slices,
      { clock: systemClock, log: storage.log, snapshots: storage.snapshots },
    )
    if (log.cut !== undefined) nodeLog.log.warn({ ...log.cut }, 'cut a write that was never acknowledged')
    const driver = (this.driver = new Driver(
      { raft, machine, recoveredIndex },
      { clock: systemClock, log: storage.log, snapshots: storage.snapshots },
      {
        entryBytes: config.limits.entryBytes,
        queueBytes: config.limits.queueBytes,
        snapshotLogBytes: config.snapshot.logBytes,
        batch: config.limits.batch,
      },
      this.#events(id),
    ))
    const node = (this.node = new OpenNode(this, driver, storage, id))
    driver.start()
    await this.#agreeOnSettings(driver)
    host.hooks.started.call({ appliedIndex: driver.machine.appliedIndex, revision: driver.machine.revision })
    await host.ready()
    return node
  }

  /** Takes down what an opening that failed had put up. */
  async abandon(): Promise<void> {
    if (this.node !== undefined) return this.node.close()
    await this.host
      .close()
      .catch((error: unknown) => this.nodeLog.log.error({ err: error }, 'plugins failed to close'))
    await this.storage?.close(false)
    this.nodeLog.flush()
  }

  /** The limits that `apply` enforces are facts in the log: this node's config only proposes them. */
  async #agreeOnSettings(driver: Driver): Promise<void> {
    const { limits, requests, timeoutMs } = this.config
    const wanted = {
      valueBytes: limits.valueBytes,
      batch: limits.batch,
      'requests.keepMs': requests.keepMs,
      'requests.max': requests.max,
    }
    const patience = { deadlineMs: driver.nowMs() + timeoutMs }
    await driver.readPoint('strong', 0, patience)
    const { settings } = driver.machine
    const names = Object.keys(wanted) as (keyof typeof wanted)[]
    const changed = names.filter((name) => settings[name] !== wanted[name])
    if (changed.length === 0) return
    const writer = driver.begin()
    const start = writer.length
    encodeSettings(writer, { space: 0 }, Object.fromEntries(changed.map((name) => [name, wanted[name]])))
    await driver.propose(start, patience)
  }

  #events(id: string): DriverEvents {
    const { hooks } = this.host
    const { log } = this.nodeLog
    const stall = this.telemetry.event('node.stall')
    const change = this.telemetry.event('state.change')
    const created = this.telemetry.event('snapshot.created')
    return {
      wantsChanges: () => hooks.applied.isUsed(),
      applied: (entry, revision, changes, replay) =>
        hooks.applied.call(appliedBatch(entry, changes, revision, replay)),
      leadership: ({ role, term, leader, established }) => {
        log.info({ role, term, leader, established }, 'leadership')
        if (change.isWanted) change.emit({ status: role, term, leader })
        this.node?.tellLeader({ leader, term, isSelf: leader === id })
      },
      stall: (durationMs) => {
        log.warn({ durationMs: Math.round(durationMs) }, 'the event loop stood still')
        if (stall.isWanted) stall.emit({ durationMs })
        this.node?.tell('stall', { durationMs })
      },
      snapshot: ({ meta, sizeBytes, durationMs }) => {
        log.info({ index: meta.index, sizeBytes, durationMs: Math.round(durationMs) }, 'snapshot taken')
        if (created.isWanted) created.emit({ index: meta.index, sizeBytes, durationMs })
      },
      failed: (error) => void this.node?.stop({ reason: 'failed', error }),
    }
  }

  #running(): ReplicatedLog {
    if (this.driver === undefined) throw notReady()
    return this.driver
  }

  #runningNode(): Store {
    if (this.node === undefined) throw notReady()
    return this.node
  }
}

class OpenNode extends Kv implements Concord {
  readonly closed: Promise<Closed>
  readonly #assembly: Assembly
  readonly #driver: Driver
  readonly #storage: NodeStorage
  readonly #listeners = new Map<keyof ConcordEvents, Set<(event: never) => void>>()
  #resolveClosed!: (closed: Closed) => void
  #stopping: Promise<void> | undefined
  #lastError: Error | undefined
  #wasReady = false

  constructor(assembly: Assembly, driver: Driver, storage: NodeStorage, id: string) {
    const { config, host, rules } = assembly
    super({
      log: driver,
      door: new Door(host.hooks),
      rules,
      iteratorBytes: config.limits.iteratorBytes,
      status: () => this.#status(id),
    })
    this.#assembly = assembly
    this.#driver = driver
    this.#storage = storage
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve
    })
  }

  async ready(options: CallOptions = {}): Promise<void> {
    const { timeoutMs = this.#assembly.config.timeoutMs, signal } = options
    try {
      await this.#driver.readPoint('strong', 0, { deadlineMs: this.#driver.nowMs() + timeoutMs, signal })
    } catch (error) {
      if (!ConcordError.is(error) || error.code !== 'NO_LEADER') throw error
      throw new ConcordError('NOT_READY', `no leader is known after ${timeoutMs} ms`, { cause: error })
    }
  }

  plugin<R extends PluginName | Plugin>(ref: R): ServiceOf<R> {
    return this.#assembly.host.service(ref) as ServiceOf<R>
  }

  on<E extends keyof ConcordEvents>(event: E, fn: (event: ConcordEvents[E]) => void): () => void {
    const listeners = this.#listeners.get(event) ?? new Set()
    this.#listeners.set(event, listeners.add(fn as (event: never) => void))
    return () => void listeners.delete(fn as (event: never) => void)
  }

  close(): Promise<void> {
    return this.stop({ reason: 'closed' })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Runs a plugin's verb of the command line on this node. */
  runCommand: PluginHost['runCommand'] = (name, call) => this.#assembly.host.runCommand(name, call)

  tellLeader(event: ConcordEvents['leader']): void {
    this.#assembly.host.hooks.leader.call(event)
    this.tell('leader', event)
    if (this.#wasReady || event.leader === null) return
    this.#wasReady = true
    this.tell('ready', { revision: this.#driver.machine.revision })
  }

  tell<E extends keyof ConcordEvents>(event: E, payload: ConcordEvents[E]): void {
    if (event === 'stall') this.#assembly.host.hooks.stall.call(payload as ConcordEvents['stall'])
    for (const fn of this.#listeners.get(event) ?? []) {
      try {
        ;(fn as (event: ConcordEvents[E]) => void)(payload)
      } catch (error) {
        this.#assembly.nodeLog.log.error({ err: error, event }, 'a listener of db.on failed')
      }
    }
  }

  stop(why: Closed): Promise<void> {
    this.#stopping ??= this.#stop(why)
    return this.#stopping
  }

  /** Takes no more work, finishes what is under way, closes plugins in reverse, then the files. */
  async #stop(why: Closed): Promise<void> {
    const { host, nodeLog, config } = this.#assembly
    const failed = why.error !== undefined
    this.#lastError = why.error
    if (failed) nodeLog.log.fatal({ err: why.error }, 'the node has failed and stops')
    const report = (error: unknown): void => nodeLog.log.error({ err: error }, 'while stopping')
    await host.drain().catch(report)
    await this.#driver.drain(this.#driver.nowMs() + config.shutdownMs)
    await host.close().catch(report)
    await this.#driver.stop(why.error)
    await this.#storage.close(!failed).catch(report)
    host.hooks.stopped.call(why)
    this.tell('stopped', why)
    nodeLog.flush()
    this.#resolveClosed(why)
  }

  #status(id: string): Status {
    const { config, host } = this.#assembly
    const { name, incarnation, clusterId } = this.#storage
    const { machine } = this.#driver
    const { storage } = config
    const error = this.#lastError
    return {
      ...this.#driver.status(),
      node: { id, name, incarnation },
      clusterId,
      version: VERSION,
      clusterTime: machine.clusterTime,
      revision: machine.revision,
      keys: machine.users.count,
      stateHash: { hash: stateHash(machine), index: machine.appliedIndex },
      unsafe: unsafeSettings(config),
      plugins: host.names,
      lastError: error === undefined ? null : { code: codeOf(error), message: error.message },
      storage:
        storage === 'memory'
          ? { kind: 'memory', dir: null, fsync: 'never' }
          : { kind: 'file', dir: storage.dir, fsync: storage.fsync },
    }
  }
}

/** What a node stands on: its files, or nothing that lasts. */
interface NodeStorage {
  readonly name: string
  readonly incarnation: string
  readonly clusterId: string
  readonly founders: Membership
  readonly createdAt: number
  readonly log: LogStore
  readonly snapshots: SnapshotStore
  close(clean: boolean): Promise<void>
}

async function openStorage({ node, storage }: ResolvedConfig): Promise<NodeStorage> {
  if (storage === 'memory') return inMemory(node.id)
  const opened = await openFileStorage({
    name: node.id,
    clock: systemClock,
    entropy: systemEntropy,
    dir: storage.dir,
    fsync: storage.fsync,
    fsyncIntervalMs: storage.intervalMs,
    segmentBytes: storage.segmentBytes,
  })
  const { name, incarnation } = opened.identity
  if (opened.identity.founders === null) {
    await opened.updateIdentity({ clusterId: systemEntropy.id(), founders: clusterOfOne(name, incarnation) })
  }
  // The only copy there is: nobody else could tell what is missing, or vote in its place.
  if (opened.dirtyRelaxed) await opened.settle()
  const { clusterId, founders, createdAt } = opened.identity
  const { log, snapshots } = opened
  const close = (clean: boolean): Promise<void> => opened.close(clean)
  return { name, incarnation, clusterId, founders: founders as Membership, createdAt, log, snapshots, close }
}

/** A new incarnation at every start: it has forgotten its votes. */
function inMemory(name: string): NodeStorage {
  const incarnation = systemEntropy.id()
  const { log, snapshots } = openMemoryStorage()
  return {
    name,
    incarnation,
    clusterId: systemEntropy.id(),
    founders: clusterOfOne(name, incarnation),
    createdAt: systemClock.wallMs(),
    log,
    snapshots,
    close: async (clean) => {
      await log.close(clean)
      await snapshots.close()
    },
  }
}

/** A cluster of one is founded by its only member. */
function clusterOfOne(name: string, incarnation: string): Membership {
  const id = `${name}/${incarnation}`
  const members = { [id]: { name, incarnation, address: '' } }
  return { voters: [id], outgoing: [], learners: [], members, removed: [] }
}

function raftConfig({ raft, limits, snapshot }: ResolvedConfig, id: string): RaftConfig {
  return {
    id,
    electionTimeoutMs: raft.electionTimeoutMs,
    heartbeatMs: raft.heartbeatMs,
    leaseMs: raft.leaseMs,
    driftMs: DRIFT_MS,
    maxMessageBytes: limits.entryBytes,
    inflightBytes: 4 * limits.entryBytes,
    maxReadyBytes: MIB,
    retainBytes: snapshot.keepBytes,
    seed: Math.floor(systemEntropy.random() * 2 ** 32),
  }
}

function unsafeSettings({ storage }: ResolvedConfig): string[] {
  if (storage === 'memory') return ['storage: "memory": everything is gone when the process ends']
  if (storage.fsync === 'always') return []
  return [
    `storage.fsync: "${storage.fsync}": acknowledged writes survive a crash of the process, not of the machine`,
  ]
}

const notReady = (): ConcordError => new ConcordError('NOT_READY', 'the node is still starting')

const codeOf = (error: Error): string => (ConcordError.is(error) ? error.code : error.name)

/** A store that plugins hold from `setup` on, and may call once the node runs. */
function lateStore(node: () => Store): Store {
  return new Proxy({} as Store, {
    get: (_, property) => {
      if (property === 'then') return undefined
      return (...args: unknown[]) => {
        try {
          const store = node() as unknown as Record<PropertyKey, (...args: unknown[]) => unknown>
          return store[property]?.(...args)
        } catch (error) {
          return Promise.reject(error as Error)
        }
      }
    },
  })
}
