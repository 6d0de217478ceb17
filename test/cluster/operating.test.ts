/** What operators do to a cluster of real nodes: take one in, look at all, change the limits, meet one that is wrong. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Closed, Concord } from '../../core/index.ts'
import { COMPARE_EVERY } from '../../core/node/divergence.ts'
import { definePlugin } from '../../core/plugin.ts'
import { nodeExitCodeOf } from '../../core/cli/failure.ts'
import { commands } from '../cli/command.ts'
import { rejection } from '../store/node.ts'
import { LONG, addresses, rolesOf, town, until } from './processes.ts'

const NAMES = ['n1', 'n2', 'n3']

test(
  'an empty node that knows nobody is taken in by its address, from any member',
  { timeout: 60_000 },
  async (t) => {
    const { startAll, start, dir, members } = await town(t, NAMES)
    const nodes = await startAll()
    await nodes[0]!.put('a', 1, LONG)
    const { n4, ghost } = await addresses(['n4', 'ghost'])
    // It waits for a founder that never comes, and would for ever.
    const fourth = await start('n4', { cluster: { members: { n4: n4!, ghost: ghost! }, listen: n4! } })
    await assert.rejects(fourth.ready({ timeoutMs: 300 }), { code: 'NOT_READY' })
    const { leader } = await nodes[0]!.status()
    const follower = nodes.find((_, at) => !leader!.startsWith(`${NAMES[at]}/`))!
    const { member } = await follower.cluster.addMember(n4!, LONG)
    assert.equal(member, (await fourth.status()).node.id)
    await fourth.ready(LONG)
    assert.equal(await fourth.get('a', LONG), 1)
    assert.deepEqual(await rolesOf(follower), { voters: NAMES, learners: ['n4'] })
    assert.deepEqual(await follower.cluster.addMember(n4!, LONG), { member }, 'asking again is safe')

    const { nobody, other } = await addresses(['nobody', 'other'])
    await assert.rejects(follower.cluster.addMember(nobody!, { timeoutMs: 2000 }), { outcome: 'not-applied' })
    const alone = { members: { other: other! }, listen: other! }
    const elsewhere = await start('other', { storage: { dir: join(dir, 'other') }, cluster: alone })
    await elsewhere.ready(LONG)
    await assert.rejects(follower.cluster.addMember(other!, LONG), {
      code: 'CANNOT_CONNECT',
      message: /another cluster of the same name/,
    })
    for (const wrong of ['', 'here', 'http://127.0.0.1:1/', '127.0.0.1:0', '127.0.0.1:99999', 7 as never]) {
      await assert.rejects(follower.cluster.addMember(wrong), { code: 'INVALID_ARGUMENT' })
    }
    assert.equal(Object.keys(members).length, 3)
  },
)

test('any node shows all members, and which of them do not answer', { timeout: 60_000 }, async (t) => {
  const { startAll, dir } = await town(t, NAMES)
  const nodes = await startAll()
  await nodes[0]!.put('a', 1, LONG)
  await until(async () => (await nodes[1]!.cluster.status()).every(({ lag }) => lag === 0))
  const all = await nodes[1]!.cluster.status()
  assert.deepEqual(
    all.map(({ name, reachable }) => `${name} ${reachable}`).sort(),
    NAMES.map((name) => `${name} true`),
  )
  assert.equal(all.filter(({ leader, state }) => leader && state?.role === 'leader').length, 1)
  const [first, ...others] = all.map(({ state }) => state!)
  for (const { stateHash, term } of others)
    assert.deepEqual([stateHash, term], [first!.stateHash, first!.term])

  await nodes[2]!.close()
  const run = commands(t, dir)
  const shown = await run(['status', '--cluster', '--data', join(dir, 'n1'), '-o', 'json'])
  const rows = JSON.parse(shown.stdout) as {
    name: string
    reachable: boolean
    lag: number | null
    state: unknown
  }[]
  const lost = rows.find(({ name }) => name === 'n3')
  assert.deepEqual([lost?.reachable, lost?.lag, lost?.state], [false, null, null])
  const table = await run(['status', '--cluster', '--data', join(dir, 'n1'), '-o', 'table'])
  const lines = table.stdout.split('\n')
  assert.match(lines[0]!, /^NAME +ROLE +TERM +COMMITTED +APPLIED +LAG +VERSION +ANSWERS +STATE +ADDRESS/)
  assert.match(
    lines.find((line) => line.startsWith('n3'))!,
    /^n3 +(?:voter|leader) +- +- +- +- +- +no +- /,
  )
  assert.match(
    lines.find((line) => line.startsWith('n1'))!,
    / yes +[0-9a-f]{16}@\d+ +127\.0\.0\.1:/,
  )
})

test(
  'H65: limits that every config has hold everywhere, and change when the last config has changed',
  { timeout: 90_000 },
  async (t) => {
    const { start } = await town(t, NAMES)
    const nodes = new Map<string, Concord>()
    const restart = async (name: string, batch: number): Promise<void> => {
      await nodes.get(name)?.close()
      nodes.set(name, await start(name, { limits: { batch } }))
    }
    const batchesAre = (batch: number) => async (): Promise<boolean> => {
      const all = await Promise.all([...nodes.values()].map((node) => node.status()))
      return all.every(({ settings }) => settings['batch'] === batch)
    }
    await Promise.all(NAMES.map((name) => restart(name, 7)))
    await until(batchesAre(7))
    const items = Array.from({ length: 8 }, (_, i) => ({ key: `k${i}`, value: i }))
    for (const node of nodes.values()) {
      await node.ready(LONG)
      await assert.rejects(node.putMany(items, LONG), { code: 'BATCH_TOO_LARGE' })
    }
    for (const name of ['n1', 'n2']) {
      await restart(name, 9)
      await nodes.get(name)!.ready(LONG)
      assert.ok(await batchesAre(7)(), 'one config still says otherwise')
    }
    await restart('n3', 9)
    await until(batchesAre(9))
    await Promise.all([...nodes.values()].map((node) => node.ready(LONG)))
    assert.equal((await nodes.get('n1')!.putMany(items, LONG)).length, 8)
  },
)

/** A plugin whose command is not the same on every node: what it writes depends on where it runs. */
const biased = (bias: string) =>
  definePlugin({
    name: 'biased',
    version: '1.0.0',
    apiVersion: 1,
    slice: {
      version: 1,
      apply(space, _command: string) {
        space.put('x', bias)
        return bias
      },
    },
    setup: (ctx) => ({ write: () => ctx.slice.propose('go') }),
  })

