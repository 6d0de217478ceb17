/** One key: PUT, GET, DELETE, touch and ttl; and the twins whose key is in the query, for proxies that decode `%2F`. */
import { answer, type Entry, type Route, type RouteCall } from '../../core/plugin.ts'
import { askedBy, etagOf, isUnchanged, orFailed } from './conditions.ts'
import { HttpError } from './problem.ts'
import { valueText } from './reply.ts'
import {
  anyJson,
  conditionFailed,
  idempotencyKey,
  key,
  notFound,
  object,
  reading,
  revision,
  ttl,
  ttlOrNull,
  writing,
  written,
} from './schemas.ts'
import { givenBy, jsonObject, rawOf, RAW_TYPES } from './values.ts'

const KEYS = 'Key-Value Operations'
const TTLS = 'TTL Operations'

const keyOf = ({ params, query }: RouteCall): string => params['key'] ?? (query['key'] as string)

const requestIdOf = ({ headers }: RouteCall): string | undefined => {
  const id = headers['idempotency-key']
  return Array.isArray(id) ? id.join(', ') : id
}

async function put(call: RouteCall): Promise<unknown> {
  const at = keyOf(call)
  const { value, ttl: seconds } = givenBy(call)
  const options = { ttl: seconds, requestId: requestIdOf(call), ...compressOf(call) }
  const condition = askedBy(call)
  const made =
    condition === undefined
      ? (await call.store.put(at, value, options)).revision
      : orFailed(await call.store.putIf(at, value, { ...options, ...condition }), at)
  return writtenAt(made)
}

/** What the plugin `compression` understands; while it is off the store refuses it. */
function compressOf({ query }: RouteCall): object {
  return query['compress'] === undefined ? {} : { compress: query['compress'] }
}

async function remove(call: RouteCall): Promise<unknown> {
  const at = keyOf(call)
  const requestId = requestIdOf(call)
  const condition = askedBy(call)
  if (condition === undefined) {
    const { deleted, revision: made } = await call.store.delete(at, { requestId })
    return answer({ headers: { 'concord-revision': String(made) }, data: { deleted, revision: made } })
  }
  if ('ifAbsent' in condition)
    throw new HttpError('INVALID_REQUEST', 'DELETE: If-None-Match has no meaning here')
  const made = orFailed(await call.store.deleteIf(at, { requestId, ...condition }), at)
  return answer({ headers: { 'concord-revision': String(made) }, data: { deleted: true, revision: made } })
}

async function get(call: RouteCall): Promise<unknown> {
  const entry = await found(call)
  const { revision: changed, value } = entry
  if (call.query['with_ttl'] === true) {
    // The seconds that are left change with every answer: no entity tag stands for them.
    const json = jsonObject([
      ['value', valueText(value)],
      ['ttl', JSON.stringify(entry.ttl)],
    ])
    return answer({ headers: { 'concord-mod-revision': String(changed) }, json })
  }
  const headers = { etag: etagOf(changed), 'concord-mod-revision': String(changed) }
  if (isUnchanged(call, changed))
    return answer({ status: 304, headers, raw: { type: 'application/json', body: '' } })
  const raw = rawOf(value, call.headers['accept'] as string | undefined)
  return raw === undefined
    ? answer({ headers, json: `{"value":${valueText(value)}}` })
    : answer({ headers, raw })
}

async function found(call: RouteCall): Promise<Entry> {
  const minRevision = call.query['min_revision'] as number | undefined
  const entry = await call.store.getEntry(keyOf(call), { minRevision })
  if (entry === undefined) throw new HttpError('NOT_FOUND', 'Key not found')
  return entry
}

async function touch(call: RouteCall): Promise<unknown> {
  const { ttl: seconds } = call.body as { ttl: number }
  const { touched, revision: made } = await call.store.touch(keyOf(call), seconds, {
    requestId: requestIdOf(call),
  })
  if (!touched) throw new HttpError('NOT_FOUND', 'Failed to extend TTL: the key is absent, or has expired')
  return writtenAt(made)
}

async function ttlOf(call: RouteCall): Promise<unknown> {
  const entry = await found(call)
  return { ttl: entry.ttl }
}

const writtenAt = (made: number) =>
  answer({ headers: { etag: etagOf(made), 'concord-revision': String(made) }, data: { revision: made } })

