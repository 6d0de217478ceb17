/**
 * The frame around everything in a segment, and the batch: records that count together or not at all.
 *
 * A record says where it lies and how much of its segment was durable when it was written; its checksums are
 * seeded with the segment's salt. So bytes from elsewhere, a value that holds a copy of a log included, are
 * never taken for a record here, and one whole record behind a bad one tells whether the bad one had ever
 * been acknowledged. Byte by byte: docs/internals/disk-format.md.
 */
import { crc32 } from 'node:zlib'

import { MalformedError, Reader, type Writer } from '../../bytes.ts'
import { readEntry, readHardState, writeEntry, writeHardState } from '../../entry-codec.ts'
import type { LogBatch } from '../../ports.ts'
import type { Entry, HardState, Index } from '../../raft/types.ts'

export const RECORD_HEADER_BYTES = 24
/** Records begin at multiples of this. */
export const RECORD_ALIGNMENT = 8
const RECORD_VERSION = 1

export const RECORD = { entry: 1, hardState: 2, truncate: 3, commit: 4, seal: 5, close: 6 } as const
const LAST_KIND = RECORD.close

/** Where the next batch goes, and what its records say about what lies before. */
export interface Frame {
  /** Seeds every checksum of the segment; random, so that nobody can write a record into a value. */
  readonly salt: number
  /** Offset in the segment of the batch's first byte: the end of the batch before. */
  readonly start: number
  /** The segment up to here is on stable storage. */
  readonly durable: number
  /** Running checksum over the headers of all records of the segment. */
  readonly chain: number
}

export interface RecordHeader {
  readonly kind: number
  readonly version: number
  /** Over the payload and the zeros that pad it. */
  readonly payloadCrc: number
  readonly payloadBytes: number
  readonly durable: number
}

export const aligned = (bytes: number): number => Math.ceil(bytes / RECORD_ALIGNMENT) * RECORD_ALIGNMENT

/** Bytes that a record takes in the file. */
export const recordBytes = (payloadBytes: number): number => RECORD_HEADER_BYTES + aligned(payloadBytes)

// ------------------------------------------------------------------------------------------------ writing

/** Appends one batch to an empty writer. Returns the chain after it. */
export function writeBatch(writer: Writer, frame: Frame, batch: Omit<LogBatch, 'mustSync'>): number {
  return writeRecords(writer, frame, (record) => {
    const { truncateFrom, hardState } = batch
    if (truncateFrom !== undefined) record(RECORD.truncate, () => writer.varint(truncateFrom))
    for (const entry of batch.entries) record(RECORD.entry, () => writeEntry(writer, entry))
    if (hardState !== undefined) record(RECORD.hardState, () => writeHardState(writer, hardState))
  })
}

/** The segment is full; `sequence` is the next one, which is durable already. */
export function writeSeal(writer: Writer, frame: Frame, sequence: number): number {
  return writeRecords(writer, frame, (record) => record(RECORD.seal, () => writer.varint(sequence)))
}

/** The run ends here, on purpose. */
export function writeClose(writer: Writer, frame: Frame, runId: string): number {
  return writeRecords(writer, frame, (record) => record(RECORD.close, () => writer.utf8(runId)))
}

/**
 * All before is on stable storage, and nothing is under way. A closing mark of nobody's run: where a run has ended,
 * it does not stand in for the mark of that.
 */
export function writeRest(writer: Writer, frame: Frame, runId: string): number {
  return writeClose(writer, frame, `rest ${runId}`)
}

type Put = (kind: number, payload: () => void) => void

function writeRecords(writer: Writer, frame: Frame, fill: (record: Put) => void): number {
  const base = writer.length
  let chain = frame.chain
  let count = 0
  const record: Put = (kind, payload) => {
    const at = writer.length
    writer.reserve(RECORD_HEADER_BYTES)
    writer.length = at + RECORD_HEADER_BYTES
    payload()
    chain = closeRecord(writer, at, frame, frame.start + at - base, kind, chain)
    count++
  }
  fill(record)
  record(RECORD.commit, () => {
    writer.u32le(frame.start)
    writer.u32le(count)
    writer.u32le(chain)
  })
  return chain
}

/** Fills in the header of the record that begins at `at`, and pads it. Returns the chain after it. */
function closeRecord(
  writer: Writer,
  at: number,
  { salt, durable }: Frame,
  position: number,
  kind: number,
  chain: number,
): number {
  const payloadAt = at + RECORD_HEADER_BYTES
  const payloadBytes = writer.length - payloadAt
  const padding = aligned(payloadBytes) - payloadBytes
  writer.reserve(padding)
  const { buffer } = writer
  buffer.fill(0, writer.length, writer.length + padding)
  writer.length += padding

  buffer.writeUInt32LE(crc32(buffer.subarray(payloadAt, writer.length), salt), at + 4)
  buffer.writeUInt32LE(payloadBytes, at + 8)
  buffer.writeUInt32LE(position, at + 12)
  buffer.writeUInt32LE(durable, at + 16)
  buffer[at + 20] = kind
  buffer[at + 21] = RECORD_VERSION
  buffer.writeUInt16LE(0, at + 22)
  const headerCrc = crc32(buffer.subarray(at + 4, payloadAt), salt)
  buffer.writeUInt32LE(headerCrc, at)
  return nextChain(chain, headerCrc)
}

