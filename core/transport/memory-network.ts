/**
 * A network in memory, for tests and simulators: who listens where, which links are cut, how long what travels
 * is under way. Deterministic under its clock: it draws no chance of its own, hooks do.
 *
 * A cut is silence, in one direction or both: what is sent vanishes, and nobody is told. A connection that is
 * reset, or whose other end has closed, is noticed by both, as soon as the news can pass.
 */
import type { Clock, Hello, TransportHandlers, TransportNotice } from '../ports.ts'
import type { NodeId } from '../raft/types.ts'
import type { Lane } from './hello.ts'

export interface NetworkHooks {
  /** Milliseconds, 0 by default. On each lane of a link, what is sent later does not arrive earlier. */
  readonly delayMs?: ((from: NodeId, to: NodeId, lane: Lane) => number) | undefined
  /** Whether a message, a question or an answer is lost on the way. Never, by default. */
  readonly loses?:
    | ((from: NodeId, to: NodeId, what: 'message' | 'question' | 'answer') => boolean)
    | undefined
  /** What cuts and partitions know the ends of a link by: ids and addresses themselves, by default. */
  readonly party?: ((end: string) => string) | undefined
  /** Lets what has come to a node, or to an address, happen there: at once by default. */
  readonly hand?: ((to: string, arrive: () => void) => void) | undefined
}

/** One transport, as the network sees it. */
export interface Station {
  readonly id: NodeId
  readonly handlers: TransportHandlers
  readonly sessions: Set<MemorySession>
  hello(): Hello
  tell(notice: TransportNotice): void
  /** A connection that it has, or takes part in, has ended. */
  ended(session: MemorySession): void
}

/** A connection. Both ends may use it for everything. */
export interface MemorySession {
  readonly dialler: Station
  readonly listener: Station
  readonly hellos: ReadonlyMap<Station, Hello>
  /** Whether each end takes the other for a member. */
  readonly members: ReadonlyMap<Station, boolean>
  isOpen: boolean
  /** Calls under way, of both ends. */
  calls: number
}

export const otherEnd = (session: MemorySession, of: Station): Station =>
  session.dialler === of ? session.listener : session.dialler

export class MemoryNetwork {
  readonly clock: Clock
  hooks: NetworkHooks
  readonly #listening = new Map<string, Station>()
  readonly #left = new WeakSet<Station>()
  readonly #cuts = new Set<string>()
  /** When the latest arrives on each lane of each link. */
  readonly #arrivals = new Map<string, number>()
  #ports = 4100

  constructor(clock: Clock, hooks: NetworkHooks = {}) {
    this.clock = clock
    this.hooks = hooks
  }

  // ---------------------------------------------------------------------------------- the faults

  /** Nothing passes from one to the other, until it is mended. */
  cut(from: string, to: string): void {
    this.#cuts.add(linkOf(from, to))
  }

  mend(from: string, to: string): void {
    this.#cuts.delete(linkOf(from, to))
    this.#bringNews()
  }

  /** Nothing passes between nodes of different groups; of the same, everything. */
  partition(...groups: readonly (readonly string[])[]): void {
    this.#cuts.clear()
    for (const group of groups) {
      const others = groups.filter((other) => other !== group).flat()
      for (const from of group) for (const to of others) this.#cuts.add(linkOf(from, to))
    }
    this.#bringNews()
  }

  heal(): void {
    this.partition()
  }

  /** Ends all connections between the two, as a reset does. */
  reset(one: string, other: string): void {
    const { party = itself } = this.hooks
    for (const session of this.#sessions()) {
      const ids = [session.dialler.id, session.listener.id].map(party)
      if (ids.includes(one) && ids.includes(other)) this.end(session)
    }
  }

  passes(from: string, to: string): boolean {
    const { party = itself } = this.hooks
    return !this.#cuts.has(linkOf(party(from), party(to)))
  }

  // -------------------------------------------------------------------------------- the stations

  /** The address that is taken: `host:0` gets a free port. Undefined when another has it. */
  listen(address: string, station: Station): string | undefined {
    const at = address.endsWith(':0') ? `${address.slice(0, -1)}${++this.#ports}` : address
    if (this.#listening.has(at)) return undefined
    this.#listening.set(at, station)
    return at
  }

  at(address: string): Station | undefined {
    return this.#listening.get(address)
  }

  /** It listens no more, and its connections end. */
  leave(address: string, station: Station): void {
    this.#listening.delete(address)
    this.#left.add(station)
    for (const session of station.sessions) this.end(session)
  }

  /** Whoever listens there has died: its connections are reset, and nothing reaches it any more. */
  abandon(address: string): void {
    const station = this.#listening.get(address)
    if (station !== undefined) this.leave(address, station)
  }

  hasLeft(station: Station): boolean {
    return this.#left.has(station)
  }

  end(session: MemorySession): void {
    session.isOpen = false
    for (const station of [session.dialler, session.listener]) {
      const other = otherEnd(session, station)
      this.carry(other.id, station.id, 'control', () => this.#tell(session, station), 'news')
    }
  }

  #tell(session: MemorySession, station: Station): void {
    if (station.sessions.delete(session) && !this.#left.has(station)) station.ended(session)
  }

  /** What could not be told while a link was cut. */
  #bringNews(): void {
    for (const session of this.#sessions()) if (!session.isOpen) this.end(session)
  }

  #sessions(): ReadonlySet<MemorySession> {
    return new Set([...this.#listening.values()].flatMap(({ sessions }) => [...sessions]))
  }

  // --------------------------------------------------------------------------------- the carrying

  /** Lets `arrive` happen at the other end, unless it is lost or the link is cut, now or when it gets there. */
  carry(
    from: NodeId,
    to: NodeId,
    lane: Lane,
    arrive: () => void,
    what: 'message' | 'question' | 'answer' | 'news',
  ): void {
    if (!this.passes(from, to)) return
    if (what !== 'news' && this.hooks.loses?.(from, to, what) === true) return
    const now = this.clock.monotonicMs()
    const link = `${linkOf(from, to)} ${lane}`
    const atMs = Math.max(now + (this.hooks.delayMs?.(from, to, lane) ?? 0), this.#arrivals.get(link) ?? now)
    this.#arrivals.set(link, atMs)
    const land = () => {
      if (!this.passes(from, to)) return
      if (this.hooks.hand === undefined) arrive()
      else this.hooks.hand(to, arrive)
    }
    if (atMs <= now) this.clock.soon(land)
    else this.clock.after(atMs - now, land)
  }
}

const itself = (end: string): string => end

const linkOf = (from: string, to: string): string => `${from} > ${to}`
