/**
 * The machine to bytes and back: every kind of state there is, since all of it is records in spaces (H40).
 *
 * A snapshot is frames, each behind its length: one head (format version, the numbers of the machine), then
 * records by space (facts first, for they name the spaces) in key order, then one end with their count and
 * the state hash. A load computes the hash anew from what it has read and refuses another. The same state
 * gives the same bytes. Both directions work in steps of the caller's size.
 */
import { MalformedError, Reader, Writer } from '../bytes.ts'
import { readStored, writeStored } from '../codec.ts'
import { restoreFacts, restoreSpaces } from './facts.ts'
import type { Keyspace } from './keyspace.ts'
import { restore } from './keyspace.ts'
import type { Machine } from './machine.ts'
import { FACTS, createMachine, stateHash } from './machine.ts'
import { isBefore } from './order.ts'
import type { RecordView } from './result.ts'
import type { Slice } from './slice.ts'
import { UnsupportedByThisNode } from './unsupported.ts'
import type { View } from './view.ts'
import { openAll } from './view.ts'

const FORMAT = 1
const MAGIC = 0x4d434e43 // "CNCM"

const HEAD = 1
const RECORDS = 2
const END = 3

/** Records are gathered up to this; one that is larger has a frame of its own. */
const FRAME_BYTES = 64 * 1024
/** The largest record: a result of 16 MiB in the request table, two bytes a unit. */
const MAX_FRAME_BYTES = 34 * 1024 * 1024
/** How many keys a view is asked to look at, and how often in one step: many may be newer than the moment. */
const READ_KEYS = 64
const READS_PER_STEP = 128
const DEFAULT_LIMIT_BYTES = 256 * 1024 * 1024
/** Memory of a step that asks for no more than a frame, the last record past the mark included. */
const STEP_BYTES = FRAME_BYTES + 8 * 1024
const KEPT_BYTES = 1024 * 1024
const LENGTH_BYTES = 4
const PART_BYTES = 128 * 1024

/** Writes one moment of a machine that goes on changing. Close it, whether or not it was read to its end. */
export class SnapshotSource {
  /** What the snapshot covers. */
  readonly index: number
  readonly term: number
  readonly revision: number
  readonly clusterTime: number
  readonly wallTime: number
  readonly #hash: string
  readonly #parts: { readonly space: Keyspace; readonly view: View }[]
  #records: RecordView[] = []
  #at = 0
  #count = 0
  #readsLeft = 0
  #stage: 'head' | 'records' | 'end' | 'done' = 'head'
  /** Every step writes into the same memory: new memory costs more than what is done with it. */
  #writer = new Writer(STEP_BYTES)

  constructor(machine: Machine, limitBytes: number) {
    this.index = machine.appliedIndex
    this.term = machine.appliedTerm
    this.revision = machine.revision
    this.clusterTime = machine.clusterTime
    this.wallTime = machine.wallTime
    this.#hash = stateHash(machine)
    const parts = openAll(machine, limitBytes)
    this.#parts = [...parts.filter(isFacts), ...parts.filter((part) => !isFacts(part))]
  }

  /** Bytes of old versions held for the snapshot: how far writers are ahead of it. */
  get heldBytes(): number {
    return this.#parts.reduce((sum, { view }) => sum + view.heldBytes, 0)
  }

