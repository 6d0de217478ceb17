/** Opening, closing, waiting, giving up: what a host application meets. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { pino } from 'pino'
import { ConcordError, type Config, open } from '../../core/index.ts'
import { decodeIdentity, encodeIdentity } from '../../core/storage/file/identity.ts'
import { identityPath } from '../../core/storage/file/layout.ts'
import { fileNode, memoryNode, rejection, temporary } from './node.ts'

test('what was written is there after a restart, revisions and all', async (t) => {
  const dir = await temporary(t)
  const before = await fileNode(t, dir)
  await before.put('a', { when: new Date(0), big: 10n ** 30n, map: new Map([[1, new Set(['x'])]]) })
  await before.put('b', 1)
  await before.delete('b')
  const entry = await before.getEntry('a')
  const { revision, clusterId, node } = await before.status()
  await before.close()
  const after = await fileNode(t, dir)
  assert.deepEqual(await after.getEntry('a'), entry)
  assert.equal(await after.get('b'), undefined)
  const status = await after.status()
  assert.deepEqual([status.revision, status.clusterId, status.node.id], [revision, clusterId, node.id])
  assert.equal(status.role, 'leader')
  assert.equal((await after.put('c', 1)).revision, revision + 1)
})

test('a snapshot is taken, the log behind it goes, and a restart reads both', async (t) => {
  const dir = await temporary(t)
  const before = await fileNode(t, dir)
  await before.put('a', 1, { requestId: 'r' })
  const { index } = await before.cluster.snapshot()
  await before.put('b', 2)
  await before.close()
  const after = await fileNode(t, dir)
  const status = await after.status()
  assert.ok(status.snapshotIndex >= index)
  assert.deepEqual(await after.getMany(['a', 'b']), [1, 2])
  assert.deepEqual(await after.put('a', 1, { requestId: 'r' }), { revision: 1 }, 'request ids are in it')
})

test('snapshots are taken by themselves while writes go on, and every write survives', async (t) => {
  const dir = await temporary(t)
  const config = { snapshot: { logBytes: 1024 * 1024, keepBytes: 0 } }
  const before = await fileNode(t, dir, config)
  const value = 'x'.repeat(2000)
  for (let at = 0; at < 3000; at += 300) {
    await before.putMany(
      Array.from({ length: 300 }, (_, n) => ({ key: `k${at + n}`, value: `${at + n}${value}` })),
    )
  }
  while ((await before.status()).snapshotIndex === 0) await before.put('more', value)
  await before.close()
  const after = await fileNode(t, dir, config)
  assert.equal(await after.get('k0'), `0${value}`)
  assert.equal(await after.get('k2999'), `2999${value}`)
})

test('close answers what is under way, and refuses what comes later', async (t) => {
  const db = await memoryNode(t)
  const puts = Array.from({ length: 100 }, (_, n) => db.put(`k${n}`, n))
  const closing = db.close()
  const late = rejection(db.put('late', 1))
  const results = await Promise.all(puts)
  assert.equal(results.length, 100)
  await closing
  assert.deepEqual(await db.closed, { reason: 'closed' })
  assert.ok(['STOPPED'].includes((await late).code ?? ''))
  for (const call of [
    db.get('k1'),
    db.put('a', 1),
    db.txn(async (tx) => tx.get('a')),
    db.cluster.snapshot(),
  ]) {
    assert.equal((await rejection(call)).code, 'STOPPED')
  }
  assert.throws(() => db.local.get('a'), { code: 'STOPPED' })
  await db.close()
})

test('a process lives for a call that waits, and no longer: an open node does not keep it', async () => {
  const script = `
    const { open } = await import(process.argv[1])
    const db = await open({ storage: 'memory', log: { level: 'silent' } })
    const waits = db.get('k', { minRevision: 1000, timeoutMs: 300 })
    console.log(await waits.catch(({ code }) => code))
  `
  const index = new URL('../../core/index.ts', import.meta.url).href
  const args = ['--input-type=module', '--eval', script, index]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  assert.equal(stdout.trim(), 'TIMEOUT')
})

test('with a relaxed fsync a node alone starts again after the machine went down', async (t) => {
  const dir = await temporary(t)
  const config: Config = { storage: { dir: join(dir, 'data'), fsync: 'interval' } }
  const before = await fileNode(t, dir, config)
  await before.put('a', 1)
  // What is found after the next boot: the files of a run that was not closed, without the space that is
  // being taken ahead while they are copied.
  await cp(join(dir, 'data'), join(dir, 'found'), {
    recursive: true,
    filter: (path) => !/\.(?:sock|zeros|tmp)$/.test(path),
  })
  const path = identityPath(join(dir, 'found'))
  const content = decodeIdentity(await readFile(path), path)
  assert.ok(content.run)
  await writeFile(path, encodeIdentity({ ...content, run: { ...content.run, bootId: 'an earlier boot' } }))
  for (const key of ['b', 'c']) {
    const after = await fileNode(t, dir, { storage: { dir: join(dir, 'found'), fsync: 'interval' } })
    assert.equal(await after.get('a'), 1)
    await after.put(key, 1)
    await after.close()
  }
  const { dirtyRelaxed } = decodeIdentity(await readFile(path), path)
  assert.equal(dirtyRelaxed, false, 'what is missing is accepted: there is no other copy')
})

test('a logger and a listener that throw do not keep a node from closing', async (t) => {
  let isBroken = false
  const logger = pino(
    {
      level: 'trace',
      hooks: {
        logMethod(line, method) {
          if (isBroken) throw new Error('a logger')
          method.apply(this, line)
        },
      },
    },
    { write: () => undefined },
  )
  const db = await memoryNode(t, { log: { logger } })
  db.on('stopped', () => {
    throw new Error('a listener')
  })
  isBroken = true
  await db.put('k', 1)
  await db.close()
  assert.equal((await db.closed).reason, 'closed')
})

test('await using closes the node', async (t) => {
  const dir = await temporary(t)
  const db = await fileNode(t, dir)
  await db[Symbol.asyncDispose]()
  assert.equal((await db.closed).reason, 'closed')
  await fileNode(t, dir)
})

test('an env section in what open() is given is refused: no mode counts there', async () => {
  const error = await rejection(open({ storage: 'memory', env: { test: { timeoutMs: 9 } } }))
  assert.ok(ConcordError.is(error))
  assert.equal(error.code, 'CONFIG_INVALID')
  assert.match(error.message, /^env: expected no env in what open\(\) is given/)
})

test('H43: the same directory twice in one process is refused, and says so', async (t) => {
  const dir = await temporary(t)
  await fileNode(t, dir)
  const error = await rejection(open({ storage: { dir: join(dir, 'data') }, log: { level: 'silent' } }))
  assert.equal(error.code, 'DIRECTORY_LOCKED')
  assert.match(error.message, /already open in this process/)
})

test('H61: a directory that belongs to another node is refused', async (t) => {
  const dir = await temporary(t)
  const db = await fileNode(t, dir)
  await db.close()
  const error = await rejection(
    open({ node: { id: 'n2' }, storage: { dir: join(dir, 'data') }, log: { level: 'silent' } }),
  )
  assert.equal(error.code, 'IDENTITY_MISMATCH')
  assert.match(error.message, /n1/)
})

test('a call whose signal aborts rejects with the reason, and one that is aborted already sends nothing', async (t) => {
  const db = await memoryNode(t)
  const reason = new Error('not needed any more')
  const aborted = await rejection(db.put('a', 1, { signal: AbortSignal.abort(reason) }))
  assert.equal(aborted.name, 'AbortError')
  assert.equal(aborted.cause, reason)
  assert.equal((aborted as Error & { outcome: string }).outcome, 'not-applied')
  assert.equal(await db.get('a'), undefined)
  const controller = new AbortController()
  const put = rejection(db.put('b', 1, { signal: controller.signal }))
  controller.abort(reason)
  assert.equal((await put).name, 'AbortError')
  assert.equal(await db.get('b'), undefined, 'it was in no entry yet, and never will be')
  const read = await rejection(db.get('a', { signal: AbortSignal.abort(reason) }))
  assert.equal(read.name, 'AbortError')
})

test('a signal of many calls keeps no listener of those that are done', async (t) => {
  const db = await memoryNode(t)
  const { signal } = new AbortController()
  let listening = 0
  const add = signal.addEventListener.bind(signal)
  const remove = signal.removeEventListener.bind(signal)
  signal.addEventListener = (...args: Parameters<typeof add>) => (listening++, add(...args))
  signal.removeEventListener = (...args: Parameters<typeof remove>) => (listening--, remove(...args))
  const store = db.with({ signal })
  for (let n = 0; n < 20; n++)
    await Promise.all([store.put('a', n), store.get('a'), store.get('a', { consistency: 'strong' })])
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(listening, 0)
})

test('errors answer: did it happen, and may I retry', () => {
  const error = new ConcordError('TIMEOUT', 'late')
  assert.deepEqual([error.outcome, error.retryable], ['unknown', false])
  assert.equal(ConcordError.is(error), true)
  assert.equal(ConcordError.is(new Error('x')), false)
  assert.deepEqual(JSON.parse(JSON.stringify(error)), {
    code: 'TIMEOUT',
    message: 'late',
    outcome: 'unknown',
    retryable: false,
  })
})

test('the node says when it is ready and who leads, also to those who come late', async (t) => {
  const db = await memoryNode(t)
  const ready = await new Promise<{ revision: number }>((resolve) => void db.on('ready', resolve))
  assert.equal(typeof ready.revision, 'number')
  await db.ready({ timeoutMs: 1000 })
  const stopped = new Promise((resolve) => void db.on('stopped', resolve))
  await db.close()
  assert.deepEqual(await stopped, { reason: 'closed' })
})

test('minRevision waits for a revision, and fails by its deadline when it never comes', async (t) => {
  const db = await memoryNode(t)
  const { revision } = await db.put('a', 1)
  assert.equal(await db.get('a', { minRevision: revision, consistency: 'eventual' }), 1)
  const waiting = db.get('a', { minRevision: revision + 1 })
  await db.put('a', 2)
  assert.equal(await waiting, 2)
  const error = await rejection(db.get('a', { minRevision: revision + 100, timeoutMs: 60 }))
  assert.equal(error.code, 'TIMEOUT')
  assert.equal((error as ConcordError).outcome, 'not-applied')
})

test('the status of a node that trades safety away says so', async (t) => {
  const dir = await temporary(t)
  const safe = await fileNode(t, dir)
  assert.deepEqual((await safe.status()).unsafe, [])
  await safe.close()
  const unsafe = await fileNode(t, dir, { storage: { dir: join(dir, 'data'), fsync: 'never' } })
  assert.match((await unsafe.status()).unsafe.join(), /fsync/)
})

test('limits are the cluster’s: a config that raises them raises them for apply, too', async (t) => {
  const db = await memoryNode(t, { limits: { valueBytes: 2 * 1024 * 1024, batch: 600 } })
  await db.put('large', 'x'.repeat(1_500_000))
  const keys = Array.from({ length: 600 }, (_, n) => ({ key: `k${n}`, value: n }))
  assert.equal((await db.putMany(keys)).length, 600)
})
