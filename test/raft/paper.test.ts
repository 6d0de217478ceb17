/**
 * The rules of Figure 3.1 of the Raft thesis, and of the sections around it, one test each: the sentence, and
 * a node that keeps it. Stories of several nodes are in scripts/.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { clusterTimeNow, contactMs, leaseRead, nextDeadline, status, step } from '../../core/raft/index.ts'
import type { AppendEntries, Entry, Message, NodeId } from '../../core/raft/index.ts'
import { Cluster, DEFAULTS, entriesOf, founding, membership } from './cluster.ts'
import type { Disk, Options } from './cluster.ts'

const ROOM = 1024 ** 3

interface Start {
  readonly voters?: readonly NodeId[]
  readonly term?: number
  readonly votedFor?: NodeId
  /** The terms of its log. */
  readonly log?: readonly number[]
  readonly options?: Options
}

/** One node, `n1`, whose peers are the test itself. It has been up for longer than a lease. */
class Lone {
  readonly cluster: Cluster

  constructor({ voters = ['n1', 'n2', 'n3'], term = 1, votedFor, log = [], options = {} }: Start = {}) {
    this.cluster = new Cluster(options)
    const disk: Partial<Disk> = { hardState: { term, votedFor: votedFor ?? null }, entries: entriesOf(log) }
    this.cluster.add('n1', membership(voters), disk)
    this.cluster.advance(500)
  }

  get status() {
    return status(this.cluster.node('n1').raft)
  }

  /** What it says to a message; its disk is as fast as it likes. */
  hear(from: NodeId, message: Message): Message[] {
    this.cluster.step('n1', { type: 'message', from, message })
    return this.said()
  }

  said(): Message[] {
    return this.cluster.network.splice(0).map((sent) => sent.message)
  }

  timeout(): Message[] {
    this.cluster.timeout('n1')
    return this.said()
  }

  /** Makes it the leader of its next term, by the votes of all others. */
  lead(): Message[] {
    const others = this.status.membership.voters.filter((id) => id !== 'n1')
    const [asked] = this.timeout()
    assert.ok(asked?.type === 'preVote')
    const { term } = this.status
    for (const id of others) {
      this.hear(id, { type: 'preVoteResult', term, round: asked.round, granted: true })
    }
    return others.flatMap((id) =>
      this.hear(id, {
        type: 'requestVoteResult',
        term: term + 1,
        granted: true,
        clusterTime: null,
        clockTerm: 0,
        isReckoned: false,
      }),
    )
  }

  /** Whether it votes for `from` in `term`. */
  votes(from: NodeId, term: number, lastIndex = 99, lastTerm = 99): boolean | undefined {
    const [answer] = this.hear(from, { type: 'requestVote', term, lastIndex, lastTerm, reason: 'timeout' })
    return answer?.type === 'requestVoteResult' ? answer.granted : undefined
  }
}

function append(fields: Partial<AppendEntries>): AppendEntries {
  return {
    type: 'appendEntries',
    term: 1,
    prevIndex: 0,
    prevTerm: 0,
    entries: [],
    commitIndex: 0,
    round: 0,
    clusterTime: 0,
    ...fields,
  }
}

function matched(term: number, matchIndex: number, round = 0): Message {
  return {
    type: 'appendEntriesResult',
    term,
    round,
    matchIndex,
    receivedIndex: matchIndex,
    refusal: null,
    promiseMs: 150,
    roomBytes: ROOM,
  }
}

const logOf = (node: Lone) => node.cluster.node('n1').disk.entries.map((entry: Entry) => entry.term)

