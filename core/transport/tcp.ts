/**
 * The transport over TCP: listens on one address, keeps connected to the peers it is given, takes in who is let
 * in, and finds the connection that a message or a call takes. Parts: listener.ts and handshake.ts let in,
 * peer.ts and line.ts dial, session.ts talks, wire.ts moves bytes.
 */
import { AbortError, ConcordError } from '../errors.ts'
import type {
  CallPatience,
  Clock,
  Entropy,
  PeerAddress,
  Transport,
  TransportHandlers,
  TransportNotice,
  TransportStats,
} from '../ports.ts'
import type { Message } from '../raft/message.ts'
import type { NodeId } from '../raft/types.ts'
import { addressOf, idOf, isLoopback } from '../address.ts'
import { cannotReach, stoppedError, whilePatient } from './calls.ts'
import { FrameWriter } from './frames.ts'
import { Guests } from './guests.ts'
import type { Lane } from './hello.ts'
import type { LineFailure } from './line.ts'
import { Listener } from './listener.ts'
import { Notices } from './notices.ts'
import { settingsOf, type TcpOptions, type TransportWorld } from './options.ts'
import { laneOf, Peer, SMALL_BYTES } from './peer.ts'
import { Registry } from './registry.ts'
import { notForNode, type Secured, secure, standsFor } from './security.ts'
import type { Session } from './session.ts'
import type { Closing } from './wire.ts'

/**
 * @throws `INVALID_OPTION` - the address to listen on is none, or is beyond loopback without `secret`, `tls` or
 * `insecure`; or a certificate and its key cannot be used.
 */
export function tcpTransport(
  options: TcpOptions,
  world: { readonly clock: Clock; readonly entropy: Entropy },
): Transport {
  return new TcpTransport(options, world.clock, world.entropy)
}

/** What there is between `listen` and `close`. */
interface Running {
  readonly world: TransportWorld
  readonly registry: Registry
  readonly listener: Listener
  readonly guests: Guests
  readonly notices: Notices
  readonly ownId: NodeId
}

class TcpTransport implements Transport {
  readonly #options: TcpOptions
  readonly #clock: Clock
  readonly #entropy: Entropy
  readonly #secured: Secured
  readonly #peers = new Map<NodeId, Peer>()
  #wanted: readonly PeerAddress[] = []
  #running: Running | undefined
  #stopped = false
  #malformed = 0
  #refused = 0

  constructor(options: TcpOptions, clock: Clock, entropy: Entropy) {
    const { host } = addressOf(options.listen, 'cluster.listen')
    const { security } = options
    if (security.kind === 'plain' && !security.insecure && !isLoopback(host)) {
      const why = `${options.listen} is beyond loopback; give cluster.secret or cluster.tls, or say insecure: true`
      throw new ConcordError('INVALID_OPTION', `cluster.listen: ${why}`, {
        details: { field: 'cluster.listen', found: options.listen },
      })
    }
    this.#options = options
    this.#clock = clock
    this.#entropy = entropy
    this.#secured = secure(security)
  }

