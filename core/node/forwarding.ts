/**
 * A follower hands the commands of its callers to the leader, who appends them and says where they stand.
 * Their results come out of this node's own machine, when it has applied them: so a caller sees what he
 * wrote, and an answer that is lost on the way costs nothing but itself.
 *
 * What certainly did not arrive, or was refused, waits for the next leader; what may have arrived is never
 * sent again (H31).
 */
import { ConcordError } from '../errors.ts'
import type { NodeId } from '../raft/index.ts'
import type { Network } from './network.ts'
import { decodePlaced, encodeCall } from './peer-calls.ts'
import type { Proposals, Taken } from './proposals.ts'

/** A leader that has not said within this where they stand is as good as lost. Callers give up before. */
const PATIENCE_MS = 10_000
/** Most bytes of entries in one call. */
const CALL_BYTES = 1024 * 1024

export interface Follower {
  readonly proposals: Proposals
  nowMs(): number
  /** The leader now; null when there is none, or it is this node. */
  leader(): NodeId | null
  /** Something has changed: a turn may have more to do. */
  plan(): void
}

export class Forwarding {
  readonly #node: Follower
  readonly #network: Network
  /** Who has refused, or cannot be reached: asked again when somebody else leads, or at the next tick. */
  #avoided: NodeId | null = null

  constructor(node: Follower, network: Network) {
    this.#node = node
    this.#network = network
  }

  /** Sends what has gathered, if somebody leads. */
  forward(): void {
    const leader = this.#node.leader()
    if (leader === null || leader === this.#avoided) return
    const { proposals } = this.#node
    while (proposals.hasUnplaced) {
      const taken = proposals.take(CALL_BYTES)
      if (taken === undefined) return
      void this.#send(leader, taken)
    }
  }

  /** Whoever was avoided may be tried again. */
  retry(): void {
    this.#avoided = null
  }

  async #send(leader: NodeId, taken: Taken): Promise<void> {
    const { proposals } = this.#node
    try {
      const deadlineMs = this.#node.nowMs() + PATIENCE_MS
      const answer = await this.#network.call(leader, encodeCall({ kind: 'place', datas: taken.datas }), {
        deadlineMs,
      })
      const { index, term } = decodePlaced(answer)
      proposals.place(
        taken,
        taken.datas.map((_, position) => ({ index: index + position, term })),
      )
    } catch (error) {
      this.#failed(leader, taken, error)
    }
    this.#node.plan()
  }

  #failed(leader: NodeId, taken: Taken, error: unknown): void {
    const { proposals } = this.#node
    const known = ConcordError.is(error) ? error : undefined
    if (known?.outcome !== 'not-applied') {
      proposals.lose(taken, (guarded) => lostOnTheWay(leader, guarded, error))
    } else if (known.code === 'OVERLOADED' || known.code === 'STORAGE_FULL') {
      proposals.lose(taken, () => known)
    } else {
      this.#avoided = leader
      proposals.putBack(taken)
    }
  }
}

function lostOnTheWay(leader: NodeId, guarded: boolean, cause: unknown): ConcordError {
  const why = `the leader ${leader} was lost before it said whether it took the write; it may have taken effect`
  return new ConcordError('CONNECTION_LOST', why, { retryable: guarded, cause })
}
