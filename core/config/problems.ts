/**
 * What is wrong with a config, in words: where, what was found, what was expected, did you mean. Ours
 * instead of ajv's, which knows neither layers nor neighbours.
 */
import type { ErrorObject } from 'ajv'
import { ConcordError } from '../errors.ts'
import { sourceOf, type Layer } from './layers.ts'
import { listed, typeOf, type Schema } from './options.ts'
import { looksSecret } from './redact.ts'
import { didYouMean } from '../suggest.ts'

export interface Problem {
  /** Where to look: `storage.fsync`, `env.production.storage.fsync`, `CONCORD_STORAGE_FSYNC (storage.fsync)`. */
  readonly path: string
  readonly message: string
}

/** One error for all that was found. `where` is the file, or words for the object. */
export function invalid(where: string, problems: readonly Problem[]): ConcordError {
  const lines = problems.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))
  const message =
    lines.length === 1
      ? `${where}: ${lines[0]!}`
      : `${where}: ${lines.length} problems\n${lines.map((line) => `  ${line}`).join('\n')}`
  return new ConcordError('CONFIG_INVALID', message, { details: { where, problems } })
}

/** Each problem once, in the order found. */
export function distinct(problems: readonly Problem[]): Problem[] {
  const byText = new Map(problems.map((problem) => [`${problem.path}\n${problem.message}`, problem]))
  return [...byText.values()]
}

/** The path as its writer knows it: with the mode's section or the variable that said it. */
export function placeOf(path: string, layer: Layer | undefined): string {
  if (layer === undefined || layer === 'default' || layer === 'config') return path
  return layer.startsWith('env.') ? (path === '' ? layer : `${layer}.${path}`) : `${layer} (${path})`
}

/** A found value, short, and never a secret. */
export function describe(value: unknown, secret = false): string {
  if (typeof value === 'string') {
    if (secret) return `a secret of ${value.length} characters`
    return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value)
  }
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'object') return 'an object'
  if (typeof value === 'function') return 'a function'
  if (secret) return `a ${typeof value}`
  if (typeof value === 'bigint') return `${value}n`
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : typeof value
}

/** ajv's errors as problems. `prefix` is where the validated object sits in the config. */
export function problemsOf(
  errors: readonly ErrorObject[],
  prefix: readonly string[],
  sources: ReadonlyMap<string, Layer>,
): Problem[] {
  return withoutNoise(errors).map((error) => {
    const keys = [...prefix, ...pointerKeys(error.instancePath)]
    const extra = extraKey(error)
    const path = keys.join('.')
    const layer = sourceOf(sources, extra === undefined ? path : [...keys, extra].join('.'))
    return { path: placeOf(written(keys), layer), message: messageOf(error, keys) }
  })
}

/**
 * Of a union that matched nothing: the errors inside its object branch when an object was given,
 * otherwise one line for the whole union.
 */
function withoutNoise(errors: readonly ErrorObject[]): ErrorObject[] {
  let kept = errors.filter(({ keyword }) => keyword !== 'if')
  for (const union of errors.filter(({ keyword }) => keyword === 'anyOf' || keyword === 'oneOf')) {
    const inside = (error: ErrorObject) =>
      error !== union &&
      error.schemaPath !== union.schemaPath &&
      (error.instancePath === union.instancePath || error.instancePath.startsWith(`${union.instancePath}/`))
    const mismatch = ({ keyword, instancePath }: ErrorObject) =>
      instancePath === union.instancePath && ['type', 'const', 'enum'].includes(keyword)
    const telling = kept.filter((error) => inside(error) && !mismatch(error))
    const isObject = typeof union.data === 'object' && union.data !== null
    kept =
      isObject && telling.length > 0
        ? kept.filter((error) => error !== union && !(inside(error) && mismatch(error)))
        : kept.filter((error) => !inside(error))
  }
  return kept
}

/** What a config has beside the options of core: other chapters check it. */
const BESIDE_CORE = ['plugins', 'use', 'env']

