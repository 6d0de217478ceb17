/** The simulator of whole nodes. */
import type { Simulator } from '../sim/simulator.ts'
import { createCounters, type Counters, expected } from './counters.ts'
import { drawPlan, type Plan, type Profile } from './plan.ts'
import { run } from './run.ts'

const calm: Partial<Profile> = {
  lossRate: 0,
  delayMs: 1,
  diskMs: 0.5,
  drift: 0,
  wallSpreadMs: 0,
  snapshotLogBytes: 1 << 20,
  entryBytes: 1 << 20,
  valueBytes: 8,
}

export const simulator: Simulator<Plan, Counters> = {
  command: 'npm run sim:node',
  module: import.meta.url,
  directions: [],
  calm,
  expected: { perEvents: 1_000_000, counts: expected },
  createCounters,
  drawPlan,
  run,
}
