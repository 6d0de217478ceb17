/** What a node is asked that another would have to answer: it passes on what strangers ask, once, and nothing else. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConcordError } from '../../core/errors.ts'
import {
  decodeJoin,
  decodeQuestion,
  encodeAnswer,
  encodeNo,
  encodeQuestion,
} from '../../core/node/introductions.ts'
import { decodeObjection, encodeCall, type PeerCall } from '../../core/node/peer-calls.ts'
import { Peering, type Peered } from '../../core/node/peering.ts'
import { serve, type Served } from '../../core/node/serving.ts'
import type { Caller, Founding, Transport } from '../../core/ports.ts'
import { MemoryIdentity } from '../../core/storage/memory.ts'

const newcomer = { name: 'n9', incarnation: 'z', address: 'h9:1' }
const founding: Founding = {
  id: 'c1',
  by: { name: 'n1', incarnation: 'a' },
  attempt: 1,
  members: [{ name: 'n1', incarnation: 'a', address: 'h1:1' }],
  foundedAt: 0,
}

/** Node n1/a, a member that does not lead; n2/b does, as far as it knows. */
async function follower() {
  const identity = new MemoryIdentity('n1', 'a')
  await identity.update({ clusterId: 'c1', founding })
  const calls: { readonly to: unknown; readonly question: Uint8Array }[] = []
  const transport: Partial<Transport> = {
    listen: async () => 'h1:1',
    call: async (to, question) => {
      calls.push({ to, question })
      return encodeAnswer({ founding })
    },
  }
  const peering = new Peering({
    transport: transport as Transport,
    identity,
    clusterName: 'app',
    runId: 'run1',
    previousRunId: null,
    address: 'h1:1',
    mayLoseTail: false,
    replaceAfterMs: 60_000,
    tell: () => {},
  })
  const node = { leads: false, nowMs: () => 0, status: () => ({ leader: 'n2/b' }) }
  await peering.listen(node as unknown as Peered, undefined as never)
  const from = { id: 'n9/z', isMember: false } as Caller
  const join = (passedOn: boolean): Promise<Uint8Array> =>
    peering.answer(from, encodeQuestion({ kind: 'join', node: newcomer, passedOn }))
  return { join, calls }
}

test('H30: a wish to join is passed on to the leader by whoever got it first, and marked', async () => {
  const { join, calls } = await follower()
  assert.deepEqual(decodeJoin(await join(false)), { founding })
  assert.equal(calls.length, 1)
  assert.equal(calls[0]!.to, 'n2/b')
  assert.deepEqual(decodeQuestion(calls[0]!.question), { kind: 'join', node: newcomer, passedOn: true })
})

test('H30: a wish to join that was passed on is refused by who does not lead, and goes nowhere', async () => {
  const { join, calls } = await follower()
  const answer = await join(true)
  assert.throws(() => decodeJoin(answer), { code: 'NOT_LEADER', outcome: 'not-applied' })
  assert.deepEqual(calls, [])
})

test('what became of a wish to join is said to the newcomer as the leader says it, a doubt among it', () => {
  const said = (error: Error) => () => decodeJoin(encodeNo(error))
  const inTheLog = new ConcordError('TIMEOUT', 'the change is in the log', { outcome: 'unknown' })
  assert.throws(said(inTheLog), { code: 'TIMEOUT', outcome: 'unknown', retryable: false })
  const later = new ConcordError('NOT_READY', 'not yet', { outcome: 'not-applied', retryable: true })
  assert.throws(said(later), { code: 'NOT_READY', outcome: 'not-applied', retryable: true })
  assert.throws(said(new Error('a bug')), { code: 'INTERNAL', outcome: 'unknown', retryable: false })
})

test('H30: what members ask of the leader is refused by another, and asked of nobody else', async () => {
  const touched: string[] = []
  // Whatever else the question would make the node do.
  const node = new Proxy<Partial<Served>>(
    { leads: false, nowMs: () => 0 },
    {
      get: (target, name) => {
        if (!(name in target)) touched.push(String(name))
        return target[name as keyof Served] ?? (() => assert.fail(`${String(name)} was called`))
      },
    },
  ) as Served
  const questions: readonly PeerCall[] = [
    { kind: 'place', datas: [new Uint8Array(3)] },
    { kind: 'read', level: 'strong' },
    { kind: 'read', level: 'leader' },
    { kind: 'expire', keys: [{ space: 0, key: 'k' }] },
    { kind: 'operate', operation: { kind: 'transfer', to: null } },
    { kind: 'hash', member: 'n2/b', index: 7, hash: 'ab' },
  ]
  for (const question of questions) {
    const answer = await serve(node, encodeCall(question))
    assert.throws(
      () => decodeObjection(answer),
      (error) => ConcordError.is(error) && error.code === 'NOT_LEADER' && error.outcome === 'not-applied',
      question.kind,
    )
  }
  assert.deepEqual(
    touched.filter((name) => name !== 'consultation'),
    [],
  )
})
