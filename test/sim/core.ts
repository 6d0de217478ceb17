/** The simulator of the Raft core: the core over a model of its log and disk, one event at a time. */
import { createCounters, type Counters, expected } from './counters.ts'
import { directionNames } from './directed.ts'
import { drawPlan, type Options, type Plan, type Profile } from './plan.ts'
import { run } from './run.ts'
import type { Simulator } from './simulator.ts'

const calm: Partial<Profile> = {
  lossRate: 0,
  duplicateRate: 0,
  delayMs: 1,
  tailRate: 0,
  ordered: true,
  drift: 0,
  diskMs: 1,
  diskTailRate: 0,
  timerLateMs: 0,
  turnMs: 0,
  snapshotEvery: 0,
  chunkBytes: 65_536,
  payloadBytes: 8,
  maxMessageBytes: 65_536,
  inflightBytes: 1 << 20,
  maxReadyBytes: 1 << 20,
  frozen: false,
  hints: false,
}

export const simulator: Simulator<Plan, Counters> = {
  command: 'npm run sim',
  module: import.meta.url,
  directions: directionNames,
  calm,
  expected: { perEvents: 5_000_000, counts: expected },
  createCounters,
  drawPlan: (options) => drawPlan(options as Options),
  run,
}
