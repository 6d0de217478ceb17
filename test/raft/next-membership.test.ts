/** From one membership to the next, as values; and what the policy asks for. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { addLearner, changeDue, demote, promote, readdress, remove, replace } from '../../core/raft/index.ts'
import type { MembershipChange, NodeId, Standing } from '../../core/raft/index.ts'
import { problemWith } from '../../core/raft/membership.ts'
import { membership } from './cluster.ts'

const ids = (words: string) => words.split(' ').filter((word) => word !== '')

/** `a b + c`: voters a and b, learner c. */
function standing(words: string): Standing {
  const [voters = '', learners = ''] = words.split('+')
  return { index: 7, membership: membership(ids(voters), ids(learners)) }
}

const shown = ({ voters, learners }: MembershipChange) => `${voters.join(' ')} + ${learners.join(' ')}`.trim()

describe('what an operator wants', () => {
  const info = { name: 'd', incarnation: '1', address: 'd:4100' }
  const changes: readonly [what: string, from: string, (now: Standing) => MembershipChange, to: string][] = [
    ['a newcomer is a learner', 'a b c', (now) => addLearner(now, 'd', info), 'a b c + d'],
    ['a learner becomes a voter', 'a b c + d e', (now) => promote(now, ['d']), 'a b c d + e'],
    ['from one voter to three at once', 'a + b c', (now) => promote(now, ['b', 'c']), 'a b c +'],
    ['a voter becomes a learner', 'a b c', (now) => demote(now, 'b'), 'a c + b'],
    ['a voter leaves', 'a b c + d', (now) => remove(now, 'b'), 'a c + d'],
    ['a learner leaves', 'a b c + d', (now) => remove(now, 'd'), 'a b c +'],
    [
      'a new incarnation takes a voter’s place',
      'a b/1 c + b/2',
      (now) => replace(now, 'b/1', 'b/2'),
      'a b/2 c +',
    ],
    [
      'a new incarnation takes a learner’s place',
      'a + b/1 b/2',
      (now) => replace(now, 'b/1', 'b/2'),
      'a + b/2',
    ],
  ]
  for (const [what, from, make, to] of changes) {
    test(`${what}: (${from}) to (${to})`, () => {
      const now = standing(from)
      const change = make(now)
      assert.equal(shown(change), to)
      assert.equal(change.expected, 7)
      assert.equal(problemWith(now.membership, change), undefined)
    })
  }

  test('an address is data: nobody else changes', () => {
    const now = standing('a b')
    const change = readdress(now, 'b', 'elsewhere:4100')
    assert.equal(shown(change), 'a b +')
    assert.deepEqual(change.members['b'], { name: 'b', incarnation: '1', address: 'elsewhere:4100' })
    assert.deepEqual(change.members['a'], now.membership.members['a'])
  })

  test('what makes no sense is made all the same, and refused by the leader', () => {
    const now = standing('a')
    assert.equal(problemWith(now.membership, remove(now, 'a'))?.reason, 'lastVoter')
    assert.equal(problemWith(now.membership, promote(now, ['x']))?.reason, 'invalid')
  })
})

describe('what the policy asks for', () => {
  const cases: readonly [
    from: string,
    voters: number,
    caughtUp: string,
    silent: string,
    to: string | undefined,
  ][] = [
    // So many voters as are wanted, and no even number on the way.
    ['a', 3, '', '', undefined],
    ['a + b', 3, 'b', '', undefined],
    ['a + b c', 3, 'b', '', undefined],
    ['a + b c', 3, 'b c', '', 'a b c +'],
    ['a + b c', 1, 'b c', '', undefined],
    ['a + b', 2, 'b', '', 'a b +'],
    ['a b + c', 3, 'c', '', 'a b c +'],
    ['a b c + d', 5, 'd', '', undefined],
    ['a b c + d e f', 5, 'd e f', '', 'a b c d e + f'],
    ['a b c + d e', 4, 'd e', '', 'a b c d + e'],
    ['a b + c d', 5, 'c d', '', 'a b c + d'],
    // A lost incarnation is replaced by one that has caught up, whatever the number; not while it answers.
    ['a b/1 c + b/2', 3, 'b/2', 'b/1', 'a b/2 c +'],
    ['a b/1 c + b/2', 3, 'b/2', '', undefined],
    ['a b/1 c + b/2', 3, '', 'b/1', undefined],
    ['a b/1 c + b/2', 5, 'b/2', '', undefined],
    ['a b/1 c + b/2 d', 5, 'b/2 d', 'b/1', 'a b/2 c + d'],
    // A learner that is lost counts for nothing: the later one need only be there, the earlier one does not give way.
    ['a + b/1 b/2', 1, '', 'b/1', 'a + b/2'],
    ['a + b/1 b/2', 1, '', 'b/2', undefined],
    ['a + b/1 b/2', 1, '', 'b/1 b/2', undefined],
    // A dead voter is no reason for anything: it may come back.
    ['a b c', 3, '', 'c', undefined],
  ]
  for (const [from, voters, caughtUp, silent, to] of cases) {
    const ready = caughtUp === '' ? 'none ready' : `${caughtUp} ready`
    test(`(${from}), ${voters} wanted, ${ready}, silent: ${silent || 'none'}: ${to ?? 'nothing'}`, () => {
      const now = standing(from)
      const everybody: NodeId[] = Object.keys(now.membership.members)
      const answering = everybody.filter((id) => !ids(silent).includes(id))
      const change = changeDue(now, { voters, caughtUp: ids(caughtUp), answering })
      assert.equal(change && shown(change), to)
    })
  }

  test('a voter that was demoted stays a learner, its next incarnation too, until an operator promotes it', () => {
    const after = ({ voters, learners, members }: MembershipChange): Standing => ({
      index: 8,
      membership: { voters, outgoing: [], learners, members, removed: [] },
    })
    const due = (now: Standing, answering: string) =>
      changeDue(now, { voters: 3, caughtUp: now.membership.learners, answering: ids(answering) })
    const demoted = after(demote(standing('a b/1 c'), 'b/1'))
    assert.equal(due(demoted, 'a b/1 c'), undefined)
    const info = { name: 'b', incarnation: '2', address: 'b:4100' }
    const replaced = due(after(addLearner(demoted, 'b/2', info)), 'a c b/2')!
    assert.equal(shown(replaced), 'a c + b/2')
    assert.equal(due(after(replaced), 'a c b/2'), undefined)
    const promoted = after(promote(after(replaced), ['b/2']))
    assert.deepEqual(promoted.membership.members['b/2'], info)
  })

  test('nothing while a change is under way', () => {
    const now = { index: 7, membership: membership(['a'], ['b', 'c'], ['a', 'd']) }
    assert.equal(changeDue(now, { voters: 3, caughtUp: ['b', 'c'], answering: ['a', 'b', 'c'] }), undefined)
  })
})