const putBody = object({ value: anyJson, ttl }, ['value'])
const putQuery = {
  ttl: { ...ttl, description: 'As in the body, for bodies that are no JSON.' },
  compress: {
    type: 'boolean',
    description: 'Whether the value is compressed, whatever its size. Needs the plugin `compression`.',
  },
}
const withTtl = {
  with_ttl: { type: 'boolean', default: false, description: 'Adds the seconds that are left.' },
}
const valueData = object({ value: anyJson, ttl: ttlOrNull }, ['value'])
const ifMatch = {
  'if-match': {
    description: 'Only if the key is at one of these revisions; * is any.',
    schema: { type: 'string' },
  },
}
const ifNoneMatch = {
  'if-none-match': { description: '`*`: only if the key is absent.', schema: { type: 'string' } },
}
const unlessMatch = {
  'if-none-match': { description: '304 while the key is at this revision.', schema: { type: 'string' } },
}

const PUT = {
  method: 'PUT',
  tag: KEYS,
  permission: 'store',
  summary: 'Set a key',
  description:
    'Without `ttl` the key does not expire, even if it did. A body of application/octet-stream or text/plain is the value itself.',
  body: putBody,
  bodyTypes: RAW_TYPES,
  headers: { ...ifMatch, ...ifNoneMatch, ...idempotencyKey },
  responses: { 200: written, 412: conditionFailed },
  handle: put,
} as const

const GET = {
  method: 'GET',
  tag: KEYS,
  permission: 'store',
  summary: 'Read a key',
  description:
    'With `Accept: application/octet-stream` or `text/plain` the answer is the value itself, if it is one.',
  headers: unlessMatch,
  responses: {
    200: {
      description: 'The value.',
      schema: valueData,
      headers: { etag: { description: 'Revision of the last change.' } },
    },
    304: { description: 'Unchanged.', raw: '' },
    404: notFound,
    406: { description: 'The value cannot be had as that.' },
  },
  handle: get,
} as const

const DELETE = {
  method: 'DELETE',
  tag: KEYS,
  permission: 'store',
  summary: 'Remove a key',
  description: 'To remove what is absent changes nothing, and is no error.',
  headers: { ...ifMatch, ...idempotencyKey },
  responses: {
    200: {
      description: 'The key is absent now.',
      schema: object({ deleted: { type: 'boolean' }, revision }, ['deleted', 'revision']),
    },
    412: conditionFailed,
  },
  handle: remove,
} as const

const inPath = object({ key }, ['key'])
const inQuery = { key }
const fruit = { key: 'fruit' }

export const kvRoutes: readonly Route[] = [
  {
    ...PUT,
    path: '/kv/:key',
    params: inPath,
    query: writing(putQuery),
    examples: [
      {
        summary: 'A value that expires in a minute',
        params: fruit,
        body: { value: { colour: 'red' }, ttl: 60 },
      },
      {
        summary: 'Only if it is absent',
        params: { key: 'lock' },
        headers: { 'If-None-Match': '*' },
        body: { value: 'mine' },
      },
    ],
  },
  {
    ...GET,
    path: '/kv/:key',
    params: inPath,
    query: reading(withTtl),
    examples: [
      { summary: 'The value', params: fruit },
      { summary: 'With the seconds that are left', params: fruit, query: { with_ttl: true } },
    ],
  },
  {
    ...DELETE,
    path: '/kv/:key',
    params: inPath,
    query: writing(),
    examples: [{ summary: 'Remove', params: { key: 'lock' } }],
  },
  {
    ...PUT,
    path: '/kv',
    query: writing({ ...inQuery, ...putQuery }, ['key']),
    examples: [{ summary: 'A key with slashes', query: { key: 'app/a/b' }, body: { value: 1 } }],
  },
  {
    ...DELETE,
    path: '/kv',
    query: writing(inQuery, ['key']),
    examples: [{ summary: 'A key with slashes', query: { key: 'app/a/b' } }],
  },
  {
    method: 'POST',
    path: '/kv/:key/touch',
    tag: TTLS,
    permission: 'store',
    summary: 'Set the time to live',
    description:
      'A key that is absent or has expired is not revived. The key `bulk` is touched by `/kv/bulk/touch`.',
    params: inPath,
    query: writing(),
    body: object({ ttl }, ['ttl']),
    headers: idempotencyKey,
    responses: { 200: written, 404: notFound },
    examples: [{ summary: 'Two minutes from now', params: fruit, body: { ttl: 120 } }],
    handle: touch,
  },
  {
    method: 'GET',
    path: '/kv/:key/ttl',
    tag: TTLS,
    permission: 'store',
    summary: 'Read the time to live',
    params: inPath,
    query: reading(),
    responses: {
      200: { description: 'Seconds left.', schema: object({ ttl: ttlOrNull }, ['ttl']) },
      404: notFound,
    },
    examples: [{ summary: 'Seconds left', params: fruit }],
    handle: ttlOf,
  },
]

/** `GET /kv?key=`: one key, where `GET /kv` alone lists them all. */
export const getByQuery = get
