// Keys that expire: when they are due, who removes them, and at what cost. All times are the entries'.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { collectDue, dueAt, find, findRecord, nextDue } from '../../core/machine/index.ts'
import { Log, c, contents, pick, random } from './harness.ts'

describe('expiry', () => {
  test('H62: a key is there until a change takes it, and due by the entries’ time alone', () => {
    const log = new Log()
    log.one(c.put('a', 1, { ttlMs: 100 }))
    log.clusterTime = 1099
    log.one(c.delete('absent'))
    const slot = find(log.machine.users, 'a')
    assert.equal(dueAt(log.machine.users, slot, 1099), false)
    assert.equal(dueAt(log.machine.users, slot, 1100), true)
    log.clusterTime = 5000
    log.one(c.put('other', 1))
    assert.notEqual(find(log.machine.users, 'a'), -1, 'nobody has met it')
    assert.deepEqual(log.one(c.delete('a')), { deleted: false, revision: 3 }, 'expired at 3, then absent')
    assert.equal(find(log.machine.users, 'a'), -1)
  })

  test('each command that meets a due key expires it first, at a revision of its own', () => {
    const meets: readonly [string, (log: Log) => unknown, object][] = [
      ['put', (log) => log.one(c.put('a', 2)), { revision: 3 }],
      ['delete', (log) => log.one(c.delete('a')), { deleted: false, revision: 2 }],
      ['touch', (log) => log.one(c.touch('a', 5)), { touched: false, revision: 2 }],
      ['increment', (log) => log.one(c.increment('a')), { ok: true, value: 1, revision: 3 }],
      ['batch', (log) => log.one(c.batch([{ op: 'get', key: 'a' }])), { revision: 2, results: [{}] }],
    ]
    for (const [name, meet, expected] of meets) {
      const log = new Log()
      log.one(c.put('a', 41, { ttlMs: 10 }))
      log.clusterTime = 1010
      assert.deepEqual(meet(log), expected, name)
    }
  })

  test('a batch expires all that it meets together, before it does anything', () => {
    const log = new Log()
    log.commit(c.put('a', 1, { ttlMs: 10 }), c.put('b', 1, { ttlMs: 10 }), c.put('c', 1, { ttlMs: 99 }))
    log.clusterTime = 1050
    const { changes } = log.commit(
      c.batch([
        { op: 'put', key: 'c', value: 2 },
        { op: 'delete', key: 'b' },
        { op: 'increment', key: 'a', by: 1 },
        { op: 'put', key: 'b', value: 3 },
      ]),
    )
    assert.deepEqual(
      changes.map(({ type, key, revision, version }) => [type, key, revision, version]),
      [
        ['expire', 'b', 4, 1],
        ['expire', 'a', 4, 1],
        ['put', 'c', 5, 2],
        ['put', 'a', 5, 1],
        ['put', 'b', 5, 1],
      ],
    )
  })

  test('an expire command removes what is due, as one change, and leaves the rest', () => {
    const log = new Log()
    log.commit(c.put('a', 1, { ttlMs: 10 }), c.put('b', 1, { ttlMs: 10 }), c.put('later', 1, { ttlMs: 50 }))
    log.commit(c.put('ever', 1))
    log.clusterTime = 1020
    const keys = ['a', 'b', 'later', 'ever', 'missing'].map((key) => ({ space: 0, key }))
    const { results, changes } = log.commit(c.expire(log.term, keys))
    assert.deepEqual(results, [{ expired: 2, revision: 5 }])
    assert.deepEqual(
      changes.map(({ key, revision }) => [key, revision]),
      [
        ['a', 5],
        ['b', 5],
      ],
    )
    assert.deepEqual(contents(log.machine), { later: 1, ever: 1 })
    assert.deepEqual(log.one(c.expire(log.term, keys)), { expired: 0, revision: 5 })
  })

  test('H23: an expire command decided in another term is dropped', () => {
    const log = new Log()
    log.term = 3
    log.one(c.put('a', 1, { ttlMs: 10 }))
    log.clusterTime = 2000
    const keys = [{ space: 0, key: 'a' }]
    assert.deepEqual(log.one(c.expire(2, keys)), { expired: 0, revision: 1 })
    assert.deepEqual(log.one(c.expire(4, keys)), { expired: 0, revision: 1 })
    assert.deepEqual(log.one(c.expire(3, keys)), { expired: 1, revision: 2 })
  })

  test('an expire command is bounded like any other, and reaches no space of core', () => {
    const log = new Log()
    log.one(c.settings({ batch: 2 }))
    const keys = ['a', 'b', 'c'].map((key) => ({ space: 0, key }))
    assert.equal((log.one(c.expire(1, keys)) as { refused: string }).refused, 'BATCH_TOO_LARGE')
    assert.deepEqual(log.one(c.expire(1, [{ space: 1, key: 'setting/batch' }])), { expired: 0, revision: 1 })
  })

  test('the deadlines of all spaces are found, the earliest first, and never the request table’s', () => {
    const log = new Log()
    assert.equal(nextDue(log.machine), Infinity)
    log.one(c.space('plugin'))
    log.commit(c.put('a', 1, { ttlMs: 90, requestId: 'r' }), c.put('b', 1, { ttlMs: 20, space: 16 }))
    assert.equal(nextDue(log.machine), 1020)
    assert.deepEqual(collectDue(log.machine, 1019, 10), [])
    assert.deepEqual(collectDue(log.machine, 1020, 10), [{ space: 16, key: 'b' }])
    assert.deepEqual(collectDue(log.machine, 1e9, 10), [
      { space: 0, key: 'a' },
      { space: 16, key: 'b' },
    ])
    assert.equal(collectDue(log.machine, 1e9, 1).length, 1)
  })

  test('costs what expires: finding ten due keys looks at few of many', () => {
    const log = new Log()
    const chance = random(7)
    for (let i = 0; i < 4000; i++) log.commit(c.put(`k${i}`, i, { ttlMs: 10_000 + chance(1e6) }))
    for (let i = 0; i < 10; i++) log.commit(c.touch(`k${chance(4000)}`, 5))
    const { columns } = log.machine.users
    const due = collectDue(log.machine, 1005, 500)
    assert.ok(due.length >= 9 && due.length <= 10)
    // Each page of the columns counts how often deadlines are read.
    let reads = 0
    for (const page of columns.pages) {
      const column = page.expiresAt!
      page.expiresAt = new Proxy(column, {
        get(target, name) {
          reads++
          return target[name as unknown as number]
        },
      })
    }
    assert.equal(collectDue(log.machine, 1005, 500).length, due.length)
    assert.ok(reads <= due.length * 3 + 1, `${reads} deadlines read for ${due.length} due keys`)
  })

  test('the index follows every change: touched, cleared, deleted, made again', () => {
    const log = new Log()
    const chance = random(11)
    const due = new Map<string, number>()
    for (let i = 0; i < 3000; i++) {
      log.clusterTime += chance(3)
      const key = `k${chance(200)}`
      const ttlMs = 1 + chance(400)
      const isThere = findRecord(log.machine.users, key)?.expiresAt !== undefined
      const alive = isThere && !((due.get(key) ?? Infinity) <= log.clusterTime)
      const kind = pick(chance, ['put', 'plain', 'touch', 'delete', 'sweep'])
      if (kind === 'put') {
        log.commit(c.put(key, i, { ttlMs }))
        due.set(key, log.clusterTime + ttlMs)
      } else if (kind === 'plain') {
        log.commit(c.put(key, i))
        due.delete(key)
      } else if (kind === 'touch') {
        log.commit(c.touch(key, ttlMs))
        if (alive) due.set(key, log.clusterTime + ttlMs)
        else due.delete(key)
      } else if (kind === 'delete') {
        log.commit(c.delete(key))
        due.delete(key)
      } else {
        const keys = collectDue(log.machine, log.clusterTime, 20)
        log.commit(c.expire(log.term, keys))
        for (const { key: gone } of keys) {
          assert.ok(due.get(gone)! <= log.clusterTime, `${gone} was not due`)
          due.delete(gone)
        }
      }
      assert.equal(nextDue(log.machine), Math.min(Infinity, ...due.values()))
    }
    const all = collectDue(log.machine, 1e9, 1000).map(({ key }) => key)
    assert.deepEqual(all.sort(), [...due.keys()].sort())
    assert.equal(log.machine.users.deadlines.size, due.size, 'no stale node is left behind')
  })
})
