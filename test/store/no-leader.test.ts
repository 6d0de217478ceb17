// With no leader every call says so, whichever it is, and that nothing was done.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConcordError } from '../../core/index.ts'
import type { Store } from '../../core/plugin.ts'
import { testCluster } from '../../core/testing/index.ts'

const CALLS: Readonly<Record<string, (db: Store) => Promise<unknown>>> = {
  put: (db) => db.put('a', 1),
  get: (db) => db.get('a'),
  'putIf with a revision': (db) => db.putIf('a', 1, { ifRevision: 0 }),
  'putIf with a value that is expected': (db) => db.putIf('a', 1, { expected: 0 }),
  'putIf with a condition': (db) => db.putIf('a', 1, { condition: () => true }),
  'a transaction that reads': (db) => db.txn((tx) => tx.get('a')),
  'a transaction that writes': (db) => db.txn((tx) => tx.put('a', 1)),
  'a transaction as data': (db) => db.txn({ compare: [], success: [{ op: 'get', key: 'a' }] }),
  'cluster.promote': (db) => db.cluster.promote('n2'),
  'cluster.removeMember': (db) => db.cluster.removeMember('n2'),
  'cluster.transferLeadership': (db) => db.cluster.transferLeadership(),
}

test('every call says that there is no leader, and that nothing was done', async () => {
  const t = await testCluster({ seed: 4 })
  try {
    t.crash('n2')
    t.crash('n3')
    const db = t.node('n1').db.with({ timeoutMs: 500 })
    // The leader that n1 may have been gives up first.
    await t.advance(3000)
    for (const [name, call] of Object.entries(CALLS)) {
      const error: unknown = await call(db).then(
        () => 'done',
        (reason: unknown) => reason,
      )
      assert.ok(ConcordError.is(error), `${name}: ${String(error)}`)
      assert.deepEqual([error.code, error.outcome], ['NO_LEADER', 'not-applied'], `${name}: ${error.message}`)
    }
  } finally {
    await t.close()
  }
})
