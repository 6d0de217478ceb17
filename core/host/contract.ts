/**
 * What a plugin and its host promise each other, as types: the definition, the context that `setup` gets, slices,
 * commands; and the registry by which a plugin's name has a type. `core/plugin.ts` gives all of it to plugins.
 */
import type { Socket } from 'node:net'
import type { Logger } from 'pino'
import type { ConcordError } from '../errors.ts'
import type { Access, NodeEvents } from '../hook-events.ts'
import type { PluginHooks } from '../hooks.ts'
import type { Clock } from '../ports.ts'
import type { Store } from '../store.ts'
import type { OfferedRoute, Route, RoutePermission } from './routes.ts'
import type { PluginTelemetry } from '../telemetry.ts'
import type {
  DeleteResult,
  Entry,
  Key,
  PutOptions,
  PutResult,
  ReadOptions,
  Revision,
  TxnRequest,
  Value,
  WriteOptions,
} from '../types.ts'

/**
 * Which plugins there are, by name. A plugin adds itself, and is then known to `defineConfig`,
 * `db.plugin` and `ctx.plugin`:
 *
 * `declare module 'concord-kv/plugin' { interface PluginRegistry { acme: typeof acme } }`
 */
// oxlint-disable-next-line typescript/no-empty-object-type
export interface PluginRegistry {}

/** A plugin's definition, as others see it: frozen data. What it holds beside name and version is the host's. */
export interface Plugin<out N extends string = string, out O = unknown, out S = unknown> {
  /** By which config, `db.plugin` and the command line know it. */
  readonly name: N
  /** Semantic version. */
  readonly version: string
  /** Types only, never there at run time. */
  readonly '~options'?: O
  /** Types only, never there at run time. */
  readonly '~service'?: S
}

/** Names of the plugins whose types are known here. */
export type PluginName = keyof PluginRegistry & string

/** What a config may write under `plugins.<name>`. */
export type OptionsOf<N extends PluginName> =
  PluginRegistry[N] extends Plugin<string, infer O, unknown> ? O : never

/** What `db.plugin(ref)` and `ctx.plugin(ref)` give: what the plugin's `setup` returned. */
export type ServiceOf<R> = R extends PluginName
  ? PluginRegistry[R] extends Plugin<string, unknown, infer S>
    ? S
    : never
  : R extends Plugin<string, unknown, infer S>
    ? S
    : never

/** The config's field `plugins`: on, off, or on with these options. */
export type PluginsConfig = { readonly [N in PluginName]?: boolean | OptionsOf<N> | undefined }

/** The config's field `use`: where the code of third parties comes from. */
export type UseConfig = readonly (Plugin | string | false | null | undefined)[]

/** What a plugin without options may be given. */
export type NoOptions = { readonly [option: string]: never }

/** A JSON Schema (2020-12) of type `object`, as plain data. */
export type JsonSchema = { readonly [keyword: string]: unknown }

/** `Written` is what a config may say, `Full` what `setup` gets: validated, with defaults filled in. */
export interface OptionsSchema<Written extends object, Full = Written> {
  /** As it was given. */
  readonly json: JsonSchema
  /** Types only, never there at run time. */
  readonly '~types'?: (written: Written) => Full
}

// ------------------------------------------------------------------------------------------ the machine

/** A slice's own replicated keys. Values are copies: changing one changes nothing until it is `put`. */
export interface SliceSpace {
  /** Undefined when the key is absent. */
  get<T = unknown>(key: Key): T | undefined
  /** Throws `INVALID_KEY`, `INVALID_VALUE` or `VALUE_TOO_LARGE`; on every node alike. */
  put(key: Key, value: Value): void
  /** Whether the key was there. */
  delete(key: Key): boolean
  /** In key order. */
  scan<T = unknown>(options?: ScanOptions): Iterable<{ readonly key: Key; readonly value: T }>
}

/** Which keys of a plugin are gone through. */
export interface ScanOptions {
  /** Only keys that start with this; default all. */
  readonly prefix?: string | undefined
  /** Only keys after this one. */
  readonly after?: Key | undefined
  /** At most this many; default all. */
  readonly limit?: number | undefined
}

