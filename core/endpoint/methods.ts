/**
 * What a client may ask for: a closed table of the store's methods, as data. Arguments come from outside and
 * go to the store as they are, which checks them as it checks every caller's; nothing is called by a name
 * that is not here.
 */
import { ConcordError } from '../errors.ts'
import { describe } from '../found.ts'
import type { JudgedWrites } from '../store/judged-path.ts'
import type { PluginHost } from '../host/host.ts'
import type { CommandCall } from '../plugin.ts'
import type { Store } from '../store.ts'
import type { PutItem, TouchItem, TxnOperation, TxnRequest, Value } from '../types.ts'
import type { Iterators } from './iterators.ts'
import {
  type Answer,
  type Page,
  type RequestHead,
  entryOut,
  operationIn,
  setAsideIfAny,
  valueAt,
  withEntryOut,
  withValueOut,
} from './shapes.ts'

/** What the endpoint needs of its node. */
export interface EndpointNode extends Store, JudgedWrites {
  runCommand: PluginHost['runCommand']
}

/** One request, decoded. */
export interface Request {
  readonly node: EndpointNode
  /** It came by the node's own socket. */
  readonly isLocal: boolean
  readonly head: RequestHead
  readonly values: readonly unknown[]
  /** For the store: what the client gave, its deadline, and the signal of this request. */
  readonly options: object
  readonly iterators: Iterators
  /** Aborts when the client cancels, or is gone. */
  readonly abort: AbortController
}

interface Method {
  /** Whether this request may change something: what it means when its answer cannot be sent. */
  isWrite(head: RequestHead): boolean
  run(request: Request): Promise<Answer>
}

/** An answer always says something: what is absent is `null`, or a member that is undefined. */
const data = (head: {} | null, values: readonly unknown[] = []): Answer => ({ head, values })

const no = (): boolean => false
const yes = (): boolean => true
const read = (run: Method['run']): Method => ({ isWrite: no, run })
const write = (run: Method['run'], isWrite = yes as Method['isWrite']): Method => ({ isWrite, run })

/** Keys and items are checked by the store; here they only have to be lists, to be walked. */
function list<T>(found: unknown, field: string): readonly T[] {
  if (Array.isArray(found)) return found as T[]
  throw new ConcordError('INVALID_ARGUMENT', `${field}: found ${describe(found)}, expected an array`)
}

function record(found: unknown, field: string): Readonly<Record<string, unknown>> {
  if (typeof found === 'object' && found !== null && Object.getPrototypeOf(found) === Object.prototype) {
    return found as Record<string, unknown>
  }
  throw new ConcordError('INVALID_ARGUMENT', `${field}: found ${describe(found)}, expected an object`)
}

