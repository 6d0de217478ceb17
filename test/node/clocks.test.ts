/** What a node does is timed by the monotonic clock; and when it may say that it is ready. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TestCluster } from './nodes.ts'
import { outcome } from './outcome.ts'

const HOUR_MS = 3_600_000

test('H85: a wall clock that is set sets off no election, ends no TTL and no deadline', async () => {
  const cluster = new TestCluster(3)
  const { clock } = cluster
  const leader = await cluster.elect()
  const { term } = leader.driver.status()
  const put = outcome(leader.db.put('k', 1, { ttl: 60 }))
  await clock.settle()
  assert.ok(put.value)
  for (const setMs of [HOUR_MS, -2 * HOUR_MS, HOUR_MS]) {
    // A call that waits for the other two while the clock is set.
    cluster.network.groups = [[leader.id]]
    const waits = outcome(leader.db.put('w', setMs, { timeoutMs: 300 }))
    await clock.settle()
    clock.wallOffsetMs += setMs
    await clock.advance(100)
    assert.equal(waits.error, undefined)
    cluster.network.groups = []
    await clock.advance(5000)
    assert.ok(waits.value)
    assert.deepEqual([leader.driver.leads, leader.driver.status().term], [true, term])
    for (const { db } of cluster.nodes) assert.equal(db.local.get('k'), 1)
  }
  await clock.advance(60_000)
  for (const { db } of cluster.nodes) assert.equal(db.local.get('k'), undefined)
  await cluster.stop()
})

test('H83: a node is ready when it has applied what was committed before it was asked', async () => {
  const cluster = new TestCluster(3)
  const { clock } = cluster
  const leader = await cluster.elect()
  const [late] = cluster.followers(leader)
  cluster.network.groups = [cluster.nodes.filter((node) => node !== late).map(({ id }) => id)]
  const put = outcome(leader.db.put('k', 1))
  await clock.settle()
  assert.ok(put.value)
  const patience = { deadlineMs: clock.monotonicMs() + 30_000 }
  const ready = outcome(late!.driver.readPoint('strong', 0, patience))
  await clock.advance(2000)
  assert.deepEqual(ready, {}, 'nobody has told it how far the others are')
  // It hears the leader, and its disk takes its time.
  late!.log.held = true
  cluster.network.groups = []
  await clock.advance(3000)
  assert.deepEqual([ready, late!.db.local.get('k')], [{}, undefined])
  late!.log.letGo()
  await clock.advance(3000)
  assert.equal(ready.error, undefined)
  assert.ok('value' in ready)
  assert.equal(late!.db.local.get('k'), 1)
  await cluster.stop()
})
