/**
 * Who may speak with a node from outside of its process: one bound for all of them, whichever way they came, and one
 * share of the node's work. Where their connections come from, its own socket or a plugin that takes them from a
 * network, is not known here.
 */
import type { Socket } from 'node:net'
import { Writer } from '../bytes.ts'
import { ConcordError } from '../errors.ts'
import type { Log } from '../host/contract.ts'
import type { Clock } from '../ports.ts'
import { HELLO_BYTES, KIND, PROTOCOL, writeMessage } from './frames.ts'
import type { EndpointNode } from './methods.ts'
import { KEEP_ALIVE_MS } from './over-http.ts'
import { Session } from './session.ts'
import { Share } from './share.ts'
import { type NodeHello, failureOf } from './shapes.ts'

/** For answers under way when the node stops. */
const FINISH_MS = 1000
/** Of all clients together: a quarter of the reads that may wait on a node. */
const MAX_IN_FLIGHT = 16_384
/** Complaints about clients: one in this time, so that nobody fills the log. */
const COMPLAINT_MS = 1000

export interface VisitorsOptions {
  readonly node: EndpointNode
  /** How long is long: for silent clients, idle iterators, answers that are still under way at the end. */
  readonly clock: Clock
  readonly hello: Omit<NodeHello, 'protocol'>
  readonly connections: number
  readonly log: Log
  readonly iteratorIdleMs?: number | undefined
  /** Requests that may be under way for all clients together; the others wait. Default 16,384. */
  readonly inFlight?: number | undefined
}

export class Visitors {
  readonly #options: VisitorsOptions
  readonly #sessions = new Set<Session>()
  readonly #share: Share
  #isOpen = true
  #complainedAt = -Infinity

  constructor(options: VisitorsOptions) {
    this.#options = options
    this.#share = new Share(options.inFlight ?? MAX_IN_FLIGHT)
  }

  /** Why nobody more is let in now; undefined: the next one is. */
  get refusal(): ConcordError | undefined {
    const { connections } = this.#options
    if (!this.#isOpen) return new ConcordError('CANNOT_CONNECT', 'the node is not open to clients')
    if (this.#sessions.size < connections) return undefined
    const text = `the node has its ${connections} clients already (limits.connections)`
    return new ConcordError('CANNOT_CONNECT', text)
  }

  /**
   * Takes the connection over; one too many is told why, and closed.
   *
   * @param isLocal it came by the node's own socket, which only the node's user can open.
   */
  accept(socket: Socket, isLocal: boolean): { finish(): Promise<void> } {
    const { refusal } = this
    if (refusal !== undefined) {
      this.#turnAway(socket, refusal)
      return { finish: async () => undefined }
    }
    const { node, clock, hello, iteratorIdleMs } = this.#options
    if (!isLocal) socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS)
    const session: Session = new Session(socket, {
      node,
      clock,
      hello: { protocol: PROTOCOL, ...hello },
      share: this.#share,
      isLocal,
      iteratorIdleMs,
      ended: (reason) => {
        this.#sessions.delete(session)
        if (reason !== undefined) this.#complain(reason)
      },
    })
    this.#sessions.add(session)
    return { finish: () => session.finish(FINISH_MS) }
  }

  /** Answers what is under way, and lets nobody in any more. Never rejects. */
  async close(): Promise<void> {
    this.#isOpen = false
    await Promise.all([...this.#sessions].map((session) => session.finish(FINISH_MS)))
  }

  /** Says why before it closes: a connection that is only closed looks like a node that is broken. */
  #turnAway(socket: Socket, refusal: ConcordError): void {
    const writer = new Writer(1024)
    writeMessage(writer, { kind: KIND.failure, id: 0, head: failureOf(refusal), values: [] }, HELLO_BYTES)
    socket.unref().on('error', () => undefined)
    socket.write(writer.take())
    socket.destroySoon()
    if (this.#isOpen) this.#complain(refusal.message)
  }

  #complain(reason: string): void {
    const now = this.#options.clock.monotonicMs()
    if (now - this.#complainedAt < COMPLAINT_MS) return
    this.#complainedAt = now
    this.#options.log.warn({ reason }, 'closed the connection of a client')
  }
}
