/**
 * From what a caller passes to what a call is: options checked one by one, defaults filled in, units
 * turned from the surface's seconds into milliseconds. What is misspelt or of another type is refused,
 * naming the option, what was found and what was expected.
 */
import { checkKey } from '../codec.ts'
import { ConcordError } from '../errors.ts'
import { describe } from '../found.ts'
import type { Caller } from '../hook-events.ts'
import type { StoreDefaults } from '../store.ts'
import { didYouMean } from '../suggest.ts'
import type {
  Consistency,
  EntriesOptions,
  IncrementOptions,
  Key,
  PutItem,
  PutOptions,
  ReadOptions,
  TouchItem,
} from '../types.ts'

/** A hundred years: past it a TTL is surely a mistake of units. */
export const MAX_TTL_SECONDS = 3_155_760_000
const MAX_TIMEOUT_MS = 2 ** 31 - 1
const MAX_REQUEST_ID_LENGTH = 128

const CALL_OPTIONS = ['timeoutMs', 'signal']
const READ_OPTIONS = [...CALL_OPTIONS, 'consistency', 'minRevision']
const WRITE_OPTIONS = [...CALL_OPTIONS, 'requestId']

/** Which options a method takes, beside those that plugins declare. */
export const OPTIONS = {
  defaults: new Set([...CALL_OPTIONS, 'consistency']),
  call: new Set(CALL_OPTIONS),
  read: new Set(READ_OPTIONS),
  entries: new Set([...READ_OPTIONS, 'prefix', 'after']),
  write: new Set(WRITE_OPTIONS),
  put: new Set([...WRITE_OPTIONS, 'ttl']),
  putIf: new Set([...WRITE_OPTIONS, 'ttl', 'ifRevision', 'ifAbsent', 'expected', 'condition']),
  deleteIf: new Set([...WRITE_OPTIONS, 'ifRevision', 'expected', 'condition']),
  increment: new Set([...WRITE_OPTIONS, 'by', 'ttl']),
} as const

/** Options that belong to plugins of Concord's own: while one is off, its option says which it is. */
const OWNERS: ReadonlyMap<string, string> = new Map([
  ['token', 'auth'],
  ['compress', 'compression'],
])

/** What a call was given, read once: a getter, or the caller's next line, changes nothing any more. */
export type Given = Omit<Partial<PutOptions & ReadOptions & IncrementOptions & EntriesOptions>, 'by'> & {
  readonly by?: unknown
  readonly [option: string]: unknown
}

/** One call, checked. */
export interface Call {
  /** Monotonic milliseconds. */
  readonly deadlineMs: number
  readonly signal: AbortSignal | undefined
  readonly consistency: Consistency
  readonly minRevision: number
  readonly requestId: string | undefined
  /** Whose store was called. */
  readonly caller: Caller
  /** Tells this call from another under the same request id, where its command does not. */
  readonly fingerprint?: string | undefined
  /** What the caller gave, over the store's defaults. */
  readonly options: Given
}

export interface CallRules {
  readonly nowMs: () => number
  readonly timeoutMs: number
  readonly consistency: Consistency
  /** Options that plugins which are on declare: the option -> its plugin. */
  readonly pluginOptions: ReadonlyMap<string, string>
  /** Whose store the rules are of. Default the application's. */
  readonly caller?: Caller | undefined
  /** Of plugins that are off, for the error about an option of theirs. */
  readonly off?: OffPlugins | undefined
}

/** What is known of the call options of plugins that are off. Plain data: a node tells its clients. */
export interface OffPlugins {
  /** Options that they declare: the option -> its plugin. */
  readonly options: Readonly<Record<string, string>>
  /** Those of which nobody knows what they declare, since their code is not loaded. */
  readonly silent: readonly string[]
}

export function checkCall(
  rules: CallRules,
  defaults: StoreDefaults,
  options: object | undefined,
  allowed: ReadonlySet<string>,
): Call {
  if (options !== undefined) return checkGiven(rules, defaults, copyOf(options), allowed)
  return {
    deadlineMs: rules.nowMs() + (defaults.timeoutMs ?? rules.timeoutMs),
    signal: defaults.signal,
    consistency: defaults.consistency ?? rules.consistency,
    minRevision: 0,
    requestId: undefined,
    caller: rules.caller ?? 'application',
    options: defaults as Given,
  }
}

function checkGiven(
  rules: CallRules,
  defaults: StoreDefaults,
  given: Given,
  allowed: ReadonlySet<string>,
): Call {
  for (const name of Object.keys(given)) {
    if (!allowed.has(name) && !rules.pluginOptions.has(name)) refuseName(name, allowed, rules.off)
  }
  const { minRevision = 0, requestId, signal = defaults.signal } = given
  const timeoutMs = given.timeoutMs ?? defaults.timeoutMs ?? rules.timeoutMs
  const consistency = given.consistency ?? defaults.consistency ?? rules.consistency
  checkTypes({ timeoutMs, consistency, minRevision, requestId, signal })
  const options: Given = { ...defaults, ...given }
  const caller = rules.caller ?? 'application'
  return {
    deadlineMs: rules.nowMs() + timeoutMs,
    signal,
    consistency,
    minRevision,
    requestId,
    caller,
    options,
  }
}

