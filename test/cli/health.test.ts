// `concord health` and `snapshot`: what a supervisor asks a node, by exit code.

import assert from 'node:assert/strict'
import { addresses } from '../cluster/processes.ts'
import { fileNode, temporary } from '../store/node.ts'
import { type Story, tellAll } from './command.ts'

const stories: Story[] = []
const story = (name: string, told: Story['told']): void => void stories.push({ name, told })

story('health: 0 of a cluster that serves, 5 where no node answers', async (t, inDirectory) => {
  const cwd = await temporary(t)
  const run = inDirectory(cwd)
  const nobody = await run(['health'])
  assert.deepEqual([nobody.code, nobody.stdout], [5, ''])
  const db = await fileNode(t, cwd)
  const ran = await run(['health'])
  assert.equal(ran.code, 0, ran.stderr)
  const { leader, term, ...found } = JSON.parse(ran.stdout) as Record<string, unknown>
  assert.deepEqual(found, { live: true, serving: true, node: 'n1', role: 'leader', unsafe: [] })
  assert.deepEqual([leader, term], [(await db.status()).leader, (await db.status()).term])
  assert.match((await run(['health', '-o', 'table'])).stdout, /^cluster +serves$/m)
})

story(
  'health: 7 of a node without the others, who answers nevertheless: 0 with --live',
  async (t, inDirectory) => {
    const cwd = await temporary(t)
    const members = await addresses(['n1', 'n2'])
    await fileNode(t, cwd, {
      shutdownMs: 100,
      node: { id: 'n1' },
      cluster: { name: 'a', members, listen: members['n1'], secret: 'shared by both of them' },
    })
    const run = inDirectory(cwd)
    const ran = await run(['health', '--timeout', '200ms', '--data', 'data'])
    assert.equal(ran.code, 7, ran.stderr)
    assert.match(
      ran.stderr,
      /^(?:NO_LEADER|TIMEOUT): node n1 answers, and the cluster does not serve: .* Try: npx concord-kv status --cluster --data data$/m,
    )
    assert.equal((JSON.parse(ran.stdout) as { serving: boolean }).serving, false)
    const live = await run(['health', '--live'])
    assert.deepEqual([live.code, (JSON.parse(live.stdout) as { serving: null }).serving], [0, null])
  },
)

story('health: by any token that may read something, whatever that is', async (t, inDirectory) => {
  const cwd = await temporary(t)
  const db = await fileNode(t, cwd, { plugins: { auth: true } })
  const auth = db.plugin('auth')
  await auth.bootstrap()
  const as = async (name: string, permission: 'read' | 'write') => {
    const { token } = await auth.createToken({
      name,
      grants: [{ prefix: 'app/', permissions: [permission] }],
    })
    return inDirectory(cwd)(['health'], { env: { CONCORD_TOKEN: token } })
  }
  const reader = await as('reader', 'read')
  assert.deepEqual([reader.code, reader.stderr], [0, ''])
  assert.equal((JSON.parse(reader.stdout) as { serving: boolean }).serving, true)
  assert.equal((await as('writer', 'write')).code, 4)
})

story(
  'health: 0 with --live of a node that refuses whoever asks, and 5 where there is none',
  async (t, inDirectory) => {
    const cwd = await temporary(t)
    const run = inDirectory(cwd)
    assert.equal((await run(['health', '--live'])).code, 5)
    const db = await fileNode(t, cwd, { plugins: { auth: true, http: { port: 0 } } })
    const { token } = await db.plugin('auth').bootstrap()
    const wrong = token.replaceAll(/.$/g, (last) => (last === 'A' ? 'E' : 'A'))
    for (const at of [[], ['--endpoint', db.plugin('http').url!]]) {
      for (const env of [{}, { CONCORD_TOKEN: wrong }]) {
        assert.equal((await run(['health', ...at], { env })).code, 4)
        const live = await run(['health', '--live', ...at], { env })
        const { live: isLive, serving, node } = JSON.parse(live.stdout) as Record<string, unknown>
        assert.deepEqual([live.code, isLive, serving, node], [0, true, null, null], live.stderr)
      }
    }
  },
)

story('snapshot: one more, now', async (t, inDirectory) => {
  const cwd = await temporary(t)
  const db = await fileNode(t, cwd)
  const { revision } = await db.put('k', 1)
  const run = inDirectory(cwd)
  const ran = await run(['snapshot'])
  assert.equal(ran.code, 0, ran.stderr)
  const taken = JSON.parse(ran.stdout) as { index: number; revision: number }
  assert.equal(taken.revision, revision)
  assert.equal((await db.status()).snapshotIndex, taken.index)
  assert.match((await run(['snapshot', '-o', 'table'])).stdout, /^snapshot at index \d+, revision 1$/m)
})

tellAll('health and snapshot', stories)
