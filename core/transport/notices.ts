/** What is said of peers, once: not at every retry, and again when there is something else to say. */
import type { Clock, TransportNotice } from '../ports.ts'

/** Of how many peers and strangers, and how many things of each, it is known that they have been said. */
const MAX_SUBJECTS = 256
const MAX_TOLD = 16
/** What goes wrong is said so often in a minute: strangers with ever new names shall not fill a log. */
const MAX_IN_A_MINUTE = 60

export class Notices {
  readonly #tell: (notice: TransportNotice) => void
  readonly #clock: Clock
  readonly #told = new Map<string, Set<string>>()
  #minute = -1
  #said = 0

  constructor(clock: Clock, tell: (notice: TransportNotice) => void) {
    this.#clock = clock
    this.#tell = tell
  }

  /** `subject`: whom it is about, the same at each retry. */
  say(subject: string, notice: TransportNotice): void {
    const told = this.#told.get(subject) ?? new Set()
    const what = `${notice.kind} ${notice.reason ?? ''} ${notice.message}`
    if (told.has(what)) return
    if (told.size >= MAX_TOLD) told.clear()
    told.add(what)
    this.#told.delete(subject)
    this.#told.set(subject, told)
    if (this.#told.size > MAX_SUBJECTS) this.#told.delete(this.#told.keys().next().value as string)
    const isGood = notice.kind === 'connected' || notice.kind === 'disconnected'
    if (isGood || this.#mayComplain()) this.#tell(notice)
  }

  #mayComplain(): boolean {
    const minute = Math.floor(this.#clock.monotonicMs() / 60_000)
    if (minute !== this.#minute) this.#said = 0
    this.#minute = minute
    return ++this.#said <= MAX_IN_A_MINUTE
  }

  /** All is well again: what was said may be said anew. */
  forget(subject: string): void {
    this.#told.delete(subject)
  }
}
