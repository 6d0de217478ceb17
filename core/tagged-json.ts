/**
 * Values as JSON and back. What JSON has no word for is an object with one member that begins with `$`:
 *
 *   {"$date":"2026-01-31T12:00:00.000Z"}   {"$bigint":"123"}      {"$bytes":"aGVsbG8="}
 *   {"$map":[[key, value], …]}             {"$set":[…]}           {"$number":"NaN" | "Infinity" | "-Infinity" | "-0"}
 *   {"$undefined":true}                    a member that is there, and undefined
 *
 * A stored object that looks like one of these gets one more `$`, which reading takes away.
 */
import { ConcordError } from './errors.ts'

const FORMS = new Set(['$date', '$bigint', '$bytes', '$map', '$set', '$number', '$undefined'])
const NUMBERS: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
  '-0': -0,
}

/** What `JSON.stringify` writes as it is. */
export function toJson(value: unknown): unknown {
  switch (typeof value) {
    case 'bigint':
      return { $bigint: String(value) }
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0) ? value : { $number: numberName(value) }
    case 'undefined':
      return { $undefined: true }
    case 'object':
      return value === null ? null : objectToJson(value)
    default:
      return value
  }
}

const numberName = (value: number): string => (Object.is(value, -0) ? '-0' : String(value))

function objectToJson(value: object): unknown {
  if (Array.isArray(value)) return value.map(toJson)
  if (value instanceof Date) return { $date: Number.isNaN(value.getTime()) ? null : value.toISOString() }
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('base64') }
  if (value instanceof Map) return { $map: [...value].map(([key, item]) => [toJson(key), toJson(item)]) }
  if (value instanceof Set) return { $set: [...value].map(toJson) }
  const members = Object.entries(value)
  const [first] = members
  const mayBeMistaken = members.length === 1 && isForm(first![0])
  // fromEntries makes a member of a key named __proto__.
  return Object.fromEntries(members.map(([key, item]) => [mayBeMistaken ? `$${key}` : key, toJson(item)]))
}

const isForm = (key: string): boolean => FORMS.has(key.replace(/^\$+/, '$'))

/** @throws `INVALID_VALUE` - no JSON, a number that JavaScript cannot hold exactly, or a form that is broken. */
export function parseJson(text: string): unknown {
  return fromJson(readJson(text))
}

/**
 * JSON as it stands there, forms and all. `fromJson` makes values of it.
 *
 * @throws `INVALID_VALUE` - no JSON, or a number that JavaScript cannot hold exactly.
 */
export function readJson(text: string): unknown {
  try {
    return MAY_BE_INEXACT.test(text) ? JSON.parse(text, exactNumbers) : JSON.parse(text)
  } catch (error) {
    if (ConcordError.is(error)) throw error
    throw new ConcordError('INVALID_VALUE', `no JSON: ${withoutText(error as Error)}`)
  }
}

/** What is wrong, without the piece of the text that the engine shows: it may be secret. */
const withoutText = ({ message }: Error): string =>
  message.replace(/, (\.{3})?".*$/s, '').replace(/^".*$/s, 'not a value')

/** Up to 15 digits without an exponent are always exact: most texts need no look at each number. */
const MAY_BE_INEXACT = /\d{16}|\d[eE]/

/** An id that is longer than a number is exact must not become another id on the way. */
function exactNumbers(
  this: unknown,
  _key: string,
  value: unknown,
  context?: { readonly source?: string },
): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
  const source = context?.source ?? ''
  // What JSON.stringify writes for this number is this number; other digits were lost.
  const isInteger = /^-?\d+$/.test(source)
  if (Number.isFinite(value) && (!isInteger || JSON.stringify(value) === source)) return value
  throw new ConcordError(
    'INVALID_VALUE',
    isInteger
      ? `a number of ${source.length} digits is more than a number holds exactly: write it as text, in quotes, or {"$bigint":"…"}`
      : 'a number is more than a number holds',
  )
}

/** @throws `INVALID_VALUE` - a form that is broken. */
export function fromJson(json: unknown): unknown {
  if (typeof json !== 'object' || json === null) return json
  if (Array.isArray(json)) return json.map(fromJson)
  const members = Object.entries(json)
  const [first] = members
  if (members.length === 1 && isForm(first![0])) return formFromJson(first![0], first![1])
  return Object.fromEntries(members.map(([key, item]) => [key, fromJson(item)]))
}

function formFromJson(form: string, content: unknown): unknown {
  if (form.startsWith('$$')) return Object.fromEntries([[form.slice(1), fromJson(content)]])
  const isText = typeof content === 'string'
  if (form === '$date' && content === null) return new Date(Number.NaN)
  if (form === '$date' && isText && !Number.isNaN(Date.parse(content))) return new Date(content)
  if (form === '$bigint' && isText && /^-?\d+$/.test(content)) return BigInt(content)
  if (form === '$bytes' && isText && isBase64(content)) return new Uint8Array(Buffer.from(content, 'base64'))
  if (form === '$number' && isText && Object.hasOwn(NUMBERS, content)) return NUMBERS[content]
  if (form === '$undefined' && content === true) return undefined
  if (form === '$set' && Array.isArray(content)) return new Set(content.map(fromJson))
  if (form === '$map' && Array.isArray(content) && content.every(isPair)) {
    return new Map(content.map(([key, item]) => [fromJson(key), fromJson(item)]))
  }
  throw new ConcordError(
    'INVALID_VALUE',
    `{"${form}": …} is not in its form; an object that only looks like it is written {"$${form}": …}`,
  )
}

const isPair = (item: unknown): item is [unknown, unknown] => Array.isArray(item) && item.length === 2

const isBase64 = (text: string): boolean => Buffer.from(text, 'base64').toString('base64') === text
