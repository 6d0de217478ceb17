// The whole state to bytes and back.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MalformedError } from '../../core/bytes.ts'
import { ConcordError } from '../../core/errors.ts'
import { apply, snapshotLoader, snapshotSource, stateHash } from '../../core/machine/index.ts'
import { UnsupportedByThisNode } from '../../core/machine/index.ts'
import type { Machine } from '../../core/machine/index.ts'
import { Log, c, dump, load, random, snapshotBytes } from './harness.ts'
import { commitAny, notes } from './workload.ts'

/** A log with everything in it that can be. */
function anyLog(seed: number, entries: number, keys = 120): Log {
  const chance = random(seed)
  const log = new Log([notes])
  for (let i = 0; i < entries; i++) commitAny(log, chance, keys)
  return log
}

describe('snapshots', () => {
  for (const seed of [21, 22, 23, 24]) {
    test(`H40: restored, the state is deeply equal and behaves alike for 1000 further commands (seed ${seed})`, () => {
      const chance = random(seed * 31)
      const log = anyLog(seed, 700)
      const bytes = snapshotBytes(log.machine, 1 + chance(20_000))
      const restored = load(bytes, [notes], 1 + chance(5000))
      assert.deepEqual(dump(restored), dump(log.machine))
      assert.equal(stateHash(restored), stateHash(log.machine))
      for (let done = 0; done < 1000;) {
        const expected = commitAny(log, chance, 120)
        const entry = log.entries.at(-1)!
        const applied = apply(restored, entry, true)
        done += applied.results.length
        assert.deepEqual(applied, expected, `entry ${entry.index}`)
        assert.equal(stateHash(restored), stateHash(log.machine), `entry ${entry.index}`)
      }
      assert.deepEqual(dump(restored), dump(log.machine))
    })
  }

  test('hold every kind of state: each one removed from the bytes is missed', () => {
    const log = new Log([notes])
    log.commit(c.settings({ batch: 7 }), c.space('p'), c.sliceRegister('notes', 1))
    log.commit(
      c.put('user', 1, { requestId: 'r' }),
      c.put('key', 1, { space: 16, ttlMs: 9 }),
      c.slice(17, 1, { add: 'x' }),
    )
    const kinds: Record<string, (machine: Machine) => unknown> = {
      settings: ({ settings }) => settings,
      spaces: ({ spaceIds }) => [...spaceIds],
      slices: ({ active }) => [...active],
      requests: ({ requests }) => requests.count,
      users: ({ users }) => users.count,
      'plugin space': ({ spaces }) => spaces.get(16)?.count,
      'slice space': ({ spaces }) => spaces.get(17)?.count,
      numbers: ({ revision, clusterTime, wallTime, appliedIndex, appliedTerm }) => {
        return [revision, clusterTime, wallTime, appliedIndex, appliedTerm]
      },
    }
    const restored = load(snapshotBytes(log.machine), [notes])
    const empty = new Log([notes]).machine
    for (const [kind, of] of Object.entries(kinds)) {
      assert.deepEqual(of(restored), of(log.machine), kind)
      assert.notDeepEqual(of(restored), of(empty), `${kind} must be something here, or nothing is tested`)
    }
  })

  test('are the same bytes for the same state, however it came about', () => {
    const log = anyLog(26, 300)
    const bytes = snapshotBytes(log.machine)
    const restored = load(bytes, [notes])
    assert.deepEqual(snapshotBytes(restored), bytes)
    assert.deepEqual(snapshotBytes(load(snapshotBytes(restored, 333), [notes])), bytes)
  })

  test('are of one moment, while writing goes on between the steps', () => {
    const chance = random(9)
    const log = anyLog(27, 600)
    for (let round = 0; round < 8; round++) {
      const expected = dump(log.machine)
      const bytes = snapshotBytes(log.machine, 700)
      const source = snapshotSource(log.machine)
      assert.deepEqual([source.index, source.revision], [log.machine.appliedIndex, log.machine.revision])
      const chunks: Uint8Array[] = []
      for (let chunk = source.next(700); chunk !== undefined; chunk = source.next(700)) {
        chunks.push(Buffer.from(chunk))
        for (let i = chance(8); i > 0; i--) commitAny(log, chance, 150)
      }
      assert.equal(source.heldBytes, 0)
      for (const space of log.machine.spaces.values()) assert.equal(space.moments.size, 0)
      const restored = load(Buffer.concat(chunks), [notes])
      assert.deepEqual(dump(restored), expected)
      assert.deepEqual(snapshotBytes(restored, 700), bytes)
    }
  })

  test('steps are of the size that was asked for, and a large value comes in pieces', () => {
    const log = new Log()
    for (let i = 0; i < 300; i++) log.commit(c.put(`k${i}`, 'x'.repeat(100)))
    const large = 'x'.repeat(500_000)
    log.commit(c.put('large', large), c.put('m', 'x'.repeat(10_000)), c.put('other', { large }))
    const expected = dump(log.machine)
    const source = snapshotSource(log.machine)
    const chunks: Buffer[] = []
    for (let chunk = source.next(20_000); chunk !== undefined; chunk = source.next(20_000)) {
      chunks.push(Buffer.from(chunk))
      // The second is put aside for the snapshot before it is read, the first is gone while it is.
      if (chunks.length === 5) log.commit(c.put('large', 'gone'), c.delete('other'))
    }
    const sizes = chunks.map(({ length }) => length)
    assert.ok(Math.max(...sizes) <= 20_000 + 10_100 && sizes.length > 50, sizes.join())
    assert.deepEqual(dump(load(Buffer.concat(chunks), [], 64 * 1024)), expected)
    assert.deepEqual(dump(load(snapshotBytes(log.machine, 64 * 1024 * 1024), [], 300_000)), dump(log.machine))
  })

  test('steps are short although most of the keys are newer than the moment', () => {
    const log = new Log()
    for (let i = 0; i < 100; i++) log.commit(c.put(`k${i}`, i))
    const expected = dump(log.machine)
    const source = snapshotSource(log.machine)
    for (let batch = 0; batch < 50; batch++) {
      const op = (i: number) => ({ op: 'put', key: `k0-${batch}-${i}`, value: i }) as const
      log.commit(c.batch(Array.from({ length: 500 }, (_, i) => op(i))))
    }
    const chunks: Uint8Array[] = []
    for (let chunk = source.next(65_536); chunk !== undefined; chunk = source.next(65_536)) {
      chunks.push(Buffer.from(chunk))
    }
    assert.ok(chunks.filter(({ length }) => length === 0).length >= 2, 'steps that met new keys alone')
    assert.deepEqual(dump(load(Buffer.concat(chunks))), expected)
  })

  test('that cannot hold enough of the past give up, and let go of all of it', () => {
    const log = new Log()
    for (let i = 0; i < 100; i++) log.commit(c.put(`k${i}`, 'x'.repeat(1000)))
    const source = snapshotSource(log.machine, 10_000)
    source.next(100)
    for (let i = 0; i < 100; i++) log.commit(c.put(`k${i}`, i))
    assert.throws(
      () => {
        while (source.next(2000) !== undefined);
      },
      (error) => ConcordError.is(error) && error.code === 'SNAPSHOT_TOO_OLD',
    )
    source.close()
    assert.equal(source.next(100), undefined)
    assert.equal(log.machine.users.moments.size, 0)
  })

  test('of an empty machine are a snapshot too', () => {
    const log = new Log()
    assert.deepEqual(dump(load(snapshotBytes(log.machine))), dump(log.machine))
  })

  test('large values cross the pieces in which they are pushed; the pieces may be used again', () => {
    const log = new Log()
    log.commit(c.put('text', 'é'.repeat(300_000)), c.put('bytes', new Uint8Array(400_000).fill(7)))
    const bytes = snapshotBytes(log.machine)
    const loader = snapshotLoader()
    const piece = Buffer.alloc(1000)
    for (let at = 0; at < bytes.length; at += 1000) {
      loader.push(piece.subarray(0, bytes.copy(piece, 0, at, at + 1000)))
      piece.fill(0xff)
    }
    assert.deepEqual(dump(loader.finish()), dump(log.machine))
  })
})