/** All that a command may know of the world; the same on every node. */
export interface ApplyMeta {
  /** Of the entry in the log. */
  readonly index: number
  /** Of the store before this command. */
  readonly revision: Revision
  /** The cluster's duration clock, as stamped in the entry; in ms. */
  readonly clusterTime: number
  /** The leader's wall clock when the entry was appended, in ms since 1970 UTC. */
  readonly wallTime: number
  /** Who proposed it, when a plugin at the door knew. */
  readonly actor: string | undefined
  /** Of the slice on the node that proposed the command: perhaps older than this one. */
  readonly version: number
}

/**
 * A plugin's part of the replicated state: named, versioned commands over its own space.
 *
 * `apply` runs on every node, for every command, in log order, and again after a restart. It must be
 * pure and synchronous: no clock, no randomness, no I/O, no state of its own. What it refuses it says
 * in its result; if it throws, it throws on every node, and every node stops.
 */
export interface Slice<Command, Result> {
  /**
   * Whole number from 1, raised when the commands or the state change. The code understands its own
   * version and all before it: logs and snapshots are older than programs.
   */
  readonly version: number
  /**
   * What it returns is the result of the call that proposed the command: a value, as the store keeps them,
   * or undefined. What it throws, a promise, and what is no value stop the node with `PLUGIN_FAILED`; `space` is
   * there until it returns.
   */
  apply(space: SliceSpace, command: Command, meta: ApplyMeta): Result
}

// ------------------------------------------------------------------------------------------ the context

/** A pino logger. */
export type Log = Logger

/** The plugin's own replicated keys, beside the users' and not visible among them. */
export interface PluginSpace {
  /** As `store.get`; no hook sees it. */
  get<T = unknown>(key: Key, options?: ReadOptions): Promise<T | undefined>
  /** As `store.put`; no hook sees it. */
  put(key: Key, value: Value, options?: PutOptions): Promise<PutResult>
  /** As `store.delete`; no hook sees it. */
  delete(key: Key, options?: WriteOptions): Promise<DeleteResult>
  /**
   * Many keys as one change, if the keys in `compare` are at these revisions (0: absent): `success` is puts and deletes.
   * Resolves with whether it was so. No hook sees it.
   */
  txn(
    request: Pick<TxnRequest, 'compare' | 'success'>,
    options?: WriteOptions,
  ): Promise<{ readonly succeeded: boolean; readonly revision: Revision }>
  /** As `store.getEntry`; no hook sees it. */
  getEntry<T = unknown>(key: Key, options?: ReadOptions): Promise<Entry<T> | undefined>
  /** In key order, one page at a time; not one moment, unlike `store.entries`. */
  scan<T = unknown>(options?: ScanOptions): AsyncIterable<{ readonly key: Key; readonly value: T }>
  /** This node's applied state, at once: for synchronous hooks. Perhaps behind the leader's. */
  readonly local: {
    get<T = unknown>(key: Key): T | undefined
    /** Of the key's last change; 0 when it is absent. */
    revision(key: Key): Revision
    scan<T = unknown>(options?: ScanOptions): Iterable<{ readonly key: Key; readonly value: T }>
  }
}