describe('Figure 3.1, RequestVote RPC', () => {
  test('receiver 1: "Reply false if term < currentTerm"', () => {
    const node = new Lone({ term: 3 })
    assert.equal(node.votes('n2', 2), false)
    assert.equal(node.status.term, 3)
  })

  test('receiver 2: "If votedFor is null or candidateId, and candidate\'s log is at least as up-to-date"', () => {
    const node = new Lone({ term: 3 })
    assert.equal(node.votes('n2', 3), true)
    assert.equal(node.votes('n2', 3), true, 'asked again by the same candidate')
    assert.equal(node.votes('n3', 3), false, 'one vote in a term')
  })

  // 3.6.1: "If the logs have last entries with different terms, then the log with the later term is more
  // up-to-date. If the logs end with the same term, then whichever log is longer is more up-to-date."
  const logs: readonly [ours: number[], theirIndex: number, theirTerm: number, granted: boolean][] = [
    [[1, 1, 2], 3, 2, true],
    [[1, 1, 2], 4, 2, true],
    [[1, 1, 2], 1, 3, true],
    [[1, 1, 2], 2, 2, false],
    [[1, 1, 2], 9, 1, false],
    [[], 0, 0, true],
  ]
  for (const [ours, index, term, granted] of logs) {
    test(`3.6.1: a log of terms [${ours.join(' ')}] ${granted ? 'votes' : 'does not vote'} for one ending in ${index}/${term}`, () => {
      assert.equal(new Lone({ term: 3, log: ours }).votes('n2', 4, index, term), granted)
    })
  }

  test('3.8: term and vote are on disk before the vote is said', () => {
    const node = new Lone({ term: 1 })
    node.cluster.node('n1').isDiskFast = false
    assert.equal(node.votes('n2', 2), undefined)
    node.cluster.finishWrite('n1')
    assert.deepEqual(node.cluster.node('n1').disk.hardState, { term: 2, votedFor: 'n2' })
    assert.equal(node.said()[0]?.type, 'requestVoteResult')
  })

  test('a vote granted in a term that was overtaken before the disk had it is never said', () => {
    const node = new Lone({ term: 1 })
    node.cluster.node('n1').isDiskFast = false
    node.hear('n2', { type: 'requestVote', term: 2, lastIndex: 9, lastTerm: 1, reason: 'timeout' })
    node.hear('n3', append({ term: 3 }))
    node.cluster.finishWrite('n1')
    assert.deepEqual(node.said(), [])
    assert.equal(node.cluster.node('n1').disk.hardState.votedFor, 'n2')
  })
})

