// The log on disk, hazard by hazard: what a failed write leaves, in which order things become durable, what a
// crash between two steps leaves behind.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import type { Entry } from '../../core/raft/types.ts'
import type { FileStorage } from '../../core/storage/file/storage.ts'
import { writeAll } from '../../core/storage/file/disk.ts'
import { CrashDisk, errorWith } from '../../core/testing/disk.ts'
import {
  alone,
  command,
  DIR,
  ManualClock,
  metaAt,
  openOn,
  recoverOn,
  settled,
  takeSnapshot,
  voteFor,
  random,
} from './world.ts'

const SEGMENT = (n: number) => `${DIR}/log/segment-${String(n).padStart(16, '0')}.log`
const segmentsOf = (disk: CrashDisk) => [...disk.names.keys()].filter((path) => path.includes('/segment-'))
const indexes = (entries: readonly Entry[]) => entries.map(({ index }) => index)

describe('a log that is written and read back', () => {
  test('entries of every kind, hard state, truncation', async () => {
    const disk = new CrashDisk()
    const { storage, log } = await recoverOn(disk)
    assert.deepEqual(log, { hardState: voteFor(0), entries: [], cleanStop: false })
    const noop: Entry = {
      index: 1,
      term: 1,
      kind: 'noop',
      clusterTime: 5.25,
      wallTime: 7,
      data: new Uint8Array(0),
    }
    const membership: Entry = { ...noop, index: 3, kind: 'membership', membership: alone }
    const entries = [noop, command(2, 1, 'two'), membership]
    await storage.log.append({ entries, hardState: voteFor(1, 'n1/a'), mustSync: true })
    await storage.log.append({ entries: [command(4, 1, 'gone'), command(5, 1, 'gone')], mustSync: false })
    await storage.log.append({
      truncateFrom: 4,
      entries: [command(4, 2, 'four')],
      hardState: voteFor(2),
      mustSync: true,
    })
    const again = (await recoverOn(disk)).log
    assert.deepEqual(again.hardState, voteFor(2))
    assert.deepEqual(
      again.entries.slice(0, 3).map((entry) => ({ ...entry, data: Buffer.from(entry.data) })),
      [
        { ...noop, data: Buffer.alloc(0) },
        { ...entries[1], data: Buffer.from('two') },
        { ...membership, data: Buffer.alloc(0) },
      ],
    )
    assert.equal(again.entries[3]!.term, 2)
    assert.equal(again.cleanStop, false)
  })

  test('a batch larger than any segment', async () => {
    const disk = new CrashDisk()
    const { storage } = await recoverOn(disk)
    const big = Buffer.alloc(3_000_000, 'big ')
    await storage.log.append({ entries: [command(1, 1, 'small'), command(2, 1, big)], mustSync: false })
    const { log } = await recoverOn(disk)
    assert.ok(big.equals(Buffer.from(log.entries[1]!.data)))
  })

  test('the closing mark: a clean stop is known as one, once', async () => {
    const disk = new CrashDisk()
    const first = await recoverOn(disk, { seed: 1 })
    await first.storage.log.append({ entries: [command(1, 1, 'a')], mustSync: false })
    await first.storage.close(true)
    const second = await recoverOn(disk, { seed: 2 })
    assert.equal(second.log.cleanStop, true)
    assert.equal(second.storage.previousRunId, first.storage.runId)
    await second.storage.close(false)
    assert.equal((await recoverOn(disk, { seed: 3 })).log.cleanStop, false)
  })
})

test('H33: a torn tail is wiped, durably, before the first append; twice in a row', async () => {
  let disk = new CrashDisk()
  const { storage } = await recoverOn(disk)
  await storage.log.append({ entries: [command(1, 1, 'kept')], mustSync: false })
  for (let round = 2; round <= 3; round++) {
    // Torn: the first sector of a batch of three entries is missing, the others are whole.
    const bytes = disk.contents(SEGMENT(1))
    const end = bytes.findLastIndex((byte) => byte !== 0) + 1
    const live = (await recoverOn(disk, { seed: round })).storage
    const torn = [0, 1, 2].map((i) => command(round + i, 1, Buffer.alloc(700, 'torn')))
    await live.log.append({ entries: torn, mustSync: false })
    const after = disk.contents(SEGMENT(1))
    const hole = Math.ceil(end / 512) * 512
    after.fill(0, end, hole + 512)
    disk = disk.copy()
    disk.replace(SEGMENT(1), after)

    const { storage: next, log } = await recoverOn(disk, { seed: 10 + round })
    assert.equal(log.entries.length, round - 1)
    assert.equal(log.cut?.file, SEGMENT(1))
    assert.ok(log.cut.bytes > 1000)
    // Shorter than what was cut: what is left of that would be behind it.
    await next.log.append({ entries: [command(round, 1, `kept ${round}`)], mustSync: false })
    disk = disk.powerLoss(random(round))
    const last = (await recoverOn(disk, { seed: 20 + round })).log
    assert.deepEqual(
      indexes(last.entries),
      Array.from({ length: round }, (_, i) => i + 1),
    )
    assert.equal(last.cut, undefined)
  }
})

