/**
 * Cluster time: a duration clock, carried from leader to leader. It is what expiry is judged by.
 *
 * A leader advances it at the speed of its own monotonic clock, from an anchor: the highest of the last
 * stamp in its log and the estimates its voters sent with their votes (last time heard from a leader,
 * and the monotonic time since). Only when none of them has an estimate, because all have restarted, may
 * the lowest of their wall clocks move it forward from the last entry's wall time. It never falls.
 * So no clock that jumps and no suspended machine ends a TTL early, and none makes time stand still.
 *
 * A leader of whom nothing was ever committed may have begun by another wall clock, and said what no later leader
 * goes by. So estimates count by the term of the leader that they were heard from, as logs do by their last entry:
 * the latest term of the quorum, and none that is older than the log. Whatever was committed, a later quorum has a
 * voter who heard that leader, or a later one who was elected by such a voter.
 */
import { lastStamp } from './log.ts'
import type { RaftState } from './raft.ts'
import type { Candidate } from './role.ts'
import type { Term, Time } from './types.ts'

/** Cluster time was `clusterTime` when our monotonic clock said `monotonicMs`. */
export interface Anchor {
  readonly clusterTime: number
  readonly monotonicMs: number
  /** Of the leader who said so. */
  readonly term: Term
}

export function clusterTimeNow(raft: RaftState, time: Time): number {
  return Math.max(estimate(raft, time) ?? 0, lastStamp(raft.log).clusterTime)
}

/** Null when this node has restarted and not heard a leader since. */
export function estimate(raft: RaftState, time: Time): number | null {
  const { clock } = raft
  return clock === null ? null : clock.clusterTime + (time.monotonicMs - clock.monotonicMs)
}

/** A leader has said what time it was: later news replaces older, so a clock that runs fast is set back. */
export function hearTime(raft: RaftState, clusterTime: number): void {
  const { clock, term } = raft
  if (clock !== null && clock.term === term && clusterTime < clock.clusterTime) return
  raft.clock = { clusterTime, monotonicMs: raft.time.monotonicMs, term }
}

/** A vote came with its voter's view of time. The way it took only makes the estimate lower. */
export function hearVoterTime(
  raft: RaftState,
  candidate: Candidate,
  vote: { readonly clusterTime: number | null; readonly clockTerm: Term; readonly wallMs: number },
): void {
  candidate.wallMs = Math.min(candidate.wallMs, vote.wallMs)
  if (vote.clusterTime === null || vote.clockTerm < candidate.clockTerm) return
  const offset = vote.clusterTime - raft.time.monotonicMs
  const isLater = vote.clockTerm > candidate.clockTerm
  candidate.clusterOffsetMs = isLater ? offset : Math.max(candidate.clusterOffsetMs ?? offset, offset)
  candidate.clockTerm = vote.clockTerm
}

/** From here on this node says what time it is. */
export function startClock(raft: RaftState, elected: Candidate): void {
  const { monotonicMs } = raft.time
  const last = lastStamp(raft.log)
  const byWall = last.clusterTime + Math.max(0, elected.wallMs - last.wallTime)
  const isKnown = elected.clusterOffsetMs !== null && elected.clockTerm >= last.term
  const found = isKnown ? elected.clusterOffsetMs! + monotonicMs : byWall
  raft.clock = { clusterTime: Math.max(found, last.clusterTime), monotonicMs, term: raft.term }
}
