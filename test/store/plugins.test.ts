/** Plugins on a running node: their commands in the log, their keys beside the users', their turn at the end. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ConcordError, Config, Store } from '../../core/index.ts'
import { definePlugin } from '../../core/plugin.ts'
import { unlookable } from '../plugins/world.ts'
import { fileNode, memoryNode, rejection, temporary } from './node.ts'

/** Counts in its slice, and keeps a note in its space. */
const counter = (version = 1) =>
  definePlugin({
    name: 'counter',
    version: '1.0.0',
    apiVersion: 1,
    slice: {
      version,
      apply(space, command: { add: number }, meta) {
        const sum = (space.get<number>('sum') ?? 0) + command.add
        space.put('sum', sum)
        return { sum, at: meta.index, by: version }
      },
    },
    setup(ctx) {
      return {
        add: (add: number) => ctx.slice.propose({ add }),
        note: (text: string) => ctx.space.put('note', text, { ttl: 1000 }),
        notes: async () => [await ctx.space.get('note'), ctx.space.local.get('sum')],
      }
    },
  })

const withPlugin = (definition: object, rest: Config = {}): Config =>
  ({ ...rest, use: [definition], plugins: { counter: true } }) as never

interface Counter {
  add(n: number): Promise<{ sum: number; at: number; by: number }>
  note(text: string): Promise<unknown>
  notes(): Promise<unknown[]>
}

test('a slice’s commands go through the log: their answers, a restart, a snapshot', async (t) => {
  const dir = await temporary(t)
  const before = await fileNode(t, dir, withPlugin(counter()))
  const service = before.plugin('counter' as never) as Counter
  assert.equal((await service.add(2)).sum, 2)
  assert.equal((await service.add(3)).sum, 5)
  await service.note('kept')
  await before.cluster.snapshot()
  await service.add(10)
  assert.deepEqual(await service.notes(), ['kept', 15])
  assert.equal(await before.get('sum'), undefined, 'no key of the users')
  await before.close()
  const after = await fileNode(t, dir, withPlugin(counter()))
  const again = after.plugin('counter' as never) as Counter
  assert.deepEqual(await again.notes(), ['kept', 15])
  assert.equal((await again.add(1)).sum, 16)
})

test('a node that lacks a slice of the state refuses to start, naming it', async (t) => {
  const dir = await temporary(t)
  const before = await fileNode(t, dir, withPlugin(counter(2)))
  await (before.plugin('counter' as never) as Counter).add(1)
  await before.cluster.snapshot()
  await before.close()
  const without = await rejection(fileNode(t, dir))
  assert.equal((without as ConcordError).code, 'SLICE_MISSING')
  assert.match(without.message, /slice counter.*Turn the plugin on, .*"npx concord-kv plugin retire counter"/)
  const older = await rejection(fileNode(t, dir, withPlugin(counter(1))))
  assert.match(older.message, /counter/)
  const newer = await fileNode(t, dir, withPlugin(counter(3)))
  assert.equal((await (newer.plugin('counter' as never) as Counter).add(1)).sum, 2)
})

test('the same when the slice is only in the log, behind no snapshot', async (t) => {
  const dir = await temporary(t)
  const before = await fileNode(t, dir, withPlugin(counter()))
  await (before.plugin('counter' as never) as Counter).add(1)
  await before.close()
  const without = await rejection(fileNode(t, dir))
  assert.equal((without as ConcordError).code, 'SLICE_MISSING')
  assert.match(without.message, /counter/)
  const back = await fileNode(t, dir, withPlugin(counter()))
  assert.equal((await (back.plugin('counter' as never) as Counter).add(1)).sum, 2, 'and nothing was harmed')
})

test('a command that comes behind the retirement of its slice is refused, and told what brings it back', async (t) => {
  const db = await memoryNode(t, withPlugin(counter()))
  const service = db.plugin('counter' as never) as Counter
  await service.add(1)
  const retired = db.cluster.retire('counter')
  const late = (await rejection(service.add(5))) as ConcordError
  assert.equal((await retired).retired, true)
  assert.deepEqual([late.code, late.outcome, late.retryable], ['SLICE_MISSING', 'not-applied', true])
  assert.match(
    late.message,
    /plugin "counter".*retired.*nothing was applied.*call again.*npx concord-kv plugin retire counter/is,
  )
  assert.equal(late.details?.['plugin'], 'counter')
  assert.equal((await service.add(5)).sum, 6, 'as the message says')
})

