// Each command's story: what it changes, what it answers, which revision it takes, what watchers see.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Writer } from '../../core/bytes.ts'
import { ConcordError } from '../../core/errors.ts'
import {
  apply,
  checkSettings,
  createMachine,
  encodePut,
  findRecord,
  stateHash,
} from '../../core/machine/index.ts'
import { UnknownCommand, UnsupportedByThisNode } from '../../core/machine/index.ts'
import { Log, c, contents, dump, encode, plain } from './harness.ts'

describe('put', () => {
  test('makes a key, then changes it: revisions and version count up', () => {
    const log = new Log()
    assert.deepEqual(log.one(c.put('a', 'one')), { revision: 1 })
    assert.deepEqual(log.one(c.put('b', 2)), { revision: 2 })
    assert.deepEqual(log.one(c.put('a', 'two')), { revision: 3 })
    assert.deepEqual(plain(findRecord(log.machine.users, 'a')), {
      ...{ key: 'a', value: 'two', revision: 3, createRevision: 1, version: 2, expiresAt: 0 },
    })
  })

  test('without a TTL it clears the expiry that was there', () => {
    const log = new Log()
    log.one(c.put('a', 1, { ttlMs: 500 }))
    assert.equal(findRecord(log.machine.users, 'a')?.expiresAt, 1500)
    log.one(c.put('a', 2))
    assert.equal(findRecord(log.machine.users, 'a')?.expiresAt, 0)
    log.clusterTime = 1e6
    assert.deepEqual(log.one(c.touch('a', 1)), { touched: true, revision: 3 })
  })

  test('keeps every kind of value', () => {
    const log = new Log()
    const values = [
      ...[
        '',
        'é',
        '\u{1f600}',
        '\ud800',
        0,
        -0,
        NaN,
        Infinity,
        2 ** 60,
        1n,
        -(2n ** 200n),
        true,
        false,
        null,
      ],
      ...[
        [1, undefined],
        { __proto__: null, a: 1 },
        new Map([[1, new Set([2])]]),
        new Date(5),
        new Uint8Array(9),
      ],
      'x'.repeat(5000),
      { long: 'x'.repeat(5000) },
    ]
    values.forEach((value, i) => log.one(c.put(`k${i}`, value)))
    values.forEach((value, i) => {
      const found = contents(log.machine)[`k${i}`]
      assert.deepEqual(found, Object.getPrototypeOf(value ?? 0) === null ? { ...(value as object) } : value)
    })
  })

  test('refuses a value over the replicated limit, whatever the proposer allowed', () => {
    const log = new Log()
    log.one(c.settings({ valueBytes: 1024 }))
    const before = stateHash(log.machine)
    const result = log.one(c.put('a', 'x'.repeat(2000))) as { refused: string; details: object }
    assert.equal(result.refused, 'VALUE_TOO_LARGE')
    assert.deepEqual(Object.keys(result.details), ['key', 'bytes', 'maxBytes'])
    assert.deepEqual(contents(log.machine), {})
    assert.notEqual(stateHash(log.machine), before, 'the entry itself counts')
    assert.equal((log.one(c.put('a', 'x'.repeat(1040))) as { refused: string }).refused, 'VALUE_TOO_LARGE')
    const writer = new Writer()
    encodePut(writer, { space: 0 }, 'a', 'x'.repeat(1021), undefined, 1024)
    assert.deepEqual(
      log.one(c.put('a', 'x'.repeat(1021))),
      { revision: 2 },
      'what the door lets in is let in',
    )
  })

  test('in a space that nobody was given is refused, and so are spaces of core itself', () => {
    const log = new Log()
    for (const space of [1, 2, 3, 15, 16, 2 ** 40]) {
      const result = log.one(c.put('setting/batch', 1, { space })) as { refused: string }
      assert.equal(result.refused, 'INVALID_ARGUMENT', `space ${space}`)
    }
    assert.equal(log.machine.revision, 0)
  })
})

