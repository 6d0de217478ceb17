/** The calls on one key: what they answer, and what they refuse. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConcordError } from '../../core/index.ts'
import { memoryNode, rejection } from './node.ts'

test('a put answers with the revision of its change, and a get sees it', async (t) => {
  const db = await memoryNode(t)
  const first = await db.put('a', { n: 1 })
  const second = await db.put('a', { n: 2 })
  assert.equal(second.revision, first.revision + 1)
  assert.deepEqual(await db.get('a'), { n: 2 })
  assert.deepEqual(await db.getEntry('a'), {
    key: 'a',
    value: { n: 2 },
    revision: second.revision,
    createRevision: first.revision,
    version: 2,
    ttl: null,
  })
})

test('what a get gives is the caller’s own: changing it changes nothing', async (t) => {
  const db = await memoryNode(t)
  const given = { list: [1], bytes: new Uint8Array([1, 2]) }
  const put = db.put('a', given)
  given.list.push(2)
  await put
  const got = await db.get<typeof given>('a')
  assert.deepEqual(got?.list, [1], 'the value is what it was at the call')
  got?.list.push(3)
  if (got !== undefined) got.bytes[0] = 9
  assert.deepEqual(await db.get('a'), { list: [1], bytes: new Uint8Array([1, 2]) })
})

test('null is a value, and an absent key is undefined', async (t) => {
  const db = await memoryNode(t)
  await db.put('null', null)
  assert.equal(await db.get('null'), null)
  assert.equal(await db.get('absent'), undefined)
  assert.equal(await db.getEntry('absent'), undefined)
  assert.equal(await db.ttl('absent'), undefined)
  assert.equal(db.local.get('null'), null)
})

test('deleting what is absent changes nothing, and says so', async (t) => {
  const db = await memoryNode(t)
  const { revision } = await db.put('a', 1)
  assert.deepEqual(await db.delete('b'), { deleted: false, revision })
  assert.deepEqual(await db.delete('a'), { deleted: true, revision: revision + 1 })
  assert.equal(await db.get('a'), undefined)
})

test('a key that was deleted begins anew', async (t) => {
  const db = await memoryNode(t)
  await db.put('a', 1)
  await db.put('a', 2)
  await db.delete('a')
  const { revision } = await db.put('a', 3)
  const entry = await db.getEntry('a')
  assert.equal(entry?.createRevision, revision)
  assert.equal(entry?.version, 1)
})

test('increment counts an absent key as 0, adds bigints exactly, and says what it cannot add to', async (t) => {
  const db = await memoryNode(t)
  assert.equal(((await db.increment('n')) as { value: number }).value, 1)
  assert.equal(((await db.increment('n', { by: 4 })) as { value: number }).value, 5)
  const huge = 2n ** 80n
  assert.equal(((await db.increment('big', { by: huge })) as { value: bigint }).value, huge)
  await db.put('text', 'five')
  assert.deepEqual(await db.increment('text'), { ok: false, reason: 'not-a-number', current: 'five' })
  await db.put('max', Number.MAX_SAFE_INTEGER)
  const over = await db.increment('max')
  assert.equal(over.ok, false)
  assert.equal(await db.get('max'), Number.MAX_SAFE_INTEGER)
})

test('a hundred increments at once lose none', async (t) => {
  const db = await memoryNode(t)
  await Promise.all(Array.from({ length: 100 }, () => db.increment('n')))
  assert.equal(await db.get('n'), 100)
})

test('H68: keys are exact or refused', async (t) => {
  const db = await memoryNode(t)
  const exact = ['__proto__', 'constructor', 'a\u0000b', 'ключ', '\u{1F600}', 'x'.repeat(1024), '..', ' ']
  for (const key of exact) await db.put(key, key)
  for (const key of exact) assert.equal(await db.get(key), key)
  const refused = ['', 'x'.repeat(1025), '\u20ac'.repeat(342), 'k\ud800', '\udc00', 7, null, undefined, {}]
  for (const key of refused) {
    for (const call of [db.put(key as string, 1), db.get(key as string), db.delete(key as string)]) {
      const error = await rejection(call)
      assert.equal(error.code, 'INVALID_KEY')
    }
  }
  assert.equal((await db.status()).keys, exact.length)
})

test('a value that cannot be kept is refused with its path, and nothing is sent', async (t) => {
  const db = await memoryNode(t)
  const before = (await db.status()).lastIndex
  const cyclic: { self?: unknown } = {}
  cyclic.self = cyclic
  const cases: [value: unknown, says: RegExp][] = [
    [undefined, /undefined/],
    [() => 1, /function/],
    [{ a: [{ f: Symbol('s') }] }, /a\[0\]\.f/],
    [cyclic, /self/],
    [{ when: new URL('http://localhost') }, /when/],
  ]
  for (const [value, says] of cases) {
    const error = await rejection(db.put('k', value as never))
    assert.equal(error.code, 'INVALID_VALUE')
    assert.match(error.message, says)
  }
  assert.equal((await rejection(db.put('k', 'x'.repeat(1024 * 1024)))).code, 'VALUE_TOO_LARGE')
  assert.equal((await db.status()).lastIndex, before)
})

test('a misspelt or mistyped option is refused, naming it', async (t) => {
  const db = await memoryNode(t)
  const cases: [call: Promise<unknown>, code: string, says: RegExp][] = [
    [db.put('a', 1, { tll: 5 } as never), 'INVALID_OPTION', /"tll"/],
    [db.put('a', 1, { ttl: 0 }), 'INVALID_TTL', /found 0/],
    [db.put('a', 1, { ttl: -1 }), 'INVALID_TTL', /found -1/],
    [db.put('a', 1, { ttl: '5' as never }), 'INVALID_TTL', /"5"/],
    [db.touch('a', Infinity), 'INVALID_TTL', /more than 0/],
    [db.get('a', { consistency: 'eventually' as never }), 'INVALID_OPTION', /"eventually"/],
    [db.get('a', { timeoutMs: 0 }), 'INVALID_OPTION', /timeoutMs/],
    [db.get('a', { minRevision: 1.5 }), 'INVALID_OPTION', /minRevision/],
    [db.put('a', 1, { requestId: '' }), 'INVALID_OPTION', /requestId/],
    [db.increment('a', { by: NaN }), 'INVALID_OPTION', /by/],
    [db.putIf('a', 1, {} as never), 'INVALID_OPTION', /exactly one/],
    [
      db.putIf('a', 1, { ifAbsent: true, ifRevision: 1 } as never),
      'INVALID_OPTION',
      /ifRevision and ifAbsent/,
    ],
  ]
  for (const [call, code, says] of cases) {
    const error = await rejection(call)
    assert.ok(ConcordError.is(error))
    assert.equal(error.code, code, error.message)
    assert.match(error.message, says)
    assert.equal(error.outcome, 'not-applied')
  }
  assert.equal(await db.get('a'), undefined)
})

test('two stores in one process do not know each other', async (t) => {
  const one = await memoryNode(t)
  const two = await memoryNode(t)
  await one.put('a', 1)
  assert.equal(await two.get('a'), undefined)
  assert.notEqual((await one.status()).clusterId, (await two.status()).clusterId)
})