describe('Figure 3.1, AppendEntries RPC', () => {
  test('receiver 1: "Reply false if term < currentTerm"', () => {
    const node = new Lone({ term: 3, log: [1] })
    const [answer] = node.hear(
      'n2',
      append({ term: 2, prevIndex: 1, prevTerm: 1, entries: entriesOf([2], 2) }),
    )
    assert.equal(answer?.term, 3)
    assert.deepEqual(logOf(node), [1])
    assert.equal(node.status.leader, null)
  })

  test('receiver 2: "Reply false if log doesn\'t contain an entry at prevLogIndex whose term matches"', () => {
    const node = new Lone({ term: 2, log: [1, 1] })
    for (const [prevIndex, prevTerm] of [
      [3, 1],
      [2, 2],
    ] as const) {
      const [answer] = node.hear(
        'n2',
        append({ term: 2, prevIndex, prevTerm, entries: entriesOf([2], prevIndex + 1) }),
      )
      assert.ok(answer?.type === 'appendEntriesResult' && answer.refusal?.prevIndex === prevIndex)
    }
    assert.deepEqual(logOf(node), [1, 1])
  })

  test('receiver 3: "If an existing entry conflicts with a new one, delete it and all that follow it"', () => {
    const node = new Lone({ term: 3, log: [1, 2, 2, 2] })
    node.hear('n2', append({ term: 3, prevIndex: 1, prevTerm: 1, entries: entriesOf([3], 2) }))
    assert.deepEqual(logOf(node), [1, 3])
    assert.equal(node.status.durableIndex, 2)
  })

  test('receiver 3, the other way (H15): without a conflict nothing is deleted', () => {
    const node = new Lone({ term: 2, log: [1, 2, 2, 2] })
    node.hear('n2', append({ term: 2, prevIndex: 1, prevTerm: 1, entries: entriesOf([2], 2) }))
    assert.deepEqual(logOf(node), [1, 2, 2, 2])
  })

  test('receiver 4: "Append any new entries not already in the log"', () => {
    const node = new Lone({ term: 2, log: [1, 2] })
    const [answer] = node.hear(
      'n2',
      append({ term: 2, prevIndex: 1, prevTerm: 1, entries: entriesOf([2, 2], 2) }),
    )
    assert.deepEqual(logOf(node), [1, 2, 2])
    assert.ok(answer?.type === 'appendEntriesResult' && answer.matchIndex === 3)
  })

  test('receiver 5: "set commitIndex = min(leaderCommit, index of last new entry)" (H14)', () => {
    const node = new Lone({ term: 2, log: [1, 1, 1] })
    node.hear('n2', append({ term: 2, prevIndex: 1, prevTerm: 1, commitIndex: 3 }))
    assert.equal(node.status.commitIndex, 1)
    node.hear(
      'n2',
      append({ term: 2, prevIndex: 1, prevTerm: 1, entries: entriesOf([1], 2), commitIndex: 9 }),
    )
    assert.equal(node.status.commitIndex, 2)
  })

  test('10.2.1: a follower acknowledges what is durable, and no more', () => {
    const node = new Lone({ term: 1 })
    node.cluster.node('n1').isDiskFast = false
    assert.deepEqual(node.hear('n2', append({ entries: entriesOf([1, 1]) })), [])
    const [heartbeat] = node.hear('n2', append({ round: 1 }))
    assert.ok(heartbeat?.type === 'appendEntriesResult')
    assert.deepEqual([heartbeat.matchIndex, heartbeat.receivedIndex], [0, 2], 'a heartbeat does not wait')
    node.cluster.finishWrite('n1')
    const [answer] = node.said()
    assert.ok(answer?.type === 'appendEntriesResult' && answer.matchIndex === 2)
  })

  test('H02: a term is on disk before anything is answered in it', () => {
    const node = new Lone({ term: 1 })
    node.cluster.node('n1').isDiskFast = false
    assert.deepEqual(node.hear('n2', append({ term: 4, round: 1 })), [])
    node.cluster.finishWrite('n1')
    assert.equal(node.said()[0]?.term, 4)
  })

  test('H21: what is committed is applied when it is durable here', () => {
    const node = new Lone({ term: 1 })
    node.cluster.node('n1').isDiskFast = false
    node.hear('n2', append({ entries: entriesOf([1, 1]), commitIndex: 2 }))
    assert.deepEqual([node.status.commitIndex, node.status.appliedIndex], [2, 0])
    node.cluster.finishWrite('n1')
    assert.equal(node.status.appliedIndex, 2)
  })
})

