// A disk that is full: what was acknowledged stays, new commands are refused before they are appended, the
// reserve carries term and vote and a snapshot, and all recovers when there is space again.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

import type { ConcordError } from '../../core/errors.ts'
import type { RecoveredLog } from '../../core/ports.ts'
import type { FileStorage } from '../../core/storage/file/storage.ts'
import { openFileStorage } from '../../core/storage/file/storage.ts'
import { CrashDisk, errorWith } from '../../core/testing/disk.ts'
import {
  command,
  DIR,
  ManualClock,
  metaAt,
  recoverOn,
  seededEntropy,
  settled,
  takeSnapshot,
  voteFor,
  random,
} from './world.ts'

const MiB = 1024 * 1024
const indexes = ({ entries }: RecoveredLog) => entries.map(({ index }) => index)

/** Appends as a driver does: only while there is room. Returns how many were acknowledged. */
async function fill(storage: FileStorage, from: number, bytes: number, most = 2000): Promise<number> {
  let index = from
  while (index - from < most && storage.log.hasRoom(bytes)) {
    await storage.log.append({ entries: [command(index, 1, Buffer.alloc(bytes, index))], mustSync: false })
    index++
    await settled()
  }
  return index - from
}

test('H36: a short write without an exception fails the append, and is cut at the next start', async () => {
  const disk = new CrashDisk()
  const { storage } = await recoverOn(disk)
  await settled()
  await storage.log.append({ entries: [command(1, 1, 'kept')], mustSync: false })
  disk.faults.write = () => 50
  const append = storage.log.append({ entries: [command(2, 1, Buffer.alloc(1000, 'x'))], mustSync: false })
  await assert.rejects(append, { code: 'STORAGE_FAILED', message: /short write: 50 of/ })
  disk.faults = {}
  const { log } = await recoverOn(disk, { seed: 2 })
  assert.deepEqual(indexes(log), [1])
  assert.ok(log.cut)
})

test('H36: where the space was not taken before, a short write goes over to another segment, whole', async () => {
  const disk = new CrashDisk()
  await (await recoverOn(disk)).storage.close(true)
  // After a restart nobody knows whether the segment was a sparse one.
  const { storage } = await recoverOn(disk, { seed: 2 })
  await settled()
  await storage.log.append({ entries: [command(1, 1, 'kept')], mustSync: false })
  let short = 1
  disk.faults.write = () => (short-- > 0 ? 50 : undefined)
  await storage.log.append({ entries: [command(2, 1, Buffer.alloc(1000, 'x'))], mustSync: false })
  const { log } = await recoverOn(disk.powerLoss(random(1)), { seed: 3 })
  assert.deepEqual(indexes(log), [1, 2])
})

test('H37: a full disk refuses commands before they are appended, keeps the vote, and recovers by itself', async () => {
  const disk = new CrashDisk()
  disk.totalBytes = MiB
  const clock = new ManualClock()
  const { storage } = await recoverOn(disk, { clock })
  await settled()
  const done = await fill(storage, 1, 1000)
  assert.ok(done > 200, `${done} KB of a volume of 1 MiB were usable`)
  assert.equal(storage.log.hasRoom(1000), false)
  // Term and vote go on, many times.
  for (let term = 2; term < 60; term++) {
    await storage.log.append({ entries: [], hardState: voteFor(term, 'n1/a'), mustSync: true })
  }
  await clock.advance(10_000)
  assert.equal(storage.log.hasRoom(1000), false, 'the disk is as full as before')

  // A snapshot fits, because its space was kept; behind it the log goes, and space is back.
  disk.fillUp('/other')
  await takeSnapshot(storage, metaAt(done, 1), Buffer.alloc(20_000, 's'))
  await storage.log.compact(done)
  await settled()
  for (let i = 0; i < 10; i++) await clock.advance(5000)
  assert.equal(storage.log.hasRoom(1000), true)
  await storage.log.append({ entries: [command(done + 1, 59, 'again')], mustSync: false })

  const { log, snapshot } = await recoverOn(disk.powerLoss(random(1)), { seed: 2 })
  assert.equal(snapshot?.meta.index, done)
  assert.equal(log.entries.at(-1)?.index, done + 1)
  assert.deepEqual(log.hardState, voteFor(59, 'n1/a'))
})