describe('delete and touch', () => {
  test('of an absent key change nothing and carry the current revision', () => {
    const log = new Log()
    log.one(c.put('a', 1))
    assert.deepEqual(log.one(c.delete('b')), { deleted: false, revision: 1 })
    assert.deepEqual(log.one(c.touch('b', 100)), { touched: false, revision: 1 })
    assert.deepEqual(log.one(c.delete('a')), { deleted: true, revision: 2 })
    assert.deepEqual(log.one(c.delete('a')), { deleted: false, revision: 2 })
  })

  test('a key made again begins anew', () => {
    const log = new Log()
    log.commit(c.put('a', 1), c.put('a', 2), c.delete('a'), c.put('a', 3))
    assert.deepEqual(plain(findRecord(log.machine.users, 'a')), {
      ...{ key: 'a', value: 3, revision: 4, createRevision: 4, version: 1, expiresAt: 0 },
    })
  })

  test('touch sets when a key is due, keeps its value, and never revives', () => {
    const log = new Log()
    log.one(c.put('a', 'kept'))
    assert.deepEqual(log.one(c.touch('a', 250)), { touched: true, revision: 2 })
    assert.deepEqual(plain(findRecord(log.machine.users, 'a')), {
      ...{ key: 'a', value: 'kept', revision: 2, createRevision: 1, version: 2, expiresAt: 1250 },
    })
    log.clusterTime = 1250
    assert.deepEqual(log.one(c.touch('a', 250)), { touched: false, revision: 3 }, 'revision 3 expired it')
    assert.deepEqual(contents(log.machine), {})
  })
})

describe('increment', () => {
  const cases: readonly [name: string, stored: unknown, by: number | bigint, expected: object][] = [
    ['an absent key counts as 0', undefined, 5, { ok: true, value: 5 }],
    ['an absent key takes the type of by', undefined, 5n, { ok: true, value: 5n }],
    ['down', 1, -3, { ok: true, value: -2 }],
    ['by nothing is a change', 1, 0, { ok: true, value: 1 }],
    ['a float', 0.5, 0.25, { ok: true, value: 0.75 }],
    ['a whole number by a float', 1, 0.5, { ok: true, value: 1.5 }],
    ['up to the last safe integer', 2 ** 53 - 2, 1, { ok: true, value: 2 ** 53 - 1 }],
    ['past it', 2 ** 53 - 1, 1, { ok: false, reason: 'overflow', current: 2 ** 53 - 1 }],
    ['past it downwards', -(2 ** 53) + 1, -1, { ok: false, reason: 'overflow', current: -(2 ** 53) + 1 }],
    ['to infinity', 1.5e308, 1.5e308 + 0.5, { ok: false, reason: 'overflow', current: 1.5e308 }],
    ['a bigint is exact', 2n ** 64n, 1n, { ok: true, value: 2n ** 64n + 1n }],
    ['a bigint by a whole number stays one', 2n ** 64n, 1, { ok: true, value: 2n ** 64n + 1n }],
    ['a bigint by a float', 1n, 0.5, { ok: false, reason: 'not-a-number', current: 1n }],
    ['a number by a bigint stays one', 1, 2n, { ok: true, value: 3 }],
    ['a number by a large bigint', 1, 2n ** 60n, { ok: false, reason: 'overflow', current: 1 }],
    ['a float by a bigint', 0.5, 1n, { ok: false, reason: 'not-a-number', current: 0.5 }],
    ['NaN', NaN, 1, { ok: false, reason: 'not-a-number', current: NaN }],
    ['by NaN', 1, NaN, { ok: false, reason: 'not-a-number', current: 1 }],
    ['a string of digits', '1', 1, { ok: false, reason: 'not-a-number', current: '1' }],
    ['null', null, 1, { ok: false, reason: 'not-a-number', current: null }],
    ['an object', { n: 1 }, 1, { ok: false, reason: 'not-a-number', current: { n: 1 } }],
  ]
  for (const [name, stored, by, expected] of cases) {
    test(name, () => {
      const log = new Log()
      if (stored !== undefined) log.one(c.put('n', stored))
      const { revision } = log.machine
      const result = log.one(c.increment('n', by)) as { ok: boolean; value?: unknown }
      assert.deepEqual(result, result.ok ? { ...expected, revision: revision + 1 } : expected)
      assert.equal(log.machine.revision, result.ok ? revision + 1 : revision)
      if (result.ok) assert.ok(Object.is(contents(log.machine)['n'], result.value))
      else assert.deepEqual(contents(log.machine)['n'], stored)
    })
  }

  test('a bigint that would outgrow the value limit', () => {
    const log = new Log()
    log.one(c.settings({ valueBytes: 1024 }))
    log.one(c.put('n', 2n ** 8150n))
    assert.equal((log.one(c.increment('n', 2n ** 8165n)) as { ok: boolean }).ok, false)
  })

  test('takes its TTL only when it makes the key: the window of a rate limit', () => {
    const log = new Log()
    log.one(c.increment('hits', 1, { ttlMs: 1000 }))
    log.clusterTime = 1600
    log.one(c.increment('hits', 1, { ttlMs: 1000 }))
    assert.equal(findRecord(log.machine.users, 'hits')?.expiresAt, 2000)
    log.clusterTime = 2000
    assert.deepEqual(log.one(c.increment('hits', 1, { ttlMs: 1000 })), { ok: true, value: 1, revision: 4 })
    assert.equal(findRecord(log.machine.users, 'hits')?.expiresAt, 3000)
  })
})

