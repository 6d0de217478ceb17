/**
 * One function of a plugin that the host waits for: within a time limit, its failure named by plugin and step.
 * On the way down nothing that fails stops the rest; what failed is told together, at the end.
 */
import { ConcordError, messageOf } from '../errors.ts'
import type { Clock } from '../ports.ts'

export type Step = 'setup' | 'ready' | 'drain' | 'close'

export type Handler = () => void | Promise<void>

export class Steps {
  readonly #clock: Clock
  readonly #limitMs: number

  constructor(clock: Clock, limitMs: number) {
    this.#clock = clock
    this.#limitMs = limitMs
  }

  async run(plugin: string, step: Step, fn: () => unknown): Promise<unknown> {
    const details = { plugin, step }
    const overdue = Promise.withResolvers<never>()
    const timer = this.#clock.after(
      this.#limitMs,
      () => {
        const text = `plugin "${plugin}": ${step} did not end within ${this.#limitMs} ms`
        overdue.reject(new ConcordError('PLUGIN_TIMEOUT', text, { details }))
      },
      { keepAlive: true },
    )
    try {
      return await Promise.race([fn(), overdue.promise])
    } catch (error) {
      // Its own words for what it asked of the host (a tap too late, a plugin that is not there), and for its options.
      if (ConcordError.is(error) && (error.code.startsWith('PLUGIN_') || error.code === 'CONFIG_INVALID')) {
        throw error
      }
      throw new ConcordError('PLUGIN_FAILED', `plugin "${plugin}": ${step} failed: ${messageOf(error)}`, {
        cause: error,
        details,
      })
    } finally {
      this.#clock.cancel(timer)
    }
  }

  /** All of them, whatever fails; failures go into `failed`. */
  async runAll(plugin: string, step: Step, handlers: readonly Handler[], failed: Error[]): Promise<void> {
    for (const handler of handlers) {
      try {
        await this.run(plugin, step, handler)
      } catch (error) {
        failed.push(error as Error)
      }
    }
  }
}

/** The one failure, or `PLUGIN_FAILED` whose cause is an `AggregateError` of all. */
export function throwAll(step: Step, failed: readonly Error[]): void {
  if (failed.length === 0) return
  if (failed.length === 1) throw failed[0] as Error
  const text = `${failed.length} functions of plugins failed to ${step}: ${failed.map((error) => error.message).join('; ')}`
  throw new ConcordError('PLUGIN_FAILED', text, {
    cause: new AggregateError(failed, text),
    details: { step },
  })
}