  async listen(handlers: TransportHandlers): Promise<string> {
    this.#checkOwnNames(handlers.hello().name)
    const settings = settingsOf(this.#options)
    const frames = new FrameWriter(this.#secured.checksums)
    const { dial = (address) => address } = this.#options
    const world = { clock: this.#clock, entropy: this.#entropy, settings, frames, handlers, dial }
    const registry = new Registry(this.#clock, settings.maxConnections)
    const notices = new Notices(this.#clock, (notice) => handlers.tell(notice))
    const otherRuns: Registry['otherRuns'] = (id, runId) => registry.otherRuns(id, runId)
    const listener = new Listener(world, this.#secured, {
      otherRuns,
      up: (session) => {
        session.closed = (closing) => this.#gone(session, closing)
        registry.accepted(session)
      },
      failed: (address, failure) => this.#strangerFailed(address, failure),
    })
    const guests = new Guests(world, this.#secured, {
      otherRuns,
      up: (session) => registry.add(session),
      down: (session, closing) => this.#gone(session, closing),
      failed: (address, failure) => this.#failed(address, address, failure),
    })
    const bound = await listener.listen(addressOf(this.#options.listen, 'cluster.listen'))
    this.#running = { world, registry, listener, guests, notices, ownId: idOf(handlers.hello()) }
    this.#dial()
    return bound
  }

  /** Every peer would refuse it; better said once, here. */
  #checkOwnNames(node: string): void {
    const { ownNames } = this.#secured
    if (ownNames === undefined || standsFor(ownNames, node)) return
    const found = ownNames.join(', ')
    throw new ConcordError('INVALID_OPTION', `cluster.tls.cert: ${notForNode(ownNames, node)}`, {
      details: { field: 'cluster.tls.cert', found },
    })
  }

  // ---------------------------------------------------------------------------------------- peers

  setPeers(peers: readonly PeerAddress[]): void {
    this.#wanted = peers
    this.#dial()
  }

  reintroduce(id?: NodeId): void {
    this.#running?.registry.retire(id)
  }

  #dial(): void {
    const running = this.#running
    if (running === undefined || this.#stopped) return
    const wanted = new Map(this.#wanted.map(({ id, address }) => [id, address]))
    wanted.delete(running.ownId)
    for (const [id, peer] of this.#peers) {
      if (wanted.get(id) === peer.address) continue
      this.#peers.delete(id)
      peer.stop(cannotReach(id, 'it is no peer at that address any more'))
    }
    for (const [id, address] of wanted) {
      if (!this.#peers.has(id)) this.#peers.set(id, this.#peer({ id, address }, running))
    }
  }

  #peer(target: PeerAddress, { world, registry }: Running): Peer {
    const { id, address } = target
    return new Peer(target, world, this.#secured, {
      otherRuns: (peer, runId) => registry.otherRuns(peer, runId),
      up: (session) => {
        registry.add(session)
        if (session.lane === 'control')
          this.#say({ kind: 'connected', peer: id, address, message: 'connected' })
      },
      down: (session, closing) => {
        this.#gone(session, closing)
        if (session.lane !== 'control') return
        const message = closing.error?.message ?? CAUSES[closing.cause]
        this.#say({ kind: 'disconnected', peer: id, address, message })
      },
      lost: () => world.handlers.peerLost(id),
      failed: (failure) => this.#failed(id, address, failure),
    })
  }

  #gone(session: Session, closing: Closing): void {
    this.#running?.registry.remove(session)
    if (closing.cause === 'malformed') this.#malformed++
  }

  // --------------------------------------------------------------------------------------- talking

  send(to: NodeId, message: Message): void {
    const peer = this.#peers.get(to)
    const session = this.#sessionFor(to, peer, message)
    if (session !== undefined) session.send(message)
    else if (peer !== undefined) peer.dropped++
  }

  #sessionFor(to: NodeId, peer: Peer | undefined, message: Message): Session | undefined {
    const lane = laneOf(message)
    const bulk = this.#open(to, peer, 'bulk')
    if (lane === 'bulk') return bulk ?? (isSmall(message) ? this.#open(to, peer, 'control') : undefined)
    // A heartbeat that overtakes entries makes them look lost; while nothing holds it up, it need not.
    if (message.type === 'appendEntries' && bulk?.isPrompt === true) return bulk
    return this.#open(to, peer, 'control') ?? bulk
  }

  /** The connection that this node has dialled, or else one that the peer has. */
  #open(to: NodeId, peer: Peer | undefined, lane: Lane): Session | undefined {
    return peer?.session(lane) ?? this.#running?.registry.acceptedFrom(to, lane)
  }

  async call(
    to: NodeId | { readonly address: string },
    question: Uint8Array,
    patience: CallPatience,
  ): Promise<Uint8Array> {
    if (this.#stopped || this.#running === undefined) throw stoppedError()
    if (patience.signal?.aborted === true) throw new AbortError(patience.signal.reason, 'not-applied')
    const session = typeof to === 'string' ? this.#toMember(to, question) : this.#toAddress(to.address)
    if (!(session instanceof Promise)) return session.call(question, patience)
    const what = typeof to === 'string' ? to : to.address
    return (await whilePatient(this.#clock, what, patience, session)).call(question, patience)
  }

  #toMember(id: NodeId, question: Uint8Array): Session | Promise<Session> {
    const peer = this.#peers.get(id)
    const lane = question.length > SMALL_BYTES ? 'bulk' : 'control'
    const session = this.#open(id, peer, lane)
    return session ?? peer?.reach(lane) ?? Promise.reject(cannotReach(id, 'it is no peer of this node'))
  }

  #toAddress(address: string): Session | Promise<Session> {
    const peer = [...this.#peers.values()].find((each) => each.address === address)
    return peer?.session('control') ?? this.#running!.guests.reach(address)
  }

  // --------------------------------------------------------------------------------------- telling

  #strangerFailed(address: string, failure: LineFailure): void {
    // The port is another at each try.
    this.#failed(failure.peer ?? address.slice(0, address.lastIndexOf(':')), address, failure)
  }

  #failed(subject: string, address: string, failure: LineFailure): void {
    if (failure.kind === 'malformed') this.#malformed++
    if (failure.reason !== undefined) this.#refused++
    this.#say({ ...failure, address }, subject)
  }

  #say(notice: TransportNotice, subject = notice.peer ?? notice.address): void {
    if (this.#stopped) return
    if (notice.kind === 'connected') this.#running?.notices.forget(subject)
    this.#running?.notices.say(subject, notice)
    if (notice.kind === 'disconnected') this.#running?.notices.forget(subject)
  }

  stats(): TransportStats {
    return {
      peers: [...this.#peers.values()].map((peer) => peer.stats()),
      connections: this.#running?.registry.size ?? 0,
      unauthenticated: this.#running?.listener.strangers ?? 0,
      malformed: this.#malformed,
      evicted: this.#running?.listener.evicted ?? 0,
      refused: this.#refused,
    }
  }

  async close(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    const why = stoppedError()
    for (const peer of this.#peers.values()) peer.stop(why)
    this.#running?.guests.close(why)
    this.#running?.registry.close(why)
    await this.#running?.listener.close()
  }
}

/** Small enough for the other connection, while the one for such messages is still being made. */
function isSmall(message: Message): boolean {
  if (message.type !== 'appendEntries') return false
  return message.entries.reduce((sum, { data }) => sum + data.length + 64, 0) <= SMALL_BYTES
}

const CAUSES: Readonly<Record<Closing['cause'], string>> = {
  reset: 'the other side has closed the connection',
  malformed: 'it has sent what is no frame or no message',
  timeout: 'nothing was heard of it for too long',
  local: 'this node has closed the connection',
}
