// The simulator itself: a few dozen seeds of the Raft core over a false world, that one seed is one run, and that it
// finds what it is there to find. Long runs: `npm run sim`; all mutants: `npm run mutants`.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Agenda } from '../../core/testing/agenda.ts'
import { runBatch } from './batch.ts'
import { simulator } from './core.ts'
import { formatIndexes, narrow, parseIndexes } from './narrow.ts'
import { hunt } from './mutants/hunt.ts'
import { coreMutants, nodeMutants } from './mutants/numbered.ts'
import { otherMutants } from './mutants/others.ts'
import { drawPlan } from './plan.ts'
import { Stream } from '../../core/testing/prng.ts'
import { run } from './run.ts'
import { dropByHalves } from './shrink.ts'

test('sixty seeds of faults break no invariant, and the cluster comes to life after each', async () => {
  const tally = await runBatch(simulator, {
    seed: 1,
    stride: 1,
    seeds: 60,
    seconds: Infinity,
    nodes: 0,
    events: 5000,
  })
  assert.equal(tally.failed, undefined)
  const { leaderChanges, writesAcked, reads, leaseReads, snapshotsInstalled, crashesWhilePersisting } =
    tally.counters
  const reached = {
    leaderChanges,
    writesAcked,
    reads,
    leaseReads,
    snapshotsInstalled,
    crashesWhilePersisting,
  }
  for (const [what, count] of Object.entries(reached)) assert.ok(count > 0, `${what} never happened`)
})

test('one seed is one run: the same trace twice, another for another seed', () => {
  const options = { seed: 20_240_229, nodes: 5, events: 5000 }
  const first = run(drawPlan(options))
  const second = run(drawPlan(options))
  assert.equal(first.failure, undefined)
  assert.deepEqual(second, first)
  assert.notEqual(run(drawPlan({ ...options, seed: options.seed + 1 })).traceHash, first.traceHash)
})

test('watching a run does not change it', () => {
  const options = { seed: 81, nodes: 3, events: 2000 }
  const lines: string[] = []
  const watched = run(drawPlan(options), (line) => lines.push(line))
  assert.deepEqual(watched, run(drawPlan(options)))
  assert.ok(lines.length > 500)
})

test('dropping a fault leaves the others and the clients as they were', () => {
  const plan = drawPlan({ seed: 5, nodes: 3, events: 5000 })
  const all = [...plan.faults.keys()]
  const without = narrow(simulator, plan, { faults: all.slice(1) })
  assert.deepEqual(without.faults, plan.faults.slice(1))
  assert.equal(without.operations, plan.operations)
  assert.deepEqual(narrow(simulator, plan, {}), plan)
})

test('a list of indexes is written as ranges and read back', () => {
  for (const indexes of [[], [0], [0, 1, 2], [3, 5, 6, 7, 9]]) {
    assert.deepEqual(parseIndexes(formatIndexes(indexes)), indexes)
  }
  assert.equal(formatIndexes([3, 5, 6, 7, 9]), '3,5-7,9')
})

test('shrinking by halves finds the two items that a failure needs', async () => {
  const items = Array.from({ length: 100 }, (_, i) => i)
  const kept = await dropByHalves(items, (rest) => rest.includes(17) && rest.includes(63))
  assert.deepEqual(kept, [17, 63])
})

test('events come in the order of time, and of their making within one moment', () => {
  const agenda = new Agenda<{ at: number; sequence: number; name: string }>()
  const stream = new Stream(1, 'agenda')
  const made = Array.from({ length: 500 }, (_, i) => ({ at: stream.below(20), sequence: 0, name: `${i}` }))
  for (const item of made) agenda.add(item)
  const met = Array.from({ length: 500 }, () => agenda.next()!)
  assert.equal(agenda.next(), undefined)
  assert.deepEqual(
    met,
    made.toSorted((a, b) => a.at - b.at || a.sequence - b.sequence),
  )
})

test('each of the 24 numbered bugs is in the table, and each patch still fits its source', () => {
  const numbers = [...coreMutants, ...nodeMutants].map(({ id }) => id.slice(0, 3))
  const expected = Array.from({ length: 24 }, (_, i) => `M${String(i + 1).padStart(2, '0')}`)
  assert.deepEqual([...new Set(numbers)].toSorted(), expected)
  for (const { id, edits } of [...coreMutants, ...otherMutants, ...nodeMutants]) {
    for (const { file, find } of edits) {
      const source = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')
      assert.equal(source.split(find).length, 2, `${id} in ${file}: ${find}`)
    }
  }
})

for (const direction of ['late-answers', 'forgetful-voter', 'false-alarm', 'blind-leader'] as const) {
  test(`six seeds of the coincidence ${direction} break no invariant`, async () => {
    const seeds = { seed: 1, stride: 1, seeds: 6, seconds: Infinity, nodes: 0, events: 5000 }
    const { failed } = await runBatch(simulator, { ...seeds, directed: direction })
    assert.equal(failed, undefined)
  })
}

// H01, H14: two mutants that are quick to catch, so they run each time.
for (const id of ['M02', 'M05']) {
  const mutant = coreMutants.find((one) => one.id === id)!
  test(`the simulator catches a core that ${mutant.name} (${id})`, () => {
    const verdict = hunt(mutant, 1, 500)
    assert.ok(verdict.caught, `${id} lives after ${verdict.seeds} seeds`)
  })
}
