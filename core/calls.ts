/**
 * From what a caller passes to what a call is: options checked one by one, defaults filled in, units
 * turned from the surface's seconds into milliseconds. What is misspelt or of another type is refused,
 * naming the option, what was found and what was expected.
 */
import { checkKey } from './codec.ts'
import { ConcordError } from './errors.ts'
import type { StoreDefaults } from './store.ts'
import type { CallOptions, Consistency, Key, PutItem, ReadOptions, TouchItem, WriteOptions } from './types.ts'

/** A hundred years: past it a TTL is surely a mistake of units. */
const MAX_TTL_SECONDS = 3_155_760_000
const MAX_TIMEOUT_MS = 2 ** 31 - 1
const MAX_REQUEST_ID_LENGTH = 128

const CALL_OPTIONS = ['timeoutMs', 'signal', 'token']
const READ_OPTIONS = [...CALL_OPTIONS, 'consistency', 'minRevision']
const WRITE_OPTIONS = [...CALL_OPTIONS, 'requestId']

/** Which options a method takes, beside those that plugins declare. */
export const OPTIONS = {
  call: new Set(CALL_OPTIONS),
  read: new Set(READ_OPTIONS),
  entries: new Set([...READ_OPTIONS, 'prefix', 'after']),
  write: new Set(WRITE_OPTIONS),
  put: new Set([...WRITE_OPTIONS, 'ttl']),
  putIf: new Set([...WRITE_OPTIONS, 'ttl', 'ifRevision', 'ifAbsent', 'expected', 'condition']),
  deleteIf: new Set([...WRITE_OPTIONS, 'ifRevision', 'expected', 'condition']),
  increment: new Set([...WRITE_OPTIONS, 'by', 'ttl']),
} as const

export type AnyOptions = ReadOptions & WriteOptions & { readonly ttl?: number | undefined }

/** One call, checked. */
export interface Call {
  /** Monotonic milliseconds. */
  readonly deadlineMs: number
  readonly signal: AbortSignal | undefined
  readonly consistency: Consistency
  readonly minRevision: number
  readonly requestId: string | undefined
  /** Tells this call from another under the same request id, where its command does not. */
  readonly fingerprint?: string | undefined
  /** What the caller gave, over the store's defaults: for the door's plugins. */
  readonly options: CallOptions
}

export interface CallRules {
  readonly nowMs: () => number
  readonly timeoutMs: number
  readonly consistency: Consistency
  /** Options that plugins declare: name -> the plugin that takes it, or that is off and would. */
  readonly pluginOptions: ReadonlyMap<string, { readonly plugin: string; readonly enabled: boolean }>
}

export function checkCall(
  rules: CallRules,
  defaults: StoreDefaults,
  options: AnyOptions | undefined,
  allowed: ReadonlySet<string>,
): Call {
  if (options !== undefined) checkNames(rules, options, allowed)
  const timeoutMs = options?.timeoutMs ?? defaults.timeoutMs ?? rules.timeoutMs
  const consistency = options?.consistency ?? defaults.consistency ?? rules.consistency
  if (options !== undefined) checkTypes(options, timeoutMs, consistency)
  return {
    deadlineMs: rules.nowMs() + timeoutMs,
    signal: options?.signal ?? defaults.signal,
    consistency,
    minRevision: options?.minRevision ?? 0,
    requestId: options?.requestId,
    options: options === undefined ? defaults : { ...defaults, ...options },
  }
}

function checkNames(rules: CallRules, options: AnyOptions, allowed: ReadonlySet<string>): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new ConcordError('INVALID_OPTION', `options: found ${describe(options)}, expected an object`)
  }
  for (const name of Object.keys(options)) {
    if (allowed.has(name)) continue
    const declared = rules.pluginOptions.get(name)
    if (declared?.enabled === true) continue
    const why =
      declared === undefined
        ? `is no option of this call; it takes ${[...allowed].join(', ')}`
        : `belongs to the plugin ${declared.plugin}, which is not enabled here`
    throw new ConcordError('INVALID_OPTION', `option ${JSON.stringify(name)} ${why}`, {
      details: { option: name },
    })
  }
}

