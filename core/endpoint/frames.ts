/**
 * Messages on a node's own socket, as bytes. A frame is a length (u32, little-endian) and that many bytes:
 *
 *   kind u8 | id varint | head | value | value …        head and values: length varint, envelope
 *
 * The head is a record of ours; the values are the users', each in an envelope of its own, so that they may
 * be as large and as deep here as in a call on a node in this process. In the head, a number stands for the
 * place of a value. Whatever does not fit this is a `MalformedError`, and the end of the connection.
 */
import { MalformedError, Reader, type Writer } from '../bytes.ts'
import { PACKED } from '../codec/format.ts'
import { decodeValue, encodeValue } from '../codec.ts'
import { ConcordError } from '../errors.ts'

/** What the two sides must agree on; raised when an old side could misunderstand a new one. */
export const PROTOCOL = 1
/** A hello is small: nobody has said yet who he is. */
export const HELLO_BYTES = 64 * 1024
/** A frame with one value holds a little more than that value. */
const HEAD_ROOM_BYTES = 1024 * 1024
const LENGTH_BYTES = 4

export const KIND = { hello: 1, request: 2, cancel: 3, answer: 4, failure: 5 } as const
const KINDS: ReadonlySet<number> = new Set(Object.values(KIND))

export interface Message {
  readonly kind: number
  /** Chosen by the client, one for each request; its answer has the same. */
  readonly id: number
  readonly head: unknown
  readonly values: readonly unknown[]
}

/** A value that is an envelope already. */
export class Encoded {
  readonly bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }
}

/** The largest frame that a node takes and sends: what may wait for its log, or one value. */
export function frameBytes(limits: { readonly queueBytes: number; readonly valueBytes: number }): number {
  return Math.max(limits.queueBytes, limits.valueBytes) + HEAD_ROOM_BYTES
}

/**
 * Writes one frame behind what the writer holds; leaves it as it was when it throws.
 *
 * @throws `INVALID_VALUE`, `VALUE_TOO_LARGE` - of a value. `BATCH_TOO_LARGE` - all together.
 */
export function writeMessage(writer: Writer, message: Message, maxBytes: number): void {
  const start = writer.length
  try {
    writer.u32le(0)
    writer.u8(message.kind)
    writer.varint(message.id)
    writeEnvelope(writer, message.head)
    for (const value of message.values) writeEnvelope(writer, value)
    const bytes = writer.length - start - LENGTH_BYTES
    if (bytes > maxBytes) throw tooLarge(bytes, maxBytes)
    writer.buffer.writeUInt32LE(bytes, start)
  } catch (error) {
    writer.truncate(start)
    throw error
  }
}

function writeEnvelope(writer: Writer, value: unknown): void {
  const start = writer.length
  if (value instanceof Encoded) writer.bytes(value.bytes)
  else encodeValue(writer, value)
  writer.insertVarint(start, writer.length - start)
}

function tooLarge(found: number, limit: number): ConcordError {
  return new ConcordError(
    'BATCH_TOO_LARGE',
    `found ${found} bytes in one message, expected at most ${limit}: name fewer keys, or smaller values, in one call`,
    { details: { found, limit } },
  )
}

/** The bytes of a frame behind its length. Throws `MalformedError`. */
export function readMessage(frame: Uint8Array): Message {
  const reader = new Reader(frame)
  const kind = reader.u8()
  if (!KINDS.has(kind)) throw new MalformedError(`unknown kind of message ${kind}`, 0)
  const id = reader.varint()
  const head = readEnvelope(reader)
  const values: unknown[] = []
  while (reader.remaining > 0) values.push(readEnvelope(reader))
  return { kind, id, head, values }
}

/** Nothing travels compressed: a few bytes must not become a lot of memory. */
function readEnvelope(reader: Reader): unknown {
  const bytes = reader.bytes(reader.varint())
  if (bytes.length > 0 && bytes[0]! > PACKED) throw new MalformedError('a compressed value', reader.offset)
  return decodeValue(bytes)
}

/** Cuts what comes in into frames. Holds no more than one frame and what came with it. */
export class FrameReader {
  /** Set by whoever knows who is at the other end. */
  maxBytes: number
  #chunks: Buffer[] = []
  #held = 0

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes
  }

  /** Bytes of a frame that has not come whole, or has not been taken. */
  get heldBytes(): number {
    return this.#held
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#held += chunk.length
  }

  /** The next frame that is whole. Throws `MalformedError` when it is longer than allowed. */
  next(): Uint8Array | undefined {
    if (this.#held < LENGTH_BYTES) return undefined
    if (this.#chunks[0]!.length < LENGTH_BYTES) this.#join()
    const bytes = this.#chunks[0]!.readUInt32LE(0)
    if (bytes > this.maxBytes) {
      throw new MalformedError(`a frame of at most ${this.maxBytes} bytes expected, found ${bytes}`, 0)
    }
    const end = LENGTH_BYTES + bytes
    if (this.#held < end) return undefined
    if (this.#chunks[0]!.length < end) this.#join()
    const [first] = this.#chunks as [Buffer]
    if (first.length === end) this.#chunks.shift()
    else this.#chunks[0] = first.subarray(end)
    this.#held -= end
    return first.subarray(LENGTH_BYTES, end)
  }

  /** Once for a frame's length and once for the whole frame: large ones come in many pieces. */
  #join(): void {
    this.#chunks = [Buffer.concat(this.#chunks)]
  }
}
