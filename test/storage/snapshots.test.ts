// Snapshots on disk and in memory: whole or not there, read in pieces that have been checked, kept while they
// are read.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { ConcordError } from '../../core/errors.ts'
import type { SnapshotStore } from '../../core/ports.ts'
import { openMemoryStorage } from '../../core/storage/memory.ts'
import { CrashDisk, errorWith } from '../../core/testing/disk.ts'
import { command, DIR, metaAt, openOn, readSnapshot, recoverOn, takeSnapshot, random } from './world.ts'

const SNAPSHOT = (index: number, term: number) =>
  `${DIR}/snapshots/snapshot-${String(index).padStart(16, '0')}-${String(term).padStart(16, '0')}.snap`
const bytesOf = (n: number) => Buffer.from(Array.from({ length: n }, (_, i) => (i * 31 + (i >> 8)) & 0xff))

const stores: Record<string, () => Promise<SnapshotStore>> = {
  file: async () => (await openOn(new CrashDisk())).snapshots,
  memory: async () => openMemoryStorage().snapshots,
}

for (const [name, open] of Object.entries(stores)) {
  describe(`${name}: a snapshot`, () => {
    for (const size of [0, 1, 65_535, 65_536, 65_537, 1_000_000]) {
      test(`of ${size} bytes is read as it was written, whole and in pieces`, async () => {
        const store = await open()
        const bytes = bytesOf(size)
        const writer = await store.create(metaAt(7, 3))
        // From memory that is used again: what a writer has been given is its own.
        const piece = Buffer.alloc(30_011)
        for (let at = 0; at < size; at += piece.length) {
          await writer.write(piece.subarray(0, bytes.copy(piece, 0, at, at + piece.length)))
          piece.fill(0xff)
        }
        await writer.commit()
        const reader = await store.latest()
        assert.ok(reader)
        assert.deepEqual(reader.meta, metaAt(7, 3))
        assert.equal(reader.sizeBytes, size)
        assert.ok((await readSnapshot(reader)).equals(bytes))
        for (const [offset, length] of [
          [0, 10],
          [65_530, 12],
          [size - 5, 100],
          [500_000, 200_000],
        ] as const) {
          if (offset < 0) continue
          const found = Buffer.from(await reader.read(offset, length))
          assert.ok(found.equals(bytes.subarray(offset, offset + length)), `${length} bytes from ${offset}`)
        }
        await reader.close()
      })
    }

    test('that was aborted, or not committed, is not there; the newest counts', async () => {
      const store = await open()
      assert.equal(await store.latest(), undefined)
      const aborted = await store.create(metaAt(9, 1))
      await aborted.write(Buffer.from('no'))
      await aborted.abort()
      await takeBoth(store)
      const unfinished = await store.create(metaAt(20, 1))
      await unfinished.write(Buffer.from('not yet'))
      const reader = await store.latest()
      assert.equal(reader?.meta.index, 8)
      await reader.close()
    })
  })
}

async function takeBoth(store: SnapshotStore): Promise<void> {
  for (const index of [5, 8]) {
    const writer = await store.create(metaAt(index, 1))
    await writer.write(Buffer.from(`at ${index}`))
    await writer.commit()
  }
}

test('H38: a half-written snapshot is removed at the next start, and other files are not touched', async () => {
  const disk = new CrashDisk()
  const { storage } = await recoverOn(disk)
  const writer = await storage.snapshots.create(metaAt(3, 1))
  await writer.write(bytesOf(600_000))
  disk.replace(`${DIR}/snapshots/snapshot-3.snap`, Buffer.from('none of ours'))
  disk.replace(`${DIR}/snapshots/notes.tmp`, Buffer.from('none of ours either'))
  const { snapshot } = await recoverOn(disk, { seed: 2 })
  assert.equal(snapshot, undefined)
  assert.ok(!disk.names.has(`${SNAPSHOT(3, 1)}.tmp`))
  assert.ok(
    disk.names.has(`${DIR}/snapshots/snapshot-3.snap`) && disk.names.has(`${DIR}/snapshots/notes.tmp`),
  )
})

