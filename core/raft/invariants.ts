/**
 * What must hold in every state, and between one state and the next. Tests and the simulator run it after
 * every step. What holds between nodes (one leader a term, one entry an index) is for who sees them all.
 */
import { assert } from '../assert.ts'
import { isElectable } from './election.ts'
import { effectiveMembership, lastIndex } from './log.ts'
import type { RaftState } from './raft.ts'
import type { Leader } from './role.ts'
import type { Index, NodeId, Term } from './types.ts'

/** What is remembered of a node from one check to the next. */
export interface Checked {
  readonly term: Term
  readonly votedFor: NodeId | null
  readonly commitIndex: Index
  readonly appliedIndex: Index
  readonly lastIndex: Index
  readonly leaderTerm: Term
}

/** Throws when the state is none that Raft can be in, or could not have come from `previous`. */
export function checkInvariants(raft: RaftState, previous?: Checked): Checked {
  checkPointers(raft)
  checkEnds(raft)
  checkRole(raft)
  const now: Checked = {
    term: raft.term,
    votedFor: raft.votedFor,
    commitIndex: raft.commitIndex,
    appliedIndex: raft.appliedIndex,
    lastIndex: lastIndex(raft.log),
    leaderTerm: raft.role.kind === 'leader' ? raft.term : 0,
  }
  if (previous !== undefined) checkProgress(previous, now)
  return now
}

/** The picture of the log pointers in docs/internals/raft.md. */
function checkPointers(raft: RaftState): void {
  const { log } = raft
  const last = lastIndex(log)
  assert(log.base.index <= log.snapshot.index, 'base <= snapshot')
  assert(log.snapshot.index <= raft.appliedIndex, 'snapshot <= applied')
  assert(raft.appliedIndex <= raft.commitIndex, 'applied <= commit')
  assert(raft.commitIndex <= last, 'commit <= last')
  assert(raft.appliedIndex <= log.durableIndex, 'applied <= durable')
  assert(log.durableIndex <= Math.max(log.stagedIndex, log.snapshot.index), 'durable <= staged')
  assert(log.stagedIndex <= last, 'staged <= last')
  assert(log.base.index <= log.stagedIndex, 'base <= staged')
  // Not above the snapshot: one may become durable before the truncation that made room for its entry.
  assert(log.truncateFrom === null || log.truncateFrom > log.base.index, 'truncated below the log')
  assert(log.ends.length === log.entries.length, 'one size for each entry')
}

/** The two ends of the log, and the terms around them: the middle was checked when it was appended. */
function checkEnds(raft: RaftState): void {
  const { log } = raft
  const first = log.entries[0]
  const last = log.entries.at(-1)
  assert(first === undefined || first.index === log.base.index + 1, 'the log begins after its base')
  assert(first === undefined || first.term >= log.base.term, 'terms fall after the base')
  assert(last === undefined || last.index === lastIndex(log), 'the log has a hole')
  assert((last ?? log.base).term <= raft.term, 'an entry of a later term')
  assert(raft.durable.term <= raft.term, 'the disk knows a later term')
  assert(effectiveMembership(log).membership.voters.length > 0, 'a membership without voters')
  let previous = -1
  for (const { index } of log.memberships) {
    assert(index > previous && index <= lastIndex(log), 'memberships follow the log')
    previous = index
  }
}

function checkRole(raft: RaftState): void {
  const { role, config, log } = raft
  assert(
    raft.held.every(({ message }) => message.term === raft.term),
    'a held message of another term',
  )
  assert(
    raft.install === null || raft.install.finishing || raft.install.meta.index > raft.commitIndex,
    'receives a snapshot that it does not need',
  )
  assert(role.kind === 'follower' || raft.heir === null, 'waits for an heir, and campaigns')
  switch (role.kind) {
    case 'follower':
      assert(role.receivedIndex <= lastIndex(log), 'received more than the log has')
      assert(role.leader !== config.id, 'follows itself')
      break
    case 'preCandidate':
      assert(isElectable(raft), 'campaigns without having been a voter')
      assert(raft.removal === null, 'campaigns though it was removed')
      break
    case 'candidate':
      assert(raft.votedFor === config.id, 'a candidate has voted for itself')
      break
    case 'leader':
      assert(
        raft.durable.term === raft.term && raft.durable.votedFor === config.id,
        'leads before it is durable',
      )
      checkLeader(raft, role)
      break
  }
}

function checkLeader(raft: RaftState, role: Leader): void {
  const last = lastIndex(raft.log)
  assert(role.noopIndex <= last, 'a leader never shortens its log')
  for (const peer of role.peers.values()) {
    assert(peer.matchIndex <= last, `${peer.id} has more than the leader`)
    assert(peer.ackedRound <= role.round, `${peer.id} answered a round that has not begun`)
    const { progress } = peer
    if (progress.kind === 'snapshot') {
      assert(progress.ackedOffset <= progress.sentOffset, `${peer.id} wrote more than it was sent`)
    } else {
      assert(peer.matchIndex < progress.nextIndex, `${peer.id}: match < next`)
      assert(progress.nextIndex <= last + 1, `${peer.id}: next <= last + 1`)
    }
  }
  const rounds = role.reads.map((read) => read.round ?? Infinity)
  assert(
    rounds.every((round, i) => i === 0 || round >= rounds[i - 1]!),
    'reads out of order',
  )
}

function checkProgress(previous: Checked, now: Checked): void {
  assert(now.term >= previous.term, 'the term fell')
  assert(now.commitIndex >= previous.commitIndex, 'commitIndex fell')
  assert(now.appliedIndex >= previous.appliedIndex, 'appliedIndex fell')
  if (now.term === previous.term && previous.votedFor !== null) {
    assert(now.votedFor === previous.votedFor, `the vote of term ${now.term} changed`)
  }
  if (now.leaderTerm > 0 && now.leaderTerm === previous.leaderTerm) {
    assert(now.lastIndex >= previous.lastIndex, 'a leader shortened its log (Leader Append-Only)')
  }
}
