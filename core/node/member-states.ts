/**
 * What all members say of themselves, asked one by one and at once: for people, and for whoever watches a cluster.
 * A member that does not answer is in the list all the same.
 */
import type { NodeId } from '../raft/index.ts'
import type { Member, MemberState, MemberStatus } from '../types.ts'
import type { Network } from './network.ts'
import { decodeState, encodeCall } from './peer-calls.ts'
import type { Patience } from './replicated-log.ts'

/** Whoever does not answer within this is not reached. */
const ANSWER_MS = 1000

export interface Asker {
  readonly self: NodeId
  readonly state: MemberState
  nowMs(): number
}

export async function memberStates(
  asker: Asker,
  members: readonly Member[],
  network: Network,
  patience: Patience,
): Promise<MemberStatus[]> {
  const deadlineMs = Math.min(patience.deadlineMs, asker.nowMs() + ANSWER_MS)
  const question = encodeCall({ kind: 'state' })
  const states = await Promise.all(
    members.map(async ({ id }) =>
      id === asker.self
        ? asker.state
        : network.call(id, question, { ...patience, deadlineMs }).then(decodeState, () => null),
    ),
  )
  const commitIndex = Math.max(...states.map((state) => state?.commitIndex ?? 0))
  return members.map((member, at) => {
    const state = states[at] ?? null
    const lag = state === null ? null : Math.max(0, commitIndex - state.appliedIndex)
    return { ...member, reachable: state !== null, lag, state }
  })
}