describe('batch', () => {
  test('H73: is one change with one revision, and answers item by item, duplicates included', () => {
    const log = new Log()
    log.one(c.put('b', 'old'))
    const { results, changes } = log.commit(
      c.batch([
        { op: 'delete', key: 'missing' },
        { op: 'put', key: 'a', value: 1 },
        { op: 'put', key: 'a', value: 2, ttlMs: 10 },
        { op: 'delete', key: 'b' },
        { op: 'delete', key: 'b' },
        { op: 'touch', key: 'b', ttlMs: 5 },
        { op: 'touch', key: 'a', ttlMs: 50 },
        { op: 'increment', key: 'a', by: 3 },
        { op: 'get', key: 'a' },
        { op: 'get', key: 'b' },
      ]),
    )
    assert.deepEqual(plain(results[0]), {
      revision: 2,
      results: [
        { deleted: false, revision: 1 },
        { revision: 2 },
        { revision: 2 },
        { deleted: true, revision: 2 },
        { deleted: false, revision: 2 },
        { touched: false, revision: 2 },
        { touched: true, revision: 2 },
        { ok: true, value: 5, revision: 2 },
        { entry: { key: 'a', value: 5, revision: 2, createRevision: 2, version: 4, expiresAt: 1050 } },
        {},
      ],
    })
    assert.deepEqual(
      changes.map(({ type, key, revision }) => [type, key, revision]),
      ['put a', 'put a', 'delete b', 'touch a', 'put a'].map((change) => [...change.split(' '), 2]),
    )
  })

  test('that changes nothing takes no revision', () => {
    const log = new Log()
    log.one(c.put('a', 1))
    const ops = [{ op: 'delete', key: 'x' } as const, { op: 'get', key: 'a' } as const]
    assert.equal((log.one(c.batch(ops)) as { revision: number }).revision, 1)
    assert.deepEqual(log.one(c.batch([])), { revision: 1, results: [] })
    assert.equal(log.machine.revision, 1)
  })

  test('H73: with one increment that cannot be done changes nothing at all', () => {
    const log = new Log()
    log.one(c.put('text', 'abc'))
    log.one(c.put('money', 10))
    const before = contents(log.machine)
    const move = c.batch([
      { op: 'increment', key: 'money', by: -5 },
      { op: 'put', key: 'log', value: 'moved' },
      { op: 'increment', key: 'text', by: 5 },
    ])
    const failed = { index: 2, reason: 'not-a-number', current: 'abc' }
    assert.deepEqual(log.one(move), { revision: 2, results: [], failed })
    assert.deepEqual(contents(log.machine), before)
    assert.equal(log.machine.revision, 2)
  })

  test('an increment is judged after the operations before it', () => {
    const log = new Log()
    log.one(c.put('n', 'text'))
    const fine = c.batch([
      { op: 'put', key: 'n', value: 1 },
      { op: 'increment', key: 'n', by: 1 },
      { op: 'delete', key: 'n' },
      { op: 'increment', key: 'n', by: 7n },
    ])
    assert.equal((log.one(fine) as { failed?: object }).failed, undefined)
    assert.equal(contents(log.machine)['n'], 7n)
    const bad = c.batch([
      { op: 'put', key: 'n', value: null },
      { op: 'increment', key: 'n', by: 1 },
    ])
    assert.deepEqual((log.one(bad) as { failed?: object }).failed, {
      ...{ index: 1, reason: 'not-a-number', current: null },
    })
    assert.equal(contents(log.machine)['n'], 7n)
  })

  test('over the replicated limits is refused whole', () => {
    const log = new Log()
    log.one(c.settings({ batch: 3, valueBytes: 1024 }))
    const puts = (n: number, size: number) =>
      Array.from({ length: n }, (_, i) => ({ op: 'put', key: `k${i}`, value: 'x'.repeat(size) }) as const)
    assert.deepEqual(log.one(c.batch(puts(4, 1))), {
      ...{ refused: 'BATCH_TOO_LARGE', details: { count: 4, max: 3 } },
    })
    const large = log.one(c.batch([...puts(2, 1), ...puts(1, 2000)])) as { refused: string; details: object }
    assert.equal(large.refused, 'VALUE_TOO_LARGE')
    assert.deepEqual(contents(log.machine), {})
    const txn = log.one(c.txn([], puts(1, 1), puts(4, 1))) as { refused: string }
    assert.equal(txn.refused, 'BATCH_TOO_LARGE', 'the branch that does not run counts too')
    const compares = puts(4, 1).map(({ key }) => ({ key, revision: 0 }))
    assert.equal((log.one(c.txn(compares, [])) as { refused: string }).refused, 'BATCH_TOO_LARGE')
    assert.deepEqual(log.one(c.batch(puts(3, 1))), {
      revision: 2,
      results: [2, 2, 2].map((revision) => ({ revision })),
    })
  })
})