  /**
   * About `maxBytes` more, or one record that is larger, or nothing where only new keys are met; undefined
   * after the end. Good until the next call. Takes about 1 us per record. Throws `SNAPSHOT_TOO_OLD` when more
   * than `limitBytes` had to be held: begin again, faster.
   */
  next(maxBytes: number): Uint8Array | undefined {
    if (this.#stage === 'done') return undefined
    // What was made for one large value is not kept for the small ones behind it.
    if (this.#writer.buffer.length > KEPT_BYTES) this.#writer = new Writer(STEP_BYTES)
    const writer = this.#writer
    writer.truncate(0)
    if (this.#stage === 'head') this.#writeHead(writer)
    this.#readsLeft = READS_PER_STEP
    while (this.#stage === 'records' && writer.length < maxBytes && this.#readsLeft > 0) {
      this.#writeRecords(writer, Math.min(FRAME_BYTES, maxBytes - writer.length))
    }
    if (this.#stage === 'end') this.#writeEnd(writer)
    return writer.buffer.subarray(0, writer.length)
  }

  close(): void {
    this.#stage = 'done'
    for (const { view } of this.#parts) view.close()
    this.#parts.length = 0
    this.#records = []
  }

  #writeHead(writer: Writer): void {
    const start = beginFrame(writer, HEAD)
    writer.u32le(MAGIC)
    writer.varint(FORMAT)
    for (const number of [this.revision, this.clusterTime, this.wallTime, this.index, this.term]) {
      writer.f64le(number)
    }
    endFrame(writer, start)
    this.#stage = 'records'
  }

  /** One frame of records of one space, if there are any left in it; else goes on to the next space. */
  #writeRecords(writer: Writer, maxBytes: number): void {
    const part = this.#parts[0]
    if (part === undefined) {
      this.#stage = 'end'
      return
    }
    const found = this.#refill(part.view)
    if (found === 'end') this.#parts.shift()
    if (found !== 'record') return
    const start = beginFrame(writer, RECORDS)
    writer.varint(part.space.id)
    do {
      writeRecord(writer, this.#records[this.#at++]!)
      this.#count++
    } while (writer.length - start < maxBytes && this.#refill(part.view) === 'record')
    endFrame(writer, start)
  }

  #refill(view: View): 'record' | 'end' | 'later' {
    while (this.#at >= this.#records.length) {
      if (this.#readsLeft-- <= 0) return 'later'
      const records = view.next(READ_KEYS)
      if (records === undefined) return 'end'
      this.#records = records
      this.#at = 0
    }
    return 'record'
  }

  #writeEnd(writer: Writer): void {
    const start = beginFrame(writer, END)
    writer.varint(this.#count)
    writer.utf8(this.#hash)
    endFrame(writer, start)
    this.close()
  }
}

/** @param limitBytes of old versions held while the snapshot is read; default 256 MiB. */
export function snapshotSource(machine: Machine, limitBytes = DEFAULT_LIMIT_BYTES): SnapshotSource {
  return new SnapshotSource(machine, limitBytes)
}

/**
 * Builds a machine from the bytes of a snapshot, in whatever pieces they come. `push` takes about 1 us per
 * record: pieces of 256 KiB keep a step below a few milliseconds.
 *
 * Throws `MalformedError` for what is no snapshot, `UnsupportedByThisNode` for one that this node cannot
 * carry on from: a newer format, a setting, a slice that it lacks.
 */
export class SnapshotLoader {
  readonly #machine: Machine
  /** The beginning of a frame whose rest has not come. */
  #part = Buffer.allocUnsafeSlow(PART_BYTES)
  #partBytes = 0
  #stage: 'head' | 'facts' | 'records' | 'done' = 'head'
  #space = -1
  #last = ''
  #count = 0

  constructor(slices: readonly Slice[]) {
    this.#machine = createMachine(slices)
  }

  /** Frames are read where they lie; the caller may use the array again. */
  push(chunk: Uint8Array): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
    let at = this.#partBytes > 0 ? this.#complete(bytes) : 0
    for (;;) {
      const end = at + this.#wanted(bytes, at, bytes.length)
      if (end > bytes.length) break
      this.#load(new Reader(bytes, at + LENGTH_BYTES, end))
      at = end
    }
    this.#keep(bytes, at, bytes.length)
  }

  /** The machine, once everything has been pushed. */
  finish(): Machine {
    if (this.#stage !== 'done' || this.#partBytes > 0) {
      throw new MalformedError('the end of a snapshot expected', this.#partBytes)
    }
    return this.#machine
  }

  /** Of the frame at `from`, its length included; just that of the length while this is not there. */
  #wanted(bytes: Buffer, from: number, end: number): number {
    if (end - from < LENGTH_BYTES) return LENGTH_BYTES
    const length = bytes.readUInt32LE(from)
    if (length > MAX_FRAME_BYTES) throw new MalformedError(`a frame of ${length} bytes`, from)
    return LENGTH_BYTES + length
  }

  /** Adds to the frame that has begun; loads it when it is whole. Returns how many bytes that took. */
  #complete(bytes: Buffer): number {
    let at = 0
    for (;;) {
      const wanted = this.#wanted(this.#part, 0, this.#partBytes)
      const to = Math.min(bytes.length, at + wanted - this.#partBytes)
      this.#keep(bytes, at, to)
      at = to
      if (this.#partBytes < wanted) return at
      if (this.#wanted(this.#part, 0, wanted) > wanted) continue
      this.#load(new Reader(this.#part, LENGTH_BYTES, wanted))
      this.#partBytes = 0
      if (this.#part.length > KEPT_BYTES) this.#part = Buffer.allocUnsafeSlow(PART_BYTES)
      return at
    }
  }

  #keep(bytes: Buffer, from: number, to: number): void {
    const kept = this.#partBytes
    if (kept + to - from > this.#part.length) {
      // Memory of that size is taken once, and touched only as the bytes come.
      const wanted = Math.max(this.#wanted(this.#part, 0, kept), kept + to - from)
      const larger = Buffer.allocUnsafeSlow(wanted)
      this.#part.copy(larger, 0, 0, kept)
      this.#part = larger
    }
    bytes.copy(this.#part, kept, from, to)
    this.#partBytes += to - from
  }

  #load(reader: Reader): void {
    const kind = reader.u8()
    if (this.#stage === 'head' && kind === HEAD) this.#loadHead(reader)
    else if ((this.#stage === 'facts' || this.#stage === 'records') && kind === RECORDS)
      this.#loadRecords(reader)
    else if ((this.#stage === 'facts' || this.#stage === 'records') && kind === END) this.#loadEnd(reader)
    else throw new MalformedError(`a frame of kind ${kind} where none belongs`, reader.offset)
    reader.finish()
  }

  #loadHead(reader: Reader): void {
    if (reader.u32le() !== MAGIC) throw new MalformedError('a snapshot of a machine expected', reader.offset)
    const format = reader.varint()
    if (format !== FORMAT) {
      const lack = { name: 'format', found: `version ${format}`, supported: `version ${FORMAT}` }
      throw new UnsupportedByThisNode({ kind: 'snapshot', ...lack })
    }
    const machine = this.#machine
    machine.revision = readCount(reader)
    machine.clusterTime = readTime(reader)
    machine.wallTime = readTime(reader)
    machine.appliedIndex = readCount(reader)
    machine.appliedTerm = readCount(reader)
    this.#stage = 'facts'
  }

  #loadRecords(reader: Reader): void {
    const id = reader.varint()
    if (id !== this.#space) this.#enter(id, reader)
    const space = this.#machine.spaces.get(id)
    if (space === undefined)
      throw new MalformedError(`keys of a space ${id} that no fact names`, reader.offset)
    while (reader.remaining > 0) {
      const record = readRecord(reader, this.#machine.revision)
      if (space.count > 0 && !isBefore(space.order, this.#last, record.key)) {
        throw new MalformedError('keys in order expected', reader.offset)
      }
      restore(space, record)
      this.#last = record.key
      this.#count++
    }
  }

  /** Facts come first, then the other spaces by id, each once. */
  #enter(id: number, reader: Reader): void {
    if (id !== FACTS && this.#stage === 'facts') this.#endFacts()
    const isNext = this.#stage === 'facts' ? this.#space < 0 : id > this.#space && id !== FACTS
    if (!isNext) throw new MalformedError(`keys of space ${id} out of order`, reader.offset)
    this.#space = id
  }

  #endFacts(): void {
    restoreSpaces(this.#machine)
    restoreFacts(this.#machine)
    this.#stage = 'records'
    this.#space = -1
  }

  #loadEnd(reader: Reader): void {
    if (this.#stage === 'facts') this.#endFacts()
    const count = reader.varint()
    if (count !== this.#count) {
      throw new MalformedError(`${count} records expected, ${this.#count} there`, reader.offset)
    }
    const expected = reader.utf8()
    const found = stateHash(this.#machine)
    if (expected !== found) {
      throw new MalformedError(`the state hash ${expected} expected, found ${found}`, reader.offset)
    }
    this.#stage = 'done'
  }
}

/** @param slices all the code of slices that this node has. */
export function snapshotLoader(slices: readonly Slice[] = []): SnapshotLoader {
  return new SnapshotLoader(slices)
}

const isFacts = ({ space }: { readonly space: Keyspace }): boolean => space.id === FACTS

function beginFrame(writer: Writer, kind: number): number {
  const start = writer.length
  writer.u32le(0)
  writer.u8(kind)
  return start
}

function endFrame(writer: Writer, start: number): void {
  writer.buffer.writeUInt32LE(writer.length - start - 4, start)
}

function writeRecord(writer: Writer, record: RecordView): void {
  writer.utf8(record.key)
  writeStored(writer, record.value)
  writer.varint(record.revision)
  // Most keys have not changed often: small numbers take a byte.
  writer.varint(record.revision - record.createRevision)
  writer.varint(record.version * 2 + (record.expiresAt === 0 ? 0 : 1))
  if (record.expiresAt !== 0) writer.f64le(record.expiresAt)
}

function readRecord(reader: Reader, storeRevision: number): RecordView {
  const at = reader.offset
  const key = reader.utf8()
  const value = readStored(reader)
  const revision = reader.varint()
  const createRevision = revision - reader.varint()
  const flagged = reader.varint()
  const version = Math.floor(flagged / 2)
  const expiresAt = flagged % 2 === 0 ? 0 : readTime(reader)
  const isSound =
    key !== '' && revision <= storeRevision && createRevision >= 1 && version >= 1 && version <= 0xffffffff
  if (!isSound || (flagged % 2 === 1 && expiresAt === 0)) throw new MalformedError('a record expected', at)
  return { key, value, revision, createRevision, version, expiresAt }
}

function readTime(reader: Reader): number {
  const time = reader.f64le()
  if (time >= 0 && Number.isFinite(time)) return time
  throw new MalformedError(`a time expected, found ${time}`, reader.offset - 8)
}

function readCount(reader: Reader): number {
  const count = reader.f64le()
  if (Number.isSafeInteger(count) && count >= 0) return count
  throw new MalformedError(`a count expected, found ${count}`, reader.offset - 8)
}
