/** The log, and everything that is counted along it. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  adoptSnapshot,
  append,
  bytesBetween,
  compact,
  createLog,
  effectiveMembership,
  entryBytes,
  isUpToDate,
  lastAtOrBefore,
  lastId,
  lastIndex,
  markDurable,
  membershipAt,
  recoverLog,
  restart,
  slice,
  stage,
  termAt,
  truncate,
} from '../../core/raft/log.ts'
import type { Log } from '../../core/raft/log.ts'
import type { Entry, SnapshotMeta } from '../../core/raft/types.ts'
import { entriesOf, founding, membership } from './cluster.ts'

const members = membership(['a', 'b', 'c'])

function logOf(terms: readonly number[], base = 0, baseTerm = 0): Log {
  const log = createLog({ ...founding(members), index: base, term: baseTerm })
  append(log, entriesOf(terms, base + 1))
  return log
}

function at(index: number, term: number): SnapshotMeta {
  return { ...founding(members), index, term }
}

function change(index: number, term: number, voters: readonly string[]): Entry {
  return { ...entriesOf([term], index)[0]!, kind: 'membership', membership: membership(voters) }
}

const sized = (index: number, bytes: number): Entry => ({
  ...entriesOf([1], index)[0]!,
  data: new Uint8Array(bytes),
})

describe('terms along the log', () => {
  test('H20: what is compacted and what is not there yet have no term 0', () => {
    const log = logOf([3, 3, 4], 5, 2)
    const terms = [3, 5, 6, 8, 9].map((index) => termAt(log, index))
    assert.deepEqual(terms, ['compacted', 2, 3, 4, 'missing'])
  })

  const hints: readonly [terms: number[], index: number, term: number, found: number][] = [
    [[1, 1, 2, 4, 4], 5, 4, 5],
    [[1, 1, 2, 4, 4], 9, 4, 5],
    [[1, 1, 2, 4, 4], 4, 4, 4],
    [[1, 1, 2, 4, 4], 5, 3, 3],
    [[1, 1, 2, 4, 4], 5, 1, 2],
    [[1, 1, 2, 4, 4], 1, 9, 1],
    [[2, 2, 2], 3, 1, 0],
    [[], 7, 7, 0],
  ]
  for (const [terms, index, term, found] of hints) {
    test(`in [${terms.join(' ')}] the last entry at or before ${index} of a term up to ${term} is ${found}`, () => {
      assert.equal(lastAtOrBefore(logOf(terms), index, term).index, found)
    })
  }

  test('the search ends at the base: below it nothing is known', () => {
    const log = logOf([5, 5], 10, 4)
    assert.deepEqual(lastAtOrBefore(log, 11, 4), { index: 10, term: 4 })
    assert.deepEqual(lastAtOrBefore(log, 11, 3), { index: 0, term: 0 })
    assert.deepEqual(lastAtOrBefore(log, 8, 9), { index: 0, term: 0 })
  })

  test('3.6.1: up to date by the last term, then by length', () => {
    const log = logOf([1, 2])
    const claims = [
      [2, 2],
      [3, 2],
      [1, 3],
      [1, 2],
      [9, 1],
    ] as const
    const judged = claims.map(([index, term]) => isUpToDate(log, { index, term }))
    assert.deepEqual(judged, [true, true, true, false, false])
  })

  test('a hole, or a term that falls, is a wrong program', () => {
    assert.throws(() => append(logOf([1]), entriesOf([1], 3)), /entry 3 appended after 1/)
    assert.throws(() => append(logOf([2]), entriesOf([1], 2)), /term 1 appended after 2/)
  })
})

describe('truncation lowers everything (H16)', () => {
  test('durable and staged index, and the disk is told once, from the lowest place', () => {
    const log = logOf([1, 1, 1, 1, 1])
    stage(log, Infinity)
    markDurable(log, { index: 4, term: 1 })
    truncate(log, 4)
    append(log, entriesOf([2, 2], 4))
    truncate(log, 3)
    append(log, entriesOf([3], 3))
    assert.deepEqual([log.durableIndex, log.stagedIndex, lastIndex(log)], [2, 2, 3])
    const { truncateFrom, entries } = stage(log, Infinity)
    assert.equal(truncateFrom, 3)
    assert.deepEqual(
      entries.map(({ term }) => term),
      [3],
    )
    assert.deepEqual(stage(log, Infinity), { truncateFrom: null, entries: [], last: { index: 3, term: 3 } })
  })

  test('one write takes a bounded part of what the disk lacks, or one entry; the next goes on behind it', () => {
    const log = logOf([1, 1, 1, 1, 1])
    const two = bytesBetween(log, 0, 2)
    const taken = [two, two, 1, two].map((most) => {
      const { entries, last } = stage(log, most)
      assert.equal(log.stagedIndex, last.index)
      return entries.map(({ index }) => index)
    })
    assert.deepEqual(taken, [[1, 2], [3, 4], [5], []])
  })

  test('what the disk was never given needs no truncation there', () => {
    const log = logOf([1])
    stage(log, Infinity)
    append(log, entriesOf([1, 1], 2))
    truncate(log, 2)
    assert.equal(log.truncateFrom, null)
  })

  test('memberships fall with their entries (H56)', () => {
    const log = logOf([1])
    append(log, [change(2, 1, ['a']), ...entriesOf([1], 3), change(4, 1, ['b'])])
    assert.deepEqual(effectiveMembership(log).membership.voters, ['b'])
    truncate(log, 4)
    assert.deepEqual(effectiveMembership(log).membership.voters, ['a'])
    truncate(log, 2)
    assert.deepEqual(effectiveMembership(log).membership.voters, ['a', 'b', 'c'])
  })

  test('what a snapshot covers is never truncated', () => {
    assert.throws(() => truncate(logOf([1], 5, 1), 5), /truncating a snapshot's entry 5/)
  })
})

describe('durability', () => {
  test('H17: a completion is believed only for the very entry that was written', () => {
    const log = logOf([1, 1])
    stage(log, Infinity)
    truncate(log, 2)
    append(log, entriesOf([2], 2))
    assert.equal(markDurable(log, { index: 2, term: 1 }), false)
    assert.equal(log.durableIndex, 0)
    stage(log, Infinity)
    assert.equal(markDurable(log, { index: 2, term: 2 }), true)
    assert.equal(log.durableIndex, 2)
    assert.equal(markDurable(log, { index: 1, term: 1 }), false, 'it never falls')
  })

  test('a completion from before a snapshot was installed means nothing', () => {
    const log = logOf([1, 1])
    stage(log, Infinity)
    restart(log, at(9, 3))
    assert.equal(markDurable(log, { index: 2, term: 1 }), false)
    assert.deepEqual([log.durableIndex, log.stagedIndex, lastIndex(log)], [9, 9, 9])
  })
})

describe('sizes', () => {
  const log = createLog(founding(members))
  append(
    log,
    [100, 200, 300, 400].map((bytes, i) => sized(i + 1, bytes)),
  )
  const overhead = entryBytes(sized(1, 0))

  test('between two indexes', () => {
    assert.equal(bytesBetween(log, 1, 3), 500 + 2 * overhead)
    assert.equal(bytesBetween(log, 0, 99), 1000 + 4 * overhead)
    assert.equal(bytesBetween(log, 3, 1), 0)
  })

  test('a slice has at least one entry, and no more than fit', () => {
    const indexes = (from: number, through: number, bytes: number) =>
      slice(log, from, through, bytes).map(({ index }) => index)
    assert.deepEqual(indexes(1, 4, 1), [1])
    assert.deepEqual(indexes(1, 4, 300 + 2 * overhead), [1, 2])
    assert.deepEqual(indexes(1, 4, 299 + 2 * overhead), [1])
    assert.deepEqual(indexes(2, 3, 1e9), [2, 3])
    assert.deepEqual(indexes(4, 9, 1e9), [4])
  })

  test('sizes survive compaction and truncation', () => {
    const other = createLog(founding(members))
    append(
      other,
      [100, 200, 300, 400].map((bytes, i) => sized(i + 1, bytes)),
    )
    stage(other, Infinity)
    adoptSnapshot(other, at(2, 1))
    compact(other, 2)
    truncate(other, 4)
    append(other, [sized(4, 50)])
    assert.equal(bytesBetween(other, 2, 4), 350 + 2 * overhead)
    assert.equal(bytesBetween(other, 0, 4), 350 + 2 * overhead, 'what is gone counts nothing')
  })
})

describe('snapshots', () => {
  test('H52: a snapshot has the membership of its own index, not of the log', () => {
    const log = logOf([1])
    append(log, [change(2, 1, ['a']), change(3, 1, ['b'])])
    assert.deepEqual(membershipAt(log, 1).voters, ['a', 'b', 'c'])
    assert.deepEqual(membershipAt(log, 2).voters, ['a'])
    stage(log, Infinity)
    adoptSnapshot(log, { ...at(2, 1), membership: membershipAt(log, 2) })
    assert.deepEqual(
      log.memberships.map(({ index }) => index),
      [2, 3],
    )
    truncate(log, 3)
    assert.deepEqual(effectiveMembership(log).membership.voters, ['a'])
  })

  test('H50: the boundary: the entry after the snapshot is the first one kept', () => {
    const log = logOf([1, 1, 2, 2])
    stage(log, Infinity)
    adoptSnapshot(log, at(3, 2))
    compact(log, 3)
    assert.deepEqual([log.base, log.entries.map(({ index }) => index)], [{ index: 3, term: 2 }, [4]])
    assert.equal(termAt(log, 3), 2)
    assert.equal(slice(log, 4, 4, 1)[0]?.index, 4)
    assert.throws(() => slice(log, 3, 4, 1), /entry 3 is compacted/)
  })

  test("a log without the snapshot's entry does not adopt it", () => {
    assert.throws(() => adoptSnapshot(logOf([1, 1]), at(2, 2)), /does not hold/)
  })
})

/** How many steps it takes, and what comes of them. */
function recover(snapshot: SnapshotMeta, entries: readonly Entry[]) {
  const work = recoverLog(snapshot, entries)
  for (let steps = 0; ; steps++) {
    const step = work.next()
    if (step.done === true) return { ...step.value, steps }
  }
}

