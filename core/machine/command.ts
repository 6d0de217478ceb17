/**
 * Commands: what an entry asks of the machine, as data. This file has the nouns, and writes them to bytes;
 * `decode.ts` reads them back.
 *
 * A command is `version kind flags space [actor] [requestId] [trace] [guard] [fingerprint] body`. An entry's data is
 * commands one after another, each behind its length (`appendCommand`). Each encoder writes one command at
 * the end of the writer, straight from what the caller gave; when it throws, the writer is as before.
 * Conditions are revisions, never functions: no user code and no clock runs in `apply`.
 */
import type { Writer } from '../bytes.ts'
import type { Encoded, Stored } from '../codec.ts'
import { encodeValue } from '../codec.ts'

export const COMMAND_VERSION = 1

/** One byte on disk each: a number is never given to another kind. */
export const KIND = {
  put: 1,
  delete: 2,
  touch: 3,
  increment: 4,
  batch: 5,
  txn: 6,
  expire: 7,
  settings: 8,
  space: 9,
  sliceRegister: 10,
  sliceRetire: 11,
  slice: 12,
  hashes: 13,
} as const

export const OP = { put: 1, delete: 2, touch: 3, increment: 4, get: 5 } as const

export const FLAG = { actor: 1, requestId: 2, trace: 4, fingerprint: 8, ttl: 16, guard: 32 } as const

export interface Header {
  /** Whose keys: 0 the users', else a plugin's, by the id that a `space` command gave out. */
  readonly space: number
  /** Who asks, when auth is on. Request ids are per actor. */
  readonly actor?: string | undefined
  /** A retry under the same id applies once. */
  readonly requestId?: string | undefined
  /** Trace context for those who watch; changes nothing. */
  readonly trace?: string | undefined
  /**
   * Tells one call from another under the same `requestId`. Absent: the command's own content does. Needed
   * where a retry of one call is another command, because a condition was evaluated anew.
   */
  readonly fingerprint?: string | undefined
  /** What whoever let the command in has decided by: if it has changed, the command is refused (`RIGHTS_CHANGED`). */
  readonly guard?: Guard | undefined
}

/** A key of any space, at the revision of its last change; 0: it is absent. */
export interface Guard extends Compare {
  readonly space: number
}

/** An operation inside a batch or a transaction. `Value` is what the side at hand holds. */
export type Op<Value> =
  | { readonly op: 'put'; readonly key: string; readonly value: Value; readonly ttlMs?: number | undefined }
  | { readonly op: 'delete'; readonly key: string }
  | { readonly op: 'touch'; readonly key: string; readonly ttlMs: number }
  | {
      readonly op: 'increment'
      readonly key: string
      readonly by: number | bigint
      readonly ttlMs?: number | undefined
    }
  | { readonly op: 'get'; readonly key: string }

/** Holds when the key's revision is this one; 0: when the key is absent. */
export interface Compare {
  readonly key: string
  readonly revision: number
}

/** What the voters had at one index, by their ids; whoever had not said so in time is missing. */
export interface HashTable {
  readonly index: number
  /** How many voters there were, those that are missing included. */
  readonly voters: number
  readonly hashes: readonly (readonly [id: string, hash: string])[]
}

/** A decoded operation. Its value stays where it is, in the bytes of the entry. */
export type DecodedOp = Op<Encoded>

/** A decoded header. */
export interface CommandHeader extends Header {
  /** Tells calls apart under one request id; empty without a request id. */
  readonly call: string
}

