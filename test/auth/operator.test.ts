// Changes of the cluster are judged where they are decided: by whoever leads then, however long they were on their way.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MalformedError } from '../../core/bytes.ts'
import { ConcordError } from '../../core/index.ts'
import { decodeCall, encodeCall, type PeerCall } from '../../core/node/peer-calls.ts'
import { testCluster } from '../../core/testing/index.ts'

const codeOf = (error: unknown): string => (ConcordError.is(error) ? error.code : String(error))
const outcome = (call: Promise<unknown>): Promise<string> => call.then(() => 'done', codeOf)
const config = { plugins: { auth: true } } as const

describe('a change of the cluster', () => {
  test('is not made once the token that has asked for it is revoked, wherever it is on its way', async () => {
    let refused = 0
    for (let cutMs = 2; cutMs <= 5; cutMs++) {
      const t = await testCluster({ nodes: 5, seed: 11, config })
      try {
        const leader = await t.leader()
        const [asker, goes] = t.nodes.filter(({ name }) => name !== leader.name)
        const auth = leader.db.plugin('auth')
        const { token } = await auth.bootstrap()
        const boss = await auth.createToken({ name: 'boss', roles: ['admin'] })
        await asker!.db.with({ token: boss.token }).get('all is here')
        const asked = outcome(
          asker!.db.cluster.removeMember(goes!.name, { token: boss.token, timeoutMs: 20_000 }),
        )
        await t.advance(cutMs)
        const rest = t.nodes.map(({ name }) => name).filter((name) => name !== asker!.name)
        t.partition([asker!.name], rest)
        await auth.revokeToken(boss.id)
        const members = async () => (await leader.db.cluster.members({ token })).length
        const before = await members()
        await t.advance(300)
        t.heal()
        const answer = await asked
        await t.advance(1000)
        assert.equal(await members(), before, `cut off after ${cutMs} ms: ${answer}`)
        if (answer === 'UNAUTHORIZED') refused++
      } finally {
        await t.close()
      }
    }
    assert.ok(refused > 0, 'some were on their way')
  })

  test('is made by whoever still may, also when the rights of another have gone meanwhile', async () => {
    const t = await testCluster({ seed: 12, config })
    try {
      const leader = await t.leader()
      const [asker, goes] = t.nodes.filter(({ name }) => name !== leader.name)
      const auth = leader.db.plugin('auth')
      const { token } = await auth.bootstrap()
      const other = await auth.createToken({ name: 'other', roles: ['viewer'] })
      await asker!.db.with({ token }).get('all is here')
      const [removed] = await Promise.all([
        outcome(asker!.db.cluster.removeMember(goes!.name, { token })),
        auth.revokeToken(other.id),
      ])
      assert.equal(removed, 'done')
      assert.equal((await leader.db.cluster.members({ token })).length, 2)
    } finally {
      await t.close()
    }
  })

  test('carries what it was let in by to the leader, whole', () => {
    const guard = { space: 3, key: 'epoch', revision: 2 ** 40 }
    const call: PeerCall = { kind: 'operate', operation: { kind: 'remove', member: 'n2' }, guard }
    const bytes = encodeCall(call)
    assert.deepEqual(decodeCall(bytes), call)
    for (let length = 0; length < bytes.length; length++) {
      assert.throws(() => decodeCall(bytes.slice(0, length)), MalformedError)
    }
  })
})
