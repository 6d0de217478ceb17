/** Three nodes over real sockets and files: founding, writing anywhere, losing one, coming back, growing. */
import assert from 'node:assert/strict'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pino } from 'pino'
import type { Closed } from '../../core/index.ts'
import { town, until } from './processes.ts'

const NAMES = ['n1', 'n2', 'n3']
const LONG = { timeoutMs: 30_000 }

test(
  'three found a cluster; each takes writes and reads what any other wrote',
  { timeout: 60_000 },
  async (t) => {
    const { start } = await town(t, NAMES)
    const nodes = await Promise.all(NAMES.map((name) => start(name)))
    await Promise.all(nodes.map((node) => node.ready(LONG)))
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

test('opening waits for nobody, and a node alone of three takes no write', { timeout: 60_000 }, async (t) => {
  const { start } = await town(t, NAMES)
  const alone = await start('n1')
  await assert.rejects(alone.put('a', 1, { timeoutMs: 300 }), { code: 'NO_LEADER', outcome: 'not-applied' })
  await assert.rejects(alone.ready({ timeoutMs: 100 }), { code: 'NOT_READY' })
  const rest = await Promise.all(['n2', 'n3'].map((name) => start(name)))
  await Promise.all([alone, ...rest].map((node) => node.ready(LONG)))
  assert.ok(await alone.put('a', 1, LONG))
})

test(
  'the leader leaves, and the others go on; it comes back with what it missed',
  { timeout: 60_000 },
  async (t) => {
    const { start } = await town(t, NAMES)
    const nodes = await Promise.all(NAMES.map((name) => start(name)))
    await Promise.all(nodes.map((node) => node.ready(LONG)))
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

test(
  'H44: a wiped node joins anew as another incarnation, and takes the place of the lost one',
  { timeout: 60_000 },
  async (t) => {
    const { start, wipe } = await town(t, NAMES)
    const nodes = await Promise.all(NAMES.map((name) => start(name)))
    await Promise.all(nodes.map((node) => node.ready(LONG)))
    await nodes[0]!.put('a', 1, LONG)
    const lost = (await nodes[2]!.status()).node.id
    await nodes[2]!.close()
    wipe('n3')
    const again = await start('n3')
    const { id } = (await again.status()).node
    assert.notEqual(id, lost)
    await until(async () => {
      const members = await nodes[0]!.cluster.members()
      return members.length === 3 && members.some((member) => member.id === id && member.role === 'voter')
    })
    assert.equal(await again.get('a', LONG), 1)
  },
)

test('a fourth node joins as a learner, has the data and does not count', { timeout: 60_000 }, async (t) => {
  const { start, members } = await town(t, [...NAMES, 'n4'])
  const { n4, ...three } = members
  const founders = (listen: string) => ({
    cluster: { name: 'test', members: three, listen, secret: 'a secret of some length' },
  })
  const nodes = await Promise.all(NAMES.map((name) => start(name, founders(members[name]!))))
  await Promise.all(nodes.map((node) => node.ready(LONG)))
  await nodes[0]!.put('a', 1, LONG)
  const cluster = { name: 'test', members, voters: 3, listen: n4!, secret: 'a secret of some length' }
  const fourth = await start('n4', { cluster })
  await fourth.ready(LONG)
  assert.equal(await fourth.get('a', LONG), 1)
  const found = await fourth.cluster.members()
  assert.deepEqual(
    found.filter(({ role }) => role === 'learner').map(({ name }) => name),
    ['n4'],
  )
})

test('leadership is handed over on request, from any node', { timeout: 60_000 }, async (t) => {
  const { start } = await town(t, NAMES)
  const nodes = await Promise.all(NAMES.map((name) => start(name)))
  await Promise.all(nodes.map((node) => node.ready(LONG)))
  const { leader } = await nodes[0]!.status()
  const heir = NAMES.find((name) => !leader!.startsWith(`${name}/`))!
  for (const node of nodes) await node.cluster.transferLeadership(heir, LONG)
  await until(async () => (await nodes[0]!.status()).leader?.startsWith(`${heir}/`) === true)
  assert.ok(await nodes[1]!.put('a', 1, LONG))
  await assert.rejects(nodes[0]!.cluster.transferLeadership('nobody'), { code: 'INVALID_ARGUMENT' })
})

test('H57, H58: a removed member stops, and says why; the others go on', { timeout: 60_000 }, async (t) => {
  const { start } = await town(t, NAMES)
  const nodes = await Promise.all(NAMES.map((name) => start(name)))
  await Promise.all(nodes.map((node) => node.ready(LONG)))
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

test('another secret, or another cluster’s node, is let in nowhere', { timeout: 60_000 }, async (t) => {
  const { start, members } = await town(t, NAMES)
  const [first, second] = await Promise.all(['n1', 'n2'].map((name) => start(name)))
  const cluster = { name: 'test', members, listen: members['n3']!, secret: 'quite another secret' }
  const stranger = await start('n3', { cluster })
  for (const node of [first!, second!, stranger]) {
    await assert.rejects(node.put('a', 1, { timeoutMs: 700 }), { code: 'NO_LEADER' })
  }
  assert.equal((await stranger.status()).clusterId, '')
})

test(
  'H44: a copy of a directory is kept out while the first runs, and an older one for good',
  { timeout: 90_000 },
  async (t) => {
    const { start, dir, members } = await town(t, NAMES)
    const nodes = await Promise.all(NAMES.map((name) => start(name)))
    await Promise.all(nodes.map((node) => node.ready(LONG)))
    await nodes[0]!.cluster.transferLeadership('n1', LONG)
    await nodes[0]!.put('before', 1, LONG)
    await nodes[2]!.close()
    cpSync(join(dir, 'n3'), join(dir, 'copy'), { recursive: true })
    const again = await start('n3')
    await again.ready(LONG)
    for (let i = 0; i < 20; i++) await nodes[0]!.put(`after${i}`, i, LONG)
    await again.put('seen', true, LONG)
    const cluster = { name: 'test', members, listen: '127.0.0.1:0', secret: 'a secret of some length' }
    const copy = await start('n3', { storage: { dir: join(dir, 'copy') }, cluster })
    await assert.rejects(copy.ready({ timeoutMs: 1500 }), { code: 'NOT_READY' })
    assert.equal(await again.get('seen', LONG), true, 'the first is not disturbed')
    await copy.close()
    await again.close()
    const older = await start('n3', { storage: { dir: join(dir, 'copy') } })
    await assert.rejects(older.ready({ timeoutMs: 1500 }), { code: 'NOT_READY' })
    assert.ok(await nodes[1]!.put('on', 1, LONG))
  },
)

test(
  'limits of the config that the cluster does not have are said, and do not hold',
  { timeout: 60_000 },
  async (t) => {
    const { start } = await town(t, NAMES)
    const lines: string[] = []
    const logger = pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) })
    const first = await start('n1', { limits: { batch: 7 }, log: { logger } })
    const rest = await Promise.all(['n2', 'n3'].map((name) => start(name)))
    await Promise.all([first, ...rest].map((node) => node.ready(LONG)))
    assert.match(lines.join(''), /"batch":7.*limits are facts of the cluster/)
    const items = Array.from({ length: 8 }, (_, i) => ({ key: `k${i}`, value: i }))
    assert.equal((await first.putMany(items, LONG)).length, 8)
  },
)
