/** Limits that `apply` enforces hold when every member has them in its config, and at once everywhere. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeCall, decodeObjection } from '../../core/node/peer-calls.ts'
import { TestCluster } from './nodes.ts'

const batches = (cluster: TestCluster): number[] =>
  cluster.nodes.map(({ driver }) => driver.machine.settings.batch)

test('H65: what the configs of all members wish for becomes a fact of the log, by one command', async () => {
  const wish = { batch: 7, valueBytes: 2048 }
  const cluster = new TestCluster(3, { wanted: { n1: wish, n2: wish, n3: wish } })
  const leader = await cluster.elect()
  await cluster.clock.advance(5000)
  assert.deepEqual(batches(cluster), [7, 7, 7])
  for (const { driver } of cluster.nodes) assert.equal(driver.machine.settings.valueBytes, 2048)
  assert.equal(leader.driver.machine.revision, 1, 'one change, and no other after it')
  await cluster.stop()
})

test('H65: as long as one member wishes for something else, nothing changes, and the leader says who', async () => {
  const wish = { batch: 7 }
  const cluster = new TestCluster(3, { wanted: { n1: wish, n2: wish, n3: { batch: 8 } } })
  await cluster.elect()
  await cluster.clock.advance(10_000)
  assert.deepEqual(batches(cluster), [500, 500, 500])
  const told = cluster.nodes.flatMap(({ disagreed }) => disagreed)
  assert.match(told.join('\n'), /n[123]: its config has batch [78]/)
  assert.equal(new Set(told).size, told.length, 'said when it changes, not at every round')
  await cluster.stop()
})

test('H65: a member that cannot be asked is waited for', async () => {
  const wish = { batch: 7 }
  const cluster = new TestCluster(3, { wanted: { n1: wish, n2: wish, n3: wish } })
  cluster.network.groups = [['n1/x'], ['n2/x', 'n3/x']]
  await cluster.elect()
  await cluster.clock.advance(10_000)
  assert.deepEqual(batches(cluster), [500, 500, 500])
  cluster.network.groups = []
  await cluster.clock.advance(10_000)
  assert.deepEqual(batches(cluster), [7, 7, 7])
  await cluster.stop()
})

test('H82: a member that does not have a setting says so when it is asked', async () => {
  const cluster = new TestCluster(1)
  const { driver } = await cluster.elect()
  const ask = async (values: Readonly<Record<string, number>>): Promise<string> =>
    decodeObjection(await driver.answer(encodeCall({ kind: 'settings', values })))
  assert.match(await ask({ applyVersion: 99 }), /does not support setting applyVersion/)
  assert.match(await ask({ ofTheFuture: 1 }), /does not support setting ofTheFuture/)
  await cluster.stop()
})