describe('H34: the first failure of the disk is the last', () => {
  const failures = {
    'an fsync': (disk: CrashDisk) => {
      let failed = false
      disk.faults.sync = () => {
        if (failed) return
        failed = true
        throw errorWith('EIO', 'i/o error')
      }
    },
    'a write': (disk: CrashDisk) => {
      disk.faults.write = () => {
        throw errorWith('EIO', 'i/o error')
      }
    },
  }
  for (const [what, fail] of Object.entries(failures)) {
    test(`${what} that fails`, async () => {
      const disk = new CrashDisk()
      const { storage } = await recoverOn(disk)
      await settled()
      await storage.log.append({ entries: [command(1, 1, 'kept')], mustSync: false })
      fail(disk)
      const lost = { entries: [command(2, 1, 'lost')], mustSync: false }
      await assert.rejects(storage.log.append(lost), { code: 'STORAGE_FAILED', outcome: 'unknown' })
      disk.faults = {}
      // The disk would do it now, and would lie.
      await assert.rejects(storage.log.append(lost), { code: 'STORAGE_FAILED' })
      await assert.rejects(
        storage.log.compact(1).then(() => storage.log.reset(metaAt(5, 1), voteFor(1))),
        {
          code: 'STORAGE_FAILED',
        },
      )
      assert.equal(storage.log.hasRoom(1), true, 'it is not full')
      const found = await recoverOn(disk.powerLoss(random(1)), { seed: 2 })
      assert.equal(found.log.entries[0]!.index, 1)
    })
  }

  test('a failed fsync in the background of a relaxed mode fails the next call', async () => {
    const disk = new CrashDisk()
    const clock = new ManualClock()
    const { storage } = await recoverOn(disk, { fsync: 'interval', fsyncIntervalMs: 50, clock })
    await settled()
    await storage.log.append({ entries: [command(1, 1, 'a')], mustSync: false })
    disk.faults.sync = () => {
      throw errorWith('EIO', 'i/o error')
    }
    await clock.advance(60)
    await assert.rejects(storage.log.append({ entries: [command(2, 1, 'b')], mustSync: false }), {
      code: 'STORAGE_FAILED',
    })
  })

  test('after a failed fsync and a restart, what the page cache shows is written again before it counts', async () => {
    const disk = new CrashDisk()
    const { storage } = await recoverOn(disk)
    await settled()
    disk.faults.sync = () => {
      throw errorWith('EIO', 'i/o error')
    }
    await assert.rejects(
      storage.log.append({ entries: [command(1, 1, 'in the cache only')], mustSync: false }),
    )
    const restarted = disk.processCrash()
    const { log } = await recoverOn(restarted, { seed: 2 })
    assert.deepEqual(indexes(log.entries), [1])
    const later = await recoverOn(restarted.powerLoss(random(4)), { seed: 3 })
    assert.deepEqual(indexes(later.log.entries), [1], 'a recovered entry was told to Raft as durable')
  })

  test('a directory that cannot be fsynced', async () => {
    const disk = new CrashDisk()
    const { storage } = await recoverOn(disk)
    await settled()
    disk.faults.syncDir = () => {
      throw errorWith('EIO', 'i/o error')
    }
    const append = async () => {
      for (let i = 1; i < 50; i++) {
        await storage.log.append({ entries: [command(i, 1, Buffer.alloc(5000))], mustSync: false })
      }
    }
    await assert.rejects(append(), { code: 'STORAGE_FAILED' })
  })
})

