/**
 * One client at the node's side: its hello, its requests, its iterators. Everything it may hold of the node
 * is bounded; past a bound its requests wait, and then nothing more is read from it. What it cancels, and all of it
 * when it goes, ends at once. Whatever it sends that is no message ends its connection, and nothing else.
 */
import type { Socket } from 'node:net'
import { MalformedError, Writer } from '../bytes.ts'
import { AbortError, ConcordError } from '../errors.ts'
import {
  FrameReader,
  HELLO_BYTES,
  KIND,
  type Message,
  PROTOCOL,
  readMessage,
  writeMessage,
} from './frames.ts'
import { Iterators } from './iterators.ts'
import type { Clock, Timer } from '../ports.ts'
import { type EndpointNode, methodOf } from './methods.ts'
import type { Share } from './share.ts'
import { type Answer, type ClientHello, type NodeHello, type RequestHead, failureOf } from './shapes.ts'

const MAX_IN_FLIGHT = 256
/** Requests that wait until others are answered: behind them a cancellation, or the end, is still heard. */
const MAX_WAITING_BYTES = 64 * 1024
/** Answers that the client has not taken yet, before it is asked for nothing more. */
const MAX_UNSENT_BYTES = 4 * 1024 * 1024
/** While nothing is read from a client it is told so often that the node is there: what it asks is not heard. */
const SIGN_OF_LIFE_MS = 1000
/** For a hello, and for the rest of a frame that has begun. */
const SILENCE_MS = 10_000
/** The answer to nothing that was asked. */
const SIGN_OF_LIFE: Message = { kind: KIND.answer, id: 0, head: null, values: [] }
const GAVE_UP = new Error('the client gave up, or is gone')

export interface SessionOptions {
  readonly node: EndpointNode
  readonly clock: Clock
  readonly hello: NodeHello
  readonly share: Share
  /** It came by the node's own socket. */
  readonly isLocal: boolean
  readonly iteratorIdleMs?: number | undefined
  /** Said once, when the session is over; with a reason when the client is to blame. */
  readonly ended: (reason: string | undefined) => void
}

interface InFlight {
  readonly abort: AbortController
  readonly bytes: number
}

interface Waiting {
  readonly id: number
  readonly head: RequestHead
  readonly values: readonly unknown[]
  readonly bytes: number
}

export class Session {
  readonly #socket: Socket
  readonly #options: SessionOptions
  readonly #reader = new FrameReader(HELLO_BYTES)
  readonly #writer = new Writer(4096)
  readonly #iterators: Iterators
  readonly #inFlight = new Map<number, InFlight>()
  #inFlightBytes = 0
  readonly #waiting: Waiting[] = []
  #waitingBytes = 0
  readonly #goOn = (): void => this.#pump()
  #sign: Timer | undefined
  #isKnown = false
  #isOver = false
  #idle: (() => void) | undefined

