/**
 * A message of Raft as bytes: a format, a type, a term, and the fields in the order of core/raft/message.ts.
 * Entries are those of the log (core/entry-codec.ts). Page: docs/internals/wire-format.md.
 *
 * What is read has been checked as far as bytes can be: lengths, ranges, finite times, entries that follow one
 * another. The core may then assert what only a wrong program could break (P05).
 */
import { assert, assertNever } from '../assert.ts'
import { MalformedError, type Reader, type Writer } from '../bytes.ts'
import { readEntry, readSnapshotMeta, writeEntry, writeSnapshotMeta } from '../entry-codec.ts'
import type {
  AppendEntries,
  AppendEntriesResult,
  CampaignReason,
  InstallSnapshot,
  InstallSnapshotResult,
  Message,
  PreVote,
  RequestVote,
  RequestVoteResult,
} from '../raft/message.ts'
import type { Entry, Index, SnapshotMeta, Term } from '../raft/types.ts'

const FORMAT = 1

/** The numbers of the types on the wire. A new one is added at the end, and none is ever given to another. */
const TYPES = {
  preVote: 1,
  preVoteResult: 2,
  requestVote: 3,
  requestVoteResult: 4,
  appendEntries: 5,
  appendEntriesResult: 6,
  installSnapshot: 7,
  installSnapshotResult: 8,
  timeoutNow: 9,
  removed: 10,
} as const satisfies Record<Message['type'], number>

const TYPE_OF: ReadonlyMap<number, Message['type']> = new Map(
  Object.entries(TYPES).map(([type, number]) => [number, type as Message['type']]),
)
const REASONS: readonly CampaignReason[] = ['timeout', 'leaderLost', 'transfer']

// ---------------------------------------------------------------------------------------------- writing

export function writeMessage(writer: Writer, message: Message): void {
  writer.u8(FORMAT)
  writer.u8(TYPES[message.type])
  writer.varint(message.term)
  switch (message.type) {
    case 'preVote':
      writer.varint(message.round)
      return writeCandidate(writer, message)
    case 'preVoteResult':
      writer.varint(message.round)
      return writeFlag(writer, message.granted)
    case 'requestVote':
      return writeCandidate(writer, message)
    case 'requestVoteResult':
      return writeVoteResult(writer, message)
    case 'appendEntries':
      return writeAppendEntries(writer, message)
    case 'appendEntriesResult':
      return writeAppendResult(writer, message)
    case 'installSnapshot':
      return writeInstallSnapshot(writer, message)
    case 'installSnapshotResult':
      writer.varint(message.snapshotIndex)
      writer.varint(message.offset)
      writeFlag(writer, message.gap)
      return writer.varint(message.matchIndex)
    case 'timeoutNow':
      return
    case 'removed':
      return writer.varint(message.index)
    default:
      assertNever(message)
  }
}

function writeFlag(writer: Writer, flag: boolean): void {
  writer.u8(flag ? 1 : 0)
}

function writeCandidate(writer: Writer, message: PreVote | RequestVote): void {
  writer.varint(message.lastIndex)
  writer.varint(message.lastTerm)
  writer.u8(REASONS.indexOf(message.reason))
}

function writeVoteResult(writer: Writer, vote: RequestVoteResult): void {
  const { granted, clusterTime, clockTerm, isReckoned } = vote
  writeFlag(writer, granted)
  writeFlag(writer, clusterTime !== null)
  if (clusterTime !== null) writer.f64le(clusterTime)
  writer.varint(clockTerm)
  writeFlag(writer, isReckoned)
}

function writeAppendEntries(writer: Writer, message: AppendEntries): void {
  writer.varint(message.prevIndex)
  writer.varint(message.prevTerm)
  writer.varint(message.commitIndex)
  writer.varint(message.round)
  writer.f64le(message.clusterTime)
  writer.varint(message.entries.length)
  for (const entry of message.entries) writeEntry(writer, entry)
}

function writeAppendResult(writer: Writer, message: AppendEntriesResult): void {
  const { round, matchIndex, receivedIndex, refusal, promiseMs, roomBytes } = message
  writer.varint(round)
  writer.varint(promiseMs)
  writer.varint(roomBytes)
  writer.varint(matchIndex)
  writer.varint(receivedIndex)
  writeFlag(writer, refusal !== null)
  if (refusal === null) return
  writer.varint(refusal.prevIndex)
  writer.varint(refusal.hintIndex)
  writer.varint(refusal.hintTerm)
}

function writeInstallSnapshot(writer: Writer, message: InstallSnapshot): void {
  const { meta, offset } = message
  writer.varint(offset)
  if ('membership' in meta) {
    assert(offset === 0, `the facts of a snapshot with its bytes at ${offset}`)
    writeSnapshotMeta(writer, meta)
  } else {
    writer.varint(meta.index)
    writer.varint(meta.term)
  }
  writeFlag(writer, message.done)
  writer.f64le(message.clusterTime)
  writer.varint(message.data.length)
  writer.bytes(message.data)
}

// ---------------------------------------------------------------------------------------------- reading

/** Reads exactly one message. Data of entries and chunks are views. Throws `MalformedError`. */
export function readMessage(reader: Reader): Message {
  const at = reader.offset
  const format = reader.u8()
  if (format !== FORMAT) throw new MalformedError(`message format ${FORMAT} expected, found ${format}`, at)
  const number = reader.u8()
  const type = TYPE_OF.get(number)
  if (type === undefined) throw new MalformedError(`unknown type of message ${number}`, at + 1)
  const message = readFields(reader, type, reader.varint())
  reader.finish()
  return message
}

