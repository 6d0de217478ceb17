/**
 * `CONCORD_*`: one layer for each variable that is set. Only the variables that schemas name are read,
 * converted by the option's type; a value that cannot be converted stays text, and validation says so.
 *
 * A variable sets an option; it never turns a section or a plugin on. One that is left over in a shell
 * warns and does nothing. So does an unknown name, except what Kubernetes injects for its Services and
 * what belongs to the command line.
 */
import { isPlainObject, mergeLayers, treeOf, valueAt, type ConfigLayer, type Layer } from './layers.ts'
import type { Option, Schema } from './options.ts'
import { didYouMean } from '../suggest.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** Read by the command line, never by the config. */
export const CLI_VARIABLES = [
  'CONCORD_CACERT',
  'CONCORD_CONFIG',
  'CONCORD_CONSISTENCY',
  'CONCORD_ENDPOINTS',
  'CONCORD_ENV',
  'CONCORD_OUTPUT',
  'CONCORD_TIMEOUT',
  'CONCORD_TOKEN',
  'CONCORD_TOKEN_FILE',
  'CONCORD_YES',
] as const

/** For a Service named `concord-http`, say: CONCORD_HTTP_SERVICE_HOST, CONCORD_HTTP_PORT_4000_TCP_ADDR … */
const ofService =
  /^CONCORD_(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:ADDR|PORT|PROTO))?)$/

/** And CONCORD_HTTP_PORT, which is an option's name too until one looks at the value: tcp://10.0.0.1:4000. */
const isOfKubernetes = (name: string, value: string | undefined) =>
  ofService.test(name) || (name.endsWith('_PORT') && /^(?:tcp|udp|sctp):/.test(value ?? ''))

export interface EnvironmentLayers {
  readonly layers: readonly ConfigLayer[]
  readonly warnings: readonly string[]
}

/** The layers of those options whose variables are set; `below` are the layers they come to lie on. */
export function environmentLayers(
  env: Environment,
  options: readonly Option[],
  below: readonly ConfigLayer[],
): EnvironmentLayers {
  const layers: ConfigLayer[] = []
  const warnings: string[] = []
  for (const option of options) {
    const text = option.variable === undefined ? undefined : env[option.variable]
    // Compose files and shells set what is not there to nothing.
    if (option.variable === undefined || text === undefined || text === '') continue
    const obstacle = whatIsInTheWay(option, [...below, ...layers])
    if (obstacle === undefined) {
      const values = treeOf(option.keys, convert(text, option.schema))
      layers.push({ layer: option.variable as Layer, values })
    } else {
      warnings.push(`${option.variable} has no effect: ${obstacle}`)
    }
  }
  return { layers, warnings }
}

function whatIsInTheWay({ section }: Option, layers: readonly ConfigLayer[]): string | undefined {
  if (section === undefined) return undefined
  const found = valueAt(mergeLayers(layers).values, section.keys)
  if (isPlainObject(found) || (found === undefined && !section.optional)) return undefined
  const path = section.keys.join('.')
  return found === undefined ? `the config has no "${path}"` : `${path} is ${JSON.stringify(found)}`
}

/** By the types the option takes; text that fits none of them stays text. */
export function convert(text: string, schema: Schema): unknown {
  const types = new Set([schema, ...(schema.anyOf ?? schema.oneOf ?? [])].flatMap((one) => one.type ?? []))
  if (types.has('array') || types.has('object')) {
    const structured = convertStructured(text, schema, types)
    if (structured !== undefined) return structured
  }
  if ((types.has('integer') || types.has('number')) && /^[+-]?\d+(?:\.\d+)?$/.test(text)) return Number(text)
  if (types.has('boolean')) {
    if (text === 'true' || text === '1') return true
    if (text === 'false' || text === '0') return false
  }
  return text
}

/** JSON, or `a,b` for a list, or `a=1,b=2` for a map. */
function convertStructured(text: string, schema: Schema, types: ReadonlySet<string>): unknown {
  if (/^\s*[[{]/.test(text)) {
    try {
      return JSON.parse(text) as unknown
    } catch {
      return undefined
    }
  }
  const parts = text.split(',').map((part) => part.trim())
  if (types.has('array')) return parts.map((part) => convert(part, schema.items ?? { type: 'string' }))
  const pairs = parts.map((part) => /^([^=]+)=(.*)$/.exec(part))
  if (pairs.some((pair) => pair === null)) return undefined
  const item =
    typeof schema.additionalProperties === 'object' ? schema.additionalProperties : { type: 'string' }
  return Object.fromEntries(pairs.map((pair) => [pair![1]!.trim(), convert(pair![2]!.trim(), item)]))
}

/** `perMinute` of `rate-limit` is PER_MINUTE of RATE_LIMIT. */
export function variableWord(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1_$2')
    .replace(/[^A-Za-z0-9]+/g, '_')
    .toUpperCase()
}

/** `CONCORD_PLUGINS_HTTP=true` turns a plugin on with the options it has, `false` turns it off. */
export function pluginSwitch(name: string): Option {
  const keys = ['plugins', name]
  return {
    path: keys.join('.'),
    keys,
    schema: { type: 'boolean', description: 'Turns the plugin on or off.' },
    variable: `CONCORD_PLUGINS_${variableWord(name)}`,
    default: undefined,
    secret: false,
    section: undefined,
  }
}

/** The variables that are meant for Concord, in order, without those that are known and those that Kubernetes injects. */
export function strayVariables(env: Environment, isKnown: (name: string) => boolean): string[] {
  const names = Object.keys(env).filter((name) => name.startsWith('CONCORD_') && !isKnown(name))
  return names.filter((name) => !isOfKubernetes(name, env[name])).sort()
}

/** A warning for each `CONCORD_*` that nobody reads. */
export function unknownVariables(
  env: Environment,
  known: ReadonlySet<string>,
  pluginsOff: readonly string[],
): string[] {
  const all = new Set<string>([...known, ...CLI_VARIABLES])
  return strayVariables(env, (name) => all.has(name)).map((name) => {
    const off = pluginsOff.find((plugin) => ownsVariable(plugin, name))
    return off === undefined
      ? `${name} is not a variable of Concord.${didYouMean(name, [...all])}`
      : `${name} has no effect: plugin "${off}" is off`
  })
}

/** Of the plugin `auth`, and set before anybody thinks of plugins: its name does not say which. */
const BOOTSTRAP_TOKEN = 'CONCORD_BOOTSTRAP_TOKEN'

/** What a plugin's schema may name its variables, so that they are known as its own while it is off. */
export function ownsVariable(plugin: string, variable: string): boolean {
  if (variable === BOOTSTRAP_TOKEN) return plugin === 'auth'
  const word = variableWord(plugin)
  return variable.startsWith(`CONCORD_PLUGINS_${word}_`) || variable.startsWith(`CONCORD_${word}_`)
}

/** Names that a Kubernetes Service called `concord` would set, with other people's values. */
export const isInjectedByKubernetes = (variable: string) => /^CONCORD_(?:PORT|SERVICE)(?:_|$)/.test(variable)
