// Fuzzing of everything that is read from a data directory: segments, snapshots, the identity. Bytes are changed
// where it hurts, and the checksums put right again, or nothing would get past them.
//
//   npm run fuzz -- --only storage
//
// Nothing but a typed refusal may come out, within a bounded time; and where the checksums were not put right,
// what a log yields is what was written.

import assert from 'node:assert/strict'
import { crc32 } from 'node:zlib'

import { ConcordError } from '../../core/errors.ts'
import type { Entry } from '../../core/raft/types.ts'
import { decodeIdentity } from '../../core/storage/file/identity.ts'
import { readRecordHeader, RECORD_HEADER_BYTES, recordBytes } from '../../core/storage/file/record.ts'
import { readLog } from '../../core/storage/file/recovery.ts'
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES } from '../../core/storage/file/segment.ts'
import { openSnapshotFile, verifySnapshot } from '../../core/storage/file/snapshot-file.ts'
import { CrashDisk } from '../../core/testing/disk.ts'
import { alone, command, DIR, metaAt, recoverOn, settled, takeSnapshot, voteFor, random } from './world.ts'

const MS_PER_64_KIB = 50
const INTERESTING = [0, 1, 7, 8, 24, 127, 128, 255, 256, 2 ** 16, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1]

type Chance = () => number
const below = (chance: Chance, n: number): number => Math.floor(chance() * n)

// --------------------------------------------------------------------------------------------- the mutators

const mutators: readonly ((bytes: Buffer, chance: Chance) => Buffer)[] = [
  function flip(bytes, chance) {
    bytes[below(chance, bytes.length)]! ^= 1 << below(chance, 8)
    return bytes
  },
  function number(bytes, chance) {
    if (bytes.length < 4) return bytes
    bytes.writeUInt32LE(INTERESTING[below(chance, INTERESTING.length)]!, below(chance, bytes.length - 3))
    return bytes
  },
  function zeros(bytes, chance) {
    const at = below(chance, bytes.length)
    return bytes.fill(0, at, Math.min(bytes.length, at + below(chance, 600)))
  },
  function copy(bytes, chance) {
    const from = below(chance, bytes.length)
    bytes.copy(bytes, below(chance, bytes.length), from, from + below(chance, 400))
    return bytes
  },
  function cut(bytes, chance) {
    return bytes.subarray(0, below(chance, bytes.length))
  },
  function varint(bytes, chance) {
    const at = below(chance, bytes.length)
    return bytes.fill(0xff, at, Math.min(bytes.length, at + 1 + below(chance, 9)))
  },
]

function mutate(bytes: Buffer, chance: Chance, times: number): Buffer {
  let mutant = bytes
  for (let i = 0; i < times && mutant.length > 0; i++) {
    mutant = mutators[below(chance, mutators.length)]!(mutant, chance)
  }
  return mutant
}

// ---------------------------------------------------------------------------------------------- the targets

interface Corpus {
  readonly disk: CrashDisk
  readonly segments: readonly string[]
  readonly snapshot: string
  readonly identity: string
  readonly entries: readonly Entry[]
  readonly owner: { readonly clusterId: string; readonly incarnation: string }
}

async function corpus(): Promise<Corpus> {
  const disk = new CrashDisk()
  const { storage } = await recoverOn(disk, { segmentBytes: 16 * 1024 })
  const { name, incarnation } = storage.identity
  const members = [{ name, incarnation, address: '' }]
  await storage.identity.update({
    founding: { id: 'f', by: { name, incarnation }, attempt: 1, members, foundedAt: 1 },
  })
  const entries: Entry[] = []
  const append = async (entry: Entry, truncateFrom?: number): Promise<void> => {
    if (truncateFrom !== undefined) entries.length = truncateFrom - 1
    entries.push(entry)
    await storage.log.append({
      entries: [entry],
      truncateFrom,
      hardState: voteFor(entry.term, 'n1/a'),
      mustSync: true,
    })
  }
  for (let i = 1; i <= 9; i++) await append(command(i, 1, Buffer.alloc(i * 300, `entry ${i} `)))
  await append({ ...command(7, 2, ''), kind: 'membership', membership: alone }, 7)
  await append({ ...command(8, 2, ''), kind: 'noop' })
  await takeSnapshot(storage, metaAt(3, 1), Buffer.alloc(70_000, 'state '))
  await settled()
  const paths = [...disk.names.keys()]
  return {
    disk: disk.copy(),
    segments: paths.filter((path) => path.includes('/segment-')),
    snapshot: paths.find((path) => path.endsWith('.snap'))!,
    identity: `${DIR}/identity.json`,
    entries,
    owner: storage.identity,
  }
}

