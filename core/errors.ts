/**
 * Every error of Concord in one table: what it says, whether the operation may have happened, and
 * whether the same call may be made again. The code is the same word in HTTP, CLI and metrics.
 *
 * A condition that is not met is a result, not an error. `unknown` means what it says: the operation
 * may have happened, may still happen, or never will; only a `requestId` makes a retry safe then.
 */

/** Did it happen? `not-applied`: certainly not, and it never will. `unknown`: it may have, or may still. */
export type Outcome = 'not-applied' | 'unknown'

interface ErrorKind {
  readonly outcome: Outcome
  /** May the same call be made again, as it is, with hope of another answer? */
  readonly retryable: boolean
}

const never = { outcome: 'not-applied', retryable: false } as const
const later = { outcome: 'not-applied', retryable: true } as const
const unknown = { outcome: 'unknown', retryable: false } as const

/**
 * Every code, with the outcome that it has and whether the same call may be made again, where the error
 * itself says nothing else.
 */
export const ERROR_CODES = {
  // What the caller gave. Nothing was sent.
  INVALID_KEY: never,
  INVALID_VALUE: never,
  INVALID_TTL: never,
  INVALID_OPTION: never,
  INVALID_ARGUMENT: never,
  VALUE_TOO_LARGE: never,
  BATCH_TOO_LARGE: never,
  // What the caller may do.
  UNAUTHORIZED: never,
  FORBIDDEN: never,
  RIGHTS_CHANGED: later,
  // Judged in the machine: the same answer on every node.
  REQUEST_ID_REUSED: never,
  REQUEST_TABLE_FULL: later,
  REVISION_EXHAUSTED: never,
  SLICE_MISSING: never,
  SETTING_REFUSED: never,
  // The state of the cluster or of this node. Nothing was proposed.
  NO_LEADER: later,
  NOT_LEADER: later,
  CHANGE_REFUSED: later,
  NOT_READY: later,
  OVERLOADED: later,
  STORAGE_FULL: later,
  STOPPED: never,
  // After something may have been proposed.
  TIMEOUT: unknown,
  LEADERSHIP_LOST: unknown,
  CONNECTION_LOST: unknown,
  // Reading many keys at one moment.
  SNAPSHOT_TOO_OLD: later,
  // The node's own files and configuration.
  CORRUPTED: never,
  DIVERGED: never,
  STORAGE_FAILED: unknown,
  DIRECTORY_LOCKED: later,
  IDENTITY_MISMATCH: never,
  NODE_REMOVED: never,
  // Written by a newer version of Concord.
  UNSUPPORTED: never,
  CONFIG_NOT_FOUND: never,
  CONFIG_NOT_LOADED: never,
  CONFIG_INVALID: never,
  ADDRESS_IN_USE: later,
  CANNOT_CONNECT: later,
  // Plugins.
  PLUGIN_UNKNOWN: never,
  PLUGIN_NOT_ENABLED: never,
  PLUGIN_INVALID: never,
  PLUGIN_FAILED: never,
  PLUGIN_TIMEOUT: never,
  // A bug of ours. The node that meets one in the machine stops.
  INTERNAL: unknown,
} as const satisfies Record<string, ErrorKind>

/** The codes that `ConcordError.code` can have. */
export type ErrorCode = keyof typeof ERROR_CODES

/** What an error says beside its code and its words. */
export interface ErrorOptions {
  /** Default: the code's. */
  readonly outcome?: Outcome | undefined
  /** Default: the code's, and false when the outcome is not the code's. */
  readonly retryable?: boolean | undefined
  /** What it came of; not told to other processes. */
  readonly cause?: unknown
  /** Facts for programs. Never a value or a secret. */
  readonly details?: Readonly<Record<string, unknown>> | undefined
}

const BRAND = Symbol.for('concord-kv.error')

/** The one class of errors that Concord rejects with, besides `AbortError`. */
export class ConcordError extends Error {
  override readonly name = 'ConcordError'
  /** One of `ERROR_CODES`. */
  readonly code: ErrorCode
  /** Did it happen? `not-applied`: certainly not. `unknown`: nobody here can tell. */
  readonly outcome: Outcome
  /** True when the same call may be made again: nothing was applied, or a `requestId` guards it. */
  readonly retryable: boolean
  /** Facts for programs: the field, what was found, what was expected. Never a value or a secret. */
  readonly details: Readonly<Record<string, unknown>> | undefined

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    const kind: ErrorKind = ERROR_CODES[code]
    this.code = code
    this.outcome = options.outcome ?? kind.outcome
    this.retryable = options.retryable ?? (this.outcome === kind.outcome ? kind.retryable : false)
    this.details = options.details
    Object.defineProperty(this, BRAND, { value: true })
  }

  /** True for errors of any copy of this package in the process; `instanceof` fails across two. */
  static is(error: unknown): error is ConcordError {
    try {
      return typeof error === 'object' && error !== null && (error as { [BRAND]?: unknown })[BRAND] === true
    } catch {
      return false // a stranger's object that throws when it is looked at
    }
  }

  /** Without the stack and the cause. */
  toJSON(): Record<string, unknown> {
    const { code, message, outcome, retryable, details } = this
    return details === undefined
      ? { code, message, outcome, retryable }
      : { code, message, outcome, retryable, details }
  }
}

/** What an error says, whoever made it: anything can be thrown, and looking at it may throw again. */
export function messageOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error)
  } catch {
    return 'something that cannot be looked at'
  }
}

/** What the machine refuses, in words: the same answer on every node. */
const REFUSALS: Partial<Record<ErrorCode, string>> = {
  REQUEST_ID_REUSED: 'the request id belongs to another call',
  REQUEST_TABLE_FULL: 'too many request ids are remembered; none is forgotten early',
  REVISION_EXHAUSTED: 'the store has no revisions left',
  BATCH_TOO_LARGE: 'too many operations in one command',
  VALUE_TOO_LARGE: 'the value is larger than the cluster allows',
  RIGHTS_CHANGED: 'who may do what has changed meanwhile',
  SLICE_MISSING: 'the slice is not part of the state, or was retired',
  INVALID_ARGUMENT: 'the command names what does not exist',
}

/** The error of a command that the machine refused. Nothing was changed. */
export function refusedAs(code: ErrorCode, details: Readonly<Record<string, unknown>>): ConcordError {
  const facts = Object.entries(details).map(([name, value]) => `${name} ${String(value)}`)
  return new ConcordError(code, [REFUSALS[code] ?? code, ...facts].join(', '), { details })
}

/** What a call rejects with when its signal aborts: `name` is `AbortError`, `cause` the reason. */
export class AbortError extends Error {
  override readonly name = 'AbortError'
  readonly code = 'ABORT_ERR'
  /** As in `ConcordError`. */
  readonly outcome: Outcome

  constructor(reason: unknown, outcome: Outcome) {
    super(
      outcome === 'unknown'
        ? 'aborted; the operation may still take effect'
        : 'aborted before anything was sent',
      {
        cause: reason,
      },
    )
    this.outcome = outcome
  }
}
