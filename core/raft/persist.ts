/**
 * What goes to disk, and what its being there sets free (3.8, 10.2.1). One write is under way at a time; what
 * gathers meanwhile is the next: that is group commit. This is the only place that learns of durability.
 */
import { assert } from '../assert.ts'
import { isMarkWrong } from './clock.ts'
import { countOwnVote } from './election.ts'
import { sendOwedResult } from './following.ts'
import { endTransfer } from './handover.ts'
import { canStage, markDurable, stage, unstage } from './log.ts'
import { isHardStateDurable, releaseHeld } from './outbox.ts'
import type { RaftState } from './raft.ts'
import { emptyOut } from './raft.ts'
import type { Persist } from './ready.ts'
import { advanceCommit } from './replication.ts'
import type { HardState } from './types.ts'

export function mustPersist(raft: RaftState): boolean {
  return raft.persisting === null && !raft.storageFailed && wanted(raft) !== 'nothing'
}

/**
 * After a refusal term and vote come first, and alone: they never wait behind entries that have no room. What was
 * refused is tried again after a heartbeat.
 */
function wanted(raft: RaftState): 'nothing' | 'hardState' | 'all' {
  const { log, refusal } = raft
  const isNews = !isHardStateDurable(raft)
  if (refusal !== null) {
    const isDue = raft.time.monotonicMs - refusal.atMs >= raft.config.heartbeatMs
    if (isNews) return isDue || refusal.hadMore ? 'hardState' : 'nothing'
    if (!isDue) return 'nothing'
  }
  const hasNews = raft.resetTo !== null || log.truncateFrom !== null || canStage(log, raft.room.entryBytes)
  return hasNews || isNews || isMarkWrong(raft) ? 'all' : 'nothing'
}

/** What the disk lacks, as one write: bounded, so that to encode and checksum it does not hold the loop. */
export function takePersist(raft: RaftState): Persist | undefined {
  if (!mustPersist(raft)) return undefined
  raft.persistSequence++
  return wanted(raft) === 'hardState' ? takeHardState(raft) : takeAll(raft)
}

function hardStateOf({ term, votedFor, wallMark }: RaftState): HardState {
  return { term, votedFor, ...(wallMark && { wallMark }) }
}

function takeHardState(raft: RaftState): Persist {
  const { log, persistSequence: sequence } = raft
  const hardState = hardStateOf(raft)
  raft.persisting = { sequence, hardState, last: log.base, before: null }
  return { sequence, batch: { entries: [], hardState, mustSync: true } }
}

function takeAll(raft: RaftState): Persist {
  const { log, config, room, wallMark, persistSequence: sequence } = raft
  const hardState = hardStateOf(raft)
  const { stagedIndex } = log
  const { truncateFrom, entries, last } = stage(log, config.maxPersistBytes, room.entryBytes)
  const meta = raft.resetTo
  const before = { stagedIndex, truncateFrom, resetTo: meta }
  raft.resetTo = null
  raft.persisting = { sequence, hardState, last: { index: last.index, term: last.term }, before }
  const mustTell = !isHardStateDurable(raft) || isMarkWrong(raft)
  const isNews = meta === null && (mustTell || wallMark !== raft.durable.wallMark)
  // Entries of commands alone follow the fsync mode; everything else is synced in every mode.
  const isPlain = entries.every((entry) => entry.kind === 'commands')
  const mustSync = mustTell || meta !== null || truncateFrom !== null || !isPlain
  return {
    sequence,
    reset: meta === null ? undefined : { meta, hardState },
    batch: {
      truncateFrom: truncateFrom ?? undefined,
      entries,
      hardState: isNews ? hardState : undefined,
      mustSync,
    },
  }
}

/** The write was not done, because the volume is full: nothing of it is on the disk, and all of it is still due. */
export function onPersistRefused(raft: RaftState, sequence: number): void {
  const done = raft.persisting
  assert(done?.sequence === sequence, `refused ${sequence}, but ${done?.sequence ?? 'nothing'} is under way`)
  const { before } = done
  const { log } = raft
  raft.persisting = null
  raft.refusal = { atMs: raft.time.monotonicMs, hadMore: before !== null }
  // Whatever was refused, the disk's log is to be dropped since then.
  if (before === null || raft.resetTo !== null) return
  raft.resetTo = before.resetTo
  if (before.resetTo === null && before.stagedIndex < log.base.index) raft.resetTo = log.snapshot
  else unstage(log, before.stagedIndex, before.truncateFrom)
}

/** The write is durable, whole. It is believed for what the log still holds (H17). */
export function onPersisted(raft: RaftState, sequence: number): void {
  const done = raft.persisting
  assert(
    done?.sequence === sequence,
    `persisted ${sequence}, but ${done?.sequence ?? 'nothing'} is under way`,
  )
  raft.persisting = null
  raft.refusal = null
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