test('H35: a segment is durable, under its name, before anything in it is acknowledged', async () => {
  const disk = new CrashDisk()
  const { storage } = await recoverOn(disk)
  for (let index = 1; index <= 20; index++) {
    await storage.log.append({ entries: [command(index, 1, Buffer.alloc(5000))], mustSync: false })
    const { log } = await recoverOn(
      disk.powerLoss(() => 0.9),
      { seed: 100 + index },
    )
    assert.equal(log.entries.at(-1)?.index, index)
  }
  assert.ok(segmentsOf(disk).length > 2)
})

describe('H41, H42: compaction', () => {
  async function longLog() {
    const disk = new CrashDisk()
    const { storage } = await recoverOn(disk)
    await storage.log.append({ entries: [], hardState: voteFor(3, 'n1/a'), mustSync: true })
    for (let index = 1; index <= 30; index++) {
      await storage.log.append({ entries: [command(index, 3, Buffer.alloc(5000))], mustSync: false })
    }
    await settled()
    return { disk, storage }
  }

  test('drops only segments that the index covers whole, and never the hard state', async () => {
    const { disk, storage } = await longLog()
    await takeSnapshot(storage, metaAt(18, 3), Buffer.from('state'))
    await storage.log.compact(18)
    assert.ok(!disk.names.has(SEGMENT(1)))
    const { log } = await recoverOn(disk, { seed: 2 })
    assert.ok(log.entries[0]!.index <= 19 && log.entries[0]!.index > 1)
    assert.equal(log.entries.at(-1)!.index, 30)
    assert.deepEqual(log.hardState, voteFor(3, 'n1/a'))
  })

  test('H41: without a durable snapshot the same compaction is found out', async () => {
    const { disk, storage } = await longLog()
    await storage.log.compact(18)
    await assert.rejects(recoverOn(disk, { seed: 2 }), { code: 'CORRUPTED' })
  })

  test('H42: whichever of the dropped files a crash brings back, the log is read, and they go', async () => {
    const { disk, storage } = await longLog()
    await takeSnapshot(storage, metaAt(25, 3), Buffer.from('state'))
    const before = disk.copy()
    await storage.log.compact(25)
    const dropped = segmentsOf(before).filter((path) => !disk.names.has(path))
    assert.ok(dropped.length >= 3)
    for (let subset = 0; subset < 2 ** dropped.length; subset++) {
      const found = disk.copy()
      dropped.forEach((path, i) => {
        if (subset & (1 << i)) found.replace(path, before.contents(path))
      })
      const { log } = await recoverOn(found, { seed: 2 })
      assert.equal(log.entries.at(-1)!.index, 30)
      assert.ok(indexes(log.entries).every((index, i, all) => i === 0 || index === all[i - 1]! + 1))
    }
  })
})

describe('a snapshot that came from a leader (Figure 5.3)', () => {
  test('reset drops the log; what a crash brings back of it is not read', async () => {
    const disk = new CrashDisk()
    const { storage } = await recoverOn(disk)
    await storage.log.append({ entries: [command(1, 1, 'old'), command(2, 1, 'old')], mustSync: false })
    const before = disk.copy()
    await takeSnapshot(storage, metaAt(10, 4), Buffer.from('state'))
    await storage.log.reset(metaAt(10, 4), voteFor(4))
    await storage.log.append({ entries: [command(11, 4, 'new')], mustSync: false })
    disk.replace(SEGMENT(1), before.contents(SEGMENT(1)))
    const { log } = await recoverOn(disk, { seed: 2 })
    assert.deepEqual(indexes(log.entries), [11])
    assert.deepEqual(log.hardState, voteFor(4))
    assert.ok(!disk.names.has(SEGMENT(1)))
  })

  for (const [what, entries] of [
    ['ends before it', [command(1, 1, 'old')]],
    ['has another term at its index', [1, 2, 3, 4].map((index) => command(index, 1, 'old'))],
  ] as const) {
    test(`H47: a crash before the reset: a log that ${what} is dropped when it is recovered`, async () => {
      const disk = new CrashDisk()
      const { storage } = await recoverOn(disk)
      await storage.log.append({ entries: [...entries], hardState: voteFor(2, 'n1/a'), mustSync: true })
      await takeSnapshot(storage, metaAt(3, 2), Buffer.from('state'))
      const { storage: next, log } = await recoverOn(disk, { seed: 2 })
      assert.deepEqual(log.entries, [])
      assert.deepEqual(log.hardState, voteFor(2, 'n1/a'))
      await next.log.append({ entries: [command(4, 2, 'new')], mustSync: false })
      assert.deepEqual(indexes((await recoverOn(disk, { seed: 3 })).log.entries), [4])
    })
  }

  test('a log that agrees with it is kept', async () => {
    const disk = new CrashDisk()
    const { storage } = await recoverOn(disk)
    await storage.log.append({
      entries: [1, 2, 3, 4].map((index) => command(index, 2, 'same')),
      mustSync: false,
    })
    await takeSnapshot(storage, metaAt(3, 2), Buffer.from('state'))
    assert.equal((await recoverOn(disk, { seed: 2 })).log.entries.at(-1)?.index, 4)
  })
})

