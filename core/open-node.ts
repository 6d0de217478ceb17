/**
 * A node that runs in this process: the store, and around it what only the process itself can ask for:
 * readiness, events, plugins' services, the end.
 */
import { IN_DOUBT } from './accept-loss.ts'
import { type CallRules, OPTIONS, checkCall } from './store/calls.ts'
import { describe } from './found.ts'
import type { ResolvedConfig } from './config/index.ts'
import { ApiEvents } from './store/api-events.ts'
import { Door } from './store/door.ts'
import { ConcordError, messageOf } from './errors.ts'
import type { NodeEvents } from './hook-events.ts'
import { ToldKv } from './store/told-kv.ts'
import { UnsureLog } from './store/unsure-log.ts'
import type { NodeLog } from './log.ts'
import { createBudget, pluginSpace, stateHash } from './machine/index.ts'
import type { Driver } from './node/driver.ts'
import type { NodeStorage } from './node-storage.ts'
import type { PluginHost } from './host/host.ts'
import type { Plugin, PluginName, ServiceOf } from './plugin.ts'
import type { Clock, Failure, Timer } from './ports.ts'
import type { LocalReads, Store } from './store.ts'
import type { Telemetry } from './telemetry.ts'
import type { CallOptions, Closed, Status } from './types.ts'
import type { Endpoint } from './endpoint/server.ts'
import type { Visitors } from './endpoint/visitors.ts'
import { VERSION } from './version.ts'

/** What `db.on` tells. */
export interface ConcordEvents extends Omit<NodeEvents, 'started'> {
  /** A leader is known, and this node has caught up with what was committed when it started. */
  ready: { readonly revision: number }
}

/** A node in this process, and the store on it. */
export interface Concord extends Store, AsyncDisposable {
  /** Synchronous reads of this node's applied state. */
  readonly local: LocalReads
  /**
   * Resolves once a leader is known and this node has caught up.
   *
   * @throws `NOT_READY` - not within `timeoutMs` (default 5000); try again. `STOPPED`, `AbortError`.
   */
  ready(options?: CallOptions): Promise<void>
  /** What the plugin's `setup` returned. Throws `PLUGIN_NOT_ENABLED`, or `PLUGIN_UNKNOWN` with a suggestion. */
  plugin<R extends PluginName | Plugin>(ref: R): ServiceOf<R>
  /**
   * `fn` is called synchronously; what it throws is logged. Whoever comes late for `ready` is told at
   * once. Returns the way out.
   */
  on<E extends keyof ConcordEvents>(event: E, fn: (event: ConcordEvents[E]) => void): () => void
  /** Resolves when this node has stopped, whatever the reason; never rejects. */
  readonly closed: Promise<Closed>
  /**
   * Finishes what is under way (at most `shutdownMs`), closes the plugins in reverse, marks the log as
   * cleanly stopped. Calls that come later reject with `STOPPED`. May be called again. A disk that does not
   * answer is given up after another `shutdownMs`; the directory then stays locked until it does.
   */
  close(): Promise<void>
}

/** What a node is made of. */
export interface NodeParts {
  readonly config: ResolvedConfig
  readonly clock: Clock
  readonly host: PluginHost
  readonly rules: CallRules
  readonly nodeLog: NodeLog
  readonly telemetry: Telemetry
  /** The way to other nodes; none on a node alone. */
  readonly peers: { close(): Promise<void> } | undefined
}

const EVENTS: readonly (keyof ConcordEvents)[] = ['leader', 'ready', 'stall', 'stopped']

export class OpenNode extends ToldKv implements Concord {
  readonly closed: Promise<Closed>
  readonly forPlugins: Store
  /** For whoever comes by the node's own socket. */
  readonly forClients: ToldKv & { readonly runCommand: PluginHost['runCommand'] }
  readonly #parts: NodeParts
  readonly #driver: Driver
  readonly #storage: NodeStorage
  readonly #listeners = new Map<keyof ConcordEvents, Set<(event: never) => void>>()
  #resolveClosed!: (closed: Closed) => void
  #stopping: Promise<void> | undefined
  #lastError: Error | undefined
  /** Of this run. */
  #failure: Failure | undefined
  #wasReady = false
  #saidUnguarded = false
  #endpoint: Endpoint | undefined
  #visitors: Visitors | undefined

