/** All members lose power at once, under a relaxed fsync: what they may have lost, and how they go on. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ConcordError } from '../../core/errors.ts'
import { type TestCluster, testCluster } from '../../core/testing/index.ts'

const NAMES = ['n1', 'n2', 'n3']

const relaxed = (fsync: 'interval' | 'never', seed = 1): Promise<TestCluster> =>
  testCluster({ seed, config: { storage: { fsync } } })

async function powerCut(cluster: TestCluster): Promise<void> {
  for (const name of NAMES) cluster.crash(name, { power: true })
  for (const name of NAMES) await cluster.start(name)
}

async function doubtOf(cluster: TestCluster, name: string): Promise<string | undefined> {
  const { unsafe } = await cluster.node(name).db.status()
  return unsafe.find((line) => line.includes('--accept-loss'))
}

const hasLeader = async (cluster: TestCluster): Promise<boolean> => {
  const said = await Promise.all(cluster.nodes.map(({ db }) => db.status()))
  return said.some(({ leader }) => leader !== null)
}

describe('all lose power at once', () => {
  test('interval, idle for seconds: nothing is lost, and they elect a leader by themselves', async () => {
    const cluster = await relaxed('interval')
    await cluster.node('n1').db.put('kept', 1)
    await cluster.advance(3000)
    await powerCut(cluster)
    for (const name of NAMES) assert.equal(await doubtOf(cluster, name), undefined, name)
    const leader = await cluster.leader()
    assert.equal(await leader.db.get('kept'), 1)
    await cluster.close()
  })

  test('never: nobody is elected, status says why, and a majority whose loss is accepted brings all back', async () => {
    const cluster = await relaxed('never')
    await cluster.node('n1').db.put('kept', 1)
    await cluster.advance(3000)
    await powerCut(cluster)
    await cluster.advance(20_000)
    assert.equal(await hasLeader(cluster), false)
    for (const name of NAMES) assert.match((await doubtOf(cluster, name))!, /in doubt/, name)
    await assert.rejects(cluster.node('n1').db.put('a', 1, { timeoutMs: 1000 }), { code: 'NO_LEADER' })
    for (const name of ['n1', 'n2']) {
      await cluster.stop(name)
      await cluster.start(name, { acceptLoss: true })
    }
    const leader = await cluster.leader()
    assert.notEqual(leader.name, 'n3', 'it does not stand for election while it is in doubt')
    await leader.db.put('again', 1)
    await cluster.until(async () => (await doubtOf(cluster, 'n3')) === undefined)
    for (const name of NAMES) assert.equal(await doubtOf(cluster, name), undefined, name)
    await cluster.close()
  })

  test('interval, in the middle of writes: one that still votes and one whose loss is accepted are enough', async () => {
    const cluster = await relaxed('interval')
    await cluster.advance(3000)
    await cluster.stop('n3')
    await cluster.node('n1').db.put('kept', 1)
    await cluster.node('n1').db.put('kept', 2)
    for (const name of ['n1', 'n2']) cluster.crash(name, { power: true })
    await cluster.start('n1')
    await cluster.start('n3')
    assert.match((await doubtOf(cluster, 'n1'))!, /in doubt/)
    await cluster.advance(20_000)
    assert.equal(
      await cluster
        .node('n3')
        .db.status()
        .then(({ leader }) => leader),
      null,
    )
    await cluster.stop('n1')
    await cluster.start('n1', { acceptLoss: true })
    const leader = await cluster.leader()
    assert.equal(leader.name, 'n1', 'its log is the longer one')
    await cluster.start('n2')
    await cluster.until(async () => (await doubtOf(cluster, 'n2')) === undefined)
    await cluster.close()
  })

  test('a loss that was accepted stays accepted at the next start', async () => {
    const cluster = await relaxed('never')
    await powerCut(cluster)
    await cluster.stop('n1')
    await cluster.start('n1', { acceptLoss: true })
    cluster.crash('n1')
    await cluster.start('n1')
    assert.equal(await doubtOf(cluster, 'n1'), undefined)
    assert.match((await doubtOf(cluster, 'n2'))!, /in doubt/)
    await cluster.close()
  })

  test('what is no act of a start is refused', async () => {
    const cluster = await relaxed('interval')
    cluster.crash('n1')
    for (const act of [{ acceptLos: true }, { acceptLoss: 'yes' }]) {
      await assert.rejects(
        cluster.start('n1', act as object),
        (error) => ConcordError.is(error) && error.code === 'INVALID_OPTION',
      )
    }
    await cluster.start('n1')
    await cluster.close()
  })
})
