/**
 * Who waits to read: for a ReadIndex round (6.4), for this node's state to reach an index or a revision,
 * or for work that reads share. A read that need not wait never comes here.
 */
import { AbortError, ConcordError } from '../errors.ts'
import type { Patience } from './replicated-log.ts'

/** The moment at which a linearizable read holds. */
export interface ReadPoint {
  /** Everything up to here must be applied before the machine is read. */
  readonly index: number
  /** The leader's cluster time: a key due by now is not to be seen. */
  readonly clusterTime: number
}

const NONE: readonly number[] = []

/** A moment that no state reaches by itself. */
const NEVER: ReadPoint = { index: Infinity, clusterTime: Infinity }

/** Reads that may wait at once: each holds a few hundred bytes. */
const MAX_WAITING = 65_536

interface Waiting {
  readonly resolve: (point: ReadPoint) => void
  readonly reject: (error: Error) => void
  readonly deadlineMs: number
  /** How the leader is to confirm it; undefined for what needs no confirmation. */
  readonly level: 'leader' | 'strong' | undefined
  /** Known once the round is confirmed; until then the read waits for the leader. */
  point: ReadPoint | undefined
  readonly minRevision: number
}

export class Reads {
  readonly #waiting = new Map<number, Waiting>()
  /** Of those who wait, the ones whose leader has to be asked. */
  readonly #held = new Set<number>()
  #nextId = 1

  get isIdle(): boolean {
    return this.#waiting.size === 0
  }

  /** A read that needs a round; the id goes to the core as `{ type: 'read', id }`. */
  start(level: 'leader' | 'strong', patience: Patience): { id: number; point: Promise<ReadPoint> } {
    const id = this.#nextId++
    return { id, point: this.#wait(id, patience, level, undefined, 0) }
  }

  /** How read `id` is to be confirmed; undefined when nobody waits for it any more. */
  levelOf(id: number): 'leader' | 'strong' | undefined {
    return this.#waiting.get(id)?.level
  }

  /** Waits until this node has applied a point, or reached a revision. */
  until(point: ReadPoint, minRevision: number, patience: Patience): Promise<ReadPoint> {
    return this.#wait(this.#nextId++, patience, undefined, point, minRevision)
  }

  /** Waits for work that other reads may wait for too: each as long as its own patience lasts. */
  async during(work: Promise<void>, patience: Patience): Promise<void> {
    const id = this.#nextId++
    const read = this.#wait(id, patience, undefined, NEVER, 0)
    const end = (how: (read: Waiting) => void): void => {
      const waiting = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (waiting !== undefined) how(waiting)
    }
    work.then(
      () => end(({ resolve }) => resolve(NEVER)),
      (error: Error) => end(({ reject }) => reject(error)),
    )
    await read
  }

  /** The round of read `id` is confirmed at `point`. */
  confirm(id: number, point: ReadPoint): void {
    const read = this.#waiting.get(id)
    if (read !== undefined) read.point = point
  }

  /** The core cannot serve the read, for there is no leader: it waits for one, until its deadline. */
  hold(id: number): void {
    if (this.#waiting.has(id)) this.#held.add(id)
  }

  /** Reads that wait for a leader, to be asked for again. */
  takeHeld(): readonly number[] {
    if (this.#held.size === 0) return NONE
    const held = [...this.#held]
    this.#held.clear()
    return held
  }

  /** This node's state has moved on. */
  advance(appliedIndex: number, revision: number): void {
    if (this.#waiting.size === 0) return
    for (const [id, read] of this.#waiting) {
      if (read.point === undefined || read.point.index > appliedIndex || read.minRevision > revision) continue
      this.#forget(id)
      read.resolve(read.point)
    }
  }

  /** @param noLeader why no leader has said up to where to read. */
  expire(nowMs: number, noLeader: () => ConcordError): void {
    for (const [id, read] of this.#waiting) {
      if (read.deadlineMs > nowMs) continue
      this.#forget(id)
      read.reject(
        read.point === undefined
          ? noLeader()
          : new ConcordError('TIMEOUT', 'this node did not reach the state that the read asks for in time', {
              outcome: 'not-applied',
              retryable: true,
            }),
      )
    }
  }

  failAll(error: () => Error): void {
    for (const read of this.#waiting.values()) read.reject(error())
    this.#waiting.clear()
    this.#held.clear()
  }

  #forget(id: number): void {
    this.#waiting.delete(id)
    this.#held.delete(id)
  }

  #wait(
    id: number,
    { deadlineMs, signal }: Patience,
    level: Waiting['level'],
    point: ReadPoint | undefined,
    minRevision: number,
  ): Promise<ReadPoint> {
    if (this.#waiting.size >= MAX_WAITING) {
      return Promise.reject(new ConcordError('OVERLOADED', `${MAX_WAITING} reads already wait on this node`))
    }
    const read = new Promise<ReadPoint>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, deadlineMs, level, point, minRevision })
    })
    return signal === undefined ? read : this.#abortable(id, read, signal)
  }

  /** Whoever gives up makes room at once; what comes for the read later finds nobody. */
  #abortable(id: number, read: Promise<ReadPoint>, signal: AbortSignal): Promise<ReadPoint> {
    const abort = (): void => {
      this.#waiting.get(id)?.reject(new AbortError(signal.reason, 'not-applied'))
      this.#forget(id)
    }
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort)
    return read.finally(() => signal.removeEventListener('abort', abort))
  }
}
