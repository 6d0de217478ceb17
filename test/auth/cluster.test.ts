// Tokens in a cluster: made on one node, good on all, there after a restart, and gone everywhere when they are revoked.

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { pino } from 'pino'
import { ConcordError } from '../../core/index.ts'
import { testCluster } from '../../core/testing/index.ts'
import { fileNode, temporary } from '../store/node.ts'

const codeOf = (error: unknown): string => (ConcordError.is(error) ? error.code : String(error))
const outcome = (call: Promise<unknown>): Promise<string> => call.then(() => 'done', codeOf)

const config = { plugins: { auth: true } } as const

/** What was called first is first in the log. */
async function assertInOrder(calls: readonly Promise<{ readonly revision: number }>[]): Promise<void> {
  const revisions = (await Promise.all(calls)).map(({ revision }) => revision)
  assert.deepEqual(
    revisions,
    revisions.toSorted((a, b) => a - b),
  )
}

describe('a token', () => {
  test('that is made on one node is good on all, whoever leads, also after all have restarted', async () => {
    const t = await testCluster({ seed: 7, config })
    try {
      const [first] = t.nodes
      const { token } = await first!.db.plugin('auth').bootstrap()
      for (const { db } of t.nodes) await db.with({ token }).put('a', 1)
      for (const { name } of t.nodes) t.crash(name)
      await Promise.all(t.nodes.map(({ name }) => t.start(name)))
      for (const { db } of t.nodes) assert.equal(await db.with({ token }).get('a'), 1)
      assert.equal(
        await outcome(t.nodes[1]!.db.plugin('auth').bootstrap()),
        'CHANGE_REFUSED',
        'once for the cluster',
      )
    } finally {
      await t.close()
    }
  })

  test('H65: that is revoked asks for nothing more, on a node either that let it in before it heard', async () => {
    const t = await testCluster({ seed: 2, config })
    try {
      const leader = await t.leader()
      const slow = t.nodes.find(({ name }) => name !== leader.name)!
      const auth = leader.db.plugin('auth')
      const { id, token } = await auth.createToken({ name: 'app', roles: ['editor'] })
      const store = slow.db.with({ token })
      await store.put('before', 1)
      t.pause(slow.name)
      await auth.revokeToken(id)
      // Let in by what this node knows; what it asks for comes into the log behind the revocation.
      const calls = [
        store.put('after', 1),
        store.increment('n'),
        store.delete('before'),
        store.txn((tx) => tx.put('x', 1)),
        store.putIf('before', 2, { ifRevision: 1 }),
        store.get('before'),
        store.getMany(['before']),
        store.entries().next(),
      ]
      t.resume(slow.name)
      assert.deepEqual(
        await Promise.all(calls.map(outcome)),
        calls.map(() => 'UNAUTHORIZED'),
      )
      const { token: admin } = await auth.bootstrap()
      const keys: string[] = []
      for await (const { key } of leader.db.entries({ token: admin })) keys.push(key)
      assert.deepEqual(keys, ['before'])
      await t.until(
        async () => (await outcome(store.get('before', { consistency: 'eventual' }))) === 'UNAUTHORIZED',
      )
    } finally {
      await t.close()
    }
  })

  test('that is revoked reads no further entry of an iterator, on a node that has heard of it', async () => {
    const t = await testCluster({ seed: 4, config })
    try {
      const leader = await t.leader()
      const other = t.nodes.find(({ name }) => name !== leader.name)!
      const auth = leader.db.plugin('auth')
      const { id, token } = await auth.createToken({ name: 'app', roles: ['editor'] })
      const store = other.db.with({ token })
      for (const key of ['a/1', 'a/2', 'b/1', 'b/2']) await store.put(key, 1)
      const entries = store.entries()
      const next = async () => ((await entries.next()).value as { key: string }).key
      assert.equal(await next(), 'a/1')
      await auth.setGrants(id, [{ prefix: 'b/', permissions: ['read'] }])
      await auth.revokeRole(id, 'editor')
      await t.until(async () => (await outcome(store.put('a/1', 1))) === 'FORBIDDEN')
      assert.equal(await next(), 'b/1', 'a part of what is left')
      await auth.revokeToken(id)
      await t.until(async () => (await outcome(store.put('a/1', 1))) === 'UNAUTHORIZED')
      assert.equal(await outcome(next()), 'UNAUTHORIZED')
    } finally {
      await t.close()
    }
  })

  test('that cannot be one is refused at once, also by a node that has lost its leader', async () => {
    const t = await testCluster({ seed: 4, config })
    try {
      const leader = await t.leader()
      await leader.db.plugin('auth').bootstrap()
      const cutOff = t.nodes.find(({ name }) => name !== leader.name)!
      t.partition(
        [cutOff.name],
        t.nodes.map(({ name }) => name).filter((name) => name !== cutOff.name),
      )
      await t.advance(3000)
      const answers: string[] = []
      for (const token of [undefined, '', 'no token', `sk_concord_${'x'.repeat(31)}`]) {
        void outcome(cutOff.db.put('k', 1, token === undefined ? {} : { token })).then((code) =>
          answers.push(code),
        )
      }
      await t.advance(1)
      assert.deepEqual(answers, Array(4).fill('UNAUTHORIZED'))
    } finally {
      await t.close()
    }
  })

  test('that expires lives no longer for being changed', async () => {
    const t = await testCluster({ seed: 4, config })
    try {
      const leader = await t.leader()
      const follower = t.nodes.find(({ name }) => name !== leader.name)!
      const auth = follower.db.plugin('auth')
      const { id, token } = await auth.createToken({ name: 'brief', roles: ['editor'], ttl: 0.5 })
      const endsAt = t.now + 500
      let changes = 0
      for (; t.now < endsAt - 50; changes++) await auth.grantRole(id, 'viewer')
      assert.ok(changes > 10)
      await t.advance(endsAt + 20 - t.now)
      assert.equal(await outcome(leader.db.get('k', { token })), 'UNAUTHORIZED')
      assert.deepEqual(await auth.listTokens(), [])
    } finally {
      await t.close()
    }
  })

  test('that was made a moment ago is good on a node that has not heard of it', async () => {
    const t = await testCluster({ seed: 2, config })
    try {
      const leader = await t.leader()
      const slow = t.nodes.find(({ name }) => name !== leader.name)!
      t.pause(slow.name)
      const { token } = await leader.db.plugin('auth').bootstrap()
      const calls = [
        slow.db.put('a', 1, { token }),
        slow.db.get('a', { token }),
        slow.db.cluster.snapshot({ token }),
      ]
      t.resume(slow.name)
      assert.deepEqual(
        await Promise.all(calls.map(outcome)),
        calls.map(() => 'done'),
      )
    } finally {
      await t.close()
    }
  })

  test('is judged again when a role that lets it in goes, between the door and the log', async () => {
    const t = await testCluster({ seed: 3, config })
    try {
      const leader = await t.leader()
      const auth = leader.db.plugin('auth')
      await auth.createRole('writer', [{ prefix: 'app/', permissions: ['write'] }])
      const { token } = await auth.createToken({ name: 'app', roles: ['writer'] })
      const store = leader.db.with({ token })
      await store.put('app/a', 1)
      // Both are under way at once: whichever comes first in the log, no write follows the loss of the right.
      const [deleted, ...writes] = await Promise.allSettled([
        auth.deleteRole('writer'),
        ...Array.from({ length: 20 }, (_, at) => store.put('app/a', at)),
      ])
      assert.equal(deleted.status, 'fulfilled')
      assert.ok(writes.every((one) => one.status === 'fulfilled' || codeOf(one.reason) === 'FORBIDDEN'))
      assert.equal(await outcome(store.put('app/a', 'after')), 'FORBIDDEN')
    } finally {
      await t.close()
    }
  })

  /** Two tokens, and a follower that does not hear yet of what is done to the one; it serves the other. */
  async function besideOneThatGoes(t: Awaited<ReturnType<typeof testCluster>>) {
    const leader = await t.leader()
    const slow = t.nodes.find(({ name }) => name !== leader.name)!
    const auth = leader.db.plugin('auth')
    const { id } = await auth.createToken({ name: 'goes', roles: ['editor'] })
    const { token } = await auth.createToken({ name: 'stays', roles: ['editor'] })
    const store = slow.db.with({ token })
    await store.put('k', 0)
    return { slow, store, takeAway: () => auth.revokeToken(id) }
  }

  test('writes what it was given, also when rights have changed and it is proposed again', async () => {
    const t = await testCluster({ seed: 2, config })
    try {
      const { slow, store, takeAway } = await besideOneThatGoes(t)
      t.pause(slow.name)
      await takeAway()
      const value = { n: 1 }
      const request = {
        compare: [{ key: 'new', revision: 0 }],
        success: [{ op: 'put', key: 'new', value } as const],
      }
      const calls = [
        store.put('put', value),
        store.putMany([{ key: 'many', value }]),
        store.putIf('if', value, { ifAbsent: true }),
        store.txn(request),
      ]
      value.n = 2
      request.compare[0]!.revision = 99
      t.resume(slow.name)
      await Promise.all(calls)
      const keys = ['put', 'many', 'if', 'new']
      assert.deepEqual(
        await store.getMany(keys),
        keys.map(() => ({ n: 1 })),
      )
    } finally {
      await t.close()
    }
  })

  test('writes in the order of its calls, also when rights change between them', async () => {
    const t = await testCluster({ seed: 2, config })
    try {
      const { slow, store, takeAway } = await besideOneThatGoes(t)
      t.pause(slow.name)
      await takeAway()
      const calls = [store.put('k', 1)]
      t.resume(slow.name)
      for (let each = 2; each < 100; each++) {
        await t.advance(0.1)
        calls.push(store.put('k', each))
      }
      await assertInOrder(calls)
      assert.equal(await store.get('k'), 99)
    } finally {
      await t.close()
    }
  })

  test('that nobody knows is refused, whatever else is wrong with the call, and nothing else comes of it', async () => {
    const t = await testCluster({ seed: 4, config: { ...config, limits: { queueBytes: 1024 * 1024 } } })
    try {
      const leader = await t.leader()
      await leader.db.plugin('auth').bootstrap()
      const store = leader.db.with({ token: `sk_concord_${'x'.repeat(43)}` })
      const large = 'x'.repeat(600 * 1024)
      const calls = [
        store.put('k', () => 1),
        store.putIf('k', 1, { expected: () => 1 }),
        store.put('a', large),
        store.put('b', large),
      ]
      const codes = await Promise.all(calls.map(outcome))
      assert.deepEqual(codes, ['INVALID_VALUE', 'INVALID_VALUE', 'UNAUTHORIZED', 'OVERLOADED'])
    } finally {
      await t.close()
    }
  })

  test('writes in the order of its calls, also at a node that has not heard of it yet', async () => {
    const t = await testCluster({ seed: 3, config })
    try {
      const leader = await t.leader()
      const auth = leader.db.plugin('auth')
      await auth.bootstrap()
      const { token } = await auth.createToken({ name: 'app', roles: ['editor'] })
      const elsewhere = t.nodes.find(({ name }) => name !== leader.name)!
      const store = elsewhere.db.with({ token })
      const calls: Promise<{ readonly revision: number }>[] = []
      for (let each = 0; each < 100; each++) {
        calls.push(store.put('k', each))
        await t.advance(0.2)
      }
      await assertInOrder(calls)
      assert.equal(await store.get('k'), 99)
    } finally {
      await t.close()
    }
  })

  test('is taken by no node that has lost touch with its leader, unless the config says so', async () => {
    for (const staleReads of [false, true]) {
      const t = await testCluster({ seed: 5, config: { plugins: { auth: { staleReads } } } })
      try {
        const leader = await t.leader()
        const { token } = await leader.db.plugin('auth').bootstrap()
        const cutOff = t.nodes.find(({ name }) => name !== leader.name)!
        const store = cutOff.db.with({ token, consistency: 'eventual' })
        await leader.db.with({ token }).put('a', 1)
        await t.advance(100)
        assert.equal(await store.get('a'), 1)
        t.partition(
          [cutOff.name],
          t.nodes.map(({ name }) => name).filter((name) => name !== cutOff.name),
        )
        await t.advance(1200)
        assert.equal(await outcome(store.get('a')), staleReads ? 'done' : 'NOT_READY')
        t.heal()
        await t.until(async () => (await outcome(store.get('a'))) === 'done')
      } finally {
        await t.close()
      }
    }
  })

  test('of a leader that is cut off is taken no longer either', async () => {
    const t = await testCluster({ seed: 6, config })
    try {
      const leader = await t.leader()
      const { token } = await leader.db.plugin('auth').bootstrap()
      const store = leader.db.with({ token, consistency: 'eventual' })
      assert.equal(await outcome(store.get('a')), 'done')
      t.partition(
        [leader.name],
        t.nodes.map(({ name }) => name).filter((name) => name !== leader.name),
      )
      await t.advance(2500)
      assert.equal(await outcome(store.get('a')), 'NOT_READY')
      assert.equal(await outcome(store.status()), 'done', 'how the node is may be asked')
      assert.equal(await outcome(store.cluster.members()), 'done')
    } finally {
      await t.close()
    }
  })
})

