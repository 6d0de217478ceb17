/** How a leader moves between probing, replicating and sending a snapshot. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  accepted,
  acknowledge,
  becomeProbe,
  becomeReplicate,
  becomeSnapshot,
  createPeer,
  nextIndexOf,
  noteRound,
  refused,
} from '../../core/raft/progress.ts'
import type { Peer, Probe, Replicate } from '../../core/raft/progress.ts'
import { founding, membership } from './cluster.ts'

function probing(nextIndex: number, matchIndex = 0, asked: Probe['asked'] = null): Peer {
  const peer = createPeer('n2', nextIndex, 0)
  peer.matchIndex = matchIndex
  peer.progress = { kind: 'probe', nextIndex, asked }
  return peer
}

function replicating(nextIndex: number, matchIndex: number, mark: Replicate['mark'] = null): Peer {
  const peer = createPeer('n2', nextIndex, 0)
  peer.matchIndex = matchIndex
  peer.progress = { kind: 'replicate', nextIndex, mark }
  return peer
}

const shown = (peer: Peer) => `${peer.progress.kind} match=${peer.matchIndex} next=${nextIndexOf(peer)}`

/** What is done to it, and what it is then. */
const moves: readonly [name: string, peer: Peer, act: (peer: Peer) => void, after: string][] = [
  [
    'a probe that agrees opens the pipeline',
    probing(5),
    (p) => accepted(p, 4, 0),
    'replicate match=0 next=5',
  ],
  [
    'with it, entries sent along count as sent',
    probing(5, 0, { throughIndex: 7, round: 2 }),
    (p) => accepted(p, 4, 2),
    'replicate match=0 next=8',
  ],
  [
    'unless a later round has not seen them',
    probing(5, 0, { throughIndex: 7, round: 2 }),
    (p) => accepted(p, 4, 3),
    'replicate match=0 next=5',
  ],
  [
    'an answer about less than was asked proves nothing',
    probing(5),
    (p) => accepted(p, 3, 0),
    'probe match=0 next=5',
  ],
  ['a refused probe goes back to the hint', probing(9), (p) => refused(p, 8, 3, 0), 'probe match=0 next=4'],
  ['and back by one at least', probing(9), (p) => refused(p, 8, 8, 0), 'probe match=0 next=8'],
  ['but never to what is matched', probing(9, 6), (p) => refused(p, 8, 2, 6), 'probe match=6 next=7'],
  [
    'a refusal of an earlier question is old news',
    probing(4),
    (p) => refused(p, 8, 1, 0),
    'probe match=0 next=4',
  ],
  [
    'a gap in the pipeline goes back to what it has',
    replicating(9, 3),
    (p) => refused(p, 8, 8, 5),
    'probe match=3 next=6',
  ],
  [
    'a refusal of what is matched is old news',
    replicating(9, 3),
    (p) => refused(p, 3, 1, 0),
    'replicate match=3 next=9',
  ],
  [
    'a marked round that has seen all leaves the pipeline alone',
    replicating(9, 3, { round: 4, sentIndex: 8 }),
    (p) => accepted(p, 8, 4),
    'replicate match=3 next=9',
  ],
  [
    'one that has not finds what was lost',
    replicating(9, 3, { round: 4, sentIndex: 8 }),
    (p) => accepted(p, 5, 4),
    'probe match=3 next=6',
  ],
  [
    'an earlier round says nothing about it',
    replicating(9, 3, { round: 4, sentIndex: 8 }),
    (p) => accepted(p, 5, 3),
    'replicate match=3 next=9',
  ],
  [
    'an acknowledgement keeps match below next',
    replicating(5, 3),
    (p) => void acknowledge(p, 7),
    'replicate match=7 next=8',
  ],
  [
    'H18: and never lowers match',
    replicating(9, 6),
    (p) => void acknowledge(p, 4),
    'replicate match=6 next=9',
  ],
  [
    'probing begins above what is matched',
    replicating(9, 6),
    (p) => becomeProbe(p, 2),
    'probe match=6 next=7',
  ],
  ['so does replicating', probing(9, 6), (p) => becomeReplicate(p, 1), 'replicate match=6 next=7'],
]

describe('progress', () => {
  for (const [name, peer, act, after] of moves) {
    test(name, () => {
      act(peer)
      assert.equal(shown(peer), after)
    })
  }

  test('a snapshot goes on after its own index, and answers about the log do not move it', () => {
    const peer = probing(3)
    becomeSnapshot(peer, { ...founding(membership(['n1'])), index: 8, term: 2 }, 0)
    accepted(peer, 2, 1)
    refused(peer, 2, 1, 0)
    assert.equal(shown(peer), 'snapshot match=0 next=9')
  })
})

describe('rounds of catching up (4.2.1, H59)', () => {
  const answer = (peer: Peer, matchIndex: number, lastIndex: number, nowMs: number) => {
    acknowledge(peer, matchIndex)
    noteRound(peer, lastIndex, nowMs, 1000)
    return peer.round.wasQuick
  }

  test('a round ends when what there was at its beginning is there, and the next one begins', () => {
    const peer = createPeer('n2', 11, 0)
    assert.equal(answer(peer, 9, 20, 100), false)
    assert.equal(answer(peer, 10, 20, 200), true)
    assert.deepEqual(peer.round, { throughIndex: 20, startedAtMs: 200, wasQuick: true })
  })

  test('a round that took an election timeout does not count, the next one may', () => {
    const peer = createPeer('n2', 11, 0)
    assert.equal(answer(peer, 10, 20, 1000), false)
    assert.equal(answer(peer, 19, 30, 1500), false)
    assert.equal(answer(peer, 20, 30, 1999), true)
  })

  test('with nothing to send each answer is a round', () => {
    const peer = createPeer('n2', 11, 0)
    answer(peer, 10, 10, 500)
    assert.equal(answer(peer, 10, 10, 1400), true)
    assert.equal(peer.round.startedAtMs, 1400)
  })
})
