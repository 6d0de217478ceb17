/**
 * A machine from the bytes of a snapshot. Frames are read where they lie; only one of which a part has yet to
 * come is copied. So are the bytes of values, once, into the arena.
 */
import { MalformedError, Reader } from '../bytes.ts'
import { readEncoded } from '../codec.ts'
import { restoreFacts, restoreSpaces } from './facts.ts'
import type { Keyspace } from './keyspace.ts'
import { restore } from './keyspace.ts'
import type { Machine } from './machine.ts'
import { FACTS, createMachine, stateHash } from './machine.ts'
import { isBefore } from './order.ts'
import type { Slice } from './slice.ts'
import { END, FORMAT, HEAD, LENGTH_BYTES, MAGIC, MAX_FRAME_BYTES, RECORDS } from './snapshot-format.ts'
import { UnsupportedByThisNode } from './unsupported.ts'

const PART_BYTES = 128 * 1024
/** What was needed for a frame that is larger is not kept. */
const KEPT_BYTES = 1024 * 1024

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
      const key = reader.utf8()
      if (space.count > 0 && !isBefore(space.order, this.#last, key)) {
        throw new MalformedError('keys in order expected', reader.offset)
      }
      loadRecord(reader, space, key, this.#machine.revision)
      this.#last = key
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

/** What follows the key of a record. */
function loadRecord(reader: Reader, space: Keyspace, key: string, storeRevision: number): void {
  const start = reader.offset
  const value = readEncoded(reader)
  const revision = reader.varint()
  const createRevision = revision - reader.varint()
  const flagged = reader.varint()
  const version = Math.floor(flagged / 2)
  const deadline = flagged % 2 === 0 ? 0 : readTime(reader)
  const isSound =
    key !== '' && revision <= storeRevision && createRevision >= 1 && version >= 1 && version <= 0xffffffff
  if (!isSound || (flagged % 2 === 1 && deadline === 0)) throw new MalformedError('a record expected', start)
  restore(space, key, value, revision, createRevision, version, deadline)
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
