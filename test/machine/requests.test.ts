// The request table: a call that is tried again applies once, and gets the answer that it had.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createMachine, stateHash } from '../../core/machine/index.ts'
import { Log, c, contents, dump, load, plain, replay, snapshotBytes } from './harness.ts'

describe('requestId', () => {
  test('H70: a retried increment applies once and is answered as before', () => {
    const log = new Log()
    const call = c.increment('n', 5, { requestId: 'r1' })
    const first = log.one(call)
    log.one(c.increment('n', 1))
    assert.deepEqual(log.one(call), first)
    assert.deepEqual(contents(log.machine), { n: 6 })
    assert.equal(log.machine.revision, 2)
  })

  test('H70: in one entry too', () => {
    const log = new Log()
    const call = c.increment('n', 5, { requestId: 'r1' })
    const { results, changes } = log.commit(call, call)
    assert.deepEqual(results[0], results[1])
    assert.equal(changes.length, 1)
  })

  test('every kind of result comes back as it was', () => {
    const requestId = (i: number) => ({ requestId: `r${i}`, actor: 'ann' })
    const log = new Log()
    log.commit(c.put('obj', { a: [1] }, { ttlMs: 0.5 }), c.put('big', 5n), c.put('t', 1), c.put('u', 1))
    log.clusterTime = 1000.25
    const calls = [
      c.put('a', 'x', requestId(1)),
      c.delete('u', requestId(2)),
      c.touch('t', 77, requestId(3)),
      c.increment('big', -7n, requestId(4)),
      c.batch(
        [
          { op: 'get', key: 'obj' },
          { op: 'get', key: 'missing' },
          { op: 'put', key: 'b', value: new Map([[1, 2]]) },
          { op: 'delete', key: 'missing' },
          { op: 'touch', key: 'missing', ttlMs: 9 },
          { op: 'increment', key: 'float', by: -0.5 },
          { op: 'get', key: 'b' },
        ],
        requestId(5),
      ),
      c.txn([{ key: 'a', revision: 5 }], [{ op: 'put', key: 'é\u{1f600}', value: 1 }], [], requestId(6)),
      c.txn(
        [
          { key: 'zero', revision: 0 },
          { key: 'obj', revision: 99 },
        ],
        [],
        [{ op: 'put', key: 'd', value: 1 }],
        requestId(7),
      ),
      c.txn([{ key: 'nothing', revision: 1 }], [], [{ op: 'put', key: 'e', value: 1 }], requestId(8)),
      c.space('plugin', requestId(9)),
      c.settings({ batch: 400 }, requestId(10)),
    ]
    const first = calls.map((call) => log.one(call))
    assert.equal(log.machine.requests.count, calls.length)
    const { revision } = log.machine
    assert.deepEqual(
      calls.map((call) => log.one(call)),
      first,
    )
    assert.equal(log.machine.revision, revision)
  })

  test('only an attempt that took effect is remembered', () => {
    const log = new Log()
    log.one(c.put('due', 1, { ttlMs: 5 }))
    log.clusterTime = 1005
    const id = { requestId: 'r1' }
    const calls = [
      c.delete('missing', id),
      c.touch('due', 5, id),
      c.txn([{ key: 'missing', revision: 9 }], [{ op: 'put', key: 'a', value: 1 }], [], id),
      c.batch([{ op: 'get', key: 'missing' }], id),
      c.put('a', 'x'.repeat(1024 * 1024 + 99), id),
      c.batch([{ op: 'increment', key: 'text', by: NaN }], id),
    ]
    for (const call of calls) log.one(call)
    assert.equal(log.machine.requests.count, 0)
    assert.equal(log.machine.revision, 2, 'expiring what it met is not the effect of a call')
    assert.deepEqual(log.one(c.put('a', 1, id)), { revision: 3 })
    assert.equal((log.one(calls[0]!) as { refused: string }).refused, 'REQUEST_ID_REUSED')
  })

  test('is looked up before anything is evaluated: a condition that no longer holds does not matter', () => {
    const log = new Log()
    const call = c.txn([{ key: 'a', revision: 0 }], [{ op: 'put', key: 'a', value: 1 }], [], {
      requestId: 'r',
    })
    const first = log.one(call)
    assert.equal((first as { succeeded: boolean }).succeeded, true)
    assert.deepEqual(log.one(call), first)
  })

  test('another call under the same id is refused; another actor’s id is another id', () => {
    const log = new Log()
    log.one(c.put('a', 1, { requestId: 'r', actor: 'ann' }))
    const other = log.one(c.put('a', 2, { requestId: 'r', actor: 'ann' }))
    assert.deepEqual(other, { refused: 'REQUEST_ID_REUSED', details: { requestId: 'r' } })
    assert.equal(
      (log.one(c.put('b', 1, { requestId: 'r', actor: 'ann' })) as { refused: string }).refused,
      'REQUEST_ID_REUSED',
    )
    assert.equal(
      (log.one(c.put('a', 1, { requestId: 'r', actor: 'ann', ttlMs: 5 })) as { refused: string }).refused,
      'REQUEST_ID_REUSED',
    )
    assert.deepEqual(log.one(c.put('a', 2, { requestId: 'r', actor: 'bob' })), { revision: 2 })
    assert.deepEqual(log.one(c.put('a', 3, { requestId: 'r' })), { revision: 3 })
    // Where actor and id meet does not matter.
    log.one(c.put('x', 1, { requestId: 'bc', actor: 'a' }))
    assert.deepEqual(log.one(c.put('x', 2, { requestId: 'c', actor: 'ab' })), { revision: 5 })
  })

  test('a trace is not part of the call, a fingerprint stands for it', () => {
    const log = new Log()
    const first = log.one(c.put('a', 1, { requestId: 'r', trace: '1' }))
    assert.deepEqual(log.one(c.put('a', 1, { requestId: 'r', trace: '2' })), first)
    const put = (revision: number, fingerprint: string) =>
      c.txn([{ key: 'b', revision }], [{ op: 'put', key: 'b', value: revision }], [], {
        requestId: 's',
        fingerprint,
      })
    const second = log.one(put(0, 'the call'))
    assert.deepEqual(log.one(put(2, 'the call')), second, 'evaluated anew, the same call')
    assert.equal((log.one(put(0, 'another')) as { refused: string }).refused, 'REQUEST_ID_REUSED')
  })

  test('ids leave after requests.keepMs of clusterTime, and not before', () => {
    const log = new Log()
    log.one(c.settings({ 'requests.keepMs': 5000 }))
    const call = c.increment('n', 1, { requestId: 'r' })
    log.one(call)
    log.clusterTime = 5999
    log.one(call)
    assert.deepEqual(contents(log.machine), { n: 1 })
    assert.equal(log.machine.requests.count, 1)
    log.clusterTime = 6000
    log.one(c.delete('absent'))
    assert.equal(log.machine.requests.count, 0)
    log.one(call)
    assert.deepEqual(contents(log.machine), { n: 2 })
  })

  test('a full table refuses new ids, remembers the old ones, and empties by time', () => {
    const log = new Log()
    log.one(c.settings({ 'requests.max': 3, 'requests.keepMs': 1000 }))
    for (const id of ['a', 'b', 'c']) log.one(c.increment('n', 1, { requestId: id }))
    assert.deepEqual(log.one(c.increment('n', 1, { requestId: 'd' })), {
      ...{ refused: 'REQUEST_TABLE_FULL', details: { max: 3 } },
    })
    assert.deepEqual(log.one(c.increment('n', 1, { requestId: 'a' })), { ok: true, value: 1, revision: 2 })
    assert.equal(
      (log.one(c.increment('n')) as { ok: boolean }).ok,
      true,
      'a call without an id is not hindered',
    )
    log.clusterTime += 1000
    assert.equal((log.one(c.increment('n', 1, { requestId: 'd' })) as { ok: boolean }).ok, true)
    assert.equal(log.machine.requests.count, 1)
  })

  test('the table drains by itself, a bounded number at each entry', () => {
    const log = new Log()
    log.one(c.settings({ 'requests.keepMs': 1000 }))
    log.commit(...Array.from({ length: 100 }, (_, i) => c.put('k', i, { requestId: `r${i}` })))
    log.clusterTime += 1000
    let entries = 0
    for (; log.machine.requests.count > 0; entries++) {
      const before = log.machine.requests.count
      log.commitData(new Uint8Array(), 'noop')
      assert.ok(before - log.machine.requests.count <= 16)
    }
    assert.equal(entries, 7)
  })

  test('ids of one moment leave in the order they came, on a restored node too', () => {
    const log = new Log()
    log.one(c.settings({ 'requests.keepMs': 1000 }))
    log.commit(...Array.from({ length: 60 }, (_, i) => c.put('k', i, { requestId: `r${(i * 37) % 60}` })))
    const restored = load(snapshotBytes(log.machine))
    log.clusterTime += 1000
    while (log.machine.requests.count > 0) {
      log.commitData(new Uint8Array(), 'noop')
      replay(restored, log.entries)
      assert.equal(stateHash(restored), stateHash(log.machine), `${log.machine.requests.count} left`)
    }
  })

  test('an id whose time is over is forgotten although the table still holds it', () => {
    const log = new Log()
    log.one(c.settings({ 'requests.keepMs': 1000 }))
    log.commit(...Array.from({ length: 60 }, (_, i) => c.increment('n', 1, { requestId: `r${i}` })))
    log.clusterTime += 1000
    log.one(c.increment('n', 1, { requestId: 'r59' }))
    assert.ok(log.machine.requests.count > 30)
    assert.deepEqual(contents(log.machine), { n: 61 })
  })

  test('an answer that is too large to remember is refused before it is evaluated', () => {
    const log = new Log()
    log.one(c.put('large', 'x'.repeat(40_000)))
    const get = { op: 'get', key: 'large' } as const
    const put = { op: 'put', key: 'a', value: 1 } as const
    const id = { requestId: 'r' }
    const twice = log.one(c.txn([], [get, get, put], [], id)) as { refused: string }
    assert.equal(twice.refused, 'VALUE_TOO_LARGE')
    const own = c.batch(
      [
        { ...put, value: 'x'.repeat(70_000) },
        { op: 'get', key: 'a' },
      ],
      id,
    )
    assert.equal((log.one(own) as { refused: string }).refused, 'VALUE_TOO_LARGE')
    assert.deepEqual(Object.keys(contents(log.machine)), ['large'])
    assert.equal((log.one(c.txn([], [get, put], [], id)) as { succeeded: boolean }).succeeded, true)
    assert.equal(
      (log.one(c.txn([], [get, get, put])) as { succeeded: boolean }).succeeded,
      true,
      'without an id',
    )
  })

  test('H40, H70: the table survives a snapshot, and goes on alike', () => {
    const log = new Log()
    log.one(c.settings({ 'requests.max': 40, 'requests.keepMs': 1000 }))
    const calls = Array.from({ length: 30 }, (_, i) =>
      c.increment(`n${i % 3}`, i, { requestId: `r${i}`, actor: `${i % 2}` }),
    )
    const first = calls.map((call, i) => {
      log.clusterTime += i
      return log.one(call)
    })
    const restored = load(snapshotBytes(log.machine))
    assert.deepEqual(dump(restored), dump(log.machine))
    const from = log.entries.length
    assert.deepEqual(
      calls.map((call) => log.one(call)),
      first,
    )
    log.clusterTime += 700
    for (let i = 0; i < 20; i++) log.one(c.put('k', i, { requestId: `late${i}` }))
    const answers = replay(restored, log.entries)
    assert.deepEqual(answers.slice(0, calls.length).map(plain), first)
    assert.equal(stateHash(restored), stateHash(log.machine))
    assert.deepEqual(dump(restored), dump(log.machine))
    const afresh = createMachine()
    replay(afresh, log.entries)
    assert.equal(stateHash(afresh), stateHash(log.machine), `from entry 1, and from ${from}`)
  })
})
