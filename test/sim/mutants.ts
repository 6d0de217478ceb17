/**
 * The test of the test: known Raft bugs, put into the core's source one by one, and the simulator run until an
 * invariant breaks. A mutant that lives shows what the simulator cannot see: then the exit code is 1.
 *
 *     npm run mutants [-- --only M01,M05] [--seeds 20000] [--seed 1]
 */
import { parseArgs } from 'node:util'
import { hunt } from './mutants/hunt.ts'
import type { Mutant } from './mutants/mutant.ts'
import { coreMutants, laterMutants } from './mutants/numbered.ts'
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
const wanted = [...coreMutants, ...otherMutants].filter(isWanted)

const counts: number[] = []
for (const mutant of wanted) {
  const seeds = report(mutant)
  if (seeds !== undefined) counts.push(seeds)
}
for (const { id, name, level, file, change } of laterMutants.filter(isWanted)) {
  console.log(`${id}   ${name}\n      not run: needs the ${level} in the simulator (${file}, ${change})`)
}
const median = counts.toSorted((a, b) => a - b)[Math.floor(counts.length / 2)]
console.log(`${counts.length} of ${wanted.length} caught, ${median ?? 'no'} seeds at the median`)

/** How many seeds it took; undefined when it lives. */
function report(mutant: Mutant): number | undefined {
  const { caught, seeds, invariant } = hunt(mutant, Number(values.seed), Number(values.seeds))
  const star = mutant.starred ? '*' : ' '
  const by = mutant.directed === undefined ? 'the swarm' : `direction ${mutant.directed}`
  const verdict = caught
    ? `caught by seed ${seeds} of ${by}: ${invariant}`
    : `LIVES after ${seeds} seeds of ${by}`
  console.log(`${mutant.id}${star}  ${mutant.name}\n      ${verdict}`)
  if (caught) return seeds
  process.exitCode = 1
  return undefined
}
