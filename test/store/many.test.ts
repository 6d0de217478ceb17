/** Many keys at once: together or not at all, one answer per item, one moment for readers. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Entry } from '../../core/index.ts'
import { memoryNode, rejection } from './node.ts'

test('putMany is one change; its answers are in the order of its items, duplicates included', async (t) => {
  const db = await memoryNode(t)
  const { revision } = await db.put('before', 1)
  const results = await db.putMany([
    { key: 'a', value: 1 },
    { key: 'b', value: 2 },
    { key: 'a', value: 3 },
  ])
  assert.deepEqual(results, [
    { revision: revision + 1 },
    { revision: revision + 1 },
    { revision: revision + 1 },
  ])
  assert.deepEqual(await db.getMany(['b', 'a', 'z', 'a']), [2, 3, undefined, 3])
})

test('500 items are taken and 501 refused; a bad item at any place refuses all, naming it', async (t) => {
  const db = await memoryNode(t)
  const items = Array.from({ length: 500 }, (_, n) => ({ key: `k${n}`, value: n }))
  assert.equal((await db.putMany(items)).length, 500)
  const more = await rejection(db.putMany([...items, { key: 'one', value: 'too many' }]))
  assert.equal(more.code, 'BATCH_TOO_LARGE')
  assert.match(more.message, /501.*500/)
  for (const at of [0, 2, 4]) {
    const list = Array.from({ length: 5 }, (_, n) => ({ key: n === at ? '' : `new${n}`, value: n }))
    const error = await rejection(db.putMany(list))
    assert.equal(error.code, 'INVALID_KEY')
    assert.match(error.message, new RegExp(`items\\[${at}\\]`))
    assert.equal(await db.get('new1'), undefined)
  }
  assert.deepEqual(await db.putMany([]), [])
})

test('a call that is too large is refused while it is encoded: what comes behind is not even looked at', async (t) => {
  const db = await memoryNode(t)
  let looked = 0
  const text = 'x'.repeat(1_000_000)
  const value = {
    get text() {
      looked++
      return text
    },
  }
  const items = Array.from({ length: 100 }, (_, n) => ({ key: `k${n}`, value }))
  const error = await rejection(db.putMany(items))
  assert.equal(error.code, 'BATCH_TOO_LARGE')
  assert.match(error.message, /more than 16842752 bytes in one call/)
  assert.ok(looked < 25, `${looked} values were encoded, of which 16 fit`)
  assert.equal((await db.putMany(items.slice(0, 16))).length, 16)
  assert.deepEqual(await db.get('k15'), { text })
  assert.equal(await db.get('k16'), undefined)
})

test('a misspelt field of an item or an operation is refused: a key that should expire would live for ever', async (t) => {
  const db = await memoryNode(t)
  const misspelt = { key: 'a', value: 1, tll: 5 } as never
  const wrong = [
    db.putMany([misspelt]),
    db.touchMany([{ key: 'a', ttl: 1, after: 2 } as never]),
    db.txn({ compare: [], success: [{ op: 'put', key: 'a', value: 1, tll: 5 } as never] }),
    db.txn({ compare: [{ key: 'a', revision: 0, tll: 5 } as never], success: [] }),
    db.txn((tx) => tx.put('a', 1, { tll: 5 } as never)),
  ]
  for (const call of wrong) {
    const error = await rejection(call)
    assert.equal(error.code, 'INVALID_ARGUMENT')
    assert.match(error.message, /found "(tll|after)", expected only/)
  }
  assert.match((await rejection(db.putMany([misspelt]))).message, /items\[0\].*Did you mean "ttl"/)
  assert.equal(await db.get('a'), undefined)
})

test('a ttl of the call is for the items without one', async (t) => {
  const db = await memoryNode(t)
  await db.putMany(
    [
      { key: 'a', value: 1 },
      { key: 'b', value: 1, ttl: 500 },
    ],
    { ttl: 100 },
  )
  const [a, b] = [await db.ttl('a'), await db.ttl('b')]
  assert.ok(a !== null && a !== undefined && a <= 100 && a > 50)
  assert.ok(b !== null && b !== undefined && b <= 500 && b > 400)
})

test('deleteMany and touchMany answer for each key', async (t) => {
  const db = await memoryNode(t)
  await db.putMany([
    { key: 'a', value: 1 },
    { key: 'b', value: 1 },
  ])
  const touched = await db.touchMany([
    { key: 'a', ttl: 100 },
    { key: 'none', ttl: 100 },
  ])
  assert.deepEqual(
    touched.map((result) => result.touched),
    [true, false],
  )
  const deleted = await db.deleteMany(['b', 'none', 'a'])
  assert.deepEqual(
    deleted.map((result) => result.deleted),
    [true, false, true],
  )
})

test('entries come in the order of their bytes, beyond the units of JavaScript', async (t) => {
  const db = await memoryNode(t)
  const keys = ['a', 'B', 'ab', '\uff5e', '\u{1F600}', 'é', 'a\u0000', 'z']
  await db.putMany(keys.map((key) => ({ key, value: key })))
  const expected = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  const found: string[] = []
  for await (const { key } of db.entries()) found.push(key)
  assert.deepEqual(found, expected)
})

test('entries are one moment: what changes while they are read is not seen', async (t) => {
  const db = await memoryNode(t)
  const count = 2000
  for (let at = 0; at < count; at += 500) {
    await db.putMany(
      Array.from({ length: 500 }, (_, n) => ({ key: `k${String(at + n).padStart(5, '0')}`, value: 0 })),
    )
  }
  const seen: [string, unknown][] = []
  for await (const { key, value } of db.entries<number>({ prefix: 'k' })) {
    seen.push([key, value])
    if (seen.length === 10) {
      await db.putMany(
        Array.from({ length: 100 }, (_, n) => ({ key: `k${String(n * 20).padStart(5, '0')}`, value: 1 })),
      )
      await db.deleteMany(['k01000', 'k01999', 'k00001'])
      await db.put('k00500x', 'new')
    }
  }
  assert.equal(seen.length, count)
  assert.ok(seen.every(([, value]) => value === 0))
  assert.deepEqual(
    seen,
    [...seen].sort(([a], [b]) => (a < b ? -1 : 1)),
  )
})

test('a prefix ends where it ends, and `after` goes on behind a key', async (t) => {
  const db = await memoryNode(t)
  const keys = ['a', 'b', 'b/1', 'b/2', 'b/\u{10FFFF}', 'b0', 'c']
  await db.putMany(keys.map((key) => ({ key, value: 0 })))
  const list = async (options: object): Promise<string[]> => {
    const found: string[] = []
    for await (const { key } of db.entries(options)) found.push(key)
    return found
  }
  assert.deepEqual(await list({ prefix: 'b/' }), ['b/1', 'b/2', 'b/\u{10FFFF}'])
  assert.deepEqual(await list({ prefix: 'b/', after: 'b/1' }), ['b/2', 'b/\u{10FFFF}'])
  assert.deepEqual(await list({ after: 'b0' }), ['c'])
})

test('an iterator that holds too much is ended with a cursor, and the store goes on', async (t) => {
  const db = await memoryNode(t, { limits: { iteratorBytes: 1024 * 1024 } })
  const value = 'x'.repeat(10_000)
  const keys = Array.from({ length: 400 }, (_, n) => `k${String(n).padStart(4, '0')}`)
  await db.putMany(keys.map((key) => ({ key, value })))
  let last = ''
  const error = await rejection(
    (async () => {
      for await (const { key } of db.entries()) {
        if (last === '') await db.putMany(keys.map((each) => ({ key: each, value: `${value}!` })))
        last = key
      }
    })(),
  )
  assert.equal(error.code, 'SNAPSHOT_TOO_OLD')
  const { cursor } = (error as Error & { details: { cursor: string } }).details
  let rest = 0
  for await (const { key } of db.entries({ after: cursor })) {
    assert.ok(key > cursor)
    rest++
  }
  assert.equal(rest, keys.length - keys.indexOf(cursor) - 1)
})

test('H76: iterators that were forgotten hold no more than one limit, and the oldest are lost first', async (t) => {
  const db = await memoryNode(t, { limits: { iteratorBytes: 1024 * 1024 } })
  const keys = Array.from({ length: 300 }, (_, n) => `k${String(n).padStart(4, '0')}`)
  const round = (stamp: number) =>
    db.putMany(keys.map((key) => ({ key, value: `${stamp} ${'x'.repeat(10_000)}` })))
  await round(0)
  const iterators: AsyncIterableIterator<Entry<string>>[] = []
  for (let stamp = 1; stamp <= 10; stamp++) {
    const iterator = db.entries<string>()
    await iterator.next()
    iterators.push(iterator)
    await round(stamp)
  }
  const youngest = iterators.pop()!
  let count = 1
  for await (const { value } of youngest) {
    assert.ok(value.startsWith('9 '), 'its own moment')
    count++
  }
  assert.equal(count, keys.length)
  const oldest = iterators.shift()!
  const error = await rejection(
    (async () => {
      for await (const _ of oldest) continue
    })(),
  )
  assert.equal(error.code, 'SNAPSHOT_TOO_OLD')
})
