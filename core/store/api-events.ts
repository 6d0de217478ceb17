/** The events of the store's calls, got once for a node: one for each call, on the node where it is made. */
import { ConcordError } from '../errors.ts'
import type { Telemetry, TelemetryEvent, TelemetryEvents } from '../telemetry.ts'

export type ApiEvent = Extract<keyof TelemetryEvents, `api.${string}`>

/** What an event says beside how the call ended. Never a value. */
export type Said<E extends ApiEvent> = Omit<TelemetryEvents[E], 'durationMs' | 'result' | 'code'>

const API_EVENTS: readonly ApiEvent[] = [
  'api.put',
  'api.get',
  'api.get_with_ttl',
  'api.ttl',
  'api.delete',
  'api.touch',
  'api.increment',
  'api.put_if',
  'api.delete_if',
  'api.put_many',
  'api.get_many',
  'api.delete_many',
  'api.touch_many',
  'api.txn',
]

export class ApiEvents {
  readonly #nowMs: () => number
  readonly #of: { readonly [E in ApiEvent]: TelemetryEvent<TelemetryEvents[E]> }

  constructor(telemetry: Telemetry, nowMs: () => number) {
    this.#nowMs = nowMs
    this.#of = Object.fromEntries(API_EVENTS.map((name) => [name, telemetry.event(name)])) as never
  }

  isWanted(name: ApiEvent): boolean {
    return this.#of[name].isWanted
  }

  /** Runs a call that never throws, and tells how it ended to whoever listens. */
  tell<E extends ApiEvent, R>(name: E, say: () => Said<E>, call: () => Promise<R>): Promise<R> {
    const event = this.#of[name]
    if (!event.isWanted) return call()
    const startedMs = this.#nowMs()
    const emit = (ended: object): void => {
      const durationMs = this.#nowMs() - startedMs
      event.emit({ ...say(), ...ended, durationMs } as unknown as TelemetryEvents[E])
    }
    const result = call()
    result.then(
      () => emit({ result: 'ok' }),
      (error: Error) => emit({ result: 'error', code: codeOf(error) }),
    )
    return result
  }
}

function codeOf(error: Error): string | undefined {
  if (ConcordError.is(error)) return error.code
  return error.name === 'AbortError' ? 'ABORT_ERR' : undefined
}
