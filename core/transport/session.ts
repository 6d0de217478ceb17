/**
 * One connection between two nodes that know each other: messages, calls and signs of life, both ways.
 *
 * It does not know how it came about, nor what becomes of its peer: line.ts and peer.ts do. Everything that
 * waits here is bounded in bytes.
 */
import { MalformedError, Reader } from '../bytes.ts'
import { AbortError, ConcordError } from '../errors.ts'
import type { CallPatience, Caller, Hello, Timer } from '../ports.ts'
import type { Message } from '../raft/message.ts'
import type { NodeId } from '../raft/types.ts'
import { Answering, Calls, cannotReach, STATUS } from './calls.ts'
import { type Frame, frameBytesFor, KIND } from './frames.ts'
import type { Lane } from './hello.ts'
import { readMessage, writeMessage } from './message-codec.ts'
import type { TransportWorld } from './options.ts'
import { UnderWay } from './under-way.ts'
import type { Closing, Wire } from './wire.ts'

/** What a frame holds beside the question or the answer of a call. */
const CALL_ROOM_BYTES = 16
/** A message behind no more than this, for no longer than that, is not late: it need not overtake. */
const PROMPT_BYTES = 64 * 1024
const PROMPT_MS = 20
/** How long a connection that is to end waits for its calls, and for its last answer to leave. */
const RETIRE_MS = 5000
const LAST_WORD_MS = 1000

export interface SessionFacts {
  readonly id: NodeId
  readonly hello: Hello
  readonly lane: Lane
  readonly isMember: boolean
  readonly dialled: boolean
  /** Where it leads, for what is logged. */
  readonly address: string
  /** The largest payload that the other side takes. */
  readonly maxPayloadBytes: number
}

export class Session implements SessionFacts {
  readonly id: NodeId
  readonly hello: Hello
  readonly lane: Lane
  readonly isMember: boolean
  readonly dialled: boolean
  readonly address: string
  readonly maxPayloadBytes: number
  /** Called once, when all its calls have ended. */
  closed: (closing: Closing) => void = () => {}
  rttMs: number | null = null
  dropped = 0
  readonly #world: TransportWorld
  readonly #wire: Wire
  readonly #calls: Calls
  readonly #answering = new Answering()
  readonly #underWay = new UnderWay()
  readonly #caller: Caller
  #received = 0
  #owesReceived = false
  #pings = 0
  #pingedAtMs = 0
  #timer: Timer
  /** How many looks in a row have found nothing heard for too long. */
  #silent = 0
  #isRetiring = false

  constructor(wire: Wire, facts: SessionFacts, world: TransportWorld) {
    this.id = facts.id
    this.hello = facts.hello
    this.lane = facts.lane
    this.isMember = facts.isMember
    this.dialled = facts.dialled
    this.address = facts.address
    this.maxPayloadBytes = Math.min(facts.maxPayloadBytes, world.settings.maxPayloadBytes)
    this.#world = world
    this.#wire = wire
    this.#calls = new Calls(world.clock)
    this.#caller = { id: facts.id, hello: facts.hello, isMember: facts.isMember }
    wire.maxPayloadBytes = world.settings.maxPayloadBytes
    wire.owner = {
      frame: (kind, payload) => this.#take(kind, payload),
      closed: (closing) => this.#end(closing),
    }
    this.#look()
  }

  /** Whether it may be used for something new. */
  get isOpen(): boolean {
    return this.#wire.isOpen && !this.#isRetiring
  }

  get isIdle(): boolean {
    return this.#calls.size === 0 && this.#answering.calls === 0
  }

  get heardAtMs(): number {
    return this.#wire.heardAtMs
  }

  get traffic(): {
    readonly queuedBytes: number
    readonly sentBytes: number
    readonly receivedBytes: number
  } {
    return this.#wire
  }

  /** Whether a message sent here now would arrive about as soon as on a connection of its own. */
  get isPrompt(): boolean {
    const { bytes, sinceMs } = this.#underWay
    if (bytes > PROMPT_BYTES || this.#wire.queuedBytes > PROMPT_BYTES) return false
    return sinceMs === undefined || this.#world.clock.monotonicMs() - sinceMs < PROMPT_MS
  }

  close(cause: Closing['cause'], error?: Error): void {
    this.#wire.close(cause, error)
  }

  /** Takes nothing new, and ends when the calls that are under way have. */
  retire(): void {
    this.#isRetiring = true
    this.#world.clock.cancel(this.#timer)
    this.#timer = this.#world.clock.after(RETIRE_MS, () => this.close('local'))
    this.#endIfIdle()
  }

  #endIfIdle(): void {
    if (this.#isRetiring && this.isIdle) this.#wire.finish('local', LAST_WORD_MS)
  }

  // ------------------------------------------------------------------------------------------ out

  /** False when it was not taken: the queue is full, or the peer takes nothing as large. */
  send(message: Message): boolean {
    if (this.#underWay.covers(message)) return true
    const frame = this.#world.frames.frame(KIND.message, (writer) => writeMessage(writer, message))
    if (!this.#fits(frame, true)) {
      this.dropped++
      return false
    }
    this.#underWay.add(message, frame.bytes, this.#world.clock.monotonicMs())
    // Votes and results before calls; what is large keeps its order.
    if (this.lane === 'control') this.#wire.sendSoon(frame)
    else this.#wire.send(frame)
    return true
  }

  /** On the control lane, messages have as much room again as calls: these never crowd those out. */
  #fits(frame: Frame, isMessage: boolean): boolean {
    const { controlQueueBytes, bulkQueueBytes } = this.#world.settings
    const control = isMessage ? 2 * controlQueueBytes : controlQueueBytes
    const { queuedBytes } = this.#wire
    const room = this.lane === 'control' ? control : bulkQueueBytes
    return this.#takes(frame.bytes) && (queuedBytes === 0 || queuedBytes + frame.bytes <= room)
  }

  #takes(bytes: number): boolean {
    return bytes <= frameBytesFor(this.maxPayloadBytes)
  }

