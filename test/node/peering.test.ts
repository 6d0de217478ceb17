/** Who is let in, as what, and who is told why not: the judge of every handshake. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ConcordError } from '../../core/errors.ts'
import type { Wish } from '../../core/node/cluster-changes.ts'
import { decodeJoin, encodeQuestion } from '../../core/node/introductions.ts'
import { Peering, type Peered } from '../../core/node/peering.ts'
import type { Founding, Hello, Introduction, TransportNotice, Verdict } from '../../core/ports.ts'
import type { NodeId } from '../../core/raft/types.ts'
import { MemoryIdentity } from '../../core/storage/memory.ts'
import type { Transport } from '../../core/ports.ts'

const CLUSTER = 'c1'
const peer: Hello = {
  name: 'n2',
  incarnation: 'b',
  address: 'h2:1',
  clusterName: 'app',
  clusterId: CLUSTER,
  runId: 'run2',
  previousRunId: '',
  last: { index: 10, term: 1 },
}

const founding: Founding = {
  id: CLUSTER,
  by: { name: 'n1', incarnation: 'a' },
  attempt: 1,
  members: [{ name: 'n1', incarnation: 'a', address: 'h1:1' }],
  foundedAt: 0,
}

interface Standing {
  readonly clusterId?: string
  readonly mayLoseTail?: boolean
  readonly leads?: boolean
  readonly known?: Partial<Peered['knowledge']>
  readonly receive?: Peered['receive']
  readonly change?: Peered['changes']['change']
}

/** Node n1/a; n2/b is a member, n3/c was removed, and of n2 the leader n1 knows entries up to 10. */
async function judging({
  clusterId = CLUSTER,
  mayLoseTail = false,
  leads = true,
  known = {},
  receive,
  change,
}: Standing = {}) {
  const identity = new MemoryIdentity('n1', 'a')
  identity.clusterId = clusterId
  if (clusterId !== '') identity.founding = founding
  const told = { regressed: [] as string[], removed: 0, changes: 0 }
  const transport = {
    listen: async () => 'h1:1',
    setPeers: () => {},
    reintroduce: () => {},
    call: () => Promise.reject(new Error('nobody answers')),
  }
  const peering = new Peering({
    transport: transport as unknown as Transport,
    identity,
    clusterName: 'app',
    runId: 'run1',
    previousRunId: null,
    address: 'h1:1',
    mayLoseTail,
    replaceAfterMs: 60_000,
    tell: () => {},
  })
  const acknowledged = (index: number) => ({ term: 1, upTo: new Map(leads ? [['n2/b', index]] : []) })
  const info = (name: string, incarnation: string) => ({ name, incarnation, address: `h${name.slice(1)}:1` })
  const knowledge: Peered['knowledge'] = {
    membership: {
      voters: ['n1/a', 'n2/b'],
      outgoing: [],
      learners: [],
      members: { 'n1/a': info('n1', 'a'), 'n2/b': info('n2', 'b') },
      removed: ['n3/c'],
    },
    isSettled: true,
    durable: { index: 0, term: 0 },
    acknowledged: () => acknowledged(10),
    heardAtMs: () => (leads ? 0 : undefined),
    ...known,
  }
  const peered: Partial<Peered> = {
    leads,
    knowledge,
    nowMs: () => 0,
    peerRegressed: (id) => told.regressed.push(id),
    wasRemoved: () => told.removed++,
    changes: { change: change ?? (async () => void told.changes++) },
    ...(receive && { receive }),
  }
  await peering.listen(peered as Peered, undefined as never)
  const judge = (hello: Partial<Hello> = {}, more: Partial<Introduction> = {}): string => {
    const whole = { ...peer, ...hello }
    const id = `${whole.name}/${whole.incarnation}`
    return textOf(
      peering.judge({
        id,
        hello: whole,
        dialled: false,
        otherRuns: [],
        acknowledged: acknowledged(10),
        ...more,
      }),
    )
  }
  return { judge, told, peering }
}

const textOf = (verdict: Verdict): string => ('accept' in verdict ? verdict.accept : verdict.refuse)

test('H44: who has the cluster’s id is a member, known here or not: this node may be behind its leader', async () => {
  const { judge } = await judging()
  assert.equal(judge(), 'member')
  assert.equal(judge({ name: 'n9', incarnation: 'z' }), 'member')
  assert.equal(judge({ clusterId: '' }), 'guest', 'who belongs to no cluster yet may ask')
})

test('H61: whoever is of another cluster, or is somebody else, is refused', async () => {
  const { judge } = await judging()
  assert.equal(judge({ clusterName: 'other' }), 'WRONG_CLUSTER')
  assert.equal(judge({ clusterId: 'c2' }), 'WRONG_CLUSTER')
  assert.equal(judge({}, { dialled: true, expected: 'n2/old' }), 'WRONG_NODE')
})