export type Command = { readonly header: CommandHeader } & (
  | {
      readonly kind: 'put'
      readonly key: string
      readonly value: Encoded
      readonly ttlMs: number
    }
  | { readonly kind: 'delete'; readonly key: string }
  | { readonly kind: 'touch'; readonly key: string; readonly ttlMs: number }
  | { readonly kind: 'increment'; readonly key: string; readonly by: number | bigint; readonly ttlMs: number }
  | { readonly kind: 'batch'; readonly ops: readonly DecodedOp[] }
  | {
      readonly kind: 'txn'
      readonly compares: readonly Compare[]
      readonly success: readonly DecodedOp[]
      readonly failure: readonly DecodedOp[]
    }
  | {
      readonly kind: 'expire'
      readonly term: number
      readonly keys: readonly { readonly space: number; readonly key: string }[]
    }
  | { readonly kind: 'settings'; readonly values: Readonly<Record<string, Stored>> }
  | { readonly kind: 'space'; readonly name: string }
  | { readonly kind: 'sliceRegister'; readonly name: string; readonly version: number }
  | { readonly kind: 'sliceRetire'; readonly name: string }
  | { readonly kind: 'slice'; readonly version: number; readonly body: Stored; readonly bytes: number }
  | { readonly kind: 'hashes'; readonly table: HashTable }
)

/** Appends one encoded command to the data of an entry. */
export function appendCommand(data: Writer, command: Uint8Array): void {
  data.varint(command.length)
  data.bytes(command)
}

/**
 * @param ttlMs more than 0; undefined: the key does not expire.
 * @param maxBytes of the encoded value; past it `VALUE_TOO_LARGE`. Also throws `INVALID_VALUE`.
 */
export function encodePut(
  writer: Writer,
  header: Header,
  key: string,
  value: unknown,
  ttlMs: number | undefined,
  maxBytes: number,
): void {
  const start = writer.length
  try {
    writeHeader(writer, KIND.put, ttlMs === undefined ? 0 : FLAG.ttl, header)
    if (ttlMs !== undefined) writer.f64le(ttlMs)
    writer.utf8(key)
    encodeValue(writer, value, maxBytes)
  } catch (error) {
    writer.truncate(start)
    throw error
  }
}

export function encodeDelete(writer: Writer, header: Header, key: string): void {
  writeHeader(writer, KIND.delete, 0, header)
  writer.utf8(key)
}

export function encodeTouch(writer: Writer, header: Header, key: string, ttlMs: number): void {
  writeHeader(writer, KIND.touch, FLAG.ttl, header)
  writer.f64le(ttlMs)
  writer.utf8(key)
}

/** @param ttlMs used only if this command makes the key. */
export function encodeIncrement(
  writer: Writer,
  header: Header,
  key: string,
  by: number | bigint,
  ttlMs: number | undefined,
): void {
  writeHeader(writer, KIND.increment, ttlMs === undefined ? 0 : FLAG.ttl, header)
  if (ttlMs !== undefined) writer.f64le(ttlMs)
  writer.utf8(key)
  encodeValue(writer, by, MAX_BY_BYTES)
}

/** The operations happen together or not at all, in order; each sees what those before it did. */
export function encodeBatch(
  writer: Writer,
  header: Header,
  ops: readonly Op<unknown>[],
  maxBytes: number,
): void {
  const start = writer.length
  try {
    writeHeader(writer, KIND.batch, 0, header)
    writeOps(writer, ops, maxBytes)
  } catch (error) {
    writer.truncate(start)
    throw error
  }
}

/** `success` runs when all compares hold, else `failure`. */
export function encodeTxn(
  writer: Writer,
  header: Header,
  txn: {
    readonly compares: readonly Compare[]
    readonly success: readonly Op<unknown>[]
    readonly failure: readonly Op<unknown>[]
  },
  maxBytes: number,
): void {
  const start = writer.length
  try {
    writeHeader(writer, KIND.txn, 0, header)
    writer.varint(txn.compares.length)
    for (const compare of txn.compares) {
      writer.utf8(compare.key)
      writer.varint(compare.revision)
    }
    writeOps(writer, txn.success, maxBytes)
    writeOps(writer, txn.failure, maxBytes)
  } catch (error) {
    writer.truncate(start)
    throw error
  }
}

/** Keys that the leader of `term` found due. Dropped when it is no longer the leader's term. */
export function encodeExpire(
  writer: Writer,
  term: number,
  keys: readonly { readonly space: number; readonly key: string }[],
): void {
  writeHeader(writer, KIND.expire, 0, { space: 0 })
  writer.varint(term)
  writer.varint(keys.length)
  for (const { space, key } of keys) {
    writer.varint(space)
    writer.utf8(key)
  }
}

