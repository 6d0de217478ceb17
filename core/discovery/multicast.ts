/**
 * Nodes of one network find each other: each says now and then to a multicast group where it is, soon after it
 * has started, when it hears of somebody new, and seldom after that. Who has not been heard for a minute is
 * forgotten. How much is said, heard, kept and checked each second has a bound.
 *
 * IPv4, with a TTL of 1: it leaves no network segment. Clouds and Kubernetes mostly do not carry multicast; there
 * it is DNS.
 */
import { createSocket, type Socket } from 'node:dgram'
import { isIPv4 } from 'node:net'

import { ConcordError } from '../errors.ts'
import type { Clock, Discovery, Entropy, Timer } from '../ports.ts'
import { isAddress, sorted } from './addresses.ts'
import { type Announcement, announcementKey, readAnnouncement, writeAnnouncement } from './announcement.ts'

export interface MulticastOptions {
  readonly cluster: string
  /** `cluster.secret`; without one anybody may claim to be of the cluster. */
  readonly secret?: string | undefined
  readonly incarnation: string
  /** Where this node's peers reach it. */
  readonly address: string
  /** Default 239.255.41.0, of the block for private use. */
  readonly group?: string | undefined
  /** UDP. Default 4100. */
  readonly port?: number | undefined
  /** The address of the interface to use; default: which the system chooses. */
  readonly interface?: string | undefined
  /** Between announcements at first, and when all is known. Defaults 1000, 15,000. */
  readonly minIntervalMs?: number | undefined
  readonly maxIntervalMs?: number | undefined
  /** After how long somebody who is not heard is forgotten. Default 60,000. */
  readonly forgetMs?: number | undefined
}

const GROUP = '239.255.41.0'
const PORT = 4100
/** Nodes of this cluster that are kept; who comes when they are so many is not. */
const NODES_MAX = 256
/** Datagrams that are looked at each second. */
const DATAGRAMS_MAX = 1000

interface Heard {
  readonly address: string
  readonly number: number
  readonly atMs: number
}

/** @throws `INVALID_OPTION` - a group, port, interface or address that is none. */
export function multicastDiscovery(
  options: MulticastOptions,
  world: { readonly clock: Clock; readonly entropy: Entropy },
): Discovery {
  const { group = GROUP, port = PORT, address } = options
  const [first = 0] = group.split('.').map(Number)
  const wrong = (field: string, found: unknown, expected: string) =>
    new ConcordError('INVALID_OPTION', `${field}: ${expected} expected, found ${JSON.stringify(found)}`, {
      details: { field, found, expected },
    })
  if (!isIPv4(group) || first < 224 || first > 239) throw wrong('group', group, 'an IPv4 multicast address')
  if (!isAddress(`x:${port}`)) throw wrong('port', port, 'a port of 1 to 65535')
  if (!isAddress(address)) throw wrong('address', address, 'host:port')
  if (options.interface !== undefined && !isIPv4(options.interface)) {
    throw wrong('interface', options.interface, 'an IPv4 address of this machine')
  }
  return new MulticastDiscovery({ ...options, group, port }, world)
}

class MulticastDiscovery implements Discovery {
  readonly #options: MulticastOptions & { readonly group: string; readonly port: number }
  readonly #clock: Clock
  readonly #entropy: Entropy
  readonly #key: Buffer
  readonly #heard = new Map<string, Heard>()
  #socket: Socket | undefined
  #number = 0
  #intervalMs: number
  #timer: Timer
  /** The second in which datagrams are counted, and how many it has had. */
  #second = -1
  #datagrams = 0

  constructor(
    options: MulticastOptions & { readonly group: string; readonly port: number },
    { clock, entropy }: { readonly clock: Clock; readonly entropy: Entropy },
  ) {
    this.#options = options
    this.#clock = clock
    this.#entropy = entropy
    this.#key = announcementKey(options.secret, options.cluster)
    this.#intervalMs = this.#minMs
  }

