/**
 * The node's own socket: where other processes of this machine, of the same user, reach the node. It has no
 * port, does not keep its host alive, and goes before the directory's lock does.
 */
import { chmod } from 'node:fs/promises'
import { type Server, type Socket, createServer } from 'node:net'
import { Writer } from '../bytes.ts'
import { ConcordError } from '../errors.ts'
import type { Log } from '../plugin.ts'
import type { Clock } from '../ports.ts'
import { HELLO_BYTES, KIND, PROTOCOL, writeMessage } from './frames.ts'
import type { EndpointNode } from './methods.ts'
import { type Place, clearPlace, removeSocket, socketPaths, writePlace } from './place.ts'
import { Session } from './session.ts'
import { Share } from './share.ts'
import { type NodeHello, failureOf } from './shapes.ts'

/** For answers under way when the node stops. */
const FINISH_MS = 1000
/** Of all clients together: a quarter of the reads that may wait on a node. */
const MAX_IN_FLIGHT = 16_384
/** Complaints about clients: one in this time, so that nobody fills the log. */
const COMPLAINT_MS = 1000

export interface EndpointOptions {
  /** The data directory, whose lock the caller holds. */
  readonly dir: string
  readonly node: EndpointNode
  /** How long is long: for silent clients, idle iterators, answers that are still under way at the end. */
  readonly clock: Clock
  readonly hello: Omit<NodeHello, 'protocol'>
  readonly connections: number
  readonly from: Pick<Place, 'config' | 'mode'>
  readonly log: Log
  readonly iteratorIdleMs?: number | undefined
  /** Requests that may be under way for all clients together; the others wait. Default 16,384. */
  readonly inFlight?: number | undefined
}

export interface Endpoint {
  /** Of the socket, or the name of the pipe. */
  readonly path: string
  /** Answers what is under way, closes all connections, and removes what was made. Never rejects. */
  close(): Promise<void>
}

/**
 * Listens, and says where in the data directory. Undefined when there is nowhere to listen, which is logged:
 * the node runs all the same, and is not to be reached from outside its process.
 */
export async function openEndpoint(options: EndpointOptions): Promise<Endpoint | undefined> {
  const { dir, log } = options
  try {
    await clearPlace(dir)
    const listener = new Listener(options)
    const path = await listener.listen()
    await writePlace(dir, { path, ...options.from })
    return { path, close: () => listener.close() }
  } catch (error) {
    log.warn({ err: error }, 'no socket: other processes, and the command line, cannot reach this node')
    return undefined
  }
}

class Listener {
  readonly #options: EndpointOptions
  readonly #sessions = new Set<Session>()
  readonly #server: Server
  readonly #share: Share
  #path = ''
  #isOpen = false
  #complainedAt = -Infinity

  constructor(options: EndpointOptions) {
    this.#options = options
    this.#share = new Share(options.inFlight ?? MAX_IN_FLIGHT)
    this.#server = createServer((socket) => this.#accept(socket)).unref()
  }

  async listen(): Promise<string> {
    const { dir } = this.#options
    let failure: unknown = new Error('every path for a socket is too long')
    for await (const path of socketPaths(dir)) {
      try {
        await listening(this.#server, path)
        // Nobody is let in before the mode says who may come.
        if (process.platform !== 'win32') await chmod(path, 0o600)
        this.#server.on('error', (error) => this.#options.log.warn({ err: error }, 'the socket failed'))
        this.#path = path
        this.#isOpen = true
        return path
      } catch (error) {
        failure = error
        await removeSocket(dir, path).catch(() => undefined)
      }
    }
    throw failure
  }

  async close(): Promise<void> {
    const { dir, log } = this.#options
    this.#isOpen = false
    const closed = new Promise((resolve) => this.#server.close(resolve))
    await Promise.all([...this.#sessions].map((session) => session.finish(FINISH_MS)))
    await removeSocket(dir, this.#path)
      .then(() => clearPlace(dir))
      .catch((error: unknown) => log.warn({ err: error }, 'could not remove the socket'))
    await closed
  }

  #accept(socket: Socket): void {
    const { connections, node, clock, hello, iteratorIdleMs } = this.#options
    if (!this.#isOpen || this.#sessions.size >= connections) return this.#turnAway(socket)
    const session: Session = new Session(socket, {
      node,
      clock,
      hello: { protocol: PROTOCOL, ...hello },
      share: this.#share,
      iteratorIdleMs,
      ended: (reason) => {
        this.#sessions.delete(session)
        if (reason !== undefined) this.#complain(reason)
      },
    })
    this.#sessions.add(session)
  }

  /** Says why before it closes: a connection that is only closed looks like a node that is broken. */
  #turnAway(socket: Socket): void {
    const { connections } = this.#options
    const why = this.#isOpen
      ? `the node has its ${connections} clients already (limits.connections)`
      : 'the node is not open to clients'
    const writer = new Writer(1024)
    const head = failureOf(new ConcordError('CANNOT_CONNECT', why))
    writeMessage(writer, { kind: KIND.failure, id: 0, head, values: [] }, HELLO_BYTES)
    socket.unref().on('error', () => undefined)
    socket.write(writer.take())
    socket.destroySoon()
    if (this.#isOpen) this.#complain(why)
  }

  #complain(reason: string): void {
    const now = this.#options.clock.monotonicMs()
    if (now - this.#complainedAt < COMPLAINT_MS) return
    this.#complainedAt = now
    this.#options.log.warn({ reason }, 'closed the connection of a client')
  }
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ path, exclusive: true }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}