/** Propose it only after `checkSettings` has passed on every member: one that cannot honour it stops. */
export function encodeSettings(
  writer: Writer,
  header: Header,
  values: Readonly<Record<string, number>>,
): void {
  writeHeader(writer, KIND.settings, 0, header)
  const names = Object.keys(values)
  writer.varint(names.length)
  for (const name of names) {
    writer.utf8(name)
    encodeValue(writer, values[name], MAX_BY_BYTES)
  }
}

/** Asks for the space of a plugin's keys; made when it is new. */
export function encodeSpace(writer: Writer, header: Header, name: string): void {
  writeHeader(writer, KIND.space, 0, header)
  writer.utf8(name)
}

/** Makes a slice part of the state, or raises its version. A node without that slice stops. */
export function encodeSliceRegister(writer: Writer, header: Header, name: string, version: number): void {
  writeHeader(writer, KIND.sliceRegister, 0, header)
  writer.utf8(name)
  writer.varint(version)
}

/** Takes a slice out of the state, so that nodes need not have it. Its keys stay. */
export function encodeSliceRetire(writer: Writer, header: Header, name: string): void {
  writeHeader(writer, KIND.sliceRetire, 0, header)
  writer.utf8(name)
}

/** A command to the slice that `header.space` belongs to. `version` is of the slice that wrote it. */
export function encodeSlice(
  writer: Writer,
  header: Header,
  version: number,
  body: unknown,
  maxBytes: number,
): void {
  const start = writer.length
  try {
    writeHeader(writer, KIND.slice, 0, header)
    writer.varint(version)
    encodeValue(writer, body, maxBytes)
  } catch (error) {
    writer.truncate(start)
    throw error
  }
}

/** For comparing states: changes nothing. */
export function encodeHashes(writer: Writer, { index, voters, hashes }: HashTable): void {
  writeHeader(writer, KIND.hashes, 0, { space: 0 })
  writer.varint(index)
  writer.varint(voters)
  writer.varint(hashes.length)
  for (const [id, hash] of hashes) {
    writer.utf8(id)
    writer.utf8(hash)
  }
}

/** Numbers and bigints up to about 8,000 bits. */
const MAX_BY_BYTES = 1024

export function writeHeader(writer: Writer, kind: number, flags: number, header: Header): void {
  const { space, actor, requestId, trace, guard, fingerprint } = header
  writer.u8(COMMAND_VERSION)
  writer.u8(kind)
  writer.u8(
    flags |
      (actor === undefined ? 0 : FLAG.actor) |
      (requestId === undefined ? 0 : FLAG.requestId) |
      (trace === undefined ? 0 : FLAG.trace) |
      (guard === undefined ? 0 : FLAG.guard) |
      (fingerprint === undefined ? 0 : FLAG.fingerprint),
  )
  writer.varint(space)
  if (actor !== undefined) writer.utf8(actor)
  if (requestId !== undefined) writer.utf8(requestId)
  if (trace !== undefined) writer.utf8(trace)
  if (guard !== undefined) writeGuard(writer, guard)
  if (fingerprint !== undefined) writer.utf8(fingerprint)
}

function writeGuard(writer: Writer, { space, key, revision }: Guard): void {
  writer.varint(space)
  writer.utf8(key)
  writer.varint(revision)
}

function writeOps(writer: Writer, ops: readonly Op<unknown>[], maxBytes: number): void {
  writer.varint(ops.length)
  for (const op of ops) {
    const ttlMs = op.op === 'put' || op.op === 'touch' || op.op === 'increment' ? op.ttlMs : undefined
    writer.u8(OP[op.op])
    writer.u8(ttlMs === undefined ? 0 : FLAG.ttl)
    if (ttlMs !== undefined) writer.f64le(ttlMs)
    writer.utf8(op.key)
    if (op.op === 'put') encodeValue(writer, op.value, maxBytes)
    else if (op.op === 'increment') encodeValue(writer, op.by, MAX_BY_BYTES)
  }
}
