/**
 * What nodes ask each other beside Raft, as bytes: place these entries, at which moment does a read hold, let
 * these keys go. A node answers for itself and passes nothing on: one hop.
 *
 * An error in an answer says by its outcome what the asked node did. That a call got no answer is for the
 * transport to say, and whether the question may have arrived.
 */
import { MalformedError, Reader, Writer } from '../bytes.ts'
import { decodeValue, encodeValue } from '../codec.ts'
import { ConcordError, ERROR_CODES, type ErrorCode } from '../errors.ts'
import type { Guard } from '../machine/index.ts'
import type { EntryId, Index, NodeId } from '../raft/index.ts'
import { type Operated, type Operation, operationOf } from './operator.ts'
import { type SettingValues, memberStateOf, settingValuesOf } from './checked.ts'
import type { ReadPoint } from './reads.ts'
import type { MemberState } from '../types.ts'

export type PeerCall =
  /** Append these entries of commands. Answer: `EntryId` of the first; the others follow it, in its term. */
  | { readonly kind: 'place'; readonly datas: readonly Uint8Array[] }
  /** The moment at which a read of now holds. Answer: `ReadPoint`. */
  | { readonly kind: 'read'; readonly level: 'leader' | 'strong' }
  /** Expire keys that are due. Answer: `ReadPoint`, by whose index they are gone. */
  | { readonly kind: 'expire'; readonly keys: readonly { readonly space: number; readonly key: string }[] }
  /** An operation on the cluster, and what it was let in by. Answer: `Operated`. */
  | { readonly kind: 'operate'; readonly operation: Operation; readonly guard?: Guard | undefined }
  /** The hash of the state of `member`, a voter, at `index`. Answer: nothing. */
  | { readonly kind: 'hash'; readonly member: NodeId; readonly index: Index; readonly hash: string }
  /** What the asked node knows of itself; whether or not it leads. Answer: `MemberState`. */
  | { readonly kind: 'state' }
  /** Whether the asked node can have these settings, and its config wants them. Answer: why not, or nothing. */
  | { readonly kind: 'settings'; readonly values: SettingValues }
  /** Whether the asked node has this slice, at this version or above. Answer: why not, or nothing. */
  | { readonly kind: 'slice'; readonly name: string; readonly version: number }

/** First byte: the format of calls between members; introductions begin with another. */
const FORMAT = 1
const PLACE = 1
const READ = 2
const EXPIRE = 3
const OPERATE = 4
const HASH = 5
const STATE = 6
const SETTINGS = 7
const SLICE = 8
/** A kind of its own: a node that could not look at the guard has to refuse. */
const OPERATE_GUARDED = 9

const DONE = 0
const REFUSED = 1

const MAX_KEYS = 65_536
/** Room for most questions and answers; whoever waits keeps it. */
const CALL_BYTES = 256
/** Of an operation or its outcome, encoded. */
const MAX_OPERATION_BYTES = 64 * 1024
const LEVELS = ['leader', 'strong'] as const

export function encodeCall(call: PeerCall): Uint8Array {
  const writer = new Writer(CALL_BYTES)
  writer.u8(FORMAT)
  switch (call.kind) {
    case 'place':
      writer.u8(PLACE)
      writer.varint(call.datas.length)
      for (const data of call.datas) {
        writer.varint(data.length)
        writer.bytes(data)
      }
      break
    case 'read':
      writer.u8(READ)
      writer.u8(LEVELS.indexOf(call.level))
      break
    case 'expire':
      writer.u8(EXPIRE)
      writer.varint(call.keys.length)
      for (const { space, key } of call.keys) {
        writer.varint(space)
        writer.utf8(key)
      }
      break
    case 'operate':
      writer.u8(call.guard === undefined ? OPERATE : OPERATE_GUARDED)
      if (call.guard !== undefined) writeGuard(writer, call.guard)
      encodeValue(writer, call.operation, MAX_OPERATION_BYTES)
      break
    case 'hash':
      writer.u8(HASH)
      writer.utf8(call.member)
      writer.varint(call.index)
      writer.utf8(call.hash)
      break
    case 'state':
      writer.u8(STATE)
      break
    case 'settings':
      writer.u8(SETTINGS)
      encodeValue(writer, call.values, MAX_OPERATION_BYTES)
      break
    case 'slice':
      writer.u8(SLICE)
      writer.utf8(call.name)
      writer.varint(call.version)
      break
  }
  return writer.take()
}

/** Throws `MalformedError`. Entries are views of `bytes`. */
export function decodeCall(bytes: Uint8Array): PeerCall {
  const reader = new Reader(bytes)
  const format = reader.u8()
  if (format !== FORMAT) throw new MalformedError(`a call of format ${FORMAT} expected, found ${format}`, 0)
  const call = readCall(reader)
  reader.finish()
  return call
}

