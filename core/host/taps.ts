/**
 * What becomes of a tap before it is called: at the door what it throws refuses the call, in the plugin's name; at the
 * window it may throw, return a promise or be slow, and whoever called goes on.
 */
import { AbortError, ConcordError, messageOf } from '../errors.ts'
import type { DoorRequest, ReadRequest, WriteRequest } from '../hook-events.ts'
import { rewrite } from '../rewrite.ts'

export type AnyFunction = (...args: never[]) => unknown

/** A function of a plugin, and where it stands. */
export interface Tap {
  readonly plugin: string
  readonly hook: string
  readonly fn: AnyFunction
}

// ------------------------------------------------------------------------------------------- at the door

export function authorizing(tap: Tap): (request: DoorRequest) => void {
  const fn = tap.fn as (request: DoorRequest) => unknown
  return (request) => {
    try {
      const returned = fn(request)
      if (returned === undefined) return
      if (isThenable(returned)) throw returnedPromise(returned)
      // Whoever returns false means no. Letting the call pass would be the wrong way to find that out.
      if (returned === false) throw new Error('it returned false; throw to refuse')
    } catch (error) {
      throw refusal(tap, error)
    }
  }
}

export function reading(tap: Tap): (value: unknown, request: ReadRequest) => unknown {
  const fn = tap.fn as (value: unknown, request: ReadRequest) => unknown
  return (value, request) => {
    try {
      const returned = fn(value, request)
      if (isThenable(returned)) throw returnedPromise(returned)
      return returned
    } catch (error) {
      throw refusal(tap, error)
    }
  }
}

type Done = (error?: Error | null | false, result?: WriteRequest) => void

export function writing(tap: Tap): (request: WriteRequest, done: Done) => void {
  const fn = tap.fn as (request: WriteRequest) => unknown
  return (request, done) => {
    const refuse = (error: unknown): void => done(refusal(tap, error))
    // What throws in `done` itself is nobody's refusal: it stands outside.
    const settle = (returned: unknown): void => {
      let rewritten: WriteRequest | undefined
      try {
        rewritten = returned === undefined ? request : rewrite(request, returned)
      } catch (error) {
        return refuse(error)
      }
      if (rewritten === undefined) refuse(new Error(NOT_A_REWRITE))
      else done(null, rewritten)
    }
    let returned: unknown
    let isLater: boolean
    try {
      returned = fn(request)
      isLater = isThenable(returned)
    } catch (error) {
      return refuse(error)
    }
    if (isLater) Promise.resolve(returned).then(settle, refuse)
    else settle(returned)
  }
}

const NOT_A_REWRITE =
  'it returned something else than { writes } with the same operations on the same keys in the same order, and TTLs from 1 ms to 100 years'

/** What the caller gets: the tap's own error if it is one of Concord's, else `PLUGIN_FAILED`. */
function refusal(tap: Tap, error: unknown): Error {
  try {
    return refusalOf(tap, error)
  } catch {
    return pluginFailed(tap, messageOf(error), undefined) // whoever looked at it again would be thrown at again
  }
}

function refusalOf(tap: Tap, error: unknown): Error {
  const { plugin, hook } = tap
  if (error instanceof AbortError) return error
  if (ConcordError.is(error)) {
    if (error.details?.['plugin'] !== undefined || Object.isFrozen(error)) return error
    return Object.assign(error, { details: { ...error.details, plugin, hook } })
  }
  const why = error instanceof Error ? error.message : String(error)
  return pluginFailed(tap, why, error)
}

function pluginFailed({ plugin, hook }: Tap, why: string, cause: unknown): ConcordError {
  return new ConcordError('PLUGIN_FAILED', `plugin "${plugin}" failed at hook "${hook}": ${why}`, {
    cause,
    details: { plugin, hook },
  })
}

// ----------------------------------------------------------------------------------------- at the window

/** What the host wants to know of taps at the window. */
export interface WindowGuard {
  /** Milliseconds of a monotonic clock. */
  nowMs(): number
  failed(plugin: string, hook: string, error: unknown): void
  slow(plugin: string, hook: string, durationMs: number): void
}

/** A window tap that holds the event loop longer than this is told on. It cannot be stopped. */
export const WINDOW_BUDGET_MS = 50

export function watching({ plugin, hook, fn }: Tap, guard: WindowGuard): (event: unknown) => void {
  return guarded(plugin, hook, fn as (event: unknown) => unknown, guard)
}

/** A stranger's function that looks on: it may throw, return a promise or be slow; the caller goes on. */
export function guarded<E>(
  plugin: string,
  hook: string,
  fn: (event: E) => unknown,
  guard: WindowGuard,
): (event: E) => void {
  return (event) => {
    const startMs = guard.nowMs()
    try {
      const returned = fn(event)
      if (isThenable(returned)) throw returnedPromise(returned)
    } catch (error) {
      guard.failed(plugin, hook, error)
      return
    }
    const durationMs = guard.nowMs() - startMs
    if (durationMs > WINDOW_BUDGET_MS) guard.slow(plugin, hook, durationMs)
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  )
}

/** The promise's own fate is silenced: nobody waits for it, and a rejection would end the process. */
function returnedPromise(promise: PromiseLike<unknown>): Error {
  promise.then(undefined, () => {})
  return new Error('it returned a promise, and this hook is synchronous')
}
