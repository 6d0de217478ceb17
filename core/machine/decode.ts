/**
 * Commands from bytes: the other half of `command.ts`. What it reads may be torn or hostile, and then throws
 * `MalformedError`; a kind or version of a newer node throws `UnknownCommand` (H45). Either way the node
 * stops: an entry is decoded whole before any of it is applied.
 */
import { MalformedError, Reader } from '../bytes.ts'
import type { Stored } from '../codec.ts'
import { readEncoded, readStored } from '../codec.ts'
import type { Command, CommandHeader, Compare, DecodedOp, Guard, HashTable } from './command.ts'
import { COMMAND_VERSION, FLAG, KIND, OP } from './command.ts'
import { fold, hashText } from './hash.ts'
import { UnknownCommand } from './unsupported.ts'

const MAX_KEY_BYTES = 1024
const ALL_FLAGS = FLAG.actor | FLAG.requestId | FLAG.trace | FLAG.guard | FLAG.fingerprint | FLAG.ttl

/** What most commands carry: the users' space and nothing else. One object for all of them. */
const PLAIN: CommandHeader = Object.freeze({
  space: 0,
  actor: undefined,
  requestId: undefined,
  trace: undefined,
  guard: undefined,
  fingerprint: undefined,
  call: '',
})

/** All commands of an entry. */
export function decodeCommands(data: Uint8Array): Command[] {
  const commands: Command[] = []
  const reader = new Reader(data)
  while (reader.remaining > 0) {
    const bytes = reader.varint()
    const from = reader.skip(bytes)
    commands.push(read(new Reader(data, from, from + bytes)))
  }
  return commands
}

/** One command, as an encoder has written it. */
export function decodeCommand(bytes: Uint8Array): Command {
  return read(new Reader(bytes))
}

function read(reader: Reader): Command {
  const version = reader.u8()
  const kind = reader.u8()
  if (version !== COMMAND_VERSION) {
    throw new UnknownCommand(`of kind ${kind}`, `version ${version}`, `version ${COMMAND_VERSION}`)
  }
  const flags = reader.u8()
  if ((flags & ~ALL_FLAGS) !== 0) {
    throw new UnknownCommand(`of kind ${kind}`, `flags ${flags}`, `flags below ${ALL_FLAGS + 1}`)
  }
  const command = readBody(reader, kind, flags, readHeader(reader, kind, flags))
  reader.finish()
  return command
}

function readHeader(reader: Reader, kind: number, flags: number): CommandHeader {
  const space = reader.varint()
  if (space === 0 && (flags & ~FLAG.ttl) === 0) return PLAIN
  const actor = (flags & FLAG.actor) === 0 ? undefined : reader.utf8()
  const requestId = (flags & FLAG.requestId) === 0 ? undefined : reader.utf8()
  const trace = (flags & FLAG.trace) === 0 ? undefined : reader.utf8()
  const guard = (flags & FLAG.guard) === 0 ? undefined : readGuard(reader)
  const fingerprint = (flags & FLAG.fingerprint) === 0 ? undefined : reader.utf8()
  const call = requestId === undefined ? '' : (fingerprint ?? bodyHash(reader, space, kind))
  return { space, actor, requestId, trace, guard, fingerprint, call }
}

const readGuard = (reader: Reader): Guard => ({
  space: reader.varint(),
  key: readKey(reader),
  revision: reader.varint(),
})

/** Of all that is left to read; says whether a retry is the same call. */
function bodyHash(reader: Reader, space: number, kind: number): string {
  const { buffer, end } = reader
  let a = fold(space + 1, kind)
  let b = fold(kind + 1, space)
  for (let i = reader.offset; i < end; i++) {
    const byte = buffer[i]!
    a = fold(a, byte)
    b = Math.imul(b ^ byte, 0x01000193)
  }
  return hashText(a, b)
}

function readBody(reader: Reader, kind: number, flags: number, header: CommandHeader): Command {
  switch (kind) {
    case KIND.put:
      return readPut(reader, flags, header)
    case KIND.delete:
      return { header, kind: 'delete', key: readKey(reader) }
    case KIND.touch: {
      const ttlMs = readTtl(reader, flags, true)
      return { header, kind: 'touch', key: readKey(reader), ttlMs }
    }
    case KIND.increment: {
      const ttlMs = readTtl(reader, flags, false)
      const key = readKey(reader)
      return { header, kind: 'increment', key, by: readBy(reader), ttlMs }
    }
    case KIND.batch:
      return { header, kind: 'batch', ops: readOps(reader) }
    case KIND.txn:
      return {
        header,
        kind: 'txn',
        compares: readCompares(reader),
        success: readOps(reader),
        failure: readOps(reader),
      }
    default:
      return readRare(reader, kind, header)
  }
}

