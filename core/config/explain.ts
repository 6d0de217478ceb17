/** Why an option has the value it has: every layer that says something, the one that won, the default. */
import { ConcordError } from '../errors.ts'
import { closestTo } from '../suggest.ts'
import { sourceOf, valueAt, type Layer, type Tree } from './layers.ts'
import { typeOf, type Option } from './options.ts'
import { redact } from './redact.ts'
import { originOf, type ResolvedConfig } from './resolve.ts'
import { configSchema } from './schema.ts'

export interface Explanation {
  readonly path: string
  /** In force; secrets hidden. Undefined: nobody says, and there is no default. */
  readonly value: unknown
  /** The layer that won. */
  readonly source: Layer
  readonly default: unknown
  /** From the lowest to the highest, those that say something, as they say it; secrets hidden. */
  readonly layers: readonly { readonly layer: Layer; readonly value: unknown }[]
  /** The environment variable that sets it. */
  readonly variable: string | undefined
  readonly type: string
  readonly unit: string | undefined
  readonly description: string | undefined
  readonly secret: boolean
}

/**
 * One option, by its path: `storage.fsync`, `plugins.http.port`, `cluster.members.n1`.
 *
 * @throws `INVALID_ARGUMENT` - there is no such option here; says which is near.
 */
export function explain(config: ResolvedConfig, path: string): Explanation {
  const { layers, options } = known(config)
  const option = options.find((one) => one.path === path) ?? options.find((one) => isInMap(one, path))
  if (option === undefined) throw unknownPath(path, options)
  const keys = option.path === path ? option.keys : [...option.keys, path.slice(option.path.length + 1)]
  const secrets = secretsOf(config)
  const shown = (tree: object) => redact(valueAt(tree, keys), secrets, keys)
  return {
    path,
    value: shown(config),
    source: sourceOf(config.sources, path) ?? 'default',
    default: option.default,
    layers: layers
      .filter(({ values }) => valueAt(values, keys) !== undefined)
      .map(({ layer, values }) => ({ layer, value: shown(values) })),
    variable: option.variable,
    type: typeOf(option.schema),
    unit: option.schema['x-unit'],
    description: option.schema.description,
    secret: option.secret,
  }
}

/** Paths of all options that exist here: core's, and those of the plugins that are on. */
export const optionPaths = (config: ResolvedConfig): string[] => known(config).options.map(({ path }) => path)

/** The whole config for printing: secrets hidden, code by name. */
export function printable(config: ResolvedConfig): Record<string, unknown> {
  const { file, mode, baseDir, use, plugins } = config
  const core = Object.keys(configSchema.properties).map((name) => [name, valueAt(config, [name])])
  const options = redact({ ...Object.fromEntries(core), plugins }, secretsOf(config)) as Tree
  return { file, mode, baseDir, ...options, use }
}

function secretsOf(config: ResolvedConfig): Set<string> {
  return new Set(
    known(config)
      .options.filter(({ secret }) => secret)
      .map(({ path }) => path),
  )
}

function known(config: ResolvedConfig) {
  const origin = originOf(config)
  if (origin === undefined) {
    throw new ConcordError(
      'INVALID_ARGUMENT',
      'expected what loadConfig or resolveConfig returned, found another object',
    )
  }
  return origin
}

const isInMap = ({ path, schema }: Option, wanted: string) =>
  typeof schema.additionalProperties === 'object' && wanted.startsWith(`${path}.`)

function unknownPath(path: string, options: readonly Option[]): ConcordError {
  const paths = options.map((option) => option.path)
  const inside = paths.filter((one) => one.startsWith(`${path}.`))
  // `fsync` is near to `storage.fsync` too.
  const byName = new Map(paths.map((one) => [one.slice(one.lastIndexOf('.') + 1), one]))
  const near = closestTo(path, paths) ?? byName.get(closestTo(path, byName.keys()) ?? '')
  const hint =
    inside.length > 0
      ? ` It is a section: ${inside.join(', ')}.`
      : near === undefined
        ? ''
        : ` Did you mean "${near}"?`
  return new ConcordError('INVALID_ARGUMENT', `no option "${path}".${hint}`, { details: { path } })
}
