/**
 * The shapes that both sides of a socket share: the hello, requests, errors, and entries and operations
 * with their values set aside. No sockets here.
 */
import { MalformedError } from '../bytes.ts'
import { AbortError, ConcordError, ERROR_CODES, type ErrorCode, type Outcome } from '../errors.ts'
import type { OffPlugins } from '../store/calls.ts'
import type { Consistency, Entry, Revision, TxnOperation } from '../types.ts'

/** What a client says first. */
export interface ClientHello {
  /** The protocols that it speaks. */
  readonly protocols: readonly number[]
  /** Of its package. */
  readonly version: string
}

/** What the node answers. */
export interface NodeHello {
  readonly protocol: number
  readonly version: string
  /** Absent until it belongs to a cluster. */
  readonly clusterId?: string | undefined
  readonly frameBytes: number
  /** Most keys in one call. */
  readonly batch: number
  /** Of the node's config: deadline and freshness of calls that do not say. */
  readonly timeoutMs: number
  readonly consistency: Consistency
  /** Options of calls that plugins declare: option -> plugin. */
  readonly callOptions: Readonly<Record<string, string>>
  /** Of plugins that are off there, for the error about an option of theirs. */
  readonly offPlugins?: OffPlugins | undefined
}

/** The head of a request. What the method needs stands beside these. */
export interface RequestHead {
  readonly method: string
  /** Time left when it was sent; absent: as long as it takes. */
  readonly timeoutMs?: number | undefined
  /** Of the call, but for its deadline and its signal. */
  readonly options?: Readonly<Record<string, unknown>> | undefined
  readonly [field: string]: unknown
}

export interface Answer {
  readonly head: unknown
  readonly values: readonly unknown[]
}

/** An iterator that nobody asks for a page for as long is closed by the node. */
export const ITERATOR_IDLE_MS = 60_000

/** Records of an iterator, and how to get the next. */
export interface Page {
  readonly records: readonly unknown[]
  /** Absent after the last page. */
  readonly iterator?: number | undefined
  /** Of entries: at which revision of the store they stand. */
  readonly revision?: Revision | undefined
}

/** The iterator that an answer to this method leaves open. */
export function iteratorIn(method: string, head: unknown): number | undefined {
  if (method === 'entries' || method === 'next') return (head as Page | undefined)?.iterator
  if (method === 'command') return (head as { readonly page?: Page } | undefined)?.page?.iterator
  return undefined
}

// ------------------------------------------------------------------------------------ values set aside

/** Puts a value beside the head; its place stands for it there. */
export const setAside = (values: unknown[], value: unknown): number => values.push(value) - 1

export function valueAt(values: readonly unknown[], place: unknown): unknown {
  if (typeof place === 'number' && Number.isInteger(place) && place >= 0 && place < values.length) {
    return values[place]
  }
  throw new MalformedError('the place of a value expected', 0)
}

/** Of a value that may be absent: `null` is no place. */
export const setAsideIfAny = (values: unknown[], value: unknown): number | null =>
  value === undefined ? null : setAside(values, value)

export const valueIfAny = (values: readonly unknown[], place: unknown): unknown =>
  place === null ? undefined : valueAt(values, place)

export function entryOut(values: unknown[], entry: Entry | undefined): object | null {
  return entry === undefined ? null : { ...entry, value: setAside(values, entry.value) }
}

export function entryIn(values: readonly unknown[], head: unknown): Entry | undefined {
  if (head === null || head === undefined) return undefined
  const entry = head as Entry
  return { ...entry, value: valueAt(values, entry.value) }
}

export function operationOut(values: unknown[], operation: TxnOperation): object {
  return operation.op === 'put' ? { ...operation, value: setAside(values, operation.value) } : operation
}

export function operationIn(values: readonly unknown[], head: unknown): TxnOperation {
  const operation = head as TxnOperation
  if (operation?.op !== 'put') return operation
  return { ...operation, value: valueAt(values, operation.value) } as TxnOperation
}

/** The same, field by field, of answers that may hold an entry or a value. */
export const withEntryOut = (values: unknown[], field: string, answer: object): object =>
  replaced(answer, field, (entry) => entryOut(values, entry as Entry | undefined))

export const withEntryIn = (values: readonly unknown[], field: string, head: unknown): object =>
  replaced(head as object, field, (entry) => entryIn(values, entry))

export const withValueOut = (values: unknown[], field: string, answer: object): object =>
  replaced(answer, field, (value) => setAsideIfAny(values, value))

export const withValueIn = (values: readonly unknown[], field: string, head: unknown): object =>
  replaced(head as object, field, (place) => valueIfAny(values, place))

function replaced(record: object, field: string, replace: (found: unknown) => unknown): object {
  if (!(field in record)) return record
  return { ...record, [field]: replace((record as Record<string, unknown>)[field]) }
}

// ------------------------------------------------------------------------------------------------ errors

interface Failure {
  readonly abort?: boolean | undefined
  readonly code: string
  readonly message: string
  readonly outcome: Outcome
  readonly retryable: boolean
  readonly details?: Readonly<Record<string, unknown>> | undefined
  readonly cause?: string | undefined
}

/** Anything that a call on the node may reject with. */
export function failureOf(error: unknown): Failure {
  const { message, cause, ...rest } = error as Error & { readonly outcome?: Outcome }
  if (error instanceof AbortError) {
    // Not the caller's doing: the node stops.
    if (ConcordError.is(cause)) {
      return { code: cause.code, message: cause.message, outcome: error.outcome, retryable: false }
    }
    return { abort: true, code: error.code, message, outcome: error.outcome, retryable: false }
  }
  if (!ConcordError.is(error)) {
    const text = error instanceof Error ? message : String(error)
    return { code: 'INTERNAL', message: text, outcome: rest.outcome ?? 'unknown', retryable: false }
  }
  const { code, outcome, retryable, details } = error
  const why = cause instanceof Error ? cause.message : undefined
  return { code, message, outcome, retryable, details, cause: why }
}

/** @param reason of the caller's signal, when the call was aborted. */
export function errorOf(head: unknown, reason: unknown): Error {
  const { abort, code, message, outcome, retryable, details, cause } = head as Failure
  if (abort === true) return new AbortError(reason, outcome)
  const isKnown = Object.hasOwn(ERROR_CODES, code)
  return new ConcordError(isKnown ? (code as ErrorCode) : 'INTERNAL', message, {
    outcome,
    retryable,
    details: isKnown ? details : { ...details, code },
    cause: cause === undefined ? undefined : new Error(cause),
  })
}
