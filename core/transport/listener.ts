/**
 * Takes connections in, and knows nobody yet: so many at a time, each for so long, 4 KiB of each. When there
 * are too many, the oldest of the address with the most of them makes room: two thousand idle sockets keep no
 * peer out (P03).
 */
import { createServer, type Server, type Socket } from 'node:net'

import { ConcordError } from '../errors.ts'
import type { Introduction, Timer } from '../ports.ts'
import type { NodeId } from '../raft/types.ts'
import { formatAddress, type HostPort } from '../address.ts'
import { Doorkeeper, type HandshakeResult } from './handshake.ts'
import type { LineFailure } from './line.ts'
import type { TransportWorld } from './options.ts'
import type { Secured } from './security.ts'
import type { Session } from './session.ts'
import { Wire } from './wire.ts'

/** Where the kernel begins to probe a silent connection. */
const KEEP_ALIVE_MS = 15_000

export interface ListenerOwner {
  otherRuns(id: NodeId, runId: string): Introduction['otherRuns']
  up(session: Session): void
  failed(address: string, failure: LineFailure): void
}

interface Stranger {
  readonly raw: Socket
  readonly host: string
  readonly address: string
  readonly timer: Timer
}

export class Listener {
  readonly #world: TransportWorld
  readonly #secured: Secured
  readonly #owner: ListenerOwner
  readonly #server: Server
  /** In the order in which they came. */
  readonly #strangers = new Set<Stranger>()
  evicted = 0

  constructor(world: TransportWorld, secured: Secured, owner: ListenerOwner) {
    this.#world = world
    this.#secured = secured
    this.#owner = owner
    this.#server = createServer(
      { noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS },
      (socket) => this.#meet(socket),
    ).unref()
  }

  get strangers(): number {
    return this.#strangers.size
  }

  /** @throws `ADDRESS_IN_USE`, `CANNOT_CONNECT` */
  listen({ host, port }: HostPort): Promise<string> {
    return new Promise((resolve, reject) => {
      const server = this.#server
      server.once('error', (cause: NodeJS.ErrnoException) => {
        const message = `cannot listen for peers at ${formatAddress(host, port)}: ${cause.message}`
        const code = cause.code === 'EADDRINUSE' ? 'ADDRESS_IN_USE' : 'CANNOT_CONNECT'
        reject(new ConcordError(code, message, { cause, details: { field: 'cluster.listen', host, port } }))
      })
      // Exclusive: under node:cluster each process is a node of its own.
      server.listen({ host, port, exclusive: true }, () => {
        const bound = server.address() as { address: string; port: number }
        // Out of file descriptors, say: the next connection is tried again by the kernel.
        server.removeAllListeners('error').on('error', () => {})
        resolve(formatAddress(bound.address, bound.port))
      })
    })
  }

  #meet(raw: Socket): void {
    raw.unref().on('error', () => {})
    const host = raw.remoteAddress
    if (host === undefined) return void raw.destroy()
    if (this.#strangers.size >= this.#world.settings.maxUnauthenticated) this.#evict()
    const { handshakeMs } = this.#world.settings
    const stranger: Stranger = {
      raw,
      host,
      address: formatAddress(host, raw.remotePort ?? 0),
      timer: this.#world.clock.after(handshakeMs, () => {
        this.evicted++
        raw.destroy()
      }),
    }
    this.#strangers.add(stranger)
    raw.once('close', () => this.#forget(stranger))
    this.#secured.accept(
      raw,
      (socket) => this.#greet(stranger, socket),
      (error) => {
        // Who comes and goes without a word is nobody's business.
        const { code, message } = error as NodeJS.ErrnoException
        if (code !== 'ECONNRESET') this.#owner.failed(stranger.address, { kind: 'failed', message })
      },
    )
  }

  #greet(stranger: Stranger, socket: Socket): void {
    const wire = new Wire(socket, this.#world.clock, this.#secured.checksums)
    const { address } = stranger
    const handshaking = {
      address,
      credentials: this.#secured.credentials(socket),
      otherRuns: (id: NodeId, runId: string) => this.#owner.otherRuns(id, runId),
      done: (result: HandshakeResult) => this.#shaken(stranger, result),
    }
    void new Doorkeeper(wire, this.#world, handshaking)
  }

  #shaken(stranger: Stranger, result: HandshakeResult): void {
    if ('session' in result) {
      this.#forget(stranger)
      return this.#owner.up(result.session)
    }
    const { address } = stranger
    if (result.kind !== 'closed') {
      return this.#owner.failed(address, { kind: result.kind, ...result.refusal, peer: result.peer })
    }
    const { cause, error } = result.closing
    if (cause === 'malformed')
      this.#owner.failed(address, { kind: 'malformed', message: error?.message ?? cause })
  }

  #forget(stranger: Stranger): void {
    this.#strangers.delete(stranger)
    this.#world.clock.cancel(stranger.timer)
  }

  #evict(): void {
    const counts = new Map<string, number>()
    for (const { host } of this.#strangers) counts.set(host, (counts.get(host) ?? 0) + 1)
    const most = Math.max(...counts.values())
    const victim = [...this.#strangers].find(({ host }) => counts.get(host) === most)
    if (victim === undefined) return
    this.evicted++
    this.#forget(victim)
    victim.raw.destroy()
  }

  async close(): Promise<void> {
    for (const { raw } of this.#strangers) raw.destroy()
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve))
  }
}
