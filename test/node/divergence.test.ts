/** A node whose state is not that of the others is found, and where nobody can say who is right, that is said. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { COMPARE_EVERY } from '../../core/node/divergence.ts'
import { TestCluster, type TestNode } from './nodes.ts'
import { outcome } from './outcome.ts'

/** Writes until an index has been compared, and the table of it applied by all that live. */
async function compared(cluster: TestCluster, leader: TestNode): Promise<number> {
  const index = (Math.floor(leader.driver.appliedIndex / COMPARE_EVERY) + 1) * COMPARE_EVERY
  while (leader.driver.appliedIndex < index) {
    const put = outcome(leader.db.put('k', leader.driver.appliedIndex))
    await cluster.clock.settle()
    assert.ok(put.value)
  }
  await cluster.clock.advance(3000)
  return index
}

/** What a bug, or a bit that has fallen over, would have made of it. */
const spoil = ({ driver }: TestNode): void => void (driver.machine.revision += 1)

const codes = (node: TestNode): unknown[] =>
  node.failures.map((error) => (error as Error & { code?: string }).code)

test('H46: nodes that have the same state compare it, and nothing comes of it', async () => {
  const cluster = new TestCluster(3)
  const leader = await cluster.elect()
  await compared(cluster, leader)
  await compared(cluster, leader)
  for (const node of cluster.nodes) assert.deepEqual([codes(node), node.differing], [[], []])
  await cluster.stop()
})

test('H46: a follower with another state stops, and says at which index; the others go on', async () => {
  const cluster = new TestCluster(3)
  const leader = await cluster.elect()
  const [wrong, right] = cluster.followers(leader)
  spoil(wrong!)
  const index = await compared(cluster, leader)
  assert.deepEqual(codes(wrong!), ['DIVERGED'])
  assert.match(wrong!.failures[0]!.message, new RegExp(`at index ${index} .* 2 of 3 voters`))
  for (const node of [leader, right!]) {
    assert.deepEqual(codes(node), [])
    assert.deepEqual(
      node.differing.map((comparison) => comparison.index),
      [index],
    )
  }
  const put = outcome(leader.db.put('on', 1))
  await cluster.clock.settle()
  assert.ok(put.value)
  await cluster.stop()
})

test('H46: a leader with another state stops, and another leads', async () => {
  const cluster = new TestCluster(3)
  const leader = await cluster.elect()
  spoil(leader)
  await compared(cluster, leader)
  assert.deepEqual(codes(leader), ['DIVERGED'])
  cluster.network.nodes.delete(leader.id)
  const next = await cluster.elect()
  assert.deepEqual(codes(next), [])
  await cluster.stop()
})

test('H46: a voter that is silent is not waited for, and two that agree are enough', async () => {
  const cluster = new TestCluster(3)
  const leader = await cluster.elect()
  const [cut, other] = cluster.followers(leader)
  spoil(cut!)
  cluster.network.groups = [[cut!.id], [leader.id, other!.id]]
  await compared(cluster, leader)
  assert.deepEqual([codes(cut!), codes(other!)], [[], []])
  cluster.network.groups = []
  await cluster.clock.advance(3000)
  assert.deepEqual(codes(cut!), ['DIVERGED'], 'the table is in the log')
  await cluster.stop()
})

test('H46: of two voters that differ nobody is right: both say so, take no snapshot and go on', async () => {
  const cluster = new TestCluster(2)
  const leader = await cluster.elect()
  const [other] = cluster.followers(leader)
  await compared(cluster, leader)
  spoil(other!)
  await compared(cluster, leader)
  for (const node of [leader, other!]) {
    assert.deepEqual(codes(node), [])
    assert.equal(node.differing.length, 1)
    const snapshot = outcome(node.driver.snapshot())
    await cluster.clock.settle()
    assert.equal(snapshot.error?.code, 'NOT_READY')
  }
  // They agree again, by whatever miracle: nothing is in doubt any more.
  other!.driver.machine.revision = leader.driver.machine.revision
  await compared(cluster, leader)
  const snapshot = outcome(leader.driver.snapshot())
  await cluster.clock.advance(100)
  assert.ok(snapshot.value)
  await cluster.stop()
})