/** One record of a segment is changed, header or contents, and its checksums are made to agree. */
function mutateRecord(bytes: Buffer, chance: Chance): Buffer {
  const { salt } = decodeSegmentHeader(bytes)
  const places: number[] = []
  for (let at = SEGMENT_HEADER_BYTES; at + RECORD_HEADER_BYTES <= bytes.length;) {
    const header = readRecordHeader(bytes, at, at, salt)
    if (header === undefined) break
    places.push(at)
    at += recordBytes(header.payloadBytes)
  }
  const at = places[below(chance, places.length)]!
  const length = recordBytes(bytes.readUInt32LE(at + 8))
  if (chance() < 0.4) bytes.writeUInt32LE(INTERESTING[below(chance, INTERESTING.length)]!, at + 8)
  else if (chance() < 0.3) bytes[at + 20 + below(chance, 4)] = below(chance, 256)
  else mutate(bytes.subarray(at + RECORD_HEADER_BYTES, at + length), chance, 1 + below(chance, 3))
  const end = Math.min(bytes.length, at + recordBytes(bytes.readUInt32LE(at + 8)))
  bytes.writeUInt32LE(crc32(bytes.subarray(at + RECORD_HEADER_BYTES, end), salt), at + 4)
  bytes.writeUInt32LE(crc32(bytes.subarray(at + 4, at + RECORD_HEADER_BYTES), salt), at)
  return bytes
}

function fixSegmentHeader(bytes: Buffer): Buffer {
  if (bytes.length < SEGMENT_HEADER_BYTES) return bytes
  bytes.writeUInt32LE(crc32(bytes.subarray(16, SEGMENT_HEADER_BYTES), crc32(bytes.subarray(0, 12))), 12)
  return bytes
}

function fixSnapshot(bytes: Buffer): Buffer {
  if (bytes.length < 60) return bytes
  const end = Math.min(bytes.length, 20 + bytes.readUInt32LE(12))
  bytes.writeUInt32LE(crc32(bytes.subarray(20, end), crc32(bytes.subarray(0, 16))), 16)
  const footer = bytes.subarray(-32)
  footer.writeUInt32LE(crc32(footer.subarray(0, 28)), 28)
  return bytes
}

function fixIdentity(bytes: Buffer): Buffer {
  const body = bytes.toString('utf8').slice(bytes.indexOf('\n') + 1)
  return Buffer.from(`{"crc32": "${crc32(body).toString(16).padStart(8, '0')}"}\n${body}`)
}

async function fuzzSegment(c: Corpus, chance: Chance): Promise<void> {
  const disk = c.disk.copy()
  const path = c.segments[below(chance, c.segments.length)]!
  const bytes = disk.contents(path)
  const how = chance()
  const honest = how < 0.4
  if (honest) disk.replace(path, mutate(bytes, chance, 1 + below(chance, 4)))
  else if (how < 0.8) disk.replace(path, mutateRecord(bytes, chance))
  else {
    mutate(bytes.subarray(8, 120), chance, 1 + below(chance, 2))
    disk.replace(path, fixSegmentHeader(bytes))
  }
  const expected = { ...c.owner, hasLog: true, closedBy: null, snapshotIndex: 0 }
  const log = await bounded(bytes.length, () => readLog(disk, `${DIR}/log`, expected))
  if (log === undefined || !honest) return
  log.image.entries.forEach((entry, i) => {
    // The last batch before the end of a log that was not closed may be missing: then its truncation is, too.
    const known = c.entries[i]
    const same = known?.term === entry.term && Buffer.from(known.data).equals(Buffer.from(entry.data))
    assert.ok(same || entry.term === 1, `entry ${entry.index} is none that was written`)
  })
}

async function fuzzSnapshot(c: Corpus, chance: Chance): Promise<void> {
  const disk = c.disk.copy()
  const mutant = mutate(disk.contents(c.snapshot), chance, 1 + below(chance, 4))
  disk.replace(c.snapshot, chance() < 0.7 ? fixSnapshot(mutant) : mutant)
  await bounded(mutant.length, async () => {
    const snapshot = await openSnapshotFile(disk, c.snapshot)
    await verifySnapshot(snapshot)
  })
}

async function fuzzIdentity(c: Corpus, chance: Chance): Promise<void> {
  const mutant = mutate(c.disk.contents(c.identity), chance, 1 + below(chance, 4))
  const bytes = chance() < 0.9 ? fixIdentity(mutant) : mutant
  await bounded(bytes.length, async () => decodeIdentity(bytes, c.identity))
}

/** What comes out, or undefined for a refusal with its file and offset; anything else is a failure. */
async function bounded<T>(bytes: number, read: () => Promise<T>): Promise<T | undefined> {
  const started = process.cpuUsage()
  try {
    return await read()
  } catch (error) {
    const refusal = ConcordError.is(error) && ['CORRUPTED', 'IDENTITY_MISMATCH'].includes(error.code)
    if (!refusal) throw error
    assert.equal(typeof error.details?.['file'], 'string')
    return undefined
  } finally {
    const { user, system } = process.cpuUsage(started)
    const limitMs = 10 * MS_PER_64_KIB * Math.max(1, Math.ceil(bytes / 65_536))
    assert.ok(
      (user + system) / 1000 < limitMs,
      `${bytes} bytes took more than ${limitMs} ms of the processor`,
    )
  }
}

const TARGETS = [fuzzSegment, fuzzSnapshot, fuzzIdentity]

/** Fuzzes until `more` says no. A failure carries the seed of its one case. */
export async function fuzz(firstSeed: number, more: (cases: number) => boolean): Promise<number> {
  const seeds = await corpus()
  let cases = 0
  for (; more(cases); cases++) {
    const seed = firstSeed + cases
    try {
      await TARGETS[seed % TARGETS.length]!(seeds, random(seed))
    } catch (error) {
      throw new Error(`seed ${seed}: ${String(error)}`, { cause: error })
    }
  }
  return cases
}
