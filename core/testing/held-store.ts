/**
 * A node as a test holds it: time passes while a call is under way, and every call ends, with `STOPPED` and an
 * unknown outcome, when the process that would have answered is killed.
 */
import type { Waiting } from './wait.ts'

export interface Holding {
  readonly waiting: Waiting
  /** Rejects when the process ends. */
  readonly killed: Promise<never>
}

/** The same object; what its methods promise is waited for, and what it gives out to be called is held too. */
export function held<T extends object>(target: T, holding: Holding): T {
  // Not `target` itself: a proxy of a frozen object, such as a plugin's service, has to give its very own methods.
  const shape = Object.create(Object.getPrototypeOf(target) as object | null) as T
  return new Proxy(shape, {
    has: (_, property) => Reflect.has(target, property),
    get: (_, property) => {
      const value: unknown = Reflect.get(target, property, target)
      if (typeof value === 'function') {
        return (...args: unknown[]) => answer(property, Reflect.apply(value, target, args), holding)
      }
      return property === 'cluster' ? held(value as object, holding) : value
    },
  })
}

/** Methods whose result is called in its turn. */
const GIVES_OUT: ReadonlySet<string | symbol> = new Set(['with', 'plugin'])

function answer(method: string | symbol, value: unknown, holding: Holding): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (isPromise(value)) return holding.waiting.for(Promise.race([value, holding.killed]))
  return GIVES_OUT.has(method) || Symbol.asyncIterator in value ? held(value, holding) : value
}

const isPromise = (value: object): value is Promise<unknown> =>
  'then' in value && typeof value.then === 'function'
