/**
 * The judge of a history: one order of changes on all nodes, every change the work of one operation, every
 * answer held against the state at its revision, real time never against the order, equal hashes at equal
 * indexes. Pure; knows nothing of processes.
 */
import type { Hashed, History, Problem } from '../history.ts'
import { orderOf } from './order.ts'
import { judgeTime } from './time.ts'
import { timelineOf } from './timeline.ts'
import { writesOf } from './writes.ts'

export function judge({ operations, tellings, hashes }: History): Problem[] {
  const order = orderOf(tellings)
  const timeline = timelineOf(order.changes)
  const writes = writesOf(operations, order.changes, timeline)
  return [
    ...order.problems,
    ...timeline.problems,
    ...writes.problems,
    ...judgeTime(operations, writes.done, timeline),
    ...judgeHashes(hashes),
  ]
}

function judgeHashes(hashes: readonly Hashed[]): Problem[] {
  const first = new Map<number, Hashed>()
  const problems: Problem[] = []
  for (const hashed of hashes) {
    const known = first.get(hashed.index)
    if (known === undefined) first.set(hashed.index, hashed)
    else if (known.hash !== hashed.hash && problems.length < 20) {
      const message = `${known.source} and ${hashed.source} differ at index ${hashed.index}`
      problems.push({ rule: 'equal state at equal index', message, evidence: [known, hashed] })
    }
  }
  return problems
}
