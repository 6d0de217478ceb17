/**
 * From an object, a mode and an environment to the one config that a node runs with: layers merged,
 * everything checked, defaults filled in, paths absolute. All problems are found before one is reported.
 */
import type { Logger } from 'pino'
import type { BuiltinPlugins } from '../plugin.ts'
import type { AnyDefinition } from '../host/definition.ts'
import { didYouMean } from '../suggest.ts'
import { checkTogether, warningsOf } from './checks.ts'
import { resolvePaths, withDefaults } from './defaults.ts'
import {
  environmentLayers,
  pluginSwitch,
  unknownVariables,
  variableWord,
  type Environment,
} from './environment.ts'
import { isPlainObject, mergeLayers, valueAt, type ConfigLayer, type Layer, type Tree } from './layers.ts'
import { optionsOf, type Option, type Schema } from './options.ts'
import { loggerIn, withoutLogger } from './logger.ts'
import { ownCopy, pluginsIn, split, type Parts, type Switched } from './parts.ts'
import { knownPlugins, loadPlugins, type KnownPlugins } from './plugins.ts'
import { distinct, invalid, type Problem } from './problems.ts'
import { configSchema } from './schema.ts'
import type { OffPlugins } from '../store/calls.ts'
import type { CoreConfig } from './types.ts'
import { checkVariables, validateCore, validatePartial, validatePlugin } from './validate.ts'

export interface ResolvedConfig extends CoreConfig {
  /** Options by name of every plugin that is on, validated and with defaults; false for one that is off. */
  readonly plugins: { readonly [name: string]: Readonly<Record<string, unknown>> | false }
  /** Names of the plugins that `use` brought. */
  readonly use: readonly string[]
  /** Names of all plugins that could be on: built in, and from `use`. */
  readonly known: readonly string[]
  /** The application's own, if it gave one. */
  readonly logger: Logger | undefined
  /** What is known of the call options of the plugins that `use` brought and that are off. */
  readonly offPlugins: OffPlugins
  /** The definition of every plugin that is on. */
  readonly definitions: { readonly [name: string]: AnyDefinition }
  /** Whose section of `env` is in force; undefined for an object given without one. */
  readonly mode: string | undefined
  /** The modes that have a section. */
  readonly modes: readonly string[]
  readonly file: string | undefined
  /** What relative paths in the config are relative to. */
  readonly baseDir: string
  readonly warnings: readonly string[]
  /** For each leaf that a layer says, by path, the layer that won. Any other has its default. */
  readonly sources: ReadonlyMap<string, Layer>
}

export interface Raw {
  readonly values: Tree
  readonly file: string | undefined
  readonly baseDir: string
  /** What paths in variables are relative to. */
  readonly cwd: string
  readonly mode: string | undefined
  /** Undefined: no variable counts. */
  readonly env: Environment | undefined
  readonly builtins: BuiltinPlugins
  /** Nobody wrote anything: worth a warning. */
  readonly noConfig: boolean
}

/** How a resolved config came about, for `explain`. */
export interface Origin {
  readonly layers: readonly ConfigLayer[]
  readonly options: readonly Option[]
}

const origins = new WeakMap<ResolvedConfig, Origin>()

export const originOf = (config: ResolvedConfig): Origin | undefined => origins.get(config)

const coreOptions = optionsOf(configSchema)

