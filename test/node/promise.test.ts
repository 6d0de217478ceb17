// What a voter has promised outlives its process, and is forgotten when it is surely over.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { forgetPromise, rememberPromise } from '../../core/node/promise.ts'
import { MemoryIdentity } from '../../core/storage/memory.ts'
import { HandClock } from '../plugins/world.ts'

test('H28: a node that starts with a shorter lease than before waits for the longer one, this once', async () => {
  const identity = new MemoryIdentity('n1', 'a')
  assert.equal(await rememberPromise(identity, 3000), 3000)
  assert.equal(identity.promisedMs, 3000, 'durable before anything is promised')
  assert.equal(await rememberPromise(identity, 150), 3000)
  const clock = new HandClock()
  const fail = (error: Error): void => assert.fail(error)
  const waits = { promisedMs: 3000, leaseMs: 150, driftMs: 10 }
  forgetPromise({ clock, identity }, waits, () => false, fail)
  clock.advance(3009)
  assert.equal(identity.promisedMs, 3000, 'a crash until then changes nothing')
  clock.advance(1)
  assert.equal(await rememberPromise(identity, 150), 150)
})

test("a node that was stopped before forgets nothing: the directory may be the next run's by then", async () => {
  const identity = new MemoryIdentity('n1', 'a')
  await rememberPromise(identity, 3000)
  const clock = new HandClock()
  const waits = { promisedMs: 3000, leaseMs: 150, driftMs: 10 }
  forgetPromise(
    { clock, identity },
    waits,
    () => true,
    (error) => assert.fail(error),
  )
  clock.advance(3010)
  assert.equal(identity.promisedMs, 3000)
})
