/**
 * The hooks: where plugins stand in the store's way (the door) or look on (the window). Over tapable.
 *
 * One field per hook on a sealed object. Plugins never see a tapable hook: each gets its own handle,
 * which knows its name, and may tap only during its `setup`. Taps are gathered and put in order once,
 * by `seal`: by `stage`, then by the order of the plugins, then by the order of tapping. `read` runs in
 * the reverse of all that, so that what `write` wrapped last is unwrapped first.
 *
 * A door tap that throws refuses the call. A window tap that throws hurts nobody but its own plugin (host/taps.ts).
 */
import { AsyncSeriesWaterfallHook, SyncHook, SyncWaterfallHook } from 'tapable'
import { ConcordError } from './errors.ts'
import { describe } from './found.ts'
import type {
  AppliedBatch,
  DoorRequest,
  NodeEvents,
  ReadRequest,
  Write,
  WriteRequest,
} from './hook-events.ts'
import {
  type AnyFunction,
  type Tap,
  type WindowGuard,
  authorizing,
  reading,
  watching,
  writing,
} from './host/taps.ts'
import { didYouMean } from './suggest.ts'

/** How a tap stands among the others. */
export interface TapOptions {
  /**
   * Whole number, default 0. Taps run from low to high, so a high stage stands nearer to the store; on
   * the way out (`read`) the order is reversed. Within a stage the order of the plugins decides.
   */
  readonly stage?: number | undefined
}

/** One hook, as one plugin has it. */
export interface HookHandle<F> {
  /**
   * During `setup` only: later it throws `PLUGIN_INVALID`, and so does what is no function, or a `stage`
   * that is no whole number.
   */
  tap(fn: F, options?: TapOptions): void
}

/** Synchronous. What it throws refuses the call; what it returns is not looked at. */
export type AuthorizeTap = (request: DoorRequest) => void
/** Only `writes` is taken from what is returned. */
export type Rewritten = { readonly writes: readonly Write[] }
/** May be asynchronous. What it throws, or rejects with, refuses the call; nothing was proposed. */
export type WriteTap = (request: WriteRequest) => Rewritten | void | Promise<Rewritten | void>
/** Synchronous. Another value, or undefined to leave it; what it throws refuses the read. */
export type ReadTap = (value: unknown, request: ReadRequest) => unknown
/** Synchronous. What it throws is counted and reported, and hurts nobody else. */
export type AppliedTap = (batch: AppliedBatch) => void

/** The hooks as one plugin gets them. All taps but `write` are synchronous. */
export interface PluginHooks {
  /** Door. Throw to refuse; return nothing. Runs before everything else, on every call. */
  readonly authorize: HookHandle<AuthorizeTap>
  /**
   * Door. Throw to refuse, return `{ writes }` with other values or TTLs to rewrite, return nothing to
   * leave it. Keys, kinds and order of `writes` stay: they have been authorized.
   */
  readonly write: HookHandle<WriteTap>
  /** Door, on the way out. Return another value to rewrite, undefined to leave it, throw to refuse. */
  readonly read: HookHandle<ReadTap>
  /** Window. After a log entry has been applied here, in log order, each exactly once per run. */
  readonly applied: HookHandle<AppliedTap>
}

/** The hooks as the store calls them. Synchronous ones are called unguarded: an empty one costs nothing. */
export interface Hooks {
  readonly authorize: SyncHook<[request: DoorRequest]>
  /** Through `callWrite`, behind `isUsed()`. */
  readonly write: AsyncSeriesWaterfallHook<[request: WriteRequest]>
  readonly read: SyncWaterfallHook<[value: unknown, request: ReadRequest], unknown>
  /** `isUsed()` says whether changes need to be built at all. */
  readonly applied: SyncHook<[batch: AppliedBatch]>
  readonly started: SyncHook<[event: NodeEvents['started']]>
  readonly leader: SyncHook<[event: NodeEvents['leader']]>
  readonly stall: SyncHook<[event: NodeEvents['stall']]>
  readonly stopped: SyncHook<[event: NodeEvents['stopped']]>
}

/** Calls the `write` taps. Returns at once when every tap answered at once: no promise is made then. */
export function callWrite(hooks: Hooks, request: WriteRequest): WriteRequest | Promise<WriteRequest> {
  let settled: { readonly error: Error | null; readonly result: WriteRequest | undefined } | undefined
  let wake: (() => void) | undefined
  hooks.write.callAsync(request, (error, result) => {
    settled = { error, result }
    wake?.()
  })
  const take = (): WriteRequest => {
    if (settled?.error) throw settled.error
    return settled?.result ?? request
  }
  if (settled !== undefined) return take()
  return new Promise<void>((resolve) => {
    wake = resolve
  }).then(take)
}

// --------------------------------------------------------------------------------- who taps, in what order

