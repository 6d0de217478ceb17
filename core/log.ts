/**
 * The log of one node, over pino: on stderr as JSON or as text, or through a logger that the application
 * brings. No global logger: whoever logs is given one.
 *
 * Fields whose names say that they hold a value of the store, a token or a secret are never written,
 * however deep they stand. Messages are not searched: put what varies into fields.
 */
import { isatty } from 'node:tty'
import {
  pino,
  stdSerializers,
  type DestinationStream,
  type Level,
  type Logger,
  type LoggerOptions,
} from 'pino'
import { textOf } from './log-text.ts'

export interface LogOptions {
  /** Named in every line. */
  readonly node: string
  /** Default `info`. Ignored when `logger` is given. */
  readonly level?: Level | 'silent' | undefined
  /** `auto`, the default: text on a terminal, JSON elsewhere. Ignored when `logger` is given. */
  readonly format?: 'auto' | 'json' | 'text' | undefined
  /** The application's own pino logger; Concord's lines go through a child of it. */
  readonly logger?: Logger | undefined
  /** Where lines go; default stderr, written in the background. */
  readonly destination?: DestinationStream | undefined
}

export interface NodeLog {
  readonly log: Logger
  /** Writes out what is still in memory; for the end of a node. */
  flush(): void
}

const STDERR = 2

export function createLog(options: LogOptions): NodeLog {
  const { node, level = 'info', format = 'auto', logger, destination } = options
  if (logger !== undefined) {
    return { log: shielded(logger.child({ node }, shaping)), flush: attempted(() => logger.flush?.()) }
  }
  const isText = format === 'text' || (format === 'auto' && destination === undefined && isatty(STDERR))
  const background = destination ?? pino.destination({ dest: STDERR, sync: false })
  const stream = isText ? { write: (line: string) => background.write(textOf(line)) } : background
  const log = pino({ ...shaping, level, base: { node } }, stream)
  return {
    log: shielded(log),
    flush: attempted(() => {
      if ('flushSync' in background && typeof background.flushSync === 'function') background.flushSync()
    }),
  }
}

const shaping = {
  formatters: { log: redact, bindings: redact },
  serializers: { err: (error: Error) => redact(stdSerializers.err(error)) },
} satisfies Pick<LoggerOptions, 'formatters' | 'serializers'>

/** pino does not pass the bindings of children through the formatter; all of them inherit this `child`. */
function shielded(log: Logger): Logger {
  // oxlint-disable-next-line typescript/unbound-method
  const { child } = log // always called with its `this`
  log.child = function redacting(this: Logger, bindings: object, options?: object) {
    return harmless(child.call(this, redact(bindings), options) as unknown as Logger)
  } as unknown as typeof log.child
  return harmless(log)
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const

/**
 * A line that cannot be written is lost, and nothing else: a stream that has broken, or an error that throws when it is
 * looked at, is no reason for a node to fail. There is nobody to tell.
 */
function harmless(log: Logger): Logger {
  for (const level of LEVELS) {
    // oxlint-disable-next-line typescript/unbound-method
    const write = log[level] // always called with its `this`
    log[level] = function attempt(this: Logger, ...line: Parameters<Logger['info']>) {
      try {
        write.apply(this, line)
      } catch {
        // As said above.
      }
    }
  }
  return log
}

const attempted = (flush: () => void) => (): void => {
  try {
    flush()
  } catch {
    // As for a line: what is still in memory is lost.
  }
}

const REDACTED = '[redacted]'
const DEPTH = 8
const SECRETIVE =
  /^(?:value|previous|current|expected|body|cookie)$|token|secret|passw|authorization|credential|privatekey/i

/** A copy without what must not be written. Errors are left to pino's serializer, which comes back here. */
function redact(fields: object): Record<string, unknown> {
  return redactObject(fields, DEPTH)
}

function redactObject(fields: object, depth: number): Record<string, unknown> {
  const copy: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(fields)) {
    copy[name] = SECRETIVE.test(name) ? REDACTED : redactAny(field, depth - 1)
  }
  return copy
}

function redactAny(field: unknown, depth: number): unknown {
  if (typeof field !== 'object' || field === null || field instanceof Error || field instanceof Date)
    return field
  if (depth === 0) return REDACTED
  if (ArrayBuffer.isView(field) || field instanceof Map || field instanceof Set) return REDACTED
  return Array.isArray(field) ? field.map((item) => redactAny(item, depth - 1)) : redactObject(field, depth)
}
