/**
 * One connection of a client: calls by number, each of which ends by its answer, its deadline, its signal, or the loss
 * of the connection, and then the error says what may have happened. One that is left ends with the last of what is
 * under way on it: calls, and iterators that are read page by page.
 */
import type { Socket } from 'node:net'
import { MalformedError, Writer } from '../bytes.ts'
import { AbortError, ConcordError } from '../errors.ts'
import type { Clock, Timer } from '../ports.ts'
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
import { type Ask, type Link, type Told, late, lostConnection, withTimeLeft } from './ask.ts'
import { ITERATOR_IDLE_MS, type NodeHello, errorOf, iteratorIn } from './shapes.ts'
import { Silence } from './silence.ts'

/** After an abort, for the node to say whether the write happens. */
const ABORT_PATIENCE_MS = 1000
/** Of an iterator that there is not: every node answers at once, whoever asks, and does nothing. */
const QUESTION = { method: 'close', iterator: 0 }

interface Pending {
  readonly ask: Ask
  readonly sentAtMs: number
  readonly resolve: (told: Told) => void
  readonly reject: (error: Error) => void
  timer: Timer | undefined
  /** What it holds of the caller is let go of. */
  release: () => void
}

export interface ConnectionOptions {
  readonly clock: Clock
  /** It is given up when nothing comes any more: for where another node may be asked. */
  readonly endsInSilence: boolean
  /** Said once. */
  readonly lost: () => void
}

export class Connection implements Link {
  hello!: NodeHello
  readonly #socket: Socket
  readonly #clock: Clock
  readonly #lost: () => void
  readonly #silence: Silence | undefined
  readonly #reader = new FrameReader(HELLO_BYTES)
  readonly #writer = new Writer(4096)
  readonly #pending = new Map<number, Pending>()
  readonly #greeting = Promise.withResolvers<void>()
  #nextId = 1
  /** Of the node's, not read to their end. */
  readonly #iterators = new Set<unknown>()
  #idle: Timer | undefined
  #isLeft = false
  #error: Error | undefined

  constructor(socket: Socket, { clock, endsInSilence, lost }: ConnectionOptions) {
    this.#socket = socket
    this.#clock = clock
    this.#lost = lost
    if (endsInSilence) this.#silence = this.#silenceOf()
    // Whoever waits keeps the process alive, by his own timer.
    socket.unref()
    socket.on('data', (chunk) => this.#take(chunk))
    socket.on('error', (error) => this.#end(error))
    socket.on('close', () => this.#end(new Error('the node closed the connection')))
  }

  get isLost(): boolean {
    return this.#error !== undefined
  }

  #silenceOf(): Silence {
    return new Silence({
      clock: this.#clock,
      ask: () => this.#send({ kind: KIND.request, id: this.#nextId++, head: QUESTION, values: [] }),
      unsentBytes: () => this.#socket.writableLength,
      lost: (error) => this.#end(error),
    })
  }

  async greet(): Promise<void> {
    const head = { protocols: [PROTOCOL], version: VERSION }
    this.#send({ kind: KIND.hello, id: 0, head, values: [] }, HELLO_BYTES)
    await this.#greeting.promise
  }

  ask(ask: Ask): Promise<Told> {
    return new Promise((resolve, reject) => {
      const sentAtMs = this.#clock.monotonicMs()
      const leftMs = ask.deadlineMs - sentAtMs
      if (ask.signal?.aborted === true) return reject(new AbortError(ask.signal.reason, 'not-applied'))
      if (leftMs <= 0) return reject(late(ask, 'not-applied'))
      if (this.#error !== undefined) return reject(lostConnection(ask, this.#error, 'not-applied'))
      if (this.#socket.writableLength > this.hello.frameBytes) {
        return reject(new ConcordError('OVERLOADED', 'too many requests wait for the connection; slow down'))
      }
      const id = this.#nextId++
      this.#send({ kind: KIND.request, id, head: withTimeLeft(ask.head, leftMs), values: ask.values })
      const pending: Pending = {
        ask,
        sentAtMs,
        resolve,
        reject,
        timer: undefined,
        release: () => undefined,
      }
      this.#pending.set(id, pending)
      this.#clock.cancel(this.#idle)
      if (ask.head.method === 'close') this.#iterators.delete(ask.head['iterator'])
      this.#socket.ref()
      if (leftMs !== Infinity) pending.timer = this.#giveUpAfter(leftMs, id, late(ask))
      this.#listen(id, pending)
    })
  }

  close(): void {
    this.#end(new Error('the client was closed'))
  }

  /** Ends with the last of what is under way. */
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
    const pending = this.#settle(id)!
    pending.reject(error)
    if (this.#error === undefined) this.#silence?.suspect(pending.sentAtMs)
  }

  #settle(id: number, answer?: unknown): Pending | undefined {
    const pending = this.#pending.get(id)
    if (pending === undefined) return undefined
    this.#pending.delete(id)
    this.#keepIterators(pending.ask, answer)
    this.#clock.cancel(pending.timer)
    pending.release()
    this.#rest()
    return pending
  }

  /** A client that waits for nothing does not keep its process alive. */
  #rest(): void {
    if (this.#pending.size > 0) return
    this.#socket.unref()
    if (!this.#isLeft) return
    const end = (): void => this.#end(new Error('the client asks another node now'))
    if (this.#iterators.size === 0) return end()
    // Somebody may come for the next page, until the node has closed what nobody asks for.
    this.#clock.cancel(this.#idle)
    this.#idle = this.#clock.after(ITERATOR_IDLE_MS, end)
  }

  /** Which iterators there are, by what a page, or its failure, says of its own. */
  #keepIterators({ head }: Ask, answer: unknown): void {
    if (head.method === 'next') this.#iterators.delete(head['iterator'])
    const open = iteratorIn(head.method, answer)
    if (open !== undefined) this.#iterators.add(open)
  }

  #send(message: Message, maxBytes = this.hello.frameBytes): void {
    // A getter of a value may make a call of its own.
    const writer = this.#writer.busy ? new Writer(256) : this.#writer
    writeMessage(writer, message, maxBytes)
    if (this.#error === undefined) this.#socket.write(writer.take())
  }

  #take(chunk: Buffer): void {
    this.#silence?.heard()
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
      this.#settle(id, head)?.resolve({ head, values, from: this })
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
    this.#silence?.end()
    this.#clock.cancel(this.#idle)
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

export function cannotConnect(error: Error): ConcordError {
  if (ConcordError.is(error)) return error
  return new ConcordError('CANNOT_CONNECT', `something listens there, but: ${error.message}`, {
    // Whatever it is, it does not become a node.
    retryable: !(error instanceof MalformedError),
    cause: error,
  })
}