describe('Figure 3.1, rules for servers', () => {
  test('all: "If RPC request or response contains term T > currentTerm: set currentTerm = T, convert to follower"', () => {
    for (const message of [
      append({ term: 9 }),
      matched(9, 0),
      {
        type: 'requestVoteResult',
        term: 9,
        granted: false,
        clusterTime: null,
        clockTerm: 0,
        isReckoned: false,
      },
      { type: 'preVoteResult', term: 9, round: 1, granted: false },
      { type: 'timeoutNow', term: 9 },
    ] satisfies Message[]) {
      const node = new Lone()
      node.lead()
      node.hear('n2', message)
      assert.deepEqual([node.status.role, node.status.term], ['follower', 9], message.type)
    }
  })

  test('9.6: a pre-vote raises no term, whatever term it names, and changes nothing else (H03)', () => {
    const node = new Lone({ term: 1, log: [1] })
    node.cluster.step('n1', { type: 'tick' })
    const before = structuredClone(node.cluster.node('n1').raft)
    const [answer] = node.hear('n2', {
      type: 'preVote',
      term: 50,
      round: 3,
      lastIndex: 9,
      lastTerm: 9,
      reason: 'timeout',
    })
    assert.deepEqual(answer, { type: 'preVoteResult', term: 1, round: 3, granted: true })
    assert.deepEqual(structuredClone(node.cluster.node('n1').raft), before)
  })

  test('9.6: an answer to an earlier round of pre-votes elects nobody (H03)', () => {
    const node = new Lone()
    node.timeout()
    node.timeout()
    node.hear('n2', { type: 'preVoteResult', term: 1, round: 1, granted: true })
    assert.equal(node.status.role, 'preCandidate')
    node.hear('n2', { type: 'preVoteResult', term: 1, round: 2, granted: true })
    assert.equal(node.status.role, 'candidate')
  })

  test('candidates: "Increment currentTerm, vote for self, reset election timer, send RequestVote RPCs"', () => {
    const node = new Lone({ voters: ['n1', 'n2', 'n3', 'n4', 'n5'], term: 4, log: [2, 4] })
    node.timeout()
    const before = nextDeadline(node.cluster.node('n1').raft)
    node.cluster.advance(10)
    const said = ['n2', 'n3'].flatMap((id) =>
      node.hear(id, { type: 'preVoteResult', term: 4, round: 1, granted: true }),
    )
    assert.deepEqual(node.cluster.node('n1').disk.hardState, { term: 5, votedFor: 'n1' })
    assert.notEqual(nextDeadline(node.cluster.node('n1').raft), before)
    const request = { type: 'requestVote', term: 5, lastIndex: 2, lastTerm: 4, reason: 'timeout' }
    assert.deepEqual(
      said,
      Array.from({ length: 4 }, () => request),
    )
  })

  test('H01: requests for votes leave when the own vote is on disk, and it counts from then', () => {
    const node = new Lone()
    node.cluster.node('n1').isDiskFast = false
    node.timeout()
    assert.deepEqual(node.hear('n2', { type: 'preVoteResult', term: 1, round: 1, granted: true }), [])
    node.cluster.finishWrite('n1')
    assert.equal(node.said().length, 2)
  })

  test("H01: the completion of an earlier write is not the vote's", () => {
    const node = new Lone()
    node.cluster.node('n1').isDiskFast = false
    node.hear('n2', append({ entries: entriesOf([1]) }))
    node.cluster.advance(2 * DEFAULTS.electionTimeoutMs)
    node.timeout()
    assert.deepEqual(node.hear('n3', { type: 'preVoteResult', term: 1, round: 1, granted: true }), [])
    node.cluster.finishWrite('n1')
    assert.deepEqual(node.said(), [])
    node.cluster.finishWrite('n1')
    assert.deepEqual(
      node.said().map(({ type }) => type),
      ['requestVote', 'requestVote'],
    )
    node.hear('n3', {
      type: 'requestVoteResult',
      term: 2,
      granted: true,
      clusterTime: null,
      clockTerm: 0,
      isReckoned: false,
    })
    assert.equal(node.status.role, 'leader')
  })

  test('candidates: "If AppendEntries RPC received from new leader: convert to follower"', () => {
    const node = new Lone()
    node.timeout()
    node.hear('n2', { type: 'preVoteResult', term: 1, round: 1, granted: true })
    assert.equal(node.status.role, 'candidate')
    node.hear('n3', append({ term: 2 }))
    assert.deepEqual([node.status.role, node.status.leader], ['follower', 'n3'])
  })

  test('candidates: "If election timeout elapses: start new election", by way of a pre-vote', () => {
    const node = new Lone()
    node.timeout()
    node.hear('n2', { type: 'preVoteResult', term: 1, round: 1, granted: true })
    const [asked] = node.timeout()
    assert.deepEqual([asked?.type, asked?.term], ['preVote', 3])
  })

  test('leaders: "Upon election: send initial empty AppendEntries RPCs to each server"; 6.4: and a no-op', () => {
    const node = new Lone({ log: [1, 1] })
    const said = node.lead().filter((message) => message.type === 'appendEntries')
    assert.deepEqual(
      said.map(({ entries }) => entries.map(({ kind }) => kind)),
      [[], [], ['noop'], ['noop']],
    )
    assert.ok(said.every(({ prevIndex, prevTerm }) => prevIndex === 2 && prevTerm === 1))
  })

  test('leaders: "If last log index >= nextIndex: send AppendEntries with entries starting at nextIndex"', () => {
    const node = new Lone()
    node.lead()
    node.hear('n2', matched(2, 1))
    node.cluster.propose('n1', 3)
    const sent = node.said().filter((message) => message.type === 'appendEntries')
    assert.deepEqual(
      sent.map(({ entries }) => entries.map(({ index }) => index)),
      [[2, 3, 4]],
    )
  })

  test('leaders: "If AppendEntries fails because of log inconsistency: decrement nextIndex and retry"', () => {
    const node = new Lone({ term: 5, log: [1, 1, 4, 4, 5] })
    node.lead()
    const [retry] = node.hear('n2', {
      type: 'appendEntriesResult',
      term: 6,
      round: 0,
      matchIndex: 0,
      receivedIndex: 0,
      refusal: { prevIndex: 5, hintIndex: 4, hintTerm: 3 },
      promiseMs: 0,
      roomBytes: ROOM,
    })
    assert.ok(retry?.type === 'appendEntries')
    assert.equal(retry.prevIndex, 2, 'terms 4 and 5 are skipped at once')
  })

  test('leaders: "If there exists an N > commitIndex, a majority of matchIndex[i] >= N, and log[N].term == currentTerm"', () => {
    const node = new Lone({ voters: ['n1', 'n2', 'n3', 'n4', 'n5'], log: [1, 1] })
    node.lead()
    node.hear('n2', matched(2, 3))
    assert.equal(node.status.commitIndex, 0, 'two of five')
    node.hear('n3', matched(2, 2))
    assert.equal(node.status.commitIndex, 0, 'entry 2 is on a majority, but of an older term (H13)')
    node.hear('n4', matched(2, 3))
    assert.equal(node.status.commitIndex, 3)
  })

  test('10.2.1: the leader counts itself by its durable index; others may commit before its own disk (H12)', () => {
    const node = new Lone()
    node.lead()
    node.cluster.node('n1').isDiskFast = false
    node.cluster.propose('n1')
    node.hear('n2', matched(2, 2))
    assert.equal(node.status.commitIndex, 1)
    node.hear('n3', matched(2, 2))
    assert.deepEqual([node.status.commitIndex, node.status.durableIndex], [2, 1])
    node.cluster.finishWrite('n1')
    assert.equal(node.status.appliedIndex, 2)
  })

  test('H18: matchIndex never falls in a term, and an answer of another term moves nothing', () => {
    const node = new Lone()
    node.lead()
    node.hear('n2', matched(2, 1))
    node.hear('n2', matched(2, 0))
    node.hear('n3', matched(1, 1))
    assert.deepEqual(
      node.status.peers.map(({ matchIndex }) => matchIndex),
      [1, 0],
    )
  })

  test('H05: an acknowledgement counts for members only', () => {
    const node = new Lone()
    node.lead()
    node.hear('n9', matched(2, 1))
    assert.equal(node.status.commitIndex, 0)
  })

  test('H23: a proposal decided in another term is not appended', () => {
    const node = new Lone()
    node.lead()
    const { raft } = node.cluster.node('n1')
    assert.equal(node.status.term, 2)
    assert.equal(node.cluster.propose('n1', 1)?.length, 1)
    assert.equal(node.cluster.proposeFenced('n1', 1), undefined)
    assert.equal(status(raft).lastIndex, 2)
    assert.equal(node.cluster.proposeFenced('n1', 2)?.length, 1)
  })
})

