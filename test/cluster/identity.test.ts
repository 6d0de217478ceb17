/** Who a node is: its name and its directory. What becomes of one that is wiped, copied, or older than it was. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Concord } from '../../core/index.ts'
import { LONG, rolesOf, town, until } from './processes.ts'

const NAMES = ['n1', 'n2', 'n3']

const idOf = async (node: Concord): Promise<string> => (await node.status()).node.id

/** Until `node`'s own incarnation is a voter, and no other of its name is a member. */
async function isVoter(asked: Concord, node: Concord): Promise<void> {
  const { id, name } = (await node.status()).node
  await until(async () => {
    const members = await asked.cluster.members(LONG)
    const [only, ...others] = members.filter((member) => member.name === name)
    return others.length === 0 && only?.id === id && only.role === 'voter'
  })
}

test(
  'H44: a node on a wiped directory is another incarnation, and takes the place of the lost one',
  { timeout: 60_000 },
  async (t) => {
    const { startAll, start, wipe } = await town(t, NAMES)
    const [first, , third] = (await startAll()) as [Concord, Concord, Concord]
    await first.put('a', 1, LONG)
    const lost = await idOf(third)
    await third.close()
    wipe('n3')
    const again = await start('n3')
    assert.notEqual(await idOf(again), lost)
    await isVoter(first, again)
    assert.equal(await again.get('a', LONG), 1)
    assert.deepEqual(await rolesOf(first), { voters: NAMES, learners: [] })
  },
)

test(
  'H44: nodes without a disk, restarted one after another, are new ones each time, and nothing is lost',
  { timeout: 60_000 },
  async (t) => {
    const { startAll, start } = await town(t, NAMES, { storage: 'memory' })
    const nodes = await startAll()
    await nodes[0]!.put('a', 1, LONG)
    const before = await Promise.all(nodes.map(idOf))
    for (const [at, name] of NAMES.entries()) {
      await nodes[at]!.close()
      nodes[at] = await start(name)
      await isVoter(nodes[(at + 1) % 3]!, nodes[at])
    }
    for (const node of nodes) assert.equal(await node.get('a', LONG), 1)
    for (const id of await Promise.all(nodes.map(idOf))) assert.ok(!before.includes(id), id)
  },
)

test(
  'H44: another node under the name of one that is there is kept out, also while that one restarts',
  { timeout: 60_000 },
  async (t) => {
    const { start, members, said } = await town(t, [...NAMES, 'elsewhere'])
    const three = Object.fromEntries(NAMES.map((name) => [name, members[name]!]))
    const nodes = await Promise.all(NAMES.map((name) => start(name, { cluster: { members: three } })))
    await Promise.all(nodes.map((node) => node.ready(LONG)))
    await nodes[0]!.cluster.transferLeadership('n1', LONG)
    await nodes[0]!.put('a', 1, LONG)
    const real = await idOf(nodes[2]!)
    const elsewhere = members['elsewhere']!
    const stray = await start('n3', {
      storage: 'memory',
      cluster: { members: three, listen: elsewhere, advertise: elsewhere },
    })
    const why = /n3\/\S+ at \S+ is not let in: the name n3 is that of n3\/\S+ at \S+, which answers/
    for (const name of ['n1', 'n3']) await until(() => why.test(said(name)))
    await nodes[2]!.close()
    await nodes[0]!.put('a', 2, LONG)
    const again = await start('n3', { cluster: { members: three } })
    assert.equal(await idOf(again), real)
    await again.ready(LONG)
    assert.equal(await again.get('a', LONG), 2)
    assert.deepEqual(await rolesOf(nodes[0]!), { voters: NAMES, learners: [] })
    assert.equal((await stray.status()).leader, null)
  },
)

