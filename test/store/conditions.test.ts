/** Conditions, transactions and request ids: what happens once, together, or not at all. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ConditionalResult } from '../../core/index.ts'
import { memoryNode, rejection } from './node.ts'

const okay = (result: ConditionalResult): number => {
  assert.ok(result.ok, JSON.stringify(result))
  return result.revision
}

test('putIf by revision: the first of two writers wins, the second learns what stands there', async (t) => {
  const db = await memoryNode(t)
  const { revision } = await db.put('a', 1)
  okay(await db.putIf('a', 2, { ifRevision: revision }))
  const lost = await db.putIf('a', 3, { ifRevision: revision })
  assert.equal(lost.ok, false)
  assert.deepEqual(lost.ok || [lost.reason, lost.current?.value], ['changed', 2])
  assert.deepEqual(await db.putIf('b', 1, { ifRevision: 7 }), { ok: false, reason: 'absent' })
})

test('putIf ifAbsent: fifty contenders for a lock, one holder', async (t) => {
  const db = await memoryNode(t)
  const results = await Promise.all(
    Array.from({ length: 50 }, (_, holder) => db.putIf('lock', { holder }, { ifAbsent: true, ttl: 60 })),
  )
  const winners = results.filter((result) => result.ok)
  assert.equal(winners.length, 1)
  for (const result of results) if (!result.ok) assert.equal(result.reason, 'present')
})

test('expected compares values deeply, null included, and absent is not null', async (t) => {
  const db = await memoryNode(t)
  await db.put('a', { x: [1, new Date(5)], y: null })
  assert.equal((await db.putIf('a', 1, { expected: { x: [1, new Date(6)], y: null } })).ok, false)
  okay(await db.putIf('a', null, { expected: { y: null, x: [1, new Date(5)] } }))
  okay(await db.putIf('a', 2, { expected: null }))
  assert.deepEqual(await db.putIf('none', 2, { expected: null }), { ok: false, reason: 'absent' })
})

test('a condition is judged again when another writer comes between: no increment is lost', async (t) => {
  const db = await memoryNode(t)
  await db.put('n', 0)
  const add = async (): Promise<void> => {
    for (;;) {
      const n = (await db.get<number>('n')) ?? 0
      if ((await db.putIf('n', n + 1, { expected: n })).ok) return
    }
  }
  await Promise.all(Array.from({ length: 20 }, add))
  assert.equal(await db.get('n'), 20)
})

test('a condition that throws rejects the call with its own error, and writes nothing', async (t) => {
  const db = await memoryNode(t)
  await db.put('a', 1)
  const own = new Error('mine')
  const error = await rejection(
    db.putIf('a', 2, {
      condition: () => {
        throw own
      },
    }),
  )
  assert.equal(error, own)
  assert.equal(await db.get('a'), 1)
})

test('deleteIf deletes the lock only of its holder', async (t) => {
  const db = await memoryNode(t)
  const { revision } = await db.put('lock', 'me')
  assert.equal((await db.deleteIf('lock', { ifRevision: revision + 1 })).ok, false)
  assert.equal((await db.deleteIf('lock', { expected: 'you' })).ok, false)
  okay(await db.deleteIf('lock', { condition: (holder) => holder === 'me' }))
  assert.equal(await db.get('lock'), undefined)
})

test('a transfer by transaction keeps the sum, however many run at once', async (t) => {
  const db = await memoryNode(t)
  const accounts = ['a', 'b', 'c', 'd']
  await db.putMany(accounts.map((key) => ({ key, value: 100 })))
  const transfer = (from: string, to: string, amount: number): Promise<boolean> =>
    db.txn(async (tx) => {
      const balance = (await tx.get<number>(from)) ?? 0
      if (balance < amount) return false
      tx.put(from, balance - amount)
      tx.put(to, ((await tx.get<number>(to)) ?? 0) + amount)
      return true
    })
  await Promise.all(
    Array.from({ length: 60 }, (_, n) =>
      transfer(accounts[n % 4] as string, accounts[(n * 7 + 1) % 4] as string, n % 50),
    ),
  )
  const balances = await db.getMany<number>(accounts)
  assert.equal(
    balances.reduce<number>((sum, balance) => sum + (balance ?? 0), 0),
    400,
  )
})

test('a transaction never sees two moments: it runs again when an earlier read has changed', async (t) => {
  const db = await memoryNode(t)
  await db.putMany([
    { key: 'x', value: 0 },
    { key: 'y', value: 0 },
  ])
  let runs = 0
  await db.txn(async (tx) => {
    runs++
    const x = await tx.get<number>('x')
    if (runs === 1) {
      await db.putMany([
        { key: 'x', value: 1 },
        { key: 'y', value: 1 },
      ])
    }
    assert.equal(await tx.get<number>('y'), x, 'x and y always change together')
    tx.put('sum', x ?? -1)
  })
  assert.equal(runs, 2)
  assert.equal(await db.get('sum'), 1)
})

test('a transaction sees its own writes, and none of them happens when it throws', async (t) => {
  const db = await memoryNode(t)
  await db.put('n', 1)
  const error = await rejection(
    db.txn(async (tx) => {
      tx.put('a', { fresh: true })
      assert.deepEqual(await tx.get('a'), { fresh: true })
      assert.equal(await tx.increment('n', { by: 2 }), 3)
      tx.delete('n')
      assert.equal(await tx.get('n'), undefined)
      throw new Error('changed my mind')
    }),
  )
  assert.equal(error.message, 'changed my mind')
  assert.deepEqual(await db.getMany(['a', 'n']), [undefined, 1])
})

test('a transaction that only reads leaves no entry in the log', async (t) => {
  const db = await memoryNode(t)
  await db.put('a', 1)
  const before = (await db.status()).lastIndex
  assert.equal(await db.txn(async (tx) => tx.get('a')), 1)
  const data = await db.txn({
    compare: [{ key: 'a', revision: 0 }],
    success: [],
    failure: [{ op: 'get', key: 'a' }],
  })
  assert.equal(data.succeeded, false)
  assert.equal((await db.status()).lastIndex, before)
})

test('a transaction as data: all compares hold and success runs, or failure does', async (t) => {
  const db = await memoryNode(t)
  const { revision } = await db.put('a', 1)
  const done = await db.txn({
    compare: [
      { key: 'a', revision },
      { key: 'b', revision: 0 },
    ],
    success: [
      { op: 'put', key: 'b', value: 2 },
      { op: 'increment', key: 'a', by: 5 },
      { op: 'get', key: 'a' },
    ],
  })
  assert.equal(done.succeeded, true)
  assert.deepEqual(done.results[0], { revision: revision + 1 })
  assert.deepEqual(done.results[1], { ok: true, value: 6, revision: revision + 1 })
  assert.equal((done.results[2] as { entry: { value: unknown } }).entry.value, 6)
  const not = await db.txn({
    compare: [{ key: 'b', revision: 0 }],
    success: [{ op: 'put', key: 'b', value: 3 }],
    failure: [{ op: 'delete', key: 'a' }],
  })
  assert.equal(not.succeeded, false)
  assert.deepEqual(await db.getMany(['a', 'b']), [undefined, 2])
  const bad = await rejection(db.txn({ compare: [], success: [{ op: 'putt', key: 'a' } as never] }))
  assert.match(bad.message, /success\[0\].*"putt"/)
})

test('H70: a retry under its request id applies once, with the first answer', async (t) => {
  const db = await memoryNode(t)
  const first = await db.increment('n', { requestId: 'r1' })
  const again = await db.increment('n', { requestId: 'r1' })
  assert.deepEqual(again, first)
  assert.equal(await db.get('n'), 1)
  const error = await rejection(db.increment('n', { by: 2, requestId: 'r1' }))
  assert.equal(error.code, 'REQUEST_ID_REUSED')
  assert.equal(await db.get('n'), 1)
})

test('H70: a retried condition is not judged against what its own first try wrote', async (t) => {
  const db = await memoryNode(t)
  await db.put('a', 1)
  const options = { condition: (value: unknown) => value === 1, requestId: 'r2' }
  const first = await db.putIf('a', 2, options)
  assert.deepEqual(await db.putIf('a', 2, options), first)
  assert.deepEqual(await db.putIf('a', 2, { expected: 1, requestId: 'r3' }), {
    ok: false,
    reason: 'changed',
    current: await db.getEntry('a'),
  })
  assert.equal(
    (await rejection(db.putIf('a', 9, { expected: 1, requestId: 'r2' }))).code,
    'REQUEST_ID_REUSED',
  )
})

test('two reads of a transaction at once are still one moment', async (t) => {
  const db = await memoryNode(t)
  await db.putMany([
    { key: 'a', value: 'old', ttl: 0.001 },
    { key: 'b', value: 'old' },
  ])
  while (db.local.get('a') !== undefined) await new Promise((resolve) => setImmediate(resolve))
  const seen = db.txn(async (tx) => {
    const [a, b] = await Promise.all([tx.get('a'), tx.get('b')])
    return [a, b]
  })
  await db.putMany([
    { key: 'a', value: 'new' },
    { key: 'b', value: 'new' },
  ])
  const [a, b] = await seen
  assert.ok((a === undefined && b === 'old') || (a === 'new' && b === 'new'), `${String(a)} and ${String(b)}`)
})

test('a transaction function is not waited for past the deadline, nor past an abort; nothing is written', async (t) => {
  const db = await memoryNode(t)
  const never = new Promise<never>(() => {})
  const late = await rejection(db.txn(() => never, { timeoutMs: 30 }))
  assert.deepEqual([late.code, (late as { outcome?: string }).outcome], ['TIMEOUT', 'not-applied'])
  const controller = new AbortController()
  const aborted = rejection(db.txn(() => never, { signal: controller.signal }))
  controller.abort()
  assert.equal((await aborted).name, 'AbortError')
  let letGo!: () => void
  const gate = new Promise<void>((resolve) => {
    letGo = resolve
  })
  let after: Promise<unknown> | undefined
  const given = await rejection(
    db.txn(
      async (tx) => {
        tx.put('a', 1)
        await gate
        after = rejection(tx.get('a'))
        await after
      },
      { timeoutMs: 30 },
    ),
  )
  assert.equal(given.code, 'TIMEOUT')
  letGo()
  await gate
  await after
  assert.equal(await db.get('a'), undefined)
})

test('a transaction that is always overtaken ends by its deadline', async (t) => {
  const db = await memoryNode(t)
  let n = 0
  const error = await rejection(
    db.txn(
      async (tx) => {
        await tx.get('a')
        await db.put('a', n++)
        tx.put('b', 1)
      },
      { timeoutMs: 50 },
    ),
  )
  assert.equal(error.code, 'TIMEOUT')
  assert.equal(await db.get('b'), undefined)
})

test('a condition that answers with a promise is refused: it would always hold', async (t) => {
  const db = await memoryNode(t)
  await db.put('a', 1)
  const error = await rejection(db.putIf('a', 2, { condition: (async () => false) as never }))
  assert.equal(error.code, 'INVALID_ARGUMENT')
  assert.match(error.message, /found a promise|a promise/)
  assert.equal(await db.get('a'), 1)
})

test('what a conditional write was given is what it writes, whatever the caller does meanwhile', async (t) => {
  const db = await memoryNode(t)
  await db.put('a', { n: 0 })
  const value = { n: 1 }
  const expected = { n: 0 }
  const put = db.putIf('a', value, { expected })
  value.n = 2
  expected.n = 9
  okay(await put)
  assert.deepEqual(await db.get('a'), { n: 1 })
})

test('options are read once: a getter that changes its mind changes nothing', async (t) => {
  const db = await memoryNode(t)
  let reads = 0
  const options = {
    get requestId() {
      return reads++ === 0 ? 'r' : (5 as never)
    },
  }
  await db.put('a', 1, options)
  assert.equal(await db.get('a'), 1)
  assert.equal((await rejection(db.increment('n', { by: 2n ** 20000n }))).code, 'VALUE_TOO_LARGE')
  await db.put('c', 3)
  assert.equal(await db.get('c'), 3, 'and a refused call leaves nothing behind for the next one')
})

test('inside a transaction keys are checked, and sums follow the rules of increment', async (t) => {
  const db = await memoryNode(t)
  await db.put('big', 5n)
  assert.equal(await db.txn((tx) => tx.increment('big')), 6n)
  assert.equal(await db.get('big'), 6n)
  for (const key of ['', 5, undefined, '\ud800']) {
    assert.equal((await rejection(db.txn((tx) => tx.get(key as string)))).code, 'INVALID_KEY')
  }
})