describe('elections', () => {
  test('3.4: timeouts are drawn anew each time, from [1x, 2x), by the seed alone', () => {
    const draws = (seed: number) => {
      const node = new Lone({ options: { seed } })
      return Array.from({ length: 20 }, () => {
        const from = node.cluster.monotonicMs
        node.hear('n2', append({ term: 1 }))
        return nextDeadline(node.cluster.node('n1').raft) - from
      })
    }
    const drawn = draws(7)
    assert.ok(drawn.every((ms) => ms >= DEFAULTS.electionTimeoutMs && ms < 2 * DEFAULTS.electionTimeoutMs))
    assert.ok(new Set(drawn).size > 15)
    assert.deepEqual(draws(7), drawn)
    assert.notDeepEqual(draws(8), drawn)
  })

  test('4.2.3: "within the minimum election timeout of hearing from a current leader, it does not update its term"', () => {
    const node = new Lone()
    node.hear('n2', append({ term: 1 }))
    node.cluster.advance(DEFAULTS.electionTimeoutMs - 1)
    assert.equal(node.votes('n3', 2), undefined)
    assert.equal(node.status.term, 1)
    node.cluster.advance(1)
    assert.equal(node.votes('n3', 2), true)
  })

  test('4.2.3: a request that comes of a hand-over is heard at once', () => {
    const node = new Lone()
    node.hear('n2', append({ term: 1 }))
    const [answer] = node.hear('n3', {
      type: 'requestVote',
      term: 2,
      lastIndex: 0,
      lastTerm: 0,
      reason: 'transfer',
    })
    assert.ok(answer?.type === 'requestVoteResult' && answer.granted)
  })

  test("loyalty holds in the voter's own term too: its term may have risen without a new leader", () => {
    const node = new Lone({ term: 1 })
    node.hear('n2', append({ term: 1 }))
    node.hear('n3', matched(2, 0))
    assert.equal(node.status.term, 2)
    assert.equal(node.votes('n3', 2), false)
    node.cluster.advance(DEFAULTS.electionTimeoutMs)
    assert.equal(node.votes('n3', 2), true)
  })

  test('a lost connection shortens loyalty to lease and drift, and no further', () => {
    const { leaseMs, driftMs } = DEFAULTS
    const asks: Message = {
      type: 'preVote',
      term: 2,
      round: 1,
      lastIndex: 0,
      lastTerm: 0,
      reason: 'leaderLost',
    }
    const node = new Lone()
    node.hear('n2', append({ term: 1 }))
    node.cluster.advance(leaseMs + driftMs - 1)
    assert.deepEqual(node.hear('n3', asks), [{ type: 'preVoteResult', term: 1, round: 1, granted: false }])
    node.cluster.advance(1)
    assert.deepEqual(node.hear('n3', asks), [{ type: 'preVoteResult', term: 1, round: 1, granted: true }])
  })

  test('6.2: a leader whose quorum has been silent for an election timeout steps down, to the millisecond', () => {
    const node = new Lone()
    node.lead()
    node.hear('n2', matched(2, 1))
    const heardAt = node.cluster.monotonicMs
    for (let i = 0; i < 100 && node.status.role === 'leader'; i++) node.timeout()
    assert.equal(node.cluster.monotonicMs - heardAt, DEFAULTS.electionTimeoutMs)
  })

  test('H44: an id that was removed cannot come back', () => {
    const cluster = new Cluster()
    cluster.add('n1', { ...membership(['n1']), removed: ['n2'] })
    cluster.step('n1', { type: 'tick' })
    const proposal = cluster.change('n1', ['n1'], ['n2'])
    assert.ok(!proposal.ok && proposal.reason === 'tombstoned')
  })
})