describe('txn', () => {
  test('H72: compares revisions, and 0 is absent', () => {
    const log = new Log()
    log.one(c.put('a', 1))
    const put = (value: number) => [{ op: 'put', key: 'a', value } as const]
    assert.deepEqual(log.one(c.txn([{ key: 'a', revision: 0 }], put(2))), {
      succeeded: false,
      revision: 1,
      results: [],
      conflict: {
        index: 0,
        current: { key: 'a', value: 1, revision: 1, createRevision: 1, version: 1, expiresAt: 0 },
      },
    })
    assert.deepEqual(log.one(c.txn([{ key: 'a', revision: 1 }], put(2))), {
      ...{ succeeded: true, revision: 2, results: [{ revision: 2 }] },
    })
    log.commit(c.put('a', 2), c.put('a', 2))
    const stale = log.one(c.txn([{ key: 'a', revision: 2 }], put(3))) as { succeeded: boolean }
    assert.equal(stale.succeeded, false, 'the same value again is another revision: no ABA')
    assert.deepEqual(log.one(c.txn([{ key: 'b', revision: 0 }], put(9))), {
      ...{ succeeded: true, revision: 5, results: [{ revision: 5 }] },
    })
  })

  test('runs the other branch, with what was compared as it stood before', () => {
    const log = new Log()
    log.one(c.put('lock', 'mine'))
    const result = log.one(
      c.txn(
        [
          { key: 'free', revision: 0 },
          { key: 'lock', revision: 7 },
        ],
        [{ op: 'put', key: 'never', value: 1 }],
        [
          { op: 'put', key: 'lock', value: 'yours' },
          { op: 'get', key: 'lock' },
        ],
      ),
    ) as { conflict: { index: number; current: { value: string } }; results: unknown[]; succeeded: boolean }
    assert.equal(result.succeeded, false)
    assert.equal(result.conflict.index, 1)
    assert.equal(result.conflict.current.value, 'mine')
    assert.deepEqual(contents(log.machine), { lock: 'yours' })
  })

  test('H72: an expired key is absent for conditions, and is expired first', () => {
    const log = new Log()
    log.one(c.put('a', 1, { ttlMs: 10 }))
    log.clusterTime = 1010
    const { results, changes } = log.commit(c.txn([{ key: 'a', revision: 1 }], [{ op: 'get', key: 'a' }]))
    assert.deepEqual(plain(results[0]), {
      succeeded: false,
      revision: 2,
      results: [],
      conflict: { index: 0 },
    })
    assert.deepEqual(
      changes.map(({ type, revision }) => [type, revision]),
      [['expire', 2]],
    )
  })

  test('only reads: no revision', () => {
    const log = new Log()
    log.one(c.put('a', 1))
    const result = log.one(c.txn([], [{ op: 'get', key: 'a' }])) as { revision: number }
    assert.equal(result.revision, 1)
  })

  test('with an increment that cannot be done changes nothing, and says which', () => {
    const log = new Log()
    log.one(c.put('a', 'x'))
    const ops = [{ op: 'put', key: 'b', value: 1 } as const, { op: 'increment', key: 'a', by: 1 } as const]
    const failed = { index: 1, reason: 'not-a-number', current: 'x' }
    assert.deepEqual(log.one(c.txn([], ops)), { succeeded: true, revision: 1, results: [], failed })
    assert.deepEqual(contents(log.machine), { a: 'x' })
  })
})

