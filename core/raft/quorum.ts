/**
 * The arithmetic of majorities, of one half (3.4) or of both halves of a joint membership (4.3). No Raft
 * in it: "how far has a quorum come" is the same question for matchIndex, for confirmed rounds and for
 * when somebody was last heard.
 */
import type { NodeId } from './types.ts'

/** Who must agree: a majority of `voters` and, while `outgoing` is not empty, a majority of it too. */
export interface Electorate {
  readonly voters: readonly NodeId[]
  readonly outgoing: readonly NodeId[]
}

export function majorityOf(count: number): number {
  return Math.floor(count / 2) + 1
}

/** The highest value that a quorum has reached. Infinity when nobody has to agree. */
export function quorumValue(electorate: Electorate, valueOf: (id: NodeId) => number): number {
  return Math.min(majorityValue(electorate.voters, valueOf), majorityValue(electorate.outgoing, valueOf))
}

/** Asked at every acknowledgement, of a handful of voters: comparing all with all allocates nothing. */
function majorityValue(ids: readonly NodeId[], valueOf: (id: NodeId) => number): number {
  if (ids.length === 0) return Infinity
  const needed = majorityOf(ids.length)
  let reached = -Infinity
  for (const id of ids) {
    const value = valueOf(id)
    if (value > reached && countReaching(ids, valueOf, value) >= needed) reached = value
  }
  return reached
}

function countReaching(ids: readonly NodeId[], valueOf: (id: NodeId) => number, value: number): number {
  let count = 0
  for (const id of ids) if (valueOf(id) >= value) count++
  return count
}

export type Outcome = 'won' | 'lost' | 'open'

/** Whether those who answered decide it. Answers of anybody outside the electorate do not count (H05). */
export function outcomeOf(electorate: Electorate, answers: ReadonlyMap<NodeId, boolean>): Outcome {
  const halves = [outcomeAmong(electorate.voters, answers), outcomeAmong(electorate.outgoing, answers)]
  if (halves.includes('lost')) return 'lost'
  return halves.includes('open') ? 'open' : 'won'
}

function outcomeAmong(ids: readonly NodeId[], answers: ReadonlyMap<NodeId, boolean>): Outcome {
  if (ids.length === 0) return 'won'
  let yes = 0
  let silent = 0
  for (const id of ids) {
    const answer = answers.get(id)
    if (answer === undefined) silent++
    else if (answer) yes++
  }
  const needed = majorityOf(ids.length)
  if (yes >= needed) return 'won'
  return yes + silent >= needed ? 'open' : 'lost'
}
