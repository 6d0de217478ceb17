// A log is cut or bent at every offset, one at a time. Either everything that was acknowledged is read back, or
// the log is refused with the file and the offset. The one exception is the last batch before a stop that was
// not clean: damage there looks like a torn write.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { ConcordError } from '../../core/errors.ts'
import type { Entry } from '../../core/raft/types.ts'
import { CrashDisk } from '../../core/testing/disk.ts'
import { command, DIR, recoverOn, settled, voteFor, random } from './world.ts'

const SEGMENT = (n: number) => `${DIR}/log/segment-${String(n).padStart(16, '0')}.log`

/** A log of two segments with a few entries in each, and what was acknowledged. */
async function smallLog(clean: boolean): Promise<{ disk: CrashDisk; batches: Entry[][] }> {
  const disk = new CrashDisk()
  const { storage } = await recoverOn(disk, { segmentBytes: 16 * 1024 })
  const batches: Entry[][] = []
  let index = 0
  const append = async (bytes: number): Promise<void> => {
    const entries = [command(++index, 2, Buffer.alloc(bytes, `entry ${index} `)), command(++index, 2, 'x')]
    await storage.log.append({ entries, mustSync: false })
    batches.push(entries)
  }
  await storage.log.append({ entries: [], hardState: voteFor(2, 'n1/a'), mustSync: true })
  await append(100)
  await append(13_000)
  await append(3000)
  await append(60)
  assert.ok(disk.names.has(SEGMENT(2)) && !disk.names.has(SEGMENT(3)), 'the log has two segments')
  await settled()
  if (clean) await storage.close(true)
  return { disk, batches }
}

async function judge(
  disk: CrashDisk,
  batches: Entry[][],
  clean: boolean,
  what: string,
  file: string,
): Promise<string> {
  try {
    const { log } = await recoverOn(disk, { seed: 2, segmentBytes: 16 * 1024 })
    const all = batches.flat()
    const promised = clean ? all : batches.slice(0, -1).flat()
    assert.ok(
      log.entries.length >= promised.length,
      `${what}: ${log.entries.length} of ${all.length} entries, silently`,
    )
    log.entries.forEach((entry, i) => {
      assert.ok(
        Buffer.from(all[i]!.data).equals(Buffer.from(entry.data)),
        `${what}: entry ${i + 1} is another one`,
      )
    })
    assert.deepEqual(log.hardState, voteFor(2, 'n1/a'), what)
    if (clean) assert.ok(log.cleanStop, what)
    return log.entries.length === all.length ? 'whole' : 'cut'
  } catch (error) {
    assert.ok(ConcordError.is(error), `${what}: ${String(error)}`)
    assert.equal(error.code, 'CORRUPTED', what)
    assert.equal(error.details?.['file'], file, what)
    assert.equal(typeof error.details?.['offset'], 'number', what)
    assert.match(error.message, /offset \d+/)
    return 'refused'
  }
}

for (const clean of [true, false]) {
  const after = clean ? 'a clean stop' : 'a stop that was not clean'

  test(`H32: a byte flipped at any offset of a log after ${after}`, async () => {
    const { disk, batches } = await smallLog(clean)
    const chance = random(7)
    const seen = new Set<string>()
    for (const file of [SEGMENT(1), SEGMENT(2)]) {
      const bytes = disk.contents(file)
      for (let at = 0; at < bytes.length; at++) {
        // In long stretches of the same, one byte in some is enough.
        const dull = at > 64 && bytes[at] === bytes[at - 8] && bytes[at] === bytes[at + 8]
        if (dull && at % 131 !== 0) continue
        const bent = Buffer.from(bytes)
        bent[at]! ^= 1 << Math.floor(chance() * 8)
        const copy = disk.copy()
        copy.replace(file, bent)
        const found = await judge(copy, batches, clean, `${file} bent at ${at}`, file)
        if (clean) assert.notEqual(found, 'cut')
        seen.add(found)
      }
    }
    assert.ok(seen.has('refused') && (clean || seen.has('cut')), `the damage bit: ${[...seen].join()}`)
  })

  test(`H32: a log cut short at any offset after ${after} is refused`, async () => {
    const { disk, batches } = await smallLog(clean)
    for (const file of [SEGMENT(1), SEGMENT(2)]) {
      const bytes = disk.contents(file)
      for (let at = 0; at < bytes.length; at += at < 800 ? 1 : 61) {
        const copy = disk.copy()
        copy.replace(file, bytes.subarray(0, at))
        assert.equal(await judge(copy, batches, clean, `${file} cut at ${at}`, file), 'refused')
      }
    }
  })
}

test('H32: a record that is bad, with one behind it that proves it was durable, names what is affected', async () => {
  const { disk } = await smallLog(false)
  const bytes = disk.contents(SEGMENT(1))
  const at = bytes.indexOf('entry 1 ')
  bytes[at] = 0
  disk.replace(SEGMENT(1), bytes)
  await assert.rejects(recoverOn(disk), (error) => {
    assert.ok(ConcordError.is(error))
    assert.equal(error.code, 'CORRUPTED')
    assert.equal(error.details?.['fromIndex'], 1)
    assert.ok(at > Number(error.details?.['offset']) && at - Number(error.details?.['offset']) < 64)
    return true
  })
})