export async function resolveRaw(raw: Raw): Promise<ResolvedConfig> {
  const gathered = await gather(raw)
  const { parts, definitions, layers, options } = gathered
  const where = raw.file ?? 'config'

  const { values, sources } = mergeLayers(layers)
  const plugins: Record<string, Tree | false> = Object.fromEntries(gathered.off.map((name) => [name, false]))
  const given = loggerIn(values, sources)
  const problems = [...gathered.problems, ...validateCore(coreOf(values), sources), ...given.problems]
  for (const [name, definition] of definitions) {
    const said = valueAt(values, ['plugins', name])
    const own = (plugins[name] = isPlainObject(said) ? said : {})
    const builtIn = !gathered.known.used.includes(name)
    problems.push(...(await validatePlugin(name, definition.options?.json, own, sources, builtIn)))
  }
  problems.push(...problemsOfOtherModes(gathered, raw.mode))
  if (problems.length > 0) throw invalid(where, distinct(problems))

  const config = finish(raw, values, sources, definitions, plugins)
  const together = checkTogether(config, sources)
  if (together.length > 0) throw invalid(where, together)

  const resolved: ResolvedConfig = Object.freeze({
    ...deepFreeze(config),
    plugins: deepFreeze(plugins),
    use: gathered.known.used,
    known: gathered.names,
    logger: given.logger,
    offPlugins: offPluginsIn(gathered),
    definitions: Object.freeze(Object.fromEntries(definitions)),
    mode: raw.mode,
    modes: [...parts.modes.keys()],
    file: raw.file,
    baseDir: raw.baseDir,
    warnings: [
      ...gathered.warnings,
      ...warningsOf(config, sources),
      ...given.warnings,
      ...warningsAround(raw, gathered),
    ],
    sources,
  })
  origins.set(resolved, { layers, options })
  return resolved
}

// ------------------------------------------------------------------------------------------ the gathering

interface Gathered {
  readonly parts: Parts
  readonly known: KnownPlugins
  readonly names: readonly string[]
  /** Of the plugins that are on. */
  readonly definitions: ReadonlyMap<string, AnyDefinition>
  /** The plugins that are said to be off. */
  readonly off: readonly string[]
  readonly layers: readonly ConfigLayer[]
  /** Of core and of the plugins that are on, with the switches of all plugins. */
  readonly options: readonly Option[]
  readonly problems: readonly Problem[]
  readonly warnings: readonly string[]
}

/** All layers, in two steps: which variables a plugin has is known when it is known to be on. */
async function gather(raw: Raw): Promise<Gathered> {
  const { env = {}, mode } = raw
  const parts = split(raw.values)
  const known = await knownPlugins(parts.use, raw, raw.builtins)
  const names = [...known.candidates.keys()]

  const written: ConfigLayer[] = [{ layer: 'config', values: parts.base }]
  const section = mode === undefined ? undefined : parts.modes.get(mode)
  if (section !== undefined) written.push({ layer: `env.${mode!}`, values: section })
  const coreAndSwitches = [...coreOptions, ...names.map(pluginSwitch)]
  const ofCore = environmentLayers(env, coreAndSwitches, written)
  const below = [...written, ...ofCore.layers]

  const switched = pluginsIn(mergeLayers(below), names)
  const { definitions, problems } = await loadPlugins(switched.on, known)
  const pluginOptions = optionsOfPlugins(definitions)
  const ofPlugins = environmentLayers(env, pluginOptions, below)
  return {
    parts,
    known,
    names,
    definitions,
    off: switched.off,
    layers: [...below, ...ofPlugins.layers],
    options: [...coreAndSwitches, ...pluginOptions],
    problems: [...parts.problems, ...known.problems, ...problemsOfSwitches(switched, known), ...problems],
    warnings: [...ofCore.warnings, ...ofPlugins.warnings],
  }
}

/** A failed import in `use` leaves names unknown; one problem is enough. */
const problemsOfSwitches = ({ problems, unknown }: Switched, known: KnownPlugins): Problem[] =>
  known.problems.length === 0 ? [...problems, ...unknown] : [...problems]

/** Built-ins need none of this: the store knows their options. */
function offPluginsIn({ known, definitions }: Gathered): OffPlugins {
  const options: Record<string, string> = Object.create(null) as Record<string, string>
  const silent: string[] = []
  for (const name of known.used) {
    if (definitions.has(name)) continue
    const { callOptions } = known.candidates.get(name)!
    if (callOptions === undefined) silent.push(name)
    for (const option of callOptions ?? []) options[option] ??= name
  }
  return { options, silent }
}

