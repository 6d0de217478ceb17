/**
 * The clients: each has one operation in flight, on a node that chance picks, and never repeats one; but for
 * increments, which are tried again under their request id, as it is meant. One of them only reads.
 */
import { connectToDirectory } from '../../core/connect.ts'
import type { Remote } from '../../core/endpoint/remote-store.ts'
import { ConcordError, type Entry } from '../../core/index.ts'
import type { Stream } from '../../core/testing/prng.ts'
import { type Answer, type Call, type Level, type Operation, type Seen, heldOf, valueOf } from './history.ts'
import type { Recorder } from './recorder.ts'

export const KEYS = Array.from({ length: 16 }, (_, at) => `k${at}`)
export const COUNTERS = Array.from({ length: 4 }, (_, at) => `count${at}`)

const PATIENCE = { timeoutMs: 2000 }
/** Between two operations, on average. */
const THINK_MS = 8
/** A node that has failed is left alone for so long, and one that is not there for longer. */
const AVOID_MS = 500
const AVOID_GONE_MS = 1000
const TRIES = 4

export interface Target {
  readonly name: string
  /** Its data directory. */
  readonly dir: string
}

export interface ClientOptions {
  readonly name: string
  readonly targets: () => readonly Target[]
  readonly random: Stream
  readonly recorder: Recorder
  readonly isReader: boolean
  /** Reads whatever a node has: for the proof that the judge finds stale reads. */
  readonly isWeak?: boolean | undefined
}

export class Client {
  readonly #options: ClientOptions
  readonly #remotes = new Map<string, Remote>()
  readonly #avoidedUntil = new Map<string, number>()
  /** What it has last seen of each key: for conditions that may hold. */
  readonly #revisions = new Map<string, number>()
  #written = 0
  #stopped = false

  constructor(options: ClientOptions) {
    this.#options = options
  }

  /** Until it is stopped, and what is under way has ended. */
  async run(): Promise<void> {
    const { random } = this.#options
    while (!this.#stopped) {
      if (this.#good().length === 0) {
        await new Promise((resolve) => setTimeout(resolve, 50))
        continue
      }
      const call = this.#draw()
      this.#learn(await this.#perform(call))
      await new Promise((resolve) => setTimeout(resolve, random.exponential(THINK_MS)))
    }
  }

  stop(): void {
    this.#stopped = true
  }

