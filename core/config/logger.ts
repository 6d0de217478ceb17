/**
 * `log.logger`: the application's own logger. It is code, so that no file of data and no variable can give it, no
 * schema describes it, and nothing prints it.
 */
import type { Logger } from 'pino'
import { isPlainObject, sourceOf, valueAt, type Layer, type Tree } from './layers.ts'
import { describe, placeOf, type Problem } from './problems.ts'

const KEYS = ['log', 'logger']
const METHODS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'child'] as const

export interface GivenLogger {
  readonly logger: Logger | undefined
  readonly problems: readonly Problem[]
  readonly warnings: readonly string[]
}

export function loggerIn(values: Tree, sources: ReadonlyMap<string, Layer>): GivenLogger {
  const found = valueAt(values, KEYS)
  if (found === undefined) return { logger: undefined, problems: [], warnings: [] }
  if (!isLogger(found)) {
    const path = placeOf('log.logger', sourceOf(sources, 'log.logger'))
    const message = `expected a pino logger, found ${describe(found)}. Only code can give one: a config in TypeScript or JavaScript, or open()`
    return { logger: undefined, problems: [{ path, message }], warnings: [] }
  }
  const ignored = ['log.level', 'log.format'].filter((path) => sources.has(path))
  const warnings =
    ignored.length === 0 ? [] : [`${ignored.join(' and ')}: without effect, since log.logger has its own`]
  return { logger: found, problems: [], warnings }
}

/** A copy of the options without it, for whoever reads options by their schema. */
export function withoutLogger(values: Tree): Tree {
  const { log } = values
  if (!isPlainObject(log) || !Object.hasOwn(log, 'logger')) return values
  const { logger: _, ...rest } = log
  return { ...values, log: rest }
}

/** Of any copy of pino: this package's own need not be the application's. */
function isLogger(found: unknown): found is Logger {
  if (typeof found !== 'object' || found === null) return false
  return METHODS.every((name) => typeof (found as Record<string, unknown>)[name] === 'function')
}
