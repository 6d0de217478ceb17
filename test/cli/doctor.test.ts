// `concord doctor`: what it finds on a node that is well, on a machine without one, and where something is wrong.

import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { createAuthority } from '../transport/certificates.ts'
import { addresses } from '../cluster/processes.ts'
import { atEnd, fileNode, temporary } from '../store/node.ts'
import { type Run, type Story, tellAll } from './command.ts'

const stories: Story[] = []
const story = (name: string, told: Story['told']): void => void stories.push({ name, told })

interface Check {
  readonly result: string
  readonly check: string
  readonly found: string
  readonly expected: string
  readonly next: string | null
}

/** Every check by its name. */
async function diagnosis(
  run: Run,
  code: number,
  flags: readonly string[] = [],
): Promise<Readonly<Record<string, Check>>> {
  const ran = await run(['doctor', '--timeout', '2s', ...flags])
  assert.equal(ran.code, code, `${ran.stdout}\n${ran.stderr}`)
  const checks = JSON.parse(ran.stdout) as Check[]
  for (const { result, check, found, expected, next } of checks) {
    assert.ok(found !== '' && expected !== '', check)
    assert.equal(next === null, result === 'ok', `${check} says what to do when it is not ok`)
  }
  return Object.fromEntries(checks.map((each) => [each.check, each]))
}

story('a node that is well: nothing fails, and nothing is left beside its files', async (t, inDirectory) => {
  const cwd = await temporary(t)
  await writeFile(join(cwd, 'concord.config.mjs'), 'export default {}')
  await fileNode(t, cwd)
  const run = inDirectory(cwd)
  const before = readdirSync(join(cwd, 'data')).sort()
  const found = await diagnosis(run, 0)
  const names = ['node.js', 'config', 'node', 'quorum', 'clocks', 'versions', 'disk space', 'fsync']
  assert.deepEqual(Object.keys(found), names)
  for (const name of names.slice(0, 6)) assert.equal(found[name]!.result, 'ok', name)
  assert.match(found['node']!.found, /^n1: ready, leader of term \d+$/)
  assert.match(found['quorum']!.found, /^1 of 1 voters answer$/)
  assert.deepEqual(readdirSync(join(cwd, 'data')).sort(), before)
  assert.match(
    (await run(['doctor', '-o', 'table'])).stdout,
    /^RESULT +CHECK +FOUND +EXPECTED\nok +node\.js /,
  )
})

story(
  'no node, a port that is taken, a certificate of another authority: what to do is said, 9',
  async (t, inDirectory) => {
    const cwd = await temporary(t)
    const members = await addresses(['n1', 'n2', 'n3'])
    const tls = { ca: 'ca.pem', cert: 'cert.pem', key: 'key.pem' }
    const listen = members['n1']!
    await writeFile(
      join(cwd, 'concord.config.json'),
      JSON.stringify({ node: { id: 'n1' }, cluster: { name: 'a', members, listen, tls } }),
    )
    const { cert, key } = createAuthority('another').issue('n1')
    const texts = { 'ca.pem': createAuthority('ours').cert, 'cert.pem': cert, 'key.pem': key }
    for (const [name, text] of Object.entries(texts)) await writeFile(join(cwd, name), text)
    const server = createServer().listen(Number(listen.split(':')[1]), '127.0.0.1')
    await once(server, 'listening')
    atEnd(t, async () => void server.close())
    const found = await diagnosis(inDirectory(cwd), 9)
    assert.equal(found['node']!.result, 'warning')
    assert.equal(found['node']!.next, 'npx concord-kv start')
    assert.match(found['port']!.found, /EADDRINUSE/)
    assert.match(found['certificate']!.found, /^cluster\.tls\.cert: peers would refuse \S+cert\.pem/)
    assert.deepEqual([found['port']!.result, found['certificate']!.result], ['failed', 'failed'])
    assert.equal(found['fsync'], undefined, 'nothing is written where no directory is')
  },
)

story(
  'a node that waits for the others is not ready, and says so; a config that does not load ends it',
  async (t, inDirectory) => {
    const cwd = await temporary(t)
    const members = await addresses(['n1', 'n2'])
    const node = { id: 'n1' }
    const cluster = { name: 'a', members, listen: members['n1']!, secret: 'shared by both of them' }
    await writeFile(join(cwd, 'concord.config.json'), JSON.stringify({ node, cluster, shutdownMs: 100 }))
    await fileNode(t, cwd, { node, shutdownMs: 100, cluster })
    const run = inDirectory(cwd)
    const waits = await diagnosis(run, 9)
    assert.equal(waits['node']!.result, 'failed')
    assert.match(waits['node']!.found, /^n1: not ready, /)
    await mkdir(join(cwd, 'other'))
    await writeFile(join(cwd, 'other', 'concord.config.json'), '{"storage":{"dri":"x"}}')
    const ran = await run(['doctor', '--config', join(cwd, 'other', 'concord.config.json')])
    assert.equal(ran.code, 9)
    assert.match(
      ran.stderr,
      /^CHECK_FAILED: 1 of 2 checks failed: config\. Try: npx concord-kv config validate/,
    )
  },
)

story('a config that leaves the name of the node open: the directory says it', async (t, inDirectory) => {
  const cwd = await temporary(t)
  const members = await addresses(['n1', 'n2'])
  const node = { id: 'n2' }
  const cluster = { name: 'a', members, listen: members['n2']!, secret: 'shared by both of them' }
  await writeFile(join(cwd, 'concord.config.json'), JSON.stringify({ cluster, shutdownMs: 100 }))
  await fileNode(t, cwd, { node, shutdownMs: 100, cluster })
  const run = inDirectory(cwd)
  const found = await diagnosis(run, 9, ['--data', 'data'])
  assert.equal(found['config']!.result, 'ok', found['config']!.found)
  assert.match(found['node']!.found, /^n2: not ready, /)
  assert.equal((await diagnosis(run, 9))['config']!.result, 'failed')
  assert.match(
    (await run(['get', 'k'])).stderr,
    /^CONFIG_INVALID: .*found none\. Try: the same with --data DIR, /,
  )
})

story('a node that asks for a token has its port, and is asked again with one', async (t, inDirectory) => {
  const cwd = await temporary(t)
  const members = await addresses(['n1', 'n2'])
  const node = { id: 'n1' }
  const cluster = { name: 'a', members, listen: members['n1']!, secret: 'shared by both of them' }
  const plugins = { auth: true }
  const file = join(cwd, 'concord.config.json')
  await writeFile(file, JSON.stringify({ node, cluster, plugins, shutdownMs: 100 }))
  await fileNode(t, cwd, { node, shutdownMs: 100, cluster, plugins })
  const run = inDirectory(await temporary(t))
  const asked = await diagnosis(run, 9, ['--config', file])
  assert.equal(asked['port'], undefined)
  assert.deepEqual([asked['node']!.result, /--token-file/.test(asked['node']!.next!)], ['failed', true])
  const missing = join(cwd, 'nothing.json')
  assert.equal(
    (await diagnosis(run, 9, ['--config', missing]))['config']!.next,
    `npx concord-kv config validate --config ${missing}`,
  )
})

tellAll('doctor', stories)
