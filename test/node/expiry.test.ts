/** What is due leaves by commands of the leader: few, bounded, and shared by all who wait for them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Held, heldNode } from './held.ts'
import { outcome } from './outcome.ts'

/** A node that has `keys` due, and no tick since that would have let them go. */
async function withDue(keys: readonly string[]): Promise<Held & { readonly committed: () => number[] }> {
  const node = await heldNode()
  const { clock, db, log } = node
  const puts = keys.map((key) => outcome(db.put(key, 1, { ttl: 0.01 })))
  await clock.settle()
  assert.ok(puts.every(({ value }) => value !== undefined))
  clock.nowMs += 20
  const before = log.batches.length
  const committed = (): number[] =>
    log.batches.slice(before).flatMap(({ entries }) => entries.map(({ data }) => data.length))
  return { ...node, committed }
}

test('H76: however many reads find a key due, the log holds one command for it', async () => {
  const { clock, log, db, committed } = await withDue(['k'])
  log.held = true
  const reads = Array.from({ length: 1000 }, () => outcome(db.get('k')))
  await clock.settle()
  const later = outcome(db.getMany(['k', 'other']))
  await clock.settle()
  assert.ok(
    [...reads, later].every((read) => !('value' in read)),
    'nobody is answered before it is gone',
  )
  log.letGo()
  await clock.settle()
  assert.ok(reads.every((read) => 'value' in read && read.value === undefined))
  assert.deepEqual(later.value, [undefined, undefined])
  assert.equal(committed().length, 1)
  assert.ok((committed()[0] as number) < 50, String(committed()))
})

test('H76: reads of many due keys keep one command in the log at a time, of at most a batch', async () => {
  const keys = Array.from({ length: 1200 }, (_, n) => `k${n}`)
  const { clock, log, db, committed } = await withDue(keys)
  log.held = true
  const first = outcome(db.get('k0'))
  await clock.settle()
  const rest = keys.slice(1).map((key) => outcome(db.get(key)))
  await clock.settle()
  log.letGo()
  await clock.settle()
  for (const read of [first, ...rest]) assert.ok('value' in read && read.value === undefined)
  // 500 is `limits.batch`: the first command fills up with what is due besides.
  assert.equal(committed().length, 3)
  assert.ok(committed().reduce((sum, bytes) => sum + bytes, 0) < 10 * keys.length)
  assert.equal(db.local.get('k1'), undefined)
})

test('a read that waits for a key to go has its own deadline and signal; the others wait on', async () => {
  const { clock, log, db } = await withDue(['k'])
  log.held = true
  const controller = new AbortController()
  const brief = outcome(db.get('k', { timeoutMs: 100 }))
  const aborted = outcome(db.get('k', { signal: controller.signal }))
  const patient = outcome(db.get('k'))
  await clock.settle()
  controller.abort(new Error('enough'))
  await clock.advance(200)
  assert.deepEqual([brief.error?.code, brief.error?.outcome], ['TIMEOUT', 'not-applied'])
  assert.equal(aborted.error?.name, 'AbortError')
  assert.deepEqual(patient, {})
  log.letGo()
  await clock.settle()
  assert.ok('value' in patient && patient.value === undefined)
})

test('a node that stops answers those who wait for a key to go', async () => {
  const { clock, log, db, driver } = await withDue(['k'])
  log.held = true
  const read = outcome(db.get('k'))
  await clock.settle()
  const stopped = driver.stop()
  log.letGo()
  await stopped
  await clock.settle()
  assert.equal(read.error?.code, 'STOPPED')
})