  async close(): Promise<void> {
    await Promise.all([...this.#remotes.values()].map((remote) => remote.close()))
    this.#remotes.clear()
  }

  // ------------------------------------------------------------------------------------------ drawing

  #draw(): Call {
    const { random, isReader, isWeak } = this.#options
    const dice = random.float() * (isReader ? 0.45 : 1)
    const level: Level = isWeak ? 'eventual' : random.chance(0.5) ? 'leader' : 'strong'
    const key = random.pick(KEYS)
    if (dice < 0.3) return { kind: 'get', key: random.chance(0.2) ? random.pick(COUNTERS) : key, level }
    if (dice < 0.38) return { kind: 'getMany', keys: this.#someKeys(), level }
    if (dice < 0.45) return { kind: 'moment', keys: this.#someKeys() }
    if (dice < 0.65) return { kind: 'put', key, value: this.#tag() }
    if (dice < 0.83) {
      const revision = random.chance(0.05) ? 0 : (this.#revisions.get(key) ?? 0)
      return { kind: 'putIf', key, value: this.#tag(), revision }
    }
    if (dice < 0.89) return { kind: 'delete', key, requestId: this.#tag() }
    if (dice < 0.94) {
      return { kind: 'putMany', items: this.#someKeys().map((each) => ({ key: each, value: this.#tag() })) }
    }
    return { kind: 'increment', key: random.pick(COUNTERS), requestId: this.#tag() }
  }

  #someKeys(): string[] {
    const { random } = this.#options
    const count = 2 + random.below(4)
    return [...new Set(Array.from({ length: count }, () => random.pick(KEYS)))]
  }

  #tag(): string {
    return `${this.#options.name}.${++this.#written}`
  }

  // --------------------------------------------------------------------------------------- performing

  async #perform(call: Call): Promise<Operation> {
    const { recorder, name } = this.#options
    if (call.kind !== 'increment') {
      const target = this.#pick()
      return recorder.record(name, target.name, call, () => this.#asked(target, call))
    }
    let target = this.#pick()
    const answer = async (): Promise<Answer> => {
      for (let tries = 1; ; tries++) {
        try {
          return await this.#asked(target, call)
        } catch (error) {
          const isWorthIt = ConcordError.is(error) && error.retryable && tries < TRIES
          if (!isWorthIt) throw afterTries(error, tries)
          target = this.#pick()
        }
      }
    }
    return recorder.record(name, target.name, call, answer)
  }

  /** Nodes that have just failed are left alone, when there is another. */
  #pick(): Target {
    const good = this.#good()
    return this.#options.random.pick(good.length > 0 ? good : this.#options.targets())
  }

  #good(): readonly Target[] {
    const now = this.#options.recorder.nowMs()
    return this.#options.targets().filter(({ name }) => (this.#avoidedUntil.get(name) ?? 0) < now)
  }

  async #asked(target: Target, call: Call): Promise<Answer> {
    try {
      return await ask(await this.#remote(target), call)
    } catch (error) {
      const isGone = ConcordError.is(error) && error.code === 'CANNOT_CONNECT'
      const avoidMs = isGone ? AVOID_GONE_MS : AVOID_MS
      this.#avoidedUntil.set(target.name, this.#options.recorder.nowMs() + avoidMs)
      throw error
    }
  }

  async #remote({ name, dir }: Target): Promise<Remote> {
    const known = this.#remotes.get(name)
    if (known !== undefined) return known
    const remote = await connectToDirectory(dir, PATIENCE)
    this.#remotes.set(name, remote)
    return remote
  }

  #learn({ call, answer }: Operation): void {
    if (answer?.kind === 'get' && call.kind === 'get') {
      this.#revisions.set(call.key, answer.seen?.revision ?? 0)
    } else if (answer?.kind === 'put' && call.kind === 'put') {
      this.#revisions.set(call.key, answer.revision)
    } else if (answer?.kind === 'putIf' && call.kind === 'putIf') {
      this.#revisions.set(call.key, answer.ok ? answer.revision : (answer.seen?.revision ?? 0))
    }
  }
}

/** An operation of several tries is refused only if all of them were: the last word alone does not say so. */
function afterTries(error: unknown, tries: number): unknown {
  if (tries === 1 || !ConcordError.is(error) || error.outcome === 'unknown') return error
  return new ConcordError(error.code, error.message, { outcome: 'unknown', cause: error })
}

/** Any call of the workload, on a store. */
export async function ask(store: Remote, call: Call): Promise<Answer> {
  switch (call.kind) {
    case 'get': {
      const { key, level } = call
      const entry = await store.getEntry(key, { consistency: level, ...PATIENCE })
      return { kind: 'get', seen: seenOf(entry) }
    }
    case 'getMany': {
      const values = await store.getMany(call.keys, { consistency: call.level, ...PATIENCE })
      return { kind: 'getMany', values: values.map((value) => (value === undefined ? null : heldOf(value))) }
    }
    case 'moment': {
      const success = call.keys.map((key) => ({ op: 'get', key }) as const)
      const { revision, results } = await store.txn({ compare: [], success }, PATIENCE)
      const seen = results.map((result) => seenOf('entry' in result ? result.entry : undefined))
      return { kind: 'moment', revision, seen }
    }
    case 'put':
      return { kind: 'put', ...(await store.put(call.key, valueOf(call.value), PATIENCE)) }
    case 'putIf': {
      const { key, value, revision } = call
      const condition = revision === 0 ? ({ ifAbsent: true } as const) : { ifRevision: revision }
      const result = await store.putIf(key, valueOf(value), { ...condition, ...PATIENCE })
      if (result.ok) return { kind: 'putIf', ...result }
      return { kind: 'putIf', ok: false, reason: result.reason, seen: seenOf(result.current) }
    }
    case 'delete': {
      const { key, requestId } = call
      return { kind: 'delete', ...(await store.delete(key, { requestId, ...PATIENCE })) }
    }
    case 'putMany': {
      const items = call.items.map(({ key, value }) => ({ key, value: valueOf(value) }))
      const results = await store.putMany(items, PATIENCE)
      return { kind: 'putMany', revisions: results.map(({ revision }) => revision) }
    }
    case 'increment': {
      const { key, requestId } = call
      const result = await store.increment(key, { requestId, ...PATIENCE })
      if (!result.ok) throw new Error(`increment: ${result.reason}`)
      return { kind: 'increment', value: Number(result.value), revision: result.revision }
    }
  }
}

export function seenOf(entry: Entry | undefined): Seen | null {
  if (entry === undefined) return null
  const { value, revision, createRevision, version } = entry
  return { value: heldOf(value), revision, createRevision, version }
}