test('H37: somebody else fills the disk; nothing acknowledged is lost, and a restart on it works', async () => {
  const disk = new CrashDisk()
  disk.totalBytes = 4 * MiB
  const clock = new ManualClock()
  const { storage } = await recoverOn(disk, { clock })
  await settled()
  disk.fillUp('/other')
  const done = await fill(storage, 1, 700)
  assert.ok(done > 0 && !storage.log.hasRoom(700))
  const { storage: next, log } = await recoverOn(disk.processCrash(), { seed: 2, clock })
  assert.equal(log.entries.length, done)
  await settled()
  await next.log.append({ entries: [], hardState: voteFor(5), mustSync: true })
})

test('H37: an append that finds no space is refused, leaves nothing behind, and is done when there is some', async () => {
  const disk = new CrashDisk()
  disk.totalBytes = 2 * MiB
  const clock = new ManualClock()
  const { storage } = await recoverOn(disk, { clock })
  await settled()
  disk.fillUp('/other')
  let done = 0
  let refusal: unknown
  const write = async (): Promise<void> => {
    refusal = undefined
    const entries = [command(done + 1, 1, Buffer.alloc(1500))]
    const append = storage.log.append({ entries, mustSync: false })
    await append.then(
      () => done++,
      (error: unknown) => (refusal = error),
    )
  }
  while (done < 300 && refusal === undefined) {
    await write()
    await clock.advance(1000)
  }
  assert.ok(done > 0 && done < 300)
  assert.deepEqual(
    [(refusal as ConcordError).code, (refusal as ConcordError).outcome],
    ['STORAGE_FULL', 'not-applied'],
  )
  // Smaller things have not been waiting behind it: term and vote, and what is known to fit.
  assert.ok(storage.log.room().entryBytes < 1500)
  await storage.log.append({ entries: [], hardState: voteFor(2, 'n1/a'), mustSync: true })
  disk.remove('/other')
  for (let i = 0; i < 2000 && done < 300; i++) {
    await write()
    await clock.advance(1000)
  }
  const { log } = await recoverOn(disk, { seed: 2 })
  assert.equal(log.entries.length, 300)
  assert.deepEqual(log.hardState, voteFor(2, 'n1/a'))
})

test('H37: a sparse segment that meets a full disk goes over to space that was taken', async () => {
  const disk = new CrashDisk()
  disk.totalBytes = 64 * MiB
  const clock = new ManualClock()
  const { storage } = await recoverOn(disk, { clock, segmentBytes: 2 * MiB })
  await settled()
  const big = Buffer.alloc(200_000, 'big')
  await storage.log.append({ entries: [command(1, 1, Buffer.alloc(1_200_000))], mustSync: false })
  await storage.log.append({ entries: [command(2, 1, big)], mustSync: false })
  await settled()
  disk.fillUp('/other')
  await storage.log.append({ entries: [command(3, 1, big)], mustSync: false })
  const { log } = await recoverOn(disk.powerLoss(random(2)), { seed: 2 })
  assert.equal(log.entries.length, 3)
  assert.ok(big.equals(Buffer.from(log.entries[2]!.data)))
})

