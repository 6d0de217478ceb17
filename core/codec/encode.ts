/**
 * Values -> bytes. Walks the value once, writing as it goes; nothing is kept of it.
 *
 * What cannot come back deeply equal is refused, and the refusal carries the way to it, collected while the
 * walk unwinds. The bytes follow from the value alone: two equal values differ at most by the order of their
 * members. Getters run once each, and their result is what is stored.
 */
import { assert } from '../assert.ts'
import { OutgrownError } from '../bytes.ts'
import type { Writer } from '../bytes.ts'
import { ConcordError } from '../errors.ts'
import {
  MAX_DEPTH,
  MAX_VALUE_BYTES,
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
import { type Kind, kindOf, nameKind } from './kinds.ts'
import { writeNames } from './shapes.ts'
import { writeBigint, writeNumber, writeString } from './scalars.ts'
import { bodyBytes, Packed, writeScalar, writeStored } from './stored.ts'

/**
 * Writes the envelope of a value. `maxBytes` bounds its body, uncompressed. A `Packed` is written as it is.
 *
 * Throws, with the writer as it was (not applied, not retryable): `INVALID_VALUE` naming the path of what
 * cannot be stored (`undefined` as the whole value, functions, symbols and symbol keys, instances of classes,
 * holes in arrays, cycles, more than 64 containers in each other); `VALUE_TOO_LARGE` above `maxBytes`.
 */
export function encodeValue(writer: Writer, value: unknown, maxBytes = MAX_VALUE_BYTES): void {
  const start = writer.length
  const limit = start + 1 + Math.min(maxBytes, MAX_VALUE_BYTES)
  if (typeof value === 'string') {
    if (start + 1 + value.length > limit) throw tooLarge(maxBytes)
    writer.u8(SCALAR)
    writeString(writer, value)
  } else if (typeof value === 'object' && value !== null) {
    if (value instanceof Packed) {
      if (bodyBytes(value) > maxBytes) throw tooLarge(maxBytes)
      writeStored(writer, value)
      return
    }
    encodeContainer(writer, value, limit, maxBytes)
    return
  } else if (value === undefined || typeof value === 'function' || typeof value === 'symbol') {
    throw invalid('value', `${nameKind(value)} cannot be stored`)
  } else {
    writer.u8(SCALAR)
    writeScalar(writer, value as number | boolean | bigint | null)
  }
  if (writer.length > limit) {
    writer.truncate(start)
    throw tooLarge(maxBytes)
  }
}

function encodeContainer(writer: Writer, value: object, limit: number, maxBytes: number): void {
  assert(!writer.busy, 'a getter of a value being encoded uses the same writer')
  const start = writer.length
  writer.busy = true
  try {
    writer.u8(PACKED)
    writeContainer(writer, value, 1, limit)
    checkSize(writer, limit)
    writer.insertVarint(start + 1, writer.length - start - 1)
  } catch (error) {
    writer.truncate(start)
    if (error instanceof TooLarge) throw tooLarge(maxBytes)
    if (error instanceof Refusal) throw refuse(error)
    throw error
  } finally {
    writer.busy = false
  }
}

function writeAny(writer: Writer, value: unknown, depth: number, limit: number): void {
  switch (typeof value) {
    case 'string':
      if (writer.length + value.length > limit) throw new TooLarge()
      writeString(writer, value)
      break
    case 'number':
      writeNumber(writer, value)
      break
    case 'boolean':
      writeScalar(writer, value)
      break
    case 'undefined':
      writer.u8(TAG_UNDEFINED)
      break
    case 'bigint':
      writeBigint(writer, value)
      break
    case 'object':
      if (value === null) writeScalar(writer, value)
      else writeContainer(writer, value, depth + 1, limit)
      break
    default:
      throw new Refusal(`${nameKind(value)} cannot be stored`)
  }
  checkSize(writer, limit)
}

/** One array, object, map, set, date or array of bytes, at `depth` of them. */
function writeContainer(writer: Writer, value: object, depth: number, limit: number): void {
  const kind: Kind | undefined = kindOf(value)
  if (depth > MAX_DEPTH && kind !== 'date' && kind !== 'bytes') throw new Refusal(TOO_DEEP, value)
  switch (kind) {
    case 'object':
      writeObject(writer, value as Record<string, unknown>, depth, limit)
      break
    case 'array':
      writeArray(writer, value as unknown[], depth, limit)
      break
    case 'date':
      writer.u8(TAG_DATE)
      writeNumber(writer, (value as Date).getTime())
      break
    case 'bytes':
      writeBytes(writer, value as Uint8Array, limit)
      break
    case 'map':
      writeMap(writer, value as Map<unknown, unknown>, depth, limit)
      break
    case 'set':
      writeSet(writer, value as Set<unknown>, depth, limit)
      break
    default:
      throw new Refusal(`${nameKind(value)} cannot be stored`)
  }
}

function writeObject(writer: Writer, value: Record<string, unknown>, depth: number, limit: number): void {
  let name: string | undefined
  try {
    const names = Object.keys(value)
    if (Object.getOwnPropertySymbols(value).length > 0) throw new Refusal('symbol keys cannot be stored')
    writer.u8(TAG_OBJECT)
    writeNames(writer, names)
    for (let i = 0; i < names.length; i++) {
      name = names[i]!
      writeAny(writer, value[name], depth, limit)
    }
  } catch (error) {
    throw onTheWay(error, value, name === undefined ? '' : stepTo(name))
  }
}

function writeArray(writer: Writer, value: readonly unknown[], depth: number, limit: number): void {
  let i = 0
  try {
    const { length } = value
    writer.u8(TAG_ARRAY)
    writer.varint(length)
    for (; i < length; i++) {
      const item = value[i]
      if (item === undefined && !Object.hasOwn(value, i))
        throw new Refusal('a hole in an array cannot be stored')
      writeAny(writer, item, depth, limit)
    }
  } catch (error) {
    throw onTheWay(error, value, `[${i}]`)
  }
}

function writeBytes(writer: Writer, value: Uint8Array, limit: number): void {
  if (writer.length + value.length > limit) throw new TooLarge()
  writer.u8(TAG_BYTES)
  writer.varint(value.length)
  writer.bytes(value)
}

function writeMap(writer: Writer, value: ReadonlyMap<unknown, unknown>, depth: number, limit: number): void {
  let step = ''
  let left = value.size
  try {
    writer.u8(TAG_MAP)
    writer.varint(left)
    for (const [key, item] of value) {
      if (left-- === 0) break
      step = `.<key ${value.size - left - 1}>`
      writeAny(writer, key, depth, limit)
      step = typeof key === 'string' ? `.get(${quote(key)})` : `.<value ${value.size - left - 1}>`
      writeAny(writer, item, depth, limit)
    }
    if (left !== 0) throw new Refusal(CHANGED)
  } catch (error) {
    throw onTheWay(error, value, step)
  }
}

function writeSet(writer: Writer, value: ReadonlySet<unknown>, depth: number, limit: number): void {
  let left = value.size
  try {
    writer.u8(TAG_SET)
    writer.varint(left)
    for (const item of value) {
      if (left-- === 0) break
      writeAny(writer, item, depth, limit)
    }
    if (left !== 0) throw new Refusal(CHANGED)
  } catch (error) {
    throw onTheWay(error, value, `.<item ${value.size - left - 1}>`)
  }
}

function checkSize(writer: Writer, limit: number): void {
  if (writer.length > limit) throw new TooLarge()
}

// ------------------------------------------------------------------------------------------- refusals

const TOO_DEEP = `more than ${MAX_DEPTH} containers in each other cannot be stored`
const CHANGED = 'a container that a getter changes while it is stored'
const MAX_SHOWN_UNITS = 64

class TooLarge extends Error {}

/** Why a value cannot be stored; gathers the way to the reason, innermost first. */
class Refusal extends Error {
  readonly steps: string[] = []
  readonly ancestors: object[]

  constructor(problem: string, at?: object, cause?: unknown) {
    super(problem, { cause })
    this.ancestors = at === undefined ? [] : [at]
  }
}

/** What to throw on from a container that holds, at `step`, what `error` is about. */
function onTheWay(error: unknown, container: object, step: string): Error {
  if (error instanceof TooLarge || error instanceof OutgrownError) return error
  const refusal = error instanceof Refusal ? error : new Refusal('reading it throws', undefined, error)
  refusal.steps.push(step)
  refusal.ancestors.push(container)
  return refusal
}

function refuse(refusal: Refusal): ConcordError {
  const { steps, ancestors, cause } = refusal
  steps.reverse()
  ancestors.reverse()
  const again = ancestors.findIndex((ancestor, i) => ancestors.indexOf(ancestor) < i)
  if (refusal.message === TOO_DEEP && again >= 0) {
    const first = pathOf(steps.slice(0, ancestors.indexOf(ancestors[again]!)))
    return invalid(pathOf(steps.slice(0, again)), `a cycle, back to ${first}, cannot be stored`)
  }
  return invalid(pathOf(steps), refusal.message, cause)
}

function pathOf(steps: readonly string[]): string {
  return `value${steps.join('')}`
}

function stepTo(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) && name.length <= MAX_SHOWN_UNITS ? `.${name}` : `[${quote(name)}]`
}

function quote(name: string): string {
  return JSON.stringify(name.length > MAX_SHOWN_UNITS ? `${name.slice(0, MAX_SHOWN_UNITS)}…` : name)
}

function invalid(path: string, problem: string, cause?: unknown): ConcordError {
  return new ConcordError('INVALID_VALUE', `${path}: ${problem}`, { cause, details: { path } })
}

function tooLarge(maxBytes: number): ConcordError {
  const limit = Math.min(maxBytes, MAX_VALUE_BYTES)
  return new ConcordError('VALUE_TOO_LARGE', `the value takes more than ${limit} bytes encoded`, {
    details: { maxBytes: limit },
  })
}
