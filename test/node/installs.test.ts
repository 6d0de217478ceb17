/** A snapshot that comes from a leader and meets a disk without space, or is no snapshot. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConcordError } from '../../core/errors.ts'
import { Installs } from '../../core/node/installs.ts'
import { createMachine, snapshotSource } from '../../core/machine/index.ts'
import type { Input, SnapshotMeta } from '../../core/raft/index.ts'
import { HeldSnapshots, TestClock } from './held.ts'

const membership = { voters: [], outgoing: [], learners: [], members: {}, removed: [] }
const meta: SnapshotMeta = { index: 7, term: 1, clusterTime: 0, wallTime: 0, membership }

function receiver() {
  const clock = new TestClock()
  const snapshots = new HeldSnapshots()
  const inputs: Input[] = []
  const failures: Error[] = []
  const owner = {
    input: (input: Input) => inputs.push(input),
    failed: (error: Error) => failures.push(error),
  }
  const installs = new Installs({ clock, snapshots }, [], owner)
  const come = (data: Uint8Array): void =>
    installs.write([{ kind: 'chunk', meta, offset: 0, data, done: true }])
  const seen = (): string[] => inputs.map(({ type }) => type)
  return { clock, snapshots, installs, failures, come, seen }
}

function whole(): Uint8Array {
  const source = snapshotSource(createMachine())
  const chunks: Uint8Array[] = []
  for (let chunk = source.next(1024); chunk !== undefined; chunk = source.next(1024)) chunks.push(chunk)
  source.close()
  return Buffer.concat(chunks)
}

test('H37: a snapshot that finds no space is put off, the node goes on, and takes it when there is space', async () => {
  const { clock, snapshots, installs, failures, come, seen } = receiver()
  snapshots.failure = new ConcordError('STORAGE_FULL', 'no space left')
  come(whole())
  await clock.settle()
  assert.deepEqual([failures, seen()], [[], []], 'not refused at once, or it would come again at once')
  await clock.advance(1000)
  assert.deepEqual(seen(), ['snapshotRejected'])
  snapshots.failure = undefined
  come(whole())
  await clock.settle()
  assert.deepEqual(seen(), ['snapshotRejected', 'snapshotReceived'])
  await installs.stop()
})

test('bytes that are no snapshot are asked for again after a pause', async () => {
  const { clock, installs, failures, come, seen } = receiver()
  come(new Uint8Array(100))
  await clock.settle()
  assert.deepEqual([failures, seen()], [[], []])
  await clock.advance(1000)
  assert.deepEqual(seen(), ['snapshotRejected'])
  await installs.stop()
})
