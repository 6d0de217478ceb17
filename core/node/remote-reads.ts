/**
 * A follower that is to answer a linearizable read asks the leader for the moment at which it holds, once
 * for all reads of a turn, and then answers from its own machine (6.4). To ask again harms nobody: what
 * fails is asked anew, of whoever leads then, until the reader's own deadline.
 */
import type { NodeId } from '../raft/index.ts'
import type { Network } from './network.ts'
import { decodePoint, encodeCall } from './peer-calls.ts'
import type { Reads } from './reads.ts'

/** A leader that is silent for so long is asked again, or another one. */
const PATIENCE_MS = 1000

export interface Reader {
  readonly reads: Reads
  nowMs(): number
  /** A point is known: what waits for it may be answered already. */
  advance(): void
}

export class RemoteReads {
  readonly #node: Reader
  readonly #network: Network
  readonly #ids = { leader: [] as number[], strong: [] as number[] }

  constructor(node: Reader, network: Network) {
    this.#node = node
    this.#network = network
  }

  /** Read `id` is to be asked for, with the others of this turn. */
  add(id: number): void {
    const level = this.#node.reads.levelOf(id)
    if (level !== undefined) this.#ids[level].push(id)
  }

  /** Ends a turn: one question for each level. */
  ask(leader: NodeId): void {
    for (const level of ['leader', 'strong'] as const) {
      const ids = this.#ids[level].splice(0)
      if (ids.length > 0) void this.#ask(leader, level, ids)
    }
  }

  async #ask(leader: NodeId, level: 'leader' | 'strong', ids: readonly number[]): Promise<void> {
    const { reads } = this.#node
    try {
      const deadlineMs = this.#node.nowMs() + PATIENCE_MS
      const point = decodePoint(
        await this.#network.call(leader, encodeCall({ kind: 'read', level }), { deadlineMs }),
      )
      for (const id of ids) reads.confirm(id, point)
      this.#node.advance()
    } catch {
      for (const id of ids) reads.hold(id)
    }
  }
}