const METHODS: Readonly<Record<string, Method>> = {
  __proto__: null as never,

  get: read(async ({ node, head, options }) => {
    const values: unknown[] = []
    return data(setAsideIfAny(values, await node.get(head['key'] as string, options)), values)
  }),
  getEntry: read(async ({ node, head, options }) => {
    const values: unknown[] = []
    return data(entryOut(values, await node.getEntry(head['key'] as string, options)), values)
  }),
  ttl: read(async ({ node, head, options }) => data({ ttl: await node.ttl(head['key'] as string, options) })),
  getMany: read(async ({ node, head, options }) => {
    const values: unknown[] = []
    const found = await node.getMany(list(head['keys'], 'keys'), options)
    return data(
      found.map((value) => setAsideIfAny(values, value)),
      values,
    )
  }),

  put: write(async ({ node, head, values, options }) =>
    data(await node.put(head['key'] as string, valueAt(values, head['value']) as Value, options)),
  ),
  delete: write(async ({ node, head, options }) => data(await node.delete(head['key'] as string, options))),
  touch: write(async ({ node, head, options }) =>
    data(await node.touch(head['key'] as string, head['ttl'] as number, options)),
  ),
  increment: write(async ({ node, head, options }) => {
    const values: unknown[] = []
    const result = await node.increment(head['key'] as string, options)
    return data(withValueOut(values, 'current', result), values)
  }),
  putIf: write(async ({ node, head, values, options }) => {
    const out: unknown[] = []
    const value = valueAt(values, head['value']) as Value
    const result = await node.putIf(head['key'] as string, value, expected(head, values, options))
    return data(withEntryOut(out, 'current', result), out)
  }),
  deleteIf: write(async ({ node, head, values, options }) => {
    const out: unknown[] = []
    const result = await node.deleteIf(head['key'] as string, expected(head, values, options))
    return data(withEntryOut(out, 'current', result), out)
  }),

  putMany: write(async ({ node, head, values, options }) => {
    const items = list<PutItem>(head['items'], 'items').map((item) => ({
      ...item,
      value: valueAt(values, item?.value) as Value,
    }))
    return data(await node.putMany(items, options))
  }),
  deleteMany: write(async ({ node, head, options }) =>
    data(await node.deleteMany(list(head['keys'], 'keys'), options)),
  ),
  touchMany: write(async ({ node, head, options }) =>
    data(await node.touchMany(list<TouchItem>(head['items'], 'items'), options)),
  ),

  txn: write(async ({ node, head, values, options }) => {
    const given = record(head['request'], 'request')
    const operations = (field: string): TxnOperation[] | undefined =>
      given[field] === undefined
        ? undefined
        : list(given[field], field).map((operation) => operationIn(values, operation))
    const request = { ...given, success: operations('success'), failure: operations('failure') }
    return txnAnswer(await node.txn(request as unknown as TxnRequest, options))
  }, isTxnWrite),
  /** What a call that the client judges has already done, under its request id. */
  recall: read(async ({ node, head, values, options }) =>
    data((await node.recall(operationIn(values, head['operation']), options)) ?? null),
  ),
  /** The write of a call that the client has judged: if the revision is still the one it saw. */
  commitJudged: write(async ({ node, head, values, options }) => {
    const operation = operationIn(values, head['operation'])
    return txnAnswer(await node.commitJudged(operation, head['revision'] as number, options))
  }),

  entries: read(async ({ node, options, iterators, abort }) =>
    iterators.next(iterators.open(node.entries(options), true, abort)),
  ),
  next: read(({ head, iterators }) => iterators.next(head['iterator'])),
  close: read(async ({ head, iterators }) => {
    iterators.close(head['iterator'])
    return data(null)
  }),

  status: read(async ({ node, options }) => data(await node.status(options))),
  'cluster.members': read(async ({ node, options }) => data(await node.cluster.members(options))),
  'cluster.status': read(async ({ node, options }) => data(await node.cluster.status(options))),
  'cluster.addMember': write(async ({ node, head, options }) =>
    data(await node.cluster.addMember(head['address'] as string, options)),
  ),
  'cluster.removeMember': write(async ({ node, head, options }) =>
    data((await node.cluster.removeMember(head['member'] as string, options)) ?? null),
  ),
  'cluster.promote': write(async ({ node, head, options }) =>
    data((await node.cluster.promote(head['member'] as string, options)) ?? null),
  ),
  'cluster.demote': write(async ({ node, head, options }) =>
    data((await node.cluster.demote(head['member'] as string, options)) ?? null),
  ),
  'cluster.transferLeadership': write(async ({ node, head, options }) =>
    data(await node.cluster.transferLeadership((head['to'] as string | null) ?? undefined, options)),
  ),
  'cluster.snapshot': write(async ({ node, options }) => data(await node.cluster.snapshot(options))),
  'cluster.retire': write(async ({ node, head, options }) =>
    data(await node.cluster.retire(head['plugin'] as string, options)),
  ),

  command: write(runCommand),
}

export function methodOf({ method }: RequestHead): Method {
  const known = METHODS[method]
  if (known !== undefined) return known
  throw new ConcordError('INVALID_ARGUMENT', `this node has no method ${JSON.stringify(method)}`)
}

/** A transaction of nothing but `get` is a read. */
function isTxnWrite({ request }: RequestHead): boolean {
  const { success = [], failure = [] } = request as Partial<TxnRequest>
  return [...success, ...failure].some(({ op }) => op !== 'get')
}

function expected(head: RequestHead, values: readonly unknown[], options: object): never {
  if (!('expected' in head)) return options as never
  return { ...options, expected: valueAt(values, head['expected']) } as never
}

function txnAnswer(result: Awaited<ReturnType<JudgedWrites['commitJudged']>>): Answer {
  const values: unknown[] = []
  const results = result.results.map((one) =>
    withValueOut(values, 'current', withEntryOut(values, 'entry', one)),
  )
  return data({ ...result, results }, values)
}

/** A plugin's verb. Its `signal` lives as long as what it gives is read. */
async function runCommand({ node, isLocal, head, options, iterators, abort }: Request): Promise<Answer> {
  const { signal: _, ...defaults } = options as { readonly signal?: AbortSignal; readonly token?: string }
  const result = await node.runCommand(String(head['name']), {
    store: node.with(defaults),
    token: defaults.token,
    isLocal,
    arguments: record(head['arguments'], 'arguments') as CommandCall['arguments'],
    options: record(head['flags'], 'flags') as CommandCall['options'],
    signal: abort.signal,
  })
  if (isAsyncIterable(result)) {
    const page: Page = { records: [], iterator: iterators.open(result, false, abort) }
    return data({ page })
  }
  const values: unknown[] = []
  return data({ result: setAsideIfAny(values, result) }, values)
}

const isAsyncIterable = (found: unknown): found is AsyncIterable<unknown> =>
  typeof found === 'object' && found !== null && Symbol.asyncIterator in found
