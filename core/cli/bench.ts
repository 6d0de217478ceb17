/**
 * `concord bench`: a short load on the node that runs, through its socket, and what came of it. Every answer is
 * checked. Its keys have a prefix of their own, are deleted afterwards, and expire when that does not come about.
 */
import type { RemoteStore } from '../endpoint/remote-store.ts'
import { ConcordError } from '../errors.ts'
import { systemWorld } from '../world.ts'
import { type Cli, seconds, whole } from './cli.ts'
import { CliError, COMMAND } from './failure.ts'
import { withNode } from './node.ts'
import { facts } from './text.ts'

const KEYS = 1000
/** What is left behind by an interrupted run is gone after this. */
const LEFT_SECONDS = 600
const MAX_CLIENTS = 256
const PROGRESS_MS = 500
/** Of what `mixed` does, one in so many writes. */
const WRITE_EVERY = 10
const KINDS = ['put', 'get', 'mixed'] as const
type Kind = (typeof KINDS)[number]

export interface BenchFlags {
  readonly duration?: string | undefined
  readonly clients?: string | undefined
  readonly valueSize?: string | undefined
}

interface Plan {
  readonly kind: Kind
  readonly durationMs: number
  readonly clients: number
  readonly value: Uint8Array
  readonly prefix: string
  readonly ttl: number
}

export async function bench(cli: Cli, given: string | undefined, flags: BenchFlags): Promise<void> {
  const plan = planOf(given, flags)
  const { build } = await import('hdr-histogram-js')
  await withNode(cli, async (node) => {
    const histogram = build({ numberOfSignificantValueDigits: 3 })
    const load = new Load(node, plan, (micros) => histogram.recordValue(Math.max(1, micros)))
    try {
      if (plan.kind !== 'put') await load.fill()
      await load.run((done) => cli.progress(`${done} operations`))
    } finally {
      cli.progress()
      await load.clean()
    }
    const millis = (percentile: number): number => histogram.getValueAtPercentile(percentile) / 1000
    const result = {
      kind: plan.kind,
      clients: plan.clients,
      valueBytes: plan.value.length,
      seconds: load.tookMs / 1000,
      operations: load.done,
      operationsPerSecond: Math.round((load.done * 1000) / load.tookMs),
      latencyMs: {
        p50: millis(50),
        p90: millis(90),
        p99: millis(99),
        p999: millis(99.9),
        max: histogram.maxValue / 1000,
      },
      errors: Object.fromEntries(load.errors),
    }
    cli.show(result, () => describe(result))
    if (load.errors.size === 0) return
    const failed = [...load.errors].map(([code, count]) => `${count} × ${code}`).join(', ')
    throw new CliError('CHECK_FAILED', `calls failed: ${failed}`, `${COMMAND} doctor`)
  })
}

function planOf(given: string | undefined, flags: BenchFlags): Plan {
  const kind = given ?? 'mixed'
  if (!(KINDS as readonly string[]).includes(kind)) {
    throw new CliError('USAGE', `found ${JSON.stringify(kind)}, expected ${KINDS.join(', ')}`)
  }
  const duration = seconds('--duration', flags.duration ?? '10s')
  const clients = whole('--clients', flags.clients ?? '16')
  if (clients < 1 || clients > MAX_CLIENTS) {
    throw new CliError('USAGE', `--clients: found ${clients}, expected 1 to ${MAX_CLIENTS}`)
  }
  return {
    kind: kind as Kind,
    durationMs: duration * 1000,
    clients,
    value: new Uint8Array(whole('--value-size', flags.valueSize ?? '256')).fill(120),
    prefix: `concord-bench/${systemWorld.entropy.id()}/`,
    ttl: duration + LEFT_SECONDS,
  }
}

class Load {
  done = 0
  tookMs = 0
  readonly errors = new Map<string, number>()
  readonly #node: RemoteStore
  readonly #plan: Plan
  readonly #took: (micros: number) => void
  #next = 0

  constructor(node: RemoteStore, plan: Plan, took: (micros: number) => void) {
    this.#node = node
    this.#plan = plan
    this.#took = took
  }

  async fill(): Promise<void> {
    const { value, ttl } = this.#plan
    const keys = Array.from({ length: KEYS }, (_, at) => this.#key(at))
    const step = this.#step()
    for (let at = 0; at < keys.length; at += step) {
      await this.#node.putMany(keys.slice(at, at + step).map((key) => ({ key, value, ttl })))
    }
  }

  async run(tell: (done: number) => void): Promise<void> {
    const { clock } = systemWorld
    const fromMs = clock.monotonicMs()
    const untilMs = fromMs + this.#plan.durationMs
    const timer = setInterval(() => tell(this.done), PROGRESS_MS)
    try {
      await Promise.all(Array.from({ length: this.#plan.clients }, () => this.#client(untilMs)))
    } finally {
      clearInterval(timer)
      this.tookMs = clock.monotonicMs() - fromMs
    }
  }

  /** The next call when the last one is answered. */
  async #client(untilMs: number): Promise<void> {
    const { clock } = systemWorld
    for (let nowMs = clock.monotonicMs(); nowMs < untilMs;) {
      try {
        await this.#call(this.#next++)
        const thenMs = clock.monotonicMs()
        this.#took(Math.round((thenMs - nowMs) * 1000))
        this.done++
        nowMs = thenMs
      } catch (error) {
        if (!ConcordError.is(error)) throw error
        this.errors.set(error.code, (this.errors.get(error.code) ?? 0) + 1)
        // Not as fast as a refusal comes.
        await new Promise((resolve) => void setTimeout(resolve, 10))
        nowMs = clock.monotonicMs()
      }
    }
  }

  async #call(n: number): Promise<void> {
    const { kind, value, ttl } = this.#plan
    const key = this.#key(n % KEYS)
    if (kind === 'put' || (kind === 'mixed' && n % WRITE_EVERY === 0)) {
      const { revision } = await this.#node.put(key, value, { ttl })
      if (!(revision > 0)) throw new ConcordError('INTERNAL', `put ${key}: revision ${revision}`)
      return
    }
    const found = await this.#node.get(key)
    if (!(found instanceof Uint8Array) || found.length !== value.length) {
      throw new ConcordError('INTERNAL', `get ${key}: another value than was put`)
    }
  }

  async clean(): Promise<void> {
    const keys = Array.from({ length: KEYS }, (_, at) => this.#key(at))
    const { batch } = this.#node
    for (let at = 0; at < keys.length; at += batch) await this.#node.deleteMany(keys.slice(at, at + batch))
  }

  /** So many values that a call takes them. */
  #step(): number {
    const { value } = this.#plan
    return Math.max(1, Math.min(this.#node.batch, Math.floor((1024 * 1024) / (value.length + 64))))
  }

  #key(n: number): string {
    return `${this.#plan.prefix}${n}`
  }
}

interface Result {
  readonly kind: Kind
  readonly clients: number
  readonly valueBytes: number
  readonly seconds: number
  readonly operations: number
  readonly operationsPerSecond: number
  readonly latencyMs: Readonly<Record<'p50' | 'p90' | 'p99' | 'p999' | 'max', number>>
}

function describe(result: Result): string {
  const { latencyMs } = result
  const latency = Object.entries(latencyMs).map(([name, ms]) => `${name} ${ms.toFixed(2)}`)
  return facts([
    ['load', `${result.kind}, ${result.clients} callers, values of ${result.valueBytes} bytes`],
    ['done', `${result.operations} in ${result.seconds.toFixed(1)} s`],
    ['rate', `${result.operationsPerSecond} a second`],
    ['latency', `${latency.join(', ')} ms`],
  ])
}
