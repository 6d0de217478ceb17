/**
 * A client's side of a node's protocol, whichever way its sockets come: one connection, made again by the next call when
 * it was lost or left. Every request ends: by its answer, its deadline, its signal, or the loss of the connection, and
 * then the error says what may have happened.
 */
import type { Socket } from 'node:net'
import { MalformedError, Writer } from '../bytes.ts'
import { AbortError, ConcordError } from '../errors.ts'
import { within } from '../patience.ts'
import type { CallPatience, Clock, Timer } from '../ports.ts'
import { VERSION } from '../version.ts'
import {
  FrameReader,
  HELLO_BYTES,
  KIND,
  type Message,
  PROTOCOL,
  readMessage,
  writeMessage,
} from './frames.ts'
import { type Ask, type Link, type Links, type Told, late, lostConnection, withTimeLeft } from './ask.ts'
import { type NodeHello, errorOf } from './shapes.ts'
import type { Way } from './way.ts'

/** After an abort, for the node to say whether the write happens. */
const ABORT_PATIENCE_MS = 1000
/** For the node's hello, when the call itself takes as long as it takes. */
const GREETING_MS = 5000

interface Pending {
  readonly ask: Ask
  readonly resolve: (told: Told) => void
  readonly reject: (error: Error) => void
  timer: Timer | undefined
  /** What it holds of the caller is let go of. */
  release: () => void
}

export class EndpointClient implements Links {
  readonly clock: Clock
  readonly #way: Way
  /** Greeted, and not lost. */
  #open: Connection | undefined
  /** On its way, for all who wait for it. */
  #connecting: Promise<Connection> | undefined
  #greeting: Connection | undefined
  /** Left, with calls under way. */
  readonly #left = new Set<Connection>()
  #isClosed = false

  constructor(way: Way, clock: Clock) {
    this.#way = way
    this.clock = clock
  }

  get alternatives(): number {
    return this.#way.alternatives
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  nowMs(): number {
    return this.clock.monotonicMs()
  }

  /** What the node said of itself when this connected. Rejects with `CANNOT_CONNECT`. */
  async hello(timeoutMs: number): Promise<NodeHello> {
    const deadlineMs = this.nowMs() + timeoutMs
    for (let tries = 1; ; tries++) {
      try {
        return (await this.#connected({ deadlineMs })).hello
      } catch (error) {
        const isLast = tries >= this.alternatives || this.nowMs() >= deadlineMs
        if (isLast || !ConcordError.is(error) || !error.retryable) throw error
      }
    }
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
    this.#isClosed = true
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
    if (this.#isClosed) throw closed()
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined
      this.#greeting = undefined
    })
    const { deadlineMs, signal } = patience
    const untilMs = Number.isFinite(deadlineMs) ? deadlineMs : this.nowMs() + GREETING_MS
    return within(this.clock, { deadlineMs: untilMs, signal }, this.#connecting, () =>
      cannotConnect(new Error('the node does not answer')),
    )
  }

  async #connect(): Promise<Connection> {
    const socket = await this.#way.dial()
    const connection: Connection = new Connection(socket, this.clock, () => this.#lost(connection))
    this.#greeting = connection
    if (this.#isClosed) connection.close()
    await this.#greeted(connection).catch((error: unknown) => {
      throw this.#isClosed ? closed() : error
    })
    if (!connection.isLost) this.#open = connection
    return connection
  }

  /** Where there are others to ask, one that takes connections and says nothing is left. */
  async #greeted(connection: Connection): Promise<void> {
    const { alternatives } = this.#way
    if (alternatives < 2) return connection.greet()
    const deadlineMs = this.nowMs() + GREETING_MS / alternatives
    const mute = (): ConcordError => cannotConnect(new Error('the node says no hello'))
    try {
      await within(this.clock, { deadlineMs }, connection.greet(), mute)
    } catch (error) {
      connection.close()
      throw error
    }
  }

  #lost(connection: Connection): void {
    this.#left.delete(connection)
    if (connection !== this.#open && connection !== this.#greeting) return
    this.#open = undefined
    this.#way.moveOn()
  }
}

class Connection implements Link {
  hello!: NodeHello
  readonly #socket: Socket
  readonly #clock: Clock
  readonly #lost: () => void
  readonly #reader = new FrameReader(HELLO_BYTES)
  readonly #writer = new Writer(4096)
  readonly #pending = new Map<number, Pending>()
  readonly #greeting = Promise.withResolvers<void>()
  #nextId = 1
  #isLeft = false
  #error: Error | undefined