test('a slice that throws is the end of the node, which says so', async (t) => {
  const broken = definePlugin({
    name: 'counter',
    version: '1.0.0',
    apiVersion: 1,
    slice: {
      version: 1,
      apply() {
        throw new Error('a bug of mine')
      },
    },
    setup: (ctx) => ({ add: () => ctx.slice.propose({ add: 1 } as never) }),
  })
  const db = await memoryNode(t, withPlugin(broken))
  const error = await rejection((db.plugin('counter' as never) as Counter).add(1))
  assert.equal((error as ConcordError).code, 'STOPPED')
  const { reason, error: cause } = await db.closed
  assert.equal(reason, 'failed')
  assert.match(String(cause), /a bug of mine/)
  assert.equal((await rejection(db.get('a'))).cause, cause)
})

test('a plugin may still write while the node closes; nobody else may', async (t) => {
  const seen: unknown[] = []
  const last = definePlugin({
    name: 'last',
    version: '1.0.0',
    apiVersion: 1,
    setup(ctx) {
      ctx.onDrain(async () => {
        seen.push(await ctx.store.put('last', 'words'))
      })
    },
  })
  const db = await memoryNode(t, { use: [last], plugins: { last: true } } as never)
  const closing = db.close()
  assert.equal((await rejection(db.put('late', 1))).code, 'STOPPED')
  await closing
  assert.equal(seen.length, 1)
})

test('H67: a tap at the window that throws what cannot be looked at hurts neither the write nor the node', async (t) => {
  const odd = definePlugin({
    name: 'counter',
    version: '1.0.0',
    apiVersion: 1,
    setup: (ctx) => {
      ctx.telemetry.on('plugin.failed', ({ message }) => void messages.push(message))
      ctx.hooks.applied.tap(() => {
        throw unlookable()
      })
    },
  })
  const messages: string[] = []
  const db = await memoryNode(t, withPlugin(odd))
  assert.deepEqual(await db.put('k', 1), { revision: 1 })
  assert.deepEqual(await db.put('k', 2), { revision: 2 })
  assert.ok(messages.includes('something that cannot be looked at'))
})

test('an asynchronous tap at the door delays its own call, and no other', async (t) => {
  let letGo!: () => void
  const gate = new Promise<void>((resolve) => {
    letGo = resolve
  })
  const slow = definePlugin({
    name: 'slow',
    version: '1.0.0',
    apiVersion: 1,
    setup(ctx) {
      ctx.hooks.write.tap((request) =>
        request.writes.some(({ key }) => key === 'slow') ? gate.then(() => undefined) : undefined,
      )
    },
  })
  const db = await memoryNode(t, { use: [slow], plugins: { slow: true } } as never)
  const order: string[] = []
  const held = db.put('slow', 1).then(() => order.push('slow'))
  await db.put('quick', 1).then(() => order.push('quick'))
  letGo()
  await held
  assert.deepEqual(order, ['quick', 'slow'])
})

test('what is written to the same key meanwhile is not written first; it keeps its place when a call gives up', async (t) => {
  const gates = new Map<unknown, () => void>()
  const slow = definePlugin({
    name: 'slow',
    version: '1.0.0',
    apiVersion: 1,
    setup(ctx) {
      ctx.hooks.write.tap(({ writes: [write] }) => {
        const value = write?.op === 'put' ? write.value : undefined
        return typeof value === 'string' ? new Promise<void>((go) => gates.set(value, go)) : undefined
      })
    },
  })
  const db = await memoryNode(t, { use: [slow], plugins: { slow: true } } as never)
  const first = db.put('k', 'first')
  const second = db.put('k', 'second')
  const gaveUp = rejection(db.put('k', 'never', { timeoutMs: 20 }))
  const both = db.putMany([
    { key: 'k', value: 3 },
    { key: 'other', value: 3 },
  ])
  const last = db.put('other', 4)
  gates.get('second')?.()
  assert.equal((await gaveUp).code, 'TIMEOUT')
  gates.get('never')?.()
  await db.put('elsewhere', 1)
  gates.get('first')?.()
  const revisions = [await first, await second, ...(await both), await last].map(({ revision }) => revision)
  assert.deepEqual(revisions, [2, 3, 4, 4, 5])
  assert.deepEqual(await db.getMany(['k', 'other']), [3, 4])
})