function readFields(reader: Reader, type: Message['type'], term: Term): Message {
  switch (type) {
    case 'preVote':
      return { type, term, round: reader.varint(), ...readCandidate(reader) }
    case 'preVoteResult':
      return { type, term, round: reader.varint(), granted: readFlag(reader) }
    case 'requestVote':
      return { type, term, ...readCandidate(reader) }
    case 'requestVoteResult':
      return readVoteResult(reader, term)
    case 'appendEntries':
      return readAppendEntries(reader, term)
    case 'appendEntriesResult':
      return readAppendResult(reader, term)
    case 'installSnapshot':
      return readInstallSnapshot(reader, term)
    case 'installSnapshotResult':
      return readInstallResult(reader, term)
    case 'timeoutNow':
      return { type, term }
    case 'removed':
      return { type, term, index: reader.varint() }
    default:
      return assertNever(type)
  }
}

function readFlag(reader: Reader): boolean {
  const at = reader.offset
  const flag = reader.u8()
  if (flag > 1) throw new MalformedError(`0 or 1 expected, found ${flag}`, at)
  return flag === 1
}

function readTime(reader: Reader): number {
  const at = reader.offset
  return finite(reader.f64le(), at)
}

function finite(time: number, at: number): number {
  if (!Number.isFinite(time)) throw new MalformedError(`a time expected, found ${time}`, at)
  return time
}

function readCandidate(reader: Reader): Pick<RequestVote, 'lastIndex' | 'lastTerm' | 'reason'> {
  const lastIndex = reader.varint()
  const lastTerm = reader.varint()
  const at = reader.offset
  const reason = REASONS[reader.u8()]
  if (reason === undefined) throw new MalformedError('a reason to campaign, 0 to 2, expected', at)
  return { lastIndex, lastTerm, reason }
}

function readVoteResult(reader: Reader, term: Term): RequestVoteResult {
  const granted = readFlag(reader)
  const clusterTime = readFlag(reader) ? readTime(reader) : null
  const clockTerm = reader.varint()
  return { type: 'requestVoteResult', term, granted, clusterTime, clockTerm, isReckoned: readFlag(reader) }
}

function readAppendEntries(reader: Reader, term: Term): AppendEntries {
  const prevIndex = reader.varint()
  const prevTerm = reader.varint()
  const commitIndex = reader.varint()
  const round = reader.varint()
  const clusterTime = readTime(reader)
  const entries = readEntries(reader, { index: prevIndex, term: prevTerm }, term)
  return { type: 'appendEntries', term, prevIndex, prevTerm, entries, commitIndex, round, clusterTime }
}

/** Each follows the one before, in a term that is not lower and at most the sender's (H20). */
function readEntries(reader: Reader, prev: { index: Index; term: Term }, highestTerm: Term): Entry[] {
  const entries: Entry[] = []
  let { index, term } = prev
  // Each entry takes a byte at least, so a false count ends the input before it fills the memory.
  for (let left = reader.varint(); left > 0; left--) {
    const at = reader.offset
    const entry = readEntry(reader)
    if (entry.index !== ++index) throw new MalformedError(`entry ${index} expected, found ${entry.index}`, at)
    if (entry.term < term || entry.term === 0 || entry.term > highestTerm) {
      throw new MalformedError(`a term of ${term} to ${highestTerm} expected, found ${entry.term}`, at)
    }
    finite(entry.clusterTime, at)
    finite(entry.wallTime, at)
    ;({ term } = entry)
    entries.push(entry)
  }
  return entries
}

function readAppendResult(reader: Reader, term: Term): AppendEntriesResult {
  const round = reader.varint()
  const promiseMs = reader.varint()
  const roomBytes = reader.varint()
  const matchIndex = reader.varint()
  const at = reader.offset
  const receivedIndex = reader.varint()
  if (receivedIndex < matchIndex) {
    throw new MalformedError(`at least ${matchIndex} received expected, found ${receivedIndex}`, at)
  }
  const refusal = readFlag(reader)
    ? { prevIndex: reader.varint(), hintIndex: reader.varint(), hintTerm: reader.varint() }
    : null
  const indexes = { matchIndex, receivedIndex }
  return { type: 'appendEntriesResult', term, round, ...indexes, refusal, promiseMs, roomBytes }
}

function readInstallSnapshot(reader: Reader, term: Term): InstallSnapshot {
  const offset = reader.varint()
  const meta = offset === 0 ? readMeta(reader) : { index: reader.varint(), term: reader.varint() }
  const done = readFlag(reader)
  const clusterTime = readTime(reader)
  const data = reader.bytes(reader.varint())
  return { type: 'installSnapshot', term, meta, offset, data, done, clusterTime }
}

function readMeta(reader: Reader): SnapshotMeta {
  const at = reader.offset
  const meta = readSnapshotMeta(reader)
  finite(meta.clusterTime, at)
  finite(meta.wallTime, at)
  return meta
}

function readInstallResult(reader: Reader, term: Term): InstallSnapshotResult {
  const snapshotIndex = reader.varint()
  const offset = reader.varint()
  const gap = readFlag(reader)
  return { type: 'installSnapshotResult', term, snapshotIndex, offset, gap, matchIndex: reader.varint() }
}
