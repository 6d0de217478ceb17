/**
 * How a hand-over ends (3.10): whoever asked for it is told, once. A leader that has stepped down in the middle
 * does not know yet: it learns it from the next leader, or from an election timeout without one.
 */
import type { RaftState } from './raft.ts'
import type { Leader } from './role.ts'
import type { NodeId } from './types.ts'

export interface TransferEnd {
  /** Null: none was named, and none found. */
  readonly to: NodeId | null
  readonly outcome: TransferOutcome
}

export type TransferOutcome =
  /** `to` leads. */
  | 'done'
  /** Another node than `to` leads. */
  | 'elsewhere'
  /** An election timeout has passed. This node leads on, or nobody does that it knows of. */
  | 'timedOut'
  /** Nothing was begun: this node does not lead. */
  | 'notLeader'
  /** Nothing was begun: leadership is being handed to another node. */
  | 'inProgress'
  /** Nothing was begun: `to` is no voter, or is one only until the change under way is done. */
  | 'notAVoter'
  /** Nothing was begun: no voter answers. */
  | 'noTarget'

/** The leader takes proposals again; the lease it does not get back in this term. */
export function giveUpTransfer(raft: RaftState, leader: Leader): void {
  raft.out.transfersEnded.push({ to: leader.transfer!.to, outcome: 'timedOut' })
  leader.transfer = null
}

/** How a transfer ended for the node that has stepped down since it began. */
export function endTransfer(raft: RaftState, outcome: TransferOutcome): void {
  if (raft.heir === null) return
  raft.out.transfersEnded.push({ to: raft.heir, outcome })
  raft.heir = null
}
