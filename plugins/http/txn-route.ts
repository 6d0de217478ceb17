/** `POST /txn`: compare revisions, then one list of operations or the other, as one change of the store. */
import {
  answer,
  fromJson,
  type Route,
  type RouteCall,
  type TxnOperation,
  type TxnRequest,
  toJson,
} from '../../core/plugin.ts'
import { anyJson, idempotencyKey, key, object, revision, ttl, writing } from './schemas.ts'

interface Body {
  readonly compare?: TxnRequest['compare']
  readonly success: readonly Record<string, unknown>[]
  readonly failure?: readonly Record<string, unknown>[]
}

async function transact(call: RouteCall): Promise<unknown> {
  const { compare = [], success, failure = [] } = call.body as Body
  const requestId = call.headers['idempotency-key'] as string | undefined
  const request = { compare, success: success.map(operationOf), failure: failure.map(operationOf) }
  const result = await call.store.txn(request, { requestId })
  const results = result.results.map((one) => toJson('entry' in one ? { entry: one.entry ?? null } : one))
  const { succeeded, revision: at } = result
  return answer({ headers: { 'concord-revision': String(at) }, data: { succeeded, revision: at, results } })
}

/** Values of the store stand in their JSON forms. */
function operationOf(given: Record<string, unknown>): TxnOperation {
  const operation = { ...given }
  if ('value' in given) operation['value'] = fromJson(given['value'])
  if ('by' in given) operation['by'] = fromJson(given['by'])
  return operation as unknown as TxnOperation
}

const op = (name: string, more: Record<string, unknown>, required: readonly string[] = []) =>
  object({ op: { const: name }, key, ...more }, ['op', 'key', ...required])

const operation = {
  oneOf: [
    op('get', {}),
    op('put', { value: anyJson, ttl }, ['value']),
    op('delete', {}),
    op('touch', { ttl }, ['ttl']),
    op('increment', { by: { ...anyJson, description: 'A number, or {"$bigint": "…"}. Default 1.' }, ttl }),
  ],
}

export const txnRoute: Route = {
  method: 'POST',
  path: '/txn',
  tag: 'Transactions',
  permission: 'store',
  summary: 'Compare and change many keys at once',
  description:
    'All of `compare` must hold for `success` to run, or else `failure` does; a revision of 0 means that the key is absent. Whatever runs is one change of the store.',
  query: writing(),
  headers: idempotencyKey,
  body: object(
    {
      compare: { type: 'array', items: object({ key, revision }, ['key', 'revision']) },
      success: { type: 'array', items: operation },
      failure: { type: 'array', items: operation },
    },
    ['success'],
  ),
  responses: {
    200: {
      description: 'What ran, and what each operation gave.',
      schema: object(
        { succeeded: { type: 'boolean' }, revision, results: { type: 'array', items: { type: 'object' } } },
        ['succeeded', 'revision', 'results'],
      ),
    },
  },
  examples: [
    {
      summary: 'Make a key and count it, if it is absent',
      body: {
        compare: [{ key: 'user/7', revision: 0 }],
        success: [
          { op: 'put', key: 'user/7', value: { name: 'Ada' } },
          { op: 'increment', key: 'users' },
        ],
        failure: [{ op: 'get', key: 'user/7' }],
      },
    },
  ],
  handle: transact,
}