  constructor(socket: Socket, options: SessionOptions) {
    this.#socket = socket
    this.#options = options
    this.#iterators = new Iterators(options.clock, options.iteratorIdleMs)
    socket.unref()
    socket.setTimeout(SILENCE_MS)
    socket.on('data', (chunk) => {
      this.#reader.push(chunk)
      this.#pump()
    })
    socket.on('drain', () => this.#pump())
    socket.on('timeout', () => {
      if (!this.#isKnown) this.#end('it said no hello')
      else if (!this.#isBlocked && this.#reader.heldBytes > 0)
        this.#end('it stopped in the middle of a frame')
    })
    // Whoever says no more hears no more: a server that took the connection from HTTP would keep half of it.
    socket.on('end', () => this.#end(undefined))
    socket.on('error', () => this.#end(undefined))
    socket.on('close', () => this.#end(undefined))
  }

  /** Answers what is under way, as long as that takes no longer than `patienceMs`, then says goodbye. */
  async finish(patienceMs: number): Promise<void> {
    this.#iterators.closeAll()
    for (const { abort } of this.#inFlight.values())
      abort.abort(new ConcordError('STOPPED', 'this node has stopped'))
    if (this.#inFlight.size > 0) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#idle = resolve
      const { clock } = this.#options
      const timer = clock.after(patienceMs, resolve, { keepAlive: true })
      await promise
      clock.cancel(timer)
    }
    this.#end(undefined)
    // For what the client does not take.
    if (!this.#socket.destroyed) this.#options.clock.after(patienceMs, () => this.#socket.destroy())
  }

  /** No request is begun: enough are under way, or their answers are not taken. */
  get #isFull(): boolean {
    return (
      this.#inFlight.size >= MAX_IN_FLIGHT ||
      this.#inFlightBytes >= this.#options.hello.frameBytes ||
      this.#socket.writableLength >= MAX_UNSENT_BYTES ||
      this.#options.share.isFull
    )
  }

  /** Nothing is read. */
  get #isBlocked(): boolean {
    return this.#isFull && this.#waitingBytes + this.#reader.heldBytes >= MAX_WAITING_BYTES
  }

  #pump(): void {
    try {
      this.#startWaiting()
      while (!this.#isOver && !this.#isBlocked) {
        const frame = this.#reader.next()
        if (frame === undefined) break
        this.#take(readMessage(frame), frame.length)
      }
    } catch (error) {
      this.#refuse(error)
    }
    if (this.#isOver) return
    if (this.#isBlocked) {
      this.#socket.pause()
      this.#sign ??= this.#signLater()
    } else this.#socket.resume()
  }

  #signLater(): Timer {
    return this.#options.clock.after(SIGN_OF_LIFE_MS, () => {
      this.#sign = undefined
      if (this.#isOver || !this.#isBlocked) return
      // Where something waits to be taken, that is the sign.
      if (this.#isKnown && this.#socket.writableLength === 0) this.#send(SIGN_OF_LIFE)
      this.#sign = this.#signLater()
    })
  }

  #take(message: Message, bytes: number): void {
    if (!this.#isKnown) return this.#greet(message)
    const { kind, id, head, values } = message
    if (kind === KIND.cancel) return this.#cancel(id)
    if (kind !== KIND.request) throw new MalformedError(`a request expected, found kind ${kind}`, 0)
    if (this.#inFlight.has(id) || this.#waiting.some((waiting) => waiting.id === id))
      throw new MalformedError(`request ${id} is under way already`, 1)
    this.#waiting.push({ id, head: checkHead(head), values, bytes })
    this.#waitingBytes += bytes
    this.#startWaiting()
  }

  #startWaiting(): void {
    while (this.#waiting.length > 0 && !this.#isFull && !this.#isOver) {
      const next = this.#waiting.shift()!
      this.#waitingBytes -= next.bytes
      this.#start(next)
    }
    if (this.#waiting.length > 0 && this.#options.share.isFull) this.#options.share.await(this.#goOn)
  }

  #cancel(id: number): void {
    this.#inFlight.get(id)?.abort.abort(GAVE_UP)
    const at = this.#waiting.findIndex((waiting) => waiting.id === id)
    if (at < 0) return
    this.#waitingBytes -= this.#waiting.splice(at, 1)[0]!.bytes
    this.#fail(id, new AbortError(GAVE_UP, 'not-applied'))
  }

  #greet(message: Message): void {
    const { protocols, version } = (message.head ?? {}) as Partial<ClientHello>
    if (message.kind !== KIND.hello || !Array.isArray(protocols))
      throw new MalformedError('a hello expected', 0)
    if (!protocols.includes(PROTOCOL)) {
      const { version: own } = this.#options.hello
      const text = `the node speaks protocol ${PROTOCOL} (concord-kv ${own}), the client ${protocols.join(', ')} (${version})`
      this.#send({
        kind: KIND.failure,
        id: 0,
        head: failureOf(new ConcordError('CANNOT_CONNECT', text, { retryable: false })),
        values: [],
      })
      return this.#end(text)
    }
    this.#isKnown = true
    this.#reader.maxBytes = this.#options.hello.frameBytes
    this.#send({ kind: KIND.hello, id: 0, head: this.#options.hello, values: [] })
  }

  #start({ id, head, values, bytes }: Waiting): void {
    const abort = new AbortController()
    this.#inFlight.set(id, { abort, bytes })
    this.#inFlightBytes += bytes
    this.#options.share.begin()
    this.#run(head, values, abort)
      .then(
        (answer) => this.#answer(id, head, answer),
        (error: unknown) => this.#fail(id, error),
      )
      .finally(() => this.#done(id, bytes))
      .catch((error: unknown) => this.#refuse(error))
  }

  async #run(head: RequestHead, values: readonly unknown[], abort: AbortController): Promise<Answer> {
    const { node, isLocal } = this.#options
    const method = methodOf(head)
    const { timeoutMs } = head
    const given = { ...head.options, ...(timeoutMs === undefined ? {} : { timeoutMs }) }
    // One that came over the socket is none, and the store says so.
    const options = {
      ...given,
      signal: (head.options?.['signal'] as AbortSignal | undefined) ?? abort.signal,
    }
    return method.run({ node, isLocal, head, values, options, iterators: this.#iterators, abort })
  }

  #answer(id: number, request: RequestHead, { head, values }: Answer): void {
    try {
      this.#send({ kind: KIND.answer, id, head, values })
    } catch (error) {
      // The call was carried out; only its answer cannot be sent.
      if (!ConcordError.is(error)) throw error
      this.#fail(
        id,
        new ConcordError(error.code, `the answer: ${error.message}`, {
          outcome: methodOf(request).isWrite(request) ? 'unknown' : 'not-applied',
          details: error.details,
        }),
      )
    }
  }

  #fail(id: number, error: unknown): void {
    if (error instanceof MalformedError) throw error
    const failure = failureOf(error)
    try {
      this.#send({ kind: KIND.failure, id, head: failure, values: [] })
    } catch {
      // A plugin's details may hold what is no data.
      this.#send({ kind: KIND.failure, id, head: { ...failure, details: undefined }, values: [] })
    }
  }

  #done(id: number, bytes: number): void {
    this.#inFlight.delete(id)
    this.#inFlightBytes -= bytes
    this.#options.share.end()
    if (this.#waiting.length > 0 || this.#socket.isPaused()) this.#pump()
    if (this.#inFlight.size === 0) this.#idle?.()
  }

  #send(message: Message): void {
    if (this.#isOver) return
    // A getter of a value may run in the middle of a message.
    const writer = this.#writer.busy ? new Writer(256) : this.#writer
    writeMessage(writer, message, this.#options.hello.frameBytes)
    this.#socket.write(writer.take())
  }

  #refuse(error: unknown): void {
    this.#end(error instanceof Error ? error.message : String(error))
  }

  #end(reason: string | undefined): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#idle?.()
    this.#options.share.forget(this.#goOn)
    this.#options.clock.cancel(this.#sign)
    this.#waiting.length = 0
    for (const { abort } of this.#inFlight.values()) abort.abort(GAVE_UP)
    this.#iterators.closeAll()
    this.#socket.destroySoon()
    this.#options.ended(reason)
  }
}

function checkHead(head: unknown): RequestHead {
  const { method, timeoutMs, options } = (head ?? {}) as Partial<RequestHead>
  const isSound =
    typeof method === 'string' &&
    (timeoutMs === undefined || typeof timeoutMs === 'number') &&
    (options === undefined || (typeof options === 'object' && options !== null && !Array.isArray(options)))
  if (!isSound) throw new MalformedError('the head of a request expected', 1)
  return head as RequestHead
}
