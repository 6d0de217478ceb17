/**
 * From an object, a mode and an environment to the one config that a node runs with: layers merged,
 * everything checked, defaults filled in, paths absolute. All problems are found before one is reported.
 */
import type { BuiltinPlugins } from '../plugin.ts'
import type { AnyDefinition } from '../plugin-definition.ts'
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
import {
  isPlainObject,
  mergeLayers,
  sourceOf,
  valueAt,
  type ConfigLayer,
  type Layer,
  type Tree,
} from './layers.ts'
import { optionsOf, type Option, type Schema } from './options.ts'
import { knownPlugins, loadPlugins } from './plugins.ts'
import { describe, distinct, invalid, placeOf, type Problem } from './problems.ts'
import { configSchema } from './schema.ts'
import type { CoreConfig } from './types.ts'
import { checkVariables, validateCore, validatePartial, validatePlugin } from './validate.ts'

export interface ResolvedConfig extends CoreConfig {
  /** Options by name of every plugin that is on, validated and with defaults; false for one that is off. */
  readonly plugins: { readonly [name: string]: Readonly<Record<string, unknown>> | false }
  /** Names of the plugins that `use` brought. */
  readonly use: readonly string[]
  /** Names of all plugins that could be on: built in, and from `use`. */
  readonly known: readonly string[]
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
  const { env = {}, builtins, mode } = raw
  const where = raw.file ?? 'config'
  const parts = split(raw.values)
  const problems: Problem[] = [...parts.problems]
  const warnings: string[] = raw.noConfig
    ? [`no concord.config.* found from ${raw.cwd}: this is a single node with default options`]
    : []

  const known = await knownPlugins(parts.use, raw, builtins)
  problems.push(...known.problems)
  const names = [...known.candidates.keys()]

  const written: ConfigLayer[] = [{ layer: 'config', values: parts.base }]
  const section = mode === undefined ? undefined : parts.modes.get(mode)
  if (section !== undefined) written.push({ layer: `env.${mode!}`, values: section })
  const core = environmentLayers(env, [...coreOptions, ...names.map(pluginSwitch)], written)
  warnings.push(...core.warnings)
  let layers = [...written, ...core.layers]

  const switched = pluginsIn(mergeLayers(layers), names)
  // A failed import in `use` leaves its names unknown; one problem is enough.
  const knowsAll = known.problems.length === 0
  problems.push(...switched.problems, ...(knowsAll ? switched.unknown : []))
  const loaded = await loadPlugins(switched.on, known)
  problems.push(...loaded.problems)
  const { definitions } = loaded
  const pluginOptions = optionsOfPlugins(definitions)
  const ofPlugins = environmentLayers(env, pluginOptions, layers)
  warnings.push(...ofPlugins.warnings)
  layers = [...layers, ...ofPlugins.layers]

  const { values, sources } = mergeLayers(layers)
  problems.push(...validateCore(coreOf(values), sources))
  const plugins: Record<string, Tree | false> = Object.fromEntries(switched.off.map((name) => [name, false]))
  for (const [name, definition] of definitions) {
    const given = valueAt(values, ['plugins', name])
    const options = isPlainObject(given) ? given : {}
    problems.push(...validatePlugin(name, definition.options?.json, options, sources))
    plugins[name] = options
  }
  problems.push(...problemsOfOtherModes(parts, mode, names, knowsAll))
  if (problems.length > 0) throw invalid(where, distinct(problems))

  const config = finish(raw, values, sources, definitions, plugins)
  const together = checkTogether(config, sources)
  if (together.length > 0) throw invalid(where, together)

  warnings.push(...warningsOf(config, sources), ...warningsOfMode(mode, [...parts.modes.keys()]))
  for (const name of known.used) {
    const said = [parts.base, ...parts.modes.values()].some(
      (one) => valueAt(one, ['plugins', name]) !== undefined,
    )
    if (said || definitions.has(name)) continue
    warnings.push(
      `plugin "${name}" is in use but not on. Turn it on with plugins: { ${JSON.stringify(name)}: true }`,
    )
  }
  const options = [...coreOptions, ...names.map(pluginSwitch), ...pluginOptions]
  const off = names.filter((name) => !definitions.has(name))
  warnings.push(...unknownVariables(env, variablesOf(options), off))