test('H32: what refused once refuses again: a second start does not cut what the first would not', async () => {
  const { disk, batches } = await smallLog(true)
  const bytes = disk.contents(SEGMENT(2))
  const at = bytes.indexOf('entry 7 ')
  bytes[at]! ^= 1
  disk.replace(SEGMENT(2), bytes)
  for (let start = 0; start < 3; start++) {
    assert.equal(await judge(disk, batches, true, `start ${start}`, SEGMENT(2)), 'refused')
  }
})

test('H32: after a clean stop the closing mark has to be there: its loss is not a torn tail', async () => {
  const { disk, batches } = await smallLog(true)
  const bytes = disk.contents(SEGMENT(2))
  const end = Math.ceil((bytes.findLastIndex((byte) => byte !== 0) + 1) / 8) * 8
  // A header of 24 bytes, 21 of the entry's own; the mark is a record of 48 and its commit of 40.
  const lastBatch = bytes.indexOf('entry 7 ') - 45
  for (const from of [end - 88, lastBatch]) {
    assert.equal(from % 8, 0)
    const found = disk.copy()
    found.replace(SEGMENT(2), Buffer.from(bytes).fill(0, from))
    assert.equal(await judge(found, batches, true, `zeros from ${from}`, SEGMENT(2)), 'refused')
  }
})

test('H32: a value that holds a copy of a log is no witness', async () => {
  const { disk: other } = await smallLog(false)
  const disk = new CrashDisk()
  const { storage } = await recoverOn(disk, { seed: 5 })
  await storage.log.append({ entries: [command(1, 1, 'kept')], mustSync: false })
  const start = disk.contents(SEGMENT(1)).indexOf('kept')
  // Put so that each record of the copy lies where it says it does.
  const stolen = other.contents(SEGMENT(1)).subarray(start + 120, 14_000)
  const end = disk.contents(SEGMENT(1)).lastIndexOf('kept')
  await storage.log.append({ entries: [command(2, 1, stolen)], mustSync: false })
  const bytes = disk.contents(SEGMENT(1))
  bytes.fill(0, end + 60, end + 70)
  disk.replace(SEGMENT(1), bytes)
  const { log } = await recoverOn(disk, { seed: 6 })
  assert.deepEqual(
    log.entries.map(({ index }) => index),
    [1],
  )
})

test('H49: a missing segment in the middle is refused, with the entries that were in it', async () => {
  const disk = new CrashDisk()
  const { storage } = await recoverOn(disk, { segmentBytes: 16 * 1024 })
  for (let index = 1; index <= 12; index++) {
    await storage.log.append({ entries: [command(index, 1, Buffer.alloc(5000))], mustSync: false })
  }
  await settled()
  disk.remove(SEGMENT(2))
  await assert.rejects(recoverOn(disk), {
    code: 'CORRUPTED',
    message: /segment-0+3\.log.*segment-0+2\.log, is missing/,
  })
})

test('H49: a missing last segment is noticed: the one before was sealed', async () => {
  const { disk } = await smallLog(false)
  disk.remove(SEGMENT(2))
  await assert.rejects(recoverOn(disk), {
    code: 'CORRUPTED',
    message: /segment 2, which goes on from here, is missing/,
  })
})

test('H49: a log that begins behind the newest snapshot is refused', async () => {
  const { disk } = await smallLog(false)
  disk.remove(SEGMENT(1))
  await assert.rejects(recoverOn(disk), {
    code: 'CORRUPTED',
    message: /the newest readable snapshot ends at 0/,
  })
})

test('a log that is gone altogether is refused, and so is one without an identity', async () => {
  const { disk } = await smallLog(false)
  const orphan = disk.copy()
  orphan.remove(`${DIR}/identity.json`)
  await assert.rejects(recoverOn(orphan), { code: 'CORRUPTED', message: /no identity\.json/ })
  for (const path of [...disk.names.keys()]) if (path.startsWith(`${DIR}/log/`)) disk.remove(path)
  await assert.rejects(recoverOn(disk), { code: 'CORRUPTED', message: /there was a log here/ })
})

test('H44: a segment of another incarnation, and an identity of another name, are refused', async () => {
  const { disk } = await smallLog(false)
  const other = new CrashDisk()
  await recoverOn(other, { seed: 99 })
  other.replace(SEGMENT(1), disk.contents(SEGMENT(1)))
  await assert.rejects(recoverOn(other, { seed: 98 }), { code: 'IDENTITY_MISMATCH' })
  await assert.rejects(recoverOn(disk, { name: 'n2' }), {
    code: 'IDENTITY_MISMATCH',
    message: /node n1, this is node n2/,
  })
})

test('H45: a record of a kind that this version does not know is refused, not skipped', async () => {
  const { disk } = await smallLog(false)
  const { Writer } = await import('../../core/bytes.ts')
  const { crc32 } = await import('node:zlib')
  const { decodeSegmentHeader } = await import('../../core/storage/file/segment.ts')
  const { writeSeal } = await import('../../core/storage/file/record.ts')
  const bytes = disk.contents(SEGMENT(2))
  const { salt } = decodeSegmentHeader(bytes)
  const end = bytes.findLastIndex((byte) => byte !== 0)
  const start = Math.ceil((end + 1) / 8) * 8
  const writer = new Writer()
  writeSeal(writer, { salt, start, durable: start, chain: 0 }, 3)
  const record = Buffer.from(writer.take())
  record[20] = 77
  record.writeUInt32LE(crc32(record.subarray(4, 24), salt), 0)
  record.copy(bytes, start)
  disk.replace(SEGMENT(2), bytes)
  await assert.rejects(recoverOn(disk), { code: 'CORRUPTED', message: /record kind 77/ })
})