test('no secret of a token is on the disk, in the log of the node, in its status or in an error', async (t) => {
  const dir = await temporary(t)
  const lines: string[] = []
  const logger = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) })
  const db = await fileNode(t, dir, {
    plugins: { auth: true, http: { port: 0 } },
    log: { level: 'trace', logger },
  })
  const auth = db.plugin('auth')
  const first = await auth.bootstrap()
  const other = await auth.createToken({ name: 'other', roles: ['viewer'], ttl: 3600 })
  const rotated = await auth.rotateToken(other.id, { overlap: 60 })
  const secrets = [first, other, rotated].map(({ token }) => token.split('.')[1]!)
  const canary = 'canary-of-a-value-7c1f'
  const said: unknown[] = []
  for (const { token } of [first, other, rotated, { token: `${first.token}x` }]) {
    const store = db.with({ token })
    said.push(await store.put('k', canary).catch((error: unknown) => error))
    for (const header of [`Bearer ${token}`, token]) {
      const headers = { authorization: header }
      for (const path of ['/api/v1/kv/nobody', '/api/v1/tokens', '/api/v1/status', '/nowhere']) {
        said.push(await (await fetch(db.plugin('http').url! + path, { headers })).text())
      }
    }
  }
  said.push(await auth.listTokens(), await db.status({ token: first.token }))
  await db.cluster.snapshot({ token: first.token })
  await db.close()
  const onDisk = readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
  assert.ok(
    onDisk.some((content) => content.includes(canary)),
    'the disk has the values',
  )
  assert.ok(lines.length > 3, 'the node has said something')
  for (const secret of secrets) {
    assert.ok(!onDisk.some((content) => content.includes(secret)), 'a secret is on the disk')
    assert.ok(!JSON.stringify(said, hide).includes(secret), 'a secret is in an answer')
    assert.ok(!lines.join('\n').includes(secret), 'a secret is in the log')
  }
  assert.ok(!lines.join('\n').includes(canary), 'a value is in the log')
})