function messageOf(error: ErrorObject, keys: readonly string[]): string {
  const schema = (error.parentSchema ?? {}) as Schema
  const params = error.params as Record<string, unknown>
  const secret = schema['x-secret'] === true || looksSecret(keys.at(-1) ?? '')
  const found = describe(error.data, secret)
  const unit = schema['x-unit'] === undefined ? '' : ` ${schema['x-unit']}`
  const expected = (what: string) => `expected ${what}, found ${found}`
  const counted = (what: string, count: unknown) => `expected ${what}, found ${String(count)}`
  switch (error.keyword) {
    case 'type':
      return `${expected(typeOf({ type: params['type'] as string[] }) + (unit && ` (${unit.trim()})`))}.${quoted(error.data, schema)}`
    case 'enum':
    case 'const':
      return unionMessage(found, schema, error.data)
    case 'anyOf':
    case 'oneOf':
      if (error.params['passingSchemas'] != null) return 'matches more than one of the forms it may have'
      return unionMessage(found, schema, error.data)
    case 'additionalProperties':
    case 'unevaluatedProperties':
      return unknownOption(extraKey(error)!, [
        ...Object.keys(schema.properties ?? {}),
        ...(keys.length === 0 ? BESIDE_CORE : []),
      ])
    case 'required':
      return `missing required option "${String(params['missingProperty'])}"`
    case 'dependentRequired':
      return `"${String(params['property'])}" needs "${String(params['missingProperty'])}" as well`
    case 'minimum':
    case 'formatMinimum':
      return expected(`at least ${String(params['limit'])}${unit}`)
    case 'maximum':
      return expected(`at most ${String(params['limit'])}${unit}`)
    case 'exclusiveMinimum':
      return expected(`more than ${String(params['limit'])}${unit}`)
    case 'exclusiveMaximum':
      return expected(`less than ${String(params['limit'])}${unit}`)
    case 'multipleOf':
      return expected(`a multiple of ${String(params['multipleOf'])}${unit}`)
    case 'minLength':
      return counted(`at least ${String(params['limit'])} characters`, (error.data as string).length)
    case 'maxLength':
      return counted(`at most ${String(params['limit'])} characters`, (error.data as string).length)
    case 'pattern':
      return expected(schema['x-expected'] ?? `text that matches ${String(params['pattern'])}`)
    case 'minItems':
      return counted(`at least ${String(params['limit'])} items`, (error.data as unknown[]).length)
    case 'maxItems':
      return counted(`at most ${String(params['limit'])} items`, (error.data as unknown[]).length)
    case 'minProperties':
      return counted(`at least ${String(params['limit'])} entries`, Object.keys(error.data as object).length)
    case 'maxProperties':
      return counted(`at most ${String(params['limit'])} entries`, Object.keys(error.data as object).length)
    default:
      return `${error.message ?? `does not satisfy "${error.keyword}"`}, found ${found}`
  }
}

function unionMessage(found: string, schema: Schema, data: unknown): string {
  const allowed = typeOf(schema)
  const words = [schema, ...(schema.anyOf ?? schema.oneOf ?? [])].flatMap(
    (one) => one.enum ?? one.const ?? [],
  )
  const near = typeof data === 'string' ? didYouMean(data, words.map(String)) : ''
  return `${found} is not allowed. Expected ${allowed}.${near}`
}

function unknownOption(name: string, known: readonly string[]): string {
  const near = didYouMean(name, known)
  const all = near === '' && known.length > 0 && known.length <= 16 ? ` Expected ${listed(known)}.` : near
  return `unknown option "${name}".${all}`
}

/** A number in quotes, or a duration like "5s": the usual slips. */
function quoted(data: unknown, schema: Schema): string {
  const types = [schema.type ?? []].flat()
  if (typeof data !== 'string' || !(types.includes('integer') || types.includes('number'))) {
    if (typeof data === 'string' && types.includes('boolean') && /^(?:true|false)$/.test(data)) {
      return ` Write ${data}, without quotes.`
    }
    return ''
  }
  if (/^\d+(?:\.\d+)?$/.test(data)) return ` Write ${data}, without quotes.`
  const duration = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h)$/.exec(data)
  if (duration && schema['x-unit'] === 'milliseconds') {
    const factor = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[duration[2]!]!
    return ` Write ${Number(duration[1]) * factor}.`
  }
  const size = /^(\d+(?:\.\d+)?)\s*(k|m|g)i?b?$/i.exec(data)
  if (size && schema['x-unit'] === 'bytes') {
    const power = 'kmg'.indexOf(size[2]!.toLowerCase()) + 1
    return ` Write ${Math.round(Number(size[1]) * 1024 ** power)}.`
  }
  return ''
}

function extraKey(error: ErrorObject): string | undefined {
  const { additionalProperty, unevaluatedProperty } = error.params as Record<string, string | undefined>
  return additionalProperty ?? unevaluatedProperty
}

const pointerKeys = (pointer: string) =>
  pointer
    .split('/')
    .slice(1)
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'))

/** `members.n1`, `hosts[0].name`. */
export function written(keys: readonly string[]): string {
  return keys.reduce(
    (path, key) => (/^\d+$/.test(key) ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`),
    '',
  )
}
