/** Nodes whose time and chance are the test's: no timer of the system runs, and none is waited for. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { openResolved } from '../../core/concord.ts'
import { type Config, resolveConfig } from '../../core/config/index.ts'
import { openStorage } from '../../core/node-storage.ts'
import type { OpenNode } from '../../core/open-node.ts'
import { openMemoryStorage } from '../../core/storage/memory.ts'
import { TestClock } from '../node/held.ts'
import { atEnd } from './node.ts'

/** Ids and chance that are the same in every run. */
function numbered(prefix: string): { random: () => number; id: () => string } {
  let made = 0
  return { random: () => 0.5, id: () => `${prefix}${++made}`.padEnd(21, '-') }
}

/** What becomes of `work` when only the clock's queue moves, and time stands still. */
async function settled<R>(clock: TestClock, work: Promise<R>): Promise<R> {
  const done = { is: false }
  const end = (): void => void (done.is = true)
  work.then(end, end)
  for (let turns = 0; !done.is; turns++) {
    assert.ok(turns < 1000, 'it waits for time to pass')
    await clock.settle()
  }
  return work
}

async function openOn(t: TestContext, clock: TestClock, id: string, config: Config = {}): Promise<OpenNode> {
  const resolved = await resolveConfig(
    { node: { id }, storage: 'memory', log: { level: 'silent' }, ...config },
    { builtins: {} },
  )
  const node = await settled(clock, openResolved(resolved, { clock, entropy: numbered(id) }))
  atEnd(t, () => settled(clock, node.close()))
  return node
}

test('two nodes on one clock that is turned by hand: a TTL of 30 s ends when it says so, and no time passes', async (t) => {
  const clock = new TestClock()
  t.mock.method(globalThis, 'setTimeout', () => assert.fail('a timer of the system was set'))
  const nodes = [await openOn(t, clock, 'n1'), await openOn(t, clock, 'n2')]
  for (const db of nodes) {
    await settled(clock, db.put('session', 1, { ttl: 30 }))
    await settled(clock, db.put('kept', 1))
  }
  await clock.advance(29_999)
  for (const db of nodes) assert.equal(await settled(clock, db.get('session')), 1)
  assert.equal(await settled(clock, nodes[0]!.ttl('session')), 0.001)
  await clock.advance(2)
  for (const db of nodes) {
    assert.equal(await settled(clock, db.get('session')), undefined)
    assert.equal(await settled(clock, db.get('kept')), 1)
    assert.equal((await settled(clock, db.status())).keys, 1, 'expired, not only hidden')
  }
})

test('a deadline is judged by the same clock: a call on a disk that hangs ends when that clock says so', async () => {
  const clock = new TestClock()
  const resolved = await resolveConfig(
    { storage: 'memory', log: { level: 'silent' }, shutdownMs: 1 },
    { builtins: {} },
  )
  let held: (() => void) | undefined
  const { log } = openMemoryStorage()
  const append = log.append.bind(log)
  log.append = (batch) =>
    held === undefined
      ? append(batch)
      : new Promise<void>((resolve) => (held = resolve)).then(() => append(batch))
  const world = {
    clock,
    entropy: numbered('x'),
    openStorage: async (...given: Parameters<typeof openStorage>) => ({
      ...(await openStorage(...given)),
      log,
    }),
  }
  const db = await settled(clock, openResolved(resolved, world))
  held = () => undefined
  const put = db.put('k', 1, { timeoutMs: 60_000 })
  await clock.advance(59_000)
  const late = assert.rejects(put, { code: 'TIMEOUT', outcome: 'unknown' })
  await clock.advance(1500)
  await late
  held()
  await settled(clock, db.close())
})

test('a world of the same chance gives the same incarnations and the same cluster', async (t) => {
  const one = await openOn(t, new TestClock(), 'n1')
  const other = await openOn(t, new TestClock(), 'n1')
  const [a, b] = [await one.status(), await other.status()]
  assert.equal(a.node.incarnation, 'n11'.padEnd(21, '-'))
  assert.deepEqual([a.node, a.clusterId, a.stateHash], [b.node, b.clusterId, b.stateHash])
})

/** A snapshot store that takes a snapshot only when it is let go, and a node on it. */
async function withHeldSnapshots(
  t: TestContext,
  clock: TestClock,
): Promise<{ db: OpenNode; go: () => void }> {
  const resolved = await resolveConfig({ storage: 'memory', log: { level: 'silent' } }, { builtins: {} })
  const gate = Promise.withResolvers<void>()
  const world = {
    clock,
    entropy: numbered('x'),
    openStorage: async (...given: Parameters<typeof openStorage>) => {
      const storage = await openStorage(...given)
      const create = storage.snapshots.create.bind(storage.snapshots)
      storage.snapshots.create = (meta) => gate.promise.then(() => create(meta))
      return storage
    },
  }
  const db = await settled(clock, openResolved(resolved, world))
  const go = (): void => gate.resolve()
  atEnd(t, () => {
    go()
    return settled(clock, db.close())
  })
  return { db, go }
}

test('a call for a snapshot ends at its deadline, or with its signal; the snapshot itself goes on', async (t) => {
  const clock = new TestClock()
  const { db, go } = await withHeldSnapshots(t, clock)
  await settled(clock, db.put('k', 1))
  const patient = db.cluster.snapshot({ timeoutMs: 60_000 })
  const byDefault = assert.rejects(db.cluster.snapshot(), {
    code: 'TIMEOUT',
    outcome: 'unknown',
    retryable: true,
    message: /goes on/,
  })
  const giveUp = new AbortController()
  const aborted = assert.rejects(db.cluster.snapshot({ signal: giveUp.signal }), {
    name: 'AbortError',
    outcome: 'unknown',
  })
  const already = assert.rejects(db.cluster.snapshot({ signal: AbortSignal.abort('no') }), {
    name: 'AbortError',
    outcome: 'not-applied',
  })
  await already
  giveUp.abort('enough')
  await aborted
  await clock.advance(5_101)
  await byDefault
  go()
  const { index } = await settled(clock, patient)
  await clock.settle()
  assert.equal((await db.status()).snapshotIndex, index, 'what nobody waited for any more is there')
  await assert.rejects(db.cluster.snapshot({ timeOut: 1 } as never), { code: 'INVALID_OPTION' })
})