test('H37: a command is refused when it does not fit beyond the reserve, and only then', async () => {
  const disk = new CrashDisk()
  disk.totalBytes = 32 * MiB
  const clock = new ManualClock()
  const { storage } = await recoverOn(disk, { clock, segmentBytes: 2 * MiB })
  await settled()
  const { freeBytes } = await disk.space()
  assert.ok(freeBytes > 16 * MiB, 'the reserve has been taken, and most is free')
  assert.equal(storage.log.hasRoom(freeBytes), false, 'what it takes beside the entries does not fit')
  const large = Math.floor(freeBytes * 0.6)
  assert.equal(storage.log.hasRoom(large), true, 'more than half of what is free')
  await storage.log.append({ entries: [command(1, 1, Buffer.alloc(large, 1))], mustSync: false })
  await settled()
  assert.equal(storage.log.hasRoom(large), false, 'it is not free any more')
  const rest = Math.floor((await disk.space()).freeBytes * 0.9)
  assert.equal(storage.log.hasRoom(rest), true)
  await storage.log.append({ entries: [command(2, 1, Buffer.alloc(rest, 2))], mustSync: false })
  // Term and vote go on, out of the reserve; a snapshot has its space, and behind it there is room again.
  for (let term = 2; term < 60; term++) {
    await storage.log.append({ entries: [], hardState: voteFor(term, 'n1/a'), mustSync: true })
  }
  await takeSnapshot(storage, metaAt(2, 1), Buffer.alloc(20_000, 's'))
  await storage.log.compact(2)
  await settled()
  for (let i = 0; i < 10; i++) await clock.advance(5000)
  assert.equal(storage.log.hasRoom(1000), true)
  const { log, snapshot } = await recoverOn(disk.powerLoss(random(1)), { seed: 2 })
  assert.deepEqual([snapshot?.meta.index, log.hardState], [2, voteFor(59, 'n1/a')])
})

test('H37: what went into a sparse segment since the volume was looked at is not promised again', async () => {
  const disk = new CrashDisk()
  disk.totalBytes = 64 * MiB
  const leave = async (bytes: number): Promise<void> => {
    if (disk.names.has('/other')) disk.remove('/other')
    disk.replace('/other', Buffer.alloc((await disk.space()).freeBytes - bytes))
  }
  await leave(8 * MiB) // a small segment lies ready then
  const { storage } = await recoverOn(disk, { segmentBytes: 2 * MiB })
  await settled()
  await leave(20 * MiB)
  await takeSnapshot(storage, metaAt(0, 0), Buffer.alloc(100)) // the volume is looked at
  await settled()
  for (const index of [1, 2]) {
    await storage.log.append({ entries: [command(index, 1, Buffer.alloc(600_000))], mustSync: false })
  }
  await settled()
  await leave(2.2 * MiB)
  await takeSnapshot(storage, metaAt(1, 1), Buffer.alloc(100))
  await settled()
  const size = 1.2 * MiB
  assert.equal(storage.log.hasRoom(size), true)
  await storage.log.append({ entries: [command(3, 1, Buffer.alloc(size))], mustSync: false })
  assert.equal(storage.log.hasRoom(size), false, 'an append would wait for space')
})

for (const clean of [false, true]) {
  test(`a log that waits for space can be closed, clean: ${clean}`, async () => {
    const disk = new CrashDisk()
    disk.totalBytes = 2 * MiB
    const { storage } = await recoverOn(disk)
    await settled()
    disk.fillUp('/other')
    let done = 0
    const work = (async () => {
      for (let index = 1; ; index++) {
        await storage.log.append({ entries: [command(index, 1, Buffer.alloc(3000))], mustSync: false })
        done = index
      }
    })()
    const refused = assert.rejects(work, { code: 'STORAGE_FULL', outcome: 'not-applied' })
    await settled()
    await settled()
    await storage.close(clean)
    await refused
    const { log } = await recoverOn(disk, { seed: 2 })
    assert.deepEqual([log.entries.length, log.cleanStop], [done, false])
  })
}

test('a log is closed behind the write that is under way', async () => {
  const disk = new CrashDisk()
  const { storage } = await recoverOn(disk)
  await settled()
  const append = storage.log.append({ entries: [command(1, 1, 'last')], mustSync: false })
  await storage.close(true)
  await append
  const { log } = await recoverOn(disk, { seed: 2 })
  assert.deepEqual([indexes(log), log.cleanStop], [[1], true])
})

