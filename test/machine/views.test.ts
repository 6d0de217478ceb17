// One moment, read in pieces while everything changes under it.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ConcordError } from '../../core/errors.ts'
import { createBudget, openView, scan } from '../../core/machine/index.ts'
import type { Machine, RecordView, View, ViewOptions } from '../../core/machine/index.ts'
import { Log, type Encode, type Random, c, pick, plain, random } from './harness.ts'

const LIMIT = 1e9

const all = (machine: Machine): RecordView[] => [...scan(machine.users)]

function readAll(view: View, max = 7): RecordView[] {
  const records: RecordView[] = []
  for (let next = view.next(max); next !== undefined; next = view.next(max)) {
    assert.ok(next.length <= max)
    records.push(...next)
  }
  return records
}

/** Any change of any of `keys` keys; keys of several lengths and alphabets. */
function anyChange(chance: Random, keys: number): Encode {
  const key = keyOf(chance(keys))
  const kind = chance(10)
  if (kind < 4) return c.put(key, chance(1000))
  if (kind < 5) return c.put(key, { big: 'x'.repeat(chance(200)) }, { ttlMs: 1 + chance(50) })
  if (kind < 6) return c.touch(key, 1 + chance(100))
  if (kind < 9) return c.delete(key)
  return c.batch([
    { op: 'delete', key },
    { op: 'put', key, value: 1 },
    { op: 'delete', key },
    { op: 'put', key: keyOf(chance(keys)), value: 2 },
  ])
}

const PREFIXES = ['a/', 'b/', 'é/', '\u{1f600}/', '\uffee/', '']
const keyOf = (n: number): string => `${PREFIXES[n % PREFIXES.length]}k${n * 7919}`