  /** The errors of `Transport.call`. */
  async call(question: Uint8Array, patience: CallPatience): Promise<Uint8Array> {
    if (!this.#takes(question.length + CALL_ROOM_BYTES)) {
      const expected = this.maxPayloadBytes - CALL_ROOM_BYTES
      const found = question.length
      throw new ConcordError(
        'BATCH_TOO_LARGE',
        `found a call of ${found} bytes, expected at most ${expected}`,
        {
          details: { found, limit: expected },
        },
      )
    }
    if (patience.signal?.aborted === true) throw new AbortError(patience.signal.reason, 'not-applied')
    return this.#calls.ask(this.id, patience, (id) => {
      const frame = this.#world.frames.frame(KIND.call, (writer) => {
        writer.varint(id)
        writer.bytes(question)
      })
      if (!this.#fits(frame, false)) {
        throw new ConcordError('OVERLOADED', `too much waits to be sent to ${this.id}; nothing was sent`)
      }
      const ticket = this.#wire.send(frame)
      return () => this.#wire.withdraw(ticket)
    })
  }

  // ------------------------------------------------------------------------------------------- in

  #take(kind: number, payload: Buffer): void {
    const reader = new Reader(payload)
    switch (kind) {
      case KIND.message:
        return this.#message(reader)
      case KIND.received:
        return this.#wasReceived(reader)
      case KIND.call:
        return this.#serve(reader)
      case KIND.answer:
        this.#calls.answered(reader)
        return this.#endIfIdle()
      case KIND.ping:
        this.#reply(
          this.#world.frames.frame(KIND.pong, (writer) => writer.varint(reader.varint())),
          true,
        )
        return reader.finish()
      case KIND.pong:
        return this.#pong(reader)
      default:
        throw new MalformedError(`unknown kind of frame ${kind}`, 0)
    }
  }

  #message(reader: Reader): void {
    const message = readMessage(reader)
    this.#received++
    if (!this.#owesReceived) {
      this.#owesReceived = true
      process.nextTick(() => this.#sayReceived())
    }
    if (this.isMember) this.#world.handlers.message(this.id, message)
  }

  /** One for all that came with one read of the socket. */
  #sayReceived(): void {
    this.#owesReceived = false
    this.#reply(
      this.#world.frames.frame(KIND.received, (writer) => writer.varint(this.#received)),
      true,
    )
  }

  /** For what the other side makes this one send: whoever asks on and on and does not read is cut off. */
  #reply(frame: Frame, isUrgent = false): void {
    const { maxPayloadBytes, bulkQueueBytes } = this.#world.settings
    if (this.#wire.queuedBytes <= maxPayloadBytes + bulkQueueBytes) {
      if (isUrgent) this.#wire.sendSoon(frame)
      else this.#wire.send(frame)
    } else this.close('timeout', new Error('it asks and does not read the answers'))
  }

  #wasReceived(reader: Reader): void {
    const count = reader.varint()
    reader.finish()
    if (!this.#underWay.received(count)) throw new MalformedError(`${count} messages were never sent`, 0)
  }

  #serve(reader: Reader): void {
    const id = reader.varint()
    const question = reader.bytes(reader.remaining)
    const answer = () => this.#world.handlers.answer(this.#caller, question)
    this.#answering.serve(question, answer, (status, found) => {
      this.#answer(id, status, found)
      this.#endIfIdle()
    })
  }

  /** An answer that the other side would not take is a failure: it may have been done. */
  #answer(id: number, status: number, answer?: Uint8Array): void {
    const isTooLarge = answer !== undefined && !this.#takes(answer.length + CALL_ROOM_BYTES)
    this.#reply(
      this.#world.frames.frame(KIND.answer, (writer) => {
        writer.varint(id)
        writer.u8(isTooLarge ? STATUS.failed : status)
        if (answer !== undefined && !isTooLarge) writer.bytes(answer)
      }),
    )
  }

  // ------------------------------------------------------------------------------------ signs of life

  /** Has the peer been heard, does what is sent leave? And shows that this side lives. */
  #look(): void {
    const { clock, settings } = this.#world
    const now = clock.monotonicMs()
    if (this.#wire.stalledForMs(now) > settings.stallMs) return this.close('timeout')
    const isSlowLane = this.lane === 'bulk' && this.dialled
    const silenceMs = now - this.#wire.heardAtMs
    if (silenceMs < (isSlowLane ? settings.stallMs : settings.deadMs)) this.#silent = 0
    // Twice: this process may have stood still itself, and what was sent meanwhile is still to be read (H08).
    else if (this.#silent++ > 0) return this.close('timeout')
    this.#ping(now)
    this.#timer = clock.after(settings.pingMs, () => this.#look())
  }

  #ping(now: number): void {
    this.#pings++
    this.#pingedAtMs = now
    this.#wire.sendSoon(this.#world.frames.frame(KIND.ping, (writer) => writer.varint(this.#pings)))
  }

  #pong(reader: Reader): void {
    if (reader.varint() === this.#pings) this.rttMs = this.#world.clock.monotonicMs() - this.#pingedAtMs
    reader.finish()
  }

  #end(closing: Closing): void {
    this.#world.clock.cancel(this.#timer)
    const { error } = closing
    this.#calls.closed(ConcordError.is(error) ? error : cannotReach(this.id, error?.message))
    this.closed(closing)
  }
}
