/**
 * What Concord tells of itself: every event and its payload in one catalogue, and the emitter.
 *
 * An emitter belongs to one node. The same events go out on `node:diagnostics_channel`, which is one
 * per process: there the channel is `concord.<event>` and each message names its node. No payload ever
 * holds a value, a token or a secret. Building a payload costs something, so whoever emits asks
 * `isWanted` first.
 */
import { channel, type Channel } from 'node:diagnostics_channel'
import type { ErrorCode } from './errors.ts'
import type { Consistency, Revision } from './types.ts'

/** How an operation ended. `code` is there exactly when `result` is `error`. */
interface Ended {
  /** Milliseconds, fractional. */
  readonly durationMs: number
  readonly result: 'ok' | 'error'
  readonly code?: ErrorCode | 'ABORT_ERR' | undefined
}

interface KeyRead extends Ended {
  readonly key: string
  readonly consistency: Consistency
}

interface KeyWrite extends Ended {
  readonly key: string
}

interface ConditionalWrite extends KeyWrite {
  /** A condition as a function, and as a value. Both false: by revision or absence. */
  readonly hasCondition: boolean
  readonly hasExpected: boolean
}

interface ManyWrites extends Ended {
  readonly batchSize: number
}

/**
 * The catalogue. Names of `api.*` are the store's methods in snake case, as in the metrics.
 * A plugin adds its own by `declare module 'concord-kv/plugin' { interface TelemetryEvents { … } }`.
 */
export interface TelemetryEvents {
  // One per call of the store, on the node where it was made, when it has ended.
  /** `hasTtl`: whether the call gave one. */
  'api.put': KeyWrite & { readonly hasTtl: boolean }
  /** `get`, whatever its consistency. */
  'api.get': KeyRead
  /** `getEntry`. */
  'api.get_with_ttl': KeyRead
  /** `ttl`. */
  'api.ttl': KeyRead
  /** `delete`, whether or not the key was there. */
  'api.delete': KeyWrite
  /** `touch`, whether or not the key was there. */
  'api.touch': KeyWrite
  /** `increment`. */
  'api.increment': KeyWrite
  /** `putIf`; a condition that does not hold is `ok`. */
  'api.put_if': ConditionalWrite
  /** `deleteIf`; a condition that does not hold is `ok`. */
  'api.delete_if': ConditionalWrite
  /** `putMany`. */
  'api.put_many': ManyWrites
  /** `deleteMany`. */
  'api.delete_many': ManyWrites
  /** `touchMany`. */
  'api.touch_many': ManyWrites
  /** `getMany`. */
  'api.get_many': ManyWrites & { readonly consistency: Consistency }
  /** `attempts`: how often a transaction function ran; 1 for one as data. */
  'api.txn': Ended & { readonly attempts: number }
  /** One per entry of the log, on every node, and again when a restart replays it. */
  'operation.apply': {
    readonly index: number
    readonly durationMs: number
    /** Of the entry: all calls that one turn gathered. */
    readonly commands: number
    readonly bytes: number
    readonly replay: boolean
  }
  /** This node's role, term or leader is another. `role` and `leader` are as in `Status`. */
  'state.change': { readonly role: string; readonly term: number; readonly leader: string | null }
  /** Every ten seconds, while anybody listens. `keys`: the users', without those of plugins. */
  'cluster.status': {
    readonly keys: number
    readonly revision: Revision
    readonly memberCount: number
    readonly commitIndex: number
    readonly appliedIndex: number
    readonly isLeader: boolean
  }
  /** A comparison in which not all voters had the same state: an alarm, whoever is right. */
  'state.differs': {
    readonly index: number
    readonly own: string
    readonly hashes: readonly (readonly [id: string, hash: string])[]
  }
  /** The event loop of this process stood still for so long. */
  'node.stall': { readonly durationMs: number }
  /** One per `expire` command that this node proposed as leader. */
  'ttl.cleanup': { readonly durationMs: number; readonly deletedCount: number }
  /** This node has written a snapshot of its own state, up to `index`. */
  'snapshot.created': { readonly index: number; readonly sizeBytes: number; readonly durationMs: number }
  /** This node's state came from its own snapshot, at its start. */
  'snapshot.loaded': { readonly index: number; readonly sizeBytes: number; readonly durationMs: number }
  /** This node's state was replaced by a leader's snapshot, while it ran. */
  'snapshot.installed': { readonly index: number; readonly sizeBytes: number; readonly durationMs: number }
  /** The volume has no room for the log any more, and new writes are refused; or it has some again. */
  'storage.space': { readonly isFull: boolean }
  /** One per write to the log: until it is as durable as the mode asks. */
  'log.append': { readonly entries: number; readonly bytes: number; readonly durationMs: number }
  /** A hook or listener of a plugin threw, or a step of its life failed: each time; the log reports it once. */
  'plugin.failed': { readonly plugin: string; readonly hook: string; readonly message: string }
  /** A hook of a plugin took long: each time; the log reports it once. */
  'plugin.slow': { readonly plugin: string; readonly hook: string; readonly durationMs: number }
}

