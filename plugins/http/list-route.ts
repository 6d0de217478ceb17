/**
 * `GET /kv`: the keys in the order of their bytes, a page at a time. Each page is one moment and says which revision
 * it is; two pages are two moments, between which keys may come and go. The cursor is the last key, opaque.
 */
import { answer, type Entry, type Route, type RouteCall } from '../../core/plugin.ts'
import { getByQuery } from './kv-routes.ts'
import { HttpError } from './problem.ts'
import { valueText } from './reply.ts'
import { anyJson, key, object, reading, revision } from './schemas.ts'
import { jsonObject } from './values.ts'

const LIMIT_MAX = 10_000
/** A page is full when it has so many bytes, however many keys were asked for. */
const PAGE_BYTES = 4 * 1024 * 1024

type Shape = (entry: Entry) => string

async function list(call: RouteCall): Promise<unknown> {
  const { query } = call
  if (query['key'] !== undefined) {
    refuseBeside('key', call, ['prefix', 'limit', 'cursor', 'keys_only'])
    return getByQuery(call)
  }
  if (query['keys_only'] === true) refuseBeside('keys_only', call, ['with_ttl'])
  const { prefix = '', cursor, limit = LIMIT_MAX, keys_only: keysOnly, with_ttl: withTtl } = query
  const minRevision = query['min_revision'] as number | undefined
  const after = cursor === undefined ? undefined : keyIn(cursor as string)
  const entries = call.store.entries({ prefix: prefix as string, after, minRevision })
  const shape = withTtl === true ? valueAndTtl : valueOnly
  const texts: (readonly [string, string])[] = []
  let bytes = 0
  let hasMore = false
  for await (const entry of entries) {
    hasMore = texts.length >= (limit as number) || bytes >= PAGE_BYTES
    if (hasMore) break
    const text = keysOnly === true ? '' : shape(entry)
    texts.push([entry.key, text])
    bytes += entry.key.length + text.length
  }
  const last = texts.at(-1)?.[0]
  const next = hasMore && last !== undefined ? cursorAfter(last) : null
  const page = { next_cursor: next, has_more: hasMore, revision: entries.revision }
  return answer({
    headers: { 'concord-revision': String(entries.revision), ...linkTo(call, next) },
    json: keysOnly === true ? JSON.stringify(texts.map(([name]) => name)) : jsonObject(texts),
    beside: { page },
  })
}

/** What would have no meaning is not dropped in silence. */
function refuseBeside(name: string, { query }: RouteCall, others: readonly string[]): void {
  const found = others.find((other) => query[other] !== undefined && query[other] !== false)
  if (found !== undefined)
    throw new HttpError('INVALID_REQUEST', `query: ${found} has no meaning beside ${name}`)
}

const valueOnly: Shape = ({ value }) => valueText(value)
const valueAndTtl: Shape = ({ value, ttl }) =>
  jsonObject([
    ['value', valueText(value)],
    ['ttl', JSON.stringify(ttl)],
  ])

const cursorAfter = (last: string): string => Buffer.from(last, 'utf8').toString('base64url')

function keyIn(cursor: string): string {
  const last = Buffer.from(cursor, 'base64url')
  const text = last.toString('utf8')
  if (last.length > 0 && cursorAfter(text) === cursor) return text
  throw new HttpError('INVALID_REQUEST', 'cursor: expected what an earlier page has given as next_cursor')
}

/** RFC 8288, for clients that go by it. */
function linkTo({ query }: RouteCall, next: string | null): Record<string, string> {
  if (next === null) return {}
  const again = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (value !== undefined) again.set(name, String(value))
  again.set('cursor', next)
  return { link: `</api/v1/kv?${again.toString()}>; rel="next"` }
}

const query = reading({
  key: { ...key, description: 'This key alone, as `GET /kv/{key}` would answer it: for keys with slashes.' },
  prefix: { type: 'string', description: 'Only keys that begin with this.' },
  limit: {
    type: 'integer',
    minimum: 1,
    maximum: LIMIT_MAX,
    description: `Most keys of a page. Default ${LIMIT_MAX}.`,
  },
  cursor: { type: 'string', description: '`next_cursor` of the page before.' },
  keys_only: { type: 'boolean', default: false, description: 'An array of keys, without values.' },
  with_ttl: { type: 'boolean', default: false, description: 'Each key with `value` and `ttl`.' },
})

export const listRoute: Route = {
  method: 'GET',
  path: '/kv',
  tag: 'Key-Value Operations',
  permission: 'store',
  summary: 'List keys, or read one whose key is in the query',
  description:
    'Members are in the order of the bytes of their keys. `page` beside `data` says whether there is more, and at which revision of the store this page stands.',
  query,
  headers: {
    'if-none-match': { description: 'With `key`: as for GET /kv/{key}.', schema: { type: 'string' } },
  },
  responses: {
    200: {
      description: 'Keys with values; an array of keys with `keys_only`; one value with `key`.',
      schema: {
        description: 'By key.',
        anyOf: [
          { type: 'object', additionalProperties: anyJson },
          { type: 'array', items: key },
        ],
      },
      headers: { link: { description: 'The next page, `rel="next"`.' } },
    },
    304: { description: 'With `key`: unchanged.', raw: '' },
    404: { description: 'With `key`: it is absent, or has expired.' },
    406: { description: 'With `key`: the value cannot be had as that.' },
  },
  examples: [
    { summary: 'The first ten', query: { limit: 10 } },
    { summary: 'Keys below a prefix', query: { prefix: 'app/', keys_only: true } },
    { summary: 'With the seconds that are left', query: { limit: 10, with_ttl: true } },
  ],
  handle: list,
}

/** Of the page, for the document. */
export const pageSchema = object(
  {
    next_cursor: { type: ['string', 'null'] },
    has_more: { type: 'boolean' },
    revision,
  },
  ['next_cursor', 'has_more', 'revision'],
)
