/**
 * Cluster time: a duration clock, carried from leader to leader. It is what expiry is judged by.
 *
 * A leader advances it at the speed of its own monotonic clock, from an anchor: the lowest of the estimates that its
 * voters sent with their votes (last time heard from a leader, and the monotonic time since), and not before the last
 * stamp in its log. The lowest, since a leader that has slept goes on at an earlier time than those believe who have not
 * heard it since. Only when none of them has heard a leader, because all have restarted, do wall clocks say how long
 * they were down: each voter by its own, which it has compared with cluster time while it ran, and the lowest counts,
 * if all of them have one to show. So skew cancels, and only a clock that was set while nobody ran, with all who elect,
 * moves time. It never falls. So no clock that jumps and no suspended machine ends a TTL early, and none makes time
 * stand still.
 *
 * A leader of whom nothing was ever committed may have begun by another wall clock, and said what no later leader
 * goes by. So estimates count by the term of the leader that they were heard from, as logs do by their last entry:
 * the latest term of the quorum, and none that is older than the log. Whatever was committed, a later quorum has a
 * voter who heard that leader, or a later one who was elected by such a voter.
 */
import { lastStamp } from './log.ts'
import type { RequestVoteResult } from './message.ts'
import type { RaftState } from './raft.ts'
import type { Candidate } from './role.ts'
import type { Term, Time, WallMark } from './types.ts'

/** Cluster time was `clusterTime` when our monotonic clock said `monotonicMs`. */
export interface Anchor {
  readonly clusterTime: number
  readonly monotonicMs: number
  /** Of the leader who said so. */
  readonly term: Term
}

/** What a voter thinks that cluster time is. */
export type VoterTime = Pick<RequestVoteResult, 'clusterTime' | 'clockTerm' | 'isReckoned'>

/**
 * By how much a wall clock is taken to be less than it was found to be: what it drifts from the leader's clock, and
 * what a message is late, then neither ends a TTL early over a restart nor makes the disk remember it anew each time.
 */
const MARGIN_MS = 250

export function clusterTimeNow(raft: RaftState, time: Time): number {
  return Math.max(estimate(raft, time) ?? 0, lastStamp(raft.log).clusterTime)
}

/** Null when this node has restarted and not heard a leader since. */
export function estimate(raft: RaftState, time: Time): number | null {
  const { clock } = raft
  return clock === null ? null : at(clock, time)
}

const at = ({ clusterTime, monotonicMs }: Anchor, time: Time): number =>
  clusterTime + (time.monotonicMs - monotonicMs)

/** A leader has said what time it was: later news replaces older, so a clock that runs fast is set back. */
export function hearTime(raft: RaftState, clusterTime: number): void {
  const { clock, term } = raft
  if (clock !== null && clock.term === term && clusterTime < clock.clusterTime) return
  raft.clock = { clusterTime, monotonicMs: raft.time.monotonicMs, term }
}

// --------------------------------------------------------------------------------------- our own wall clock

/** What the mark of an earlier run makes of the wall clock, read once: from here on it may be set. */
export function reckon(mark: WallMark | undefined, { wallMs, monotonicMs }: Time): Anchor | null {
  return mark === undefined ? null : { clusterTime: mark.offsetMs + wallMs, monotonicMs, term: mark.term }
}

/**
 * Once a turn: our mark is of the leader whom we hear, and says a little less than we know. Otherwise the wall clock
 * was set, or we slept, or clocks have drifted apart for hours.
 */
export function markWall(raft: RaftState): void {
  const { clock, reckoning, wallMark, time } = raft
  const anchor = clock ?? reckoning
  if (anchor === null) return
  const isHeard = clock !== null
  const offsetMs = at(anchor, time) - (isHeard ? MARGIN_MS : 0) - time.wallMs
  const isOff = wallMark === undefined || Math.abs(offsetMs - wallMark.offsetMs) > MARGIN_MS
  if (isOff || wallMark.term !== anchor.term) raft.wallMark = { offsetMs, term: anchor.term }
}

/** What the disk remembers would move time. All else can wait until something is written anyway. */
export function isMarkWrong({ wallMark, durable }: RaftState): boolean {
  const old = durable.wallMark
  return old !== undefined && Math.abs(wallMark!.offsetMs - old.offsetMs) > MARGIN_MS
}

// ------------------------------------------------------------------------------------------------ elections

export function voterTime(raft: RaftState): VoterTime {
  const anchor = raft.clock ?? raft.reckoning
  if (anchor === null) return { clusterTime: null, clockTerm: 0, isReckoned: false }
  const clusterTime = at(anchor, raft.time)
  return { clusterTime, clockTerm: anchor.term, isReckoned: raft.clock === null }
}

/** A vote came with its voter's view of time. The way it took only makes the estimate lower. */
export function hearVoterTime(raft: RaftState, candidate: Candidate, vote: VoterTime): void {
  const { clusterTime, clockTerm, isReckoned } = vote
  if (clusterTime === null) {
    candidate.allReckon = false
    return
  }
  const offset = clusterTime - raft.time.monotonicMs
  candidate.lowestOffsetMs = Math.min(candidate.lowestOffsetMs ?? offset, offset)
  candidate.lowestTerm = Math.max(candidate.lowestTerm, clockTerm)
  if (isReckoned || clockTerm < candidate.clockTerm) return
  const isLater = clockTerm > candidate.clockTerm
  candidate.clusterOffsetMs = isLater ? offset : Math.min(candidate.clusterOffsetMs ?? offset, offset)
  candidate.clockTerm = clockTerm
}

/** From here on this node says what time it is. */
export function startClock(raft: RaftState, elected: Candidate): void {
  const { monotonicMs } = raft.time
  const last = lastStamp(raft.log)
  const offset = offsetOf(elected, last.term)
  const found = offset === null ? last.clusterTime : offset + monotonicMs
  raft.clock = { clusterTime: Math.max(found, last.clusterTime), monotonicMs, term: raft.term }
}

/**
 * Whoever reckons has measured since an older stamp than the log's, perhaps: what he says is cluster time all the same.
 * With one who has never heard a leader, and has nothing to set against the others' clocks, no time has passed.
 */
function offsetOf(elected: Candidate, lastTerm: Term): number | null {
  const { clockTerm, clusterOffsetMs, allReckon, lowestTerm, lowestOffsetMs } = elected
  if (clusterOffsetMs !== null && clockTerm >= lastTerm) return clusterOffsetMs
  return allReckon && lowestTerm >= lastTerm ? lowestOffsetMs : null
}
