/**
 * A transport that reaches every peer by a way of its own: addresses in the log are the same for all nodes, and the
 * link from one node to another is not. What it is told and asked stays as it is.
 */
import type { PeerAddress, Transport } from '../../core/ports.ts'

/** From an address to where it is really dialled. */
export type Routes = Readonly<Record<string, string>>

export function rerouted(transport: Transport, routes: Routes): Transport {
  const way = (address: string): string => routes[address] ?? address
  return {
    listen: (handlers) => transport.listen(handlers),
    setPeers: (peers: readonly PeerAddress[]) =>
      transport.setPeers(peers.map(({ id, address }) => ({ id, address: way(address) }))),
    reintroduce: (id) => transport.reintroduce(id),
    send: (to, message) => transport.send(to, message),
    call: (to, question, patience) =>
      transport.call(typeof to === 'string' ? to : { address: way(to.address) }, question, patience),
    stats: () => transport.stats(),
    close: () => transport.close(),
  }
}
