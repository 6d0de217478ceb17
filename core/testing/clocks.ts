/**
 * The clocks of one simulated machine: a monotonic one that drifts, and a wall clock that also jumps.
 *
 * True time is the agenda's. Both clocks run on one oscillator of the given rate; a suspended machine
 * loses monotonic time and keeps wall time, as a laptop with its lid closed does.
 */
import type { Time } from '../raft/types.ts'

export interface Clocks {
  /** Monotonic milliseconds per true millisecond. */
  readonly rate: number
  readonly origin: number
  wallOffset: number
  /** True milliseconds lost to suspends, which the monotonic clock has not counted. */
  suspendedMs: number
  /** By how much the wall clock was last set. */
  lastStepMs?: number | undefined
}

/** Somebody sets the wall clock. */
export function stepWall(clocks: Clocks, byMs: number): void {
  clocks.wallOffset += byMs
  clocks.lastStepMs = byMs
}

/**
 * The machine has slept. A wall clock that was set back by just what a sleep takes hides it from whoever compares the
 * two: no lease promises to notice that (docs/internals/raft.md), so the wall clock here is never set back by just that.
 *
 * @returns by how much the wall clock was set for it.
 */
export function loseTime(clocks: Clocks, sleptMs: number): number {
  clocks.suspendedMs += sleptMs
  const { lastStepMs } = clocks
  if (lastStepMs === undefined || Math.abs(lastStepMs + sleptMs) >= HIDING_MS) return 0
  clocks.wallOffset += 2 * HIDING_MS
  return 2 * HIDING_MS
}

/** More than the drift that any core is told to expect. */
const HIDING_MS = 100

export function readClocks(clocks: Clocks, trueMs: number): Time {
  return {
    monotonicMs: clocks.origin + clocks.rate * (trueMs - clocks.suspendedMs),
    wallMs: Math.floor(clocks.wallOffset + clocks.rate * trueMs),
  }
}

/** The true time at which the monotonic clock will show `monotonicMs`, if no suspend comes between. */
export function trueTimeOf(clocks: Clocks, monotonicMs: number): number {
  return (monotonicMs - clocks.origin) / clocks.rate + clocks.suspendedMs
}
