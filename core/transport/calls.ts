/**
 * Calls on one connection: a question and its answer have the same number. The asker knows how long he waits,
 * and whether his question has left; the other side answers so many at a time, and refuses more.
 */
import { MalformedError, type Reader } from '../bytes.ts'
import { AbortError, ConcordError } from '../errors.ts'
import { within } from '../patience.ts'
import type { CallPatience, Clock } from '../ports.ts'

export const STATUS = { answered: 0, failed: 1, busy: 2 } as const

export interface CallOutcome {
  readonly resolve: (answer: Uint8Array) => void
  readonly reject: (error: Error) => void
}

interface Pending extends CallOutcome {
  readonly what: string
  /** Takes the question back; false when some of it has left. */
  readonly withdraw: () => boolean
  readonly end: () => void
}

/** The questions of this side. */
export class Calls {
  readonly #clock: Clock
  readonly #pending = new Map<number, Pending>()
  #last = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#pending.size
  }

  /** `send` puts the question into the queue, under its number, and returns how to take it back; what it throws rejects. */
  ask(what: string, patience: CallPatience, send: (id: number) => () => boolean): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const id = ++this.#last
      const { signal, deadlineMs } = patience
      const withdraw = send(id)
      const abort = (): void => this.#giveUp(id, (outcome) => new AbortError(signal?.reason, outcome))
      const timer = this.#clock.after(Math.max(0, deadlineMs - this.#clock.monotonicMs()), () =>
        this.#giveUp(id, (outcome) => tooLate(what, outcome)),
      )
      signal?.addEventListener('abort', abort)
      const end = (): void => {
        this.#pending.delete(id)
        this.#clock.cancel(timer)
        signal?.removeEventListener('abort', abort)
      }
      this.#pending.set(id, { what, withdraw, end, resolve, reject })
    })
  }

  #giveUp(id: number, errorOf: (outcome: 'not-applied' | 'unknown') => Error): void {
    const pending = this.#pending.get(id)!
    pending.end()
    pending.reject(errorOf(pending.withdraw() ? 'not-applied' : 'unknown'))
  }

  /** An answer to what nobody asks any more is nothing. */
  answered(reader: Reader): void {
    const id = reader.varint()
    const at = reader.offset
    const status = reader.u8()
    if (id > this.#last || status > STATUS.busy) throw new MalformedError('an answer to a call expected', at)
    const pending = this.#pending.get(id)
    if (pending === undefined) return
    pending.end()
    if (status === STATUS.answered) return pending.resolve(reader.bytes(reader.remaining))
    pending.reject(status === STATUS.busy ? busy(pending.what) : failed(pending.what))
  }

  /** The connection is gone. What was not sent rejects with `notSent`. */
  closed(notSent: ConcordError): void {
    for (const pending of this.#pending.values()) {
      pending.end()
      const isUnsent = pending.withdraw()
      pending.reject(
        isUnsent ? notSent : new ConcordError('CONNECTION_LOST', `${pending.what} may have got the call`),
      )
    }
  }
}

/** Calls that one connection may have under way at a node, and the bytes of their questions. */
const SERVED_CALLS = 1024
const SERVED_BYTES = 32 * 1024 * 1024

/** The questions of the other side. */
export class Answering {
  calls = 0
  #bytes = 0

  /** `reply` is called once, and `calls` has fallen again before. */
  serve(
    question: Uint8Array,
    answer: () => Promise<Uint8Array>,
    reply: (status: number, answer?: Uint8Array) => void,
  ): void {
    if (this.calls >= SERVED_CALLS || this.#bytes + question.length > SERVED_BYTES) return reply(STATUS.busy)
    this.calls++
    this.#bytes += question.length
    const done = (): void => {
      this.calls--
      this.#bytes -= question.length
    }
    // What throws is as bad as what rejects.
    void new Promise<Uint8Array>((resolve) => resolve(answer())).then(
      (found) => (done(), reply(STATUS.answered, found)),
      () => (done(), reply(STATUS.failed)),
    )
  }
}

/** Waits for a connection no longer than the caller does; what arrives too late is nobody's. */
export const whilePatient = <T>(
  clock: Clock,
  what: string,
  patience: CallPatience,
  work: Promise<T>,
): Promise<T> => within(clock, patience, work, () => tooLate(what, 'not-applied'))

const busy = (what: string): ConcordError =>
  new ConcordError('OVERLOADED', `${what} answers too many calls now`)

const failed = (what: string): ConcordError =>
  new ConcordError('INTERNAL', `${what} failed while it answered`)

const tooLate = (what: string, outcome: 'not-applied' | 'unknown'): ConcordError =>
  outcome === 'unknown'
    ? new ConcordError('TIMEOUT', `no answer from ${what} in time`)
    : new ConcordError('TIMEOUT', `the call could not be sent to ${what} in time`, {
        outcome,
        retryable: true,
      })

export const cannotReach = (what: string, why?: string): ConcordError =>
  new ConcordError('CANNOT_CONNECT', `${what} cannot be reached${why === undefined ? '' : `: ${why}`}`)

export const stoppedError = (): ConcordError =>
  new ConcordError('STOPPED', 'this node talks to its peers no more')