/** What a plugin works with. Given to `setup`; good until the plugin is closed. */
export interface Context<Command = never, Result = never> {
  /** The plugin's own. */
  readonly name: string
  /** A pino logger that names the plugin. Values, tokens and secrets are redacted by field name. */
  readonly log: Log
  /** Tap only during `setup`. */
  readonly hooks: PluginHooks
  /** Window: what happens to this node. Only during `setup`. */
  on<E extends keyof NodeEvents>(event: E, fn: (event: NodeEvents[E]) => void): void
  /** Every call rejects with `NOT_READY` before the node runs: use it from `onReady` on. */
  readonly store: Store
  /** The plugin's own replicated keys. Good from `onReady` on, as the store. */
  readonly space: PluginSpace
  /** The commands of the plugin's own slice. */
  readonly slice: {
    /**
     * Proposes a command to this plugin's slice; resolves with what `apply` returned, once a quorum has
     * it on disk and this node has applied it. Rejects as a write does.
     */
    propose(command: Command, options?: WriteOptions): Promise<Result>
  }
  /**
   * Whether whoever has this token may do something that is no call of the store; resolves with who it is.
   *
   * @param access what it needs; nothing: any token that is known will do.
   * @throws `UNAUTHORIZED`, `FORBIDDEN`, or what the read rejects with that it is judged on. Nothing was done.
   */
  authorize(
    operation: string,
    access: readonly Access[],
    token: string | undefined,
  ): Promise<{ readonly actor: string | undefined }>
  /**
   * How long ago this node's state was known to be what a leader has, in ms: since a follower heard its leader and
   * applied what that had committed, since a quorum answered a leader. Infinity: not since it started.
   */
  contactMs(): number
  /** For connections that the plugin has taken: the protocol of the node's own socket, spoken over them. */
  readonly endpoint: EndpointPort
  /** Only during `setup`: a setting that trades safety away, in words, for the log and `status().unsafe`. */
  unsafe(text: string): void
  /** Where clients find this plugin on this node: `cluster.status()` of any node has it, in `state.urls`. */
  reachedAt(url: string): void
  /** What the plugin offers over HTTP, and what all plugins offer: complete from `onReady` on. */
  readonly routes: {
    /**
     * Only during `setup`.
     *
     * @throws `PLUGIN_INVALID` - the route has no permission, or another plugin has it.
     */
    add(route: Route): void
    readonly all: readonly OfferedRoute[]
  }
  /** Events of this node, to hear and to add to. */
  readonly telemetry: PluginTelemetry
  /** Take time from here: tests run plugins under a clock of their own. */
  readonly clock: Clock
  /** Aborts when this plugin is closed, just before its `onClose` functions run. */
  readonly signal: AbortSignal
  /**
   * The service of another plugin, which must be named in `requires` or `after`. Throws
   * `PLUGIN_NOT_ENABLED` when it is not there, or gives undefined if `optional`.
   */
  plugin<R extends PluginName | Plugin>(ref: R): ServiceOf<R>
  plugin<R extends PluginName | Plugin>(
    ref: R,
    options: { readonly optional: true },
  ): ServiceOf<R> | undefined
  /** Runs once the node has recovered and its store can be called; plugin after plugin. */
  onReady(fn: () => void | Promise<void>): void
  /** Runs first when the node closes: take no more work, finish what is under way. Last plugin first. */
  onDrain(fn: () => void | Promise<void>): void
  /** Runs last: let go of everything. Latest function first, last plugin first. */
  onClose(fn: () => void | Promise<void>): void
}

// ------------------------------------------------------------------------------------------ commands

/** A word that a verb takes, by its place. */
export interface CommandArgument {
  /** Under which the call has it, and `--help` shows it. */
  readonly name: string
  /** One line of `--help`. */
  readonly summary: string
  /** Default true. Optional ones come last. */
  readonly required?: boolean | undefined
  /** Takes all that is left; only the last. The call then has an array of strings. */
  readonly variadic?: boolean | undefined
}

/** A `--name` that a verb takes. */
export interface CommandOption {
  /**
   * A boolean takes no value; what is no `number` is refused before `run`. A `duration` is written as `500ms`, `30s`,
   * `5m`, `2h` or `7d`, or as a number of seconds, more than 0; the call has the seconds.
   */
  readonly type: 'string' | 'number' | 'duration' | 'boolean'
  /** One line of `--help`. */
  readonly summary: string
  /** What the call has when it is not given; without one, undefined. */
  readonly default?: string | number | boolean | undefined
}

/** Lets other processes speak with the node as they do by its own socket. */
export interface EndpointPort {
  /** Why nobody more is let in now; undefined: the next one is. */
  readonly refusal: ConcordError | undefined
  /**
   * Takes over a connection, whatever came before on it. Every call on it is judged by its token as one by the node's
   * own socket is, and what needs that socket is refused. `finish` answers what is under way, and closes.
   */
  accept(socket: Socket): { finish(): Promise<void> }
}