  get #minMs(): number {
    return this.#options.minIntervalMs ?? 1000
  }

  /** Rejects when the group cannot be joined: a machine without a route for multicast. */
  async start(): Promise<void> {
    const socket = createSocket({ type: 'udp4', reuseAddr: true })
    this.#socket = socket
    try {
      await this.#join(socket)
    } catch (cause) {
      await this.close()
      const { group, port } = this.#options
      const message = `cannot join multicast group ${group}:${port}: ${(cause as Error).message}`
      throw new ConcordError('CANNOT_CONNECT', message, { cause, details: { group, port } })
    }
    // A network that goes and comes back: what is not sent now is sent later.
    socket.on('error', () => {})
    socket.on('message', (datagram) => this.#hear(datagram))
    socket.unref()
    // Counting on from any earlier run of this incarnation.
    this.#number = Math.max(0, Math.floor(this.#clock.wallMs()))
    this.#announce()
  }

  async #join(socket: Socket): Promise<void> {
    const { group, port } = this.#options
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      // Bound to the group, not to all addresses: nothing but its datagrams comes in.
      socket.bind({ port, address: process.platform === 'win32' ? '0.0.0.0' : group }, () => {
        socket.removeListener('error', reject)
        resolve()
      })
    })
    if (this.#options.interface !== undefined) socket.setMulticastInterface(this.#options.interface)
    socket.addMembership(group, this.#options.interface)
    socket.setMulticastTTL(1)
    socket.setMulticastLoopback(true)
  }

  candidates(): readonly string[] {
    return sorted([...this.#heard.values()].map(({ address }) => address))
  }

  // ----------------------------------------------------------------------------------------- saying

  #announce(): void {
    const socket = this.#socket
    if (socket === undefined) return
    this.#forget()
    const { cluster, incarnation, address, group, port, maxIntervalMs = 15_000 } = this.#options
    const announcement = { cluster, incarnation, address, number: ++this.#number }
    socket.send(writeAnnouncement(announcement, this.#key), port, group, () => {})
    this.#announceIn(this.#intervalMs)
    this.#intervalMs = Math.min(2 * this.#intervalMs, maxIntervalMs)
  }

  #announceIn(ms: number): void {
    this.#clock.cancel(this.#timer)
    this.#timer = this.#clock.after(ms * (0.75 + 0.5 * this.#entropy.random()), () => this.#announce())
  }

  // ---------------------------------------------------------------------------------------- hearing

  #hear(datagram: Uint8Array): void {
    const now = this.#clock.monotonicMs()
    const second = Math.floor(now / 1000)
    this.#datagrams = second === this.#second ? this.#datagrams + 1 : 1
    this.#second = second
    if (this.#datagrams > DATAGRAMS_MAX) return
    const found = readAnnouncement(datagram, this.#options.cluster, this.#key)
    if (found === undefined || found.incarnation === this.#options.incarnation) return
    this.#note(found, now)
  }

  #note({ incarnation, address, number }: Announcement, now: number): void {
    const known = this.#heard.get(incarnation)
    // What is not newer is a repetition: it keeps nobody alive.
    if (known !== undefined && number <= known.number) return
    if (known === undefined && this.#heard.size >= NODES_MAX) return
    this.#heard.set(incarnation, { address, number, atMs: now })
    if (known === undefined) {
      // Somebody new is to hear of this node soon; not from all at the same moment.
      this.#intervalMs = this.#minMs
      this.#announceIn(this.#minMs / 2)
    }
  }

  #forget(): void {
    const oldest = this.#clock.monotonicMs() - (this.#options.forgetMs ?? 60_000)
    for (const [incarnation, { atMs }] of this.#heard) {
      if (atMs < oldest) this.#heard.delete(incarnation)
    }
  }

  async close(): Promise<void> {
    const socket = this.#socket
    this.#socket = undefined
    this.#clock.cancel(this.#timer)
    if (socket === undefined) return
    await new Promise<void>((resolve) => {
      socket.once('close', resolve)
      socket.close()
    })
  }
}
