// `concord start` and `concord fsck` as processes: how a node starts, how it ends, and what its exit code says.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, readdirSync, writeSync } from 'node:fs'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { ConcordError, connect, open } from '../../core/index.ts'
import { asNobody, giveToNobody } from '../nobody.ts'
import { until } from '../cluster/processes.ts'
import { atEnd, fileNode, rejection, temporary } from '../store/node.ts'
import { bin, cleanEnvironment, commands, launch, startNode } from './command.ts'

const placeIn = (data: string): { path: string; pid: number } =>
  JSON.parse(readFileSync(join(data, 'endpoint.json'), 'utf8')) as { path: string; pid: number }

describe('concord start', () => {
  test('SIGTERM: what is under way is finished, nothing is left, 0', async (t) => {
    const cwd = await temporary(t)
    const node = await startNode(t, cwd, ['--data', 'here', '-o', 'json'])
    const data = join(cwd, 'here')
    assert.deepEqual(JSON.parse(await node.ready), {
      ready: true,
      node: 'n1',
      version: '0.1.0',
      pid: node.child.pid,
      data,
      socket: join(data, 'endpoint.sock'),
      http: null,
    })
    const db = await connect(data)
    atEnd(t, () => db.close())
    const writes = Promise.allSettled(Array.from({ length: 200 }, (_, at) => db.put(`k${at}`, at)))
    node.child.kill('SIGTERM')
    const { code, stderr } = await node.ended
    assert.equal(code, 0)
    assert.match(stderr, /SIGTERM: the node finishes what is under way.*the node has stopped/s)
    // Its log is JSON, when nobody looks at it on a terminal.
    for (const line of stderr.split('\n').filter((one) => one.startsWith('{'))) JSON.parse(line)
    assert.deepEqual(readdirSync(data).sort(), ['identity.json', 'log', 'snapshots'])

    const outcomes = await writes
    const again = await fileNode(t, cwd, { storage: { dir: data } })
    for (const [at, outcome] of outcomes.entries()) {
      const found = await again.get(`k${at}`)
      if (outcome.status === 'fulfilled') assert.equal(found, at)
      else if (ConcordError.is(outcome.reason) && outcome.reason.outcome === 'not-applied') {
        assert.equal(found, undefined)
      }
    }
  })

  test('with HTTP on it says where', async (t) => {
    const env = { CONCORD_PLUGINS_HTTP: 'true', CONCORD_HTTP_LISTEN_PORT: '0' }
    const node = await startNode(t, await temporary(t), [], env)
    const [, url] = /^ +http +(http:\/\/127\.0\.0\.1:\d+) /m.exec(await node.ready) ?? []
    assert.equal((await fetch(`${url}/livez`)).status, 200)
  })

  test('SIGKILL: the next start finds a stale socket, and takes its place', async (t) => {
    const cwd = await temporary(t)
    const run = commands(t, cwd)
    const killed = await startNode(t, cwd)
    assert.equal((await run(['put', 'k', 'kept'])).code, 0)
    killed.child.kill('SIGKILL')
    await killed.ended
    const data = join(cwd, 'data')
    assert.equal(existsSync(placeIn(data).path), true)
    const nobody = await run(['get', 'k'])
    assert.equal(nobody.code, 5)
    assert.match(nobody.stderr, new RegExp(`no node runs on .*: process ${killed.child.pid}, .* is gone`))
    const checked = await run(['fsck'])
    assert.equal(checked.code, 0, checked.stderr)
    const report = JSON.parse(checked.stdout) as { ok: boolean; log: { cleanStop: boolean } }
    assert.deepEqual([report.ok, report.log.cleanStop], [true, false])

    const node = await startNode(t, cwd)
    assert.equal(placeIn(data).pid, node.child.pid)
    assert.equal((await run(['get', 'k'])).stdout, '"kept"\n')
    const second = await launch(t, ['start'], { cwd }).ended
    assert.equal(second.code, 5)
    assert.match(
      second.stderr,
      /DIRECTORY_LOCKED: .* is in use by process \d+; .*connect\('\S+data'\) reaches .*Try: npx concord-kv status --data \S+data/,
    )
  })

  test('a second signal ends it at once', async (t) => {
    const cwd = await temporary(t)
    const config = join(cwd, 'concord.config.mjs')
    const slow = `{ name: 'slow', version: '1.0.0', apiVersion: 1, setup: (ctx) => ctx.onDrain(() => new Promise(() => {})) }`
    await writeFile(config, `export default { use: [${slow}], plugins: { slow: true }, storage: 'memory' }`)
    const node = await startNode(t, cwd)
    assert.match(await node.ready, /in memory: gone when this ends/)
    // Signals that follow each other closely are one: npm passes on what the terminal has sent already.
    let ended = false
    void node.ended.then(() => (ended = true))
    while (!ended) {
      node.child.kill('SIGINT')
      await new Promise((resolve) => void setTimeout(resolve, 50))
    }
    const { code, stderr } = await node.ended
    assert.equal(code, 130)
    assert.equal(stderr.match(/SIGINT: the node finishes/g)?.length, 1)
  })

  test('goes on when nobody reads what it says, and stops as told', async (t) => {
    const cwd = await temporary(t)
    const node = launch(t, ['start'], { cwd })
    node.child.stdout!.destroy()
    node.child.stderr!.destroy()
    const run = commands(t, cwd)
    // Nothing of it can be read: it is there when it answers.
    while ((await run(['put', 'k', '1'])).code !== 0) assert.equal(node.child.exitCode, null)
    node.child.kill('SIGTERM')
    const { code, signal } = await node.ended
    assert.deepEqual([code, signal], [0, null])
    assert.deepEqual(readdirSync(join(cwd, 'data')).sort(), ['identity.json', 'log', 'snapshots'])
  })

  // Elsewhere than on Linux nobody says who started whom.
  const options = { skip: process.platform !== 'linux' }
  test('stops when npm was killed and its shell lives on', options, async (t) => {
    const cwd = await temporary(t)
    const npm = `process.title = 'npm start'
      const { spawn } = require('node:child_process')
      spawn('/bin/sh', ['-c', process.argv[1]], { stdio: 'inherit' })`
    const start = `'${process.execPath}' '${bin}' start -o json; true`
    const child = spawn(process.execPath, ['-e', npm, start], {
      cwd,
      env: { ...cleanEnvironment(), npm_lifecycle_event: 'start' },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let said = ''
    for await (const chunk of child.stdout) {
      said += String(chunk)
      if (said.includes('\n')) break
    }
    const { pid } = JSON.parse(said) as { pid: number }
    atEnd(t, async () => {
      if (existsSync(`/proc/${pid}`)) process.kill(pid, 'SIGKILL')
    })
    child.kill('SIGKILL')
    await until(() => !existsSync(join(cwd, 'data', 'lock')))
    await until(() => !existsSync(`/proc/${pid}`))
  })

  test('what is wrong before it starts: 2, 4', async (t) => {
    const cwd = await temporary(t)
    const run = commands(t, cwd)
    const bad = await run(['start'], { env: { CONCORD_STORAGE_FSYNC: 'sometimes' } })
    assert.equal(bad.code, 2)
    assert.match(
      bad.stderr,
      /^CONFIG_INVALID: .*"sometimes" is not allowed.*Try: npx concord-kv config validate/s,
    )
    const none = await run(['start', '--config', 'none.config.ts'])
    assert.deepEqual([none.code, none.stderr.split(':')[0]], [2, 'CONFIG_NOT_FOUND'])
    const production = await run(['start', '--env', 'production'])
    assert.deepEqual([production.code, production.stderr.split(':')[0]], [2, 'CONFIG_NOT_FOUND'])
    const file = await run(['start', '--data', '/dev/null/data'])
    assert.equal(file.code, 4, file.stderr)
    assert.match(file.stderr, /^STORAGE_FAILED: storage\.dir \/dev\/null\/data: \/dev\/null is a file/)
    assert.doesNotMatch(file.stderr, /concord get|request-id/)

    const owned = await fileNode(t, cwd, { node: { id: 'other' } })
    await owned.close()
    const foreign = await run(['start'])
    assert.equal(foreign.code, 2)
    assert.match(foreign.stderr, /IDENTITY_MISMATCH: .*is the data of node other, this is node n1/)
  })

  test('damage: start and fsck say where, 3', async (t) => {
    const cwd = await temporary(t)
    const run = commands(t, cwd)
    const db = await fileNode(t, cwd)
    for (let at = 0; at < 20; at++) await db.put(`k${at}`, 'x'.repeat(1000))
    await db.close()
    const data = join(cwd, 'data')
    const [segment] = readdirSync(join(data, 'log')).filter((name) => name.startsWith('segment'))
    const path = join(data, 'log', segment!)
    const fd = openSync(path, 'r+')
    writeSync(fd, Buffer.from('damage'), 0, 6, readFileSync(path).indexOf('x'.repeat(100)) + 5000)
    closeSync(fd)

    const checked = await run(['fsck', '-o', 'table'])
    assert.equal(checked.code, 3, checked.stderr)
    assert.match(checked.stdout, /problem +CORRUPTED: .*segment-\d+\.log, offset \d+: /)
    assert.match(checked.stdout, /verdict +damaged$/m)
    const refused = await run(['start'])
    assert.equal(refused.code, 3)
    assert.match(
      refused.stderr,
      /CORRUPTED: .*segment-\d+\.log, offset \d+: .*Try: npx concord-kv fsck \S+\/data\n$/,
    )
    // fsck has left everything as it was.
    assert.equal((await run(['fsck'])).stdout, (await run(['fsck', data])).stdout)
  })

  test('a file that this user may not read: nothing was applied', async (t) => {
    const cwd = await temporary(t)
    await chmod(cwd, 0o755)
    await (await fileNode(t, cwd)).close()
    const data = join(cwd, 'data')
    const [segment] = readdirSync(join(data, 'log')).filter((name) => name.startsWith('segment'))
    await giveToNobody(data)
    await chmod(join(data, 'log', segment!), 0)
    const error = await asNobody(() => rejection(open({ storage: { dir: data }, log: { level: 'silent' } })))
    assert.deepEqual([error.code, (error as ConcordError).outcome], ['STORAGE_FAILED', 'not-applied'])
    assert.match(error.message, /permission.*segment-/)
  })

  test('fsck of what is no data directory: 2', async (t) => {
    const cwd = await temporary(t)
    const run = commands(t, cwd)
    assert.deepEqual((await run(['fsck'])).code, 2)
    const other = await run(['fsck', cwd])
    assert.equal(other.code, 2)
    assert.match(other.stderr, /USAGE: .*is not the data directory of a node/)
  })
})

describe('where a node listens', () => {
  test('under the temporary directory, when the path of the data is too long for a socket', async (t) => {
    const cwd = await temporary(t)
    const deep = join(cwd, 'd'.repeat(60), 'e'.repeat(60))
    await mkdir(deep, { recursive: true })
    const node = await fileNode(t, deep)
    const data = join(deep, 'data')
    const { path } = placeIn(data)
    assert.equal(dirname(dirname(path)), tmpdir())
    assert.ok(Buffer.byteLength(path) <= 100)
    const db = await connect(data)
    atEnd(t, () => db.close())
    await db.put('k', 1)
    assert.equal(await node.get('k'), 1)
    await node.close()
    assert.equal(existsSync(dirname(path)), false)
    assert.equal(existsSync(join(data, 'endpoint.json')), false)
  })

  test('nowhere else: a node in memory has no socket, and a config that says so is named', async (t) => {
    const cwd = await temporary(t)
    await writeFile(join(cwd, 'concord.config.json'), '{ "storage": "memory" }')
    const error = await rejection(connect(cwd))
    assert.equal(error.code, 'CANNOT_CONNECT')
    assert.match(error.message, /concord\.config\.json says storage: 'memory'/)
    assert.equal((error as ConcordError).retryable, false)
  })

  test('without keeping its host alive', async (t) => {
    const cwd = await temporary(t)
    const script = `
      import { open, connect } from ${JSON.stringify(new URL('../../core/index.ts', import.meta.url).href)}
      await open({ storage: { dir: ${JSON.stringify(join(cwd, 'data'))} }, log: { level: 'silent' } })
      const db = await connect(${JSON.stringify(join(cwd, 'data'))})
      await db.put('k', 1)
      console.log(await db.get('k'))
    `
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    atEnd(t, async () => void child.kill('SIGKILL'))
    let stdout = ''
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
    // Neither the node nor the client was closed: the process ends all the same.
    const code = await new Promise((resolve) => child.once('close', resolve))
    assert.deepEqual([code, stdout], [0, '1\n'])
  })
})
