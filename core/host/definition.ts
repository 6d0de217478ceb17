/**
 * Judges a plugin's definition: by `definePlugin`, where its author sees it, and again by the host,
 * because a plugin may come from another copy of this package, or be a plain object.
 */
import { ConcordError } from '../errors.ts'
import type { CommandOption, Context, JsonSchema, Plugin, PluginCommand, Slice } from './contract.ts'
import { didYouMean } from '../suggest.ts'
import { PERMISSIONS } from './routes.ts'
import { CORE_VERBS } from './verbs.ts'

/** A definition whose type arguments nobody knows any more. */
export interface AnyDefinition {
  readonly name: string
  readonly version: string
  readonly apiVersion: 1
  readonly options?: { readonly json: JsonSchema } | undefined
  readonly requires?: readonly string[] | undefined
  readonly after?: readonly string[] | undefined
  readonly slice?: Slice<unknown, unknown> | undefined
  readonly setup: (ctx: Context<unknown, unknown>, options: object) => unknown
  readonly callOptions?: readonly string[] | undefined
  readonly commands?: readonly PluginCommand[] | undefined
}

const FIELDS = [
  'name',
  'version',
  'apiVersion',
  'options',
  'requires',
  'after',
  'callOptions',
  'slice',
  'setup',
  'commands',
]
const COMMAND_FIELDS = ['name', 'summary', 'arguments', 'options', 'permission', 'confirm', 'run']
const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/
const NAME_LENGTH = 40
const OPTION_TYPES: readonly string[] = [
  'string',
  'number',
  'duration',
  'boolean',
] satisfies CommandOption['type'][]
const OPTION_NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/
const SEMVER =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$/

/** The definition, checked, copied and frozen. Throws `PLUGIN_INVALID` naming the field. */
export function checkDefinition<N extends string, O, S>(definition: object): Plugin<N, O, S> {
  if (!isPlainObject(definition)) refuse('?', 'the definition', definition, 'a plain object')
  const { name, version, apiVersion, setup } = definition
  if (typeof name !== 'string' || !NAME.test(name) || name.length > NAME_LENGTH) {
    const expected = `lower case letters, digits and single dashes, a letter first, at most ${NAME_LENGTH}`
    refuse(typeof name === 'string' ? name : '?', 'name', name, expected)
  }
  checkFields(name, '', definition, FIELDS)
  if (typeof version !== 'string' || !SEMVER.test(version)) {
    refuse(name, 'version', version, 'a semantic version such as "1.2.3"')
  }
  if (apiVersion !== 1) refuse(name, 'apiVersion', apiVersion, '1, the one that this Concord speaks')
  if (typeof setup !== 'function') refuse(name, 'setup', setup, 'a function')
  checkOptions(name, definition['options'])
  checkNames(name, 'requires', definition['requires'])
  checkNames(name, 'after', definition['after'])
  checkCallOptions(name, definition['callOptions'])
  checkSlice(name, definition['slice'])
  checkCommands(name, definition['commands'])
  return Object.freeze({ ...definition }) as unknown as Plugin<N, O, S>
}

function checkOptions(plugin: string, options: unknown): void {
  if (options === undefined) return
  if (!isPlainObject(options) || !isPlainObject(options['json']) || options['json']['type'] !== 'object') {
    refuse(plugin, 'options', options, "optionsSchema({ type: 'object', … })")
  }
}

function checkNames(plugin: string, field: string, names: unknown): void {
  if (names === undefined) return
  if (!Array.isArray(names)) refuse(plugin, field, names, 'an array of names of plugins')
  for (const [at, other] of names.entries()) {
    if (typeof other !== 'string' || !NAME.test(other)) {
      refuse(plugin, `${field}[${at}]`, other, 'the name of a plugin')
    }
    if (other === plugin) refuse(plugin, `${field}[${at}]`, other, 'the name of another plugin')
  }
}

function checkCallOptions(plugin: string, names: unknown): void {
  if (names === undefined) return
  const isName = (name: unknown) => typeof name === 'string' && /^[a-z][A-Za-z0-9]*$/.test(name)
  if (!Array.isArray(names) || !names.every(isName)) {
    refuse(plugin, 'callOptions', names, 'an array of names such as "dryRun"')
  }
}

function checkSlice(plugin: string, slice: unknown): void {
  if (slice === undefined) return
  if (!isPlainObject(slice)) refuse(plugin, 'slice', slice, '{ version, apply }')
  checkFields(plugin, 'slice.', slice, ['version', 'apply'])
  const { version, apply } = slice
  if (!Number.isSafeInteger(version) || (version as number) < 1) {
    refuse(plugin, 'slice.version', version, 'a whole number from 1')
  }
  if (typeof apply !== 'function') refuse(plugin, 'slice.apply', apply, 'a function')
}

