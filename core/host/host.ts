/**
 * The life of the plugins of one node: sort -> setup -> seal -> ready … drain -> close in reverse.
 * Resolving comes before (resolve.ts), and so do the options (config/).
 *
 * Every function of a plugin that the host waits for has a time limit, and its error names the plugin
 * and the step. What goes wrong on the way up takes down again what was up; what goes wrong on the way
 * down stops nothing. The host owns no global state: two nodes in one process have two.
 */
import { AbortError, ConcordError, messageOf } from '../errors.ts'
import type { Access } from '../hook-events.ts'
import { createHooks, type HookSet, type Hooks } from '../hooks.ts'
import type { CommandCall, Log, Plugin, PluginCommand, Slice } from './contract.ts'
import { contextOf, type HostPorts, type Installed, type Phase } from './context.ts'
import type { AnyDefinition } from './definition.ts'
import { sortPlugins } from './order.ts'
import { unknownPlugin } from './resolve.ts'
import { Routes, accessFor } from './routes.ts'
import { Steps, throwAll } from './steps.ts'
import type { WindowGuard } from './taps.ts'
import { windowGuard } from './window-guard.ts'
import type { Telemetry } from '../telemetry.ts'

export interface HostOptions {
  /** In the order of the config, each with options that are validated and complete. */
  readonly plugins: readonly { readonly definition: AnyDefinition; readonly options: object }[]
  /** Names of all plugins that could be turned on, for the error about one that is not. */
  readonly known?: Iterable<string> | undefined
  readonly ports: HostPorts
  readonly log: Log
  readonly telemetry: Telemetry
  /** Time limit of each function of `setup`, ready, drain and close. Default 10,000. */
  readonly stepTimeoutMs?: number | undefined
}

/** A call of a verb as it comes in. */
export type CommandInput = Omit<CommandCall, 'service' | 'actor' | 'authorize' | 'isLocal'> & {
  /** Default: not. */
  readonly isLocal?: boolean | undefined
}

const STEP_TIMEOUT_MS = 10_000
const NOBODY = { actor: undefined }

export class PluginHost {
  readonly hooks: Hooks
  /** In the order in which they are set up. */
  readonly names: readonly string[]
  /** To be registered with the machine before anything is applied. */
  readonly slices: readonly ({ readonly name: string } & Slice<unknown, unknown>)[]
  /** Options of the store's calls that belong to plugins: option -> plugin. */
  readonly callOptions: ReadonlyMap<string, string>
  /** How often something of a plugin has thrown at the window, by plugin. */
  readonly failures: ReadonlyMap<string, number>
  readonly #options: HostOptions
  readonly #sorted: HostOptions['plugins']
  readonly #hookSet: HookSet
  readonly #installed = new Map<string, Installed>()
  readonly #guard: WindowGuard
  readonly #routes = new Routes()
  /** Settings of plugins that trade safety away, in words. */
  readonly unsafe: string[] = []
  /** Where clients reach plugins of this node, by their names. */
  readonly urls = new Map<string, string>()
  readonly #steps: Steps
  #phase: Phase = 'new'
  #drained: Promise<void> | undefined
  #closed: Promise<void> | undefined