test(
  'H46: a node that applies otherwise than the others stops, and its data starts no node again',
  { timeout: 90_000 },
  async (t) => {
    const { start, dir, wipe } = await town(t, NAMES)
    const open = (name: string, bias: string): Promise<Concord> =>
      start(name, { use: [biased(bias)], plugins: { biased: true } as never })
    const nodes = await Promise.all(NAMES.map((name) => open(name, name === 'n3' ? 'wrong' : 'right')))
    await Promise.all(nodes.map((node) => node.ready(LONG)))
    const [first, , third] = nodes
    await (first!.plugin('biased' as never) as { write(): Promise<unknown> }).write()
    let closed: Closed | undefined
    void third!.closed.then((how) => (closed = how))
    for (let i = 0; i <= COMPARE_EVERY; i++) await first!.put('k', i, LONG)
    await until(() => closed !== undefined)
    const error = closed!.error as Error & { code: string }
    assert.equal(error.code, 'DIVERGED')
    assert.match(error.message, new RegExp(`at index ${COMPARE_EVERY} `))
    assert.equal(nodeExitCodeOf(error), 3)
    assert.ok(await first!.put('on', 1, LONG), 'the others go on')

    const refused = await rejection(open('n3', 'right'))
    assert.match(refused.message, /n3 was set aside: at index \d+ /)
    const run = commands(t, dir)
    const checked = await run(['fsck', join(dir, 'n3'), '--no-load'])
    assert.deepEqual([checked.code, /DIVERGED/.test(checked.stdout)], [3, true])
    const recovered = await run(['recover', join(dir, 'n3'), '--yes'])
    assert.deepEqual([recovered.code, recovered.stderr.startsWith('DIVERGED')], [3, true])

    wipe('n3')
    const again = await open('n3', 'right')
    await again.ready(LONG)
    await until(async () => (await rolesOf(first!))['voters']!.includes('n3'))
    assert.equal(await again.get('on', LONG), 1)
  },
)

test(
  'H82: a plugin’s first command waits until every member has the plugin; who comes without it then does not stay',
  { timeout: 90_000 },
  async (t) => {
    const { start } = await town(t, NAMES)
    const open = (name: string): Promise<Concord> =>
      start(name, { use: [biased('all the same')], plugins: { biased: true } as never })
    const nodes = [await open('n1'), await open('n2'), await start('n3')]
    await Promise.all(nodes.map((node) => node.ready(LONG)))
    const write = (): Promise<unknown> =>
      (nodes[0]!.plugin('biased' as never) as { write(): Promise<unknown> }).write()
    await assert.rejects(write(), {
      code: 'SLICE_MISSING',
      outcome: 'not-applied',
      message: /n3 could not go on with its commands \(version 1\): it does not have the plugin/,
    })
    await nodes[2]!.close()
    await assert.rejects(write(), { code: 'NOT_READY', message: /until every member .*; n3: / })
    const third = await open('n3')
    await third.ready(LONG)
    assert.equal(await write(), 'all the same')

    await third.close()
    const without = await start('n3').catch((error: Error) => error)
    let error = without instanceof Error ? without : undefined
    if (!(without instanceof Error)) {
      void without.closed.then((how) => (error = how.error))
      await until(() => error !== undefined)
    }
    assert.match(error!.message, /slice biased.*plugins: \{ 'biased': true \}/s)
    assert.equal(nodeExitCodeOf(error), 2)
    assert.ok(await nodes[0]!.put('on', 1, LONG))
  },
)

test('peers that nobody has to prove himself to are said to be unsafe', { timeout: 60_000 }, async (t) => {
  const { start } = await town(t, ['n1', 'n2'])
  const [open, closed] = [await start('n1', { cluster: { secret: undefined } }), await start('n2')]
  assert.match((await open.status()).unsafe.join(), /peers are not authenticated/)
  assert.deepEqual((await closed.status()).unsafe, [])
})