/** With the variables that their schemas name, or else with derived ones. */
function optionsOfPlugins(definitions: ReadonlyMap<string, AnyDefinition>): Option[] {
  const found: Option[] = []
  for (const [name, definition] of definitions) {
    const switches = [...definitions.keys()].map(pluginSwitch)
    const taken = variablesOf([...coreOptions, ...switches, ...found])
    const options = optionsOf(definition.options?.json ?? {}, ['plugins', name])
    const derived = options.map((option) => ({
      ...option,
      variable: option.variable ?? `CONCORD_${option.keys.map(variableWord).join('_')}`,
    }))
    checkVariables(name, derived, taken)
    found.push(...derived)
  }
  return found
}

const variablesOf = (options: readonly Option[]) => new Set(options.flatMap(({ variable }) => variable ?? []))

/** A mode that was probably misspelt: sections there are, and it is neither one of them nor a usual name. */
function warningsOfMode(mode: string | undefined, modes: readonly string[]): string[] {
  if (mode === undefined || modes.length === 0 || modes.includes(mode)) return []
  const near = didYouMean(mode, modes)
  if (near === '' && ['development', 'test', 'production'].includes(mode)) return []
  return [`mode "${mode}" has no section in env.${near}`]
}

/** `plugins` is checked name by name, and a logger is code: neither is by core's schema. */
function coreOf(values: Tree): Tree {
  const { plugins: _, ...core } = ownCopy(values)
  return withoutLogger(core)
}

/** Modes that are not in force are checked too, as far as that goes without their environment. */
function problemsOfOtherModes({ parts, names, known }: Gathered, mode: string | undefined): Problem[] {
  const problems: Problem[] = []
  for (const [other, section] of parts.modes) {
    if (other === mode) continue
    const merged = mergeLayers([
      { layer: 'config', values: parts.base },
      { layer: `env.${other}`, values: section },
    ])
    problems.push(...validatePartial(coreOf(merged.values), merged.sources))
    problems.push(...loggerIn(merged.values, merged.sources).problems)
    problems.push(...problemsOfSwitches(pluginsIn(merged, names), known))
  }
  return problems
}

/** About what is around the options: no file, a mode without a section, code that is not used, variables. */
function warningsAround({ noConfig, cwd, mode, env = {} }: Raw, gathered: Gathered): string[] {
  const { parts, known, names, definitions, options } = gathered
  const warnings: string[] = []
  if (noConfig)
    warnings.push(`no concord.config.* found from ${cwd}: this is a single node with default options`)
  warnings.push(...warningsOfMode(mode, [...parts.modes.keys()]))
  const written = [parts.base, ...parts.modes.values()]
  for (const name of known.used) {
    const said = written.some((one) => valueAt(one, ['plugins', name]) !== undefined)
    if (said || definitions.has(name)) continue
    const on = `plugins: { ${JSON.stringify(name)}: true }`
    warnings.push(`plugin "${name}" is in use but not on. Turn it on with ${on}`)
  }
  const off = names.filter((name) => !definitions.has(name))
  return [...warnings, ...unknownVariables(env, variablesOf(options), off)]
}

// --------------------------------------------------------------------------------------------- the result

/** Core's defaults, and absolute paths everywhere. */
function finish(
  raw: Raw,
  values: Tree,
  sources: ReadonlyMap<string, Layer>,
  definitions: ReadonlyMap<string, AnyDefinition>,
  plugins: Readonly<Record<string, Tree | false>>,
): CoreConfig {
  const config = withDefaults(configSchema, configSchema, coreOf(values))
  const baseOf = (keys: readonly string[]) =>
    sources.get(keys.join('.'))?.startsWith('CONCORD_') ? raw.cwd : raw.baseDir
  resolvePaths(configSchema, configSchema, config, baseOf)
  for (const [name, definition] of definitions) {
    const schema = (definition.options?.json ?? {}) as Schema
    resolvePaths(schema, schema, plugins[name] as Tree, baseOf, ['plugins', name])
  }
  return config as unknown as CoreConfig
}

/** Plain objects and arrays only: buffers cannot be frozen, instances are not ours. */
function deepFreeze<T>(value: T): T {
  if (Array.isArray(value)) {
    value.forEach(deepFreeze)
    return Object.freeze(value)
  }
  if (!isPlainObject(value) || Object.isFrozen(value)) return value
  Object.values(value).forEach(deepFreeze)
  return Object.freeze(value)
}
