/** What a node needs of the way to its peers; a node alone has `nobody`. */
import { ConcordError } from '../errors.ts'
import type { Transport } from '../ports.ts'
import type { NodeId } from '../raft/index.ts'
import type { Asked } from './replicated-log.ts'

export interface Network extends Pick<Transport, 'send' | 'call'> {
  /** By the node that leads: takes in the empty node at an address, and resolves with its id. */
  invite(address: string, asked: Asked): Promise<NodeId>
}

const ALONE = 'this node is configured without peers'

export const nobody: Network = {
  send: () => {},
  call: () => Promise.reject(new ConcordError('NO_LEADER', ALONE)),
  invite: () => Promise.reject(new ConcordError('CHANGE_REFUSED', ALONE, { retryable: false })),
}
