/** When the driver takes snapshots, what is in them, and what happens when one cannot be taken. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConcordError } from '../../core/errors.ts'
import { snapshotLoader } from '../../core/machine/index.ts'
import { type Held, heldNode } from './held.ts'

const VALUE = 'x'.repeat(400)

/** Puts once; how that ended. */
async function put({ clock, db }: Held, key = 'k'): Promise<string> {
  let ended = 'pending'
  db.put(key, VALUE).then(
    () => (ended = 'done'),
    (error: ConcordError) => (ended = error.code),
  )
  await clock.settle()
  return ended
}

/** Puts until writes are refused. */
async function putUntilRefused(held: Held): Promise<string> {
  let ended = 'done'
  for (let n = 0; n < 200 && ended === 'done'; n++) ended = await put(held)
  return ended
}

test('H41: a snapshot is of the moment that its index names, whatever is written while it is begun', async () => {
  const held = await heldNode()
  const { clock, driver, snapshots } = held
  await put(held, 'before')
  const { appliedIndex } = driver.machine
  snapshots.held = 'create'
  const taking = driver.snapshot()
  await put(held, 'after')
  snapshots.letGo()
  await clock.settle()
  assert.equal((await taking).index, appliedIndex)
  const loader = snapshotLoader()
  for (const chunk of snapshots.taken?.chunks ?? []) loader.push(chunk)
  const machine = loader.finish()
  assert.deepEqual([machine.appliedIndex, machine.users.count], [appliedIndex, 1])
})

test('H76: writes wait for a snapshot that is far behind, and what came meanwhile counts for the next', async () => {
  const held = await heldNode({ snapshotLogBytes: 4096 })
  const { clock, snapshots } = held
  snapshots.held = 'write'
  assert.equal(await putUntilRefused(held), 'OVERLOADED')
  assert.equal(snapshots.tried, 1)
  snapshots.letGo()
  await clock.settle()
  assert.equal(snapshots.tried, 2, 'the log behind the first is long enough for another')
  assert.equal(await put(held), 'done')
})

test('H37: after snapshots that found no space, one is tried again although nothing is written', async () => {
  const held = await heldNode({ snapshotLogBytes: 4096 })
  const { clock, snapshots, failures } = held
  snapshots.failure = new ConcordError('STORAGE_FULL', 'no space')
  assert.equal(await putUntilRefused(held), 'OVERLOADED')
  await clock.advance(20_000)
  assert.ok(snapshots.tried > 2 && snapshots.tried < 7, `tried ${snapshots.tried} times`)
  snapshots.failure = undefined
  await clock.advance(6000)
  assert.equal(await put(held), 'done')
  assert.deepEqual(failures, [])
})

test('H37: on a full volume a snapshot is taken when there is log to drop, once for as much log; each change is told once', async () => {
  const held = await heldNode()
  const { clock, log, snapshots, spaces } = held
  const large = 'x'.repeat(300_000)
  for (let n = 0; n < 5; n++) void held.db.put('k', large)
  await clock.settle()
  assert.equal(snapshots.tried, 0, 'the log is far from long')
  log.roomBytes = 0
  for (let n = 0; n < 3; n++) assert.equal(await put(held), 'STORAGE_FULL')
  assert.deepEqual([snapshots.tried, spaces], [1, [true]])
  await clock.advance(60_000)
  assert.equal(await put(held), 'STORAGE_FULL')
  assert.deepEqual([snapshots.tried, spaces], [1, [true]], 'another would give nothing back')
  log.roomBytes = Infinity
  assert.equal(await put(held), 'done')
  assert.deepEqual(spaces, [true, false])
})

test('a snapshot that fails says why, also when what it has written cannot be removed', async () => {
  const { driver, snapshots, failures } = await heldNode()
  snapshots.held = 'write'
  snapshots.abortFailure = new Error('cannot remove it')
  const taking = assert.rejects(driver.snapshot(), /the disk is on fire/)
  await new Promise((resolve) => setImmediate(resolve))
  snapshots.failure = new Error('the disk is on fire')
  snapshots.letGo()
  await taking
  assert.match(failures[0]?.message ?? '', /on fire/)
})