describe('changes', () => {
  test('carry what was there before, and who did it; expiry is nobody’s doing', () => {
    const log = new Log()
    log.one(c.put('a', [1], { ttlMs: 10 }))
    log.clusterTime = 1010
    const by = { actor: 'ann', requestId: 'r1', trace: '00-abc' }
    const { changes } = log.commit(c.put('a', [2], by))
    const first = { key: 'a', value: [1], revision: 1, createRevision: 1, version: 1, expiresAt: 1010 }
    const at = { space: 0, key: 'a', index: 2, clusterTime: 1010, wallTime: 1_700_000_001_010 }
    assert.deepEqual(changes.map(plain), [
      { ...at, type: 'expire', revision: 2, createRevision: 1, version: 1, previous: first, expiresAt: 1010 },
      { ...at, ...by, type: 'put', revision: 3, createRevision: 3, version: 1, value: [2], expiresAt: 0 },
    ])
  })

  test('are built only when they are wanted, and the state is the same', () => {
    const log = new Log()
    log.commit(c.put('a', 1), c.delete('a'), c.put('b', 2))
    const other = createMachine()
    assert.deepEqual(apply(other, log.entries[0]!, false).changes, [])
    assert.deepEqual(dump(other), dump(log.machine))
  })
})

describe('entries', () => {
  test('of other kinds move time and index alone', () => {
    const log = new Log()
    log.clusterTime = 5000
    assert.deepEqual(log.commitData(new Uint8Array(), 'noop'), { results: [], changes: [], table: undefined })
    log.commitData(new Uint8Array(), 'membership')
    const { appliedIndex, clusterTime, revision } = log.machine
    assert.deepEqual(
      { appliedIndex, clusterTime, revision },
      { appliedIndex: 2, clusterTime: 5000, revision: 0 },
    )
  })

  test('come one after another; anything else is a bug of the caller', () => {
    const log = new Log()
    log.one(c.delete('absent'))
    assert.throws(() => apply(log.machine, log.entries[0]!, false), /the entry after 1 expected, found 1/)
  })

  test('H63: time never goes back', () => {
    const log = new Log()
    log.clusterTime = 9000
    log.one(c.delete('absent'))
    log.clusterTime = 10
    log.one(c.put('a', 1, { ttlMs: 5 }))
    assert.equal(log.machine.clusterTime, 9000)
    assert.equal(findRecord(log.machine.users, 'a')?.expiresAt, 9005)
  })

  test('many commands in one entry each have a result', () => {
    const log = new Log()
    const { results } = log.commit(c.put('a', 1), c.delete('absent'), c.delete('a'), c.delete('a'))
    assert.deepEqual(results, [
      { revision: 1 },
      { deleted: false, revision: 1 },
      { deleted: true, revision: 2 },
      { deleted: false, revision: 2 },
    ])
  })

  test('the last revision is refused, not wrapped', () => {
    const log = new Log()
    log.machine.revision = Number.MAX_SAFE_INTEGER - 10
    assert.equal((log.one(c.put('a', 1)) as { refused: string }).refused, 'REVISION_EXHAUSTED')
  })
})

