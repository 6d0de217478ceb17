/** What a node needs of the way to its peers; a node alone has `nobody`. */
import { ConcordError } from '../errors.ts'
import type { Transport } from '../ports.ts'

export type Network = Pick<Transport, 'send' | 'call'>

export const nobody: Network = {
  send: () => {},
  call: () => Promise.reject(new ConcordError('NO_LEADER', 'this node is configured without peers')),
}
