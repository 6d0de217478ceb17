/**
 * What conditional calls and transactions ask for, checked: exactly one condition, and operations that
 * are what they say. Pure; used by the embedded and the remote store alike.
 */
import { checkFields, checkTouchTtl, checkTtl, isRevision, refuse } from './calls.ts'
import { describe } from '../found.ts'
import { checkKey } from '../codec.ts'
import { ConcordError } from '../errors.ts'
import type { Op } from '../machine/index.ts'
import type { Key, TxnOperation, TxnRequest } from '../types.ts'

/** One condition of a conditional call. */
export type CheckedCondition =
  | { readonly kind: 'revision'; readonly revision: number; readonly absent: boolean }
  | { readonly kind: 'expected'; readonly value: unknown }
  | { readonly kind: 'condition'; readonly fn: (value: never, entry: never) => boolean }

const NAMES = ['ifRevision', 'ifAbsent', 'expected', 'condition'] as const

/** Throws `INVALID_OPTION` unless exactly one condition is given, of the right type. */
export function checkCondition(options: Readonly<Record<string, unknown>>): CheckedCondition {
  const given = options as Partial<Record<(typeof NAMES)[number], unknown>>
  const present = NAMES.filter((name) => given[name] !== undefined)
  const [name] = present
  if (present.length !== 1 || name === undefined) {
    const found = present.length === 0 ? 'none' : present.join(' and ')
    throw new ConcordError(
      'INVALID_OPTION',
      `conditions: found ${found}, expected exactly one of ${NAMES.join(', ')}`,
    )
  }
  const value = given[name]
  if (name === 'expected') return { kind: 'expected', value }
  if (name === 'condition') {
    if (typeof value !== 'function') refuse(name, value, 'a function of the current value')
    return { kind: 'condition', fn: value as (value: never, entry: never) => boolean }
  }
  if (name === 'ifAbsent') {
    if (value !== true) refuse(name, value, 'true')
    return { kind: 'revision', revision: 0, absent: true }
  }
  if (!isRevision(value)) refuse(name, value, 'a revision: an integer from 0')
  return { kind: 'revision', revision: value, absent: value === 0 }
}

export interface CheckedTxn {
  readonly compares: readonly { readonly key: Key; readonly revision: number }[]
  readonly success: readonly Op<unknown>[]
  readonly failure: readonly Op<unknown>[]
}

/** Throws `INVALID_ARGUMENT`, `INVALID_KEY`, `INVALID_TTL` or `BATCH_TOO_LARGE`, naming the place. */
export function checkTxn(request: TxnRequest, limit: number): CheckedTxn {
  if (typeof request !== 'object' || request === null) {
    throw new ConcordError(
      'INVALID_ARGUMENT',
      `txn: found ${describe(request)}, expected a function or { compare, success, failure? }`,
    )
  }
  for (const name of Object.keys(request)) {
    if (name !== 'compare' && name !== 'success' && name !== 'failure') {
      throw new ConcordError(
        'INVALID_ARGUMENT',
        `txn: unknown field ${JSON.stringify(name)}; there are compare, success, failure`,
      )
    }
  }
  const { compare, success, failure = [] } = request
  const checked = {
    compares: eachOf(compare, 'compare', checkCompare),
    success: eachOf(success, 'success', checkOperation),
    failure: eachOf(failure, 'failure', checkOperation),
  }
  const count = Math.max(checked.compares.length, checked.success.length, checked.failure.length)
  if (count > limit) {
    throw new ConcordError('BATCH_TOO_LARGE', `txn: found ${count} operations, expected at most ${limit}`, {
      details: { found: count, limit },
    })
  }
  return checked
}

/** Nothing to write in either branch: it needs no entry in the log. */
export function isReadOnly({ success, failure }: CheckedTxn): boolean {
  return success.every(({ op }) => op === 'get') && failure.every(({ op }) => op === 'get')
}

function eachOf<Item, Out>(list: readonly Item[], field: string, check: (item: Item) => Out): Out[] {
  if (!Array.isArray(list)) {
    throw new ConcordError('INVALID_ARGUMENT', `txn.${field}: found ${describe(list)}, expected an array`)
  }
  return list.map((item, index) => {
    try {
      if (typeof item !== 'object' || item === null) {
        throw new ConcordError('INVALID_ARGUMENT', `found ${describe(item)}, expected an object`)
      }
      return check(item as Item)
    } catch (error) {
      if (!ConcordError.is(error)) throw error
      throw new ConcordError(error.code, `txn.${field}[${index}]: ${error.message}`, {
        details: { ...error.details, field, index },
      })
    }
  })
}

function checkCompare(compare: { readonly key: Key; readonly revision: number }): {
  key: Key
  revision: number
} {
  const { key, revision } = compare
  checkFields(compare, ['key', 'revision'], 'compare')
  if (!isRevision(revision)) {
    throw new ConcordError(
      'INVALID_ARGUMENT',
      `revision: found ${describe(revision)}, expected an integer from 0`,
    )
  }
  return { key: checkKey(key), revision }
}

/** What each operation of a transaction is made of. */
const FIELDS: Readonly<Record<TxnOperation['op'], readonly string[]>> = {
  get: ['op', 'key'],
  delete: ['op', 'key'],
  put: ['op', 'key', 'value', 'ttl'],
  touch: ['op', 'key', 'ttl'],
  increment: ['op', 'key', 'by', 'ttl'],
}

function checkOperation(operation: TxnOperation): Op<unknown> {
  const key = checkKey(operation.key)
  if (Object.hasOwn(FIELDS, operation.op)) checkFields(operation, FIELDS[operation.op], operation.op)
  switch (operation.op) {
    case 'get':
    case 'delete':
      return { op: operation.op, key }
    case 'put':
      return { op: 'put', key, value: operation.value, ttlMs: checkTtl(operation.ttl) }
    case 'touch':
      return { op: 'touch', key, ttlMs: checkTouchTtl(operation.ttl) }
    case 'increment':
      return { op: 'increment', key, by: checkBy(operation.by), ttlMs: checkTtl(operation.ttl) }
    default: {
      const { op } = operation as { readonly op: unknown }
      throw new ConcordError(
        'INVALID_ARGUMENT',
        `op: found ${describe(op)}, expected get, put, delete, touch or increment`,
      )
    }
  }
}

export function checkBy(by: unknown): number | bigint {
  if (by === undefined) return 1
  if (typeof by === 'bigint' || (typeof by === 'number' && Number.isFinite(by))) return by
  return refuse('by', by, 'a finite number or a bigint')
}
