/**
 * Where the code of a plugin comes from: the table of built-ins, or an entry of the config's `use`.
 *
 * A plugin that is off must not be imported, so its name has to be known before its code: a package says
 * it by being called `concord-plugin-<name>`, or by the field `concord.plugin` of its package.json. One
 * that does neither is imported to ask.
 */
import { readFileSync } from 'node:fs'
import { createRequire, findPackageJSON } from 'node:module'
import { pathToFileURL } from 'node:url'
import { ConcordError } from '../errors.ts'
import { type AnyDefinition, checkDefinition } from './definition.ts'
import { didYouMean, closestTo } from '../suggest.ts'

/** A plugin that could be turned on, not imported yet if that can be helped. */
export interface Candidate {
  readonly name: string
  /** Options of the store's calls that it declares; undefined while nobody can know without its code. */
  readonly callOptions?: readonly string[] | undefined
  /** For people: `built in`, `use[0]`, `use[0] (concord-plugin-acme)`. */
  readonly source: string
  /**
   * Imports the code.
   *
   * @throws `PLUGIN_UNKNOWN` - the package is not installed. `PLUGIN_INVALID` - the package cannot be
   *   used as it is, its definition is bad or has another name than it should. `PLUGIN_FAILED` - its
   *   code threw while it was imported.
   */
  readonly load: () => Promise<AnyDefinition>
}

/** One line of the table of built-ins. */
export function builtinPlugin(name: string, load: () => Promise<object>): Candidate {
  const source = 'built in'
  return { name, source, load: async () => named(name, source, await importing(name, source, load)) }
}

/**
 * One entry of `use`: a definition, or a package specifier resolved from `from`, which is the config file
 * or a directory with a slash at its end. `place` is `use[0]`.
 *
 * @throws `CONFIG_INVALID` - neither a definition nor a string. And what `load` throws, where the name
 *   is not known without it.
 */
export async function usedPlugin(item: unknown, place: string, from: string): Promise<Candidate> {
  if (typeof item !== 'string') {
    const definition = strangersOwn(definitionOf(item, place))
    return loaded(definition, place)
  }
  const source = `${place} (${item})`
  const { name, callOptions } = saidByPackage(item, from)
  const load = async () => {
    const url = locate(item, place, from)
    return strangersOwn(await importing(name ?? item, source, () => import(url) as Promise<object>))
  }
  if (name === undefined) return loaded(await load(), source)
  return { name, callOptions, source, load: async () => named(name, source, await load()) }
}

function loaded(definition: AnyDefinition, source: string): Candidate {
  const { name, callOptions = [] } = definition
  return { name, callOptions, source, load: () => Promise.resolve(definition) }
}

/** `where` is what mentions it: a path in the config, a plugin that requires it, a call. */
export function unknownPlugin(name: string, known: Iterable<string>, where: string): ConcordError {
  const names = [...new Set(known)].sort()
  const all = names.length === 0 ? 'Neither a built-in nor `use` brings any' : `There are ${names.join(', ')}`
  return new ConcordError(
    'PLUGIN_UNKNOWN',
    `${where}: no plugin is named "${name}".${didYouMean(name, names)} ${all}.`,
    { details: { plugin: name, known: names, suggestion: closestTo(name, names) } },
  )
}

function definitionOf(item: unknown, place: string): AnyDefinition {
  if (typeof item === 'object' && item !== null) return checkDefinition(item) as unknown as AnyDefinition
  const hint =
    typeof item === 'function' ? '; a plugin is not called: its options go under plugins.<name>' : ''
  const text = `${place}: found ${typeof item}, expected a plugin or the name of a package${hint}`
  throw new ConcordError('CONFIG_INVALID', text, { details: { path: place } })
}

// ------------------------------------------------------------------------------------------------ packages

const CONVENTION = /^(?:@[^/]+\/)?concord-plugin-([a-z0-9-]+)$/

interface SaidByPackage {
  readonly name: string | undefined
  readonly callOptions: readonly string[] | undefined
}

/** What a package says of its plugin, found without running any of its code. */
function saidByPackage(specifier: string, from: string): SaidByPackage {
  let declared: PackageJson['concord']
  try {
    const file = isPath(specifier) ? undefined : findPackageJSON(specifier, from)
    const json =
      file === undefined ? undefined : (JSON.parse(readFileSync(file, 'utf8')) as PackageJson | null)
    declared = json?.concord
  } catch {
    // Not installed, or not readable: `locate` says so, if the plugin is wanted.
  }
  const { plugin, callOptions } = declared ?? {}
  const name = typeof plugin === 'string' ? plugin : CONVENTION.exec(specifier)?.[1]
  return { name, callOptions: isListOfNames(callOptions) ? callOptions : undefined }
}