describe('starting', () => {
  test('H49: a hole between snapshot and log refuses to start', () => {
    const disk = { hardState: { term: 1, votedFor: null }, entries: entriesOf([1], 2) }
    assert.throws(() => new Cluster().add('n1', membership(['n1']), disk), /begins at index 2.*ends at 0/)
  })

  test('an entry of a term that was never saved refuses to start', () => {
    const disk = { hardState: { term: 1, votedFor: null }, entries: entriesOf([2]) }
    assert.throws(() => new Cluster().add('n1', membership(['n1']), disk), /term 2.*saved term is 1/)
  })

  test('H47: a log that does not lead through the snapshot is dropped, on disk too, before anything is written', () => {
    for (const terms of [[1], [1, 1], [1, 1, 1, 1]]) {
      const cluster = new Cluster()
      const members = membership(['n1', 'n2'])
      const snapshot = { index: 3, term: 2, clusterTime: 0, wallTime: 0, membership: members }
      const node = cluster.add('n1', members, {
        hardState: { term: 2, votedFor: null },
        snapshot,
        entries: entriesOf(terms),
      })
      const [first] = cluster.turn('n1')
      assert.equal(first?.persist?.reset?.meta, snapshot)
      assert.equal(first.persist.batch.mustSync, true)
      assert.deepEqual(node.disk.entries, [])
      assert.equal(status(node.raft).lastIndex, 3)
    }
  })

  test('H02: a snapshot that became durable before the term in which it came brings its term with it', () => {
    const cluster = new Cluster()
    const members = membership(['n1', 'n2', 'n3'])
    const node = cluster.add('n1', members, {
      hardState: { term: 1, votedFor: 'n3' },
      snapshot: { ...founding(members), index: 4, term: 2 },
      entries: entriesOf([1, 1]),
    })
    cluster.turn('n1')
    assert.deepEqual(node.disk.hardState, { term: 2, votedFor: null })
    assert.deepEqual([status(node.raft).lastIndex, node.disk.entries.length], [4, 0])
  })

  test('configurations that cannot be safe are refused', () => {
    assert.throws(() => new Lone({ options: { leaseMs: 990, driftMs: 20 } }), /leaseMs \+ driftMs/)
  })

  test('time that goes back is a wrong program', () => {
    const node = new Lone()
    node.cluster.step('n1', { type: 'tick' })
    const earlier = { monotonicMs: node.cluster.monotonicMs - 1, wallMs: 0 }
    assert.throws(() => step(node.cluster.node('n1').raft, earlier, { type: 'tick' }), /went back/)
  })
})

