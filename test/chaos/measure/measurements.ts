/** What can be measured, by name. */
import { busy, idle, slow } from './burdens.ts'
import { failover, partition, transfer } from './leadership.ts'
import type { Measurement } from './measure.ts'
import { pauses } from './pause.ts'

export const MEASUREMENTS: Readonly<Record<string, Measurement>> = {
  failover,
  partition,
  transfer,
  pause: pauses,
  slow,
  busy,
  idle,
}