describe('views', () => {
  for (const seed of [1, 2, 3, 4, 5, 6]) {
    test(`see one moment while everything changes under them (seed ${seed})`, () => {
      const chance = random(seed)
      const log = new Log()
      const keys = 30 + chance(400)
      for (let i = 0; i < keys * 2; i++) log.commit(anyChange(chance, keys))
      for (let round = 0; round < 12; round++) {
        const prefix = pick(chance, PREFIXES)
        const after = chance(2) === 0 ? undefined : keyOf(chance(keys))
        const expected = all(log.machine).filter(
          ({ key }) => key.startsWith(prefix) && (after === undefined || bytesAfter(key, after)),
        )
        const view = openView(log.machine, { prefix, after, budget: createBudget(LIMIT) })
        const seen: RecordView[] = []
        const max = 1 + chance(20)
        for (let next = view.next(max); next !== undefined; next = view.next(max)) {
          seen.push(...next)
          log.clusterTime += chance(3)
          for (let i = chance(30); i > 0; i--) log.commit(anyChange(chance, keys + round * 10))
        }
        assert.deepEqual(seen.map(plain), expected.map(plain), `round ${round}`)
        assert.equal(view.heldBytes, 0)
        assert.equal(log.machine.users.moments.size, 0, 'read to the end is closed')
      }
    })
  }

  test('are in the order of UTF-8 bytes, which is not that of UTF-16', () => {
    const log = new Log()
    const keys = [
      'a',
      'b',
      'z',
      'é',
      '\u07ff',
      '\ud7ff',
      '\ue000',
      '\uffff',
      '\u{10000}',
      '\u{10ffff}',
      'z\u{10000}',
      'z\uffff',
    ]
    for (const key of keys) log.commit(c.put(key, 1))
    const expected = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    assert.deepEqual(
      readAll(openView(log.machine, { budget: createBudget(LIMIT) })).map(({ key }) => key),
      expected,
    )
    const under = openView(log.machine, { prefix: 'z', after: 'z\uffff', budget: createBudget(LIMIT) })
    assert.deepEqual(
      readAll(under).map(({ key }) => key),
      ['z\u{10000}'],
    )
  })

  test('several at once each see their own moment', () => {
    const log = new Log()
    for (let i = 0; i < 50; i++) log.commit(c.put(`k${i}`, 0))
    const views: View[] = []
    for (let generation = 1; generation <= 5; generation++) {
      views.push(openView(log.machine, { budget: createBudget(LIMIT) }))
      for (let i = 0; i < 50; i++)
        log.commit(i % 7 === generation ? c.delete(`k${i}`) : c.put(`k${i}`, generation))
    }
    views.forEach((view, generation) => {
      const values = readAll(view).map(({ value }) => value)
      assert.deepEqual(new Set(values), new Set([generation]), `view ${generation}`)
    })
  })

  test('new keys cost them nothing, and old versions are counted once each', () => {
    const log = new Log()
    const held = (run: () => void) => {
      const view = openView(log.machine, { budget: createBudget(LIMIT) })
      run()
      const { heldBytes } = view
      view.close()
      assert.equal(view.heldBytes, 0)
      return heldBytes
    }
    for (let i = 0; i < 20; i++) log.commit(c.put(`k${i}`, 'x'.repeat(1000)))
    assert.equal(
      held(() => log.commit(...Array.from({ length: 20 }, (_, i) => c.put(`new${i}`, i)))),
      0,
    )
    const once = held(() => log.commit(c.put('k1', 1)))
    assert.ok(once >= 1000 && once < 1500, `${once} bytes for one value of 1000`)
    log.commit(c.put('k1', 'x'.repeat(1000)))
    assert.equal(
      held(() => log.commit(c.put('k1', 1), c.delete('k1'), c.put('k1', 2), c.delete('k1'))),
      once,
    )
    assert.equal(
      held(() => log.commit(c.delete('k0'), c.delete('k2'), c.delete('k3'))),
      once * 3,
    )
  })

  test('what has been read is not held any more, nor what another prefix holds', () => {
    const log = new Log()
    for (let i = 0; i < 20; i++) log.commit(c.put(`a${i + 10}`, 1), c.put(`b${i}`, 1))
    const view = openView(log.machine, { prefix: 'a', budget: createBudget(LIMIT) })
    log.commit(c.put('b1', 2), c.delete('b2'))
    assert.equal(view.heldBytes, 0)
    assert.equal(view.next(5)?.length, 5)
    log.commit(c.put('a10', 2), c.delete('a14'))
    assert.equal(view.heldBytes, 0)
    log.commit(c.put('a15', 2))
    assert.ok(view.heldBytes > 0)
    view.next(1)
    assert.equal(view.heldBytes, 0)
  })

  test('a key deleted and made again, over and over, leaves one trace', () => {
    const log = new Log()
    log.commit(c.put('a', 1), c.put('b', 1))
    const view = openView(log.machine, { budget: createBudget(LIMIT) })
    for (let i = 0; i < 100; i++) log.commit(c.delete('b'), c.put('b', i))
    const [moment] = log.machine.users.moments
    assert.equal(moment?.gone.length, 1)
    assert.equal(moment?.keptCount, 1)
    assert.deepEqual(
      readAll(view).map(({ key, value }) => [key, value]),
      [
        ['a', 1],
        ['b', 1],
      ],
    )
  })

  test('past its limit a view is lost, says so with a cursor, and holds nothing', () => {
    const log = new Log()
    for (let i = 0; i < 90; i++) log.commit(c.put(`k${i + 10}`, 'x'.repeat(1000)))
    const view = openView(log.machine, { budget: createBudget(20_000) })
    const first = view.next(10)!
    let most = 0
    for (let i = 0; i < 90; i++) {
      log.commit(c.put(`k${i + 10}`, i))
      most = Math.max(most, view.heldBytes)
    }
    assert.ok(most <= 20_000, `${most} bytes held`)
    assert.equal(view.heldBytes, 0)
    let cursor = ''
    assert.throws(
      () => view.next(10),
      (error) => {
        assert.ok(ConcordError.is(error) && error.code === 'SNAPSHOT_TOO_OLD')
        cursor = error.details?.['cursor'] as string
        return cursor === first.at(-1)?.key
      },
    )
    assert.throws(() => view.next(10), /SNAPSHOT_TOO_OLD|bytes changed/)
    view.close()
    assert.equal(log.machine.users.moments.size, 0)
    const rest = readAll(openView(log.machine, { after: cursor, budget: createBudget(LIMIT) }))
    assert.equal(first.length + rest.length, 90)
    assert.ok(rest.every(({ value }) => typeof value === 'number'))
  })

  test('H76: that share a budget are lost oldest first, and hold no more than it together', () => {
    const log = new Log()
    const budget = createBudget(50_000)
    const change = (value: string) => {
      for (let i = 0; i < 20; i++) log.commit(c.put(`k${i + 10}`, value + 'x'.repeat(1000)))
    }
    const views: View[] = []
    const held = () => views.reduce((sum, { heldBytes }) => sum + heldBytes, 0)
    change('0')
    for (let round = 1; round <= 30; round++) {
      views.push(openView(log.machine, { budget }))
      change(`${round}`)
      assert.ok(held() <= budget.limitBytes, `${held()} bytes held in round ${round}`)
    }
    assert.equal(views.at(-1)?.next(1)?.length, 1)
    const lost = views.map((view) => {
      try {
        return view.next(1) === undefined
      } catch (error) {
        return ConcordError.is(error) && error.code === 'SNAPSHOT_TOO_OLD'
      }
    })
    const firstKept = lost.indexOf(false)
    assert.ok(firstKept > 0 && lost.slice(firstKept).every((isLost) => !isLost), 'the oldest, and only they')
    assert.equal(
      log.machine.users.moments.size,
      views.length - firstKept,
      'who is lost costs writers nothing',
    )
    for (const view of views) view.close()
    assert.equal(budget.heldBytes, 0)
    assert.equal(log.machine.users.moments.size, 0)
  })

  test('H76: that hold nothing are bounded in number, too', () => {
    const log = new Log()
    const budget = createBudget(1_000_000)
    for (let i = 0; i < 5000; i++) openView(log.machine, { budget })
    assert.ok(log.machine.users.moments.size < 1000)
  })

  test('H76: lost while others are told of the same change, cost those nothing', () => {
    const log = new Log()
    for (let i = 0; i < 10; i++) log.commit(c.put(`k${i}`, 'x'.repeat(1000)))
    const small = createBudget(5000)
    const doomed = [openView(log.machine, { budget: small }), openView(log.machine, { budget: small })]
    const others = [1, 2, 3].map(() => openView(log.machine, { budget: createBudget(LIMIT) }))
    for (let i = 0; i < 10; i++) log.commit(c.delete(`k${i}`))
    for (const view of doomed) assert.throws(() => view.next(10), { code: 'SNAPSHOT_TOO_OLD' })
    for (const view of others) assert.equal(readAll(view).length, 10)
  })

  test('of nothing end at once', () => {
    const log = new Log()
    const open = (options: Partial<ViewOptions>) =>
      openView(log.machine, { budget: createBudget(LIMIT), ...options })
    assert.equal(open({}).next(5), undefined)
    assert.equal(open({ space: 77 }).next(5), undefined)
    log.commit(c.put('a', 1))
    assert.equal(open({ prefix: 'b' }).next(5), undefined)
    assert.equal(open({ after: 'a' }).next(5), undefined)
    const view = open({})
    view.close()
    assert.equal(view.next(5), undefined)
    view.close()
  })

  test('carry the moment they are of', () => {
    const log = new Log()
    log.clusterTime = 4321
    log.commit(c.put('a', 1))
    const view = openView(log.machine, { budget: createBudget(LIMIT) })
    log.clusterTime = 9999
    log.commit(c.put('a', 2))
    assert.deepEqual([view.revision, view.clusterTime], [1, 4321])
    view.close()
  })
})