test('H44: a second run of one incarnation is refused while the first is heard', async () => {
  const { judge } = await judging()
  assert.equal(judge({}, { otherRuns: [{ runId: 'x', heardAgoMs: 100 }] }), 'SECOND_RUN')
  assert.equal(judge({}, { otherRuns: [{ runId: 'x', heardAgoMs: 60_000 }] }), 'member')
})

test('H44: the leader refuses who has less than it had acknowledged; who may have lost it is asked anew', async () => {
  const older = { last: { index: 9, term: 1 } }
  const strict = await judging()
  assert.equal(strict.judge(older), 'REGRESSED')
  const relaxed = await judging({ mayLoseTail: true })
  assert.equal(relaxed.judge(older), 'member')
  assert.deepEqual(relaxed.told.regressed, ['n2/b'])
  const follower = await judging({ leads: false })
  assert.equal(follower.judge(older), 'member', 'only a leader knows')
  // What came unasked, was acknowledged while the answer was under way, or in another term, says nothing of a copy.
  assert.equal(strict.judge(older, { acknowledged: undefined }), 'member')
  const upTo = new Map([['n2/b', 9]])
  assert.equal(strict.judge(older, { acknowledged: { term: 1, upTo } }), 'member')
  assert.equal(strict.judge(older, { acknowledged: { term: 0, upTo } }), 'member')
})

test('H58: who was removed is told so, once that is committed, and believes it of a member', async () => {
  const gone = { name: 'n3', incarnation: 'c' }
  assert.equal((await judging()).judge(gone), 'REMOVED')
  assert.equal((await judging({ known: { isSettled: false } })).judge(gone), 'member')
  const { peering, told } = await judging()
  const notice: TransportNotice = { kind: 'refusedBy', reason: 'REMOVED', message: '', address: 'h2:1' }
  peering.tell({ ...notice, reason: 'UNAVAILABLE' })
  assert.equal(told.removed, 0)
  peering.tell(notice)
  assert.equal(told.removed, 1)
})

test('between a member and a node without a cluster only the latter may ask', async () => {
  const member = await judging()
  assert.equal(member.judge({ clusterId: '' }, { dialled: true }), 'NOT_FOUNDED')
  const empty = await judging({ clusterId: '' })
  assert.equal(empty.judge(), 'NOT_FOUNDED')
  assert.equal(empty.judge({}, { dialled: true }), 'guest')
  assert.equal(empty.judge({ clusterId: '' }), 'guest')
})

test('nothing of Raft reaches a node before its consensus has begun', async () => {
  let heard = 0
  const { peering } = await judging({ clusterId: '', receive: () => heard++ })
  peering.message('n2/b', { type: 'timeoutNow', term: 1 })
  assert.equal(heard, 0)
  peering.joined()
  peering.message('n2/b', { type: 'timeoutNow', term: 1 })
  assert.equal(heard, 1)
})

test('H61: a member that is somewhere else now is entered there, by the leader', async () => {
  const leader = await judging()
  leader.judge()
  assert.equal(leader.told.changes, 0)
  leader.judge({ address: 'elsewhere:1' })
  assert.equal(leader.told.changes, 1)
  const follower = await judging({ leads: false })
  follower.judge({ address: 'elsewhere:1' })
  assert.equal(follower.told.changes, 0)
})

test('H44: of two empty nodes that come under one silent name, the second does not replace the first', async () => {
  const info = (name: string, incarnation: string) => ({ name, incarnation, address: 'h2:1' })
  const members: Record<string, ReturnType<typeof info>> = { 'n2/b': info('n2', 'b') }
  const standing = {
    index: 1,
    membership: { voters: ['n1/a', 'n2/b'], outgoing: [], learners: [] as NodeId[], members, removed: [] },
  }
  // As the leader does it: a wish is judged when its turn comes.
  const change = async (wish: Wish): Promise<void> => {
    await new Promise(setImmediate)
    for (const id of wish(standing)?.learners ?? []) {
      standing.membership.learners.push(id)
      members[id] = info('n2', id.slice(3))
    }
  }
  const { peering } = await judging({ change, known: { membership: standing.membership } })
  const from = { id: 'n3/d', hello: peer, isMember: false }
  const come = async (incarnation: string): Promise<unknown> => {
    const node = info('n2', incarnation)
    const answer = await peering.answer(from, encodeQuestion({ kind: 'join', node, passedOn: false }))
    try {
      return decodeJoin(answer)
    } catch (error) {
      return (error as ConcordError).code
    }
  }
  const [first, second] = await Promise.all([come('x'), come('y')])
  assert.deepEqual([typeof first, second], ['object', 'NOT_READY'])
  assert.deepEqual(standing.membership.learners, ['n2/x'])
})
