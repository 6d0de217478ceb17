/**
 * Bytes -> values: a fresh copy for each reader, sharing nothing that can be changed.
 *
 * The bytes may come from a disk or a peer, so every length is held against what is there before anything is
 * made of it, and whatever the encoder does not write is refused: what opens is written again as the same
 * bytes.
 */
import { MalformedError, Reader, latin1Of } from '../bytes.ts'
import { decompress } from './compressed.ts'
import {
  MAX_DEPTH,
  MAX_TIME_MS,
  PACKED,
  SCALAR,
  TAG_ARRAY,
  TAG_BYTES,
  TAG_DATE,
  TAG_MAP,
  TAG_OBJECT,
  TAG_SET,
  TAG_UNDEFINED,
} from './format.ts'
import { type Scalar, readScalar } from './scalars.ts'
import { define, readNames } from './shapes.ts'
import { Packed, readHead, readTopScalar, type Stored, textAt, TEXT_LIMIT_BYTES } from './stored.ts'

/** The value in one whole envelope. Throws `MalformedError` for anything else. */
export function decodeValue(bytes: Uint8Array): unknown {
  return openEnvelope(new Reader(bytes))
}

/** A copy of the value that is the caller's own. Throws `MalformedError` when the stored bytes are unsound. */
export function openStored(stored: Stored): unknown {
  if (!(stored instanceof Packed)) return stored
  const { content } = stored
  if (typeof content !== 'string') return openEnvelope(new Reader(content))
  scratch.write(content, 0, 'latin1')
  return openEnvelope(new TextReader(scratch, 0, content.length, content))
}

/** What leaves the machine of an envelope: a scalar as itself. */
export function unpacked(envelope: Packed): Stored {
  const { content } = envelope
  const head = typeof content === 'string' ? content.charCodeAt(0) : content[0]
  return head === SCALAR ? (openStored(envelope) as Scalar) : envelope
}

/**
 * As `openStored`, of the envelope at `buffer[from .. to)`, which `readEncoded` has stepped over before. The
 * value shares nothing with the buffer.
 */
export function openEncoded(buffer: Buffer, from: number, to: number): unknown {
  const text = textAt(buffer, from, to)
  if (text >= 0) return latin1Of(buffer, text, to)
  if (to - from >= TEXT_LIMIT_BYTES) return openEnvelope(new Reader(buffer, from, to))
  return openEnvelope(new TextReader(buffer, from, to))
}

const scratch = Buffer.allocUnsafeSlow(TEXT_LIMIT_BYTES)
const MAX_SHARED_UNITS = 256
/** Shorter parts of a string V8 copies rather than keep the whole for their sake. */
const MIN_SLICED_UNITS = 13

/**
 * Makes one string of all its bytes when it meets the first string among them. Those inside are parts of it,
 * much cheaper than new ones, unless a short part that is kept would keep a long whole alive.
 */
class TextReader extends Reader {
  readonly #from: number
  #text: string | undefined

  constructor(buffer: Buffer, from: number, to: number, text?: string) {
    super(buffer, from, to)
    this.#from = from
    this.#text = text
  }

  override latin1(n: number): string {
    const from = this.skip(n)
    const { buffer, end } = this
    const length = end - this.#from
    if (n >= MIN_SLICED_UNITS && length > MAX_SHARED_UNITS && n * 2 < length) {
      return latin1Of(buffer, from, from + n)
    }
    this.#text ??= latin1Of(buffer, this.#from, end)
    return this.#text.substring(from - this.#from, from - this.#from + n)
  }
}

function openEnvelope(reader: Reader): unknown {
  const { head, bytes, rawBytes } = readHead(reader)
  if (head === SCALAR) {
    const value = readTopScalar(reader)
    reader.finish()
    return value
  }
  if (reader.remaining > bytes) {
    throw new MalformedError(`${reader.remaining - bytes} bytes after the end`, reader.offset + bytes)
  }
  return openBody(head === PACKED ? reader : new Reader(decompress(head, reader.bytes(bytes), rawBytes)))
}

function openBody(reader: Reader): unknown {
  const value = readAny(reader, 0)
  if (value === undefined) throw new MalformedError('undefined is no value', 0)
  reader.finish()
  return value
}

/** One tagged value inside `depth` containers. */
function readAny(reader: Reader, depth: number): unknown {
  const tag = reader.u8()
  const scalar = readScalar(reader, tag)
  if (scalar !== undefined) return scalar
  switch (tag) {
    case TAG_UNDEFINED:
      return undefined
    case TAG_DATE:
      return readDate(reader)
    case TAG_BYTES:
      return new Uint8Array(reader.bytes(reader.varint()))
    default:
  }
  const at = reader.offset - 1
  if (depth >= MAX_DEPTH) throw new MalformedError(`more than ${MAX_DEPTH} containers in each other`, at)
  switch (tag) {
    case TAG_OBJECT:
      return readObject(reader, depth + 1)
    case TAG_ARRAY:
      return readArray(reader, depth + 1)
    case TAG_MAP:
      return readMap(reader, depth + 1)
    case TAG_SET:
      return readSet(reader, depth + 1)
    default:
      throw new MalformedError(`unknown tag ${tag}`, at)
  }
}

function readObject(reader: Reader, depth: number): Record<string, unknown> {
  const { names, plain } = readNames(reader)
  const object: Record<string, unknown> = {}
  for (let i = 0; i < names.length; i++) {
    const value = readAny(reader, depth)
    if (plain) object[names[i]!] = value
    else define(object, names[i]!, value)
  }
  return object
}

/** A number of items of at least `itemBytes` each: more than the rest can hold is refused before any is made. */
function readCount(reader: Reader, itemBytes: number): number {
  const count = reader.varint()
  if (count * itemBytes > reader.remaining) {
    throw new MalformedError(`${count} items expected, ${reader.remaining} bytes there`, reader.offset)
  }
  return count
}

function readArray(reader: Reader, depth: number): unknown[] {
  const count = readCount(reader, 1)
  const array: unknown[] = []
  for (let i = 0; i < count; i++) array.push(readAny(reader, depth))
  return array
}

function readMap(reader: Reader, depth: number): Map<unknown, unknown> {
  const count = readCount(reader, 2)
  const map = new Map<unknown, unknown>()
  for (let i = 0; i < count; i++) {
    const key = readMember(reader, depth)
    if (map.has(key)) throw new MalformedError('a key given twice', reader.offset)
    map.set(key, readAny(reader, depth))
  }
  return map
}

function readSet(reader: Reader, depth: number): Set<unknown> {
  const count = readCount(reader, 1)
  const set = new Set<unknown>()
  for (let i = 0; i < count; i++) {
    const item = readMember(reader, depth)
    if (set.has(item)) throw new MalformedError('an item given twice', reader.offset)
    set.add(item)
  }
  return set
}

/** A key of a map or an item of a set, which never is -0: JavaScript makes it 0. */
function readMember(reader: Reader, depth: number): unknown {
  const member = readAny(reader, depth)
  if (Object.is(member, -0)) throw new MalformedError('-0 as a member', reader.offset)
  return member
}

function readDate(reader: Reader): Date {
  const at = reader.offset
  const time = readScalar(reader, reader.u8())
  const sound =
    typeof time === 'number' &&
    (Number.isNaN(time) || (Number.isInteger(time) && !Object.is(time, -0) && Math.abs(time) <= MAX_TIME_MS))
  if (!sound) throw new MalformedError('a time in whole milliseconds expected', at)
  return new Date(time)
}
