/** Values in bodies: JSON with the forms of tagged JSON, or one text or one run of bytes as they are. */
import { fromJson, type RouteCall, type Value } from '../../core/plugin.ts'
import { mediaType } from './call.ts'
import { HttpError } from './problem.ts'

const BYTES = 'application/octet-stream'
const TEXT = 'text/plain'
export const RAW_TYPES = [BYTES, TEXT] as const

export interface Given {
  readonly value: Value
  readonly ttl: number | undefined
}

/** What a PUT of one key has in its body, or beside it. */
export function givenBy(call: RouteCall): Given {
  const ttl = call.query['ttl'] as number | undefined
  if (call.bytes !== undefined) return { value: rawValue(call), ttl }
  if (call.body === undefined) throw new HttpError('INVALID_REQUEST', "Missing or invalid 'value' field")
  const body = call.body as { value: unknown; ttl?: number }
  if (body.ttl !== undefined && ttl !== undefined) {
    throw new HttpError('INVALID_REQUEST', 'ttl: expected in the body or in the query, found in both')
  }
  return { value: fromJson(body.value) as Value, ttl: body.ttl ?? ttl }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function rawValue({ bytes, contentType }: RouteCall): Value {
  if (contentType === BYTES) return new Uint8Array(bytes!)
  try {
    return decoder.decode(bytes)
  } catch {
    throw new HttpError('INVALID_REQUEST', `a body of ${TEXT} is UTF-8; send other bytes as ${BYTES}`)
  }
}

/** How a GET wants the value. */
export function rawOf(
  value: unknown,
  accept: string | undefined,
): { type: string; body: string | Uint8Array } | undefined {
  if (accept === undefined) return undefined
  const wanted = accept.split(',').map((range) => mediaType(range))
  if (wanted.some((range) => range === 'application/json' || range === '*/*' || range === 'application/*'))
    return undefined
  if (wanted.includes(BYTES) && value instanceof Uint8Array) return { type: BYTES, body: value }
  if ((wanted.includes(TEXT) || wanted.includes('text/*')) && typeof value === 'string')
    return { type: `${TEXT}; charset=utf-8`, body: wellFormed(value) }
  if (wanted.includes('application/problem+json')) return undefined
  const had = ['application/json', ...rawTypesOf(value)].join(' or ')
  throw new HttpError('NOT_ACCEPTABLE', `the value is no ${wanted.join(', no ')}; it can be had as ${had}`)
}

function rawTypesOf(value: unknown): string[] {
  if (value instanceof Uint8Array) return [BYTES]
  return typeof value === 'string' && value.isWellFormed() ? [TEXT] : []
}

function wellFormed(text: string): string {
  if (text.isWellFormed()) return text
  throw new HttpError(
    'NOT_ACCEPTABLE',
    `the value has a lone surrogate, which ${TEXT} cannot carry; application/json can`,
  )
}

/** An object with its members in this order, whatever their names: objects of JavaScript put numbers first. */
export function jsonObject(members: Iterable<readonly [name: string, text: string]>): string {
  const parts: string[] = []
  for (const [name, text] of members) parts.push(`${JSON.stringify(name)}:${text}`)
  return `{${parts.join(',')}}`
}
