/**
 * Removal that ends (4.2.3, H58). A node that missed its removal would ask for votes for ever. Whoever knows for
 * committed that it was removed tells it, and hears no request of its own.
 *
 * What makes that final is a tombstone, not an absence: a node that is behind does not know its newest members, but
 * no id is ever used again (H44). So it does not matter who tells it or how old his knowledge is, with one exception:
 * of the log that a node knows for committed it judges by itself, and by no word of others.
 *
 * Only the last tombstones are kept (membership.ts). Of a candidate whose log lacks what the teller's has committed the
 * absence says as much: nobody campaigns who was not let in by an entry of his own log that is committed (a founder
 * is in from the start), and from there on until now he must have been removed.
 *
 * Nobody needs the node any more: a majority of the new voters have the membership on disk, each of them can be
 * elected by these alone, and nobody without it can. The leader that leaves is another matter: it takes its leave
 * by itself (H57, change.ts).
 */
import { assert } from '../assert.ts'
import { committedMembership, termAt } from './log.ts'
import type { Message, Removed } from './message.ts'
import { send } from './outbox.ts'
import type { RaftState } from './raft.ts'
import { becomeFollower } from './role.ts'
import type { Index, NodeId, Term } from './types.ts'

/** This node was removed, by the membership committed at `index`. */
export interface Removal {
  readonly index: Index
  /** Who said so; null: its own log. */
  readonly toldBy: NodeId | null
}

/** Tells a removed node so; true when its message is not to be heard. */
export function turnAway(raft: RaftState, from: NodeId, message: Message): boolean {
  const index = tombstoneOf(raft, from) ?? absenceOf(raft, from, message)
  if (index === undefined || isLeading(raft, message)) return false
  send(raft, from, { type: 'removed', term: raft.term, index })
  return message.type === 'preVote' || message.type === 'requestVote'
}

/** The index of the committed membership that has this id's tombstone. */
function tombstoneOf(raft: RaftState, id: NodeId): Index | undefined {
  const { index, membership } = committedMembership(raft.log, raft.commitIndex)
  const isRemoved = !Object.hasOwn(membership.members, id) && membership.removed.includes(id)
  return isRemoved ? index : undefined
}

/** The index of the committed membership that this candidate has left, though no tombstone says so any more. */
function absenceOf(raft: RaftState, id: NodeId, message: Message): Index | undefined {
  if (message.type !== 'preVote' && message.type !== 'requestVote') return undefined
  const { index, membership } = committedMembership(raft.log, raft.commitIndex)
  if (Object.hasOwn(membership.members, id)) return undefined
  // What nobody has committed may make its log longer, but a log that ends in an earlier term lacks what is committed.
  const lacks = message.lastIndex < index || message.lastTerm < committedTerm(raft)
  return lacks ? index : undefined
}

function committedTerm({ log, commitIndex }: RaftState): Term {
  const term = termAt(log, commitIndex)
  assert(typeof term === 'number', 'the log holds what is committed last')
  return term
}

/** A leader that leaves is followed until it steps aside. */
function isLeading(raft: RaftState, { type, term }: Message): boolean {
  const isLeaders = type === 'appendEntries' || type === 'installSnapshot' || type === 'timeoutNow'
  return isLeaders && term >= raft.term
}

export function onRemoved(raft: RaftState, from: NodeId, { index }: Removed): void {
  if (raft.role.kind === 'leader' || index <= raft.commitIndex) return
  leave(raft, { index, toldBy: from })
}

/** Once a turn: its own log says so. */
export function noticeRemoval(raft: RaftState): void {
  if (raft.removal !== null || raft.role.kind === 'leader') return
  const index = tombstoneOf(raft, raft.config.id)
  if (index !== undefined) leave(raft, { index, toldBy: null })
}

/** It campaigns no more; to stop the node is the driver's part. */
function leave(raft: RaftState, removal: Removal): void {
  if (raft.removal !== null) return
  raft.removal = removal
  raft.out.removed = removal
  if (raft.role.kind !== 'follower') becomeFollower(raft, raft.term, null)
}
