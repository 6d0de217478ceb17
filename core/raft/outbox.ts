/**
 * Nothing leaves the node before it is durable (H01, H02): the one door for messages, and the one place
 * where term and vote change. A message may not say a term, or a vote, that a crash could take back.
 */
import { assert } from '../assert.ts'
import type { Message } from './message.ts'
import type { RaftState } from './raft.ts'
import type { NodeId, Term } from './types.ts'

export function isHardStateDurable(raft: RaftState): boolean {
  return raft.durable.term === raft.term && raft.durable.votedFor === raft.votedFor
}

/** Sends now, or as soon as the term and the vote it speaks for are on disk. */
export function send(raft: RaftState, to: NodeId, message: Message): void {
  // A question for a pre-vote promises nothing: its term is nobody's yet.
  const free = message.type === 'preVote' || isHardStateDurable(raft)
  const queue = free ? raft.out.send : raft.held
  queue.push({ to, message })
}

/** The disk has confirmed term and vote: what waited for them may go. */
export function releaseHeld(raft: RaftState): void {
  if (raft.held.length === 0 || !isHardStateDurable(raft)) return
  for (const envelope of raft.held) raft.out.send.push(envelope)
  raft.held = []
}

/** What was still to be said in the old term is not said any more: its vote may never have been durable. */
export function raiseTerm(raft: RaftState, term: Term): void {
  assert(term > raft.term, `term ${raft.term} raised to ${term}`)
  raft.term = term
  raft.votedFor = null
  raft.held = []
}

/** Ends a snapshot on its way in, unless its last piece is with the disk already. */
export function dropInstall(raft: RaftState): void {
  if (raft.install === null || raft.install.finishing) return
  raft.install = null
  raft.out.snapshotWrites.push({ kind: 'abort' })
}

export function setVote(raft: RaftState, candidate: NodeId): void {
  assert(raft.votedFor === null || raft.votedFor === candidate, `second vote in term ${raft.term}`)
  raft.votedFor = candidate
}