test('relaxed fsync: a node that returns under another boot without a clean stop says so, until it has settled', async () => {
  const disk = new CrashDisk()
  const start = (bootId: string, seed: number) => recoverOn(disk, { bootId, seed, fsync: 'interval' })
  const first = await start('boot-1', 1)
  assert.equal(first.storage.dirtyRelaxed, false)
  await first.storage.log.append({ entries: [command(1, 1, 'a')], mustSync: false })
  const sameBoot = await start('boot-1', 2)
  assert.equal(sameBoot.storage.dirtyRelaxed, false, 'only the process went down')
  const otherBoot = await start('boot-2', 3)
  assert.equal(otherBoot.storage.dirtyRelaxed, true)
  const again = await start('boot-2', 4)
  assert.equal(again.storage.dirtyRelaxed, true, 'it has not caught up meanwhile')
  await again.storage.settle()
  assert.equal(again.storage.dirtyRelaxed, false)
  await again.storage.close(true)
  assert.equal((await start('boot-3', 5)).storage.dirtyRelaxed, false, 'the stop was clean')
})

describe('relaxed fsync: a log that has come to rest', () => {
  const REST_MS = 1500
  const append = ({ log }: FileStorage, index: number, text: string) =>
    log.append({ entries: [command(index, 1, text)], mustSync: false })

  async function rested() {
    const disk = new CrashDisk()
    const clock = new ManualClock()
    const { storage } = await recoverOn(disk, { fsync: 'interval', fsyncIntervalMs: 50, clock })
    await settled()
    await append(storage, 1, 'a')
    await clock.advance(60)
    await clock.advance(REST_MS)
    return { disk, clock, storage }
  }

  const afterPowerLoss = (disk: CrashDisk, keeps = 0) =>
    recoverOn(
      disk.powerLoss(() => keeps),
      { bootId: 'boot-2', seed: 2, fsync: 'interval' },
    )

  test('has lost nothing when the power fails', async () => {
    const { disk } = await rested()
    const { storage, log } = await afterPowerLoss(disk)
    assert.equal(log.entries.at(-1)?.index, 1)
    assert.equal(storage.dirtyRelaxed, false)
  })

  test('is not at rest before its fsync, nor between that and the mark', async () => {
    const disk = new CrashDisk()
    const clock = new ManualClock()
    const { storage } = await recoverOn(disk, { fsync: 'interval', fsyncIntervalMs: 50, clock })
    await settled()
    await append(storage, 1, 'a')
    assert.equal((await afterPowerLoss(disk)).storage.dirtyRelaxed, true)
    await clock.advance(60)
    assert.equal((await afterPowerLoss(disk)).storage.dirtyRelaxed, true)
  })

  test('says so no more when it goes on: the first write is on disk before it is acknowledged, the next may be lost', async () => {
    for (const more of [1, 2]) {
      const { disk, storage } = await rested()
      for (let index = 2; index < 2 + more; index++) await append(storage, index, 'b')
      const found = await afterPowerLoss(disk)
      assert.equal(found.log.entries.at(-1)?.index, 2)
      assert.equal(found.storage.dirtyRelaxed, true)
    }
  })

  test('takes a write that comes while it is being marked, behind the mark', async () => {
    const disk = new CrashDisk()
    const clock = new ManualClock()
    const { storage } = await recoverOn(disk, { fsync: 'interval', fsyncIntervalMs: 50, clock })
    await settled()
    await append(storage, 1, 'a')
    await clock.advance(60)
    const marking = clock.advance(REST_MS)
    await append(storage, 2, 'b')
    await marking
    const found = await afterPowerLoss(disk)
    assert.equal(found.log.entries.at(-1)?.index, 2)
    assert.equal(found.storage.dirtyRelaxed, true)
    await storage.close(true)
    const closed = await recoverOn(disk, { seed: 3 })
    assert.equal(closed.log.cleanStop, true)
    assert.deepEqual(
      closed.log.entries.map(({ index }) => index),
      [1, 2],
    )
  })

  test('does not rest between steady writes: none of them waits for the disk', async () => {
    const disk = new CrashDisk()
    const clock = new ManualClock()
    const { storage } = await recoverOn(disk, { fsync: 'interval', fsyncIntervalMs: 50, clock })
    await settled()
    for (let index = 1; index <= 4; index++) {
      await append(storage, index, 'a')
      assert.equal((await afterPowerLoss(disk)).log.entries.length, index - 1)
      await clock.advance(60)
      await clock.advance(600)
    }
  })

  test('rests again after more writes, after a restart, and after a snapshot has replaced it', async () => {
    const { disk, clock, storage } = await rested()
    await append(storage, 2, 'b')
    await clock.advance(60)
    await clock.advance(REST_MS)
    assert.equal((await afterPowerLoss(disk)).storage.dirtyRelaxed, false)
    await append(storage, 3, 'c')
    const killed = disk.processCrash()
    const again = await recoverOn(killed, { seed: 4, fsync: 'interval', fsyncIntervalMs: 50, clock })
    await clock.advance(60)
    await clock.advance(REST_MS)
    assert.equal((await afterPowerLoss(killed)).storage.dirtyRelaxed, false)
    await takeSnapshot(again.storage, metaAt(9, 1), Buffer.from('state'))
    await again.storage.log.reset(metaAt(9, 1), voteFor(1))
    assert.equal((await afterPowerLoss(killed)).storage.dirtyRelaxed, true)
    await clock.advance(60)
    await clock.advance(REST_MS)
    assert.equal((await afterPowerLoss(killed)).storage.dirtyRelaxed, false)
  })

  test('a log that was closed, and goes no further than its last rest, is damaged', async () => {
    const { disk, storage } = await rested()
    const file = await disk.open(SEGMENT(1), 'update')
    const atRest = Buffer.alloc(await file.size())
    await file.read(atRest, 0)
    await append(storage, 2, 'b')
    await storage.close(true)
    await writeAll(file, atRest, 0)
    await assert.rejects(recoverOn(disk, { seed: 2 }), { code: 'CORRUPTED', message: /closed cleanly/ })
  })

  test('with never: a log that was closed, and went on, is in doubt', async () => {
    const disk = new CrashDisk()
    const first = await recoverOn(disk, { fsync: 'never' })
    await first.storage.close(true)
    const second = await recoverOn(disk, { fsync: 'never', seed: 2 })
    assert.equal((await afterPowerLoss(disk)).storage.dirtyRelaxed, false, 'nothing was written since')
    await append(second.storage, 1, 'a')
    await append(second.storage, 2, 'b')
    const found = await afterPowerLoss(disk)
    assert.equal(found.log.entries.at(-1)?.index, 1)
    assert.equal(found.storage.dirtyRelaxed, true)
  })
})

