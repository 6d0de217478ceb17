/**
 * One direction of one connection through a link (links.ts): what comes in waits until it is due, in order, and
 * goes out at the speed of the lane, which all connections of the link share. What waits is bounded; beyond that
 * the source is not read, and its own sender waits.
 */
import type { Socket } from 'node:net'
import type { Clock, Timer } from '../ports.ts'

/** What waits for one direction of one connection, at most; a longer delay makes a narrower link. */
const HELD_BYTES = 1024 * 1024
/** A throttled lane passes so many pieces a second, and none that is larger. */
const PIECES_PER_SECOND = 20
const PIECE_BYTES = 16 * 1024

/** What is true of one direction for all connections. */
export class Lane {
  isSilent = false
  delayMs = 0
  bytesPerSecond = Infinity
  /** That were passed on. */
  bytes = 0
  #freeAtMs = 0

  /** Takes the next place in the line: when a piece of that size may go. Each waits with one at most. */
  place(nowMs: number, bytes: number): number {
    const atMs = Math.max(nowMs, this.#freeAtMs)
    this.#freeAtMs = atMs + (bytes / this.bytesPerSecond) * 1000
    return atMs
  }

  /** All places that were taken. */
  forget(): void {
    this.#freeAtMs = 0
  }

  get pieceBytes(): number {
    if (this.bytesPerSecond === Infinity) return Infinity
    return Math.max(1, Math.min(PIECE_BYTES, Math.floor(this.bytesPerSecond / PIECES_PER_SECOND)))
  }
}

interface Held {
  bytes: Buffer
  readonly atMs: number
}

export class Pipe {
  readonly #source: Socket
  readonly #target: Socket
  readonly #lane: Lane
  readonly #clock: Clock
  readonly #held: Held[] = []
  #heldBytes = 0
  /** The target takes no more at present. */
  #isFull = false
  #timer: Timer
  /** When the piece that is next may go; undefined when it has no place yet. */
  #placeMs: number | undefined
  #isStopped = false

  constructor(source: Socket, target: Socket, lane: Lane, clock: Clock) {
    this.#source = source
    this.#target = target
    this.#lane = lane
    this.#clock = clock
    source.on('data', (bytes: Buffer) => {
      this.#held.push({ bytes, atMs: clock.monotonicMs() })
      this.#heldBytes += bytes.length
      this.#pump()
    })
    source.on('end', () => {
      this.hasEnded = true
      this.#pump()
    })
    target.on('drain', () => {
      this.#isFull = false
      this.#pump()
    })
  }

  /** The source has said that it has ended. */
  hasEnded = false
  /** And the target has been told. */
  isDone = false

  /** Something about the lane has changed. */
  wake(): void {
    this.#clock.cancel(this.#timer)
    this.#timer = undefined
    this.#placeMs = undefined
    this.#pump()
  }

  stop(): void {
    this.#isStopped = true
    this.#clock.cancel(this.#timer)
  }

  #pump(): void {
    while (this.#isReady()) {
      const bytes = this.#take()
      this.#lane.bytes += bytes.length
      this.#isFull = !this.#target.write(bytes)
    }
    if (this.#lane.isSilent || this.#heldBytes >= HELD_BYTES) this.#source.pause()
    else this.#source.resume()
    if (!this.hasEnded || this.#held.length > 0 || this.#lane.isSilent || this.isDone) return
    this.isDone = true
    this.#target.end()
  }

  /** Whether the next piece goes now; if only time is missing, looks again then. */
  #isReady(): boolean {
    const [next] = this.#held
    if (next === undefined || this.#isFull || this.#isStopped || this.#lane.isSilent) return false
    if (this.#timer !== undefined) return false
    const now = this.#clock.monotonicMs()
    const dueMs = next.atMs + this.#lane.delayMs
    const size = Math.min(next.bytes.length, this.#lane.pieceBytes)
    if (dueMs <= now) this.#placeMs ??= this.#lane.place(now, size)
    const waitMs = Math.max(dueMs, this.#placeMs ?? 0) - now
    if (waitMs <= 0) return true
    this.#timer = this.#clock.after(waitMs, () => {
      this.#timer = undefined
      this.#pump()
    })
    return false
  }

  #take(): Buffer {
    const next = this.#held[0]!
    const size = Math.min(next.bytes.length, this.#lane.pieceBytes)
    const piece = next.bytes.subarray(0, size)
    if (size === next.bytes.length) this.#held.shift()
    else next.bytes = next.bytes.subarray(size)
    this.#heldBytes -= size
    this.#placeMs = undefined
    return piece
  }
}
