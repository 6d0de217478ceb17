/**
 * A client's side of a node's protocol, whichever way its sockets come: one connection, made again by the next call when
 * it was lost or left, and always to the cluster that it spoke with first.
 */
import type { Socket } from 'node:net'
import { ConcordError } from '../errors.ts'
import { within } from '../patience.ts'
import type { CallPatience, Clock } from '../ports.ts'
import type { Link, Links } from './ask.ts'
import { Connection, cannotConnect } from './connection.ts'
import type { NodeHello } from './shapes.ts'
import type { Way } from './way.ts'

/** For the node's hello, when the call itself takes as long as it takes. */
const GREETING_MS = 5000

export class EndpointClient implements Links {
  readonly clock: Clock
  readonly #way: Way
  readonly #closing = new AbortController()
  /** Greeted, and not lost. */
  #open: Connection | undefined
  /** On its way, for all who wait for it. */
  #connecting: Promise<Connection> | undefined
  #greeting: Connection | undefined
  /** Why the last attempt came to nothing. */
  #refused: unknown
  /** Left, with something under way. */
  readonly #left = new Set<Connection>()
  /** As the first node that belonged to one said it. */
  #clusterId: string | undefined

  constructor(way: Way, clock: Clock) {
    this.#way = way
    this.clock = clock
  }

  get alternatives(): number {
    return this.#way.alternatives
  }

  get isClosed(): boolean {
    return this.#closing.signal.aborted
  }

  nowMs(): number {
    return this.clock.monotonicMs()
  }

  /** What the node said of itself when this connected. Rejects with `CANNOT_CONNECT`. */
  async hello(timeoutMs: number): Promise<NodeHello> {
    return (await this.#connected({ deadlineMs: this.nowMs() + timeoutMs })).hello
  }

  async link(patience: CallPatience): Promise<Link> {
    return this.#open ?? (await this.#connected(patience))
  }

  leave(link: Link): void {
    const connection = this.#open
    if (connection !== link || connection === undefined) return
    this.#open = undefined
    this.#way.moveOn()
    this.#left.add(connection)
    connection.leave()
  }

  /** Calls under way reject with `CONNECTION_LOST`, later ones, and those that wait to connect, with `STOPPED`. */
  async close(): Promise<void> {
    this.#closing.abort(closed())
    this.#open?.close()
    this.#greeting?.close()
    for (const connection of this.#left) connection.close()
    await this.#connecting?.catch(() => undefined)
  }

  /**
   * One attempt serves all who wait, and each of them waits as long as his own patience lasts: it goes on for those
   * who stay, and those who come. A node that is only slow to say hello is found connected by the next call.
   */
  async #connected(patience: CallPatience): Promise<Connection> {
    if (this.isClosed) throw closed()
    this.#connecting ??= this.#connectOnce()
    const { deadlineMs, signal } = patience
    const untilMs = Number.isFinite(deadlineMs) ? deadlineMs : this.nowMs() + GREETING_MS
    return within(this.clock, { deadlineMs: untilMs, signal }, this.#connecting, () => this.#tooLate())
  }

  async #connectOnce(): Promise<Connection> {
    try {
      const connection = await this.#connect()
      this.#refused = undefined
      return connection
    } catch (error) {
      this.#refused = error
      throw error
    } finally {
      this.#connecting = undefined
      this.#greeting = undefined
    }
  }

  /** Where one attempt followed another, the next to last says more than that the last is not over. */
  #tooLate(): ConcordError {
    return ConcordError.is(this.#refused)
      ? this.#refused
      : cannotConnect(new Error('the node does not answer'))
  }

  /** Whoever takes the connection and is not the one to speak with is left for the next, each of them once. */
  async #connect(): Promise<Connection> {
    const { signal } = this.#closing
    for (let tries = 1; ; tries++) {
      const socket = await this.#way.dial(signal).catch((error: unknown) => {
        throw this.isClosed ? closed() : error
      })
      const connection = this.#connectionOver(socket)
      try {
        await this.#greeted(connection)
        if (!connection.isLost) this.#open = connection
        return connection
      } catch (error) {
        connection.close()
        if (this.isClosed) throw closed()
        if (tries >= this.alternatives) throw error
      }
    }
  }

  #connectionOver(socket: Socket): Connection {
    const connection: Connection = new Connection(socket, {
      clock: this.clock,
      endsInSilence: this.#way.endsInSilence,
      lost: () => this.#lost(connection),
    })
    this.#greeting = connection
    if (this.isClosed) connection.close()
    return connection
  }

  /** One that takes connections and says nothing is not waited for, where another dial may find another. */
  async #greeted(connection: Connection): Promise<void> {
    const greeting = connection.greet()
    const mute = (): ConcordError => cannotConnect(new Error('the node says no hello'))
    const deadlineMs = this.nowMs() + GREETING_MS / this.alternatives
    await (this.#way.endsInSilence ? within(this.clock, { deadlineMs }, greeting, mute) : greeting)
    const { clusterId } = connection.hello
    if (clusterId !== undefined && clusterId !== (this.#clusterId ??= clusterId))
      throw this.#otherCluster(clusterId)
  }

  /** What was read here would not be what was read there, and what is written would be nowhere. */
  #otherCluster(found: string): ConcordError {
    const text = `the node belongs to cluster ${found}, and this client to ${this.#clusterId}: connect anew if that is meant`
    return new ConcordError('CANNOT_CONNECT', text, {
      // The others may be of the right one.
      retryable: this.alternatives > 1,
      details: { found, expected: this.#clusterId },
    })
  }

  #lost(connection: Connection): void {
    this.#left.delete(connection)
    if (connection !== this.#open && connection !== this.#greeting) return
    this.#open = undefined
    this.#way.moveOn()
  }
}

const closed = (): ConcordError => new ConcordError('STOPPED', 'this client has been closed')
