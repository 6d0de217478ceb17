/**
 * A follower hands the commands of its callers to the leader, who appends them and says where they stand.
 * Their results come out of this node's own machine, when it has applied them: so a caller sees what he
 * wrote, and an answer that is lost on the way costs nothing but itself.
 *
 * What certainly did not arrive, or was refused, waits for the next leader; what may have arrived is never
 * sent again (H31). One call is under way at a time and the next gathers meanwhile, so that writes keep the order in
 * which they were made: what is refused is older than all that waits.
 */
import { AbortError, ConcordError } from '../errors.ts'
import type { NodeId } from '../raft/index.ts'
import type { Network } from './network.ts'
import { decodePlaced, encodeCall } from './peer-calls.ts'
import type { Proposals, Taken } from './proposals.ts'
import type { Whole } from './whole.ts'

/** A leader that has not said within this where they stand is as good as lost. Callers give up before. */
const PATIENCE_MS = 10_000
/**
 * A leader that has handed over says so by then. One that has not answered for so long, and that somebody else has
 * replaced, is lost: often it was silent for all of the election already.
 */
const REPLACED_MS = 500
/** Most bytes of entries in one call. */
const CALL_BYTES = 1024 * 1024

type Follower = Pick<Whole, 'nowMs' | 'leader' | 'otherLeader' | 'plan'>

interface UnderWay {
  readonly leader: NodeId
  readonly giveUp: AbortController
  readonly sentMs: number
}

export class Forwarding {
  readonly #node: Follower
  readonly #proposals: Proposals
  readonly #network: Network
  /** Who has refused, or cannot be reached: asked again when somebody else leads, or at the next tick. */
  #avoided: NodeId | null = null
  #underWay: UnderWay | undefined

  constructor(node: Follower, proposals: Proposals, network: Network) {
    this.#node = node
    this.#proposals = proposals
    this.#network = network
  }

  /** What waits behind a call is younger, and may not be placed before it, here or elsewhere. */
  get isUnderWay(): boolean {
    return this.#underWay !== undefined
  }

  /** Sends what has gathered, if somebody leads. */
  forward(): void {
    const leader = this.#node.otherLeader()
    if (leader === null || leader === this.#avoided || this.isUnderWay) return
    const taken = this.#proposals.take(CALL_BYTES)
    if (taken !== undefined) void this.#send(leader, taken)
  }

  /** Whoever was avoided may be tried again; who was asked may have been replaced. */
  retry(): void {
    this.#avoided = null
    const call = this.#underWay
    if (call === undefined) return
    const leading = this.#node.leader()
    const isReplaced = leading !== null && leading !== call.leader
    if (isReplaced && this.#node.nowMs() - call.sentMs >= REPLACED_MS) call.giveUp.abort()
  }

  async #send(leader: NodeId, taken: Taken): Promise<void> {
    const proposals = this.#proposals
    const giveUp = new AbortController()
    const sentMs = this.#node.nowMs()
    this.#underWay = { leader, giveUp, sentMs }
    try {
      const deadlineMs = sentMs + PATIENCE_MS
      const answer = await this.#network.call(leader, encodeCall({ kind: 'place', datas: taken.datas }), {
        deadlineMs,
        signal: giveUp.signal,
      })
      const { index, term } = decodePlaced(answer)
      proposals.place(
        taken,
        taken.datas.map((_, position) => ({ index: index + position, term })),
      )
    } catch (error) {
      this.#failed(leader, taken, error)
    }
    this.#underWay = undefined
    this.#node.plan()
  }

  #failed(leader: NodeId, taken: Taken, error: unknown): void {
    const proposals = this.#proposals
    const known = ConcordError.is(error) || error instanceof AbortError ? error : undefined
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