describe('ReadIndex (6.4)', () => {
  test('H27: reads of one turn share a round, and each keeps the commitIndex of its own arrival', () => {
    const node = new Lone()
    node.lead()
    node.hear('n2', matched(2, 1))
    node.cluster.propose('n1')
    node.said()
    node.cluster.stepOnly('n1', { type: 'read', id: 1 })
    node.cluster.stepOnly('n1', { type: 'message', from: 'n2', message: matched(2, 2) })
    node.cluster.stepOnly('n1', { type: 'read', id: 2 })
    node.cluster.turn('n1')
    const rounds = node
      .said()
      .flatMap((sent) => (sent.type === 'appendEntries' && sent.round > 0 ? sent.round : []))
    assert.equal(new Set(rounds).size, 1)
    node.cluster.lines.length = 0
    node.hear('n2', matched(2, 2, rounds[0]))
    assert.deepEqual(node.cluster.lines, ['n1 read 1 at 1', 'n1 read 2 at 2'])
  })
})

describe('cluster time', () => {
  // H63. The leader of term 1 slept for a second; n2 has not heard it since, and believes in the time before.
  const estimates: readonly [what: string, n2: [number, number], n3: [number, number], begins: number][] = [
    ['the lowest of the estimates of one term', [5000, 1], [4000, 1], 4000],
    ['the estimate of the latest term', [9000, 1], [10_000, 2], 10_000],
    ['the last stamp of the log, when the estimates are of leaders before it', [5000, 1], [4000, 0], 0],
  ]
  for (const [what, n2, n3, begins] of estimates) {
    test(`a new leader begins at ${what}`, () => {
      const node = new Lone({
        voters: ['n1', 'n2', 'n3', 'n4', 'n5'],
        term: 2,
        log: begins === 0 ? [2] : [1],
      })
      const [asked] = node.timeout()
      assert.ok(asked?.type === 'preVote')
      for (const id of ['n2', 'n3'])
        node.hear(id, { type: 'preVoteResult', term: 2, round: asked.round, granted: true })
      for (const [id, [clusterTime, clockTerm]] of [['n2', n2] as const, ['n3', n3] as const])
        node.hear(id, {
          type: 'requestVoteResult',
          term: 3,
          granted: true,
          clusterTime,
          clockTerm,
          isReckoned: false,
        })
      const { monotonicMs, wallMs } = node.cluster
      assert.equal(node.status.role, 'leader')
      assert.equal(clusterTimeNow(node.cluster.node('n1').raft, { monotonicMs, wallMs }), begins)
    })
  }
})

