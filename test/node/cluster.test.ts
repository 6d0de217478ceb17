/** Three drivers and a network: who may write, what is read, and what is true when somebody is lost. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConcordError } from '../../core/errors.ts'
import { decodeCall } from '../../core/node/peer-calls.ts'
import { TestCluster } from './nodes.ts'
import { outcome } from './outcome.ts'

test('a write at any node is there at all of them, and each reads what it wrote', async () => {
  const cluster = new TestCluster(3)
  const leader = await cluster.elect()
  for (const [n, { db }] of cluster.nodes.entries()) {
    const put = outcome(db.put(`key${n}`, n))
    await cluster.clock.settle()
    assert.deepEqual(put.value, { revision: n + 1 })
    assert.equal(db.local.get(`key${n}`), n, 'the node that was asked has applied it')
  }
  await cluster.clock.advance(100)
  for (const { db } of cluster.nodes)
    assert.deepEqual(
      [0, 1, 2].map((n) => db.local.get(`key${n}`)),
      [0, 1, 2],
    )
  assert.ok(leader.driver.isReady)
  await cluster.stop()
})

test('H29: a read at a follower waits for the moment that the leader names', async () => {
  const cluster = new TestCluster(3)
  const leader = await cluster.elect()
  const [follower] = cluster.followers(leader)
  const put = outcome(leader.db.put('a', 'new'))
  await cluster.clock.settle()
  assert.ok(put.value)
  for (const consistency of ['leader', 'strong'] as const) {
    const get = outcome(follower!.db.get('a', { consistency }))
    await cluster.clock.settle()
    assert.equal(get.value, 'new')
  }
  await cluster.stop()
})

test('a follower that is cut off serves no linearizable read, and is answered by its deadline', async () => {
  const cluster = new TestCluster(3)
  const leader = await cluster.elect()
  const [follower, other] = cluster.followers(leader)
  cluster.network.groups = [[follower!.id], [leader.id, other!.id]]
  const put = outcome(leader.db.put('a', 1))
  const get = outcome(follower!.db.get('a', { timeoutMs: 300 }))
  const lost = outcome(follower!.db.put('b', 1, { timeoutMs: 300 }))
  await cluster.clock.advance(400)
  assert.ok(put.value)
  assert.deepEqual([get.error?.code, get.error?.outcome], ['NO_LEADER', 'not-applied'])
  assert.equal(lost.error?.outcome, 'not-applied', 'the question certainly did not arrive')
  cluster.network.groups = []
  await cluster.clock.advance(3000)
  assert.equal(follower!.db.local.get('a'), 1)
  assert.equal(follower!.db.local.get('b'), undefined)
  await cluster.stop()
})

test('H31: an answer that is lost on the way is unknown, and the write is never sent again', async () => {
  const cluster = new TestCluster(3)
  const leader = await cluster.elect()
  const [follower] = cluster.followers(leader)
  cluster.network.losesAnswers = true
  const plain = outcome(follower!.db.increment('n'))
  const guarded = outcome(follower!.db.increment('m', { requestId: 'r1' }))
  await cluster.clock.settle()
  assert.deepEqual(
    [plain.error?.code, plain.error?.outcome, plain.error?.retryable],
    ['CONNECTION_LOST', 'unknown', false],
  )
  assert.deepEqual([guarded.error?.outcome, guarded.error?.retryable], ['unknown', true])
  cluster.network.losesAnswers = false
  await cluster.clock.advance(500)
  const again = outcome(follower!.db.increment('m', { requestId: 'r1' }))
  await cluster.clock.settle()
  assert.deepEqual(
    [follower!.db.local.get('n'), follower!.db.local.get('m'), again.value?.ok && again.value.value],
    [1, 1, 1],
    'each took effect once',
  )
  await cluster.stop()
})

test('a write that was withdrawn before anybody took it leaves nothing to wait for', async () => {
  const cluster = new TestCluster(3)
  const [follower] = cluster.followers(await cluster.elect())
  const giveUp = new AbortController()
  const put = outcome(follower!.db.put('k', 1, { signal: giveUp.signal }))
  giveUp.abort()
  await cluster.clock.settle()
  assert.equal(put.error?.outcome, 'not-applied')
  let isDrained = false
  void follower!.driver.drain(60_000).then(() => (isDrained = true))
  await cluster.clock.settle()
  assert.ok(isDrained)
  await cluster.stop()
})

test('a write that waits for a leader goes to the next one', async () => {
  const cluster = new TestCluster(3)
  const leader = await cluster.elect()
  const [a, b] = cluster.followers(leader)
  cluster.network.groups = [[leader.id], [a!.id, b!.id]]
  const put = outcome(a!.db.put('k', 'v', { timeoutMs: 10_000 }))
  const stale = outcome(leader.db.put('k', 'stale', { timeoutMs: 10_000 }))
  await cluster.clock.advance(6000)
  assert.ok(put.value, 'the majority has elected somebody')
  assert.deepEqual(stale, {}, 'nobody can tell yet what becomes of it')
  cluster.network.groups = []
  await cluster.clock.advance(3000)
  assert.deepEqual([stale.error?.code, stale.error?.outcome], ['LEADERSHIP_LOST', 'not-applied'])
  for (const { db } of cluster.nodes) assert.equal(db.local.get('k'), 'v')
  await cluster.stop()
})

test('a follower that is far behind is caught up by a snapshot, and then by the log', async () => {
  const cluster = new TestCluster(3, {
    limits: { snapshotLogBytes: 100_000 },
    raft: { retainBytes: 10_000 },
  })
  const leader = await cluster.elect()
  const [follower, other] = cluster.followers(leader)
  cluster.network.groups = [[follower!.id], [leader.id, other!.id]]
  for (let round = 0; round < 40; round++) {
    const puts = Array.from({ length: 100 }, (_, n) =>
      outcome(leader.db.put(`k${round}-${n}`, 'x'.repeat(100))),
    )
    await cluster.clock.settle()
    assert.ok(puts.every(({ value }) => value !== undefined))
  }
  await cluster.clock.advance(2000)
  assert.ok(leader.driver.status().snapshotIndex > 0)
  cluster.network.groups = []
  await cluster.clock.advance(5000)
  const [installed, ...others] = follower!.installed
  assert.deepEqual(others, [])
  assert.ok(installed!.sizeBytes > 0)
  assert.equal(follower!.db.local.get('k39-99')?.toString().length, 100)
  assert.equal(follower!.driver.machine.users.count, 4000)
  assert.deepEqual(follower!.failures, [])
  const put = outcome(follower!.db.put('after', 1))
  await cluster.clock.settle()
  assert.ok(put.value)
  await cluster.stop()
})

test('a key that is due is expired by the leader, once, when a follower reads it', async () => {
  const cluster = new TestCluster(3)
  const leader = await cluster.elect()
  const [follower] = cluster.followers(leader)
  const put = outcome(leader.db.put('lock', 'me', { ttl: 0.02 }))
  await cluster.clock.settle()
  assert.ok(put.value)
  cluster.clock.nowMs += 30
  const gets = [1, 2, 3].map(() => outcome(follower!.db.get('lock')))
  await cluster.clock.settle()
  assert.deepEqual(
    gets.map(({ value, error }) => [value, error]),
    [1, 2, 3].map(() => [undefined, undefined]),
  )
  assert.equal(follower!.driver.machine.revision, 2, 'one put, one expiry')
  await cluster.stop()
})

test('a follower whose call for an expiry is lost asks again, within the deadline of its reader', async () => {
  const cluster = new TestCluster(3)
  const leader = await cluster.elect()
  const [follower] = cluster.followers(leader)
  const put = outcome(leader.db.put('lock', 'me', { ttl: 0.02 }))
  await cluster.clock.settle()
  assert.ok(put.value)
  cluster.clock.nowMs += 30
  const { driver } = leader
  const answer = driver.answer.bind(driver)
  let lost = 0
  driver.answer = (question) => {
    if (decodeCall(question).kind !== 'expire' || lost === 1) return answer(question)
    lost++
    return Promise.reject(new ConcordError('CONNECTION_LOST', 'on the way'))
  }
  const get = outcome(follower!.db.get('lock'))
  await cluster.clock.advance(500)
  assert.equal(lost, 1)
  assert.ok('value' in get, `not ${get.error?.code}`)
  assert.equal(get.value, undefined)
  await cluster.stop()
})

test('H76: a leader with too much that is not committed says so to those who forward, and goes on leading', async () => {
  const cluster = new TestCluster(3, { raft: { maxUncommittedBytes: 1000 } })
  const leader = await cluster.elect()
  cluster.network.groups = [[leader.id]]
  leader.driver.append([new Uint8Array(2000)])
  assert.throws(() => leader.driver.append([new Uint8Array(2000)]), { code: 'OVERLOADED' })
  await cluster.stop()
})

test('a member whose tail was in doubt writes down that it has caught up, once, and not before', async () => {
  const cluster = new TestCluster(3, { inDoubt: 'n3' })
  const { tail } = cluster.node('n3')
  cluster.network.groups = [['n1/x', 'n2/x']]
  await cluster.elect()
  await cluster.clock.advance(500)
  assert.equal(tail.settled, 0, 'it has heard nobody')
  cluster.network.groups = []
  await cluster.clock.advance(3000)
  assert.equal(tail.settled, 1)
  await cluster.stop()
})

test('H71: a change of the cluster that nobody has confirmed in time may still come, and says so', async () => {
  const cluster = new TestCluster(3)
  const leader = await cluster.elect()
  const [follower, other] = cluster.followers(leader)
  const { cluster: operations } = leader.db
  // It is the leader, as far as the others know, and what it was asked to do goes its way.
  leader.driver.operate = () => new Promise(() => {})
  const begun = outcome(operations.removeMember(follower!.id, { timeoutMs: 300 }))
  await cluster.clock.advance(500)
  assert.deepEqual(
    [begun.error?.code, begun.error?.outcome, begun.error?.retryable],
    ['TIMEOUT', 'unknown', true],
  )
  Reflect.deleteProperty(leader.driver, 'operate')
  // One that finds out in time that it leads nobody has begun nothing.
  cluster.network.groups = [[leader.id], [follower!.id, other!.id]]
  const refused = outcome(operations.removeMember(follower!.id, { timeoutMs: 300 }))
  await cluster.clock.advance(500)
  assert.deepEqual([refused.error?.code, refused.error?.outcome], ['NO_LEADER', 'not-applied'])
  await cluster.stop()
})

test('a voter that was demoted stays a learner until it is promoted; the last voter cannot be demoted or removed', async () => {
  const cluster = new TestCluster(3)
  const leader = await cluster.elect()
  const [first, second] = cluster.followers(leader)
  const { cluster: operations } = leader.db
  const votes = (id: string) => leader.driver.changes.membership.voters.includes(id)
  const done = async (work: Promise<unknown>) => {
    const result = outcome(work)
    await cluster.clock.advance(1000)
    return result.error
  }
  assert.equal(await done(operations.demote(first!.id)), undefined)
  await cluster.clock.advance(10_000)
  assert.equal(votes(first!.id), false)
  assert.equal(await done(operations.promote(first!.id)), undefined)
  assert.ok(votes(first!.id))
  for (const { id } of [first!, second!]) assert.equal(await done(operations.demote(id)), undefined)
  for (const error of [
    await done(operations.demote(leader.id)),
    await done(operations.removeMember(leader.id)),
  ]) {
    assert.ok(ConcordError.is(error))
    assert.deepEqual([error.code, error.retryable], ['CHANGE_REFUSED', false])
    assert.match(error.message, /no voter would be left/)
  }
  await cluster.stop()
})
