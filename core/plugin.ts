/**
 * All that a plugin may import: `concord-kv/plugin`. Types, `definePlugin`, and the few values that a
 * plugin needs at run time. No state, no behaviour of the host.
 *
 * A plugin stands in up to four places, and its definition shows which: at the door and the window by
 * the hooks it taps in `setup`, in the machine by its `slice`, outside by the service it returns and by
 * its `commands`. The guide is docs/plugins.md.
 */
import { checkDefinition } from './host/definition.ts'
import type { NoOptions, JsonSchema, OptionsSchema, Plugin, PluginDefinition } from './host/contract.ts'

export { ConcordError, AbortError } from './errors.ts'
export type { ErrorCode, ErrorOptions, Outcome } from './errors.ts'
export type * from './host/contract.ts'
export { API_BASE, accessFor, answer, isAnswer } from './host/routes.ts'
export { CONNECT_PATH, CONNECT_PROTOCOL } from './endpoint/over-http.ts'
export type {
  AnswerParts,
  OfferedRoute,
  Route,
  RouteAnswer,
  RouteCall,
  RouteExample,
  RouteHeader,
  RoutePermission,
  RouteResponse,
} from './host/routes.ts'
export { fromJson, readJson, toJson } from './tagged-json.ts'
export type {
  AppliedTap,
  AuthorizeTap,
  HookHandle,
  PluginHooks,
  ReadTap,
  Rewritten,
  TapOptions,
  WriteTap,
} from './hooks.ts'
export type {
  Access,
  AppliedBatch,
  Change,
  DoorRequest,
  NodeEvents,
  Permission,
  ReadRequest,
  Write,
  WriteRequest,
} from './hook-events.ts'
export type { Clock, Timer } from './ports.ts'
export type {
  PluginTelemetry,
  Published,
  TelemetryEvent,
  TelemetryEvents,
  TelemetryName,
} from './telemetry.ts'
export type { Cluster, LocalReads, Store, StoreDefaults } from './store.ts'
export type * from './types.ts'

/** Gives a JSON Schema the TypeScript types that belong to it. */
export function optionsSchema<Written extends object, Full = Written>(
  json: JsonSchema,
): OptionsSchema<Written, Full> {
  return Object.freeze({ json })
}

/**
 * Makes a plugin: checks the definition and freezes it. Call it without type arguments.
 *
 * @throws `PLUGIN_INVALID` - the definition has an unknown field, a bad name or version, or an
 *   `apiVersion` that this copy of Concord does not speak. Names the field, what was found, what was
 *   expected.
 */
export function definePlugin<
  const N extends string,
  Written extends object = NoOptions,
  Full = Written,
  S = void,
  Command = never,
  Result = never,
>(definition: PluginDefinition<N, Written, Full, S, Command, Result>): Plugin<N, Written, Awaited<S>> {
  return checkDefinition(definition)
}
