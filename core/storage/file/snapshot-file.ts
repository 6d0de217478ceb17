/**
 * The file of a snapshot: a header with the facts of the log at that point, blocks, a footer.
 *
 * Every block ends with a checksum that covers its number, so that one can be read and trusted alone; the
 * footer chains them all to the header and says how many bytes there are. Page: docs/internals/disk-format.md.
 */
import { crc32 } from 'node:zlib'

import { Reader, Writer } from '../../bytes.ts'
import { readSnapshotMeta, writeSnapshotMeta } from '../../entry-codec.ts'
import type { SnapshotMeta } from '../../raft/types.ts'
import type { Disk, DiskFile } from './disk.ts'
import { corrupted, decodeOrRefuse } from './errors.ts'

/** Bytes of the snapshot in each block but the last. */
export const BLOCK_BYTES = 64 * 1024
export const TRAILER_BYTES = 4
/** Blocks that are read, or gathered for a write, at once. */
export const RUN_BLOCKS = 8
/** A full run with its checksums. */
export const RUN_BYTES = RUN_BLOCKS * (BLOCK_BYTES + TRAILER_BYTES)
const FOOTER_BYTES = 32
const FIXED_HEADER_BYTES = 20
const VERSION = 1

const HEADER_MAGIC = Buffer.from('CNCDSNAP', 'latin1')
const FOOTER_MAGIC = Buffer.from('CNCDSEND', 'latin1')

export interface Owner {
  readonly clusterId: string
  readonly incarnation: string
}

export interface SnapshotFile {
  readonly file: DiskFile
  readonly path: string
  readonly meta: SnapshotMeta
  readonly owner: Owner
  readonly headerBytes: number
  readonly payloadBytes: number
  readonly blocks: number
  /** Where the chain over the blocks begins and ends. */
  readonly chain: { readonly from: number; readonly to: number }
}

export function encodeHeader(meta: SnapshotMeta, { clusterId, incarnation }: Owner): Buffer {
  const writer = new Writer()
  writer.utf8(clusterId)
  writer.utf8(incarnation)
  writeSnapshotMeta(writer, meta)
  const body = writer.take()
  const header = Buffer.alloc(FIXED_HEADER_BYTES + body.length)
  header.set(HEADER_MAGIC)
  header.writeUInt32LE(VERSION, 8)
  header.writeUInt32LE(body.length, 12)
  header.set(body, FIXED_HEADER_BYTES)
  header.writeUInt32LE(headerCrc(header), 16)
  return header
}

/** The header's checksum, with which the chain begins: so the blocks of another snapshot do not fit. */
export const chainStart = (header: Buffer): number => header.readUInt32LE(16)

const headerCrc = (header: Buffer): number =>
  crc32(header.subarray(FIXED_HEADER_BYTES), crc32(header.subarray(0, 16)))

/** Writes the checksum of `run[from .. to)`, one block, behind it. Returns the chain after the block. */
export function sealBlock(run: Buffer, from: number, to: number, block: number, chain: number): number {
  run.writeUInt32LE(crc32(run.subarray(from, to), block), to)
  return crc32(run.subarray(to, to + TRAILER_BYTES), chain)
}

export function encodeFooter({ payloadBytes, chain }: { payloadBytes: number; chain: number }): Buffer {
  const footer = Buffer.alloc(FOOTER_BYTES)
  footer.set(FOOTER_MAGIC)
  footer.writeDoubleLE(payloadBytes, 8)
  footer.writeUInt32LE(chain, 16)
  footer.writeUInt32LE(crc32(footer.subarray(0, 28)), 28)
  return footer
}

/** Opens a file and reads its two ends. Rejects with `CORRUPTED` (file and offset) or an error of the disk. */
export async function openSnapshotFile(disk: Disk, path: string): Promise<SnapshotFile> {
  const file = await disk.open(path, 'read')
  try {
    const size = await file.size()
    const header = await readHeader(file, path, size)
    const { clusterId, incarnation, meta } = decodeOrRefuse(path, FIXED_HEADER_BYTES, () => {
      const reader = new Reader(header, FIXED_HEADER_BYTES)
      const facts = { clusterId: reader.utf8(), incarnation: reader.utf8(), meta: readSnapshotMeta(reader) }
      reader.finish()
      return facts
    })
    const { payloadBytes, chain } = await readFooter(file, path, size)
    const blocks = Math.ceil(payloadBytes / BLOCK_BYTES)
    const expected = header.length + payloadBytes + blocks * TRAILER_BYTES + FOOTER_BYTES
    if (size !== expected) {
      throw corrupted({
        file: path,
        offset: Math.min(size, expected),
        problem: `${expected} bytes expected, found ${size}`,
      })
    }
    const owner = { clusterId, incarnation }
    const headerBytes = header.length
    return {
      file,
      path,
      meta,
      owner,
      headerBytes,
      payloadBytes,
      blocks,
      chain: { from: chainStart(header), to: chain },
    }
  } catch (error) {
    await file.close()
    throw error
  }
}