  constructor(socket: Socket, clock: Clock, lost: () => void) {
    this.#socket = socket
    this.#clock = clock
    this.#lost = lost
    // Whoever waits keeps the process alive, by his own timer.
    socket.unref()
    socket.on('data', (chunk) => this.#take(chunk))
    socket.on('error', (error) => this.#end(error))
    socket.on('close', () => this.#end(new Error('the node closed the connection')))
  }

  get isLost(): boolean {
    return this.#error !== undefined
  }

  async greet(): Promise<void> {
    const head = { protocols: [PROTOCOL], version: VERSION }
    this.#send({ kind: KIND.hello, id: 0, head, values: [] }, HELLO_BYTES)
    await this.#greeting.promise
  }

  ask(ask: Ask): Promise<Told> {
    return new Promise((resolve, reject) => {
      const leftMs = ask.deadlineMs - this.#clock.monotonicMs()
      if (ask.signal?.aborted === true) return reject(new AbortError(ask.signal.reason, 'not-applied'))
      if (leftMs <= 0) return reject(late(ask, 'not-applied'))
      if (this.#error !== undefined) return reject(lostConnection(ask, this.#error, 'not-applied'))
      if (this.#socket.writableLength > this.hello.frameBytes) {
        return reject(new ConcordError('OVERLOADED', 'too many requests wait for the connection; slow down'))
      }
      const id = this.#nextId++
      this.#send({ kind: KIND.request, id, head: withTimeLeft(ask.head, leftMs), values: ask.values })
      const pending: Pending = { ask, resolve, reject, timer: undefined, release: () => undefined }
      this.#pending.set(id, pending)
      this.#socket.ref()
      if (leftMs !== Infinity) pending.timer = this.#giveUpAfter(leftMs, id, late(ask))
      this.#listen(id, pending)
    })
  }

  close(): void {
    this.#end(new Error('the client was closed'))
  }

  /** Ends with the last call that is under way. */
  leave(): void {
    this.#isLeft = true
    this.#rest()
  }

  /** A read that is aborted is over; of a write the node knows whether it happens. */
  #listen(id: number, pending: Pending): void {
    const { signal, isWrite } = pending.ask
    if (signal === undefined) return
    const abort = (): void => {
      if (!isWrite) return this.#giveUp(id, new AbortError(signal.reason, 'not-applied'))
      this.#send({ kind: KIND.cancel, id, head: null, values: [] })
      this.#clock.cancel(pending.timer)
      pending.timer = this.#giveUpAfter(ABORT_PATIENCE_MS, id, new AbortError(signal.reason, 'unknown'))
    }
    signal.addEventListener('abort', abort, { once: true })
    pending.release = () => signal.removeEventListener('abort', abort)
  }

  #giveUpAfter(delayMs: number, id: number, error: Error): Timer {
    return this.#clock.after(delayMs, () => this.#giveUp(id, error), { keepAlive: true })
  }

  #giveUp(id: number, error: Error): void {
    if (!this.#pending.has(id)) return
    this.#send({ kind: KIND.cancel, id, head: null, values: [] })
    this.#settle(id)?.reject(error)
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id)
    if (pending === undefined) return undefined
    this.#pending.delete(id)
    this.#clock.cancel(pending.timer)
    pending.release()
    this.#rest()
    return pending
  }

  /** A client that waits for nothing does not keep its process alive. */
  #rest(): void {
    if (this.#pending.size > 0) return
    this.#socket.unref()
    if (this.#isLeft) this.#end(new Error('the client asks another node now'))
  }

  #send(message: Message, maxBytes = this.hello.frameBytes): void {
    // A getter of a value may make a call of its own.
    const writer = this.#writer.busy ? new Writer(256) : this.#writer
    writeMessage(writer, message, maxBytes)
    if (this.#error === undefined) this.#socket.write(writer.take())
  }

  #take(chunk: Buffer): void {
    this.#reader.push(chunk)
    try {
      for (let frame = this.#reader.next(); frame !== undefined; frame = this.#reader.next()) {
        this.#receive(readMessage(frame))
      }
    } catch (error) {
      this.#end(error as Error)
    }
  }

  #receive({ kind, id, head, values }: Message): void {
    if (kind === KIND.hello) {
      this.hello = head as NodeHello
      this.#reader.maxBytes = this.hello.frameBytes
      this.#greeting.resolve()
    } else if (kind === KIND.answer) {
      this.#settle(id)?.resolve({ head, values, from: this })
    } else if (kind === KIND.failure && id === 0) {
      this.#end(errorOf(head, undefined))
    } else if (kind === KIND.failure) {
      const pending = this.#settle(id)
      pending?.reject(errorOf(head, pending.ask.signal?.reason))
    } else {
      throw new MalformedError(`an answer expected, found kind ${kind}`, 0)
    }
  }

  #end(error: Error): void {
    if (this.#error !== undefined) return
    this.#error = error
    this.#lost()
    this.#socket.destroy()
    this.#greeting.reject(cannotConnect(error))
    // Without a greeting nobody waits for its rejection.
    this.#greeting.promise.catch(() => undefined)
    for (const id of this.#pending.keys()) {
      const pending = this.#settle(id)
      pending?.reject(lostConnection(pending.ask, error))
    }
  }
}

function cannotConnect(error: Error): ConcordError {
  if (ConcordError.is(error)) return error
  return new ConcordError('CANNOT_CONNECT', `something listens there, but: ${error.message}`, {
    // Whatever it is, it does not become a node.
    retryable: !(error instanceof MalformedError),
    cause: error,
  })
}

const closed = (): ConcordError => new ConcordError('STOPPED', 'this client has been closed')
