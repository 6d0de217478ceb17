/**
 * What needs the caller's own eyes, at a client: `condition` and transaction functions run here, over requests.
 * `expected` is data, and judged on the node.
 */
import { checkKey } from '../codec.ts'
import { within } from '../patience.ts'
import type { Call } from '../store/calls.ts'
import { checkCondition, checkTxn } from '../store/conditions.ts'
import { type Optimist, runTransaction, satisfying, writeIfJudged } from '../store/optimistic.ts'
import type {
  ConditionalResult,
  PutResult,
  Transaction,
  TxnOperation,
  TxnRequest,
  TxnResult,
} from '../types.ts'
import { type RemoteCalls, withoutOption } from './remote-calls.ts'
import { operationOut, setAside, withEntryIn } from './shapes.ts'

export function runRemotely<R>(
  calls: RemoteCalls,
  run: (tx: Transaction) => R | Promise<R>,
  call: Call,
): Promise<R> {
  return runTransaction(optimist(calls, call), run)
}

/** @param options of the `putIf` or `deleteIf`, in which its condition is found. */
export async function conditional(
  calls: RemoteCalls,
  method: 'putIf' | 'deleteIf',
  operation: TxnOperation,
  options: object,
  call: Call,
): Promise<ConditionalResult> {
  const condition = checkCondition(options as Readonly<Record<string, unknown>>)
  if (condition.kind === 'condition') return judged(calls, operation, satisfying(condition.fn), call)
  const { op: _, ttl: __, ...fields } = { ttl: undefined, ...operation }
  const values: unknown[] = []
  if ('value' in fields) fields.value = setAside(values, fields.value)
  const expected = condition.kind === 'expected' ? { expected: setAside(values, condition.value) } : {}
  const { head, values: found } = await calls.send({
    method,
    fields: { ...fields, ...expected },
    values,
    call: withoutOption(call, 'expected'),
    isWrite: true,
  })
  return withEntryIn(found, 'current', head) as ConditionalResult
}

/** A retry under a request id asks first what its first try did. */
async function judged(
  calls: RemoteCalls,
  operation: TxnOperation,
  judge: ReturnType<typeof satisfying>,
  given: Call,
): Promise<ConditionalResult> {
  const call = withoutOption(withoutOption(given, 'condition'), 'ttl')
  if (call.requestId !== undefined) {
    const values: unknown[] = []
    const fields = { operation: operationOut(values, operation) }
    const recorded = await calls.data<PutResult | null>({ method: 'recall', fields, values, call })
    if (recorded !== null) return { ok: true, revision: recorded.revision }
  }
  const commit = (request: TxnRequest): Promise<TxnResult> => {
    const values: unknown[] = []
    const { revision } = request.compare[0]!
    const fields = { operation: operationOut(values, operation), revision }
    return calls.txnAnswer({ method: 'commitJudged', fields, values, call, isWrite: true })
  }
  return writeIfJudged({ ...optimist(calls, call), commit }, operation.key, judge, operation)
}

function optimist(calls: RemoteCalls, call: Call): Optimist {
  const reading = withoutOption(call, 'requestId')
  return {
    read: async (keys) => {
      const success = keys.map((key) => ({ op: 'get', key: checkKey(key) }) as const)
      const { results } = await calls.txn({ compare: [], success }, reading, false)
      return results.map((result) => ('entry' in result ? result.entry : undefined))
    },
    commit: (request) => {
      checkTxn(request, Infinity)
      return calls.txn(request, call, true)
    },
    within: (work) => within(calls.client.clock, call, work),
  }
}
