/** Volumes that are full: what was promised before anybody knew, and what must go on all the same. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TestCluster, type TestNode } from './nodes.ts'
import { outcome } from './outcome.ts'

const KIB = 1024

test('H37: term, vote and expiry do not wait behind an entry that no disk has room for', async () => {
  const cluster = new TestCluster(3)
  const leader = await cluster.elect()
  const brief = outcome(leader.db.put('brief', 1, { ttl: 5 }))
  await cluster.clock.settle()
  assert.ok(brief.value)
  for (const { log } of cluster.nodes) log.hasSpace(50 * KIB)
  const large = outcome(leader.db.put('large', 'x'.repeat(100 * KIB), { timeoutMs: 500 }))
  await cluster.clock.advance(600)
  assert.deepEqual([large.error?.code, large.error?.outcome], ['TIMEOUT', 'unknown'])

  const others = cluster.followers(leader)
  cluster.network.groups = [[leader.id], others.map(({ id }) => id)]
  const next = await electedOf(cluster, others)
  const small = outcome(next.db.put('small', 1))
  await cluster.clock.settle()
  assert.ok(small.value, 'what fits is written')
  await cluster.clock.advance(6000)
  assert.equal(next.driver.machine.users.count, 1, 'and what is due goes')

  cluster.network.groups = []
  for (const { log } of cluster.nodes) log.hasSpace(Infinity)
  await cluster.clock.advance(2000)
  const again = outcome(next.db.put('large', 'y'.repeat(100 * KIB)))
  await cluster.clock.advance(500)
  assert.ok(again.value)
  for (const { db, failures } of cluster.nodes) {
    assert.deepEqual([db.local.get('small'), (db.local.get('large') as string)[0]], [1, 'y'])
    assert.deepEqual(failures, [])
  }
  await cluster.stop()
})

test('H37: a follower without room follows, votes, and takes what it lacks when there is room again', async () => {
  const cluster = new TestCluster(3)
  const leader = await cluster.elect()
  const [follower] = cluster.followers(leader)
  follower!.log.hasSpace(50 * KIB)
  for (let at = 0; at < 3; at++) {
    const put = outcome(leader.db.put(`large${at}`, 'x'.repeat(100 * KIB)))
    await cluster.clock.advance(300)
    assert.ok(put.value, 'the others are a quorum')
  }
  assert.equal(follower!.db.local.get('large0'), undefined)
  assert.equal(follower!.driver.status().leader, leader.id)
  assert.equal(leader.driver.status().term, follower!.driver.status().term, 'nobody has campaigned')
  follower!.log.hasSpace(Infinity)
  await cluster.clock.advance(1000)
  for (let at = 0; at < 3; at++)
    assert.equal((follower!.db.local.get(`large${at}`) as string).length, 100 * KIB)
  await cluster.stop()
})

test('H37: what a volume has refused is written in pieces that it takes', async () => {
  const cluster = new TestCluster(1)
  const node = await cluster.elect()
  node.log.held = true
  const puts = []
  for (let at = 0; at < 4; at++) {
    puts.push(outcome(node.db.put(`key${at}`, 'x'.repeat(40 * KIB))))
    await cluster.clock.settle() // each an entry of its own; three of them gather behind the first write
  }
  node.log.hasSpace(50 * KIB)
  node.log.letGo()
  await cluster.clock.advance(500)
  assert.ok(puts.every(({ value }) => value !== undefined))
  await cluster.stop()
})

test('H37: a leader whose followers have no room refuses commands before they are appended; expiry goes on', async () => {
  const cluster = new TestCluster(3)
  const leader = await cluster.elect()
  const [one, other] = cluster.followers(leader)
  const brief = outcome(leader.db.put('brief', 1, { ttl: 1 }))
  await cluster.clock.settle()
  assert.ok(brief.value)
  one!.log.roomBytes = 0
  await cluster.clock.advance(100)
  const kept = outcome(leader.db.put('kept', 1))
  await cluster.clock.settle()
  assert.ok(kept.value, 'two of three have room')

  other!.log.roomBytes = 10 * KIB
  await cluster.clock.advance(100)
  const { lastIndex } = leader.driver.status()
  const refused = outcome(leader.db.put('large', 'x'.repeat(20 * KIB)))
  const forwarded = outcome(other!.db.put('large', 'x'.repeat(9 * KIB) + 'y'.repeat(2 * KIB)))
  await cluster.clock.settle()
  for (const { error } of [refused, forwarded])
    assert.deepEqual([error?.code, error?.outcome], ['STORAGE_FULL', 'not-applied'])
  assert.equal(leader.driver.status().lastIndex, lastIndex)
  const small = outcome(leader.db.put('small', 'x'.repeat(5 * KIB)))
  await cluster.clock.settle()
  assert.ok(small.value, 'what fits is written')

  other!.log.roomBytes = 0
  await cluster.clock.advance(1500)
  assert.equal(leader.driver.machine.users.count, 2, 'the reserve is for expiries')
  one!.log.roomBytes = Infinity
  await cluster.clock.advance(100)
  const again = outcome(leader.db.put('large', 'x'.repeat(20 * KIB)))
  await cluster.clock.settle()
  assert.ok(again.value, 'writes resume when there is room')
  await cluster.stop()
})

test('H37: a leader whose disk is full hands over to a voter that has room, and keeps leading while there is none', async () => {
  const cluster = new TestCluster(3)
  const leader = await cluster.elect()
  const [one, other] = cluster.followers(leader)
  for (const { log } of [one!, other!]) log.roomBytes = 0
  await cluster.clock.advance(100)
  leader.log.roomBytes = 0
  await cluster.clock.advance(3000)
  assert.ok(leader.driver.leads, 'nobody is better off')

  one!.log.roomBytes = Infinity
  await cluster.clock.advance(3000)
  assert.ok(one!.driver.leads)
  const early = outcome(one!.db.put('a', 1))
  await cluster.clock.settle()
  assert.equal(early.error?.code, 'STORAGE_FULL', 'it has room, and a quorum has none')
  other!.log.roomBytes = Infinity
  await cluster.clock.advance(100)
  const put = outcome(one!.db.put('a', 1))
  await cluster.clock.settle()
  assert.ok(put.value)
  await cluster.clock.advance(10_000)
  assert.ok(one!.driver.leads, 'and it stays there')
  await cluster.stop()
})

async function electedOf(cluster: TestCluster, nodes: readonly TestNode[]): Promise<TestNode> {
  for (let tries = 0; tries < 100; tries++) {
    await cluster.clock.advance(100)
    const next = nodes.find(({ driver }) => driver.leads)
    if (next !== undefined) return next
  }
  throw new Error('nobody leads')
}