interface PackageJson {
  readonly concord?: { readonly plugin?: unknown; readonly callOptions?: unknown }
}

const isListOfNames = (found: unknown): found is readonly string[] =>
  Array.isArray(found) && found.every((name) => typeof name === 'string')

/** The URL of the module. `require.resolve` is the one resolver that takes a place to start from. */
function locate(specifier: string, place: string, from: string): string {
  try {
    return pathToFileURL(createRequire(from).resolve(specifier)).href
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ERR_PACKAGE_PATH_NOT_EXPORTED') {
      invalid(
        specifier,
        `${place}: the package "${specifier}" has no export with the condition "default". Its author should ` +
          `write "exports": { ".": { "default": "./index.js" } }. Until then, import the plugin in a ` +
          'concord.config.ts and put what you imported into `use`.',
        error,
      )
    }
    const advice = isPath(specifier) ? '' : ` Install it there: npm install ${specifier}`
    throw new ConcordError('PLUGIN_UNKNOWN', `${place}: cannot find "${specifier}" from ${from}.${advice}`, {
      cause: error,
      details: { specifier, from },
    })
  }
}

function isPath(specifier: string): boolean {
  return /^\.{0,2}\//.test(specifier)
}

async function importing(name: string, source: string, load: () => Promise<object>): Promise<AnyDefinition> {
  let module: object
  try {
    module = await load()
  } catch (error) {
    if (ConcordError.is(error)) throw error
    throw notImported(name, source, error)
  }
  const found = definitionIn(module)
  if (found === undefined) invalid(name, `${source} exports no plugin, or several and none as default`)
  return checkDefinition(found) as unknown as AnyDefinition
}

function notImported(name: string, source: string, error: unknown): ConcordError {
  const { code, message } = error as NodeJS.ErrnoException
  const details = { plugin: name, step: 'import' }
  if (code === 'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING') {
    const text = `${source} is TypeScript, which Node.js does not run inside node_modules: a package ships JavaScript`
    return new ConcordError('PLUGIN_INVALID', text, { cause: error, details })
  }
  const missing =
    code === 'ERR_MODULE_NOT_FOUND' ? /Cannot find package '([^']+)'/.exec(message)?.[1] : undefined
  const advice = missing === undefined ? '' : ` It needs the package "${missing}": npm install ${missing}`
  return new ConcordError(
    'PLUGIN_FAILED',
    `plugin "${name}" (${source}) could not be imported: ${message ?? String(error)}${advice}`,
    { cause: error, details },
  )
}

/** The default export if it is a plugin, else the one export that is. CommonJS nests its default. */
function definitionIn(module: object): object | undefined {
  const main = (module as { default?: unknown }).default
  for (const candidate of [main, (main as { default?: unknown } | undefined)?.default]) {
    if (looksLikeDefinition(candidate)) return candidate
  }
  const inside = typeof main === 'object' && main !== null ? Object.values(main) : []
  const plugins = new Set([...Object.values(module), ...inside].filter(looksLikeDefinition))
  return plugins.size === 1 ? [...plugins][0] : undefined
}

function looksLikeDefinition(value: unknown): value is object {
  return typeof value === 'object' && value !== null && 'name' in value && 'apiVersion' in value
}

function named(name: string, source: string, definition: AnyDefinition): AnyDefinition {
  if (definition.name === name) return definition
  return invalid(name, `${source} defines the plugin "${definition.name}", and must define "${name}"`)
}

/** A stranger's verbs begin with the plugin's name; the built-ins have words of their own. */
function strangersOwn(definition: AnyDefinition): AnyDefinition {
  const { name, commands = [] } = definition
  for (const command of commands) {
    if (command.name.startsWith(`${name} `)) continue
    invalid(name, `the command "${command.name}" must begin with the plugin's name: "${name} …"`)
  }
  return definition
}

function invalid(plugin: string, why: string, cause?: unknown): never {
  throw new ConcordError('PLUGIN_INVALID', `plugin "${plugin}": ${why}`, { cause, details: { plugin } })
}
