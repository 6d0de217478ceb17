/** The driver under a disk that is slow, full or broken: who is answered, when, and with what truth. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ConcordError } from '../../core/errors.ts'
import { heldNode } from './held.ts'
import { outcome } from './outcome.ts'

test('H12: a cluster of one answers a put only when its own disk has it', async () => {
  const { clock, log, db } = await heldNode()
  log.held = true
  const put = outcome(db.put('a', 1))
  await clock.settle()
  assert.deepEqual(put, {})
  assert.equal(db.local.get('a'), undefined, 'and nobody sees it before')
  log.letGo()
  await clock.settle()
  assert.deepEqual(put.value, { revision: 1 })
  assert.equal(db.local.get('a'), 1)
})

test('what gathers while a write is in flight is one write', async () => {
  const { clock, log, db } = await heldNode()
  log.held = true
  const first = outcome(db.put('a', 1))
  await clock.settle()
  const before = log.batches.length
  const rest = Array.from({ length: 50 }, (_, n) => outcome(db.put(`k${n}`, n)))
  await clock.settle()
  assert.deepEqual(first, {})
  log.letGo()
  await clock.settle()
  assert.equal(log.batches.length, before + 2)
  assert.ok(rest.every(({ value }) => value !== undefined))
})

test('H71: past its deadline a write in the log is unknown, and may still happen', async () => {
  const { clock, log, db } = await heldNode()
  log.held = true
  const put = outcome(db.put('a', 1, { timeoutMs: 100 }))
  const guarded = outcome(db.put('b', 1, { timeoutMs: 100, requestId: 'r' }))
  await clock.settle()
  await clock.advance(200)
  assert.deepEqual([put.error?.code, put.error?.outcome, put.error?.retryable], ['TIMEOUT', 'unknown', false])
  assert.deepEqual([guarded.error?.outcome, guarded.error?.retryable], ['unknown', true])
  log.letGo()
  await clock.settle()
  assert.equal(db.local.get('a'), 1)
})

test('H71: without a leader a write fails by its deadline as not applied, and never happens', async () => {
  const { clock, log, db, driver } = await heldNode({}, 3)
  const early = outcome(db.put('early', 1, { timeoutMs: 100 }))
  const late = outcome(db.put('late', 1, { timeoutMs: 60_000 }))
  const read = outcome(db.get('a', { timeoutMs: 100 }))
  const strong = outcome(db.get('a', { consistency: 'strong', timeoutMs: 100 }))
  await clock.advance(200)
  for (const { error } of [early, read, strong]) {
    assert.deepEqual([error?.code, error?.outcome, error?.retryable], ['NO_LEADER', 'not-applied', true])
    assert.deepEqual((error?.details?.['voters'] as string[]).length, 3)
    assert.match(
      error?.message ?? '',
      /^no leader .*; this node is a \S+ in term \d+, voters are n1\S*, n2\S*, n3/,
    )
  }
  assert.deepEqual(late, {}, 'others go on waiting')
  assert.equal(outcome(db.get('a', { consistency: 'eventual' })).error, undefined)
  assert.ok(log.batches.every(({ entries }) => entries.length === 0))
  await driver.stop()
  await clock.settle()
  assert.equal(late.error?.code, 'STOPPED')
})

test('H76: what waits for the disk is bounded in bytes, and the refusal says that nothing happened', async () => {
  const { clock, log, db } = await heldNode({ queueBytes: 100_000, entryBytes: 20_000 })
  log.held = true
  const value = 'x'.repeat(1000)
  const puts = Array.from({ length: 200 }, (_, n) => outcome(db.put(`k${n}`, value)))
  await clock.settle()
  const refused = puts.filter(({ error }) => error !== undefined)
  assert.ok(refused.length > 90 && refused.length < 120, `${refused.length} refused`)
  for (const { error } of refused)
    assert.deepEqual([error?.code, error?.outcome], ['OVERLOADED', 'not-applied'])
  log.letGo()
  await clock.settle()
  assert.equal(puts.filter(({ value: done }) => done !== undefined).length, 200 - refused.length)
  assert.deepEqual(outcome(db.put('after', value)).error, undefined)
})

test('H76: what stands in the log and is not applied counts, too', async () => {
  const { clock, log, db } = await heldNode({ queueBytes: 10_000 })
  log.held = true
  const puts: ReturnType<typeof outcome>[] = []
  for (let n = 0; n < 30; n++) {
    puts.push(outcome(db.put(`k${n}`, 'x'.repeat(1000))))
    await clock.settle()
  }
  const refused = puts.filter(({ error }) => error?.code === 'OVERLOADED').length
  assert.ok(refused >= 20 && refused < 22, `${refused} refused`)
  log.letGo()
  await clock.settle()
  assert.ok(puts.every(({ value, error }) => value ?? error))
})

test('H29: the leader answers no read by its lease while what is committed is not applied', async () => {
  const { clock, log, db, driver } = await heldNode()
  log.held = true
  // Each is an entry, and no turn applies both.
  const first = db.put('a', 'x'.repeat(700_000))
  const second = outcome(db.put('b', 'x'.repeat(700_000)))
  let mayRead: boolean | undefined
  void first.then(() => (mayRead = driver.canReadNow('leader')))
  await clock.settle()
  assert.equal(driver.canReadNow('leader'), true)
  log.letGo()
  await clock.settle()
  assert.equal(mayRead, false)
  assert.ok(second.value)
  assert.equal(driver.canReadNow('leader'), true)
})

test('a turn is cut into entries of at most entryBytes, or one command', async () => {
  const { clock, log, db } = await heldNode({ entryBytes: 10_000 })
  const sizes = [100, 4000, 4000, 4000, 30_000, 100]
  const puts = sizes.map((size, n) => outcome(db.put(`k${n}`, 'x'.repeat(size))))
  await clock.settle()
  assert.ok(puts.every(({ value }) => value !== undefined))
  const entries = log.batches.flatMap((batch) => batch.entries).filter(({ kind }) => kind === 'commands')
  const lengths = entries.map(({ data }) => data.length)
  assert.ok(entries.length >= 3, JSON.stringify(lengths))
  for (const length of lengths)
    assert.ok(length <= 10_000 || (length > 30_000 && length < 30_200), `${length}`)
  for (const [n, size] of sizes.entries()) assert.equal((db.local.get(`k${n}`) as string).length, size)
})

test('H34: a failed fsync stops the node: nobody is answered with success, and nothing is tried again', async () => {
  const { clock, log, db, driver, failures } = await heldNode()
  log.held = true
  const inLog = outcome(db.put('a', 1))
  await clock.settle()
  const behind = outcome(db.put('b', 1))
  log.failure = new Error('EIO: i/o error, fsync')
  log.letGo()
  await clock.settle()
  assert.equal(failures[0], log.failure)
  assert.deepEqual([inLog.error?.code, inLog.error?.outcome], ['STOPPED', 'unknown'])
  assert.equal(inLog.error?.cause, log.failure)
  assert.equal(behind.error?.code, 'STOPPED')
  const written = log.batches.length
  const later = [
    outcome(db.put('c', 1)),
    outcome(db.get('a')),
    outcome(db.get('a', { consistency: 'eventual' })),
  ]
  await clock.advance(5000)
  for (const { error } of later) assert.equal(error?.code, 'STOPPED')
  assert.equal(log.batches.length, written, 'no write after the failure')
  assert.equal(driver.status().role, 'stopped')
})

test('H11, H34: what breaks in the background stops the node; a broken disk is not called full', async () => {
  const { clock, log, db, driver, failures } = await heldNode()
  const before = outcome(db.put('a', 1))
  await clock.settle()
  assert.ok(before.value)
  log.breakDown(new Error('EIO: i/o error, fsync'))
  await clock.settle()
  assert.match(failures[0]?.message ?? '', /EIO/)
  const later = [outcome(db.put('b', 1)), outcome(db.get('a'))]
  await clock.settle()
  for (const { error } of later) assert.equal(error?.code, 'STOPPED')
  assert.equal(driver.status().role, 'stopped')
})

test('H37: without room new writes are refused before they are appended; reads and expiries go on', async () => {
  const { clock, log, db, driver } = await heldNode()
  const kept = outcome(db.put('kept', 1))
  const brief = outcome(db.put('brief', 1, { ttl: 1 }))
  await clock.settle()
  assert.ok(kept.value && brief.value)
  log.roomBytes = 0
  const refused = outcome(db.put('more', 1))
  const read = outcome(db.get('kept'))
  await clock.settle()
  assert.deepEqual([refused.error?.code, refused.error?.outcome], ['STORAGE_FULL', 'not-applied'])
  assert.equal(read.value, 1)
  await clock.advance(1200)
  assert.equal(db.local.get('brief'), undefined)
  assert.equal(driver.machine.users.count, 1, 'the reserve is for expiries: it is gone, not only hidden')
  assert.equal(outcome(db.get('brief')).error, undefined)
  log.roomBytes = Infinity
  const again = outcome(db.put('more', 1))
  await clock.settle()
  assert.ok(again.value, 'and they come back by themselves')
})

test('H37: a command larger than the space that is left is refused itself, and leaves nothing behind', async () => {
  const { clock, log, db } = await heldNode()
  log.roomBytes = 10_000
  const large = outcome(db.put('large', 'x'.repeat(20_000)))
  const small = outcome(db.put('small', 1))
  await clock.settle()
  assert.deepEqual([large.error?.code, large.error?.outcome], ['STORAGE_FULL', 'not-applied'])
  assert.ok(small.value, 'what fits is written')
  assert.ok(log.batches.every(({ entries }) => entries.every(({ data }) => data.length < 1000)))
})

test('a node stops although its write is still under way, and says that it may have happened', async () => {
  const { clock, log, db, driver } = await heldNode()
  log.held = true
  const put = outcome(db.put('a', 1))
  await clock.settle()
  const stopping = outcome(driver.stop())
  await clock.settle()
  assert.ok('value' in stopping)
  assert.deepEqual([put.error?.code, put.error?.outcome], ['STOPPED', 'unknown'])
})

test('H08: a loop that stood still is noticed and counted, and the leader of one goes on', async () => {
  const { clock, db, driver, stalls } = await heldNode()
  clock.nowMs += 3000
  await clock.advance(100)
  assert.equal(stalls.length, 1)
  assert.ok((stalls[0] as number) > 2900)
  assert.equal(driver.status().stalls.count, 1)
  const put = outcome(db.put('a', 1))
  await clock.settle()
  assert.ok(put.value)
})

test('an aborted write that no entry holds is taken out of its batch; its neighbours happen', async () => {
  const { clock, db } = await heldNode({}, 1)
  const controller = new AbortController()
  const before = outcome(db.put('a', 1))
  const aborted = outcome(db.put('b', 1, { signal: controller.signal }))
  const behind = outcome(db.put('c', 1))
  controller.abort(new Error('enough'))
  await clock.settle()
  assert.deepEqual([aborted.error?.name, aborted.error?.outcome], ['AbortError', 'not-applied'])
  assert.ok(before.value && behind.value)
  assert.deepEqual(
    ['a', 'b', 'c'].map((key) => db.local.get(key)),
    [1, undefined, 1],
  )
})

test('a value whose getter writes to the store cannot spoil the entry that is being encoded', async () => {
  const { clock, db } = await heldNode()
  const inner: { error?: ConcordError }[] = []
  const value = {
    get sneaky() {
      inner.push(outcome(db.put('inner', 1)))
      return 2
    },
  }
  const outer = outcome(db.put('outer', value))
  const behind = outcome(db.put('behind', 3))
  await clock.settle()
  assert.ok(behind.value)
  assert.equal(db.local.get('behind'), 3)
  assert.equal(db.local.get('inner'), undefined)
  if (outer.error === undefined) assert.deepEqual(db.local.get('outer'), { sneaky: 2 })
})