/** Every name of the catalogue, those of plugins included. */
export type TelemetryName = keyof TelemetryEvents & string

/** What subscribers of the diagnostics channel `concord.<event>` receive. */
export type Published<E extends TelemetryName = TelemetryName> = TelemetryEvents[E] & {
  /** The node that speaks: several may live in one process. */
  readonly node: string
}

/** One event, got once and kept: `if (event.isWanted) event.emit({ … })`. */
export interface TelemetryEvent<P> {
  /** Whether anybody listens: a payload costs something to build. */
  readonly isWanted: boolean
  /** Calls every listener, synchronously. */
  emit(payload: P): void
}

/** Telemetry as a plugin gets it. What it subscribes to ends when the plugin is closed. */
export interface PluginTelemetry {
  /** The same for the same name. */
  event<E extends TelemetryName>(name: E): TelemetryEvent<TelemetryEvents[E]>
  /** `fn` is called synchronously; if it throws, that is counted and reported once. Returns the way out. */
  on<E extends TelemetryName>(name: E, fn: (payload: TelemetryEvents[E]) => void): () => void
}

export interface Telemetry {
  event<E extends TelemetryName>(name: E): TelemetryEvent<TelemetryEvents[E]>
  /** `fn` must not throw: whoever lets strangers in wraps them first. Returns the way out. */
  on<E extends TelemetryName>(name: E, fn: (payload: TelemetryEvents[E]) => void): () => void
}

/** The emitter of one node. */
export function createTelemetry(node: string): Telemetry {
  const emitters = new Map<string, Emitter>()
  const event = (name: string): Emitter => {
    let emitter = emitters.get(name)
    if (emitter === undefined) emitters.set(name, (emitter = new Emitter(name, node)))
    return emitter
  }
  return {
    event: (name) => event(name),
    on: (name, fn) => event(name).add(fn as Listener),
  }
}

type Listener = (payload: object) => void

class Emitter implements TelemetryEvent<object> {
  readonly #node: string
  readonly #channel: Channel
  #listeners: readonly Listener[] = []

  constructor(name: string, node: string) {
    this.#node = node
    this.#channel = channel(`concord.${name}`)
  }

  get isWanted(): boolean {
    return this.#listeners.length > 0 || this.#channel.hasSubscribers
  }

  emit(payload: object): void {
    for (const listener of this.#listeners) listener(payload)
    if (this.#channel.hasSubscribers) this.#channel.publish({ node: this.#node, ...payload })
  }

  add(listener: Listener): () => void {
    const entry: Listener = (payload) => listener(payload)
    this.#listeners = [...this.#listeners, entry]
    return () => {
      this.#listeners = this.#listeners.filter((other) => other !== entry)
    }
  }
}
