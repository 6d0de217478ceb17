/** A node is a guest of its process: it keeps it alive while somebody waits for it, and no longer. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { heldNode } from './held.ts'
import { outcome } from './outcome.ts'

/** The tick that is under way when the last one is answered may still come. */
const TICK_MS = 60

test('the process lives while a write or a read waits, and may end when all are answered', async () => {
  const { clock, log, db } = await heldNode()
  await clock.advance(TICK_MS)
  assert.equal(clock.keepsAlive, false, 'nobody waits')
  log.held = true
  const put = outcome(db.put('a', 1))
  await clock.settle()
  assert.equal(clock.keepsAlive, true, 'for a write')
  log.letGo()
  await clock.settle()
  await clock.advance(TICK_MS)
  assert.ok(put.value)
  assert.equal(clock.keepsAlive, false)
  const read = outcome(db.get('a', { minRevision: 100, timeoutMs: 300 }))
  await clock.settle()
  assert.equal(clock.keepsAlive, true, 'for a revision')
  await clock.advance(300 + TICK_MS)
  assert.equal(read.error?.code, 'TIMEOUT')
  assert.equal(clock.keepsAlive, false)
})

test('the process lives while a call waits for a leader', async () => {
  const { clock, db } = await heldNode({}, 3)
  await clock.advance(TICK_MS)
  assert.equal(clock.keepsAlive, false, 'without a leader, when nobody asks')
  const read = outcome(db.get('a', { timeoutMs: 300 }))
  await clock.settle()
  assert.equal(clock.keepsAlive, true)
  await clock.advance(300 + TICK_MS)
  assert.equal(read.error?.code, 'NO_LEADER')
  assert.equal(clock.keepsAlive, false)
})

test('the process lives while a function of the caller takes its time', async () => {
  const { clock, db } = await heldNode()
  const txn = outcome(db.txn(() => new Promise(() => {}), { timeoutMs: 300 }))
  await clock.advance(TICK_MS)
  assert.equal(clock.keepsAlive, true)
  await clock.advance(400)
  assert.equal(txn.error?.code, 'TIMEOUT')
  assert.equal(clock.keepsAlive, false)
})

test('calls that come one after another do not put the ticks off', async () => {
  const { clock, db } = await heldNode()
  await clock.advance(TICK_MS)
  const brief = outcome(db.get('none', { minRevision: 1000, timeoutMs: 1 }))
  for (let ms = 0; ms < TICK_MS; ms += 10) {
    const put = outcome(db.put('a', ms))
    await clock.settle()
    assert.ok(put.value)
    await clock.advance(10)
  }
  assert.equal(brief.error?.code, 'TIMEOUT')
})
