/** The real clock and real chance, for nodes that live in this process. */
import { nanoid } from 'nanoid'
import type { Clock, Entropy } from './ports.ts'

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  // Never keeps its host alive: an embedded node is a guest.
  after: (delayMs, run) => setTimeout(run, delayMs).unref(),
  cancel: (timer) => clearTimeout(timer as NodeJS.Timeout),
  soon: (run) => void setImmediate(run),
}

export const systemEntropy: Entropy = {
  random: () => Math.random(),
  id: () => nanoid(),
}