function hide(_name: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value)
  if (value instanceof Error)
    return {
      ...Object.fromEntries(Object.entries(value)),
      message: value.message,
      stack: value.stack,
      cause: value.cause,
    }
  return value
}

describe('changes of rights', () => {
  test('are whole: a first token whose making is cut off is made by the next who asks', async () => {
    for (let cutMs = 1; cutMs <= 10; cutMs++) {
      const t = await testCluster({ seed: cutMs, config })
      try {
        const leader = await t.leader()
        const follower = t.nodes.find(({ name }) => name !== leader.name)!
        const made = outcome(follower.db.plugin('auth').bootstrap())
        await t.advance(cutMs)
        t.crash(follower.name)
        await made
        await t.advance(1000)
        const auth = leader.db.plugin('auth')
        const again = await outcome(auth.bootstrap())
        const tokens = await auth.listTokens()
        assert.equal(tokens.length, 1, `${cutMs} ms: ${again}`)
      } finally {
        await t.close()
      }
    }
  })

  test('of one token at once, on two nodes, are all there', async () => {
    const t = await testCluster({ seed: 9, config })
    try {
      const [one, two] = t.nodes.map(({ db }) => db.plugin('auth'))
      await one!.bootstrap()
      const { id } = await one!.createToken({ name: 'app' })
      await Promise.all([
        one!.grantRole(id, 'viewer'),
        two!.grantRole(id, 'editor'),
        one!.setGrants(id, [{ prefix: 'a/', permissions: ['read'] }]),
        two!.grantRole(id, 'none'),
      ])
      const found = (await two!.listTokens()).find((token) => token.id === id)!
      assert.deepEqual([...found.roles].sort(), ['editor', 'none', 'viewer'])
      assert.equal(found.grants.length, 1)
    } finally {
      await t.close()
    }
  })

  test('a rotation without an overlap ends the secrets before it, those too that were to go on', async () => {
    const t = await testCluster({ nodes: 1, config })
    try {
      const { db } = t.node('n1')
      const auth = db.plugin('auth')
      const first = await auth.createToken({ name: 'app', roles: ['viewer'] })
      const second = await auth.rotateToken(first.id, { overlap: 3600 })
      assert.equal(await outcome(db.get('a', { token: first.token })), 'done')
      const third = await auth.rotateToken(first.id)
      const codes = [first, second, third].map(({ token }) => outcome(db.get('a', { token })))
      assert.deepEqual(await Promise.all(codes), ['UNAUTHORIZED', 'UNAUTHORIZED', 'done'])
    } finally {
      await t.close()
    }
  })

  test('leave somebody who may make tokens, unless they are forced', async () => {
    const t = await testCluster({ nodes: 3, seed: 8, config })
    try {
      const [one, two] = t.nodes.map(({ db }) => db.plugin('auth'))
      await one!.createRole('boss', [{ prefix: '', permissions: ['admin'] }])
      const boss = await one!.createToken({ name: 'boss', roles: ['boss'] })
      await one!.createToken({ name: 'brief', roles: ['admin'], ttl: 3600 })
      assert.equal(await outcome(one!.revokeToken(boss.id)), 'CHANGE_REFUSED')
      assert.equal(await outcome(one!.revokeRole(boss.id, 'boss')), 'CHANGE_REFUSED')
      assert.equal(await outcome(one!.deleteRole('boss')), 'CHANGE_REFUSED')
      const other = await one!.createToken({
        name: 'other',
        grants: [{ prefix: '', permissions: ['admin'] }],
      })
      assert.equal(await outcome(one!.setGrants(other.id, [])), 'done')
      await one!.setGrants(other.id, [{ prefix: '', permissions: ['admin'] }])
      const both = await Promise.all([
        outcome(one!.revokeToken(boss.id)),
        outcome(two!.revokeToken(other.id)),
      ])
      assert.deepEqual([...both].sort(), ['CHANGE_REFUSED', 'done'], 'one of them is the last')
    } finally {
      await t.close()
    }
  })
})

test('a node that starts without the others calls no token unknown: it has not heard of all', async () => {
  const t = await testCluster({ seed: 11, config })
  try {
    const leader = await t.leader()
    const { token } = await leader.db.plugin('auth').bootstrap()
    await leader.db.with({ token }).put('a', 1)
    const names = t.nodes.map(({ name }) => name)
    for (const name of names) t.crash(name)
    const { db } = await t.start(names[0]!)
    await t.advance(2000)
    const alone = db.with({ token })
    for (const call of [() => alone.status(), () => alone.cluster.members()]) {
      await assert.rejects(call, { code: 'NOT_READY', message: /has no leader/ })
    }
    await assert.rejects(db.status(), (error: Error) => !error.message.includes('bootstrap'))
    await t.start(names[1]!)
    await t.until(async () => (await outcome(alone.get('a'))) === 'done')
    assert.equal(await outcome(alone.status()), 'done')
  } finally {
    await t.close()
  }
})
