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

/** Asked at every acknowledgement, of a handful of voters: each is asked once, and put in its place among them. */
function majorityValue(ids: readonly NodeId[], valueOf: (id: NodeId) => number): number {
  const count = ids.length
  if (count === 0) return Infinity
  if (count === 1) return valueOf(ids[0]!)
  const highestFirst: number[] = []
  for (const id of ids) {
    const value = valueOf(id)
    let at = highestFirst.length
    while (at > 0 && highestFirst[at - 1]! < value) {
      highestFirst[at] = highestFirst[at - 1]!
      at--
    }
    highestFirst[at] = value
  }
  return highestFirst[majorityOf(count) - 1]!
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