  const resolved: ResolvedConfig = Object.freeze({
    ...deepFreeze(config),
    plugins: deepFreeze(plugins),
    use: known.used,
    known: names,
    definitions: Object.freeze(Object.fromEntries(definitions)),
    mode,
    modes: [...parts.modes.keys()],
    file: raw.file,
    baseDir: raw.baseDir,
    warnings,
    sources,
  })
  origins.set(resolved, { layers, options })
  return resolved
}

// --------------------------------------------------------------------------------------------- the parts

interface Parts {
  readonly base: Tree
  readonly use: unknown
  readonly modes: ReadonlyMap<string, Tree>
  readonly problems: readonly Problem[]
}

/** The object without what is not an option: `$schema`, `use`, and the sections of `env`. */
function split(values: Tree): Parts {
  const { $schema: _, use, env, ...base } = ownCopy(values)
  const problems: Problem[] = []
  const modes = new Map<string, Tree>()
  if (env !== undefined && !isPlainObject(env)) {
    problems.push({ path: 'env', message: `expected an object of modes, found ${describe(env)}` })
  }
  for (const [mode, section] of Object.entries(isPlainObject(env) ? env : {})) {
    if (section === undefined) continue
    if (!isPlainObject(section)) {
      problems.push({
        path: `env.${mode}`,
        message: `expected an object of options, found ${describe(section)}`,
      })
      continue
    }
    const { use: code, env: nested, ...rest } = ownCopy(section)
    if (code !== undefined) {
      problems.push({
        path: `env.${mode}.use`,
        message:
          'which code there is does not depend on the mode. List the plugin in `use`, and turn it on here under `plugins`',
      })
    }
    if (nested !== undefined)
      problems.push({ path: `env.${mode}.env`, message: 'a mode has no modes of its own' })
    modes.set(mode, rest)
  }
  return { base, use, modes, problems }
}

/** A shallow copy that keeps a key named `__proto__` a key. */
const ownCopy = (values: Tree): Tree => Object.assign(Object.create(null) as Tree, values)

interface Switched {
  readonly on: readonly string[]
  readonly off: readonly string[]
  readonly problems: readonly Problem[]
  /** Names that nobody has. */
  readonly unknown: readonly Problem[]
}

function pluginsIn({ values, sources }: ReturnType<typeof mergeLayers>, names: readonly string[]): Switched {
  const given = values['plugins']
  const on: string[] = []
  const off: string[] = []
  const problems: Problem[] = []
  const unknown: Problem[] = []
  const report = (path: string, message: string, to = problems) =>
    to.push({ path: placeOf(path, sourceOf(sources, path)), message })
  if (given !== undefined && !isPlainObject(given)) {
    report('plugins', `expected an object of plugins by name, found ${describe(given)}`)
    return { on, off, problems, unknown }
  }
  for (const [name, value] of Object.entries(given ?? {})) {
    if (!names.includes(name)) report(`plugins.${name}`, unknownPlugin(name, names), unknown)
    else if (value === false) off.push(name)
    else if (value === true || isPlainObject(value)) on.push(name)
    else report(`plugins.${name}`, `expected true, false or an object of options, found ${describe(value)}`)
  }
  return { on, off, problems, unknown }
}

function unknownPlugin(name: string, names: readonly string[]): string {
  const near = didYouMean(name, names)
  return `no plugin named "${name}".${near === '' ? ' A plugin that is not built in is listed in `use`.' : near}`
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

/** `plugins` is checked name by name, not by core's schema. */
function coreOf(values: Tree): Tree {
  const { plugins: _, ...core } = ownCopy(values)
  return core
}

/** Modes that are not in force are checked too, as far as that goes without their environment. */
function problemsOfOtherModes(
  parts: Parts,
  mode: string | undefined,
  names: readonly string[],
  knowsAll: boolean,
): Problem[] {
  const problems: Problem[] = []
  for (const [other, section] of parts.modes) {
    if (other === mode) continue
    const merged = mergeLayers([
      { layer: 'config', values: parts.base },
      { layer: `env.${other}`, values: section },
    ])
    problems.push(...validatePartial(coreOf(merged.values), merged.sources))
    const switched = pluginsIn(merged, names)
    problems.push(...switched.problems, ...(knowsAll ? switched.unknown : []))
  }
  return problems
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
