// The simulator of whole nodes: a few seeds of faults, and that one seed is one run. Long runs: `npm run sim:node`.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runBatch } from '../sim/batch.ts'
import { hunt } from '../sim/mutants/hunt.ts'
import { nodeMutants } from '../sim/mutants/numbered.ts'
import { History } from './history.ts'
import { drawPlan } from './plan.ts'
import { run } from './run.ts'
import { simulator } from './simulator.ts'

test('eight seeds of faults break no promise, and the cluster serves again after each', async () => {
  const tally = await runBatch(simulator, {
    seed: 1,
    stride: 1,
    seeds: 8,
    seconds: Infinity,
    nodes: 0,
    events: 4000,
  })
  assert.equal(tally.failed, undefined)
  const { writes, reads, restarts, leaderChanges } = tally.counters
  for (const [what, count] of Object.entries({ writes, reads, restarts, leaderChanges }))
    assert.ok(count > 0, `${what} never happened`)
})

test('one seed is one run: the same trace twice, another for another seed', async () => {
  const options = { seed: 2029, nodes: 3, events: 2000 }
  const first = await run(drawPlan(options))
  assert.equal(first.failure, undefined)
  assert.deepEqual(await run(drawPlan(options)), first)
  assert.notEqual((await run(drawPlan({ ...options, seed: 2030 }))).traceHash, first.traceHash)
})

test('the judge takes only what was so at one moment, after all that was known', () => {
  const history = new History()
  const put = (key: string, value: string) => ({ type: 'put', key, value, requestId: undefined })
  history.told('n1', 1, [put('a', '1'), put('b', '1')])
  history.told('n1', 2, [put('a', '2')])
  history.told('n1', 4, [put('b', '3')])
  const seen = (a: string, b: string) =>
    new Map([
      ['a', a],
      ['b', b],
    ])
  assert.equal(history.momentOf(seen('2', '1'), 0, 4), 2)
  assert.equal(history.momentOf(seen('1', '3'), 0, 4), undefined)
  assert.equal(history.momentOf(seen('2', '1'), 4, 4), undefined)
  assert.throws(() => history.told('n2', 2, [put('a', '9')]), /one order of changes/)
  assert.throws(() => history.told('n2', 3, [put('a', '9')]), /one order of changes/)
  assert.throws(() => history.refuse('3'), /refused is not applied/)
})

// A mutant that the first seed catches, so it runs each time.
test('the simulator catches a machine that expires by the wall clock of the entry (M24)', () => {
  const mutant = nodeMutants.find(({ id }) => id === 'M24')!
  const verdict = hunt(mutant, 1, 20)
  assert.ok(verdict.caught, `M24 lives after ${verdict.seeds} seeds`)
})
