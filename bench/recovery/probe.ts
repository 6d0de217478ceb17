/** Looks at the event loop of this process while something runs: delays, the longest step, the collector. */
import { constants, monitorEventLoopDelay, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'

export interface LoopReport {
  readonly durationMs: number
  /** How late a timer of 1 ms fires, at the 99.9th percentile and at worst. */
  readonly delayP999Ms: number
  readonly delayWorstMs: number
  /** The longest time between two passes of the event loop: no single step took longer. */
  readonly longestStepMs: number
  /** Of the time, 0 to 1. */
  readonly collectorShare: number
  readonly longestCollectionMs: number
  readonly majorCollections: number
}

/** `onPass` is called at each pass of the loop, until `run` is done. */
export async function probe(run: () => Promise<unknown>, onPass: () => void = () => {}): Promise<LoopReport> {
  const collections: { readonly ms: number; readonly isMajor: boolean }[] = []
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { kind } = (entry as PerformanceEntry & { readonly detail: { readonly kind: number } }).detail
      collections.push({ ms: entry.duration, isMajor: kind === constants.NODE_PERFORMANCE_GC_MAJOR })
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
  let longestStepMs = 0
  let last = performance.now()
  while (isRunning) {
    await new Promise((resolve) => setImmediate(resolve))
    const now = performance.now()
    longestStepMs = Math.max(longestStepMs, now - last)
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
    longestStepMs,
    collectorShare: collections.reduce((sum, { ms }) => sum + ms, 0) / durationMs,
    longestCollectionMs: collections.reduce((longest, { ms }) => Math.max(longest, ms), 0),
    majorCollections: collections.filter(({ isMajor }) => isMajor).length,
  }
}
