/**
 * Calls are judged by the schemas of their route before its function sees them, and the OpenAPI document is made of
 * the same schemas. What is refused says where, what was found, and what was expected.
 */
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import type { JsonSchema, Route } from '../../core/plugin.ts'
import { HttpError } from './problem.ts'

const rules = {
  strict: true,
  strictTypes: false,
  allErrors: false,
  discriminator: false,
  logger: false,
} as const
/** Bodies are what they are. */
const exact = new Ajv2020(rules)
/** In a path and a query everything is text. */
const fromText = new Ajv2020({ ...rules, coerceTypes: true })

export interface Judged {
  readonly params: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string | number | boolean | undefined>>
}

export interface Judge {
  text(params: unknown, query: unknown): Judged
  body(body: unknown): void
}

/** @throws `INVALID_REQUEST` - by either function. */
export function judgeOf(route: Route): Judge {
  const params = judging(fromText, route.params, 'path')
  const query = judging(fromText, route.query, 'query')
  const body = judging(exact, route.body, 'body')
  const booleans = booleansIn(route.query)
  return {
    text(givenParams, givenQuery) {
      const judged = { params: { ...(givenParams as object) }, query: { ...(givenQuery as object) } }
      for (const name of booleans) readBoolean(judged.query, name)
      params(judged.params)
      query(judged.query)
      return judged
    },
    body,
  }
}

function booleansIn(query: JsonSchema | undefined): string[] {
  const properties = Object.entries((query?.['properties'] ?? {}) as Record<string, JsonSchema>)
  return properties.filter(([, { type }]) => type === 'boolean').map(([name]) => name)
}

/** `?verbose`, `verbose=1` and `verbose=true` are the same. */
function readBoolean(query: Record<string, unknown>, name: string): void {
  const given = query[name]
  if (given === '' || given === '1') query[name] = 'true'
  if (given === '0') query[name] = 'false'
}

/** Compiled when it is first needed: a node that starts need not wait for all of them. */
function judging(ajv: Ajv2020, schema: JsonSchema | undefined, part: string): (given: unknown) => void {
  if (schema === undefined) return () => undefined
  const isOptional = ((schema['required'] ?? []) as readonly string[]).length === 0
  let validate: ValidateFunction | undefined
  return (given) => {
    if (given === undefined && isOptional) return
    if (given === undefined) throw new HttpError('INVALID_REQUEST', `${part}: found none, expected JSON`)
    validate ??= ajv.compile(schema)
    if (validate(given)) return
    const [error] = validate.errors ?? []
    const at = part + pathOf(error!.instancePath)
    throw new HttpError('INVALID_REQUEST', `${at}: ${wordsOf(error!, given)}`, { details: { field: at } })
  }
}

const stepsOf = (pointer: string): string[] =>
  pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))

/** `/operations/3/ttl` as `.operations[3].ttl`. */
function pathOf(pointer: string): string {
  return stepsOf(pointer)
    .map((step) => (/^\d+$/.test(step) ? `[${step}]` : `.${step}`))
    .join('')
}

function wordsOf({ keyword, params, message, instancePath }: ErrorObject, given: unknown): string {
  if (keyword === 'required') return `"${String(params['missingProperty'])}" is missing`
  if (keyword === 'additionalProperties') return `there is no "${String(params['additionalProperty'])}"`
  return `found ${shown(foundAt(given, instancePath))}, expected ${expected(keyword, params, message)}`
}

function foundAt(given: unknown, pointer: string): unknown {
  let found = given
  for (const step of stepsOf(pointer)) found = (found as Record<string, unknown>)[step]
  return found
}

function expected(keyword: string, params: Record<string, unknown>, message: string | undefined): string {
  if (keyword === 'type') return [params['type']].flat().join(' or ')
  if (keyword === 'enum') return `one of ${(params['allowedValues'] as unknown[]).join(', ')}`
  if (keyword === 'const') return JSON.stringify(params['allowedValue'])
  const { comparison, limit } = params
  if (typeof comparison === 'string') return `${comparison} ${Number(limit)}`
  if (keyword === 'oneOf') return 'one of the forms in the API document'
  return message?.replace(/^must (be |have |NOT have )?/, '') ?? keyword
}

/** Never a value: a type, or a short number. */
function shown(found: unknown): string {
  if (found === null || typeof found === 'boolean' || typeof found === 'number') return String(found)
  if (Array.isArray(found)) return `an array of ${found.length}`
  if (typeof found === 'string') return `a text of ${found.length}`
  return `an ${typeof found}`
}