async function readHeader(file: DiskFile, path: string, size: number): Promise<Buffer> {
  const fixed = Buffer.alloc(FIXED_HEADER_BYTES)
  const read = await file.read(fixed, 0)
  if (read < FIXED_HEADER_BYTES || !fixed.subarray(0, 8).equals(HEADER_MAGIC)) {
    throw corrupted({ file: path, offset: 0, problem: 'not a snapshot' })
  }
  const bodyBytes = fixed.readUInt32LE(12)
  if (bodyBytes > size)
    throw corrupted({ file: path, offset: 12, problem: 'the header is longer than the file' })
  const header = Buffer.alloc(FIXED_HEADER_BYTES + bodyBytes)
  const whole =
    (await file.read(header, 0)) === header.length && headerCrc(header) === header.readUInt32LE(16)
  if (!whole) throw corrupted({ file: path, offset: 16, problem: "the header's checksum is wrong" })
  const version = header.readUInt32LE(8)
  if (version === VERSION) return header
  throw corrupted({ file: path, offset: 8, problem: `snapshot format ${VERSION} expected, found ${version}` })
}

async function readFooter(
  file: DiskFile,
  path: string,
  size: number,
): Promise<{ payloadBytes: number; chain: number }> {
  const at = Math.max(0, size - FOOTER_BYTES)
  const footer = Buffer.alloc(FOOTER_BYTES)
  await file.read(footer, at)
  const payloadBytes = footer.readDoubleLE(8)
  const whole =
    footer.subarray(0, 8).equals(FOOTER_MAGIC) &&
    crc32(footer.subarray(0, 28)) === footer.readUInt32LE(28) &&
    Number.isSafeInteger(payloadBytes) &&
    payloadBytes >= 0
  if (!whole)
    throw corrupted({
      file: path,
      offset: at,
      problem: 'there is no whole footer: the file was cut short or overwritten',
    })
  return { payloadBytes, chain: footer.readUInt32LE(16) }
}

/** The payload of some blocks, each compared with its checksum. Rejects with `CORRUPTED`. */
export async function readBlocks(snapshot: SnapshotFile, first: number, count: number): Promise<Buffer> {
  const last = Math.min(snapshot.blocks, first + count)
  const { payload } = unseal(snapshot, first, last, await readRun(snapshot, first, last), 0)
  return payload
}

/**
 * All of the payload, in runs, each good until the next is asked for: while one is looked at, the next is
 * read into the other of two buffers. Rejects with `CORRUPTED`, in the end also when the chain is another.
 */
export async function* readRuns(snapshot: SnapshotFile): AsyncGenerator<Buffer, void, undefined> {
  const { blocks, chain: ends, path } = snapshot
  const endOf = (first: number): number => Math.min(blocks, first + RUN_BLOCKS)
  let [run, other] = [Buffer.allocUnsafeSlow(RUN_BYTES), Buffer.allocUnsafeSlow(RUN_BYTES)]
  let chain = ends.from
  let reading = readRun(snapshot, 0, endOf(0), run)
  try {
    for (let first = 0; first < blocks; first += RUN_BLOCKS) {
      const last = endOf(first)
      const raw = await reading
      reading = readRun(snapshot, last, endOf(last), other)
      // Until it is waited for, what becomes of it is nobody's.
      reading.catch(() => undefined)
      const { payload, chain: next } = unseal(snapshot, first, last, raw, chain)
      chain = next
      yield payload
      ;[run, other] = [other, run]
    }
  } finally {
    // Nobody closes the file under it.
    await reading.catch(() => undefined)
  }
  if (chain === ends.to) return
  throw corrupted({ file: path, offset: 0, problem: 'the blocks do not belong to this header and footer' })
}

/** Reads every block and compares the chain. Rejects with `CORRUPTED`. */
export async function verifySnapshot(snapshot: SnapshotFile): Promise<void> {
  for await (const run of readRuns(snapshot)) void run
}

/** Blocks `[first .. last)` with their checksums, as they stand in the file. */
async function readRun(
  { file, path, headerBytes, payloadBytes }: SnapshotFile,
  first: number,
  last: number,
  into?: Buffer,
): Promise<Buffer> {
  const bytes = Math.min(payloadBytes, last * BLOCK_BYTES) - first * BLOCK_BYTES
  if (first >= last) return Buffer.alloc(0)
  const rawBytes = bytes + (last - first) * TRAILER_BYTES
  const raw = into === undefined ? Buffer.allocUnsafeSlow(rawBytes) : into.subarray(0, rawBytes)
  const start = headerBytes + first * (BLOCK_BYTES + TRAILER_BYTES)
  const read = await file.read(raw, start)
  if (read === rawBytes) return raw
  throw corrupted({ file: path, offset: start + read, problem: 'the file is cut short' })
}

/** Compares the checksums of a run and squeezes them out, in place. */
function unseal(
  { path, headerBytes, payloadBytes }: SnapshotFile,
  first: number,
  last: number,
  raw: Buffer,
  chain: number,
): { readonly payload: Buffer; readonly chain: number } {
  let filled = 0
  let at = 0
  let next = chain
  for (let block = first; block < last; block++) {
    const length = Math.min(BLOCK_BYTES, payloadBytes - block * BLOCK_BYTES)
    const trailer = raw.subarray(at + length, at + length + TRAILER_BYTES)
    if (crc32(raw.subarray(at, at + length), block) !== trailer.readUInt32LE(0)) {
      throw corrupted({
        file: path,
        offset: headerBytes + first * (BLOCK_BYTES + TRAILER_BYTES) + at,
        problem: `block ${block} does not match its checksum`,
      })
    }
    next = crc32(trailer, next)
    if (filled !== at) raw.copyWithin(filled, at, at + length)
    filled += length
    at += length + TRAILER_BYTES
  }
  return { payload: raw.subarray(0, filled), chain: next }
}
