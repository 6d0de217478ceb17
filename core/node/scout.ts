/**
 * Finds members that are not where the log says. Addresses are data and change through the log, but when most of the
 * members have moved at once there is nobody who could change them. Then the hints of the config and of discovery
 * lead from one to the other: whoever answers there as a member is dialled where he says that he is, until the log
 * says so too (whereabouts.ts). While all are connected nothing is asked.
 */
import type { Clock, Timer } from '../ports.ts'
import type { NodeId } from '../raft/index.ts'
import { idOf } from '../address.ts'
import { decodeWho, encodeQuestion } from './introductions.ts'
import type { Patience } from './replicated-log.ts'
import type { Whereabouts } from './whereabouts.ts'

/** Between two looks around: while nobody leads, and while somebody does. */
const LEADERLESS_MS = 2000
const LED_MS = 15_000
/** Whoever does not answer within this is not there. */
const ANSWER_MS = 1000

export interface ScoutParts {
  readonly clock: Clock
  /** Addresses at which members may be found; this node's own may be among them. */
  readonly candidates: () => readonly string[]
  readonly ask: (address: string, question: Uint8Array, patience: Patience) => Promise<Uint8Array>
  /** Empty while this node belongs to none. */
  readonly clusterId: () => string
  readonly hasLeader: () => boolean
  readonly whereabouts: Pick<Whereabouts, 'reached' | 'missing' | 'dialAt'>
}

export class Scout {
  readonly #parts: ScoutParts
  #timer: Timer
  #stopped = false

  constructor(parts: ScoutParts) {
    this.#parts = parts
  }

  start(): void {
    const { clock, hasLeader } = this.#parts
    if (this.#stopped) return
    const waitMs = hasLeader() ? LED_MS : LEADERLESS_MS
    this.#timer = clock.after(waitMs, () => void this.#look().finally(() => this.start()))
  }

  stop(): void {
    this.#stopped = true
    this.#parts.clock.cancel(this.#timer)
  }

  async #look(): Promise<void> {
    const { whereabouts, clusterId } = this.#parts
    if (clusterId() === '' || whereabouts.missing.length === 0) return
    const found = await this.#askAround()
    if (this.#stopped) return
    for (const { id, dialled, recorded, said = recorded } of whereabouts.missing) {
      // Found by nobody: where it said that it is, and where the log says, in turn.
      whereabouts.dialAt(id, found.get(id) ?? (dialled === said ? recorded : said))
    }
  }

  /** Where the members are that answer at the hints. */
  async #askAround(): Promise<ReadonlyMap<NodeId, string>> {
    const { clock, whereabouts, ask, candidates, clusterId } = this.#parts
    const question = encodeQuestion({ kind: 'who' })
    const deadlineMs = clock.monotonicMs() + ANSWER_MS
    const addresses = new Set(candidates().filter((address) => !whereabouts.reached.has(address)))
    const answers = await Promise.all(
      [...addresses].map((address) =>
        ask(address, question, { deadlineMs }).then(decodeWho, () => undefined),
      ),
    )
    const ours = answers.filter((who) => who !== undefined && who.clusterId === clusterId())
    return new Map(ours.map((who) => [idOf(who!), who!.address]))
  }
}
