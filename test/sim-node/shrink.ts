/** Makes a failing plan as small as it will get while it fails in the same way. */
import { formatIndexes } from '../sim/narrow.ts'
import { dropByHalves } from '../sim/shrink.ts'
import type { Plan } from './plan.ts'
import { run } from './run.ts'

export interface Narrowing {
  /** Indexes into the drawn plan; undefined keeps all. */
  readonly faults?: readonly number[] | undefined
  readonly operations?: readonly number[] | undefined
}

export const narrow = (plan: Plan, { faults, operations }: Narrowing): Plan => ({
  ...plan,
  faults: faults?.map((at) => plan.faults[at]!) ?? plan.faults,
  operations: operations?.map((at) => plan.operations[at]!) ?? plan.operations,
})

export const narrowingWords = ({ faults, operations }: Narrowing): string =>
  [
    ...(faults === undefined ? [] : ['--faults', formatIndexes(faults)]),
    ...(operations === undefined ? [] : ['--operations', formatIndexes(operations)]),
  ].join(' ')

/** `mostRuns` bounds the work: each attempt runs the seed once. */
export async function shrink(plan: Plan, invariant: string, mostRuns = 200): Promise<Required<Narrowing>> {
  let runs = 0
  let best = {
    faults: [...plan.faults.keys()] as readonly number[],
    operations: [...plan.operations.keys()] as readonly number[],
  }
  const fails = async (candidate: Narrowing): Promise<boolean> =>
    runs++ < mostRuns && (await run(narrow(plan, candidate))).failure?.invariant === invariant
  best = { ...best, faults: await dropByHalves(best.faults, (faults) => fails({ ...best, faults })) }
  best = {
    ...best,
    operations: await dropByHalves(best.operations, (operations) => fails({ ...best, operations })),
  }
  return { ...best, faults: await dropByHalves(best.faults, (faults) => fails({ ...best, faults })) }
}
