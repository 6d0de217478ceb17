// `concord fsck` builds the machine: the newest snapshot and the log on it, in memory. What it comes to is what a
// node on the same files would, and what cannot be decoded is said by index and file.
import assert from 'node:assert/strict'
import { readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { pathToFileURL } from 'node:url'
import type { Config, Status } from '../../core/index.ts'
import { decodeIdentity, encodeIdentity } from '../../core/storage/file/identity.ts'
import { identityPath } from '../../core/storage/file/layout.ts'
import { bootId } from '../../core/storage/file/lock.ts'
import { openFileStorage } from '../../core/storage/file/storage.ts'
import { systemWorld } from '../../core/world.ts'
import { fileNode, temporary } from '../store/node.ts'
import { commands, type Run } from './command.ts'

interface Report {
  readonly ok: boolean
  readonly inDoubt: boolean
  readonly state: {
    readonly index: number
    readonly revision: number
    readonly keys: number
    readonly hash: string
  } | null
  readonly needs: { readonly plugin: string; readonly found: string; readonly at: string } | null
  readonly readable: readonly { readonly file: string; readonly lastIndex: number }[]
  readonly problems: readonly { readonly code: string; readonly message: string }[]
}

async function fsck(run: Run, ...args: string[]): Promise<{ code: number | null; report: Report }> {
  const { code, stdout, stderr } = await run(['fsck', ...args])
  assert.notEqual(stdout, '', stderr)
  return { code, report: JSON.parse(stdout) as Report }
}

/** A directory with a snapshot and a log behind it, and the last that its node said of itself. */
async function filled(t: TestContext, cwd: string, config: Config = {}): Promise<Status> {
  const db = await fileNode(t, cwd, config)
  for (let at = 0; at < 50; at++) await db.put(`k${at}`, { at }, { requestId: `r${at}` })
  await db.cluster.snapshot()
  await db.deleteMany(['k1', 'k2'])
  await db.increment('n', { by: 3n })
  const status = await db.status()
  await db.close()
  return status
}

/** More entries at the end of the log of a node that does not run, as if the node had written them and stopped. */
const append = (data: string, from: number, ...commandsOf: readonly Uint8Array[]): Promise<void> =>
  appendTo(data, from, commandsOf, true)

async function appendTo(
  data: string,
  from: number,
  commandsOf: readonly Uint8Array[],
  isCleanStop: boolean,
): Promise<void> {
  const storage = await openFileStorage({ ...systemWorld, dir: data, name: 'n1' })
  const snapshot = await storage.snapshots.latest()
  await storage.log.recover(snapshot?.meta.index ?? 0, snapshot?.meta.term)
  await snapshot?.close()
  const entries = commandsOf.map((bytes, at) => {
    return {
      index: from + at,
      term: 9,
      kind: 'commands',
      clusterTime: 1e6,
      wallTime: 1e12,
      data: bytes,
    } as const
  })
  await storage.log.append({ entries, mustSync: true })
  await storage.close(isCleanStop)
}

const NOTHING_OF = Uint8Array.of(5, 1, 1)
const FROM_THE_FUTURE = Uint8Array.of(3, 99, 1, 0)

test('loads the snapshot and the log on it: revision, keys and state hash are those of the node', async (t) => {
  const cwd = await temporary(t)
  const run = commands(t, cwd)
  const { revision, keys, stateHash, lastIndex } = await filled(t, cwd)
  const { code, report } = await fsck(run)
  assert.deepEqual([code, report.ok], [0, true], JSON.stringify(report.problems))
  assert.deepEqual(report.state, { index: lastIndex, revision, keys, hash: stateHash.hash })
  assert.equal(report.needs, null)
  const { stdout } = await run(['fsck', '-o', 'table'])
  assert.match(stdout, /^state +revision \d+, 49 keys, hash [0-9a-f]{16}, at entry \d+$/m)
})

test('loads a log without a snapshot, and one without an entry', async (t) => {
  const cwd = await temporary(t)
  const run = commands(t, cwd)
  const db = await fileNode(t, cwd)
  await db.put('a', 1)
  const { stateHash, lastIndex } = await db.status()
  await db.close()
  const { state } = (await fsck(run)).report
  assert.deepEqual([state?.index, state?.keys, state?.hash], [lastIndex, 1, stateHash.hash])
  const fresh = join(cwd, 'fresh')
  await (await openFileStorage({ ...systemWorld, dir: fresh, name: 'n1' })).close(true)
  const empty = await fsck(run, fresh)
  assert.deepEqual([empty.code, empty.report.state?.index, empty.report.state?.keys], [0, 0, 0])
})

test('--no-load only reads the files', async (t) => {
  const cwd = await temporary(t)
  await filled(t, cwd)
  const { code, report } = await fsck(commands(t, cwd), '--no-load')
  assert.deepEqual([code, report.ok, report.state], [0, true, null])
})

test('a log that a loss of power may have shortened is said to be in doubt, and is no damage', async (t) => {
  const cwd = await temporary(t)
  const run = commands(t, cwd)
  const { lastIndex } = await filled(t, cwd)
  assert.equal((await fsck(run)).report.inDoubt, false)
  // As a kill leaves it: without the mark of a clean stop.
  await appendTo(join(cwd, 'data'), lastIndex + 1, [new Uint8Array(0)], false)
  const path = identityPath(join(cwd, 'data'))
  const content = decodeIdentity(await readFile(path), path)
  const before = { id: 'run', bootId: 'the one before', fsync: 'interval', closed: false } as const
  const runs = [
    { run: { ...before, bootId: bootId() }, inDoubt: false },
    { run: { ...before, fsync: 'always' as const }, inDoubt: false },
    { run: before, inDoubt: true },
  ]
  for (const { run: last, inDoubt } of runs) {
    await writeFile(path, encodeIdentity({ ...content, run: last }))
    const { code, report } = await fsck(run)
    assert.deepEqual([code, report.ok, report.inDoubt], [0, true, inDoubt], JSON.stringify(last))
  }
  const { stdout } = await run(['fsck', '-o', 'table'])
  assert.match(stdout, /^in doubt +the machine went down/m)
})

test('a log with damage says how far each segment can be read', async (t) => {
  const cwd = await temporary(t)
  const run = commands(t, cwd)
  await filled(t, cwd)
  const log = join(cwd, 'data', 'log')
  const file = (await readdir(log)).filter((name) => name.startsWith('segment-')).at(-1)!
  const bytes = await readFile(join(log, file))
  bytes[5000]! ^= 1
  await writeFile(join(log, file), bytes)
  const { code, report } = await fsck(run)
  assert.deepEqual([code, report.problems.map(({ code: word }) => word)], [3, ['CORRUPTED']])
  assert.deepEqual(
    report.readable.map(({ file: name }) => name),
    [file],
  )
  assert.ok(report.readable[0]!.lastIndex > 0)
  const { stdout } = await run(['fsck', '-o', 'table'])
  assert.match(stdout, /^readable +segment-\d+\.log up to entry \d+$/m)
})

test('every entry that cannot be decoded is named, with its file; the state is that before the first', async (t) => {
  const cwd = await temporary(t)
  const run = commands(t, cwd)
  const { lastIndex, revision, stateHash } = await filled(t, cwd)
  await append(join(cwd, 'data'), lastIndex + 1, NOTHING_OF, NOTHING_OF)
  const { code, report } = await fsck(run)
  assert.deepEqual([code, report.ok], [3, false])
  assert.deepEqual(
    report.problems.map(({ code: word }) => word),
    ['CORRUPTED', 'CORRUPTED'],
  )
  for (const [at, { message }] of report.problems.entries()) {
    assert.match(
      message,
      new RegExp(`/data/log/segment-\\d+\\.log: entry ${lastIndex + 1 + at} cannot be decoded: `),
    )
  }
  const { state } = report
  assert.deepEqual([state?.index, state?.revision, state?.hash], [lastIndex, revision, stateHash.hash])
  assert.equal((await fsck(run, '--no-load')).code, 0, 'the files themselves are sound')
})

test('what a newer Concord has written is no damage, and says what can read it: 2', async (t) => {
  const cwd = await temporary(t)
  const { lastIndex } = await filled(t, cwd)
  await append(join(cwd, 'data'), lastIndex + 1, FROM_THE_FUTURE)
  const { code, report } = await fsck(commands(t, cwd))
  assert.deepEqual(
    [code, report.ok, report.problems.map(({ code: word }) => word)],
    [2, false, ['UNSUPPORTED']],
  )
  assert.match(
    report.problems[0]!.message,
    /segment-\d+\.log: entry \d+: .*version 99.*a newer version of Concord/,
  )
})

test('state that needs a plugin is no damage: it is loaded with the config that has it, or it says which', async (t) => {
  const cwd = await temporary(t)
  const run = commands(t, cwd)
  await writeFile(
    join(cwd, 'counter.mjs'),
    `export default { name: 'counter', version: '1.0.0', apiVersion: 1,
      slice: { version: 1, apply(space, n) { const sum = (space.get('sum') ?? 0) + n; space.put('sum', sum); return sum } },
      setup: (ctx) => ({ add: (n) => ctx.slice.propose(n) }) }`,
  )
  const { default: counter } = (await import(pathToFileURL(join(cwd, 'counter.mjs')).href)) as {
    default: object
  }
  let hash = ''
  for (const needed of [/^entry \d+$/, /\/data\/snapshots\/snapshot-/]) {
    const db = await fileNode(t, cwd, { use: [counter], plugins: { counter: true } } as never)
    if (hash !== '') await db.cluster.snapshot()
    const service = db.plugin('counter' as never) as { add(n: number): Promise<number> }
    assert.ok((await service.add(2)) > 1)
    hash = (await db.status()).stateHash.hash
    await db.close()
    const { code, report } = await fsck(run, join(cwd, 'data'))
    assert.deepEqual([code, report.ok], [0, true], JSON.stringify(report))
    assert.equal(report.needs?.plugin, 'counter')
    assert.match(report.needs.at, needed)
  }
  const { stdout } = await run(['fsck', join(cwd, 'data'), '-o', 'table'])
  assert.match(stdout, /^needs +plugin counter, version 1: .*--config/m)

  await writeFile(
    join(cwd, 'concord.config.json'),
    JSON.stringify({ use: ['./counter.mjs'], plugins: { counter: true } }),
  )
  const { code, report } = await fsck(run)
  assert.deepEqual([code, report.needs, report.state?.hash], [0, null, hash])
})

test('a slice that throws is a bug of its plugin, named with the entry, and not damage', async (t) => {
  const cwd = await temporary(t)
  const module = (body: string): Promise<void> =>
    writeFile(
      join(cwd, 'counter.mjs'),
      `export default { name: 'counter', version: '1.0.0', apiVersion: 1,
        slice: { version: 1, apply() { ${body} } }, setup: (ctx) => ({ add: (n) => ctx.slice.propose(n) }) }`,
    )
  await module('return 1')
  const { default: counter } = (await import(pathToFileURL(join(cwd, 'counter.mjs')).href)) as {
    default: object
  }
  const db = await fileNode(t, cwd, { use: [counter], plugins: { counter: true } } as never)
  await (db.plugin('counter' as never) as { add(n: number): Promise<number> }).add(1)
  await db.close()
  await module(`throw new Error('a bug of mine')`)
  await writeFile(
    join(cwd, 'concord.config.json'),
    JSON.stringify({ use: ['./counter.mjs'], plugins: { counter: true } }),
  )
  const { code, report } = await fsck(commands(t, cwd))
  assert.deepEqual([code, report.ok], [1, false])
  assert.deepEqual(report.problems[0]?.code, 'INTERNAL')
  assert.match(report.problems[0].message, /entry \d+: a bug of mine/)
})
