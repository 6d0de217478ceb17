/** Who waits to read, by hand: what is forgotten when nobody waits any more. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConcordError } from '../../core/errors.ts'
import { Reads } from '../../core/node/reads.ts'

test('H76: a read that waits for a leader leaves nothing behind when its time or its caller is gone', async () => {
  const reads = new Reads()
  const caller = new AbortController()
  const asked = [
    reads.start('leader', { deadlineMs: 10 }),
    reads.start('strong', { deadlineMs: 1000, signal: caller.signal }),
    reads.start('strong', { deadlineMs: 1000 }),
  ]
  const ends = asked.map(({ point }) => point.then(String, (error: Error) => error.name))
  for (const { id } of asked) reads.hold(id)
  reads.expire(10, () => new ConcordError('NO_LEADER', 'none'))
  caller.abort()
  assert.deepEqual(reads.takeHeld(), [asked[2]!.id])
  assert.deepEqual(reads.takeHeld(), [], 'each is asked for once')
  reads.hold(asked[2]!.id)
  reads.failAll(() => new Error('stopped'))
  assert.deepEqual(reads.takeHeld(), [])
  assert.ok(reads.isIdle)
  assert.deepEqual(await Promise.all(ends), ['ConcordError', 'AbortError', 'Error'])
})