function readPut(reader: Reader, flags: number, header: CommandHeader): Command {
  const ttlMs = readTtl(reader, flags, false)
  const key = readKey(reader)
  return { header, kind: 'put', key, value: readEncoded(reader, true), ttlMs }
}

/** What is not written on behalf of a call to the store's keys. */
function readRare(reader: Reader, kind: number, header: CommandHeader): Command {
  switch (kind) {
    case KIND.expire:
      return { header, kind: 'expire', term: reader.varint(), keys: readSpacedKeys(reader) }
    case KIND.settings:
      return { header, kind: 'settings', values: readValues(reader) }
    case KIND.space:
      return { header, kind: 'space', name: readName(reader) }
    case KIND.sliceRegister:
      return { header, kind: 'sliceRegister', name: readName(reader), version: reader.varint() }
    case KIND.sliceRetire:
      return { header, kind: 'sliceRetire', name: readName(reader) }
    case KIND.slice: {
      const version = reader.varint()
      const from = reader.offset
      const body = readStored(reader)
      return { header, kind: 'slice', version, body, bytes: reader.offset - from }
    }
    case KIND.hashes:
      return { header, kind: 'hashes', table: readTable(reader) }
    default:
      throw new UnknownCommand(`of kind ${kind}`, `kind ${kind}`, `kinds up to ${KIND.hashes}`)
  }
}

function readOps(reader: Reader): DecodedOp[] {
  const ops: DecodedOp[] = []
  for (let left = reader.varint(); left > 0; left--) ops.push(readOp(reader))
  return ops
}

function readOp(reader: Reader): DecodedOp {
  const from = reader.offset
  const kind = reader.u8()
  const flags = reader.u8()
  if ((flags & ~FLAG.ttl) !== 0)
    throw new MalformedError(`the flags of an operation expected, found ${flags}`, from)
  const ttlMs = readTtl(reader, flags, kind === OP.touch)
  const key = readKey(reader)
  switch (kind) {
    case OP.put:
      return { op: 'put', key, value: readEncoded(reader, true), ttlMs }
    case OP.delete:
      return { op: 'delete', key }
    case OP.touch:
      return { op: 'touch', key, ttlMs }
    case OP.increment:
      return { op: 'increment', key, by: readBy(reader), ttlMs }
    case OP.get:
      return { op: 'get', key }
    default:
      throw new UnknownCommand('operation', `${kind}`, `up to ${OP.get}`)
  }
}

function readCompares(reader: Reader): Compare[] {
  const compares: Compare[] = []
  for (let left = reader.varint(); left > 0; left--) {
    compares.push({ key: readKey(reader), revision: reader.varint() })
  }
  return compares
}

function readSpacedKeys(reader: Reader): { space: number; key: string }[] {
  const keys: { space: number; key: string }[] = []
  for (let left = reader.varint(); left > 0; left--)
    keys.push({ space: reader.varint(), key: readKey(reader) })
  return keys
}

function readValues(reader: Reader): Record<string, Stored> {
  const values: [string, Stored][] = []
  for (let left = reader.varint(); left > 0; left--) values.push([readName(reader), readStored(reader)])
  return Object.fromEntries(values)
}

function readTable(reader: Reader): HashTable {
  const index = reader.varint()
  const voters = reader.varint()
  const hashes: [string, string][] = []
  for (let left = reader.varint(); left > 0; left--) hashes.push([readName(reader), readName(reader)])
  return { index, voters, hashes }
}

/** 0 when there is none. */
function readTtl(reader: Reader, flags: number, required: boolean): number {
  if ((flags & FLAG.ttl) === 0) {
    if (required) throw new MalformedError('a TTL expected', reader.offset)
    return 0
  }
  const ttlMs = reader.f64le()
  if (ttlMs > 0 && Number.isFinite(ttlMs)) return ttlMs
  throw new MalformedError(`a TTL above 0 expected, found ${ttlMs}`, reader.offset - 8)
}

function readBy(reader: Reader): number | bigint {
  const by = readStored(reader)
  if (typeof by === 'number' || typeof by === 'bigint') return by
  throw new MalformedError('a number or bigint expected', reader.offset)
}

function readKey(reader: Reader): string {
  const from = reader.offset
  const bytes = reader.varint()
  if (bytes > 0 && bytes <= MAX_KEY_BYTES) return reader.utf8Text(bytes)
  throw new MalformedError(`a key of 1 to ${MAX_KEY_BYTES} bytes expected, found ${bytes}`, from)
}

const readName = readKey
