/**
 * Shapes: the names of an object's members, in order, and the bytes that stand for them.
 *
 * Most objects in a store have one of a few shapes. An object's names are written together, before its
 * values, so that a known shape costs one comparison of bytes to read and one copy to write. Both tables
 * are caches of fixed size, a slot a hash: what they hold changes the speed of an answer, never the answer.
 */
import { MalformedError, Reader, type Writer } from '../bytes.ts'
import { readScalar, writeString } from './scalars.ts'

const SLOTS = 512
/** Longer lists of names are mostly maps in disguise, seen once. */
const MAX_CACHED_BYTES = 512
const SAMPLES = 16

export interface Shape {
  readonly names: readonly string[]
  /** The names, encoded. */
  readonly bytes: Uint8Array
  /** No name means anything on `Object.prototype`: members may be made by assignment. */
  readonly plain: boolean
}

const byNames = Array.from<Shape | undefined>({ length: SLOTS })
const byBytes = Array.from<Shape | undefined>({ length: SLOTS })

/** Writes the length of the names and the names. They come from `Object.keys`. */
export function writeNames(writer: Writer, names: readonly string[]): void {
  const slot = slotOfNames(names)
  const known = byNames[slot]
  if (known !== undefined && sameNames(known.names, names)) {
    writer.varint(known.bytes.length)
    writer.bytes(known.bytes)
    return
  }
  const from = writer.length
  for (let i = 0; i < names.length; i++) writeString(writer, names[i]!)
  const bytes = writer.length - from
  if (bytes <= MAX_CACHED_BYTES) {
    byNames[slot] = makeShape(names, writer.buffer.subarray(from, writer.length))
  }
  writer.insertVarint(from, bytes)
}

/** Reads what `writeNames` wrote. Refuses an order that no object has, and a name given twice. */
export function readNames(reader: Reader): Shape {
  const bytes = reader.varint()
  const from = reader.skip(bytes)
  const { buffer } = reader
  const slot = slotOfBytes(buffer, from, bytes)
  const known = byBytes[slot]
  if (known !== undefined && sameBytes(known.bytes, buffer, from, bytes)) return known
  const shape = makeShape(parseNames(buffer, from, from + bytes), buffer.subarray(from, from + bytes))
  if (bytes <= MAX_CACHED_BYTES) byBytes[slot] = shape
  return shape
}

function parseNames(buffer: Buffer, from: number, to: number): readonly string[] {
  const reader = new Reader(buffer, from, to)
  const template: Record<string, unknown> = {}
  const names: string[] = []
  while (reader.offset < to) {
    const at = reader.offset
    const name = readScalar(reader, reader.u8())
    if (typeof name !== 'string') throw new MalformedError('the name of a member expected', at)
    if (isPlain(name)) template[name] = null
    else define(template, name, null)
    names.push(name)
  }
  const own = Object.keys(template)
  if (!sameNames(own, names))
    throw new MalformedError('names that follow each other as in an object expected', from)
  return own
}

function makeShape(names: readonly string[], bytes: Uint8Array): Shape {
  return { names, bytes: new Uint8Array(bytes), plain: names.every(isPlain) }
}

function isPlain(name: string): boolean {
  return !(name in Object.prototype)
}

/** Makes a member of any name, `__proto__` and `constructor` included. */
export function define(object: object, name: string, value: unknown): void {
  Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true })
}

function slotOfNames(names: readonly string[]): number {
  let hash = names.length
  for (let i = 0; i < names.length; i++) {
    const name = names[i]!
    hash = Math.imul(hash, 31) + name.length
    if (name !== '') hash = Math.imul(hash, 31) + name.charCodeAt(name.length >> 1)
  }
  return (hash ^ (hash >>> 9)) & (SLOTS - 1)
}

function slotOfBytes(buffer: Buffer, from: number, bytes: number): number {
  const step = Math.floor(bytes / SAMPLES) + 1
  let hash = bytes
  for (let i = from; i < from + bytes; i += step) hash = Math.imul(hash, 31) + buffer[i]!
  return (hash ^ (hash >>> 9)) & (SLOTS - 1)
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

function sameBytes(known: Uint8Array, buffer: Buffer, from: number, bytes: number): boolean {
  if (known.length !== bytes) return false
  for (let i = 0; i < bytes; i++) if (known[i] !== buffer[from + i]) return false
  return true
}
