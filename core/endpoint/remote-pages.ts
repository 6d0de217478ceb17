/**
 * Reading an iterator of the node page by page: entries of one moment, or what a plugin's verb gives. The node's
 * iterator is closed when the reading ends, however it ends. Its pages come over the connection that began it; whoever
 * reads on after its loss is told from where.
 */
import { ConcordError } from '../errors.ts'
import type { Call } from '../store/calls.ts'
import type { Moment } from '../store/one-moment.ts'
import type { Entry, Key } from '../types.ts'
import type { RemoteCalls } from './remote-calls.ts'
import type { Link, Told } from './ask.ts'
import { type Page, entryIn, valueIfAny } from './shapes.ts'

export async function* remoteEntries(
  calls: RemoteCalls,
  call: Call,
  moment: Moment,
): AsyncGenerator<Entry, undefined, undefined> {
  let last: Key | undefined
  const first = await calls.send({ method: 'entries', call })
  moment.revision = (first.head as Page).revision
  try {
    for await (const { records, values } of pages(calls, first, call)) {
      for (const record of records) {
        const entry = entryIn(values, record) as Entry
        last = entry.key
        yield entry
      }
    }
  } catch (error) {
    throw withCursor(error, last)
  }
  return undefined
}

/** What a verb gives, from its first page on. */
export async function* remoteRecords(
  calls: RemoteCalls,
  first: Told,
  call: Call,
): AsyncGenerator<unknown, void, undefined> {
  for await (const { records, values } of pages(calls, first, call)) {
    for (const record of records) yield valueIfAny(values, record)
  }
}

/** Each page has the time of a call. */
async function* pages(
  calls: RemoteCalls,
  first: Told,
  call: Call,
): AsyncGenerator<{ readonly records: readonly unknown[]; readonly values: readonly unknown[] }> {
  const { client, rules } = calls
  const patienceMs = call.deadlineMs - client.nowMs()
  let answer = first
  let iterator: number | undefined
  try {
    for (;;) {
      const { records, iterator: next } = answer.head as Page
      iterator = next
      yield { records, values: answer.values }
      if (iterator === undefined) return
      const deadlineMs = client.nowMs() + Math.max(patienceMs, rules.timeoutMs)
      const head = { method: 'next', iterator }
      answer = await answer.from.ask({ head, values: [], isWrite: false, deadlineMs, signal: call.signal })
    }
  } finally {
    if (iterator !== undefined) closeIterator(calls, answer.from, iterator)
  }
}

function closeIterator({ client, rules }: RemoteCalls, link: Link, iterator: number): void {
  const head = { method: 'close', iterator }
  const deadlineMs = client.nowMs() + rules.timeoutMs
  // Its end has no taker: with the connection the iterator goes, too.
  link.ask({ head, values: [], isWrite: false, deadlineMs }).catch(() => undefined)
}

function withCursor(error: unknown, cursor: Key | undefined): unknown {
  const isLoss =
    ConcordError.is(error) && (error.code === 'SNAPSHOT_TOO_OLD' || error.code === 'CONNECTION_LOST')
  if (!isLoss || cursor === undefined || error.details?.['cursor'] !== undefined) return error
  const { code, message, outcome, retryable, details, cause } = error
  return new ConcordError(code, message, { outcome, retryable, details: { ...details, cursor }, cause })
}