describe('recovery (Figure 5.3)', () => {
  const cases: readonly [name: string, from: number, terms: number[], kept: number[], stale: boolean][] = [
    ['an empty log', 4, [], [], false],
    ['a log that follows the snapshot', 4, [2, 2], [4, 5], false],
    ["a log that begins with the snapshot's entry", 3, [2, 2, 2], [4, 5], false],
    ['a log from far below', 1, [1, 1, 2, 2], [2, 3, 4], false],
    ["a log that ends with the snapshot's entry", 2, [1, 2], [3], false],
    ['a log that ends below', 1, [1, 1], [], true],
    ["another entry at the snapshot's index", 1, [1, 1, 1, 1], [], true],
  ]
  for (const [name, from, terms, kept, stale] of cases) {
    test(`${name}: ${stale ? 'dropped' : `[${kept.join(' ')}] is kept`}`, () => {
      const recovered = recover(at(3, 2), entriesOf(terms, from))
      assert.deepEqual(
        recovered.log.entries.map(({ index }) => index),
        kept,
      )
      assert.equal(recovered.stale, stale)
      assert.equal(recovered.log.durableIndex, lastIndex(recovered.log))
      assert.equal(termAt(recovered.log, 3), 2)
      if (kept.length === 0) assert.deepEqual(lastId(recovered.log), { index: 3, term: 2 })
    })
  }

  test('a long log is taken in step by step', () => {
    const terms = Array.from({ length: 10_000 }, () => 2)
    for (const from of [3, 4]) {
      const { log, steps } = recover(at(3, 2), entriesOf(terms, from))
      assert.equal(lastIndex(log), from + 9999)
      assert.equal(bytesBetween(log, 3, lastIndex(log)), log.entries.length * entryBytes(sized(1, 0)))
      assert.equal(steps, 3)
    }
  })

  test('H49: a hole after the snapshot', () => {
    assert.throws(() => recover(at(3, 2), entriesOf([2], 5)), /begins at index 5.*ends at 3/)
  })
})
