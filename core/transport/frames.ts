/**
 * What travels between two nodes, cut into frames. Page: docs/internals/wire-format.md.
 *
 *   length u32 | crc32 u32 | kind u8 | payload          length: of the payload; crc32: over kind and payload,
 *                                                       seeded with the length; 0 where TLS already checks
 *
 * Each side's stream begins with `MAGIC`. Writing copies no large piece of data: a frame is a list of pieces.
 */
import { crc32 } from 'node:zlib'

import { MalformedError, Writer } from '../bytes.ts'

export const MAGIC = Buffer.from('CNCDPEER', 'latin1')

/** The versions of the wire format that this program speaks. */
export const WIRE_VERSIONS = { min: 1, max: 1 } as const

/** A frame before the two sides know each other. */
export const HANDSHAKE_BYTES = 4096
const HEADER_BYTES = 9
/** A piece of data at least this long travels as it is; to copy a shorter one costs less than to keep it apart. */
const APART_BYTES = 16 * 1024
/** Somebody who sends byte by byte shall not take a hundred times as much memory. */
const CHUNKS_MAX = 1024

export const KIND = {
  hello: 1,
  welcome: 2,
  ready: 3,
  refusal: 4,
  ping: 5,
  pong: 6,
  message: 7,
  received: 8,
  call: 9,
  answer: 10,
} as const

export interface Frame {
  readonly pieces: readonly Uint8Array[]
  /** All of it, header included. */
  readonly bytes: number
}

/** A writer that lets long pieces stand beside what it writes. */
class GatheringWriter extends Writer {
  #pieces: Uint8Array[] = []

  override bytes(view: Uint8Array): void {
    if (view.length < APART_BYTES) return super.bytes(view)
    if (this.length > 0) this.#pieces.push(this.take())
    this.#pieces.push(view)
  }

  takeAll(): Uint8Array[] {
    const pieces = this.#pieces
    if (this.length > 0) pieces.push(this.take())
    this.#pieces = []
    return pieces
  }
}

/** Builds frames, one at a time. The data given to it must not change afterwards. */
export class FrameWriter {
  readonly #writer = new GatheringWriter()
  readonly #checksums: boolean

  constructor(checksums: boolean) {
    this.#checksums = checksums
  }

  frame(kind: number, write?: (writer: Writer) => void): Frame {
    const writer = this.#writer
    writer.u32le(0)
    writer.u32le(0)
    writer.u8(kind)
    try {
      write?.(writer)
    } catch (error) {
      writer.takeAll()
      throw error
    }
    const pieces = writer.takeAll()
    const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
    const head = pieces[0] as Buffer
    head.writeUInt32LE(bytes - HEADER_BYTES, 0)
    if (this.#checksums) head.writeUInt32LE(checksum(pieces, bytes - HEADER_BYTES), 4)
    return { pieces, bytes }
  }
}

function checksum([head, ...rest]: readonly Uint8Array[], length: number): number {
  return rest.reduce((sum, piece) => crc32(piece, sum), crc32(head!.subarray(8), length))
}

/** The largest frame that carries a payload of `bytes`: what a limit on payloads allows in all. */
export const frameBytesFor = (bytes: number): number => bytes + HEADER_BYTES

/** Cuts what comes in into frames. Holds no more than one frame and what came with it. */
export class FrameReader {
  /** Of a frame without its header; raised by whoever knows who is at the other end. */
  maxPayloadBytes = HANDSHAKE_BYTES
  readonly #checksums: boolean
  #chunks: Buffer[] = []
  #held = 0
  #greeted = false

  constructor(checksums: boolean) {
    this.#checksums = checksums
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#held += chunk.length
    if (this.#chunks.length >= CHUNKS_MAX) this.#chunks = [Buffer.concat(this.#chunks)]
  }

  /** The next frame that is whole, kind and payload. Throws `MalformedError`. */
  next(): { readonly kind: number; readonly payload: Buffer } | undefined {
    if (!this.#greeted && !this.#greet()) return undefined
    if (this.#held < HEADER_BYTES) return undefined
    const head = this.#first(HEADER_BYTES)
    const length = head.readUInt32LE(0)
    if (length > this.maxPayloadBytes) {
      throw new MalformedError(
        `a frame of at most ${this.maxPayloadBytes} bytes expected, found ${length}`,
        0,
      )
    }
    const end = HEADER_BYTES + length
    if (this.#held < end) return undefined
    const frame = this.#take(end)
    const expected = this.#checksums ? crc32(frame.subarray(8), length) : 0
    if (frame.readUInt32LE(4) !== expected) throw new MalformedError('a frame with another checksum', 4)
    return { kind: frame[8]!, payload: frame.subarray(HEADER_BYTES) }
  }

  /** Says at the first wrong byte what the other side speaks instead, where that can be told. */
  #greet(): boolean {
    if (this.#held === 0) return false
    const found = this.#first(Math.min(this.#held, MAGIC.length)).subarray(0, MAGIC.length)
    if (!found.equals(MAGIC.subarray(0, found.length))) throw new MalformedError(strangeness(found), 0)
    if (found.length < MAGIC.length) return false
    this.#take(MAGIC.length)
    this.#greeted = true
    return true
  }

  /** The first bytes in one piece: at least `bytes` of them, which must be there. */
  #first(bytes: number): Buffer {
    if (this.#chunks[0]!.length < bytes) this.#chunks = [Buffer.concat(this.#chunks)]
    return this.#chunks[0]!
  }

  #take(bytes: number): Buffer {
    const first = this.#first(bytes)
    if (first.length === bytes) this.#chunks.shift()
    else this.#chunks[0] = first.subarray(bytes)
    this.#held -= bytes
    return first.subarray(0, bytes)
  }
}

function strangeness(found: Buffer): string {
  const text = found.toString('latin1')
  if (found[0] === 0x16 || found[0] === 0x15) {
    return 'the other side speaks TLS: give this node the same cluster.secret or cluster.tls'
  }
  if (/^(?:GET|POST|PUT|HEAD|HTTP|OPTIONS|PRI) ?/.test(text)) {
    return 'the other side speaks HTTP: this is the port for peers'
  }
  return 'the other side does not speak the protocol of Concord peers'
}
