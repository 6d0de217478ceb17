/**
 * One socket: frames out, frames in. What is sent within one tick of the event loop goes out in one write, and
 * while a write is under way the next gathers; large data go in slices, so that progress can be seen.
 *
 * It knows nothing of what the frames mean. Its owner says how large they may be and reads them; whatever goes
 * wrong ends in `closed`, exactly once.
 */
import type { Socket } from 'node:net'

import { MalformedError } from '../bytes.ts'
import type { Clock } from '../ports.ts'
import { type Frame, FrameReader, MAGIC } from './frames.ts'

/** Most bytes in one write: its return shows that so much has left. */
const WRITE_BYTES = 256 * 1024

/** What became of a socket. `reset`: the other side has ended it, or its kernel has. */
export interface Closing {
  readonly cause: 'reset' | 'malformed' | 'timeout' | 'local'
  readonly error?: Error | undefined
}

export interface WireOwner {
  /** May throw `MalformedError`: then the connection is closed. */
  frame(kind: number, payload: Buffer): void
  closed(closing: Closing): void
}

/** A frame that waits. While none of it has left, it can be taken back. */
export interface Ticket {
  readonly bytes: number
  begun: boolean
  rest: readonly Uint8Array[]
}

export class Wire {
  readonly #socket: Socket
  readonly #clock: Clock
  readonly #reader: FrameReader
  #owner: WireOwner | undefined
  /** What has begun to leave, what goes before all that has not, and the rest. */
  #current: Ticket | undefined
  #urgent: Ticket[] = []
  #queue: Ticket[] = []
  #planned = false
  #writing = false
  #progressAtMs = 0
  #closing: Closing | undefined
  #closed = false
  queuedBytes = 0
  sentBytes = 0
  receivedBytes = 0
  /** When the last byte came, by the monotonic clock. */
  heardAtMs: number

  constructor(socket: Socket, clock: Clock, checksums: boolean) {
    this.#socket = socket
    this.#clock = clock
    this.#reader = new FrameReader(checksums)
    this.heardAtMs = clock.monotonicMs()
    socket.unref()
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.on('error', (error) => (this.#closing ??= { cause: causeOf(error), error }))
    socket.on('end', () => (this.#closing ??= { cause: 'reset' }))
    socket.on('close', () => this.#end())
    this.#enqueue([MAGIC], MAGIC.length, this.#urgent)
  }

  /** Whoever reads the frames from now on. */
  set owner(owner: WireOwner) {
    this.#owner = owner
  }

  set maxPayloadBytes(bytes: number) {
    this.#reader.maxPayloadBytes = bytes
  }

  get isOpen(): boolean {
    return this.#closing === undefined && !this.#closed
  }

  /** How long the write under way has seen nothing leave; 0 when there is none. */
  stalledForMs(nowMs: number): number {
    return this.#writing ? nowMs - this.#progressAtMs : 0
  }

  // ------------------------------------------------------------------------------------------ out

  /** For what may have to wait. */
  send(frame: Frame): Ticket {
    return this.#enqueue(frame.pieces, frame.bytes, this.#queue)
  }

  /** Before all that has not begun to leave, behind what was urgent earlier. */
  sendSoon(frame: Frame): void {
    this.#enqueue(frame.pieces, frame.bytes, this.#urgent)
  }

  #enqueue(pieces: readonly Uint8Array[], bytes: number, queue: Ticket[]): Ticket {
    const ticket = { bytes, begun: false, rest: pieces }
    if (!this.isOpen) return ticket
    queue.push(ticket)
    this.queuedBytes += bytes
    if (!this.#planned && !this.#writing) {
      this.#planned = true
      process.nextTick(() => this.#write())
    }
    return ticket
  }

  /** True when none of the frame has left, and now none will. */
  withdraw(ticket: Ticket): boolean {
    if (ticket.begun) return false
    const at = this.#queue.indexOf(ticket)
    if (at >= 0) {
      this.#queue.splice(at, 1)
      this.queuedBytes -= ticket.bytes
    }
    return true
  }

  get #isEmpty(): boolean {
    return this.#current === undefined && this.#urgent.length === 0 && this.#queue.length === 0
  }

  #write(): void {
    this.#planned = false
    if (this.#isEmpty || !this.isOpen) return
    const pieces = this.#gather()
    const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
    this.#writing = true
    this.#progressAtMs = this.#clock.monotonicMs()
    this.#socket.cork()
    const last = pieces.pop() as Uint8Array
    for (const piece of pieces) this.#socket.write(piece)
    this.#socket.write(last, () => {
      this.#writing = false
      this.queuedBytes -= bytes
      this.sentBytes += bytes
      this.#write()
    })
    this.#socket.uncork()
  }

  /** At least one piece, and no more than one write takes. */
  #gather(): Uint8Array[] {
    const pieces: Uint8Array[] = []
    let room = WRITE_BYTES
    while (room > 0) {
      const ticket = this.#current ?? this.#urgent.shift() ?? this.#queue.shift()
      if (ticket === undefined) break
      ticket.begun = true
      const [piece, ...rest] = ticket.rest as [Uint8Array, ...Uint8Array[]]
      const cut = piece.length > room ? room : piece.length
      pieces.push(cut < piece.length ? piece.subarray(0, cut) : piece)
      ticket.rest = cut < piece.length ? [piece.subarray(cut), ...rest] : rest
      this.#current = ticket.rest.length > 0 ? ticket : undefined
      room -= cut
    }
    return pieces
  }

  // ------------------------------------------------------------------------------------------- in

  #take(chunk: Buffer): void {
    if (!this.isOpen) return
    this.heardAtMs = this.#clock.monotonicMs()
    this.receivedBytes += chunk.length
    this.#reader.push(chunk)
    try {
      while (this.isOpen) {
        const frame = this.#reader.next()
        if (frame === undefined) return
        this.#owner?.frame(frame.kind, frame.payload)
      }
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error
      this.close('malformed', error)
    }
  }

  // ---------------------------------------------------------------------------------------- the end

  /** At once: what has not left is lost. */
  close(cause: Closing['cause'], error?: Error): void {
    this.#closing ??= { cause, error }
    this.#socket.destroy()
  }

  /** When all that was sent has left, or after `patienceMs`: for a last word. */
  finish(cause: Closing['cause'], patienceMs: number): void {
    if (!this.isOpen) return
    while (!this.#isEmpty) for (const piece of this.#gather()) this.#socket.write(piece)
    this.#closing = { cause }
    this.#socket.end()
    const timer = this.#clock.after(patienceMs, () => this.#socket.destroy())
    this.#socket.once('close', () => this.#clock.cancel(timer))
  }

  #end(): void {
    if (this.#closed) return
    this.#closed = true
    this.#current = undefined
    this.#urgent = []
    this.#queue = []
    this.queuedBytes = 0
    this.#owner?.closed(this.#closing ?? { cause: 'reset' })
  }
}

/** A host that does not answer is silent; only one that does can say that a connection is gone. */
function causeOf(error: NodeJS.ErrnoException): Closing['cause'] {
  const isSilence = ['ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ENETDOWN', 'EHOSTDOWN'].includes(
    error.code ?? '',
  )
  return isSilence ? 'timeout' : 'reset'
}
