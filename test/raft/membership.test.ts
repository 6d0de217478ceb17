/** The values of chapter 4: from one membership to another, and what may not be. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  enterJoint,
  isJoint,
  isSolitary,
  isSoleVoter,
  isVoter,
  leaveJoint,
  memberIds,
  problemWith,
} from '../../core/raft/membership.ts'
import type { ChangeRefusal, MembershipChange } from '../../core/raft/membership.ts'
import { majorityOf, outcomeOf } from '../../core/raft/quorum.ts'
import { membership } from './cluster.ts'
import { showMembership } from './show.ts'

const ids = (letters: string) => letters.split('')

function changeTo(voters: string, learners = ''): MembershipChange {
  const { members } = membership(ids(voters), ids(learners))
  return { expected: 0, voters: ids(voters), learners: ids(learners), members }
}

describe('a change of membership', () => {
  const changes: readonly [
    from: string,
    fromLearners: string,
    to: string,
    toLearners: string,
    steps: string,
  ][] = [
    ['a', 'bc', 'abc', '', '(a b c & a) (a b c)'],
    ['abc', '', 'ab', '', '(a b & a b c) (a b), removed c'],
    ['abc', 'd', 'abd', '', '(a b d & a b c) (a b d), removed c'],
    ['abc', '', 'ab', 'c', '(a b & a b c + c) (a b + c)'],
    ['abc', '', 'def', '', '(d e f & a b c) (d e f), removed a b c'],
    ['abc', '', 'abc', 'd', '(a b c + d)'],
    ['abc', 'd', 'abc', '', '(a b c), removed d'],
    ['abc', '', 'cab', '', '(c a b)'],
  ]
  for (const [from, fromLearners, to, toLearners, steps] of changes) {
    test(`(${from} + ${fromLearners}) to (${to} + ${toLearners}) goes ${steps}`, () => {
      const first = enterJoint(membership(ids(from), ids(fromLearners)), changeTo(to, toLearners))
      const last = isJoint(first) ? leaveJoint(first) : first
      const path = isJoint(first) ? [first, last] : [last]
      const removed = last.removed.length > 0 ? `, removed ${last.removed.join(' ')}` : ''
      assert.equal(path.map(showMembership).join(' ') + removed, steps)
      assert.deepEqual(Object.keys(last.members).sort(), ids(to + toLearners).sort())
      assert.deepEqual(Object.keys(first.members).sort(), memberIds(first).sort())
    })
  }

  test('addresses change at once: who counts does not', () => {
    const current = membership(['a', 'b'])
    const moved = { a: { name: 'a', incarnation: '1', address: 'elsewhere:4100' }, b: current.members['b']! }
    const after = enterJoint(current, { expected: 0, voters: ['a', 'b'], learners: [], members: moved })
    assert.equal(isJoint(after), false)
    assert.equal(after.members['a']?.address, 'elsewhere:4100')
  })

  const many = 'abcdefghijklmnopqrstuvwABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:;,!'
  const problems: readonly [
    name: string,
    change: MembershipChange,
    reason: ChangeRefusal,
    message: RegExp,
  ][] = [
    ['H60: no voters', changeTo('', 'a'), 'lastVoter', /no voter would be left without a, b/],
    ['H44: an id that was removed', changeTo('abx'), 'tombstoned', /x has been removed/],
    ['an id twice', changeTo('ab', 'b'), 'invalid', /twice/],
    ['more than 64 members', changeTo('a', many), 'invalid', /found 6\d, expected at most 64/],
    ['a member of whom nothing is known', { ...changeTo('ab'), voters: ['a', 'q'] }, 'invalid', /about q/],
    ['a stranger among the members', { ...changeTo('ab'), voters: ['a'] }, 'invalid', /b is neither/],
  ]
  for (const [name, change, reason, message] of problems) {
    test(`refused: ${name}`, () => {
      const problem = problemWith({ ...membership(['a', 'b']), removed: ['x'] }, change)
      assert.equal(problem?.reason, reason)
      assert.match(problem?.message ?? '', message)
    })
  }

  test('a thousand incarnations that came and went leave the last 256 tombstones', () => {
    let now = membership(['a'])
    for (let at = 0; at < 1000; at++) {
      const joined = {
        ...now,
        learners: [`x${at}`],
        members: { ...now.members, [`x${at}`]: now.members['a']! },
      }
      now = enterJoint(joined, changeTo('a'))
    }
    assert.equal(now.removed.length, 256)
    assert.equal(now.removed[0], 'x744')
    assert.equal(now.removed.at(-1), 'x999')
  })

  test('two memberships that may be in force at once always have a common quorum member (4.3)', () => {
    const sets = ['a', 'ab', 'abc', 'abcd', 'cde', 'def', 'e']
    const subsets = (all: readonly string[]) =>
      Array.from({ length: 1 << all.length }, (_, bits) => all.filter((_id, i) => (bits >> i) & 1))
    for (const from of sets) {
      for (const to of sets) {
        const old = membership(ids(from))
        const joint = enterJoint(old, changeTo(to))
        const everybody = [...new Set(ids(from + to))]
        const wins = (yes: readonly string[], who: typeof old) =>
          outcomeOf(who, new Map(everybody.map((id) => [id, yes.includes(id)]))) === 'won'
        for (const one of subsets(everybody).filter((some) => wins(some, joint))) {
          for (const next of [old, joint, leaveJoint(joint)]) {
            for (const other of subsets(everybody).filter((some) => wins(some, next))) {
              assert.ok(
                one.some((id) => other.includes(id)),
                `${from} to ${to}: ${one.join('')} and ${other.join('')}`,
              )
            }
          }
        }
      }
    }
  })
})

describe('who is who', () => {
  test('voters of either half vote; learners do not', () => {
    const joint = membership(['a', 'b'], ['d'], ['b', 'c'])
    assert.deepEqual(
      ['a', 'b', 'c', 'd', 'e'].map((id) => isVoter(joint, id)),
      [true, true, true, false, false],
    )
    assert.deepEqual(memberIds(joint), ['a', 'b', 'c', 'd'])
  })

  test('a sole voter is alone in both halves', () => {
    assert.ok(isSoleVoter(membership(['a'], ['b']), 'a'))
    assert.ok(!isSoleVoter(membership(['a'], ['b']), 'b'))
    assert.ok(!isSoleVoter(membership(['a'], [], ['a', 'b']), 'a'))
    assert.ok(!isSoleVoter(membership(['a', 'b'], [], ['a']), 'a'))
  })

  test('solitary: no member beside it, and none before', () => {
    assert.ok(isSolitary(membership(['a']), 'a'))
    assert.ok(!isSolitary(membership(['a'], ['b']), 'a'))
    assert.ok(!isSolitary({ ...membership(['a']), removed: ['b'] }, 'a'))
  })

  test('majorities', () => {
    assert.deepEqual([1, 2, 3, 4, 5, 6, 7].map(majorityOf), [1, 2, 2, 3, 3, 4, 4])
  })
})
