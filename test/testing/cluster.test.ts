/** A cluster in one process: what a test can do to it, and that a seed replays. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { ConcordError } from '../../core/errors.ts'
import { testCluster } from '../../core/testing/index.ts'

describe('a test cluster', () => {
  test('three nodes agree, and what one takes the others have', async () => {
    const cluster = await testCluster()
    const [one, two, three] = cluster.nodes
    await one!.db.put('colour', 'blue')
    assert.equal(await two!.db.get('colour'), 'blue')
    assert.equal(await three!.db.get('colour', { consistency: 'strong' }), 'blue')
    await cluster.close()
  })

  test('time stands still unless somebody waits, and a key expires when it is let pass', async () => {
    const cluster = await testCluster()
    const { db } = cluster.node('n1')
    await db.put('session', 1, { ttl: 30 })
    const before = cluster.now
    for (let turn = 0; turn < 100; turn++) await setImmediate()
    assert.equal(cluster.now, before)
    await cluster.advance(29_000)
    assert.equal(await db.get('session'), 1)
    await cluster.advance(2_000)
    assert.equal(await db.get('session'), undefined)
    await cluster.close()
  })

  test('a leader that is killed loses nothing, and comes back', async () => {
    const cluster = await testCluster({ seed: 7 })
    const leader = await cluster.leader()
    await leader.db.put('kept', 1)
    cluster.crash(leader.name, { power: true })
    assert.equal(leader.isUp, false)
    const next = await cluster.leader()
    assert.notEqual(next.name, leader.name)
    assert.equal(await next.db.get('kept'), 1)
    await next.db.put('kept', 2)
    const back = await cluster.start(leader.name)
    assert.equal(await back.db.get('kept'), 2)
    await cluster.close()
  })

  test('each node tells once who leads, when that is one who may decide', async () => {
    const cluster = await testCluster({ seed: 4 })
    const old = await cluster.leader()
    const told = cluster.nodes.map(({ db }) => {
      const events: string[] = []
      db.on('leader', ({ leader, isSelf }) => events.push(`${leader?.split('/')[0]} ${isSelf}`))
      return events
    })
    const heir = cluster.nodes.find(({ name }) => name !== old.name)!
    await old.db.cluster.transferLeadership(heir.name)
    await heir.db.put('a', 1)
    await cluster.until(() => told.every((events) => events.some((event) => event.startsWith(heir.name))))
    for (const [at, { name }] of cluster.nodes.entries()) {
      const ofLeaders = told[at]!.filter((event) => !event.startsWith('undefined'))
      assert.deepEqual(ofLeaders, [`${heir.name} ${name === heir.name}`])
    }
    await cluster.close()
  })

  test('a leader cut off from the others steps down; its callers are told, and the others go on', async () => {
    const cluster = await testCluster({ seed: 3 })
    const leader = await cluster.leader()
    cluster.partition([leader.name])
    await assert.rejects(leader.db.put('lost', 1, { timeoutMs: 2000 }), (error) => ConcordError.is(error))
    const next = await cluster.leader()
    assert.notEqual(next.name, leader.name)
    await next.db.put('found', 1)
    cluster.heal()
    assert.equal(await leader.db.get('found', { timeoutMs: 10_000 }), 1)
    await cluster.close()
  })

  test('a paused leader answers nothing that is out of date when it goes on', async () => {
    const cluster = await testCluster({ seed: 5 })
    const leader = await cluster.leader()
    await leader.db.put('flag', 'old')
    cluster.pause(leader.name)
    const next = await cluster.leader()
    await next.db.put('flag', 'new')
    const late = leader.db.get('flag', { timeoutMs: 20_000 })
    cluster.resume(leader.name)
    assert.equal(await late, 'new')
    await cluster.close()
  })

  test('time is let pass as far as is said while a call waits, and the call goes on when its node does', async () => {
    const cluster = await testCluster({ seed: 5 })
    const { db } = cluster.node('n2')
    cluster.pause('n2')
    const call = db.put('late', 1, { timeoutMs: 30_000 })
    const before = cluster.now
    await cluster.advance(1000)
    assert.equal(cluster.now, before + 1000)
    cluster.resume('n2')
    await call
    cluster.partition(['n2'])
    const cut = db.get('late', { timeoutMs: 30_000 })
    await cluster.advance(1000)
    cluster.heal()
    assert.equal(await cut, 1)
    await cluster.close()
  })

  test('a call on a process that is killed ends, and may have happened', async () => {
    const cluster = await testCluster()
    const { db } = cluster.node('n2')
    const call = db.put('maybe', 1)
    cluster.crash('n2')
    await assert.rejects(call, (error) => {
      assert.ok(ConcordError.is(error))
      assert.deepEqual([error.code, error.outcome], ['STOPPED', 'unknown'])
      return true
    })
    await cluster.close()
  })

  test('a new node joins, and one on an empty disk takes the place of its namesake', async () => {
    const cluster = await testCluster()
    await cluster.node('n1').db.put('a', 1)
    const fourth = await cluster.start('n4')
    await fourth.db.ready()
    assert.equal(await fourth.db.get('a', { consistency: 'eventual' }), 1)
    const second = await cluster.replace('n2')
    await second.db.ready()
    assert.equal(await second.db.get('a'), 1)
    await cluster.close()
  })

  test('a seed replays: the same revisions, the same leaders, at the same times', async () => {
    const history = async (seed: number): Promise<unknown[]> => {
      const cluster = await testCluster({ seed })
      const seen: unknown[] = [cluster.now]
      for (let round = 0; round < 3; round++) {
        const leader = await cluster.leader()
        seen.push(leader.name, await leader.db.put('round', round), cluster.now)
        cluster.crash(leader.name)
        seen.push((await cluster.leader()).name, cluster.now)
        await cluster.start(leader.name)
      }
      await cluster.close()
      return seen
    }
    assert.deepEqual(await history(11), await history(11))
    assert.notDeepEqual(await history(11), await history(12))
  })

  test('what is asked of it is checked', async () => {
    await assert.rejects(testCluster({ nodes: 0 }), /nodes: found 0, expected an integer from 1 to 15/)
    const cluster = await testCluster({ nodes: 1 })
    assert.throws(() => cluster.node('n9'), /there is no node n9; there are n1/)
    cluster.crash('n1')
    assert.throws(() => cluster.node('n1').db, /n1 does not run; start it/)
    await cluster.close()
  })
})

test('what is misspelt, and time that does not go on, are refused', async () => {
  const misspelt = { nodse: 3 } as never
  await assert.rejects(testCluster(misspelt), { code: 'INVALID_OPTION', message: /"nodse".*"nodes"/ })
  const t = await testCluster({ nodes: 1 })
  try {
    for (const wrong of [Number.NaN, -1, Infinity, '5s' as never]) {
      const before = t.now
      await assert.rejects(t.advance(wrong), { code: 'INVALID_ARGUMENT', message: /ms: found/ })
      await assert.rejects(
        t.until(() => false, wrong),
        { code: 'INVALID_ARGUMENT', message: /withinMs: found/ },
      )
      assert.equal(t.now, before)
    }
    await assert.rejects(t.start('n1'), { code: 'INVALID_ARGUMENT', message: /n1 runs already/ })
    assert.throws(() => t.crash('n9'), { code: 'INVALID_ARGUMENT' })
  } finally {
    await t.close()
  }
})
