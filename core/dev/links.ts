/**
 * The way by which one node dials another, as a proxy on this machine that can be spoilt: cut, silent, slow,
 * narrow. A link is directed by who dials; over the connections that are made through it bytes go both ways,
 * `there` (from who dials) and `back`. A node uses whichever connection is up, its own or its peer's: what is to
 * part two nodes has to part both links.
 */
import { createServer, connect, type Server, type Socket } from 'node:net'
import type { Clock } from '../ports.ts'
import { addressOf, formatAddress } from '../address.ts'
import type { World } from '../world.ts'
import { Lane, Pipe } from './pipe.ts'

const HOST = '127.0.0.1'
const MAX_CONNECTIONS = 256
/**
 * A link that refuses has let go of its port, and wants the same one back. It is none of those that systems give
 * away by themselves, so that nobody gets it meanwhile by mere chance.
 */
const FIRST_PORT = 20_000
const PORTS = 10_000
/** How often another port is tried, or the same one after it was taken, and after how long. */
const ATTEMPTS = 100
const AGAIN_MS = 50

/** From who dials to who is dialled, or from the latter. */
export type Way = 'there' | 'back'

/** Two sockets and what flows between them. */
interface Connection {
  readonly near: Socket
  readonly far: Socket
  readonly pipes: readonly [there: Pipe, back: Pipe]
  /** One side has ended otherwise than by saying so. */
  isBroken: boolean
}

/**
 * A proxy that listens on a free port and passes connections on to `to`; undefined while nobody is there, and
 * connections are refused. Rejects when no port can be had.
 */
export async function openLink(to: string | undefined, world: World): Promise<Link> {
  const link = new Link(world)
  await link.leadTo(to)
  return link
}

export class Link {
  readonly #world: World
  readonly #clock: Clock
  readonly #lanes: Readonly<Record<Way, Lane>>
  readonly #connections = new Set<Connection>()
  /** Made while the link was silent: they lead nowhere, ever. */
  readonly #dead = new Set<Socket>()
  #server: Server | undefined
  /** Kept from the first time that it listens: who dials has been told. */
  #port = 0
  #to: string | undefined
  #isCut = false
  #isClosed = false
  #listening: Promise<void> = Promise.resolve()

  constructor(world: World) {
    const { clock } = world
    this.#world = world
    this.#clock = clock
    this.#lanes = { there: new Lane(), back: new Lane() }
  }