  /** Throws what `sortPlugins` throws, and `PLUGIN_INVALID` when two plugins want one call option. */
  constructor(options: HostOptions) {
    this.#options = options
    this.#sorted = sortPlugins(options.plugins, options.known)
    this.names = this.#sorted.map(({ definition }) => definition.name)
    this.slices = slicesOf(this.#sorted.map(({ definition }) => definition))
    this.callOptions = ownersOfCallOptions(this.#sorted)
    const failures = new Map<string, number>()
    this.failures = failures
    const { ports, log, telemetry } = options
    this.#guard = windowGuard(ports.clock, log, telemetry, failures)
    this.#hookSet = createHooks(this.#guard)
    this.#steps = new Steps(ports.clock, options.stepTimeoutMs ?? STEP_TIMEOUT_MS)
    this.hooks = this.#hookSet.hooks
  }

  /**
   * Sets all plugins up, one after another, then seals the hooks. When one fails, those that were set up
   * are closed again, and the promise rejects with that one's error.
   */
  async setup(): Promise<void> {
    this.#phase = 'setup'
    try {
      for (const plugin of this.#sorted) await this.#setUp(plugin)
    } catch (error) {
      await this.close().catch((also: unknown) =>
        this.#options.log.error({ err: also }, 'plugins failed to close'),
      )
      throw error
    }
    this.#hookSet.seal()
    this.#phase = 'sealed'
  }

  /** Runs what waits for the store. Rejects with the first failure; the node then has to close. */
  async ready(): Promise<void> {
    for (const plugin of this.#installed.values()) {
      for (const handler of plugin.onReady) {
        await this.#steps.run(plugin.definition.name, 'ready', handler)
      }
    }
  }

  /** Last plugin first. All are asked, whatever fails; then it rejects as `close` does. */
  drain(): Promise<void> {
    this.#drained ??= this.#drain()
    return this.#drained
  }

  /**
   * Last plugin first, latest function first. All run, whatever fails.
   *
   * @throws the one failure, or `PLUGIN_FAILED` whose cause is an `AggregateError` of all.
   */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  /** What `db.plugin(ref)` gives. Throws `PLUGIN_NOT_ENABLED` or `PLUGIN_UNKNOWN`. */
  service(ref: string | Plugin): unknown {
    return this.#find(typeof ref === 'string' ? ref : ref.name, 'db.plugin').service
  }

  /** Runs a verb of the command line. `name` is one of `pluginCommands`; arguments have been parsed. */
  async runCommand(name: string, call: CommandInput): Promise<unknown> {
    for (const { definition, service } of this.#installed.values()) {
      const command = definition.commands?.find((candidate) => candidate.name === name)
      if (command === undefined) continue
      const { permission = 'admin' } = command
      const authorize = (wanted: readonly Access[]) => this.#options.ports.authorize(name, wanted, call.token)
      const access = accessFor(permission)
      const { actor } = access === undefined ? NOBODY : await authorize(access)
      return runCommand(definition.name, command, {
        ...call,
        isLocal: call.isLocal === true,
        actor,
        authorize,
        service,
      })
    }
    throw new ConcordError(
      'PLUGIN_NOT_ENABLED',
      `no plugin that is on at this node has the command "${name}"`,
      {
        details: { command: name },
      },
    )
  }

  async #setUp({ definition, options }: HostOptions['plugins'][number]): Promise<void> {
    const { name } = definition
    const plugin: Installed = {
      definition,
      options,
      log: this.#options.log.child({ plugin: name }),
      taps: this.#hookSet.forPlugin(name),
      abort: new AbortController(),
      onReady: [],
      onDrain: [],
      onClose: [],
      unsubscribe: [],
      service: undefined,
    }
    this.#installed.set(name, plugin)
    const context = contextOf(plugin, {
      ports: this.#options.ports,
      telemetry: this.#options.telemetry,
      guard: this.#guard,
      routes: this.#routes,
      unsafe: this.unsafe,
      urls: this.urls,
      phase: () => this.#phase,
      neighbour: (asking, other, optional) => this.#neighbour(asking, other, optional),
    })
    try {
      plugin.service = await this.#steps.run(name, 'setup', () => definition.setup(context, options))
    } finally {
      plugin.taps.close()
    }
  }

  /** The service of a plugin that `definition` has named: only then is it certainly set up before. */
  #neighbour(definition: AnyDefinition, name: string, optional: boolean): unknown {
    if (!definition.requires?.includes(name) && !definition.after?.includes(name)) {
      throw new ConcordError(
        'PLUGIN_INVALID',
        `plugin "${definition.name}" uses "${name}", and must name it in requires or after`,
        { details: { plugin: definition.name, uses: name } },
      )
    }
    if (optional && !this.#installed.has(name)) return undefined
    return this.#find(name, `plugin "${definition.name}"`).service
  }

  #find(name: string, where: string): Installed {
    const plugin = this.#installed.get(name)
    if (plugin !== undefined) return plugin
    const known = new Set([...(this.#options.known ?? []), ...this.names])
    if (!known.has(name)) throw unknownPlugin(name, known, where)
    throw new ConcordError(
      'PLUGIN_NOT_ENABLED',
      `${where}: the plugin "${name}" is not on here. Turn it on: plugins: { ${JSON.stringify(name)}: true }`,
      { details: { plugin: name } },
    )
  }

  async #drain(): Promise<void> {
    this.#phase = 'draining'
    const failed: Error[] = []
    for (const plugin of [...this.#installed.values()].reverse()) {
      await this.#steps.runAll(plugin.definition.name, 'drain', plugin.onDrain, failed)
    }
    throwAll('drain', failed)
  }

  async #close(): Promise<void> {
    const failed: Error[] = []
    this.#phase = 'closing'
    for (const plugin of [...this.#installed.values()].reverse()) {
      plugin.abort.abort(new ConcordError('STOPPED', 'the node has closed'))
      await this.#steps.runAll(plugin.definition.name, 'close', plugin.onClose, failed)
      for (const off of plugin.unsubscribe) off()
    }
    throwAll('close', failed)
  }
}

/** The code of plugins for the machine, in their order. */
export function slicesOf(
  definitions: readonly AnyDefinition[],
): ({ readonly name: string } & Slice<unknown, unknown>)[] {
  return definitions.flatMap(({ name, slice }) =>
    slice === undefined ? [] : [{ name, version: slice.version, apply: slice.apply.bind(slice) }],
  )
}

/** The verbs of plugins that are on, as data: for the command line, which sets nothing up. */
export function pluginCommands(
  plugins: readonly { readonly definition: AnyDefinition }[],
): readonly { readonly plugin: string; readonly command: PluginCommand }[] {
  return plugins.flatMap(({ definition }) =>
    (definition.commands ?? []).map((command) => ({ plugin: definition.name, command })),
  )
}

async function runCommand(plugin: string, command: PluginCommand, call: CommandCall): Promise<unknown> {
  try {
    const result: unknown = await command.run(call)
    return isAsyncIterable(result) ? streamOf(plugin, command.name, result) : result
  } catch (error) {
    throw commandFailed(plugin, command.name, error)
  }
}

async function* streamOf(plugin: string, command: string, stream: AsyncIterable<unknown>) {
  try {
    yield* stream
  } catch (error) {
    throw commandFailed(plugin, command, error)
  }
}

const isAsyncIterable = (found: unknown): found is AsyncIterable<unknown> =>
  typeof found === 'object' && found !== null && Symbol.asyncIterator in found

/** Concord's own errors as they are: what the store refused is an answer. How far anything else came nobody knows. */
function commandFailed(plugin: string, command: string, error: unknown): unknown {
  if (ConcordError.is(error) || error instanceof AbortError) return error
  const text = `plugin "${plugin}": the command "${command}" failed: ${messageOf(error)}`
  return new ConcordError('PLUGIN_FAILED', text, {
    outcome: 'unknown',
    cause: error,
    details: { plugin, command },
  })
}

function ownersOfCallOptions(plugins: HostOptions['plugins']): Map<string, string> {
  const owners = new Map<string, string>()
  for (const { definition } of plugins) {
    for (const option of definition.callOptions ?? []) {
      const other = owners.get(option)
      if (other !== undefined) {
        const text = `the plugins "${other}" and "${definition.name}" both declare the call option "${option}"`
        throw new ConcordError('PLUGIN_INVALID', text, { details: { plugin: definition.name, option } })
      }
      owners.set(option, definition.name)
    }
  }
  return owners
}
