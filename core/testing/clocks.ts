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
}

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
