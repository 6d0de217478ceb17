// A world for plugins that is not there: a clock that is moved by hand, a log that remembers, and a node
// that only notes what it is asked. What a host needs, and nothing of a real store.

import assert from 'node:assert/strict'
import { ConcordError, type ErrorCode } from '../../core/errors.ts'
import { createTelemetry, type Telemetry } from '../../core/telemetry.ts'
import { createLog } from '../../core/log.ts'
import type { HostPorts } from '../../core/host/context.ts'
import { type HostOptions, PluginHost } from '../../core/host/host.ts'
import { type AnyDefinition, checkDefinition } from '../../core/host/definition.ts'
import type { Context, Log, PluginSpace, Store } from '../../core/plugin.ts'
import type { Clock } from '../../core/ports.ts'
import type { DoorRequest, ReadRequest, WriteRequest } from '../../core/hook-events.ts'

const NO_ENDPOINT = {
  refusal: undefined,
  accept: (): never => {
    throw new Error('no connections here')
  },
}

interface Pending {
  readonly atMs: number
  readonly run: () => void
}

/** Stands still until it is moved. */
export class HandClock implements Clock {
  nowMs = 0
  readonly #pending = new Set<Pending>()

  monotonicMs(): number {
    return this.nowMs
  }

  wallMs(): number {
    return 1_764_000_000_000 + this.nowMs
  }

  after(delayMs: number, run: () => void): Pending {
    const timer = { atMs: this.nowMs + delayMs, run }
    this.#pending.add(timer)
    return timer
  }

  cancel(timer: unknown): void {
    this.#pending.delete(timer as Pending)
  }

  soon(run: () => void): void {
    this.after(0, run)
  }

  get pending(): number {
    return this.#pending.size
  }

  /** Runs what falls due, in order. */
  advance(byMs: number): void {
    const endMs = this.nowMs + byMs
    for (;;) {
      const [next] = [...this.#pending].filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)
      if (next === undefined) break
      this.#pending.delete(next)
      this.nowMs = next.atMs
      next.run()
    }
    this.nowMs = endMs
  }
}

export interface World {
  readonly clock: HandClock
  readonly ports: HostPorts
  readonly log: Log
  readonly telemetry: Telemetry
  /** What was logged, parsed. */
  readonly lines: Record<string, unknown>[]
  /** What was proposed to slices. */
  readonly proposed: { readonly plugin: string; readonly command: unknown }[]
}

export function world(node = 'n1'): World {
  const clock = new HandClock()
  const lines: Record<string, unknown>[] = []
  const proposed: { plugin: string; command: unknown }[] = []
  const destination = {
    write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>),
  }
  const ports: HostPorts = {
    clock,
    store: () => ({}) as Store,
    space: () => ({}) as PluginSpace,
    authorize: () => Promise.resolve({ actor: undefined }),
    endpoint: NO_ENDPOINT,
    contactMs: () => 0,
    proposeSlice: (name, command) => {
      proposed.push({ plugin: name, command })
      return Promise.resolve({ proposed: proposed.length })
    },
  }
  const { log } = createLog({ node, destination })
  return { clock, ports, log, telemetry: createTelemetry(node), lines, proposed }
}

/** A definition as the host gets it, from as little as a test needs to say. */
export function plugin(
  name: string,
  setup: (ctx: Context<unknown, unknown>) => unknown = () => undefined,
  more: Partial<AnyDefinition> = {},
): AnyDefinition {
  const { name: _, ...rest } = more
  return checkDefinition({
    name,
    version: '1.0.0',
    apiVersion: 1,
    setup,
    ...rest,
  }) as unknown as AnyDefinition
}

export function hostOf(
  plugins: readonly AnyDefinition[],
  the: World = world(),
  more: Partial<HostOptions> = {},
): PluginHost {
  const { ports, log, telemetry } = the
  return new PluginHost({
    plugins: plugins.map((definition) => ({ definition, options: {} })),
    ports,
    log,
    telemetry,
    ...more,
  })
}

export function doorRequest(key = 'k'): DoorRequest {
  return {
    operation: 'put',
    access: [{ permission: 'write', key }],
    options: {},
    actor: undefined,
    credential: undefined,
    decidedBy: undefined,
    visible: undefined,
    caller: 'application',
  }
}

export function putRequest(value: unknown, key = 'k'): WriteRequest {
  return { ...doorRequest(key), writes: [{ op: 'put', key, value }] }
}

export function readRequest(key = 'k'): ReadRequest {
  return { ...doorRequest(key), key, revision: 1 }
}

/** What may be thrown, and throws again when it is looked at. */
export function unlookable(): Error {
  const refuse = (): never => {
    throw new Error('do not look')
  }
  return new Proxy(new Error(), { get: refuse, getPrototypeOf: refuse, ownKeys: refuse, has: refuse })
}

/** The error of a rejection, which has to be this one. */
export async function fails(
  promise: Promise<unknown>,
  code: ErrorCode,
  message: RegExp,
): Promise<ConcordError> {
  const error = await promise.then(
    () => assert.fail('expected a rejection'),
    (reason: unknown) => reason,
  )
  assert.ok(ConcordError.is(error), String(error))
  assert.equal(error.code, code, error.message)
  assert.match(error.message, message)
  return error
}
