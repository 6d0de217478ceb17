/**
 * Errors as HTTP says them: a status for every code, the envelope of the API, and RFC 9457 for who asks for it. The
 * code is the same word everywhere; clients should go by it.
 */
import { ConcordError, type ErrorCode, type Outcome } from '../../core/plugin.ts'

/** What only HTTP can meet. */
export const HTTP_STATUS = {
  // With a `Location`; the store's own, which knows of none, is 503.
  NOT_LEADER: 307,
  INVALID_REQUEST: 400,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  NOT_ACCEPTABLE: 406,
  CONDITION_FAILED: 412,
  PAYLOAD_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  UPGRADE_REQUIRED: 426,
  RATE_LIMITED: 429,
  REQUEST_TIMEOUT: 408,
  HEADERS_TOO_LARGE: 431,
} as const

export type HttpCode = keyof typeof HTTP_STATUS

/** What the store knows: a code that is new there has to be placed here, and on the page docs/http.md. */
export const STATUS: Record<ErrorCode, number> = {
  INVALID_KEY: 400,
  INVALID_VALUE: 400,
  INVALID_TTL: 400,
  INVALID_OPTION: 400,
  INVALID_ARGUMENT: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  PLUGIN_NOT_ENABLED: 404,
  TIMEOUT: 408,
  CHANGE_REFUSED: 409,
  SETTING_REFUSED: 409,
  SLICE_MISSING: 409,
  SNAPSHOT_TOO_OLD: 410,
  VALUE_TOO_LARGE: 413,
  BATCH_TOO_LARGE: 413,
  REQUEST_ID_REUSED: 422,
  // What passes, or is better at another node.
  NO_LEADER: 503,
  NOT_LEADER: 503,
  NOT_READY: 503,
  OVERLOADED: 503,
  RIGHTS_CHANGED: 503,
  REQUEST_TABLE_FULL: 503,
  STORAGE_FULL: 503,
  STORAGE_FAILED: 503,
  STOPPED: 503,
  UNSUPPORTED: 503,
  LEADERSHIP_LOST: 503,
  CONNECTION_LOST: 503,
  // What its operator has to look at.
  INTERNAL: 500,
  REVISION_EXHAUSTED: 500,
  CORRUPTED: 500,
  DIVERGED: 500,
  NODE_REMOVED: 500,
  PLUGIN_FAILED: 500,
  PLUGIN_TIMEOUT: 500,
  // A node that meets one of these does not serve: they come only from what a plugin does of its own.
  PLUGIN_UNKNOWN: 500,
  PLUGIN_INVALID: 500,
  DIRECTORY_LOCKED: 500,
  IDENTITY_MISMATCH: 500,
  CONFIG_NOT_FOUND: 500,
  CONFIG_NOT_LOADED: 500,
  CONFIG_INVALID: 500,
  ADDRESS_IN_USE: 500,
  CANNOT_CONNECT: 500,
}

/** An error that the store knows nothing of. Nothing was applied. */
export class HttpError extends Error {
  readonly code: HttpCode
  readonly details: Readonly<Record<string, unknown>> | undefined
  readonly headers: Readonly<Record<string, string>>

  constructor(
    code: HttpCode,
    message: string,
    more: { details?: Record<string, unknown>; headers?: Record<string, string> } = {},
  ) {
    super(message)
    this.code = code
    this.details = more.details
    this.headers = more.headers ?? {}
  }
}

export interface Problem {
  readonly status: number
  readonly code: string
  readonly message: string
  readonly outcome: Outcome
  readonly retryable: boolean
  readonly details: Readonly<Record<string, unknown>> | undefined
  readonly headers: Readonly<Record<string, string>>
}

/** Seconds after which a client may ask again. */
const RETRY_AFTER = '1'

/** Whatever was thrown, as a problem; undefined for what nobody has foreseen, which is a bug. */
export function problemOf(error: unknown): Problem | undefined {
  if (error instanceof HttpError) {
    const { code, message, details, headers } = error
    const status = HTTP_STATUS[code]
    return {
      status,
      code,
      message,
      outcome: 'not-applied',
      retryable: status === 429 || status === 307,
      details,
      headers,
    }
  }
  if (!ConcordError.is(error)) return framework(error)
  const { code, message, outcome, retryable, details } = error
  const status = statusOf(code)
  return { status, code, message, outcome, retryable, details, headers: headersFor(status, outcome) }
}

/** An error of another copy of this package may have a code of a later version. */
const statusOf = (code: ErrorCode): number => (Object.hasOwn(STATUS, code) ? STATUS[code] : 500)

function headersFor(status: number, outcome: Outcome): Record<string, string> {
  if (status === 401) return { 'www-authenticate': 'Bearer realm="concord"' }
  return status === 503 && outcome === 'not-applied' ? { 'retry-after': RETRY_AFTER } : {}
}

/** What the server below has refused before anybody of ours saw it. */
function framework(error: unknown): Problem | undefined {
  const { code, statusCode } = error as { code?: unknown; statusCode?: unknown }
  if (typeof statusCode !== 'number' || statusCode < 400 || statusCode >= 500) return undefined
  const known = FRAMEWORK[String(code)]
  return problemOf(known ?? new HttpError('INVALID_REQUEST', 'the request cannot be understood'))
}

const FRAMEWORK: Record<string, HttpError | undefined> = {
  FST_ERR_CTP_BODY_TOO_LARGE: new HttpError('PAYLOAD_TOO_LARGE', 'the body is larger than bodyBytes allows'),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: new HttpError(
    'UNSUPPORTED_MEDIA_TYPE',
    'a body is application/json; a value of a key may be application/octet-stream or text/plain, too',
  ),
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: new HttpError(
    'INVALID_REQUEST',
    'the body is not as long as Content-Length says',
  ),
  FST_ERR_BAD_URL: new HttpError('INVALID_REQUEST', 'the path is not percent-encoded UTF-8'),
}

export const PROBLEM_JSON = 'application/problem+json; charset=utf-8'

/** The error envelope of the API. */
export function envelopeOf({ code, message, outcome, retryable, details }: Problem): object {
  return { status: 'error', error: { code, message, outcome, retryable, ...(details && { details }) } }
}

/**
 * RFC 9457. A write that the server gave up on is 504 here: 408 invites clients to send the same again, which only an
 * Idempotency-Key makes safe. The envelope keeps 408, which its clients know.
 */
export function problemJson(problem: Problem, instance: string): { status: number; body: object } {
  const { code, message, outcome, retryable, details } = problem
  const status = problem.status === 408 ? 504 : problem.status
  const type = `urn:concord-kv:problem:${code.toLowerCase().replaceAll('_', '-')}`
  const title = code.toLowerCase().replaceAll('_', ' ')
  const body = { type, title, status, detail: message, instance, code, outcome, retryable }
  return { status, body: details === undefined ? body : { ...body, details } }
}
