/** The real clock and real chance, for nodes that live in this process. */
import { nanoid } from 'nanoid'
import type { Clock, Entropy } from './ports.ts'

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  // An embedded node is a guest: it keeps its host alive only while the host waits for it.
  after: (delayMs, run, { keepAlive = false } = {}) => {
    const timer = setTimeout(run, delayMs)
    return keepAlive ? timer : timer.unref()
  },
  cancel: (timer) => clearTimeout(timer as NodeJS.Timeout),
  soon: (run) => void setImmediate(run),
}

export const systemEntropy: Entropy = {
  random: () => Math.random(),
  id: () => nanoid(),
}
