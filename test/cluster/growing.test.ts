/** Who comes later: as a learner, as a voter where one is wanted, and never as more than is wanted. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LONG, rolesOf, town, until } from './processes.ts'

const NAMES = ['n1', 'n2', 'n3']

test(
  'H59: a node alone opens its port, and one voter becomes three in one step, when both others have caught up',
  { timeout: 60_000 },
  async (t) => {
    const { start, said } = await town(t, NAMES)
    const single = await start('n1', { cluster: null })
    await single.put('a', 1, LONG)
    await single.close()
    const alone = await start('n1')
    await alone.ready(LONG)
    const second = await start('n2')
    await second.ready(LONG)
    assert.equal(await second.get('a', LONG), 1)
    // Two voters would bear no loss, and make every write need both.
    assert.deepEqual(await rolesOf(alone), { voters: ['n1'], learners: ['n2'] })
    const third = await start('n3')
    await third.ready(LONG)
    await until(async () => (await rolesOf(alone))['voters']!.length === 3)
    const counts = [...said('n1').matchAll(/"voters":(\[[^\]]*\])/g)].map(
      ([, voters]) => (JSON.parse(voters!) as string[]).length,
    )
    assert.deepEqual(
      [...new Set(counts)].filter((count) => count > 0),
      [1, 3],
    )
    assert.match(
      said('n1'),
      /cluster\.members is a hint where others are, and no more: n2, n3 of it are no members/,
    )
    await alone.close()
    await third.put('b', 2, LONG)
    assert.equal(await second.get('b', LONG), 2)
  },
)

test(
  'a fourth node joins with the founders’ own members and an address of its own',
  { timeout: 60_000 },
  async (t) => {
    const { start, members } = await town(t, [...NAMES, 'n4'])
    const three = Object.fromEntries(NAMES.map((name) => [name, members[name]!]))
    const nodes = await Promise.all(NAMES.map((name) => start(name, { cluster: { members: three } })))
    await Promise.all(nodes.map((node) => node.ready(LONG)))
    await nodes[0]!.put('a', 1, LONG)
    await assert.rejects(
      start('n4', { cluster: { members: three } }),
      /"n4", among the founders, or cluster.advertise/,
    )
    const fourth = await start('n4', { cluster: { members: three, advertise: members['n4']! } })
    await fourth.ready(LONG)
    assert.equal(await fourth.get('a', LONG), 1)
    assert.deepEqual(await rolesOf(fourth), { voters: NAMES, learners: ['n4'] })
  },
)

test(
  'H44: pods that come under new names do not count while the lost one is a member, and one does when it is removed',
  { timeout: 60_000 },
  async (t) => {
    const pods = ['pod-0a7e', 'pod-7d4f', 'pod-9c1b']
    const { start, members } = await town(t, [...NAMES, ...pods], { storage: 'memory' })
    const three = Object.fromEntries(NAMES.map((name) => [name, members[name]!]))
    const nodes = await Promise.all(NAMES.map((name) => start(name, { cluster: { members: three } })))
    await Promise.all(nodes.map((node) => node.ready(LONG)))
    const [first, second, lost] = nodes
    await first!.put('a', 1, LONG)
    await lost!.close()
    for (const name of pods) {
      const pod = await start(name, { cluster: { members: { ...three, [name]: members[name]! }, voters: 3 } })
      await pod.ready(LONG)
      assert.equal(await pod.get('a', LONG), 1)
    }
    await second!.put('a', 2, LONG)
    assert.deepEqual(await rolesOf(first!), { voters: NAMES, learners: pods })
    await first!.cluster.removeMember('n3', LONG)
    await until(async () => (await rolesOf(first!))['voters']!.length === 3)
    const { voters, learners } = await rolesOf(first!)
    assert.equal(voters!.filter((name) => pods.includes(name)).length, 1)
    assert.equal(learners!.length, 2)
  },
)
