/**
 * What one plugin works with: the context that its `setup` gets, and what the host keeps of it. Each knows whose
 * it is, so that errors, log lines and taps name their plugin.
 */
import { ConcordError } from '../errors.ts'
import type { Access } from '../hook-events.ts'
import type { PluginTaps } from '../hooks.ts'
import type {
  Context,
  EndpointPort,
  Log,
  Plugin,
  PluginSpace,
  PluginTelemetry,
  Store,
  WriteOptions,
} from '../plugin.ts'
import type { Clock } from '../ports.ts'
import type { Telemetry } from '../telemetry.ts'
import type { AnyDefinition } from './definition.ts'
import type { Route, Routes } from './routes.ts'
import type { Handler } from './steps.ts'
import { guarded, type WindowGuard } from './taps.ts'

/** What the node gives its plugins. The store and the space of a plugin reject until the node runs. */
export interface HostPorts {
  readonly clock: Clock
  store(plugin: string): Store
  space(plugin: string): PluginSpace
  /** As `Context.authorize`. */
  authorize(
    operation: string,
    access: readonly Access[],
    token: string | undefined,
  ): Promise<{ readonly actor: string | undefined }>
  contactMs(): number
  readonly endpoint: EndpointPort
  proposeSlice(plugin: string, command: unknown, options: WriteOptions | undefined): Promise<unknown>
}

/** A plugin on this node. */
export interface Installed {
  readonly definition: AnyDefinition
  readonly options: object
  readonly log: Log
  readonly taps: PluginTaps
  readonly abort: AbortController
  readonly onReady: Handler[]
  readonly onDrain: Handler[]
  readonly onClose: Handler[]
  /** What ends its telemetry. */
  readonly unsubscribe: (() => void)[]
  service: unknown
}

export type Phase = 'new' | 'setup' | 'sealed' | 'draining' | 'closing'

/** What a context asks of the host. */
export interface ContextHost {
  readonly ports: HostPorts
  readonly telemetry: Telemetry
  readonly guard: WindowGuard
  readonly routes: Routes
  /** What plugins have said of settings that trade safety away. */
  readonly unsafe: string[]
  readonly urls: Map<string, string>
  phase(): Phase
  /** The service of a plugin that `definition` has named. */
  neighbour(definition: AnyDefinition, name: string, optional: boolean): unknown
}

export function contextOf(plugin: Installed, host: ContextHost): Context<unknown, unknown> {
  const { definition, log, taps, abort } = plugin
  const { name } = definition
  const { ports } = host
  return Object.freeze({
    name,
    log,
    hooks: taps.hooks,
    on: taps.on,
    store: ports.store(name),
    space: ports.space(name),
    slice: Object.freeze({
      propose: (command: unknown, options?: WriteOptions) => {
        if (definition.slice !== undefined) return ports.proposeSlice(name, command, options)
        return Promise.reject(new ConcordError('PLUGIN_INVALID', `plugin "${name}" has no slice`))
      },
    }),
    authorize: (operation: string, access: readonly Access[], token: string | undefined) =>
      ports.authorize(operation, access, token),
    contactMs: () => ports.contactMs(),
    endpoint: ports.endpoint,
    unsafe: (text: string) => {
      if (host.phase() !== 'setup') throw late(name, 'unsafe', 'during setup')
      host.unsafe.push(`plugins.${name}: ${text}`)
      log.warn(text)
    },
    reachedAt: (url: string) => void host.urls.set(name, url),
    routes: routesOf(plugin, host),
    telemetry: telemetryOf(plugin, host),
    clock: ports.clock,
    signal: abort.signal,
    plugin: (ref: string | Plugin, options?: { readonly optional: true }) =>
      host.neighbour(definition, typeof ref === 'string' ? ref : ref.name, options?.optional === true),
    ...handlersOf(plugin, host),
  }) as Context<unknown, unknown>
}

function routesOf({ definition: { name } }: Installed, host: ContextHost) {
  const { routes } = host
  return Object.freeze({
    add: (route: Route) => {
      if (host.phase() !== 'setup') throw late(name, 'routes.add', 'during setup')
      routes.add(name, route)
    },
    get all() {
      return routes.all
    },
  })
}

function handlersOf({ definition: { name }, onReady, onDrain, onClose }: Installed, host: ContextHost) {
  return {
    onReady: (fn: Handler) => {
      if (host.phase() !== 'setup') throw late(name, 'onReady', 'during setup')
      onReady.push(fn)
    },
    onDrain: (fn: Handler) => {
      if (host.phase() === 'draining' || host.phase() === 'closing')
        throw late(name, 'onDrain', 'before the node closes')
      onDrain.unshift(fn)
    },
    onClose: (fn: Handler) => {
      if (host.phase() === 'closing') throw late(name, 'onClose', 'before the node closes')
      onClose.unshift(fn)
    },
  }
}

function telemetryOf(
  { definition: { name }, unsubscribe }: Installed,
  { telemetry, guard }: ContextHost,
): PluginTelemetry {
  return Object.freeze<PluginTelemetry>({
    event: (event) => telemetry.event(event),
    on: (event, fn) => {
      const off = telemetry.on(event, guarded(name, `telemetry ${event}`, fn, guard))
      unsubscribe.push(off)
      return off
    },
  })
}

function late(plugin: string, what: string, when: string): ConcordError {
  return new ConcordError(
    'PLUGIN_INVALID',
    `plugin "${plugin}": ctx.${what} is called ${when}, and that is over`,
  )
}