function checkTypes(options: AnyOptions, timeoutMs: unknown, consistency: unknown): void {
  if (!(typeof timeoutMs === 'number' && timeoutMs >= 1 && timeoutMs <= MAX_TIMEOUT_MS)) {
    refuse('timeoutMs', timeoutMs, `a number from 1 to ${MAX_TIMEOUT_MS}`)
  }
  if (consistency !== 'leader' && consistency !== 'strong' && consistency !== 'eventual') {
    refuse('consistency', consistency, '"leader", "strong" or "eventual"')
  }
  const { minRevision, requestId, signal } = options
  if (minRevision !== undefined && !isRevision(minRevision)) refuse('minRevision', minRevision, 'a revision')
  if (requestId !== undefined && !isRequestId(requestId)) {
    refuse('requestId', requestId, `a string of 1 to ${MAX_REQUEST_ID_LENGTH} characters`)
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) refuse('signal', signal, 'an AbortSignal')
}

/** Throws `INVALID_OPTION` naming the option, what was found and what was expected. */
export function refuse(option: string, found: unknown, expected: string): never {
  throw new ConcordError('INVALID_OPTION', `${option}: found ${describe(found)}, expected ${expected}`, {
    details: { option },
  })
}

/** Defaults of `with`, checked once. */
export function checkDefaults(defaults: StoreDefaults): StoreDefaults {
  const rules = { nowMs: () => 0, timeoutMs: 1, consistency: 'leader', pluginOptions: new Map() } as const
  checkCall(rules, {}, defaults, OPTIONS.read)
  return defaults
}

/** Milliseconds of a TTL in seconds; 0 for none. */
export function checkTtl(ttl: unknown, name = 'ttl'): number {
  if (ttl === undefined || ttl === null || ttl === Infinity) return 0
  if (typeof ttl === 'number' && ttl > 0 && ttl <= MAX_TTL_SECONDS) return Math.max(1, Math.round(ttl * 1000))
  throw new ConcordError(
    'INVALID_TTL',
    `${name}: found ${describe(ttl)}, expected seconds, more than 0 and at most ${MAX_TTL_SECONDS}`,
    { details: { option: name } },
  )
}

/** As `checkTtl`, where a key must expire. */
export function checkTouchTtl(ttl: unknown, name = 'ttl'): number {
  const ttlMs = checkTtl(ttl, name)
  if (ttlMs > 0) return ttlMs
  throw new ConcordError('INVALID_TTL', `${name}: found ${describe(ttl)}, expected seconds, more than 0`, {
    details: { option: name },
  })
}

export function isRevision(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function isRequestId(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length > 0 &&
    value.length <= MAX_REQUEST_ID_LENGTH &&
    value.isWellFormed()
  )
}

/** Throws `BATCH_TOO_LARGE` or `INVALID_ARGUMENT`; errors inside an item name its position. */
export function checkList<Item, Out>(
  list: readonly Item[],
  what: string,
  limit: number,
  check: (item: Item, at: string) => Out,
): Out[] {
  if (!Array.isArray(list)) {
    throw new ConcordError('INVALID_ARGUMENT', `${what}: found ${describe(list)}, expected an array`)
  }
  if (list.length > limit) {
    throw new ConcordError(
      'BATCH_TOO_LARGE',
      `${what}: found ${list.length}, expected at most ${limit} in one call`,
      {
        details: { found: list.length, limit },
      },
    )
  }
  return list.map((item, index) => {
    try {
      return check(item, `${what}[${index}]`)
    } catch (error) {
      if (ConcordError.is(error)) throw atItem(error, index, what)
      throw error
    }
  })
}

function atItem(error: ConcordError, index: number, what: string): ConcordError {
  const message = error.message.startsWith(`${what}[`) ? error.message : `${what}[${index}]: ${error.message}`
  return new ConcordError(error.code, message, { details: { ...error.details, index } })
}

export function checkPutItem(item: PutItem, at: string): { key: Key; value: unknown; ttl: unknown } {
  if (typeof item !== 'object' || item === null || !('key' in item) || !('value' in item)) {
    throw new ConcordError(
      'INVALID_ARGUMENT',
      `${at}: found ${describe(item)}, expected { key, value, ttl? }`,
    )
  }
  return { key: checkKey(item.key), value: item.value, ttl: item.ttl }
}

export function checkTouchItem(item: TouchItem, at: string): { key: Key; ttlMs: number } {
  if (typeof item !== 'object' || item === null) {
    throw new ConcordError('INVALID_ARGUMENT', `${at}: found ${describe(item)}, expected { key, ttl }`)
  }
  return { key: checkKey(item.key), ttlMs: checkTouchTtl(item.ttl) }
}

/** What a value is, for a message: its type, and itself when it is short and no secret can be in it. */
export function describe(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'number' || typeof value === 'boolean' || value === undefined) return String(value)
  if (typeof value === 'bigint') return 'a bigint'
  if (typeof value === 'string') return value.length <= 40 ? JSON.stringify(value) : 'a string'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