  /** Where to dial, `host:port`; the same for as long as the link lives. */
  get address(): string {
    return formatAddress(HOST, this.#port)
  }

  /** Bytes that were passed on, since the link was made. */
  get passed(): Readonly<Record<Way, number>> {
    return { there: this.#lanes.there.bytes, back: this.#lanes.back.bytes }
  }

  /** Connections that are up, dead ones among them. */
  get connections(): number {
    return this.#connections.size + this.#dead.size
  }

  /**
   * From now on connections are passed on to this address. Another one than before resets those that there are.
   * Undefined: nobody is there, and whoever dials is refused, as by a machine on which no process listens.
   */
  leadTo(to: string | undefined): Promise<void> {
    if (to !== undefined) addressOf(to, 'link')
    if (to !== this.#to) this.#resetAll()
    this.#to = to
    return this.#settle()
  }

  /**
   * Ends `cut` and `silence`; delay and throttle stay. What waited passes now, ends of connections included;
   * connections that were made in the silence are reset.
   *
   * Rejects when the link was cut and somebody else has taken its port meanwhile.
   */
  open(): Promise<void> {
    this.#isCut = false
    for (const lane of Object.values(this.#lanes)) lane.isSilent = false
    for (const socket of this.#dead) reset(socket)
    for (const connection of this.#connections) this.#wake(connection)
    return this.#settle()
  }

  /** Resets every connection, and refuses new ones. */
  cut(): void {
    this.#isCut = true
    this.#resetAll()
    void this.#settle()
  }

  /**
   * Connections stay, and nothing passes in that direction (by default in neither), not even that one has ended:
   * it waits, in the sockets and in what they buffer. New connections are accepted and dead, for without a way
   * back nothing is ever heard of them. Ends `cut`.
   */
  silence(way?: Way): Promise<void> {
    this.#isCut = false
    for (const each of way === undefined ? (['there', 'back'] as const) : [way]) {
      this.#lanes[each].isSilent = true
    }
    for (const connection of this.#connections) this.#wake(connection)
    return this.#settle()
  }

  /** Each byte takes so much longer, in each direction; 0 for no longer. */
  delay(ms: number): void {
    this.#change((lane) => (lane.delayMs = ms))
  }

  /** So much passes in each direction, for all connections together; Infinity for all there is. */
  throttle(bytesPerSecond: number): void {
    this.#change((lane) => (lane.bytesPerSecond = bytesPerSecond))
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.cut()
    await this.#listening
  }

  // ------------------------------------------------------------------------------------ listening

  get #wantsToListen(): boolean {
    return !this.#isCut && !this.#isClosed && (this.#to !== undefined || this.#port === 0)
  }

  /** Listens, or not: a port on which nobody listens refuses, which no accepted connection can do. */
  #settle(): Promise<void> {
    if (!this.#wantsToListen) this.#refuse()
    const settled = this.#listening.then(async () => {
      if (this.#server === undefined) await this.#listen()
      // It may have changed meanwhile; and a link that leads nowhere yet has a port all the same.
      if (!this.#wantsToListen) this.#refuse()
    })
    this.#listening = settled.catch(() => undefined)
    return settled
  }

  #refuse(): void {
    this.#server?.close()
    this.#server = undefined
  }

  async #listen(): Promise<void> {
    for (let attempt = 1; this.#wantsToListen; attempt++) {
      const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => this.#accept(near))
      server.maxConnections = MAX_CONNECTIONS
      const port = this.#port || FIRST_PORT + Math.floor(PORTS * this.#world.entropy.random())
      try {
        await listen(server, port)
        this.#port = port
        this.#server = server
        return
      } catch (error) {
        if (attempt === ATTEMPTS) throw error
      }
      if (this.#port !== 0) await this.#pause()
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => void this.#clock.after(AGAIN_MS, resolve, { keepAlive: true }))
  }

  // ---------------------------------------------------------------------------------- connections

  #accept(near: Socket): void {
    near.on('error', () => undefined)
    if (!this.#wantsToListen || this.#to === undefined) near.resetAndDestroy()
    else if (this.#isSilent) this.#bury(near)
    else this.#pass(near, this.#to)
  }

  get #isSilent(): boolean {
    return this.#lanes.there.isSilent || this.#lanes.back.isSilent
  }

  #bury(near: Socket): void {
    this.#dead.add(near)
    near.on('end', () => near.destroy())
    near.on('close', () => this.#dead.delete(near))
    near.resume()
  }

  #pass(near: Socket, to: string): void {
    const far = connect({ ...addressOf(to, 'link'), allowHalfOpen: true, noDelay: true })
    far.on('error', () => undefined)
    const { there, back } = this.#lanes
    const pipes = [new Pipe(near, far, there, this.#clock), new Pipe(far, near, back, this.#clock)] as const
    const connection: Connection = { near, far, pipes, isBroken: false }
    this.#connections.add(connection)
    near.on('close', (hasFailed) => this.#closed(connection, pipes[0], hasFailed))
    far.on('close', (hasFailed) => this.#closed(connection, pipes[1], hasFailed))
  }

  /** An end that was said goes through the pipe, behind what waits there; any other is known at once. */
  #closed(connection: Connection, { hasEnded }: Pipe, hasFailed: boolean): void {
    connection.isBroken ||= hasFailed || !hasEnded
    const isOver = connection.near.destroyed && connection.far.destroyed
    if (isOver || (connection.isBroken && !this.#isSilent)) this.#reset(connection)
  }

  #wake(connection: Connection): void {
    for (const pipe of connection.pipes) pipe.wake()
    if (connection.isBroken && !this.#isSilent) this.#reset(connection)
  }

  #change(change: (lane: Lane) => void): void {
    for (const lane of Object.values(this.#lanes)) {
      change(lane)
      lane.forget()
    }
    for (const connection of this.#connections) this.#wake(connection)
  }

  #resetAll(): void {
    for (const connection of this.#connections) this.#reset(connection)
    for (const socket of this.#dead) reset(socket)
  }

  #reset(connection: Connection): void {
    this.#connections.delete(connection)
    for (const pipe of connection.pipes) pipe.stop()
    for (const socket of [connection.near, connection.far]) reset(socket)
  }
}

/**
 * A socket cannot be reset while it says that it has ended: on Node.js 22 it would be destroyed, and its descriptor
 * stay open for ever.
 */
function reset(socket: Socket): void {
  const isEnding = socket.writableEnded && !socket.writableFinished
  if (socket.connecting || isEnding) socket.destroy()
  else if (!socket.destroyed) socket.resetAndDestroy()
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, HOST, () => {
      server.off('error', reject).on('error', () => undefined)
      resolve()
    })
  })
}
