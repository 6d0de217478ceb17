/**
 * What a process holds: timers, sockets and other handles, listeners of `process`, globals. Taken before and after, the
 * difference is what somebody has left behind. Others that come and go in the process meanwhile are seen as well.
 *
 * Timers are followed one by one, by whoever started them: one that does not keep the process alive is left behind
 * too. Those of Node.js's own (of `fetch`, say) are not counted, and those of `ctx.clock` are counted elsewhere.
 */
import { createHook } from 'node:async_hooks'
import { systemWorld } from '../../world.ts'

/** A socket takes a moment to be gone. */
const GRACE_MS = 1000
const LOOK_MS = 10
/** Timers are followed; these two are there for a moment, whatever one does. */
const NOT_HANDLES: ReadonlySet<string> = new Set(['Timeout', 'Immediate', 'TickObject'])
/** Frames between whoever starts a timer and the hook. */
const OF_TIMERS = /\(?node:(?:internal\/(?:async_hooks|timers|util|promise_hooks)|timers)\b/
const OF_CLOCK = new URL('../../world', import.meta.url).href

export class Inventory {
  readonly #timers = new Map<number, string>()
  readonly #handles = handlesNow()
  readonly #listeners = listenersNow()
  readonly #globals = new Set(Object.getOwnPropertyNames(globalThis))
  readonly #hook = createHook({
    init: (id, type) => {
      if (type !== 'Timeout') return
      const origin = originOf(new Error().stack ?? '')
      if (origin !== undefined) this.#timers.set(id, origin)
    },
    destroy: (id) => void this.#timers.delete(id),
  })

  constructor() {
    this.#hook.enable()
  }

  /** What there is more of than at first, in words, once it has had time to go; and the end of the looking. */
  async left(): Promise<string[]> {
    const since = systemWorld.clock.monotonicMs()
    let left = this.#difference()
    while (left.length > 0 && systemWorld.clock.monotonicMs() - since < GRACE_MS) {
      await new Promise<void>((done) => void systemWorld.clock.after(LOOK_MS, done, { keepAlive: true }))
      left = this.#difference()
    }
    this.#hook.disable()
    return left
  }

  #difference(): string[] {
    const timers = [...new Set(this.#timers.values())].map((origin) => `a timer that was started ${origin}`)
    const handles = more(handlesNow(), this.#handles).map(([type, count]) => `a handle, ${type} (${count})`)
    const listeners = more(listenersNow(), this.#listeners).map(
      ([event, count]) => `a listener of process.on('${event}') (${count})`,
    )
    const globals = Object.getOwnPropertyNames(globalThis)
      .filter((name) => !this.#globals.has(name))
      .map((name) => `the global ${name}`)
    return [...timers, ...handles, ...listeners, ...globals]
  }
}

/** The line that started a timer; undefined when it was Node.js itself, or `ctx.clock`. */
function originOf(stack: string): string | undefined {
  const [, , ...frames] = stack.split('\n')
  const starter = frames.find((frame) => !OF_TIMERS.test(frame))?.trim()
  if (starter === undefined || starter.includes('node:') || starter.includes(OF_CLOCK)) return undefined
  return starter
}

function handlesNow(): Map<string, number> {
  // Node.js opens these two when they are first asked for: not the plugin's doing.
  void process.stdout
  void process.stderr
  const counts = new Map<string, number>()
  for (const type of process.getActiveResourcesInfo()) {
    if (!NOT_HANDLES.has(type)) counts.set(type, (counts.get(type) ?? 0) + 1)
  }
  return counts
}

function listenersNow(): Map<string, number> {
  return new Map(process.eventNames().map((event) => [String(event), process.listenerCount(event as string)]))
}

const more = (now: ReadonlyMap<string, number>, before: ReadonlyMap<string, number>): [string, number][] =>
  [...now]
    .map(([name, count]): [string, number] => [name, count - (before.get(name) ?? 0)])
    .filter(([, count]) => count > 0)