/** One call of a verb, as `run` gets it. */
export interface CommandCall<Service = unknown> {
  /** What `setup` returned on the node that runs this. */
  readonly service: Service
  /** The store, as the person who typed the command may use it. */
  readonly store: Store
  /** What the person has shown to be let in: for services that judge by it, never for a log. */
  readonly token: string | undefined
  /** Who calls, if somebody has judged that. */
  readonly actor: string | undefined
  /** It came by the node's own socket, which only the user who runs the node can open: not over a network. */
  readonly isLocal: boolean
  /** For verbs that are `public` and need more for some of what they do. Throws as `Context.authorize`. */
  authorize(access: readonly Access[]): Promise<{ readonly actor: string | undefined }>
  /** By their names; those that were not given are undefined. */
  readonly arguments: Readonly<Record<string, string | readonly string[] | undefined>>
  /** By their long names, without the dashes. */
  readonly options: Readonly<Record<string, string | number | boolean | undefined>>
  /** Aborts when the person gives up, or the connection is lost. */
  readonly signal: AbortSignal
}

/**
 * A verb of the `concord` command. All but `run` is data, so that help and parsing need neither a
 * node nor `setup`; `run` is called on the node that the command is connected to.
 */
export interface PluginCommand<Service = unknown> {
  /** The words after `concord`. The first is the plugin's name: `acme tickets`. */
  readonly name: string
  /** One line of `--help`. */
  readonly summary: string
  /** In their order. */
  readonly arguments?: readonly CommandArgument[] | undefined
  /** By long name, without the dashes. */
  readonly options?: { readonly [name: string]: CommandOption } | undefined
  /**
   * What a person has to be allowed, when auth is on: a permission on the cluster; `token`: any that is known;
   * `store`: nothing but what `call.store` asks for; `public`: nothing, the verb judges by itself. Default `admin`.
   */
  readonly permission?: RoutePermission | undefined
  /** A question for a verb that destroys; asked on a terminal, or answered by `--yes`. */
  readonly confirm?: string | undefined
  /**
   * What to print: a value the store could hold; an array of records is a table. An async iterable is
   * printed as it comes, a record at a time.
   */
  run(call: CommandCall<Service>): unknown
}

// ------------------------------------------------------------------------------------------ definitions

/** The built-in plugins: name -> how to load the module that exports the definition. */
export type BuiltinPlugins = { readonly [name: string]: () => Promise<object> }

/** What `definePlugin` takes. */
export interface PluginDefinition<N extends string, Written extends object, Full, S, Command, Result> {
  /** Lower case letters, digits and dashes, at most 40; the name in config, `db.plugin` and the CLI. */
  readonly name: N
  /** Semantic version of the plugin itself. */
  readonly version: string
  /** The version of this contract that the plugin was written for. */
  readonly apiVersion: 1
  /** What the config may say under the plugin's name. Without it: nothing. */
  readonly options?: OptionsSchema<Written, Full> | undefined
  /** Plugins that must be there, and are set up before this one. */
  readonly requires?: readonly string[] | undefined
  /** Plugins that are set up before this one if they are there. */
  readonly after?: readonly string[] | undefined
  /**
   * Options that this plugin understands in the store's calls (`db.put(key, value, { dryRun: true })`). It
   * finds them in `request.options` at the door and checks them there; types come by augmenting
   * `CallOptions`. While the plugin is off they are `INVALID_OPTION`.
   */
  readonly callOptions?: readonly string[] | undefined
  /** The plugin's part of the replicated state. */
  readonly slice?: Slice<Command, Result> | undefined
  /** Taps the hooks, opens nothing that needs the store, returns the service. */
  setup(ctx: Context<Command, Result>, options: Full): S | Promise<S>
  /** Verbs of the `concord` command, under the plugin's name. */
  readonly commands?: readonly PluginCommand<NoInfer<Awaited<S>>>[] | undefined
}