test('the store of a plugin rejects with NOT_READY until the node runs, and is a whole store then', async (t) => {
  const early: string[] = []
  const done: unknown[] = []
  const eager = definePlugin({
    name: 'eager',
    version: '1.0.0',
    apiVersion: 1,
    async setup(ctx) {
      const { store } = ctx as unknown as { store: Store }
      const iterate = async (): Promise<unknown> => {
        for await (const entry of store.entries()) return entry
        return undefined
      }
      const calls = [
        store.put('a', 1),
        store.with({ timeoutMs: 5 }).get('a'),
        store.cluster.members(),
        iterate(),
      ]
      for (const call of calls) early.push((await rejection(call)).code ?? '')
      ctx.onReady(async () => {
        done.push(await store.put('a', 1), (await store.cluster.members()).length)
        done.push(await iterate(), await store.with({ consistency: 'strong' }).get('a'))
      })
    },
  })
  await memoryNode(t, { use: [eager], plugins: { eager: true } } as never)
  assert.deepEqual(early, ['NOT_READY', 'NOT_READY', 'NOT_READY', 'NOT_READY'])
  assert.equal(done.length, 4)
  assert.deepEqual([done[1], done[3]], [1, 1])
})

test('writes that a slow tap holds are bounded, whoever still waits for them; past the bound they are refused', async (t) => {
  const gates: (() => void)[] = []
  let isSlow = true
  const slow = definePlugin({
    name: 'slow',
    version: '1.0.0',
    apiVersion: 1,
    setup(ctx) {
      ctx.hooks.write.tap(() => (isSlow ? new Promise<void>((resolve) => gates.push(resolve)) : undefined))
    },
  })
  const db = await memoryNode(t, {
    use: [slow],
    plugins: { slow: true },
    limits: { queueBytes: 1024 * 1024 },
  } as never)
  const value = 'x'.repeat(300 * 1024)
  const held = [db.put('k1', value), db.put('k2', value)]
  const gaveUp = await rejection(db.put('k3', value, { timeoutMs: 20 }))
  assert.equal(gaveUp.code, 'TIMEOUT')
  const refused = (await rejection(db.put('k4', value))) as ConcordError
  assert.deepEqual([refused.code, refused.outcome, refused.retryable], ['OVERLOADED', 'not-applied', true])
  assert.match(refused.message, /too many writes wait at the door/)
  assert.equal(gates.length, 3, 'what is refused is not shown to the plugin')
  const small = db.put('small', 1)
  isSlow = false
  for (const go of gates) go()
  await Promise.all([...held, small])
  await db.put('k4', value)
  assert.deepEqual(await db.getMany(['k3', 'small']), [undefined, 1], 'nobody waited for k3 any more')
})

test('a thousand small writes that are held count, too, and each is let go of once', async (t) => {
  let go!: () => void
  const gate = new Promise<void>((resolve) => (go = resolve))
  const slow = definePlugin({
    name: 'slow',
    version: '1.0.0',
    apiVersion: 1,
    setup: (ctx) => ctx.hooks.write.tap(() => gate),
  })
  const limits = { queueBytes: 1024 * 1024 }
  const db = await memoryNode(t, { use: [slow], plugins: { slow: true }, limits } as never)
  const deletes = Array.from({ length: 10_000 }, (_, at) => db.delete(`k${at}`))
  const settled = Promise.allSettled(deletes)
  go()
  const refused = (await settled).filter(({ status }) => status === 'rejected')
  assert.ok(refused.length > 0 && refused.length < 10_000, `${refused.length} were refused`)
  for (let round = 0; round < 2; round++) {
    const again = Array.from({ length: 1000 }, (_, at) => db.delete(`k${at}`))
    assert.equal((await Promise.all(again)).length, 1000)
  }
})