function readCall(reader: Reader): PeerCall {
  const kind = reader.u8()
  switch (kind) {
    case PLACE:
      return { kind: 'place', datas: readList(reader, () => reader.bytes(reader.varint())) }
    case READ: {
      const level = LEVELS[reader.u8()]
      if (level === undefined) throw new MalformedError('a level of reading expected', reader.offset - 1)
      return { kind: 'read', level }
    }
    case EXPIRE:
      return {
        kind: 'expire',
        keys: readList(reader, () => ({ space: reader.varint(), key: reader.utf8() })),
      }
    case OPERATE:
      return { kind: 'operate', operation: readOperation(reader) }
    case OPERATE_GUARDED: {
      const guard = { space: reader.varint(), key: reader.utf8(), revision: reader.varint() }
      return { kind: 'operate', guard, operation: readOperation(reader) }
    }
    case HASH:
      return { kind: 'hash', member: reader.utf8(), index: reader.varint(), hash: reader.utf8() }
    case STATE:
      return { kind: 'state' }
    case SETTINGS:
      return { kind: 'settings', values: settingValuesOf(decodeValue(reader.bytes(reader.remaining))) }
    case SLICE:
      return { kind: 'slice', name: reader.utf8(), version: reader.varint() }
    default:
      throw new MalformedError(`unknown kind of call ${kind}`, reader.offset - 1)
  }
}

function writeGuard(writer: Writer, { space, key, revision }: Guard): void {
  writer.varint(space)
  writer.utf8(key)
  writer.varint(revision)
}

function readOperation(reader: Reader): Operation {
  const { offset } = reader
  const operation = operationOf(decodeValue(reader.bytes(reader.remaining)))
  if (operation !== undefined) return operation
  throw new MalformedError('an operation that this version knows expected', offset)
}

/** Each item takes a byte at least, so that a count cannot promise more than there is. */
function readList<T>(reader: Reader, item: () => T): T[] {
  const count = reader.varint()
  if (count > Math.min(MAX_KEYS, reader.remaining)) {
    throw new MalformedError(`a list of ${count} items`, reader.offset)
  }
  return Array.from({ length: count }, item)
}

export const encodePlaced = ({ index, term }: EntryId): Uint8Array =>
  answer((writer) => {
    writer.varint(index)
    writer.varint(term)
  })

export const decodePlaced = (bytes: Uint8Array): EntryId =>
  opened(bytes, (reader) => ({ index: reader.varint(), term: reader.varint() }))

export const encodePoint = ({ index, clusterTime }: ReadPoint): Uint8Array =>
  answer((writer) => {
    writer.varint(index)
    writer.f64le(clusterTime)
  })

export const decodePoint = (bytes: Uint8Array): ReadPoint =>
  opened(bytes, (reader) => ({ index: reader.varint(), clusterTime: reader.f64le() }))

export const encodeOperated = (operated: Operated): Uint8Array =>
  answer((writer) => encodeValue(writer, operated, MAX_OPERATION_BYTES))

export const decodeOperated = (bytes: Uint8Array): Operated =>
  opened(bytes, (reader) => {
    const { leader, member } = decodeValue(reader.bytes(reader.remaining)) as Readonly<
      Record<string, unknown>
    >
    return {
      leader: typeof leader === 'string' ? leader : null,
      member: typeof member === 'string' ? member : undefined,
    }
  })

export const encodeState = (state: MemberState): Uint8Array =>
  answer((writer) => encodeValue(writer, state, MAX_OPERATION_BYTES))

export const decodeState = (bytes: Uint8Array): MemberState =>
  opened(bytes, (reader) => memberStateOf(decodeValue(reader.bytes(reader.remaining))))

/** Empty: nothing stands in the way. */
export const encodeObjection = (why: string): Uint8Array =>
  answer((writer) => writer.utf8(why.toWellFormed()))

export const decodeObjection = (bytes: Uint8Array): string => opened(bytes, (reader) => reader.utf8())

/** With its outcome; what is no error of Concord's is said without its insides. */
export function encodeRefusal(error: unknown): Uint8Array {
  const known = ConcordError.is(error) ? error : undefined
  const writer = new Writer(CALL_BYTES)
  writer.u8(REFUSED)
  writer.utf8(known?.code ?? 'INTERNAL')
  writer.utf8((known?.message ?? 'the node that was asked failed').toWellFormed())
  writer.u8(known === undefined || known.outcome === 'unknown' ? 1 : 0)
  writer.u8(known?.retryable === true ? 1 : 0)
  return writer.take()
}

function answer(write: (writer: Writer) => void): Uint8Array {
  const writer = new Writer(CALL_BYTES)
  writer.u8(DONE)
  write(writer)
  return writer.take()
}

/** Throws what the answer says, or `MalformedError`. */
function opened<T>(bytes: Uint8Array, read: (reader: Reader) => T): T {
  const reader = new Reader(bytes)
  if (reader.u8() === REFUSED) throw readRefusal(reader)
  const value = read(reader)
  reader.finish()
  return value
}

function readRefusal(reader: Reader): ConcordError {
  const code = reader.utf8()
  const message = reader.utf8()
  const outcome = reader.u8() === 0 ? 'not-applied' : 'unknown'
  const retryable = reader.u8() === 1
  return new ConcordError(codeOf(code), message, { outcome, retryable })
}

const codeOf = (code: string): ErrorCode =>
  Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : 'INTERNAL'
