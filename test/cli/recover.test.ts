/** `concord recover` on directories: what it refuses, and that it may be cut off anywhere. */
import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { steps } from '../../core/cli/recover-directory.ts'
import { decodeIdentity, encodeIdentity } from '../../core/storage/file/identity.ts'
import { identityPath } from '../../core/storage/file/layout.ts'
import { LONG, town } from '../cluster/processes.ts'
import { fileNode, rejection, temporary } from '../store/node.ts'
import { commands, startNode } from './command.ts'

const NAMES = ['n1', 'n2', 'n3']

/** The directory of one of three members, none of which runs any more. */
async function lostMember(t: TestContext): Promise<string> {
  const { dir, startAll } = await town(t, NAMES)
  const nodes = await startAll()
  await nodes[0]!.put('a', [1, 2], LONG)
  await nodes[2]!.get('a', LONG)
  // A snapshot, and a log that goes on behind it.
  await nodes[2]!.cluster.snapshot(LONG)
  await nodes[2]!.put('b', 3, LONG)
  await Promise.all(nodes.map((node) => node.close()))
  return join(dir, 'n3')
}

test(
  'H86: a recovery that is cut off between any two steps starts no node, and is finished by the next',
  { timeout: 90_000 },
  async (t) => {
    const dir = await lostMember(t)
    const scratch = await temporary(t)
    const run = commands(t, scratch)
    const copy = (from: string, to: string): void =>
      cpSync(from, to, { recursive: true, preserveTimestamps: true })
    const whole = join(scratch, 'whole')
    copy(dir, whole)
    assert.equal((await run(['recover', whole, '--yes', '--unasked'])).code, 0)
    const [before] = readdirSync(whole).filter((name) => name.startsWith('before-'))

    const count = steps('', '').length
    for (let done = 0; done <= count; done++) {
      const data = join(scratch, `cut-${done}`, 'data')
      mkdirSync(join(data, 'recovering'), { recursive: true, mode: 0o700 })
      for (const name of ['identity.json', 'log', 'snapshots']) {
        copy(join(dir, name), join(data, name))
        copy(join(whole, name), join(data, 'recovering', name))
      }
      mkdirSync(join(data, before!), { mode: 0o700 })
      for (const [from, to] of steps(data, join(data, before!)).slice(0, done)) renameSync(from, to)
      const isCut = done > 0 && done < count
      if (isCut) {
        const error = await rejection(fileNode(t, join(scratch, `cut-${done}`), { node: { id: 'n3' } }))
        assert.equal(error.code, 'CORRUPTED', `after ${done} steps: ${error.message}`)
      }
      // Whole again it is a cluster by itself, of which nothing is to be recovered.
      const again = await run(['recover', data, '--yes', '--unasked'])
      assert.equal(again.code, done === count ? 2 : 0, again.stderr)
      const db = await fileNode(t, join(scratch, `cut-${done}`), { node: { id: 'n3' } })
      assert.deepEqual(await db.getMany(['a', 'b'], LONG), [[1, 2], 3])
      assert.ok((await db.status()).revision > 1_000_000_000)
      await db.close()
      assert.equal(existsSync(join(data, 'recovering')), false, 'nothing is left over')
    }
  },
)

test(
  'what belongs to no cluster, or is one by itself, or is damaged, is not recovered',
  { timeout: 60_000 },
  async (t) => {
    const scratch = await temporary(t)
    const run = commands(t, scratch)
    const single = await fileNode(t, scratch)
    await single.put('a', 1)
    await single.close()
    const alone = await run(['recover', join(scratch, 'data'), '--yes'])
    assert.deepEqual([alone.code, /is a cluster by itself already/.test(alone.stderr)], [2, true])
    const none = await run(['recover', scratch, '--yes'])
    assert.deepEqual([none.code, /no identity\.json/.test(none.stderr)], [2, true])
    const { start, dir } = await town(t, NAMES)
    const unfounded = await start('n1')
    await unfounded.close()
    const early = await run(['recover', join(dir, 'n1'), '--yes'])
    assert.deepEqual([early.code, /belongs to no cluster yet/.test(early.stderr)], [2, true])
  },
)

/** As after a loss of power under a relaxed fsync. */
function putInDoubt(dir: string): void {
  const path = identityPath(dir)
  const content = decodeIdentity(readFileSync(path), path)
  writeFileSync(path, encodeIdentity({ ...content, dirtyRelaxed: true }))
}

const isInDoubt = (dir: string): boolean =>
  decodeIdentity(readFileSync(identityPath(dir)), identityPath(dir)).dirtyRelaxed

test(
  'a member whose log is in doubt is recovered, and what would save more is said before',
  { timeout: 60_000 },
  async (t) => {
    const dir = await lostMember(t)
    const run = commands(t, await temporary(t))
    putInDoubt(dir)
    const asked = await run(['recover', dir, '--unasked'])
    assert.equal(asked.code, 2)
    assert.match(asked.stderr, /in doubt .*--accept-loss/s)
    assert.equal((await run(['recover', dir, '--yes', '--unasked'])).code, 0)
    assert.equal(isInDoubt(dir), false)
  },
)

test('concord start --accept-loss writes down that the loss is accepted', { timeout: 60_000 }, async (t) => {
  const cwd = await temporary(t)
  const single = await fileNode(t, cwd)
  await single.close()
  putInDoubt(join(cwd, 'data'))
  const node = await startNode(t, cwd, ['--accept-loss'])
  assert.match(node.stderr(), /accepted that acknowledged writes may be missing/)
  assert.equal(isInDoubt(join(cwd, 'data')), false)
  node.child.kill('SIGTERM')
  assert.equal((await node.ended).code, 0)
})
