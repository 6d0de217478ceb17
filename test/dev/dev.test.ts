/** `concord dev`, as whoever develops with it: what it shows, what its keys do, and that it leaves nothing. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, describe, test } from 'node:test'
import { type Remote, connect } from '../../core/index.ts'
import { commands } from '../cli/command.ts'
import { until } from '../cluster/processes.ts'
import { atEnd, temporary } from '../store/node.ts'
import { bin, isGone, pidsIn, session } from './session.ts'

const LONG = { timeoutMs: 30_000 }

async function nodeAt(t: TestContext, cwd: string, name: string): Promise<Remote> {
  const remote = await connect(join(cwd, '.concord-dev', name))
  atEnd(t, () => remote.close())
  return remote
}

describe('concord dev', { timeout: 120_000 }, () => {
  test('three nodes lose their leader, go on, get it back, are parted and healed, and leave nothing', async (t) => {
    const cwd = await temporary(t)
    const dev = session(t, cwd, ['dev'])
    await dev.hear(/3 nodes on this machine\n {2}data +\.concord-dev\/n1/)
    const [, first] = await dev.hear(/(n\d) leads \(term \d+\)/)
    await dev.hear(/ready\n.* put hello world --data \.concord-dev\/n1\n/)
    const others = ['n1', 'n2', 'n3'].filter((name) => name !== first)
    const remote = await nodeAt(t, cwd, others[0]!)
    await remote.put('k', 1, LONG)

    const second = await commands(t, cwd)(['dev'])
    assert.equal(second.code, 5)
    assert.match(second.stderr, /^DIRECTORY_LOCKED: .*\.concord-dev is in use by process \d+/)

    dev.press(`${first!.slice(1)}\nk\n`)
    await dev.hear(new RegExp(`${first} {2}killed`))
    const [, next] = await dev.hear(/(n\d) leads/)
    assert.notEqual(next, first)
    await remote.put('k', 2, LONG)
    dev.press('r\n')
    await dev.hear(new RegExp(`${first} {2}follower`))
    const returned = await nodeAt(t, cwd, first!)
    assert.equal(await returned.get('k', LONG), 2)

    dev.press(`${next!.slice(1)}x\n`)
    await dev.hear(new RegExp(`${next} {2}\\S+, cut off`))
    const [, third] = await dev.hear(/(n\d) leads/)
    assert.notEqual(third, next)
    dev.press('h')
    await dev.hear(new RegExp(`${next} {2}follower \\(`))
    dev.press('t')
    await dev.hear(new RegExp(`${next} leads`))

    dev.press('?\nq\n')
    assert.equal(await dev.ended, 0)
    assert.match(dev.complained, /"\?" means nothing\. .* q quit/)
    assert.deepEqual(
      pidsIn(dev.said).filter((pid) => !isGone(pid)),
      [],
    )
    const left = readdirSync(join(cwd, '.concord-dev'), { recursive: true, encoding: 'utf8' })
    assert.deepEqual(
      left.filter((path) => /lock|\.sock|endpoint/.test(path)),
      [],
    )
  })

  test('nodes do not outlive it, not even paused ones; what they had is there the next time', async (t) => {
    const cwd = await temporary(t)
    const dev = session(t, cwd, ['dev', '--nodes', '2'])
    await dev.hear(/ready/)
    await (await nodeAt(t, cwd, 'n1')).put('k', 'kept', LONG)
    dev.press('2p')
    await dev.hear(/n2 {2}paused/)
    dev.child.kill('SIGKILL')
    await dev.ended
    const pids = pidsIn(dev.said)
    assert.equal(pids.length, 2)
    await until(() => pids.every(isGone))

    const hasty = session(t, cwd, ['dev'])
    await hasty.hear(/n2 {2}starting .*\n/)
    hasty.child.kill('SIGKILL')
    await until(() => pidsIn(hasty.said).every(isGone))

    const again = session(t, cwd, ['dev', '-o', 'json'])
    const [line] = await again.hear(/\{"event":"ready".*\n/)
    const { nodes } = JSON.parse(line) as { nodes: { name: string; data: string }[] }
    assert.deepEqual(
      nodes.map(({ data }) => data),
      [1, 2].map((at) => join(cwd, '.concord-dev', `n${at}`)),
    )
    assert.equal(await (await nodeAt(t, cwd, 'n2')).get('k', LONG), 'kept')
    again.child.kill('SIGTERM')
    assert.equal(await again.ended, 0)
    for (const each of again.said.trim().split('\n')) JSON.parse(each)
  })

  test('what keeps the nodes from starting is said once, and ends it with its code', async (t) => {
    const cwd = await temporary(t)
    writeFileSync(join(cwd, 'concord.config.json'), '{ "storage": { "fsync": "sometimes" } }')
    const run = commands(t, cwd)
    const bad = await run(['dev', '--nodes', '2'])
    assert.equal(bad.code, 2)
    assert.equal(bad.stderr.match(/CONFIG_INVALID/g)?.length, 1)
    const many = await run(['dev', '--nodes', '10'])
    assert.equal(many.code, 2)
    assert.match(many.stderr, /--nodes: found "10", expected a number from 1 to 9/)
    const gone = readdirSync(cwd, { recursive: true, encoding: 'utf8' }).filter((path) => /lock/.test(path))
    assert.deepEqual(gone, [])
  })

  test('on a terminal: a table that fits, keys without Enter, and the terminal as it was', async (t) => {
    if (spawnSync('script', ['--version']).status !== 0) return t.skip('there is no script(1) here')
    const cwd = await temporary(t)
    const line = `stty cols 80; stty -g; '${process.execPath}' '${bin}' dev --nodes 1; echo code $?; stty -g`
    const dev = session(t, cwd, [line, '/dev/null'], ['script', '-qec'])
    await dev.hear(/> n1 +leader +1 +\d+ +0 +\d+\r\n/)
    dev.press('p')
    await dev.hear(/> n1 +paused/)
    dev.press('c')
    await dev.hear(/> n1 +leader/)
    dev.press('\u0003')
    await dev.hear(/code 0/)
    assert.equal(await dev.ended, 0)
    const settings = dev.said.trim().split('\r\n')
    assert.equal(settings.at(-1), settings[0])
    // oxlint-disable-next-line no-control-regex
    const lines = dev.said.replaceAll(/\u001b\[\d*[A-Z]|\r/g, '').split('\n')
    const wide = lines.slice(1, -2).filter((each) => each.length > 80)
    assert.deepEqual(wide, [])
  })
})
