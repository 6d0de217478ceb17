/**
 * Makes a failing plan as small as it will get while it fails in the same way: fault items by halves, then
 * operations, then rates back to calm, and around again.
 */
import { narrow, type Narrowing } from './narrow.ts'
import type { AnyPlan, Simulator } from './simulator.ts'

export interface Shrunk {
  readonly narrowing: Narrowing
  readonly runs: number
}

/** `mostRuns` bounds the work: each attempt runs the seed once. */
export async function shrink<P extends AnyPlan>(
  simulator: Pick<Simulator<P>, 'calm' | 'run'>,
  plan: P,
  invariant: string,
  mostRuns = 400,
): Promise<Shrunk> {
  let runs = 0
  let best: Required<Narrowing> = {
    faults: [...plan.faults.keys()],
    operations: [...plan.operations.keys()],
    calm: [],
  }
  const fails = async (candidate: Narrowing): Promise<boolean> => {
    if (runs >= mostRuns) return false
    runs++
    const { failure } = await simulator.run(narrow(simulator, plan, candidate))
    return failure?.invariant === invariant
  }
  for (let before = -1; before !== size(best) && runs < mostRuns;) {
    before = size(best)
    best = { ...best, faults: await dropByHalves(best.faults ?? [], (faults) => fails({ ...best, faults })) }
    best = {
      ...best,
      operations: await dropByHalves(best.operations ?? [], (operations) => fails({ ...best, operations })),
    }
    for (const field of Object.keys(simulator.calm)) {
      const calm: readonly string[] = [...(best.calm ?? []), field]
      if (!best.calm?.includes(field) && (await fails({ ...best, calm }))) best = { ...best, calm }
    }
  }
  return { narrowing: best, runs }
}

function size({ faults, operations, calm }: Narrowing): number {
  return (faults?.length ?? 0) + (operations?.length ?? 0) - (calm?.length ?? 0)
}

/** Drops halves, then quarters, down to single items, for as long as `stillFails`. */
export async function dropByHalves<T>(
  items: readonly T[],
  stillFails: (rest: readonly T[]) => boolean | Promise<boolean>,
): Promise<readonly T[]> {
  let kept = items
  for (
    let length = Math.ceil(kept.length / 2);
    length >= 1;
    length = length === 1 ? 0 : Math.ceil(length / 2)
  ) {
    for (let from = kept.length - length; from > -length; from -= length) {
      const start = Math.max(0, from)
      const rest = [...kept.slice(0, start), ...kept.slice(from + length)]
      if (rest.length < kept.length && (await stillFails(rest))) kept = rest
    }
  }
  return kept
}