test(
  'H44: a node that comes from elsewhere under the name of a member that is down waits, and finds it back in its place',
  { timeout: 60_000 },
  async (t) => {
    const { start, members, said } = await town(t, [...NAMES, 'elsewhere'])
    const three = { members: Object.fromEntries(NAMES.map((name) => [name, members[name]!])) }
    const nodes = await Promise.all(NAMES.map((name) => start(name, { cluster: three })))
    await Promise.all(nodes.map((node) => node.ready(LONG)))
    const real = await idOf(nodes[2]!)
    await nodes[2]!.close()
    const elsewhere = members['elsewhere']!
    const place = { listen: elsewhere, advertise: elsewhere }
    const stray = await start('n3', { storage: 'memory', cluster: { ...three, ...place } })
    const why =
      /is not let in yet: the name n3 is that of n3\/\S+ at \S+, which may come back.*`concord member add/
    await until(() => why.test(said('n3')))
    const again = await start('n3', { cluster: three })
    assert.equal(await idOf(again), real)
    await again.ready(LONG)
    // The stray asks again, and is told that somebody answers.
    await until(() => said('n3').includes('which answers'))
    assert.deepEqual(await rolesOf(nodes[0]!), { voters: NAMES, learners: [] })
    assert.equal((await stray.status()).leader, null)
  },
)

test(
  'H44: a node that has lost its directory and its address is let in when nobody has heard of it for long',
  { timeout: 60_000 },
  async (t) => {
    const { start, members } = await town(t, [...NAMES, 'elsewhere'])
    const three = {
      members: Object.fromEntries(NAMES.map((name) => [name, members[name]!])),
      replaceAfterMs: 1000,
    }
    const nodes = await Promise.all(NAMES.map((name) => start(name, { cluster: three })))
    await Promise.all(nodes.map((node) => node.ready(LONG)))
    await nodes[2]!.close()
    const elsewhere = members['elsewhere']!
    const place = { listen: elsewhere, advertise: elsewhere }
    const next = await start('n3', { storage: 'memory', cluster: { ...three, ...place } })
    await isVoter(nodes[0]!, next)
    assert.deepEqual(await rolesOf(nodes[0]!), { voters: NAMES, learners: [] })
  },
)

test(
  'H44: a copy of a directory is kept out while the first runs, and both say why',
  { timeout: 60_000 },
  async (t) => {
    const { startAll, start, copy, dir, said } = await town(t, NAMES)
    const nodes = await startAll()
    await nodes[2]!.close()
    copy('n3', 'copy')
    const first = await start('n3')
    await first.ready(LONG)
    await first.put('a', 1, LONG)
    // The same node by all that it says of itself, somewhere else.
    const second = await start('n3', {
      storage: { dir: join(dir, 'copy') },
      cluster: { listen: '127.0.0.1:0' },
    })
    await until(() => /SECOND_RUN.*its data directory is a copy of yours/.test(said('n3')))
    await until(() => ['n1', 'n2'].some((name) => said(name).includes('SECOND_RUN')))
    await assert.rejects(second.get('a', { timeoutMs: 300 }), { outcome: 'not-applied' })
    assert.equal((await second.status()).role, 'follower')
    await first.put('a', 2, LONG)
    assert.equal(await nodes[0]!.get('a', LONG), 2)
  },
)

test(
  'H44: an older copy of a directory is refused as REGRESSED, and wiped it may come back',
  { timeout: 60_000 },
  async (t) => {
    const { startAll, start, copy, wipe, said } = await town(t, NAMES)
    const nodes = await startAll()
    await nodes[0]!.cluster.transferLeadership('n1', LONG)
    await nodes[2]!.close()
    copy('n3', 'an hour ago')
    const later = await start('n3')
    await later.ready(LONG)
    for (let i = 0; i < 5; i++) await later.put('a', i, LONG)
    await later.close()
    wipe('n3')
    copy('an hour ago', 'n3')
    const older = await start('n3')
    const why =
      /REGRESSED.*n3\S* has acknowledged the log up to \d+ and has it up to \d+: its data is an older copy/
    await until(() => why.test(said('n1')))
    await until(() => why.test(said('n3')))
    await assert.rejects(older.get('a', { timeoutMs: 300 }), { outcome: 'not-applied' })
    assert.equal(await nodes[1]!.get('a', LONG), 4)
    await older.close()
    wipe('n3')
    const anew = await start('n3')
    await isVoter(nodes[0]!, anew)
    assert.equal(await anew.get('a', LONG), 4)
  },
)
