/** Expiry: a key leaves by a change with a revision, early for nobody, and never comes back. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { openResolved } from '../../core/concord.ts'
import { resolveConfig } from '../../core/config/index.ts'
import type { AppliedBatch } from '../../core/hook-events.ts'
import { definePlugin } from '../../core/plugin.ts'
import { systemWorld } from '../../core/world.ts'
import { atEnd, fileNode, memoryNode, temporary } from './node.ts'

/** A plugin that shows the window to a test. */
function spy(): { batches: AppliedBatch[]; definition: ReturnType<typeof definePlugin<'spy'>> } {
  const batches: AppliedBatch[] = []
  const definition = definePlugin({
    name: 'spy',
    version: '1.0.0',
    apiVersion: 1,
    setup(ctx) {
      ctx.hooks.applied.tap((batch) => void batches.push(batch))
    },
  })
  return { batches, definition }
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5))
}

test('a key is gone when its time has come, by a change that the window sees', async (t) => {
  const { batches, definition } = spy()
  const db = await memoryNode(t, { use: [definition], plugins: { spy: true } } as never)
  await db.put('a', 1, { ttl: 1000 })
  assert.equal(await db.get('a'), 1)
  const { touched, revision } = await db.touch('a', 0.05)
  assert.equal(touched, true)
  await until(() => batches.some(({ changes }) => changes.some(({ type }) => type === 'expire')))
  assert.equal(await db.get('a'), undefined)
  const expired = batches.flatMap(({ changes }) => changes).find(({ type }) => type === 'expire')
  assert.equal(expired?.key, 'a')
  assert.equal(expired?.previous, 1)
  assert.ok(expired.revision > revision)
  assert.ok((await db.status()).clusterTime >= (expired.expiresAt ?? Infinity), 'never early')
})

test('a read that finds a key due expires it first, once', async (t) => {
  const { batches, definition } = spy()
  const db = await memoryNode(t, { use: [definition], plugins: { spy: true } } as never)
  await db.put('a', 1, { ttl: 0.001 })
  let value: unknown = 1
  while (value !== undefined) value = await db.get('a')
  assert.equal(db.local.get('a'), undefined)
  const expired = batches.flatMap(({ changes }) => changes).filter(({ type }) => type === 'expire')
  assert.equal(expired.length, 1)
})

test('put without ttl clears an expiry, touch sets one, and ttl tells what is left', async (t) => {
  const db = await memoryNode(t)
  await db.put('a', 1, { ttl: 100 })
  const left = await db.ttl('a')
  assert.ok(left !== null && left !== undefined && left > 0 && left <= 100)
  await db.put('a', 2)
  assert.equal(await db.ttl('a'), null)
  assert.equal((await db.touch('a', 50)).touched, true)
  const touched = await db.ttl('a')
  assert.ok(touched !== null && touched !== undefined && touched <= 50)
  assert.equal(await db.get('a'), 2)
})

test('touch never revives: not what is absent, and not what is due', async (t) => {
  const db = await memoryNode(t)
  assert.equal((await db.touch('none', 5)).touched, false)
  await db.put('a', 1, { ttl: 0.001 })
  await until(() => db.local.get('a') === undefined)
  assert.equal((await db.touch('a', 5)).touched, false)
  assert.equal(await db.get('a'), undefined)
})

test('an expired key is absent for conditions, and a lock can be taken again', async (t) => {
  const db = await memoryNode(t)
  assert.equal((await db.putIf('lock', 'me', { ifAbsent: true, ttl: 0.001 })).ok, true)
  await until(() => db.local.get('lock') === undefined)
  const taken = await db.putIf('lock', 'you', { ifAbsent: true, ttl: 60 })
  assert.equal(taken.ok, true)
})

test('the window of a rate limit: the ttl of an increment counts only when it makes the key', async (t) => {
  const db = await memoryNode(t)
  await db.increment('hits', { ttl: 100 })
  const first = await db.ttl('hits')
  await db.increment('hits', { ttl: 1000 })
  const second = await db.ttl('hits')
  assert.ok(typeof first === 'number' && typeof second === 'number' && second <= first)
  assert.equal(await db.get('hits'), 2)
})

test('a thousand keys that fall due together all go, in bounded commands', async (t) => {
  const { batches, definition } = spy()
  const db = await memoryNode(t, {
    use: [definition],
    plugins: { spy: true },
    limits: { batch: 100 },
  } as never)
  for (let at = 0; at < 1000; at += 100) {
    await db.putMany(Array.from({ length: 100 }, (_, n) => ({ key: `k${at + n}`, value: n, ttl: 0.02 })))
  }
  await until(() => {
    const gone = batches.flatMap(({ changes }) => changes.filter(({ type }) => type === 'expire'))
    return gone.length === 1000
  })
  assert.equal((await db.status()).keys, 0)
  assert.ok(batches.every(({ changes }) => changes.filter(({ type }) => type === 'expire').length <= 100))
})

test('time goes on over a restart: what fell due meanwhile is gone, what did not is there', async (t) => {
  const dir = await temporary(t)
  const config = { storage: { dir: join(dir, 'data') }, log: { level: 'silent' } } as const
  const before = await fileNode(t, dir, config)
  await before.putMany([
    { key: 'short', value: 1, ttl: 100 },
    { key: 'long', value: 2, ttl: 1000 },
  ])
  await before.close()
  const clock = { ...systemWorld.clock, wallMs: () => systemWorld.clock.wallMs() + 200_000 }
  const after = await openResolved(await resolveConfig(config, { builtins: {} }), { clock })
  atEnd(t, () => after.close())
  assert.deepEqual(await after.getMany(['short', 'long']), [undefined, 2])
  const left = await after.ttl('long')
  assert.ok(typeof left === 'number' && left <= 801 && left > 700)
})