function checkCommands(plugin: string, commands: unknown): void {
  if (commands === undefined) return
  if (!Array.isArray(commands)) refuse(plugin, 'commands', commands, 'an array of commands')
  const seen = new Set<string>()
  for (const [at, command] of commands.entries()) {
    const field = `commands[${at}]`
    if (!isPlainObject(command)) refuse(plugin, field, command, '{ name, summary, run }')
    checkFields(plugin, `${field}.`, command, COMMAND_FIELDS)
    const { name, summary, run } = command
    if (typeof name !== 'string' || !name.split(' ').every((word) => NAME.test(word)) || seen.has(name)) {
      refuse(
        plugin,
        `${field}.name`,
        name,
        `words in lower case, each command once, such as "${plugin} list"`,
      )
    }
    if (CORE_VERBS.includes(name.split(' ')[0]!)) {
      refuse(
        plugin,
        `${field}.name`,
        name,
        `another first word than Concord's own verbs have, such as "${plugin} list"`,
      )
    }
    seen.add(name)
    if (typeof summary !== 'string') refuse(plugin, `${field}.summary`, summary, 'a sentence for the help')
    if (typeof run !== 'function') refuse(plugin, `${field}.run`, run, 'a function')
    const may = command['permission']
    if (may !== undefined && !PERMISSIONS.includes(may)) {
      refuse(plugin, `${field}.permission`, may, `one of ${PERMISSIONS.join(', ')}`)
    }
    checkArguments(plugin, `${field}.arguments`, command['arguments'])
    checkCommandOptions(plugin, `${field}.options`, command['options'])
    const confirm = command['confirm']
    if (confirm !== undefined && typeof confirm !== 'string') {
      refuse(plugin, `${field}.confirm`, confirm, 'a question')
    }
  }
}

function checkArguments(plugin: string, field: string, list: unknown): void {
  if (list === undefined) return
  if (!Array.isArray(list)) refuse(plugin, field, list, 'an array of arguments')
  let optional = false
  for (const [at, argument] of list.entries()) {
    if (!isPlainObject(argument) || typeof argument['name'] !== 'string') {
      refuse(plugin, `${field}[${at}]`, argument, '{ name, summary }')
    }
    checkFields(plugin, `${field}[${at}].`, argument, ['name', 'summary', 'required', 'variadic'])
    const isOptional = argument['required'] === false
    if (optional && !isOptional)
      refuse(plugin, `${field}[${at}]`, argument['name'], 'optional arguments last')
    optional = isOptional
    if (argument['variadic'] === true && at !== list.length - 1) {
      refuse(plugin, `${field}[${at}]`, argument['name'], 'the variadic argument last')
    }
  }
}

function checkCommandOptions(plugin: string, field: string, options: unknown): void {
  if (options === undefined) return
  if (!isPlainObject(options)) refuse(plugin, field, options, 'an object of options by long name')
  for (const [name, option] of Object.entries(options)) {
    if (!OPTION_NAME.test(name)) refuse(plugin, field, name, 'names such as "dry-run"')
    if (!isPlainObject(option)) refuse(plugin, `${field}.${name}`, option, '{ type, summary }')
    checkFields(plugin, `${field}.${name}.`, option, ['type', 'summary', 'default'])
    if (!OPTION_TYPES.includes(option['type'] as string)) {
      refuse(plugin, `${field}.${name}.type`, option['type'], `one of ${OPTION_TYPES.join(', ')}`)
    }
  }
}

function checkFields(plugin: string, path: string, record: object, known: readonly string[]): void {
  for (const field of Object.keys(record)) {
    if (known.includes(field)) continue
    const hint = didYouMean(field, known)
    throw new ConcordError('PLUGIN_INVALID', `plugin "${plugin}": unknown field ${path}${field}.${hint}`, {
      details: { plugin, field: `${path}${field}` },
    })
  }
}

function refuse(plugin: string, field: string, found: unknown, expected: string): never {
  throw new ConcordError(
    'PLUGIN_INVALID',
    `plugin "${plugin}": ${field} is ${show(found)}; expected ${expected}`,
    { details: { plugin, field, expected } },
  )
}

function show(found: unknown): string {
  if (found === undefined) return 'missing'
  if (typeof found === 'string') return JSON.stringify(found)
  if (Array.isArray(found)) return 'an array'
  if (typeof found === 'number' || typeof found === 'boolean' || found === null) return String(found)
  return typeof found === 'object' ? 'an object of another shape' : `a ${typeof found}`
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