describe('settings', () => {
  test('change by a command, take a revision, and hold from then on', () => {
    const log = new Log()
    const { results } = log.commit(
      c.settings({ batch: 1 }),
      c.batch([
        { op: 'get', key: 'a' },
        { op: 'get', key: 'b' },
      ]),
    )
    assert.deepEqual(results, [
      { revision: 1 },
      { refused: 'BATCH_TOO_LARGE', details: { count: 2, max: 1 } },
    ])
    assert.equal(log.machine.settings.batch, 1)
    assert.equal(log.machine.settings.valueBytes, 1024 * 1024)
  })

  for (const values of [
    { applyVersion: 2 },
    { valueBytes: 2 ** 25 },
    { batch: 0.5 },
    { auth: 1 },
    { colour: 1 },
  ]) {
    test(`H45: ${JSON.stringify(values)} stops a node that cannot honour it`, () => {
      const log = new Log()
      const before = dump(log.machine)
      const name = Object.keys(values)[0]!
      assert.equal(checkSettings(values)?.lack.name, name)
      assert.throws(
        () => log.one(c.settings(values)),
        (error) => error instanceof UnsupportedByThisNode && error.lack.name === name,
      )
      assert.equal(log.machine.appliedIndex, 0)
      assert.deepEqual((before as { settings: object }).settings, log.machine.settings)
    })
  }
})

describe('commands of a newer node', () => {
  test('H45: an unknown kind, version or flag stops the node before anything of the entry is applied', () => {
    const known = encode(c.put('a', 1))
    const newer = [
      { at: 0, byte: 2 },
      { at: 1, byte: 99 },
      { at: 2, byte: 0x80 },
    ]
    for (const { at, byte } of newer) {
      const log = new Log()
      const unknown = Buffer.from(known)
      unknown[at] = byte
      const first = encode(c.put('b', 1))
      const data = Buffer.concat(
        [[first.length], first, [unknown.length], unknown].map((x) => Buffer.from(x)),
      )
      assert.throws(() => log.commitData(data), UnknownCommand)
      assert.deepEqual(contents(log.machine), {})
      assert.equal(log.machine.appliedIndex, 0)
    }
  })
})

describe('encoders', () => {
  test('leave the writer as it was when they refuse', () => {
    const writer = new Writer()
    encodePut(writer, { space: 0 }, 'a', 1, undefined, 100)
    const { length } = writer
    const refused = (run: () => void, code: string) =>
      assert.throws(run, (error) => ConcordError.is(error) && error.code === code)
    refused(() => encodePut(writer, { space: 0 }, 'a', () => 1, undefined, 100), 'INVALID_VALUE')
    refused(() => encodePut(writer, { space: 0 }, 'a', 'x'.repeat(200), 5, 100), 'VALUE_TOO_LARGE')
    refused(() => c.batch([{ op: 'put', key: 'a', value: Symbol('no') }])(writer), 'INVALID_VALUE')
    refused(() => c.txn([], [{ op: 'put', key: 'a', value: undefined }])(writer), 'INVALID_VALUE')
    refused(() => c.slice(16, 1, undefined)(writer), 'INVALID_VALUE')
    assert.equal(writer.length, length)
  })
})
