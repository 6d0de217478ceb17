/**
 * The test of the test: known bugs, put into the source one by one, and the simulator run until an
 * invariant breaks. A mutant that lives shows what the simulator cannot see: then the exit code is 1.
 *
 *     npm run mutants [-- --only M01,M05] [--seeds 20000] [--seed 1]
 */
import { parseArgs } from 'node:util'
import { hunt } from './mutants/hunt.ts'
import type { Mutant } from './mutants/mutant.ts'
import { coreMutants, nodeMutants } from './mutants/numbered.ts'
import { otherMutants } from './mutants/others.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
  },
})
const only = values.only?.split(',')
const isWanted = ({ id }: { readonly id: string }) => !only || only.includes(id)
const wanted = [...coreMutants, ...otherMutants, ...nodeMutants].filter(isWanted)

const counts: number[] = []
for (const mutant of wanted) {
  const seeds = report(mutant)
  if (seeds !== undefined) counts.push(seeds)
}
const median = counts.toSorted((a, b) => a - b)[Math.floor(counts.length / 2)]
console.log(`${counts.length} of ${wanted.length} caught, ${median ?? 'no'} seeds at the median`)

/** How many seeds it took; undefined when it lives. */
function report(mutant: Mutant): number | undefined {
  const { caught, seeds, invariant } = hunt(mutant, Number(values.seed), Number(values.seeds))
  const star = mutant.starred ? '*' : ' '
  const simulator = mutant.needs === 'node' ? 'the swarm over whole nodes' : 'the swarm'
  const by = mutant.directed === undefined ? simulator : `direction ${mutant.directed}`
  const verdict = caught
    ? `caught by seed ${seeds} of ${by}: ${invariant}`
    : `LIVES after ${seeds} seeds of ${by}`
  console.log(`${mutant.id}${star}  ${mutant.name}\n      ${verdict}`)
  if (caught) return seeds
  process.exitCode = 1
  return undefined
}
