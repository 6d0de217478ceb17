/**
 * What a node needs of the way to its peers; the transport of core/ports.ts gives it. A node alone has
 * `nobody`.
 */
import { ConcordError } from '../errors.ts'
import type { Message, NodeId } from '../raft/index.ts'
import type { Patience } from './replicated-log.ts'

export interface Network {
  /** Raft's own messages: gone at once, or lost. Never blocks, never throws. */
  send(to: NodeId, message: Message): void
  /**
   * Asks a peer. Rejects with `outcome: 'not-applied'` when the question certainly did not arrive, else
   * `'unknown'`.
   */
  call(to: NodeId, question: Uint8Array, patience: Patience): Promise<Uint8Array>
}

export const nobody: Network = {
  send: () => {},
  call: (to) => Promise.reject(new ConcordError('NO_LEADER', `there is no way from here to ${to}`)),
}