test('H39: there is nothing on disk about what was applied: only identity, log and snapshots', async () => {
  const disk = new CrashDisk()
  const { storage } = await recoverOn(disk)
  await storage.log.append({ entries: [command(1, 1, 'a')], mustSync: false })
  await takeSnapshot(storage, metaAt(1, 1), Buffer.from('state'))
  await settled()
  await storage.close(true)
  const kinds = [...disk.names.keys()]
    .map((path) => path.slice(DIR.length + 1).replace(/\d{16}/g, 'N'))
    .sort()
  assert.deepEqual(
    [...new Set(kinds)],
    [
      'identity.json',
      'log/segment-N.log',
      'log/spare-N.zeros',
      'snapshots/ballast.zeros',
      'snapshots/snapshot-N-N.snap',
    ],
  )
})

test('facts about founding survive a crash once they are told', async () => {
  const disk = new CrashDisk()
  const storage = await openOn(disk)
  const founding = {
    id: 'c1',
    by: { name: 'n1', incarnation: 'a' },
    attempt: 2,
    members: [
      { name: 'n1', incarnation: 'a', address: '10.0.0.1:4100' },
      { name: 'n2', incarnation: 'b', address: '10.0.0.2:4100' },
    ],
    foundedAt: 1_700_000_000_000,
  }
  await storage.identity.update({ founding })
  await storage.identity.update({ clusterId: 'c1' })
  const again = await openOn(disk.powerLoss(random(3)), { seed: 2 })
  assert.deepEqual(again.identity.founding, founding)
  assert.equal(again.identity.clusterId, 'c1')
})