describe('touch with a leader', () => {
  const touch = ({ cluster }: Lone): number => {
    const { monotonicMs, wallMs } = cluster
    return contactMs(cluster.node('n1').raft, { monotonicMs, wallMs })
  }
  const heartbeat = (commitIndex: number): AppendEntries =>
    append({ term: 2, prevIndex: 1, prevTerm: 1, commitIndex })

  test('a follower is in touch when it has applied what the leader it hears had committed', () => {
    const node = new Lone({ term: 2, log: [1] })
    assert.equal(touch(node), Infinity)
    node.hear('n2', heartbeat(1))
    assert.equal(touch(node), 0)
    node.cluster.advance(50)
    assert.equal(touch(node), 50)
  })

  test('to hear a leader whose entries do not come is not enough', () => {
    const node = new Lone({ term: 2, log: [1] })
    node.hear('n2', heartbeat(1))
    for (let beats = 0; beats < 10; beats++) {
      node.cluster.advance(50)
      node.hear('n2', heartbeat(2))
    }
    assert.equal(touch(node), 500)
    node.cluster.advance(10)
    node.hear('n2', { ...heartbeat(2), entries: entriesOf([2], 2) })
    assert.equal(touch(node), 460, 'up to when it had committed that')
    node.hear('n2', heartbeat(2))
    assert.equal(touch(node), 0)
  })

  test('nor to have received what the disk does not have yet', () => {
    const node = new Lone({ term: 2, log: [1] })
    node.hear('n2', heartbeat(1))
    node.cluster.node('n1').isDiskFast = false
    node.cluster.advance(50)
    node.hear('n2', { ...heartbeat(2), entries: entriesOf([2], 2) })
    assert.equal(touch(node), 50)
    node.cluster.finishWrite('n1')
    assert.equal(touch(node), 0)
  })
})

describe('the lease (6.4.1)', () => {
  test('one voter alone holds it always, once an entry of its term is committed', () => {
    const node = new Lone({ voters: ['n1'], term: 0 })
    node.cluster.step('n1', { type: 'tick' })
    node.cluster.advance(1e9)
    assert.equal(leaseRead(node.cluster.node('n1').raft, node.cluster.time()), 1)
  })

  test('in a joint membership both quorums confirm it', () => {
    const cluster = new Cluster()
    const members = membership(['n1', 'n2', 'n3'], ['n4', 'n5'])
    for (const id of Object.keys(members.members)) cluster.add(id, members)
    const lease = () => leaseRead(cluster.node('n1').raft, cluster.time())
    cluster.timeout('n1')
    cluster.run(100)
    cluster.run(DEFAULTS.leaseMs, ['n1', 'n2', 'n3'])
    assert.equal(lease(), 1, 'learners are not asked')
    assert.ok(cluster.change('n1', ['n1', 'n4', 'n5'], ['n2', 'n3']).ok)
    cluster.run(DEFAULTS.leaseMs, ['n1', 'n2', 'n3'])
    assert.equal(lease(), undefined, 'the old quorum alone')
    cluster.run(100)
    assert.equal(lease(), 3)
  })
})
