/** Ending a node: it waits for those who wait, and for nobody else. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeCall } from '../../core/node/peer-calls.ts'
import { TestCluster } from './nodes.ts'
import { outcome } from './outcome.ts'

test('H79: a leader that is cut off waits no longer than whoever has asked for something', async () => {
  const cluster = new TestCluster(3)
  const leader = await cluster.elect()
  cluster.network.groups = [[leader.id], cluster.followers(leader).map(({ id }) => id)]
  const put = outcome(leader.db.put('a', 1, { timeoutMs: 300 }))
  await cluster.clock.settle()
  const drained = outcome(leader.driver.drain(10_000).then(() => 'drained'))
  await cluster.clock.advance(200)
  assert.equal(drained.value, undefined, 'somebody waits')
  await cluster.clock.advance(200)
  assert.deepEqual([put.error?.code, put.error?.outcome], ['TIMEOUT', 'unknown'])
  assert.equal(drained.value, 'drained', 'the entry is still in the log, and nobody waits for it')
  await cluster.stop()
})

test('H79: so does a follower whose write is on its way to a leader that does not answer', async () => {
  const cluster = new TestCluster(3)
  const leader = await cluster.elect()
  const [follower] = cluster.followers(leader)
  // It has arrived and is never confirmed: the others have lost touch with the leader.
  cluster.network.groups = [[leader.id, follower!.id]]
  const others = cluster.followers(leader).slice(1)
  for (const { log } of [follower!, ...others]) log.held = true
  const put = outcome(follower!.db.put('a', 1, { timeoutMs: 300 }))
  await cluster.clock.settle()
  const drained = outcome(follower!.driver.drain(10_000).then(() => 'drained'))
  await cluster.clock.advance(400)
  assert.equal(put.error?.outcome, 'unknown')
  assert.equal(drained.value, 'drained')
  await cluster.stop()
})

test('H79: so does a leader of whom a peer has asked the moment of a read, and who hears nobody', async () => {
  const cluster = new TestCluster(3)
  const leader = await cluster.elect()
  cluster.network.groups = [[leader.id], cluster.followers(leader).map(({ id }) => id)]
  const asked = outcome(leader.driver.answer(encodeCall({ kind: 'read', level: 'strong' })))
  await cluster.clock.settle()
  const drained = outcome(leader.driver.drain(10_000).then(() => 'drained'))
  await cluster.clock.advance(900)
  assert.equal(drained.value, undefined)
  await cluster.clock.advance(300)
  assert.ok(asked.value, 'refused: whoever has asked asks somebody else by now')
  assert.equal(drained.value, 'drained')
  await cluster.stop()
})
