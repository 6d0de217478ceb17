/** Time goes on over a restart by the wall clock: by what nobody ran, and not by what the clock was set. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Held, TestClock, heldNode } from './held.ts'
import { outcome } from './outcome.ts'

const HOUR = 3600
const YEARS_MS = 55 * 365 * 24 * HOUR * 1000

async function withTtl(seconds: number): Promise<Held> {
  const node = await heldNode()
  const put = outcome(node.db.put('k', 1, { ttl: seconds }))
  await node.clock.settle()
  assert.ok(put.value)
  return node
}

/** The node after it was down for so long: monotonic time begins anew, the wall clock goes on. */
async function restarted({ clock, log, driver }: Held, downMs: number): Promise<Held> {
  await driver.stop()
  const next = new TestClock()
  next.wallOffsetMs = clock.wallMs() + downMs - next.nowMs
  const node = await heldNode({}, 1, next, log)
  await next.settle()
  return node
}

async function ttlOf({ clock, db }: Held): Promise<number | null | undefined> {
  const ttl = outcome(db.ttl('k'))
  await clock.settle()
  return ttl.value
}

const isNear = (found: number | null | undefined, seconds: number): void =>
  assert.ok(Math.abs((found ?? 0) - seconds) < 2, `a ttl of ${found} s, expected about ${seconds}`)

test('H63: a wall clock that is set while the node runs ends no TTL early after a restart', async () => {
  for (const setMs of [YEARS_MS, -YEARS_MS]) {
    const node = await withTtl(HOUR)
    node.clock.wallOffsetMs += setMs
    await node.clock.advance(60_000)
    isNear(await ttlOf(node), HOUR - 60)
    isNear(await ttlOf(await restarted(node, 120_000)), HOUR - 60 - 120)
  }
})

test('H63: a machine that slept while the node ran ends no TTL early after a restart', async () => {
  const node = await withTtl(HOUR)
  await node.clock.advance(60_000)
  node.clock.wallOffsetMs += 8 * HOUR * 1000
  await node.clock.advance(100)
  isNear(await ttlOf(await restarted(node, 0)), HOUR - 60)
})

test('H63: a clean stop right after the machine woke counts the sleep no more than a tick does', async () => {
  const node = await withTtl(HOUR)
  node.clock.wallOffsetMs += 8 * HOUR * 1000
  const drained = node.driver.drain(1000)
  await node.clock.settle()
  await drained
  isNear(await ttlOf(await restarted(node, 0)), HOUR)
})

test('the disk remembers what the wall clock is worth when it was set, once, and not while the clocks go together', async () => {
  const { clock, log } = await withTtl(HOUR)
  const before = log.batches.length
  await clock.advance(10_000)
  assert.equal(log.batches.length, before)
  clock.wallOffsetMs += 200
  await clock.advance(1000)
  assert.equal(log.batches.length, before, 'clocks are never quite together')
  log.held = true
  clock.wallOffsetMs += 900
  await clock.advance(1000)
  log.letGo()
  await clock.settle()
  await clock.advance(1000)
  const marks = log.batches.slice(before)
  assert.equal(marks.length, 1)
  assert.ok(marks[0]!.hardState?.wallMark && marks[0]!.entries.length === 0)
})

test('a directory without such a mark counts no time for its first restart, and all of it from then on', async () => {
  const node = await withTtl(HOUR)
  await node.clock.advance(60_000)
  // As a version that made no marks has left it.
  const { batches } = node.log
  for (const [at, { hardState, ...rest }] of batches.entries()) {
    if (hardState === undefined) continue
    const { wallMark: _, ...unmarked } = hardState
    batches[at] = { ...rest, hardState: unmarked }
  }
  const first = await restarted(node, 120_000)
  const left = await ttlOf(first)
  assert.ok(left! > HOUR - 62 && left! <= HOUR, `nothing of the two minutes, found ${left}`)
  const second = await restarted(first, 120_000)
  const then = await ttlOf(second)
  assert.ok(Math.abs(left! - 120 - then!) < 2, `two minutes of ${left}, found ${then}`)
})
