/** What a node needs of the way to its peers; a node alone has `nobody`. */
import { ConcordError } from '../errors.ts'
import type { Transport } from '../ports.ts'
import type { NodeId } from '../raft/index.ts'
import type { Asked } from './replicated-log.ts'

export interface Network extends Pick<Transport, 'send' | 'call'> {
  /** By the node that leads: takes in the empty node at an address, and resolves with its id. */
  invite(address: string, asked: Asked): Promise<NodeId>
}

export const nobody: Network = {
  send: () => {},
  call: () => Promise.reject(new ConcordError('NO_LEADER', 'this node is configured without peers')),
  invite: () => Promise.reject(new ConcordError('CHANGE_REFUSED', 'this node is configured without peers')),
}