  constructor(parts: NodeParts, driver: Driver, storage: NodeStorage, id: string) {
    const { config, host, rules } = parts
    const hasForgotten = config.plugins['auth'] !== false && !host.names.includes('auth')
    const shared = {
      log:
        hasForgotten && config.cluster !== undefined
          ? new UnsureLog(driver, () => this.#unguarded())
          : driver,
      door: new Door(host.hooks, () => driver.machine, config.limits.queueBytes),
      rules,
      events: new ApiEvents(parts.telemetry, rules.nowMs),
      iterators: createBudget(config.limits.iteratorBytes),
      status: () => this.#status(id),
    }
    super({ ...shared, refusal: () => this.#refusal() })
    // Plugins finish their work after the door has closed to everybody else.
    this.forPlugins = new ToldKv({
      ...shared,
      rules: { ...rules, caller: 'plugin' },
      refusal: () => this.#unguarded(),
    })
    const forClients = new ToldKv({
      ...shared,
      rules: { ...rules, caller: 'client' },
      refusal: () => this.#refusal(),
    })
    this.forClients = Object.assign(forClients, { runCommand: this.runCommand })
    this.#parts = parts
    this.#driver = driver
    this.#storage = storage
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve
    })
  }

  async ready(options?: CallOptions): Promise<void> {
    const call = checkCall(this.#parts.rules, {}, options, OPTIONS.call)
    try {
      await this.#driver.readPoint('strong', 0, call)
    } catch (error) {
      if (!ConcordError.is(error) || error.code !== 'NO_LEADER') throw error
      throw new ConcordError('NOT_READY', 'no leader is known in time', { cause: error })
    }
  }

  plugin<R extends PluginName | Plugin>(ref: R): ServiceOf<R> {
    return this.#parts.host.service(ref) as ServiceOf<R>
  }

  on<E extends keyof ConcordEvents>(event: E, fn: (event: ConcordEvents[E]) => void): () => void {
    if (!EVENTS.includes(event) || typeof fn !== 'function') {
      throw new ConcordError(
        'INVALID_ARGUMENT',
        `db.on: found ${describe(event)} and ${describe(fn)}, expected one of ${EVENTS.join(', ')} and a function`,
      )
    }
    const listeners = this.#listeners.get(event) ?? new Set()
    this.#listeners.set(event, listeners.add(fn))
    if (event === 'ready' && this.#wasReady) {
      queueMicrotask(() =>
        this.#call(event, fn, { revision: this.#driver.machine.revision } as ConcordEvents[E]),
      )
    }
    return () => void listeners.delete(fn)
  }

  close(): Promise<void> {
    return this.stop({ reason: 'closed' })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Runs a plugin's verb of the command line on this node. */
  runCommand: PluginHost['runCommand'] = (name, call) => this.#parts.host.runCommand(name, call)

  /** Where other processes reach this node. */
  get socketPath(): string | undefined {
    return this.#endpoint?.path
  }

  /** They go when the node does. */
  attach(visitors: Visitors): void {
    this.#visitors = visitors
    if (this.#stopping !== undefined) void this.#stopping.then(() => visitors.close())
  }

  /** The endpoint closes with the node, before its directory is let go of. */
  attachSocket(endpoint: Endpoint | undefined): void {
    this.#endpoint = endpoint
    if (this.#stopping !== undefined) void this.#stopping.then(() => endpoint?.close())
  }

  tellLeader(event: ConcordEvents['leader']): void {
    this.#parts.host.hooks.leader.call(event)
    this.tell('leader', event)
    if (this.#wasReady || event.leader === null) return
    this.#wasReady = true
    this.tell('ready', { revision: this.#driver.machine.revision })
  }

  tell<E extends keyof ConcordEvents>(event: E, payload: ConcordEvents[E]): void {
    if (event === 'stall') this.#parts.host.hooks.stall.call(payload as ConcordEvents['stall'])
    for (const fn of this.#listeners.get(event) ?? []) this.#call(event, fn, payload)
  }

  #call<E extends keyof ConcordEvents>(
    event: E,
    fn: (payload: never) => void,
    payload: ConcordEvents[E],
  ): void {
    try {
      fn(payload as never)
    } catch (error) {
      this.#parts.nodeLog.log.error({ err: error, event }, 'a listener of db.on failed')
    }
  }

  stop(why: Closed): Promise<void> {
    this.#stopping ??= this.#stop(why)
    return this.#stopping
  }

  #refusal(): Error | undefined {
    if (this.#stopping === undefined) return this.#unguarded()
    return new ConcordError('STOPPED', 'this node is closed, or about to be', { cause: this.#lastError })
  }

  /** Why nobody from elsewhere is let in, as far as is known by now. */
  get refusalOfStrangers(): ConcordError | undefined {
    return this.#unguarded()
  }

  /** The others ask for tokens: a node whose config has forgotten them is no way around. It votes and applies on. */
  #unguarded(): ConcordError | undefined {
    const { config, host } = this.#parts
    if (config.plugins['auth'] === false || host.names.includes('auth') || !this.#hasTokens) return undefined
    if (!this.#saidUnguarded) this.#parts.nodeLog.log.error(UNGUARDED)
    this.#saidUnguarded = true
    return new ConcordError('UNSUPPORTED', UNGUARDED)
  }

  get #hasTokens(): boolean {
    return (pluginSpace(this.#driver.machine, 'auth')?.count ?? 0) > 0
  }

  /** Takes no more work, finishes what is under way, closes plugins in reverse, then the files. Never rejects. */
  async #stop(why: Closed): Promise<void> {
    try {
      await this.#windDown(why)
    } catch (error) {
      this.#parts.nodeLog.log.error({ err: error }, 'while stopping')
    } finally {
      this.#resolveClosed(why)
    }
  }

  async #windDown(why: Closed): Promise<void> {
    const { host, nodeLog, config, clock } = this.#parts
    this.#lastError = why.error
    if (why.error !== undefined) {
      this.#failure = { code: codeOf(why.error), message: messageOf(why.error), at: clock.wallMs() }
    }
    if (why.error !== undefined) nodeLog.log.fatal({ err: why.error }, 'the node has failed and stops')
    const report = (error: unknown): void => nodeLog.log.error({ err: error }, 'while stopping')
    await host.drain().catch(report)
    await this.#driver.changes.yieldLeadership(config.shutdownMs / 2).catch(report)
    await this.#driver.drain(config.shutdownMs).catch(report)
    host.hooks.stopped.call(why)
    await host.close().catch(report)
    await within(clock, config.shutdownMs, this.#letGo(why.error === undefined, report)).catch(report)
    this.tell('stopped', why)
    nodeLog.flush()
  }

  /** Whatever fails on the way, the directory is let go of: last, when nobody uses it any more. */
  async #letGo(clean: boolean, report: (error: unknown) => void): Promise<void> {
    await this.#driver.stop(this.#lastError).catch(report)
    await this.#visitors?.close().catch(report)
    await this.#endpoint?.close().catch(report)
    await this.#parts.peers?.close().catch(report)
    await this.#recordFailure().catch(report)
    await this.#storage.close(clean)
  }

  /**
   * For whoever looks after the next start. A state that is not that of the others is never to be started on again.
   * A disk that has failed is not asked to write that down.
   */
  async #recordFailure(): Promise<void> {
    const failure = this.#failure
    if (failure === undefined || failure.code.startsWith('STORAGE_')) return
    const { code, message } = failure
    await this.#storage.identity.update({ failure, ...(code === 'DIVERGED' ? { quarantine: message } : {}) })
  }

  #openDoor(): string[] {
    return this.#parts.config.plugins['auth'] === false && this.#hasTokens ? [OPEN_DOOR] : []
  }

  #status(id: string): Status {
    const { config, host } = this.#parts
    const { name, incarnation, clusterId } = this.#storage.identity
    const { machine } = this.#driver
    const { storage } = config
    return {
      ...this.#driver.status(),
      node: { id, name, incarnation },
      clusterId,
      version: VERSION,
      clusterTime: machine.clusterTime,
      revision: machine.revision,
      keys: machine.users.count,
      settings: { ...machine.settings },
      stateHash: { hash: stateHash(machine), index: machine.appliedIndex },
      unsafe: [...unsafeSettings(config), ...host.unsafe, ...this.#openDoor(), ...troubles(this.#driver)],
      plugins: host.names,
      lastError: this.#failure ?? this.#storage.identity.failure ?? null,
      storage:
        storage === 'memory'
          ? { kind: 'memory', dir: null, fsync: 'never' }
          : { kind: 'file', dir: storage.dir, fsync: storage.fsync },
    }
  }
}

/** A disk may hang for ever, a node that stops may not. */
async function within(clock: Clock, timeoutMs: number, work: Promise<void>): Promise<void> {
  let timer: Timer
  const late = new Promise<never>((_, reject) => {
    const why = `the disk has not answered for ${timeoutMs} ms; the directory stays locked until it does`
    timer = clock.after(timeoutMs, () => reject(new ConcordError('STORAGE_FAILED', why)), { keepAlive: true })
  })
  await Promise.race([work, late]).finally(() => clock.cancel(timer))
}

const UNGUARDED =
  'this cluster has tokens, and this node would let everybody in: turn plugins.auth on, or say plugins: { auth: false }'
const OPEN_DOOR = 'plugins.auth: false: this cluster has tokens, and whoever reaches this node needs none'

const FULL = 'the volume of storage.dir is full: new writes are refused until there is space for the log'

/** What is wrong now, and may heal. */
const troubles = ({ isFull, isTailInDoubt }: Driver): string[] => [
  ...(isFull ? [FULL] : []),
  ...(isTailInDoubt ? [IN_DOUBT] : []),
]

function unsafeSettings({ storage, cluster }: ResolvedConfig): string[] {
  const unsafe: string[] = []
  if (storage === 'memory') unsafe.push('storage: "memory": everything is gone when the process ends')
  else if (storage.fsync !== 'always') {
    unsafe.push(
      `storage.fsync: "${storage.fsync}": acknowledged writes survive a crash of the process, not of the machine`,
    )
  }
  if (cluster !== undefined && cluster.secret === undefined && cluster.tls === undefined) {
    unsafe.push(
      'cluster: neither secret nor tls: peers are not authenticated, and what they say is not encrypted',
    )
  }
  return unsafe
}

const codeOf = (error: Error): string => (ConcordError.is(error) ? error.code : error.name)