function copyOf(options: object): Given {
  if (typeof options === 'object' && options !== null && !Array.isArray(options)) return { ...options }
  throw new ConcordError('INVALID_OPTION', `options: found ${describe(options)}, expected an object`)
}

function refuseName(name: string, allowed: ReadonlySet<string>, off: OffPlugins | undefined): never {
  const owner = ownerOf(name, off)
  const option = `option ${JSON.stringify(name)}`
  if (owner !== undefined) {
    const cure = `Turn it on: plugins: { ${JSON.stringify(owner)}: true }`
    throw new ConcordError(
      'INVALID_OPTION',
      `${option} belongs to the plugin ${owner}, which is not on here. ${cure}`,
      { details: { option: name, plugin: owner } },
    )
  }
  const silent = off?.silent ?? []
  const perhaps =
    silent.length === 0 ? '' : `. It may belong to a plugin that is off here: ${silent.join(', ')}`
  throw new ConcordError(
    'INVALID_OPTION',
    `${option} is no option of this call; it takes ${[...allowed].join(', ')}${perhaps}`,
    { details: { option: name } },
  )
}

const ownerOf = (option: string, off: OffPlugins | undefined): string | undefined =>
  off !== undefined && Object.hasOwn(off.options, option) ? off.options[option] : OWNERS.get(option)

function checkTypes(given: Readonly<Record<string, unknown>>): void {
  const { timeoutMs, consistency, minRevision, requestId, signal } = given
  if (!(typeof timeoutMs === 'number' && timeoutMs >= 1 && timeoutMs <= MAX_TIMEOUT_MS)) {
    refuse('timeoutMs', timeoutMs, `a number from 1 to ${MAX_TIMEOUT_MS}`)
  }
  if (consistency !== 'leader' && consistency !== 'strong' && consistency !== 'eventual') {
    refuse('consistency', consistency, '"leader", "strong" or "eventual"')
  }
  if (!isRevision(minRevision)) refuse('minRevision', minRevision, 'a revision')
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

/** Defaults of `with`, copied and checked once, as the options of a call are. */
export function checkDefaults(rules: CallRules, defaults: StoreDefaults): StoreDefaults {
  return checkCall(rules, {}, defaults, OPTIONS.defaults).options
}

/** Milliseconds of a TTL in seconds; undefined for none. */
export function checkTtl(ttl: unknown): number | undefined {
  if (ttl === undefined || ttl === null || ttl === Infinity) return undefined
  if (typeof ttl === 'number' && ttl > 0 && ttl <= MAX_TTL_SECONDS) return Math.max(1, Math.round(ttl * 1000))
  return refuseTtl(ttl)
}

/** As `checkTtl`, where a key must expire. */
export function checkTouchTtl(ttl: unknown): number {
  return checkTtl(ttl) ?? refuseTtl(ttl)
}

function refuseTtl(ttl: unknown): never {
  throw new ConcordError(
    'INVALID_TTL',
    `ttl: found ${describe(ttl)}, expected seconds, more than 0 and at most ${MAX_TTL_SECONDS}`,
    { details: { option: 'ttl' } },
  )
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

/** What is misspelt is refused: a time to live that nobody reads is a key that stays for ever. */
export function checkFields(record: object, known: readonly string[], at: string): void {
  for (const name of Object.keys(record)) {
    if (known.includes(name)) continue
    throw new ConcordError(
      'INVALID_ARGUMENT',
      `${at}: found "${name}", expected only ${known.join(', ')}.${didYouMean(name, known)}`,
    )
  }
}

export function checkPutItem(item: PutItem, at: string): { key: Key; value: unknown; ttl: unknown } {
  if (typeof item !== 'object' || item === null || !('key' in item) || !('value' in item)) {
    throw new ConcordError(
      'INVALID_ARGUMENT',
      `${at}: found ${describe(item)}, expected { key, value, ttl? }`,
    )
  }
  checkFields(item, ['key', 'value', 'ttl'], at)
  return { key: checkKey(item.key), value: item.value, ttl: item.ttl }
}

export function checkTouchItem(item: TouchItem, at: string): { key: Key; ttlMs: number } {
  if (typeof item !== 'object' || item === null) {
    throw new ConcordError('INVALID_ARGUMENT', `${at}: found ${describe(item)}, expected { key, ttl }`)
  }
  checkFields(item, ['key', 'ttl'], at)
  return { key: checkKey(item.key), ttlMs: checkTouchTtl(item.ttl) }
}