describe('a snapshot that is not one', () => {
  const log = anyLog(28, 60, 20)
  const bytes = snapshotBytes(log.machine)
  const isTyped = (error: unknown) =>
    error instanceof MalformedError || error instanceof UnsupportedByThisNode

  test('cut short anywhere is refused', () => {
    for (let length = 0; length < bytes.length; length++) {
      assert.throws(() => load(bytes.subarray(0, length), [notes]), isTyped, `${length} bytes`)
    }
  })

  test('with more behind its end is refused', () => {
    assert.throws(() => load(Buffer.concat([bytes, Buffer.from([0])]), [notes]), isTyped)
    assert.throws(() => load(Buffer.concat([bytes, bytes]), [notes]), isTyped)
  })

  test('H46: with any bit turned is refused', () => {
    for (let at = 0; at < bytes.length; at++) {
      const flipped = Buffer.from(bytes)
      flipped[at]! ^= 1 << (at % 8)
      assert.throws(() => load(flipped, [notes]), isTyped, `byte ${at}`)
    }
  })

  test('H45: of a newer format stops the node, naming it', () => {
    const newer = Buffer.from(bytes)
    newer[9] = 2
    assert.throws(
      () => load(newer),
      (error) => error instanceof UnsupportedByThisNode && error.lack.kind === 'snapshot',
    )
  })

  test('of bytes at random is refused, and nothing is taken because it says so', () => {
    const chance = random(77)
    for (let i = 0; i < 2000; i++) {
      const junk = Buffer.from(Array.from({ length: chance(200) }, () => chance(256)))
      // Half of them begin as a snapshot does.
      const whole = chance(2) === 0 ? junk : Buffer.concat([bytes.subarray(0, chance(bytes.length)), junk])
      assert.throws(() => load(whole, [notes]), isTyped)
    }
    const huge = Buffer.from([0xff, 0xff, 0xff, 0xff, 1, 2, 3])
    assert.throws(() => load(huge), isTyped)
  })

  test('with records out of order, twice, or from nowhere is refused although its hash may be right', () => {
    const mine = new Log()
    mine.commit(c.put('a', 1), c.put('b', 2))
    const good = snapshotBytes(mine.machine)
    const at = good.indexOf(Buffer.from('\u0001a'))
    const [a, b] = [good.subarray(at, at + 7), good.subarray(at + 7, at + 14)]
    assert.equal(b[1], 'b'.charCodeAt(0), 'two records of 7 bytes beside each other')
    const swapped = Buffer.concat([good.subarray(0, at), b, a, good.subarray(at + 14)])
    const twice = Buffer.concat([good.subarray(0, at), a, a, good.subarray(at + 14)])
    assert.throws(() => load(twice), /keys in order/)
    assert.throws(() => load(swapped), /keys in order/)
    const moved = Buffer.from(good)
    moved[at - 1] = 99
    assert.throws(() => load(moved), /space 99/)
  })
})
