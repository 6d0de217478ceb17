/**
 * The transport over a network in memory: the same port, the same rules of who is let in and what is known of a
 * call that fails, no sockets. Messages go through their codec, so that nodes share nothing.
 */
import { Reader, Writer } from '../bytes.ts'
import { AbortError, ConcordError } from '../errors.ts'
import type {
  CallPatience,
  Clock,
  Hello,
  PeerAddress,
  PeerStats,
  Timer,
  Transport,
  TransportHandlers,
  TransportNotice,
  TransportStats,
} from '../ports.ts'
import type { Message } from '../raft/message.ts'
import type { NodeId } from '../raft/types.ts'
import { idOf } from '../address.ts'
import { Calls, cannotReach, stoppedError, whilePatient } from './calls.ts'
import { knock } from './memory-handshake.ts'
import { type MemoryNetwork, type MemorySession, otherEnd, type Station } from './memory-network.ts'
import { readMessage, writeMessage } from './message-codec.ts'
import { Notices } from './notices.ts'
import { laneOf } from './peer.ts'

export { MemoryNetwork } from './memory-network.ts'

/** Between two attempts to reach a peer. */
const RETRY_MS = 50
/** What is not answered by then is given up. */
const HANDSHAKE_MS = 5000
/** How long a connection that is to end waits for its calls. */
const RETIRE_MS = 5000

/** `listen`: `host:port` in that network; port 0 takes a free one. `clock`: this node's own, for deadlines. */
export function memoryTransport(
  network: MemoryNetwork,
  listen: string,
  clock: Clock = network.clock,
): Transport {
  return new MemoryTransport(network, listen, clock)
}

interface Dialled {
  readonly address: string
  readonly expected: NodeId | undefined
  session: MemorySession | undefined
  attempt: Promise<MemorySession> | undefined
  retry: Timer
  sessions: number
  dropped: number
  /** Its connection was reset, and it has not been dialled since. */
  isSuspect: boolean
}

class MemoryTransport implements Transport, Station {
  readonly sessions = new Set<MemorySession>()
  handlers!: TransportHandlers
  #notices!: Notices
  readonly #network: MemoryNetwork
  readonly #listen: string
  readonly #clock: Clock
  readonly #calls = new Map<MemorySession, Calls>()
  readonly #peers = new Map<NodeId, Dialled>()
  readonly #guests = new Map<string, Dialled>()
  readonly #writer = new Writer()
  #wanted: readonly PeerAddress[] = []
  #address = ''
  #stopped = false
  #refused = 0
  id = ''

  constructor(network: MemoryNetwork, listen: string, clock: Clock) {
    this.#network = network
    this.#listen = listen
    this.#clock = clock
  }

