/** Many keys in one call: all or nothing, one change of the store, one moment of it. */
import { answer, fromJson, type Route, type RouteCall, type Value } from '../../core/plugin.ts'
import { HttpError } from './problem.ts'
import { valueText } from './reply.ts'
import { anyJson, idempotencyKey, key, object, ttl, writing } from './schemas.ts'
import { jsonObject } from './values.ts'

const TAG = 'Bulk Operations'

const requestIdOf = ({ headers }: RouteCall): string | undefined =>
  headers['idempotency-key'] as string | undefined

interface PutOperation {
  readonly key: string
  readonly value: unknown
  readonly ttl?: number
}

async function bulkPut(call: RouteCall): Promise<unknown> {
  const { operations } = call.body as { operations: readonly PutOperation[] }
  notEmpty(operations, 'Operations')
  const items = operations.map(({ key: at, value, ttl: seconds }) => ({
    key: at,
    value: fromJson(value) as Value,
    ttl: seconds,
  }))
  const results = await call.store.putMany(items, { requestId: requestIdOf(call) })
  return allDone(items, results.at(-1)!.revision)
}

async function bulkTouch(call: RouteCall): Promise<unknown> {
  const { operations } = call.body as { operations: readonly { key: string; ttl: number }[] }
  notEmpty(operations, 'Operations')
  const results = await call.store.touchMany(operations, { requestId: requestIdOf(call) })
  const members = operations.map(
    ({ key: at }, place) => [at, results[place]!.touched ? '"ok"' : '"not_found"'] as const,
  )
  return answer({ json: jsonObject(new Map(members)) })
}

async function bulkGet(call: RouteCall): Promise<unknown> {
  const { keys, with_ttl: withTtl = false } = call.body as { keys: readonly string[]; with_ttl?: boolean }
  notEmpty(keys, 'Keys')
  const success = keys.map((at) => ({ op: 'get', key: at }) as const)
  const { results, revision } = await call.store.txn({ compare: [], success })
  const members = keys.map((at, place) => {
    const { entry } = results[place] as { entry: { value: unknown; ttl: number | null } | undefined }
    if (entry === undefined) return [at, '{"status":"error","error":"not_found"}'] as const
    const seconds = withTtl ? `,"ttl":${JSON.stringify(entry.ttl)}` : ''
    return [at, `{"status":"ok","value":${valueText(entry.value)}${seconds}}`] as const
  })
  return answer({ headers: { 'concord-revision': String(revision) }, json: jsonObject(new Map(members)) })
}

async function bulkDelete(call: RouteCall): Promise<unknown> {
  const { keys } = call.body as { keys: readonly string[] }
  notEmpty(keys, 'Keys')
  const results = await call.store.deleteMany(keys, { requestId: requestIdOf(call) })
  return keys.map((at, place) => ({ key: at, status: 'ok', deleted: results[place]!.deleted }))
}

function allDone(items: readonly { readonly key: string }[], revision: number): unknown {
  const json = jsonObject(new Map(items.map(({ key: at }) => [at, '"ok"'] as const)))
  return answer({ headers: { 'concord-revision': String(revision) }, json })
}

function notEmpty(items: readonly unknown[], what: string): void {
  if (items.length === 0) throw new HttpError('INVALID_REQUEST', `${what} list cannot be empty`)
}

const keys = { type: 'array', items: key, description: 'At most `limits.batch` (500).' } as const
const operations = (properties: Record<string, unknown>, required: readonly string[]) =>
  object(
    {
      operations: {
        type: 'array',
        items: object(properties, required),
        description: 'At most `limits.batch` (500).',
      },
    },
    ['operations'],
  )
const byKey = (description: string, schema: unknown) => ({
  description,
  schema: { type: 'object', additionalProperties: schema },
})
const okText = { const: 'ok' }

const common = { method: 'POST', tag: TAG, permission: 'store' } as const

export const bulkRoutes: readonly Route[] = [
  {
    ...common,
    path: '/kv/bulk',
    summary: 'Set many keys',
    query: writing(),
    body: operations({ key, value: anyJson, ttl }, ['key', 'value']),
    headers: idempotencyKey,
    responses: { 200: byKey('All are written, at one revision.', okText) },
    examples: [
      {
        summary: 'Two keys',
        body: {
          operations: [
            { key: 'a', value: 1 },
            { key: 'b', value: [2], ttl: 60 },
          ],
        },
      },
    ],
    handle: bulkPut,
  },
  {
    ...common,
    path: '/kv/bulk/get',
    summary: 'Read many keys at one moment',
    query: writing({
      consistency: {
        enum: ['leader', 'strong'],
        description: 'Both are linearizable; `strong` without clocks.',
      },
    }),
    body: object({ keys, with_ttl: { type: 'boolean' } }, ['keys']),
    responses: {
      200: byKey('Each key with its value, or that it is absent.', {
        type: 'object',
        properties: {
          status: { enum: ['ok', 'error'] },
          value: anyJson,
          ttl: { type: ['number', 'null'] },
          error: { const: 'not_found' },
        },
        required: ['status'],
        additionalProperties: false,
      }),
    },
    examples: [{ summary: 'Two keys, one of them absent', body: { keys: ['a', 'nobody'], with_ttl: true } }],
    handle: bulkGet,
  },
  {
    ...common,
    path: '/kv/bulk/touch',
    summary: 'Set the time to live of many keys',
    query: writing(),
    body: operations({ key, ttl }, ['key', 'ttl']),
    headers: idempotencyKey,
    responses: {
      200: byKey('`ok`, or `not_found` for what is absent or has expired.', { enum: ['ok', 'not_found'] }),
    },
    examples: [{ summary: 'An hour more', body: { operations: [{ key: 'b', ttl: 3600 }] } }],
    handle: bulkTouch,
  },
  {
    ...common,
    path: '/kv/bulk/delete',
    summary: 'Remove many keys',
    query: writing(),
    body: object({ keys }, ['keys']),
    headers: idempotencyKey,
    responses: {
      200: {
        description: 'All are absent now.',
        schema: {
          type: 'array',
          items: object({ key, status: okText, deleted: { type: 'boolean' } }, ['key', 'status', 'deleted']),
        },
      },
    },
    examples: [{ summary: 'Two keys', body: { keys: ['a', 'b'] } }],
    handle: bulkDelete,
  },
]
