/** Looks at the event loop of this process while something runs: delays, the longest step, the collector. */
import { constants, monitorEventLoopDelay, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'

export interface LoopReport {
  readonly durationMs: number
  /** How late a timer of 1 ms fires, at the 99.9th percentile and at worst. */
  readonly delayP999Ms: number
  readonly delayWorstMs: number
  /** The longest time between two passes of the event loop: no single step took longer. */
  readonly longestStepMs: number
  /** The same without the time in which the collector held the thread: what the store itself did. */
  readonly longestOwnStepMs: number
  /** Of the time, 0 to 1. */
  readonly collectorShare: number
  readonly longestCollectionMs: number
  readonly majorCollections: number
}

/** From, to: in ms on the clock of `performance`. */
interface Span {
  readonly from: number
  readonly to: number
}

/** Shorter steps are not kept: they cannot be the longest. */
const KEPT_STEP_MS = 1

/** `onPass` is called at each pass of the loop, until `run` is done. */
export async function probe(run: () => Promise<unknown>, onPass: () => void = () => {}): Promise<LoopReport> {
  const collections: (Span & { readonly isMajor: boolean })[] = []
  const steps: Span[] = []
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { kind } = (entry as PerformanceEntry & { readonly detail: { readonly kind: number } }).detail
      const isMajor = kind === constants.NODE_PERFORMANCE_GC_MAJOR
      collections.push({ from: entry.startTime, to: entry.startTime + entry.duration, isMajor })
    }
  })
  observer.observe({ entryTypes: ['gc'] })
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  let isRunning = true
  const from = performance.now()
  const done = run().finally(() => {
    isRunning = false
  })
  let last = performance.now()
  while (isRunning) {
    await new Promise((resolve) => setImmediate(resolve))
    const now = performance.now()
    if (now - last >= KEPT_STEP_MS) steps.push({ from: last, to: now })
    last = now
    onPass()
  }
  await done
  const durationMs = performance.now() - from
  delay.disable()
  // Entries of the collector are delivered later.
  await new Promise((resolve) => setTimeout(resolve, 20))
  observer.disconnect()
  return {
    durationMs,
    delayP999Ms: delay.percentile(99.9) / 1e6,
    delayWorstMs: delay.max / 1e6,
    longestStepMs: longest(steps.map(lengthOf)),
    longestOwnStepMs: longest(steps.map((step) => lengthOf(step) - sharedBy(step, collections))),
    collectorShare: sum(collections.map(lengthOf)) / durationMs,
    longestCollectionMs: longest(collections.map(lengthOf)),
    majorCollections: collections.filter(({ isMajor }) => isMajor).length,
  }
}

const lengthOf = ({ from, to }: Span): number => to - from

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0)

const longest = (numbers: readonly number[]): number => numbers.reduce((a, b) => Math.max(a, b), 0)

/** How much of a step the collector took. */
function sharedBy(step: Span, collections: readonly Span[]): number {
  return sum(
    collections.map(({ from, to }) => Math.max(0, Math.min(to, step.to) - Math.max(from, step.from))),
  )
}