const bytesAfter = (key: string, after: string): boolean =>
  Buffer.compare(Buffer.from(key), Buffer.from(after)) > 0

describe('scan', () => {
  test('gives keys in order within a prefix, after a key, up to a limit, while they change', () => {
    const log = new Log()
    for (let i = 0; i < 400; i++) log.commit(c.put(`k${i + 1000}`, i))
    const keys = (options: object) => [...scan(log.machine.users, options)].map(({ key }) => key)
    assert.deepEqual(keys({ prefix: 'k110', limit: 3 }), ['k1100', 'k1101', 'k1102'])
    assert.deepEqual(keys({ prefix: 'k110', after: 'k1107' }), ['k1108', 'k1109'])
    assert.deepEqual(keys({ prefix: 'k110', after: 'a' }).length, 10)
    assert.deepEqual(keys({ after: 'k1398' }), ['k1399'])
    const seen: string[] = []
    const gone = new Set<string>()
    const all400 = keys({})
    for (const { key } of scan(log.machine.users)) {
      seen.push(key)
      if (seen.length % 10 !== 0) continue
      const ahead = `k${Number(key.slice(1)) + 5}`
      log.commit(c.delete(ahead), c.put(`k0${seen.length}`, 1))
      gone.add(ahead)
    }
    assert.deepEqual(seen, seen.toSorted())
    assert.equal(new Set(seen).size, seen.length)
    assert.deepEqual(
      seen,
      all400.filter((key) => !gone.has(key)),
    )
  })
})