test('H38: bent or cut at any offset, a snapshot is never read as another one', async () => {
  const disk = new CrashDisk()
  const { storage } = await recoverOn(disk)
  await storage.log.append({ entries: [command(1, 1, 'a')], mustSync: true })
  await takeSnapshot(storage, metaAt(1, 1), bytesOf(70_000))
  const bytes = disk.contents(SNAPSHOT(1, 1))
  const unreadable = async (content: Buffer, what: string) => {
    const copy = disk.copy()
    copy.replace(SNAPSHOT(1, 1), content)
    const { snapshots } = await openOn(copy, { seed: 2 })
    assert.equal(await snapshots.latest(), undefined, what)
  }
  for (let at = 0; at < bytes.length; at += at < 400 || at > bytes.length - 100 ? 1 : 499) {
    const bent = Buffer.from(bytes)
    bent[at]! ^= 0x10
    await unreadable(bent, `bent at ${at}`)
    await unreadable(bytes.subarray(0, at), `cut at ${at}`)
  }
})

test('H38: an older snapshot does when the log covers the gap; when it does not, the newer one is named', async () => {
  const disk = new CrashDisk()
  const { storage } = await recoverOn(disk)
  const append = async (from: number, to: number) => {
    for (let index = from; index <= to; index++) {
      await storage.log.append({ entries: [command(index, 1, Buffer.alloc(5000))], mustSync: false })
    }
  }
  await append(1, 10)
  await takeSnapshot(storage, metaAt(8, 1), Buffer.from('older'))
  await append(11, 30)
  await takeSnapshot(storage, metaAt(28, 1), Buffer.from('newer'))
  const bent = disk.contents(SNAPSHOT(28, 1))
  bent[bent.indexOf('newer')]! ^= 1
  disk.replace(SNAPSHOT(28, 1), bent)

  const covered = await recoverOn(disk.copy(), { seed: 2 })
  assert.equal(covered.snapshot?.meta.index, 8)
  assert.equal(covered.log.entries.at(-1)?.index, 30)

  await storage.log.compact(25)
  await assert.rejects(recoverOn(disk, { seed: 3 }), (error) => {
    assert.ok(ConcordError.is(error))
    assert.equal(error.code, 'CORRUPTED')
    assert.equal(error.details?.['file'], SNAPSHOT(28, 1))
    assert.equal(typeof error.details?.['offset'], 'number')
    return true
  })
})

test('H35: a snapshot is fsynced before it is renamed, and the directory before it is promised', async () => {
  const disk = new CrashDisk()
  const { storage } = await recoverOn(disk)
  await storage.log.append({ entries: [command(1, 1, 'a')], mustSync: true })
  const journal = (disk.journal = [] as string[])
  await takeSnapshot(storage, metaAt(1, 1), bytesOf(100_000))
  const steps = journal.filter((step) => step.includes('snap'))
  const at = (prefix: string) => steps.findLastIndex((step) => step.startsWith(prefix))
  assert.ok(at('write') < at('sync '), steps.join('\n'))
  assert.ok(at('sync ') < at('rename') && at('rename') < at('syncDir'), steps.join('\n'))
  for (let seed = 1; seed < 10; seed++) {
    const { snapshot } = await recoverOn(disk.powerLoss(random(seed)), { seed: 2 })
    assert.equal(snapshot?.meta.index, 1)
  }
})

test('H51: a snapshot that is being read is not pruned; the next time it is', async () => {
  const disk = new CrashDisk()
  const { storage } = await recoverOn(disk)
  await takeSnapshot(storage, metaAt(5, 1), bytesOf(200_000))
  const reader = await storage.snapshots.latest()
  assert.ok(reader)
  await takeSnapshot(storage, metaAt(8, 1), Buffer.from('newer'))
  await storage.snapshots.prune()
  assert.ok(disk.names.has(SNAPSHOT(5, 1)))
  assert.ok((await readSnapshot(reader)).equals(bytesOf(200_000)))
  await reader.close()
  await storage.snapshots.prune()
  assert.ok(!disk.names.has(SNAPSHOT(5, 1)) && disk.names.has(SNAPSHOT(8, 1)))
})

test('H34: a snapshot whose fsync fails is the end of the snapshots; it is not there', async () => {
  const disk = new CrashDisk()
  const { storage } = await recoverOn(disk)
  const writer = await storage.snapshots.create(metaAt(5, 1))
  await writer.write(bytesOf(1000))
  disk.faults.sync = (path) => {
    if (path.includes('.snap')) throw errorWith('EIO', 'i/o error')
  }
  await assert.rejects(writer.commit(), { code: 'STORAGE_FAILED' })
  disk.faults = {}
  await assert.rejects(storage.snapshots.create(metaAt(6, 1)), { code: 'STORAGE_FAILED' })
  assert.equal(await (await openOn(disk, { seed: 2 })).snapshots.latest(), undefined)
})
