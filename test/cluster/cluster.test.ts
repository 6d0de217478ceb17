/** Three nodes over real sockets and files: founding, writing anywhere, losing one, coming back, removing one. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Closed } from '../../core/index.ts'
import { LONG, town, until } from './processes.ts'

const NAMES = ['n1', 'n2', 'n3']

test(
  'three found a cluster; each takes writes and reads what any other wrote',
  { timeout: 60_000 },
  async (t) => {
    const { startAll } = await town(t, NAMES)
    const nodes = await startAll()
    for (const [at, node] of nodes.entries()) assert.ok((await node.put(`k${at}`, at, LONG)).revision > 0)
    for (const node of nodes) {
      assert.deepEqual(await node.getMany(['k0', 'k1', 'k2'], LONG), [0, 1, 2])
      assert.equal(await node.get('k0', { consistency: 'strong', ...LONG }), 0)
    }
    const [first, ...others] = await Promise.all(nodes.map((node) => node.status()))
    for (const { clusterId, term } of others)
      assert.deepEqual([clusterId, term], [first!.clusterId, first!.term])
    const members = await nodes[0]!.cluster.members()
    assert.deepEqual(
      members.map(({ name, role }) => `${name} ${role}`).sort(),
      NAMES.map((name) => `${name} voter`),
    )
  },
)

test(
  'H83: opening waits for nobody, and a node alone of three takes no write',
  { timeout: 60_000 },
  async (t) => {
    const { start } = await town(t, NAMES)
    const alone = await start('n1')
    await assert.rejects(alone.put('a', 1, { timeoutMs: 300 }), { code: 'NO_LEADER', outcome: 'not-applied' })
    await assert.rejects(alone.ready({ timeoutMs: 100 }), { code: 'NOT_READY' })
    const rest = await Promise.all(['n2', 'n3'].map((name) => start(name)))
    await Promise.all([alone, ...rest].map((node) => node.ready(LONG)))
    assert.ok(await alone.put('a', 1, LONG))
  },
)

test(
  'H79: the leader leaves, and the others go on; it comes back with what it missed',
  { timeout: 60_000 },
  async (t) => {
    const { startAll, start } = await town(t, NAMES)
    const nodes = await startAll()
    await nodes[0]!.put('before', 1, LONG)
    const states = await Promise.all(nodes.map((node) => node.status()))
    const at = states.findIndex(({ role }) => role === 'leader')
    const name = states[at]!.node.name
    await nodes[at]!.close()
    const [other] = nodes.filter((_, each) => each !== at)
    await other!.put('meanwhile', 2, LONG)
    const again = await start(name)
    await again.ready(LONG)
    assert.equal(await again.get('meanwhile', LONG), 2)
    assert.equal((await again.status()).node.id, states[at]!.node.id, 'the same incarnation')
  },
)

test('leadership is handed over on request, from any node', { timeout: 60_000 }, async (t) => {
  const { startAll } = await town(t, NAMES)
  const nodes = await startAll()
  const { leader } = await nodes[0]!.status()
  const heir = NAMES.find((name) => !leader!.startsWith(`${name}/`))!
  for (const node of nodes) await node.cluster.transferLeadership(heir, LONG)
  await until(async () => (await nodes[0]!.status()).leader?.startsWith(`${heir}/`) === true)
  assert.ok(await nodes[1]!.put('a', 1, LONG))
  await assert.rejects(nodes[0]!.cluster.transferLeadership('nobody'), { code: 'INVALID_ARGUMENT' })
})

test('H57, H58: a removed member stops, and says why; the others go on', { timeout: 60_000 }, async (t) => {
  const { startAll } = await town(t, NAMES)
  const nodes = await startAll()
  // The one who leads: he hands over before he goes.
  await nodes[0]!.cluster.transferLeadership('n3', LONG)
  await nodes[0]!.cluster.removeMember('n3', LONG)
  // Nothing that a node does for itself keeps a process alive: somebody has to look.
  let closed: Closed | undefined
  void nodes[2]!.closed.then((how) => (closed = how))
  await until(() => closed !== undefined)
  assert.deepEqual([closed?.reason, (closed?.error as { code?: string }).code], ['failed', 'NODE_REMOVED'])
  assert.ok(await nodes[1]!.put('a', 1, LONG))
  assert.deepEqual(
    (await nodes[1]!.cluster.members()).map(({ name }) => name),
    ['n1', 'n2'],
  )
  await assert.rejects(nodes[0]!.cluster.removeMember('n3', LONG), /no member is called n3/)
})
