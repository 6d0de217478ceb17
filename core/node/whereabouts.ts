/**
 * Where members are: where the log says, unless they have been found elsewhere (scout.ts). Keeps the transport
 * dialling them there.
 */
import type { PeerAddress, PeerStats } from '../ports.ts'
import type { Membership, NodeId } from '../raft/index.ts'

type Members = Membership['members']

/** Of a transport, what is needed here. */
export interface Dialler {
  setPeers(peers: readonly PeerAddress[]): void
  stats(): { readonly peers: readonly Pick<PeerStats, 'id' | 'address' | 'connected'>[] }
}

/** A member that this node is not connected to. */
export interface Missing {
  readonly id: NodeId
  /** Where it is dialled now, and where the log says that it is. */
  readonly dialled: string
  readonly recorded: string
  /** Where it said that it is when it was last here. */
  readonly said: string | undefined
}

export class Whereabouts {
  readonly #transport: Dialler
  readonly #own: string
  #members: Members = {}
  /** Where members have last said that they are. */
  readonly said = new Map<NodeId, string>()
  /** Where they are dialled, if not where the log says. */
  readonly #found = new Map<NodeId, string>()

  /** @param own Where others reach this node. */
  constructor(transport: Dialler, own: string) {
    this.#transport = transport
    this.#own = own
  }

  /** The log says something else. Returns who has come. */
  record(members: Members): readonly NodeId[] {
    const before = this.#members
    this.#members = members
    for (const id of this.said.keys()) if (!Object.hasOwn(members, id)) this.said.delete(id)
    for (const id of this.#found.keys()) {
      if (members[id]?.address !== before[id]?.address) this.#found.delete(id)
    }
    this.#dial()
    return Object.keys(members).filter((id) => !Object.hasOwn(before, id))
  }

  dialAt(id: NodeId, address: string): void {
    if (this.#members[id]?.address === address) this.#found.delete(id)
    else this.#found.set(id, address)
    this.#dial()
  }

  #dial(): void {
    const members = Object.entries(this.#members)
    const peers = members.map(([id, { address }]) => ({ id, address: this.#found.get(id) ?? address }))
    this.#transport.setPeers(peers)
  }

  /** Addresses at which nobody has to be looked for. */
  get reached(): ReadonlySet<string> {
    const connected = this.#transport.stats().peers.filter((peer) => peer.connected)
    return new Set([this.#own, ...connected.map(({ address }) => address)])
  }

  get missing(): readonly Missing[] {
    const peers = this.#transport.stats().peers.filter((peer) => !peer.connected)
    return peers.flatMap(({ id, address }) => {
      const recorded = this.#members[id]?.address
      return recorded === undefined ? [] : [{ id, dialled: address, recorded, said: this.said.get(id) }]
    })
  }
}