test(
  'H36, H37: the same on a real volume of 1 MiB',
  { skip: !canMount() && 'needs root and tmpfs' },
  async () => {
    const mount = mkdtempSync(join(tmpdir(), 'concord-'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=700', 'tmpfs', mount])
    try {
      const clock = new ManualClock()
      const options = { dir: join(mount, 'data'), name: 'n1', clock }
      let storage = await openFileStorage({ ...options, entropy: seededEntropy(1) })
      await storage.log.recover(0)
      writeFileSync(join(mount, 'other'), Buffer.alloc(100_000))
      let done = 0
      for (let round = 0; round < 3000 && done < 2000; round++) {
        if (!storage.log.hasRoom(1000)) break
        await storage.log.append({ entries: [command(++done, 1, Buffer.alloc(1000, done))], mustSync: false })
      }
      assert.ok(done > 50 && done < 1000, `${done} KB were taken of 1 MiB`)
      await storage.log.append({ entries: [], hardState: voteFor(9, 'n1/a'), mustSync: true })
      await storage.close(false)

      storage = await openFileStorage({ ...options, entropy: seededEntropy(2) })
      const log = await storage.log.recover(0)
      assert.equal(log.entries.length, done)
      assert.deepEqual(log.hardState, voteFor(9, 'n1/a'))
      unlinkSync(join(mount, 'other'))
      await takeSnapshot(storage, metaAt(done, 1), Buffer.alloc(5000))
      await storage.log.compact(done)
      for (let i = 0; i < 100 && !storage.log.hasRoom(1000); i++) {
        await clock.advance(5000)
        await new Promise((resolve) => setTimeout(resolve, 2))
      }
      assert.equal(storage.log.hasRoom(1000), true)
      for (const name of readdirSync(options.dir)) {
        const { mode } = statSync(join(options.dir, name))
        assert.equal(mode & 0o077 & (name.endsWith('.sock') ? 0 : 0o777), 0, name)
      }
      await storage.close(true)
    } finally {
      execFileSync('umount', [mount])
      rmSync(mount, { recursive: true })
    }
  },
)

function canMount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false
  const probe = mkdtempSync(join(tmpdir(), 'concord-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', probe], { stdio: 'ignore' })
    execFileSync('umount', [probe])
    return true
  } catch {
    return false
  } finally {
    rmSync(probe, { recursive: true })
  }
}

for (const [what, fsync, file] of [
  ['an fsync in the background', 'interval', /\/log\//],
  ['taking space for the next segment', 'always', /spare.*tmp$/],
] as const) {
  test(`H11, H34: ${what} fails: the log tells, and does not call itself full`, async () => {
    const disk = new CrashDisk()
    const clock = new ManualClock()
    const { storage } = await recoverOn(disk, { clock, fsync })
    await settled()
    const broken = (path: string): undefined => {
      if (file.test(path)) throw errorWith('EIO', 'i/o error')
    }
    disk.faults = fsync === 'interval' ? { sync: broken } : { write: broken }
    let failure: Error | undefined
    void storage.log.failed.then((error) => (failure = error))
    let index = 0
    while (failure === undefined && index++ < 100) {
      await storage.log.append({ entries: [command(index, 1, Buffer.alloc(1000))], mustSync: false })
      await clock.advance(100)
    }
    assert.match(failure?.message ?? '', /EIO/)
    assert.equal(storage.log.hasRoom(1000), true)
    const append = storage.log.append({ entries: [command(index + 1, 1, 'x')], mustSync: false })
    await assert.rejects(append, { code: 'STORAGE_FAILED' })
    await storage.close(true)
  })
}

test('spare files of an earlier run are used again, and their number does not grow', async () => {
  const disk = new CrashDisk()
  for (let run = 1; run < 6; run++) {
    const { storage } = await recoverOn(disk, { seed: run })
    await settled()
    await storage.log.append({ entries: [command(run, 1, 'x')], mustSync: false })
    await storage.close(run % 2 === 0)
  }
  const spares = [...disk.names.keys()].filter((path) => path.startsWith(`${DIR}/log/spare`))
  assert.equal(spares.length, 2)
})
