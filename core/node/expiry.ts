/**
 * The leader lets keys go as they fall due: `expire` commands of a bounded number of keys, one under way
 * at a time, fenced by the term in which they were decided (H23). The work is that of what expires.
 *
 * A read that finds a key due waits for the same commands, and its key goes into the next of them: however
 * many read, a key that is due is proposed once, and the log holds one command of theirs at a time.
 */
import { collectDue, encodeExpire, nextDue } from '../machine/index.ts'
import type { ExpireDone, Machine } from '../machine/index.ts'
import type { Writer } from '../bytes.ts'
import { ConcordError } from '../errors.ts'
import type { Clock } from '../ports.ts'
import type { TelemetryEvent, TelemetryEvents } from '../telemetry.ts'
import type { Patience } from './replicated-log.ts'

/** Reads wait with a patience of their own; the command that serves them need not be given up soon. */
const OWN_PATIENCE_MS = 60_000
/** Between two attempts of a reader: an election takes longer. */
const AGAIN_MS = 50
/** What another attempt, or another leader, may mend. */
const PASSING: readonly string[] = ['NO_LEADER', 'NOT_LEADER', 'CONNECTION_LOST', 'OVERLOADED']

/** A key that a reader has found due. */
export type DueKey = { readonly space: number; readonly key: string }

/** What this needs of the driver. */
export interface Leading {
  readonly machine: Machine
  /** The term in which this node leads, or undefined. */
  readonly leaderTerm: number | undefined
  nowMs(): number
  clusterTimeNow(): number
  /** As `propose`, but may use the space that is kept for expiries. */
  proposeReserved<R>(encode: (writer: Writer) => void, patience: Patience): Promise<R>
}

/** A key that reads wait for. */
interface Awaited {
  readonly due: DueKey
  readonly gone: PromiseWithResolvers<void>
}

export class Expiry {
  readonly #node: Leading
  readonly #cleanup: TelemetryEvent<TelemetryEvents['ttl.cleanup']>
  /** In the order in which reads have found them. */
  readonly #awaited = new Map<string, Awaited>()
  #underWay = false

  constructor(node: Leading, cleanup: TelemetryEvent<TelemetryEvents['ttl.cleanup']>) {
    this.#node = node
    this.#cleanup = cleanup
  }

  /** Proposes what is due, if this node leads. Called at every tick, and again while there is more. */
  consider(): void {
    const { leaderTerm } = this.#node
    if (this.#underWay) return
    if (leaderTerm === undefined) {
      if (this.#awaited.size === 0) return
      const error = new ConcordError('NO_LEADER', 'this node no longer leads')
      this.#answer([...this.#awaited.keys()], ({ gone }) => gone.reject(error))
      return
    }
    const keys = this.#collect()
    if (keys.size === 0) return
    this.#underWay = true
    this.#propose(leaderTerm, [...keys.values()]).then(
      () => {
        this.#underWay = false
        this.#answer(keys.keys(), ({ gone }) => gone.resolve())
        this.consider()
      },
      // The node stopped, or leads no more: whoever leads next finds the same keys due.
      (error: Error) => {
        this.#underWay = false
        this.#answer(keys.keys(), ({ gone }) => gone.reject(error))
      },
    )
  }

  /** Resolves when keys are gone that a read has found due at its own moment. */
  async gone(keys: readonly DueKey[]): Promise<void> {
    const awaited = keys.map((due) => this.#await(due))
    this.consider()
    await Promise.all(awaited)
  }

  #await(due: DueKey): Promise<void> {
    const id = idOf(due)
    const awaited = this.#awaited.get(id) ?? { due, gone: Promise.withResolvers() }
    this.#awaited.set(id, awaited)
    return awaited.gone.promise
  }

  #answer(ids: Iterable<string>, how: (awaited: Awaited) => void): void {
    for (const id of ids) {
      const awaited = this.#awaited.get(id)
      if (awaited === undefined) continue
      this.#awaited.delete(id)
      how(awaited)
    }
  }

  /** Keys for the next command: first those that reads wait for. */
  #collect(): Map<string, DueKey> {
    const { machine } = this.#node
    const { batch } = machine.settings
    const keys = new Map<string, DueKey>()
    for (const [id, { due }] of this.#awaited) {
      if (keys.size === batch) return keys
      keys.set(id, due)
    }
    const now = this.#node.clusterTimeNow()
    if (nextDue(machine) > now) return keys
    for (const due of collectDue(machine, now, batch - keys.size)) keys.set(idOf(due), due)
    return keys
  }

  async #propose(term: number, keys: readonly DueKey[]): Promise<void> {
    const startedMs = this.#node.nowMs()
    const encode = (writer: Writer): void => encodeExpire(writer, term, keys)
    const patience = { deadlineMs: startedMs + OWN_PATIENCE_MS }
    const { expired } = await this.#node.proposeReserved<ExpireDone>(encode, patience)
    if (!this.#cleanup.isWanted) return
    this.#cleanup.emit({ durationMs: this.#node.nowMs() - startedMs, deletedCount: expired })
  }
}

const idOf = ({ space, key }: DueKey): string => `${space}/${key}`

/**
 * Asks for an expiry until it is answered: to expire a key twice harms nobody, so a leader that is lost
 * on the way is no reason to fail a read whose deadline has not come.
 */
export async function askedAgain(
  clock: Clock,
  { deadlineMs, signal }: Patience,
  ask: () => Promise<void>,
): Promise<void> {
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      const isPassing = ConcordError.is(error) && PASSING.includes(error.code)
      const isLate = clock.monotonicMs() + AGAIN_MS >= deadlineMs || signal?.aborted === true
      if (!isPassing || isLate) throw error
    }
    await new Promise<void>((resolve) => void clock.after(AGAIN_MS, resolve))
  }
}
