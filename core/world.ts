/**
 * The real clock and real chance, for nodes that live in this process. Only who composes names them:
 * `open` (concord.ts), `connect` (connect.ts), and the command line; everybody else is given a world.
 */
import { nanoid } from 'nanoid'
import type { Clock, Entropy } from './ports.ts'

/** Where a node, or a client, takes time and chance from. */
export interface World {
  readonly clock: Clock
  readonly entropy: Entropy
}

const clock: Clock = {
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

const entropy: Entropy = {
  random: () => Math.random(),
  id: () => nanoid(),
}

export const systemWorld: World = { clock, entropy }
