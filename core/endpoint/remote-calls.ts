/**
 * From a checked call to a request, and back: what the call was given goes along, but for its deadline and its
 * signal, which the client keeps; values stand beside the head. Transactions, whose results hold entries and
 * values, are sent and read here whoever makes them.
 */
import { type Call, type CallRules, checkCall } from '../store/calls.ts'
import type { StoreDefaults } from '../store.ts'
import type { TxnOperation, TxnRequest, TxnResult } from '../types.ts'
import type { EndpointClient } from './client.ts'
import type { Told } from './ask.ts'
import { askAnywhere } from './failover.ts'
import { type RequestHead, operationOut, withEntryIn, withValueIn } from './shapes.ts'

export interface Sending {
  readonly method: string
  readonly fields?: Readonly<Record<string, unknown>> | undefined
  readonly values?: readonly unknown[] | undefined
  readonly call: Call
  readonly isWrite?: boolean | undefined
  /** Asked of one node alone: nobody knows whether another may be asked the same. */
  readonly isBound?: boolean | undefined
}

export class RemoteCalls {
  readonly client: EndpointClient
  readonly rules: CallRules
  readonly defaults: StoreDefaults

  constructor(client: EndpointClient, rules: CallRules, defaults: StoreDefaults) {
    this.client = client
    this.rules = rules
    this.defaults = defaults
  }

  /** As on a node, so that a call that is wrong is not sent. */
  check(options: object | undefined, allowed: ReadonlySet<string>): Call {
    const call = checkCall(this.rules, this.defaults, options, allowed)
    // Of the defaults only what this call takes: freshness is no option of a write.
    const { token, consistency } = this.defaults
    const sent = { ...(token === undefined ? {} : { token }), ...options }
    if (consistency !== undefined && allowed.has('consistency')) {
      return { ...call, options: { consistency, ...sent } }
    }
    return { ...call, options: sent }
  }

  async send(sending: Sending): Promise<Told> {
    const { method, fields, values = [], call, isWrite = false, isBound = false } = sending
    const { timeoutMs: _, signal: __, ...options } = call.options
    const head: RequestHead = { ...fields, method, options }
    const { deadlineMs, signal, requestId } = call
    const ask = { head, values, isWrite, isGuarded: requestId !== undefined, deadlineMs, signal }
    if (!isBound) return askAnywhere(this.client, ask)
    return (await this.client.link(ask)).ask(ask)
  }

  /** For an answer that holds no value. */
  async data<R>(sending: Sending): Promise<R> {
    return (await this.send(sending)).head as R
  }

  txn(request: TxnRequest, call: Call, isWrite: boolean): Promise<TxnResult> {
    const values: unknown[] = []
    const out = (operations: readonly TxnOperation[] | undefined): object[] | undefined =>
      operations?.map((operation) => operationOut(values, operation))
    const { compare, success, failure } = request
    const sent = {
      compare,
      success: out(success),
      ...(failure === undefined ? {} : { failure: out(failure) }),
    }
    return this.txnAnswer({ method: 'txn', fields: { request: sent }, values, call, isWrite })
  }

  /** For any method that answers as a transaction does. */
  async txnAnswer(sending: Sending): Promise<TxnResult> {
    const { head, values } = await this.send(sending)
    const result = head as TxnResult
    const results = result.results.map((one) =>
      withValueIn(values, 'current', withEntryIn(values, 'entry', one)),
    )
    return { ...result, results } as TxnResult
  }
}

/** The call without one of the options it was given: what stands in the request's own fields is not sent twice. */
export function withoutOption(call: Call, name: string): Call {
  const { [name]: _, ...options } = call.options as Record<string, unknown>
  return { ...call, options }
}
