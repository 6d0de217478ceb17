/**
 * A plugin that is watched: the same definition, whose `setup` gets a context that keeps a record of what the plugin asks
 * for. What it says of a node is gathered in an `Observed`; the plugin behaves as it would without.
 */
import { messageOf } from '../../errors.ts'
import type { AnyDefinition } from '../../host/definition.ts'
import type { Context, Route } from '../../plugin.ts'
import type { Clock, Timer } from '../../ports.ts'
import type { Findings } from './findings.ts'

type Handler = () => void | Promise<void>

/** Of one node. */
export interface Observed {
  readonly routes: Route[]
  /** That went to the slice. */
  readonly commands: unknown[]
  /** Of `ctx.clock`, neither called nor cancelled. */
  readonly timers: Set<Timer>
  /** Functions of `onReady`, `onDrain` and `onClose` that have begun and have not ended. */
  readonly running: Map<Handler, string>
}

/** The definition, and the records of the nodes it is set up on, in that order. */
export function observe(definition: AnyDefinition, findings: Findings) {
  const nodes: Observed[] = []
  const watched: AnyDefinition = {
    ...definition,
    setup: (ctx, options) => {
      const observed: Observed = { routes: [], commands: [], timers: new Set(), running: new Map() }
      nodes.push(observed)
      hearOfWindow(ctx, findings)
      return definition.setup(contextOf(ctx, observed, findings), options)
    },
  }
  return { watched, nodes }
}

function hearOfWindow(ctx: Context<unknown, unknown>, findings: Findings): void {
  ctx.telemetry.on('plugin.failed', ({ plugin, hook, message }) => {
    if (plugin === ctx.name) findings.add('window', `${hook}: ${message}`)
  })
  ctx.telemetry.on('plugin.slow', ({ plugin, hook }) => {
    if (plugin === ctx.name)
      findings.add('window', `${hook}: holds up the node; hand work over, with a bound`)
  })
}

function contextOf(ctx: Context<unknown, unknown>, observed: Observed, findings: Findings) {
  const followed = (step: 'ready' | 'drain' | 'close', fn: Handler): Handler => {
    const run = async (): Promise<void> => {
      observed.running.set(run, step)
      try {
        await fn()
      } catch (error) {
        findings.add('lifecycle', `${step} fails: ${messageOf(error)}`)
        throw error
      } finally {
        observed.running.delete(run)
      }
    }
    return run
  }
  return Object.freeze({
    ...ctx,
    clock: clockOver(ctx.clock, observed.timers),
    slice: Object.freeze({
      propose: (...[command, options]: Parameters<typeof ctx.slice.propose>) => {
        observed.commands.push(command)
        return ctx.slice.propose(command, options)
      },
    }),
    routes: Object.freeze({
      add: (route: Route) => {
        ctx.routes.add(route)
        observed.routes.push(route)
      },
      get all() {
        return ctx.routes.all
      },
    }),
    onReady: (fn: Handler) => ctx.onReady(followed('ready', fn)),
    onDrain: (fn: Handler) => ctx.onDrain(followed('drain', fn)),
    onClose: (fn: Handler) => ctx.onClose(followed('close', fn)),
  }) as Context<unknown, unknown>
}

function clockOver(clock: Clock, timers: Set<Timer>): Clock {
  return {
    monotonicMs: () => clock.monotonicMs(),
    wallMs: () => clock.wallMs(),
    soon: (run) => clock.soon(run),
    after: (delayMs, run, options) => {
      const timer = clock.after(
        delayMs,
        () => {
          timers.delete(timer)
          run()
        },
        options,
      )
      timers.add(timer)
      return timer
    },
    cancel: (timer) => {
      timers.delete(timer)
      clock.cancel(timer)
    },
  }
}
