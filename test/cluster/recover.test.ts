/** Real processes: two of three members are lost for good, and the third becomes the cluster that others join. */
import assert from 'node:assert/strict'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Remote, connect } from '../../core/index.ts'
import { commands, launch, startNode } from '../cli/command.ts'
import { atEnd, temporary } from '../store/node.ts'
import { addresses, until } from './processes.ts'

const NAMES = ['n1', 'n2', 'n3']
const LONG = { timeoutMs: 30_000 }

test(
  'H86: what is left of a cluster is recovered, wiped nodes join it, and the old ones are refused',
  { timeout: 120_000 },
  async (t) => {
    const dir = await temporary(t)
    const members = await addresses(NAMES)
    const at = (name: string): string => join(dir, name)
    for (const name of NAMES) {
      const cluster = { name: 'test', members, listen: members[name], secret: 'a secret of some length' }
      mkdirSync(at(name))
      writeFileSync(join(at(name), 'concord.config.json'), JSON.stringify({ node: { id: name }, cluster }))
    }
    const connected = async (name: string): Promise<Remote> => {
      const remote = await connect(join(at(name), 'data'))
      atEnd(t, () => remote.close())
      return remote
    }
    const run = commands(t, at('n3'))
    const [n1, n2, n3] = await Promise.all(NAMES.map((name) => startNode(t, at(name))))
    const third = await connected('n3')
    for (let i = 0; i < 20; i++) await third.put(`k${i}`, i, LONG)
    const before = await third.status()

    const running = await run(['recover', '--yes'])
    assert.deepEqual([running.code, running.stderr.startsWith('DIRECTORY_LOCKED')], [5, true])
    for (const node of [n2!, n3!]) {
      node.child.kill('SIGKILL')
      await node.ended
    }
    const alive = await run(['recover', '--yes'])
    assert.equal(alive.code, 2)
    assert.match(alive.stderr, /n1 at 127\.0\.0\.1:\d+ still answers as a member of this cluster/)
    // Whoever has another secret cannot hear that it lives; nor does a config that leaves the node's name open matter.
    const foreign = join(dir, 'foreign.config.json')
    const cluster = { name: 'test', members, listen: members['n3'], secret: 'another secret of some length' }
    writeFileSync(foreign, JSON.stringify({ cluster }))
    const mute = await run(['recover', 'data', '--yes', '--config', foreign])
    assert.equal(mute.code, 2, mute.stderr)
    assert.match(mute.stderr, /something listens at n1 \(127.*--unasked/s)
    const nowhere = await run(['recover', 'data', '--yes', '--config', join(dir, 'none.config.json')])
    assert.match(nowhere.stderr, /n1 \(127.*cannot be asked whether they live.*--unasked/s)
    assert.equal(nowhere.code, 2)
    n1!.child.kill('SIGKILL')
    await n1!.ended

    const asked = await run(['recover'])
    assert.deepEqual([asked.code, /^NOT_CONFIRMED/m.test(asked.stderr)], [2, true])
    assert.match(asked.stderr, /n1 \(127.*, n2 .*: none answers/)
    const done = await run(['recover', '--yes'])
    assert.equal(done.code, 0, done.stderr)
    const recovered = JSON.parse(done.stdout) as { clusterId: string; revision: number }
    assert.notEqual(recovered.clusterId, before.clusterId)
    assert.equal(recovered.revision, before.revision + 1_000_000_000)

    await startNode(t, at('n3'))
    const alone = await connected('n3')
    const { clusterId, members: now } = await alone.status()
    assert.deepEqual([clusterId, now.map(({ name }) => name)], [recovered.clusterId, ['n3']])
    for (let i = 0; i < 20; i++) assert.equal(await alone.get(`k${i}`, LONG), i)
    const { revision } = await alone.put('after', true, LONG)
    assert.ok(revision > before.revision + 1_000_000_000)

    const old = launch(t, ['start'], { cwd: at('n1') })
    await until(() => /another cluster of the same name/.test(old.stderr()))
    old.child.kill('SIGKILL')
    await old.ended

    for (const name of ['n1', 'n2']) rmSync(join(at(name), 'data'), { recursive: true })
    await Promise.all(['n1', 'n2'].map((name) => startNode(t, at(name))))
    const first = await connected('n1')
    assert.equal(await first.get('after', LONG), true)
    await until(
      async () => (await first.cluster.members()).filter(({ role }) => role === 'voter').length === 3,
    )
    assert.equal((await first.put('again', 1, LONG)).revision, revision + 1)
  },
)