  async listen(handlers: TransportHandlers): Promise<string> {
    this.handlers = handlers
    this.#notices = new Notices(this.#clock, (notice) => handlers.tell(notice))
    this.id = idOf(handlers.hello())
    const address = this.#network.listen(this.#listen, this)
    if (address === undefined) {
      throw new ConcordError('CANNOT_CONNECT', `cannot listen for peers at ${this.#listen}: it is taken`)
    }
    this.#address = address
    this.setPeers(this.#wanted)
    return address
  }

  hello(): Hello {
    return this.handlers.hello()
  }

  // --------------------------------------------------------------------------------------- dialling

  setPeers(peers: readonly PeerAddress[]): void {
    this.#wanted = peers
    if (this.#address === '' || this.#stopped) return
    const wanted = new Map(peers.filter(({ id }) => id !== this.id).map(({ id, address }) => [id, address]))
    for (const [id, dialled] of this.#peers) {
      if (wanted.get(id) === dialled.address) continue
      this.#peers.delete(id)
      this.#clock.cancel(dialled.retry)
      if (dialled.session !== undefined) this.#network.end(dialled.session)
    }
    for (const [id, address] of wanted) {
      if (this.#peers.has(id)) continue
      const dialled = newDialled(address, id)
      this.#peers.set(id, dialled)
      void this.#dial(dialled).catch(() => {})
    }
  }

  reintroduce(id?: NodeId): void {
    for (const session of this.sessions) {
      const isMeant = id === undefined || otherEnd(session, this).id === id
      if (isMeant) this.#retire(session, this.#clock.monotonicMs() + RETIRE_MS)
    }
  }

  /** Ends it when no call is under way, or when that takes too long. */
  #retire(session: MemorySession, latestMs: number): void {
    if (!session.isOpen) return
    if (session.calls === 0 || this.#clock.monotonicMs() >= latestMs) return this.#network.end(session)
    this.#clock.after(RETRY_MS, () => this.#retire(session, latestMs))
  }

  #dial(dialled: Dialled): Promise<MemorySession> {
    dialled.attempt ??= this.#attempt(dialled).finally(() => (dialled.attempt = undefined))
    dialled.attempt.catch(() => this.#retry(dialled))
    return dialled.attempt
  }

  #retry(dialled: Dialled): void {
    if (!this.#keeps(dialled)) return
    this.#clock.cancel(dialled.retry)
    dialled.retry = this.#clock.after(RETRY_MS, () => {
      if (this.#keeps(dialled) && dialled.session === undefined) void this.#dial(dialled).catch(() => {})
    })
  }

  #keeps(dialled: Dialled): boolean {
    const { expected } = dialled
    return !this.#stopped && expected !== undefined && this.#peers.get(expected) === dialled
  }

  #attempt(dialled: Dialled): Promise<MemorySession> {
    const { address, expected } = dialled
    const what = expected ?? address
    const patience = { deadlineMs: this.#clock.monotonicMs() + HANDSHAKE_MS }
    const { isSuspect } = dialled
    dialled.isSuspect = false
    const attempt = knock(this, address, expected, this.#network).then((found) => {
      if (found === undefined && isSuspect && this.#keeps(dialled)) this.handlers.peerLost(expected as NodeId)
      if (found === undefined) throw cannotReach(what, 'nobody listens there')
      if ('refusal' in found) throw cannotReach(what, found.refusal)
      return found.session
    })
    return whilePatient(this.#clock, what, patience, attempt).then((session) => {
      if (!session.isOpen || (expected !== undefined && !this.#keeps(dialled))) {
        this.#network.end(session)
        throw cannotReach(what, 'the connection is gone')
      }
      dialled.session = session
      dialled.sessions++
      this.tell({ kind: 'connected', peer: session.listener.id, address, message: 'connected' })
      return session
    })
  }

  ended(session: MemorySession): void {
    this.#calls.get(session)?.closed(cannotReach(otherEnd(session, this).id))
    this.#calls.delete(session)
    const dialled = [...this.#peers.values(), ...this.#guests.values()].find(
      (each) => each.session === session,
    )
    if (dialled === undefined) return
    dialled.session = undefined
    if (!this.#keeps(dialled)) return
    const message = 'the other side has closed the connection'
    this.tell({ kind: 'disconnected', peer: session.listener.id, address: dialled.address, message })
    dialled.isSuspect = true
    void this.#dial(dialled).catch(() => {})
  }

  tell(notice: TransportNotice): void {
    const subject = notice.peer ?? notice.address
    if (notice.reason !== undefined) this.#refused++
    if (notice.kind === 'connected' || notice.kind === 'disconnected') this.#notices.forget(subject)
    this.#notices.say(subject, notice)
  }

  // ---------------------------------------------------------------------------------------- talking

  #sessionTo(id: NodeId): MemorySession | undefined {
    const dialled = this.#peers.get(id)?.session
    if (dialled?.isOpen === true) return dialled
    return [...this.sessions].findLast((session) => session.isOpen && otherEnd(session, this).id === id)
  }

  send(to: NodeId, message: Message): void {
    const session = this.#sessionTo(to)
    if (session === undefined) {
      const peer = this.#peers.get(to)
      if (peer !== undefined) peer.dropped++
      return
    }
    writeMessage(this.#writer, message)
    const bytes = this.#writer.take()
    const there = otherEnd(session, this)
    const arrive = () => {
      if (!session.isOpen || session.members.get(there) !== true) return
      there.handlers.message(this.id, readMessage(new Reader(bytes)))
    }
    this.#network.carry(this.id, to, laneOf(message), arrive, 'message')
  }

  async call(
    to: NodeId | { readonly address: string },
    question: Uint8Array,
    patience: CallPatience,
  ): Promise<Uint8Array> {
    if (this.#stopped || this.#address === '') throw stoppedError()
    if (patience.signal?.aborted === true) throw new AbortError(patience.signal.reason, 'not-applied')
    const what = typeof to === 'string' ? to : to.address
    const session = typeof to === 'string' ? this.#sessionTo(to) : undefined
    return this.#ask(
      session ?? (await whilePatient(this.#clock, what, patience, this.#reach(to))),
      question,
      patience,
    )
  }

  #reach(to: NodeId | { readonly address: string }): Promise<MemorySession> {
    if (typeof to === 'string') {
      return this.#peers.get(to)?.attempt ?? Promise.reject(cannotReach(to, 'there is no connection'))
    }
    const guest = this.#guests.get(to.address) ?? newDialled(to.address, undefined)
    this.#guests.set(to.address, guest)
    return guest.session?.isOpen === true ? Promise.resolve(guest.session) : this.#dial(guest)
  }

  #ask(session: MemorySession, question: Uint8Array, patience: CallPatience): Promise<Uint8Array> {
    const there = otherEnd(session, this)
    const calls = this.#calls.get(session) ?? new Calls(this.#clock)
    this.#calls.set(session, calls)
    const hello = session.hellos.get(this)!
    const caller = { id: this.id, hello, isMember: session.members.get(there) === true }
    session.calls++
    const asked = calls.ask(there.id, patience, (id) => {
      const reply = (status: number, answer: Uint8Array) => {
        this.#writer.varint(id)
        this.#writer.u8(status)
        this.#writer.bytes(answer)
        const bytes = this.#writer.take()
        const arrive = () => session.isOpen && calls.answered(new Reader(bytes))
        this.#network.carry(there.id, this.id, 'control', arrive, 'answer')
      }
      const copy = Uint8Array.from(question)
      const arrive = () => {
        if (!session.isOpen) return
        void there.handlers.answer(caller, copy).then(
          (answer) => reply(0, answer),
          () => reply(1, new Uint8Array(0)),
        )
      }
      this.#network.carry(this.id, there.id, 'control', arrive, 'question')
      return () => false
    })
    return asked.finally(() => session.calls--)
  }

  // ----------------------------------------------------------------------------------------- the end

  stats(): TransportStats {
    const peers = [...this.#peers].map(([id, { address, session, sessions, dropped }]): PeerStats => ({
      id,
      address,
      connected: session?.isOpen === true,
      queuedBytes: 0,
      sentBytes: 0,
      receivedBytes: 0,
      dropped,
      reconnects: Math.max(0, sessions - 1),
      rttMs: null,
    }))
    const connections = this.sessions.size
    return { peers, connections, unauthenticated: 0, malformed: 0, evicted: 0, refused: this.#refused }
  }

  async close(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    for (const { retry } of this.#peers.values()) this.#clock.cancel(retry)
    if (this.#address !== '') this.#network.leave(this.#address, this)
    for (const session of this.sessions) {
      this.#calls.get(session)?.closed(stoppedError())
      this.sessions.delete(session)
    }
  }
}

const newDialled = (address: string, expected: NodeId | undefined): Dialled => ({
  address,
  expected,
  session: undefined,
  attempt: undefined,
  retry: undefined,
  sessions: 0,
  dropped: 0,
  isSuspect: false,
})
