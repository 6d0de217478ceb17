/**
 * The machine to bytes, in steps of the caller's size, while it goes on changing: a view of each space, from
 * which the bytes of values are copied into frames as they lie in the arena. The bytes of
 * a large value are handed out in pieces, uncopied.
 */
import { Writer } from '../bytes.ts'
import { writeStored } from '../codec.ts'
import {
  LARGE,
  cellAt,
  createRevisionAt,
  expiresAt,
  keyAt,
  largeAt,
  revisionAt,
  versionAt,
} from './columns.ts'
import type { Keyspace } from './keyspace.ts'
import type { Machine } from './machine.ts'
import { FACTS, stateHash } from './machine.ts'
import { END, FORMAT, FRAME_BYTES, HEAD, LENGTH_BYTES, MAGIC, RECORDS } from './snapshot-format.ts'
import type { RawRecord } from './values.ts'
import { writeAt } from './values.ts'
import type { Taker, View } from './view.ts'
import { openAll } from './view.ts'

/** How many keys a view is asked to look at, and how often in one step: many may be newer than the moment. */
const READ_KEYS = 64
const READS_PER_STEP = 128
const DEFAULT_LIMIT_BYTES = 256 * 1024 * 1024
/** Memory of a step: a frame, and past the mark one more record. */
const STEP_BYTES = 2 * FRAME_BYTES + 4 * 1024
/** Of revision, creation, version and deadline. */
const MOST_NUMBERS_BYTES = 32

/** A value that is handed out piece by piece, in the middle of its record. */
interface LargeValue {
  readonly bytes: Uint8Array
  at: number
  /** What follows it. */
  readonly tail: Uint8Array
}

/** Writes one moment of a machine that goes on changing. Close it, whether or not it was read to its end. */
export class SnapshotSource implements Taker {
  /** What the snapshot covers. */
  readonly index: number
  readonly term: number
  readonly revision: number
  readonly clusterTime: number
  readonly wallTime: number
  readonly #hash: string
  readonly #parts: { readonly space: Keyspace; readonly view: View }[]
  #count = 0
  #readsLeft = 0
  /** Where the frame that is being written begins, -1 while none is; and where it is to end. */
  #frame = -1
  #frameEnd = 0
  #large: LargeValue | undefined
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
   * About `maxBytes` more, or nothing where only new keys are met; undefined after the end. Good until the
   * next call. Takes about 1 us per record. Throws `SNAPSHOT_TOO_OLD` when more than `limitBytes` had to be
   * held: begin again, faster.
   */
  next(maxBytes: number): Uint8Array | undefined {
    if (this.#stage === 'done') return undefined
    const writer = this.#writer
    writer.truncate(0)
    if (this.#large !== undefined) {
      const piece = this.#nextPiece(this.#large, maxBytes)
      if (piece !== undefined) return piece
    }
    if (this.#stage === 'head') this.#writeHead(writer)
    this.#readsLeft = READS_PER_STEP
    while (this.#stage === 'records' && writer.length < maxBytes && this.#mayRead) {
      this.#writeRecords(writer, Math.min(FRAME_BYTES, maxBytes - writer.length))
    }
    if (this.#stage === 'end') this.#writeEnd(writer)
    return writer.buffer.subarray(0, writer.length)
  }

  close(): void {
    this.#stage = 'done'
    for (const { view } of this.#parts) view.close()
    this.#parts.length = 0
    this.#large = undefined
  }

  get #mayRead(): boolean {
    return this.#readsLeft > 0 && this.#large === undefined
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
    this.#frame = -1
    this.#frameEnd = writer.length + maxBytes
    while (this.hasRoom && this.#readsLeft-- > 0) {
      if (part.view.read(READ_KEYS, this) !== undefined) continue
      this.#parts.shift()
      break
    }
    // A large value has told its frame's length already.
    if (this.#frame >= 0 && this.#large === undefined) endFrame(writer, this.#frame)
  }

  get hasRoom(): boolean {
    if (this.#large !== undefined) return false
    return this.#frame < 0 || this.#writer.length < this.#frameEnd
  }

  slot(slot: number): void {
    const { columns } = this.#parts[0]!.space
    const revision = revisionAt(columns, slot)
    const createRevision = createRevisionAt(columns, slot)
    const numbers = { revision, createRevision, version: versionAt(columns, slot) }
    const record = { ...numbers, expiresAt: expiresAt(columns, slot) }
    this.#beginRecord(keyAt(columns, slot))
    if (cellAt(columns, slot) === LARGE) {
      this.#writeLarge(largeAt(columns, slot), record)
    } else {
      writeAt(this.#writer, columns, slot)
      writeNumbers(this.#writer, record)
    }
  }

  kept(record: RawRecord): void {
    const { key, envelope } = record
    this.#beginRecord(key)
    if (typeof envelope.content !== 'string') {
      this.#writeLarge(envelope.content, record)
    } else {
      writeStored(this.#writer, envelope)
      writeNumbers(this.#writer, record)
    }
  }

  #beginRecord(key: string): void {
    const writer = this.#writer
    if (this.#frame < 0) {
      this.#frame = beginFrame(writer, RECORDS)
      writer.varint(this.#parts[0]!.space.id)
    }
    writer.utf8(key)
    this.#count++
  }

  /** What is longer than a step comes after it, from where it lies: it is copied once, by whoever takes it. */
  #writeLarge(bytes: Uint8Array, numbers: Numbers): void {
    const writer = this.#writer
    if (bytes.length <= FRAME_BYTES) {
      writer.bytes(bytes)
      writeNumbers(writer, numbers)
      return
    }
    const tail = new Writer(MOST_NUMBERS_BYTES)
    writeNumbers(tail, numbers)
    this.#large = { bytes, at: 0, tail: tail.take() }
    const length = writer.length - this.#frame - LENGTH_BYTES + bytes.length + this.#large.tail.length
    writer.buffer.writeUInt32LE(length, this.#frame)
  }

  /** Undefined, with the tail written, when there is no more of it. */
  #nextPiece(large: LargeValue, maxBytes: number): Uint8Array | undefined {
    const { bytes, at, tail } = large
    if (at < bytes.length) {
      large.at = Math.min(bytes.length, at + maxBytes)
      return bytes.subarray(at, large.at)
    }
    this.#large = undefined
    this.#writer.bytes(tail)
    return undefined
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

const isFacts = ({ space }: { readonly space: Keyspace }): boolean => space.id === FACTS

function beginFrame(writer: Writer, kind: number): number {
  const start = writer.length
  writer.u32le(0)
  writer.u8(kind)
  return start
}

function endFrame(writer: Writer, start: number): void {
  writer.buffer.writeUInt32LE(writer.length - start - LENGTH_BYTES, start)
}

type Numbers = Omit<RawRecord, 'key' | 'envelope'>

function writeNumbers(writer: Writer, { revision, createRevision, version, expiresAt: at }: Numbers): void {
  writer.varint(revision)
  // Most keys have not changed often: small numbers take a byte.
  writer.varint(revision - createRevision)
  writer.varint(version * 2 + (at === 0 ? 0 : 1))
  if (at !== 0) writer.f64le(at)
}
