/**
 * Results <-> bytes, for the request table: what a retried command is answered with. Only results of
 * commands that took effect come here, so refusals and failures have no form.
 */
import { assert } from '../assert.ts'
import { MalformedError, type Reader, type Writer } from '../bytes.ts'
import type { Stored } from '../codec.ts'
import { encodeValue, decodeValue, readStored, writeStored } from '../codec.ts'
import type { BatchDone, CommandResult, OpResult, RecordView, TxnDone } from './result.ts'

const TAG = {
  put: 1,
  delete: 2,
  touch: 3,
  increment: 4,
  get: 5,
  batch: 6,
  txn: 7,
  space: 8,
  retire: 9,
  slice: 10,
} as const

/** A slice's answer is an answer, not a value to keep: as large as a value may ever be. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024

export function writeResult(writer: Writer, result: CommandResult): void {
  if ('results' in result) {
    if ('succeeded' in result) writeTxn(writer, result)
    else writeBatch(writer, result)
  } else if ('space' in result) {
    writer.u8(TAG.space)
    writer.varint(result.space)
    writer.varint(result.revision)
  } else if ('retired' in result) {
    writer.u8(TAG.retire)
    writer.u8(result.retired ? 1 : 0)
    writer.varint(result.revision)
  } else if ('answer' in result) {
    writer.u8(TAG.slice)
    writer.varint(result.revision)
    // `undefined` is no value, but an answer that many a slice gives.
    writer.u8(result.answer === undefined ? 0 : 1)
    if (result.answer !== undefined) encodeValue(writer, result.answer, MAX_ANSWER_BYTES)
  } else {
    assert(!('refused' in result) && !('expired' in result), 'only what took effect is remembered')
    writeOp(writer, result)
  }
}

export function readResult(reader: Reader): CommandResult {
  const tag = reader.u8()
  switch (tag) {
    case TAG.batch:
      return { revision: reader.varint(), results: readOps(reader) }
    case TAG.txn:
      return readTxn(reader)
    case TAG.space:
      return { space: reader.varint(), revision: reader.varint() }
    case TAG.retire:
      return { retired: reader.u8() === 1, revision: reader.varint() }
    case TAG.slice: {
      const revision = reader.varint()
      return { answer: reader.u8() === 0 ? undefined : decodeValue(reader.bytes(reader.remaining)), revision }
    }
    default: {
      const result = readOp(reader, tag)
      if ('entry' in result) throw new MalformedError('the result of a command expected', reader.offset)
      return result
    }
  }
}

function writeBatch(writer: Writer, { revision, results }: BatchDone): void {
  writer.u8(TAG.batch)
  writer.varint(revision)
  writeOps(writer, results)
}

function writeTxn(writer: Writer, { succeeded, revision, results, conflict }: TxnDone): void {
  writer.u8(TAG.txn)
  writer.u8((succeeded ? 1 : 0) | (conflict === undefined ? 0 : 2))
  writer.varint(revision)
  writeOps(writer, results)
  if (conflict === undefined) return
  writer.varint(conflict.index)
  writeRecord(writer, conflict.current)
}

function readTxn(reader: Reader): TxnDone {
  const flags = reader.u8()
  const revision = reader.varint()
  const done = { succeeded: (flags & 1) !== 0, revision, results: readOps(reader) }
  if ((flags & 2) === 0) return done
  return { ...done, conflict: { index: reader.varint(), current: readRecord(reader) } }
}

function writeOps(writer: Writer, results: readonly OpResult[]): void {
  writer.varint(results.length)
  for (const result of results) writeOp(writer, result)
}

function readOps(reader: Reader): OpResult[] {
  const results: OpResult[] = []
  for (let left = reader.varint(); left > 0; left--) results.push(readOp(reader, reader.u8()))
  return results
}

function writeOp(writer: Writer, result: OpResult): void {
  if ('entry' in result) {
    writer.u8(TAG.get)
    writeRecord(writer, result.entry)
  } else if ('ok' in result) {
    assert(result.ok, 'an increment that failed has no effect')
    writer.u8(TAG.increment)
    writeStored(writer, result.value)
    writer.varint(result.revision)
  } else if ('deleted' in result) {
    writer.u8(TAG.delete)
    writer.u8(result.deleted ? 1 : 0)
    writer.varint(result.revision)
  } else if ('touched' in result) {
    writer.u8(TAG.touch)
    writer.u8(result.touched ? 1 : 0)
    writer.varint(result.revision)
  } else {
    writer.u8(TAG.put)
    writer.varint(result.revision)
  }
}

function readOp(reader: Reader, tag: number): OpResult {
  switch (tag) {
    case TAG.put:
      return { revision: reader.varint() }
    case TAG.delete:
      return { deleted: reader.u8() === 1, revision: reader.varint() }
    case TAG.touch:
      return { touched: reader.u8() === 1, revision: reader.varint() }
    case TAG.increment:
      return { ok: true, value: readSum(reader), revision: reader.varint() }
    case TAG.get:
      return { entry: readRecord(reader) }
    default:
      throw new MalformedError(`the tag of a result expected, found ${tag}`, reader.offset - 1)
  }
}

function readSum(reader: Reader): number | bigint {
  const value = readStored(reader)
  if (typeof value === 'number' || typeof value === 'bigint') return value
  throw new MalformedError('a number or bigint expected', reader.offset)
}

function writeRecord(writer: Writer, record: RecordView | undefined): void {
  writer.u8(record === undefined ? 0 : 1)
  if (record === undefined) return
  writer.utf8(record.key)
  writeStored(writer, record.value)
  writer.varint(record.revision)
  writer.varint(record.createRevision)
  writer.varint(record.version)
  writer.f64le(record.expiresAt)
}

function readRecord(reader: Reader): RecordView | undefined {
  if (reader.u8() === 0) return undefined
  const key = reader.utf8()
  const value: Stored = readStored(reader)
  return {
    key,
    value,
    revision: reader.varint(),
    createRevision: reader.varint(),
    version: reader.varint(),
    expiresAt: reader.f64le(),
  }
}
