/**
 * What goes to disk, and what its being there sets free (3.8, 10.2.1). One write is under way at a time; what
 * gathers meanwhile is the next: that is group commit. This is the only place that learns of durability.
 */
import { assert } from '../assert.ts'
import { countOwnVote } from './election.ts'
import { sendOwedResult } from './following.ts'
import { endTransfer } from './handover.ts'
import { lastIndex, markDurable, stage } from './log.ts'
import { isHardStateDurable, releaseHeld } from './outbox.ts'
import type { RaftState } from './raft.ts'
import { emptyOut } from './raft.ts'
import type { Persist } from './ready.ts'
import { advanceCommit } from './replication.ts'
import type { HardState } from './types.ts'

export function mustPersist(raft: RaftState): boolean {
  const { log } = raft
  const hasNews = raft.resetTo !== null || log.truncateFrom !== null || log.stagedIndex < lastIndex(log)
  return raft.persisting === null && !raft.storageFailed && (hasNews || !isHardStateDurable(raft))
}

/** What the disk lacks, as one write: bounded, so that to encode and checksum it does not hold the loop. */
export function takePersist(raft: RaftState): Persist | undefined {
  if (!mustPersist(raft)) return undefined
  const hardState: HardState = { term: raft.term, votedFor: raft.votedFor }
  const { truncateFrom, entries, last } = stage(raft.log, raft.config.maxPersistBytes)
  const meta = raft.resetTo
  raft.resetTo = null
  raft.persistSequence++
  raft.persisting = {
    sequence: raft.persistSequence,
    hardState,
    last: { index: last.index, term: last.term },
  }
  const isNews = !isHardStateDurable(raft) && meta === null
  // Entries of commands alone follow the fsync mode; everything else is synced in every mode.
  const isPlain = entries.every((entry) => entry.kind === 'commands')
  const mustSync = isNews || meta !== null || truncateFrom !== null || !isPlain
  return {
    sequence: raft.persistSequence,
    reset: meta === null ? undefined : { meta, hardState },
    batch: {
      truncateFrom: truncateFrom ?? undefined,
      entries,
      hardState: isNews ? hardState : undefined,
      mustSync,
    },
  }
}

/** The write is durable, whole. It is believed for what the log still holds (H17). */
export function onPersisted(raft: RaftState, sequence: number): void {
  const done = raft.persisting
  assert(
    done?.sequence === sequence,
    `persisted ${sequence}, but ${done?.sequence ?? 'nothing'} is under way`,
  )
  raft.persisting = null
  raft.durable = done.hardState
  releaseHeld(raft)
  const rose = markDurable(raft.log, done.last)
  const { role } = raft
  if (role.kind === 'candidate') countOwnVote(raft)
  else if (role.kind === 'leader') advanceCommit(raft, role)
  else if (role.kind === 'follower' && rose) sendOwedResult(raft, role)
}

/**
 * A write or an fsync failed: what is on disk is unknown. No vote, no heartbeat, no answer leaves any more
 * (H11, H19); the driver learns who it can no longer answer.
 */
export function onStorageFailed(raft: RaftState): void {
  const { role } = raft
  const refused = role.kind === 'leader' ? role.reads.map(({ id }) => ({ id, leader: null })) : []
  if (role.kind === 'leader') raft.heir = role.transfer?.to ?? null
  endTransfer(raft, 'timedOut')
  const { refusedReads, transfersEnded } = raft.out
  raft.role = { kind: 'follower', leader: null, receivedIndex: 0, owesResult: false }
  raft.storageFailed = true
  raft.held = []
  raft.out = { ...emptyOut(), refusedReads: [...refusedReads, ...refused], transfersEnded }
}