/** One plugin's access to the hooks, open while its `setup` runs. */
export interface PluginTaps {
  readonly hooks: PluginHooks
  readonly on: <E extends keyof NodeEvents>(event: E, fn: (event: NodeEvents[E]) => void) => void
  /** No tap after this. */
  close(): void
}

export interface HookSet {
  readonly hooks: Hooks
  /** Called plugin after plugin, in their order. */
  forPlugin(plugin: string): PluginTaps
  /** Puts all taps in order and into the hooks. Once. */
  seal(): void
}

type HookName = keyof Hooks
/** In the place that it has among the others. */
interface PlacedTap extends Tap {
  readonly hook: HookName
  readonly stage: number
}

export function createHooks(guard: WindowGuard): HookSet {
  const hooks: Hooks = Object.seal({
    authorize: new SyncHook<[DoorRequest]>(['request']),
    write: new AsyncSeriesWaterfallHook<[WriteRequest]>(['request']),
    read: new SyncWaterfallHook<[unknown, ReadRequest], unknown>(['value', 'request']),
    applied: new SyncHook<[AppliedBatch]>(['batch']),
    started: new SyncHook<[NodeEvents['started']]>(['event']),
    leader: new SyncHook<[NodeEvents['leader']]>(['event']),
    stall: new SyncHook<[NodeEvents['stall']]>(['event']),
    stopped: new SyncHook<[NodeEvents['stopped']]>(['event']),
  })
  const taps: PlacedTap[][] = [] // a list per plugin, in the order of the plugins
  return {
    hooks,
    forPlugin: (plugin) => openTaps(plugin, taps),
    seal: () => {
      const ordered = taps.flat().sort((a, b) => a.stage - b.stage)
      for (const tap of ordered) if (tap.hook !== 'read') insert(hooks, tap, guard)
      for (const tap of ordered.reverse()) if (tap.hook === 'read') insert(hooks, tap, guard)
    },
  }
}

function openTaps(plugin: string, all: PlacedTap[][]): PluginTaps {
  const own: PlacedTap[] = []
  all.push(own)
  let open = true
  const add = (hook: HookName, fn: AnyFunction, options: TapOptions = {}): void => {
    if (!open) misuse(plugin, hook, 'taps are made during setup, and that is over')
    if (typeof fn !== 'function') misuse(plugin, hook, `found ${describe(fn)}, expected a function`)
    const { stage = 0, ...rest } = options
    const [unknown] = Object.keys(rest)
    if (unknown !== undefined) misuse(plugin, hook, `unknown option "${unknown}"; there is only "stage"`)
    if (!Number.isSafeInteger(stage))
      misuse(plugin, hook, `stage: found ${describe(stage)}, expected a whole number`)
    own.push({ plugin, hook, stage, fn })
  }
  const handle = <F extends AnyFunction>(hook: HookName): HookHandle<F> =>
    Object.freeze({ tap: (fn: F, options?: TapOptions) => add(hook, fn, options) })
  return {
    hooks: named(plugin, {
      authorize: handle<AuthorizeTap>('authorize'),
      write: handle<WriteTap>('write'),
      read: handle<ReadTap>('read'),
      applied: handle<AppliedTap>('applied'),
    }),
    on: (event, fn) => {
      if (!EVENTS.has(event)) misuse(plugin, event, `there are ${[...EVENTS].join(', ')}`)
      add(event, fn)
    },
    close: () => {
      open = false
    },
  }
}

/** A hook that is not there, as untyped code may ask for, is said at once, and not "cannot read properties of undefined". */
function named(plugin: string, hooks: PluginHooks): PluginHooks {
  return new Proxy(Object.freeze(hooks), {
    get(target, hook, receiver) {
      if (typeof hook === 'symbol' || hook in target || hook === 'then' || hook === 'toJSON') {
        return Reflect.get(target, hook, receiver)
      }
      const all = Object.keys(target)
      return misuse(
        plugin,
        hook,
        `there is no such hook.${didYouMean(hook, all)} There are ${all.join(', ')}`,
      )
    },
  })
}

const EVENTS: ReadonlySet<string> = new Set<keyof NodeEvents>(['started', 'leader', 'stall', 'stopped'])

function misuse(plugin: string, hook: string, why: string): never {
  throw new ConcordError('PLUGIN_INVALID', `plugin "${plugin}" at hook "${hook}": ${why}`, {
    details: { plugin, hook },
  })
}

function insert(hooks: Hooks, tap: PlacedTap, guard: WindowGuard): void {
  const { plugin, hook } = tap
  if (hook === 'authorize') hooks.authorize.tap(plugin, authorizing(tap))
  else if (hook === 'write') hooks.write.tapAsync(plugin, writing(tap))
  else if (hook === 'read') hooks.read.tap(plugin, reading(tap))
  else (hooks[hook] as SyncHook<[unknown]>).tap(plugin, watching(tap, guard))
}
