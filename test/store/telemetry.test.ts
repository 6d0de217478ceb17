/** What a node tells of itself: one event for each call, entry and write, and never a value. */
import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { test } from 'node:test'
import { createMachine } from '../../core/machine/index.ts'
import { newsOf } from '../../core/node-news.ts'
import { definePlugin } from '../../core/plugin.ts'
import { createTelemetry, type TelemetryEvents, type TelemetryName } from '../../core/telemetry.ts'
import { fileNode, memoryNode, rejection, temporary } from './node.ts'

const NAMES: readonly TelemetryName[] = [
  'api.put',
  'api.get',
  'api.get_with_ttl',
  'api.ttl',
  'api.delete',
  'api.touch',
  'api.increment',
  'api.put_if',
  'api.delete_if',
  'api.put_many',
  'api.get_many',
  'api.delete_many',
  'api.touch_many',
  'api.txn',
  'operation.apply',
  'log.append',
  'ttl.cleanup',
  'snapshot.created',
  'snapshot.loaded',
  'snapshot.installed',
  'storage.space',
]

/** A plugin that writes everything down. */
function listener(): { heard: [TelemetryName, object][]; config: never } {
  const heard: [TelemetryName, object][] = []
  const definition = definePlugin({
    name: 'ear',
    version: '1.0.0',
    apiVersion: 1,
    setup(ctx) {
      for (const name of NAMES) ctx.telemetry.on(name, (payload: object) => void heard.push([name, payload]))
    },
  })
  return { heard, config: { use: [definition], plugins: { ear: true } } as never }
}

test('every call of the store is told once, with how it ended', async (t) => {
  const { heard, config } = listener()
  const db = await memoryNode(t, config)
  heard.length = 0
  await db.put('a', 'CANARY', { ttl: 100 })
  await db.get('a')
  await db.get('a', { consistency: 'eventual' })
  await db.getEntry('a')
  await db.ttl('a')
  await db.touch('a', 5)
  await db.increment('n')
  await db.putIf('a', 'CANARY', { condition: () => true })
  await db.deleteIf('a', { ifRevision: 0 })
  await db.delete('a')
  await db.putMany([{ key: 'b', value: 'CANARY' }])
  await db.getMany(['b', 'c'])
  await db.touchMany([{ key: 'b', ttl: 5 }])
  await db.deleteMany(['b'])
  await db.txn(async (tx) => tx.put('c', 'CANARY'))
  await db.with({ timeoutMs: 100 }).get('c')
  await rejection(db.put('', 1))
  const calls = heard.filter(([name]) => name.startsWith('api.'))
  assert.deepEqual(
    calls.map(([name]) => name),
    [
      'api.put',
      'api.get',
      'api.get',
      'api.get_with_ttl',
      'api.ttl',
      'api.touch',
      'api.increment',
      'api.put_if',
      'api.delete_if',
      'api.delete',
      'api.put_many',
      'api.get_many',
      'api.touch_many',
      'api.delete_many',
      'api.txn',
      'api.get',
      'api.put',
    ],
  )
  const first = calls[0]?.[1] as TelemetryEvents['api.put']
  assert.deepEqual({ ...first, durationMs: 0 }, { key: 'a', hasTtl: true, result: 'ok', durationMs: 0 })
  const last = calls.at(-1)?.[1] as TelemetryEvents['api.put']
  assert.deepEqual([last.result, last.code], ['error', 'INVALID_KEY'])
  assert.equal((calls[2]?.[1] as TelemetryEvents['api.get']).consistency, 'eventual')
  assert.deepEqual((calls[7]?.[1] as TelemetryEvents['api.put_if']).hasCondition, true)
  assert.ok(heard.some(([name]) => name === 'operation.apply'))
  assert.ok(!JSON.stringify(heard).includes('CANARY'), 'no value in any payload')
})

test('writes to the log, snapshots and their loading are told, and replays are marked', async (t) => {
  const dir = await temporary(t)
  const before = await fileNode(t, dir)
  await before.put('a', 1)
  await before.cluster.snapshot()
  await before.put('b', 2)
  await before.close()
  const { heard, config } = listener()
  const db = await fileNode(t, dir, config)
  const came = heard.map(([name]) => name).filter((name) => name.startsWith('snapshot.'))
  assert.deepEqual(came, ['snapshot.loaded'], 'at a start nothing is installed')
  const replayed = heard.filter(
    ([name, payload]) => name === 'operation.apply' && 'replay' in payload && payload.replay,
  )
  assert.ok(replayed.length > 0)
  heard.length = 0
  await db.put('c', 3, { ttl: 0.001 })
  while (!heard.some(([name]) => name === 'ttl.cleanup'))
    await new Promise((resolve) => setImmediate(resolve))
  await db.cluster.snapshot()
  const names = new Set(heard.map(([name]) => name))
  for (const name of ['log.append', 'operation.apply', 'snapshot.created', 'ttl.cleanup'] as const) {
    assert.ok(names.has(name), name)
  }
  const applied = heard.find(
    ([name]) => name === 'operation.apply',
  )?.[1] as TelemetryEvents['operation.apply']
  assert.deepEqual([applied.commands, applied.replay], [1, false])
})

test("a leader's snapshot, a change of role and a full volume are told as such", () => {
  const telemetry = createTelemetry('n1')
  const heard: unknown[] = []
  telemetry.on('snapshot.installed', (payload) => heard.push(payload))
  telemetry.on('state.change', (payload) => heard.push(payload))
  telemetry.on('storage.space', (payload) => heard.push(payload))
  const news = newsOf({
    id: 'n1/x',
    hooks: {} as never,
    log: { info: () => {}, warn: () => {} } as never,
    telemetry,
    peering: undefined,
    configured: undefined,
    node: () => undefined,
  })
  const meta = { index: 7, term: 2, clusterTime: 0, wallTime: 0, membership: {} as never }
  news.installed({ meta, machine: createMachine(), sizeBytes: 100, durationMs: 5 })
  news.leadership({ role: 'follower', term: 2, leader: null, established: false } as never)
  news.space(true)
  news.space(false)
  assert.deepEqual(heard, [
    { index: 7, sizeBytes: 100, durationMs: 5 },
    { role: 'follower', term: 2, leader: null },
    { isFull: true },
    { isFull: false },
  ])
})

test('the same goes out on node:diagnostics_channel, naming the node', async (t) => {
  const heard: { node?: string; key?: string }[] = []
  const hear = (message: unknown): void => void heard.push(message as object)
  subscribe('concord.api.put', hear)
  t.after(() => unsubscribe('concord.api.put', hear))
  const one = await memoryNode(t, { node: { id: 'left' } })
  const two = await memoryNode(t, { node: { id: 'right' } })
  await one.put('a', 1)
  await two.put('b', 1)
  assert.deepEqual(
    heard.map(({ node, key }) => [node, key]),
    [
      ['left', 'a'],
      ['right', 'b'],
    ],
  )
})
