/**
 * An entry as bytes, and the two records that travel with it: a membership and a hard state.
 *
 * The same bytes go to the disk and over the wire. Each begins with its own format number, so that a node
 * that meets a newer one stops before it applies anything. Page: docs/internals/disk-format.md.
 */
import { MalformedError, type Reader, type Writer } from './bytes.ts'
import type {
  Entry,
  EntryKind,
  HardState,
  MemberInfo,
  Membership,
  SnapshotMeta,
  WallMark,
} from './raft/types.ts'

const FORMAT = 1

const ENTRY_KINDS: readonly EntryKind[] = ['noop', 'commands', 'membership']
const NO_BYTES = new Uint8Array(0)

function readFormat(reader: Reader, what: string): void {
  const at = reader.offset
  const found = reader.u8()
  if (found !== FORMAT) throw new MalformedError(`${what} format ${FORMAT} expected, found ${found}`, at)
}

export function writeEntry(writer: Writer, entry: Entry): void {
  writer.u8(FORMAT)
  writer.u8(ENTRY_KINDS.indexOf(entry.kind))
  writer.varint(entry.index)
  writer.varint(entry.term)
  writer.f64le(entry.clusterTime)
  writer.f64le(entry.wallTime)
  if (entry.membership !== undefined) {
    writeMembership(writer, entry.membership)
  } else if (entry.kind === 'commands') {
    writer.varint(entry.data.length)
    writer.bytes(entry.data)
  }
}

/** `data` of the entry is a view of what is read. Throws `MalformedError`. */
export function readEntry(reader: Reader): Entry {
  readFormat(reader, 'entry')
  const kindAt = reader.offset
  const kind = ENTRY_KINDS[reader.u8()]
  if (kind === undefined) throw new MalformedError('entry kind 0 to 2 expected', kindAt)
  const index = reader.varint()
  const term = reader.varint()
  const clusterTime = reader.f64le()
  const wallTime = reader.f64le()
  const head = { index, term, kind, clusterTime, wallTime }
  if (kind === 'membership') return { ...head, data: NO_BYTES, membership: readMembership(reader) }
  return { ...head, data: kind === 'commands' ? reader.bytes(reader.varint()) : NO_BYTES }
}

export function writeMembership(writer: Writer, membership: Membership): void {
  writer.u8(FORMAT)
  for (const ids of [membership.voters, membership.outgoing, membership.learners, membership.removed]) {
    writer.varint(ids.length)
    for (const id of ids) writer.utf8(id)
  }
  const members = Object.entries(membership.members)
  writer.varint(members.length)
  for (const [id, { name, incarnation, address, staysLearner }] of members) {
    writer.utf8(id)
    writer.utf8(name)
    writer.utf8(incarnation)
    writer.utf8(address)
    writer.u8(staysLearner === true ? 1 : 0)
  }
}

function readIds(reader: Reader): string[] {
  const ids: string[] = []
  // Each id takes a byte at least, so a false count ends the input before it fills the memory.
  for (let left = reader.varint(); left > 0; left--) ids.push(reader.utf8())
  return ids
}

function readMember(reader: Reader): MemberInfo {
  const member = { name: reader.utf8(), incarnation: reader.utf8(), address: reader.utf8() }
  const at = reader.offset
  const mark = reader.u8()
  if (mark > 1) throw new MalformedError(`0 or 1 expected behind a member, found ${mark}`, at)
  return mark === 1 ? { ...member, staysLearner: true } : member
}

export function readMembership(reader: Reader): Membership {
  readFormat(reader, 'membership')
  const voters = readIds(reader)
  const outgoing = readIds(reader)
  const learners = readIds(reader)
  const removed = readIds(reader)
  const members: [string, MemberInfo][] = []
  for (let left = reader.varint(); left > 0; left--) {
    const id = reader.utf8()
    members.push([id, readMember(reader)])
  }
  return { voters, outgoing, learners, members: Object.fromEntries(members), removed }
}

const HAS_VOTE = 1
const HAS_MARK = 2

export function writeHardState(writer: Writer, { term, votedFor, wallMark }: HardState): void {
  writer.u8(FORMAT)
  writer.varint(term)
  writer.u8((votedFor === null ? 0 : HAS_VOTE) + (wallMark === undefined ? 0 : HAS_MARK))
  if (votedFor !== null) writer.utf8(votedFor)
  if (wallMark === undefined) return
  writer.f64le(wallMark.offsetMs)
  writer.varint(wallMark.term)
}

export function readHardState(reader: Reader): HardState {
  readFormat(reader, 'hard state')
  const term = reader.varint()
  const at = reader.offset
  const has = reader.u8()
  if (has > HAS_VOTE + HAS_MARK) throw new MalformedError('0 to 3 expected before a vote', at)
  const votedFor = (has & HAS_VOTE) === 0 ? null : reader.utf8()
  return (has & HAS_MARK) === 0 ? { term, votedFor } : { term, votedFor, wallMark: readWallMark(reader) }
}

function readWallMark(reader: Reader): WallMark {
  const at = reader.offset
  const offsetMs = reader.f64le()
  if (!Number.isFinite(offsetMs)) throw new MalformedError(`a time expected, found ${offsetMs}`, at)
  return { offsetMs, term: reader.varint() }
}

export function writeSnapshotMeta(writer: Writer, meta: SnapshotMeta): void {
  writer.u8(FORMAT)
  writer.varint(meta.index)
  writer.varint(meta.term)
  writer.f64le(meta.clusterTime)
  writer.f64le(meta.wallTime)
  writeMembership(writer, meta.membership)
}

export function readSnapshotMeta(reader: Reader): SnapshotMeta {
  readFormat(reader, 'snapshot meta')
  return {
    index: reader.varint(),
    term: reader.varint(),
    clusterTime: reader.f64le(),
    wallTime: reader.f64le(),
    membership: readMembership(reader),
  }
}
