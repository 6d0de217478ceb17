/** Records of the core in a line each: the transcripts are made of them. */
import { status } from '../../core/raft/index.ts'
import type { Entry, EntryId, Leadership, Membership, Message, Persist, Raft } from '../../core/raft/index.ts'

export const showId = ({ index, term }: EntryId) => `${index}/${term}`

export function showMembership({ voters, outgoing, learners }: Membership): string {
  const halves = outgoing.length > 0 ? `${voters.join(' ')} & ${outgoing.join(' ')}` : voters.join(' ')
  return learners.length > 0 ? `(${halves} + ${learners.join(' ')})` : `(${halves})`
}

export function showEntry(entry: Entry): string {
  return showId(entry) + (entry.membership === undefined ? '' : showMembership(entry.membership))
}

export const showEntries = (entries: readonly Entry[]) => `[${entries.map(showEntry).join(' ')}]`

export function showLeadership({ role, term, leader, established }: Leadership): string {
  if (role === 'leader') return `is leader of term ${term}${established ? ', established' : ''}`
  if (role !== 'follower') return `is ${role} in term ${term}`
  return `follows ${leader ?? 'nobody'} in term ${term}`
}

export function showMessage(message: Message): string {
  const { type, term } = message
  const name = `${type[0]!.toUpperCase()}${type.slice(1)} t${term}`
  switch (message.type) {
    case 'preVote':
      return `${name} last=${message.lastIndex}/${message.lastTerm} (${message.reason})`
    case 'requestVote':
      return `${name} last=${message.lastIndex}/${message.lastTerm} (${message.reason})`
    case 'preVoteResult':
    case 'requestVoteResult':
      return `${name} ${message.granted ? 'granted' : 'refused'}`
    case 'appendEntries': {
      const { prevIndex, prevTerm, entries, commitIndex, round } = message
      const of = round > 0 ? ` round=${round}` : ''
      return `${name} prev=${prevIndex}/${prevTerm} ${showEntries(entries)} commit=${commitIndex}${of}`
    }
    case 'appendEntriesResult': {
      const { matchIndex, receivedIndex, refusal, round } = message
      const of = round > 0 ? ` round=${round}` : ''
      const why =
        refusal === null ? '' : ` lacks ${refusal.prevIndex}, hint ${refusal.hintIndex}/${refusal.hintTerm}`
      return `${name} match=${matchIndex} received=${receivedIndex}${of}${why}`
    }
    case 'installSnapshot': {
      const { meta, offset, data, done } = message
      const facts = 'membership' in meta ? ' facts' : ''
      return `${name} ${showId(meta)}${facts} @${offset}+${data.length}${done ? ' done' : ''}`
    }
    case 'installSnapshotResult': {
      const { snapshotIndex, offset, gap, matchIndex } = message
      return `${name} ${snapshotIndex} @${offset}${gap ? ' gap' : ''} match=${matchIndex}`
    }
    case 'timeoutNow':
      return name
    case 'removed':
      return `${name} by ${message.index}`
  }
}

export function showPersist({ reset, batch }: Persist): string {
  const parts: string[] = []
  if (reset !== undefined) parts.push(`reset to ${showId(reset.meta)}`)
  if (batch.truncateFrom !== undefined) parts.push(`truncate ${batch.truncateFrom}`)
  if (batch.entries.length > 0) parts.push(showEntries(batch.entries))
  if (batch.hardState !== undefined) {
    const { term, votedFor, wallMark } = batch.hardState
    parts.push(`term ${term} vote ${votedFor ?? 'none'}`)
    if (wallMark !== undefined) parts.push(`wall clock of term ${wallMark.term}`)
  }
  return parts.join(', ') + (batch.mustSync ? '' : ' (may be lazy)')
}

/** Everything that a story may want to know of one node. */
export function showStatus(raft: Raft): string[] {
  const {
    id,
    role,
    term,
    leader,
    baseIndex,
    snapshotIndex,
    appliedIndex,
    commitIndex,
    durableIndex,
    ...rest
  } = status(raft)
  const { lastIndex, lastTerm, membershipIndex, membership, peers } = rest
  const lines = [
    `${id} ${role} t${term} leader=${leader ?? 'none'} base=${baseIndex} snapshot=${snapshotIndex} ` +
      `applied=${appliedIndex} commit=${commitIndex} durable=${durableIndex} last=${lastIndex}/${lastTerm} ` +
      `members=${showMembership(membership)}@${membershipIndex}`,
  ]
  for (const peer of peers) {
    lines.push(`  ${peer.id} ${peer.kind} match=${peer.matchIndex} next=${peer.nextIndex}`)
  }
  return lines
}