/** The header's checksum covers the payload's, so chaining it chains all. */
function nextChain(chain: number, headerCrc: number): number {
  return (Math.imul(chain, 0x9e3779b1) + headerCrc) >>> 0
}

// ------------------------------------------------------------------------------------------------ reading

/**
 * The header at `at` of `buffer`, which is at `position` of the segment. Undefined for anything that was not
 * written there, as it is, with this salt.
 */
export function readRecordHeader(
  buffer: Buffer,
  at: number,
  position: number,
  salt: number,
): RecordHeader | undefined {
  if (buffer.readUInt32LE(at + 12) !== position) return undefined
  const headerCrc = buffer.readUInt32LE(at)
  if (crc32(buffer.subarray(at + 4, at + RECORD_HEADER_BYTES), salt) !== headerCrc) return undefined
  return {
    kind: buffer[at + 20]!,
    version: buffer[at + 21]!,
    payloadCrc: buffer.readUInt32LE(at + 4),
    payloadBytes: buffer.readUInt32LE(at + 8),
    durable: buffer.readUInt32LE(at + 16),
  }
}

export function isKnownRecord({ kind, version }: RecordHeader): boolean {
  return version === RECORD_VERSION && kind >= 1 && kind <= LAST_KIND
}

/** What whole batches say, one after another. */
export interface BatchSink {
  truncate(from: Index): void
  entry(entry: Entry): void
  setHardState(state: HardState): void
}

type Pending =
  | { readonly kind: 'truncate'; readonly from: Index }
  | { readonly kind: 'entry'; readonly entry: Entry }
  | { readonly kind: 'hardState'; readonly state: HardState }
  | { readonly kind: 'mark'; readonly mark: Mark }

/** A batch that says something about the segment instead of the log. */
export type Mark =
  | { readonly kind: 'seal'; readonly sequence: number }
  | { readonly kind: 'close'; readonly runId: string }

/** Gathers the records of a segment, and lets a batch through when its commit marker has been seen. */
export class BatchReader {
  readonly #salt: number
  readonly #sink: BatchSink
  #pending: Pending[] = []
  #chain = 0
  /** What was on stable storage when the last whole batch was written. */
  durable: number
  /** After the last whole batch, a seal not counted, and the chain there. */
  end: number
  chain = 0
  /** What the last whole batch was, if it was a mark. */
  mark: Mark | undefined

  constructor(salt: number, start: number, sink: BatchSink) {
    this.#salt = salt
    this.#sink = sink
    this.end = start
    this.durable = start
  }

  /**
   * Takes the record at `at` of `buffer`, its payload included. False when the checksum of the payload or the
   * commit marker is wrong; a `MalformedError` when what is whole says nothing that this version knows.
   */
  take(header: RecordHeader, buffer: Buffer, at: number, position: number): boolean {
    const from = at + RECORD_HEADER_BYTES
    const payload = buffer.subarray(from, at + recordBytes(header.payloadBytes))
    if (crc32(payload, this.#salt) !== header.payloadCrc) return false
    if (!isKnownRecord(header)) {
      throw new MalformedError(`record kind ${header.kind}, version ${header.version} is not known here`, 0)
    }
    const reader = new Reader(buffer, from, from + header.payloadBytes)
    if (header.kind === RECORD.commit) {
      const whole =
        reader.u32le() === this.end &&
        reader.u32le() === this.#pending.length &&
        reader.u32le() === this.#chain
      if (!whole) return false
      this.#chain = nextChain(this.#chain, buffer.readUInt32LE(at))
      this.#commit(position + recordBytes(header.payloadBytes), header.durable)
      return true
    }
    this.#pending.push(readPayload(header.kind, reader))
    reader.finish()
    this.#chain = nextChain(this.#chain, buffer.readUInt32LE(at))
    return true
  }

  #commit(end: number, durable: number): void {
    this.mark = undefined
    for (const record of this.#pending) {
      if (record.kind === 'entry') this.#sink.entry(record.entry)
      else if (record.kind === 'truncate') this.#sink.truncate(record.from)
      else if (record.kind === 'hardState') this.#sink.setHardState(record.state)
      else this.mark = record.mark
    }
    this.#pending = []
    // A seal is no part of what it seals: the next segment was made before it was written.
    if (this.mark?.kind === 'seal') return
    this.end = end
    this.durable = durable
    this.chain = this.#chain
  }
}

function readPayload(kind: number, reader: Reader): Pending {
  switch (kind) {
    case RECORD.entry:
      return { kind: 'entry', entry: readEntry(reader) }
    case RECORD.truncate:
      return { kind: 'truncate', from: reader.varint() }
    case RECORD.hardState:
      return { kind: 'hardState', state: readHardState(reader) }
    case RECORD.seal:
      return { kind: 'mark', mark: { kind: 'seal', sequence: reader.varint() } }
    default:
      return { kind: 'mark', mark: { kind: 'close', runId: reader.utf8() } }
  }
}
