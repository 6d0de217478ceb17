/** What becomes of plugins that fail or dawdle where they only look on: it is told, and life goes on (H67). */
import { messageOf } from '../errors.ts'
import type { Clock } from '../ports.ts'
import type { Telemetry } from '../telemetry.ts'
import type { Log } from './contract.ts'
import type { WindowGuard } from './taps.ts'

/** Counts every failure and slowness at the window, and says each once per plugin. */
export function windowGuard(
  clock: Clock,
  log: Log,
  telemetry: Telemetry,
  failures: Map<string, number>,
): WindowGuard {
  const failed = telemetry.event('plugin.failed')
  const slow = telemetry.event('plugin.slow')
  const saidSlow = new Set<string>()
  let telling = false // a listener of these two events may fail as well
  const tell = (emit: () => void) => {
    if (telling) return
    telling = true
    try {
      emit()
    } finally {
      telling = false
    }
  }
  return {
    nowMs: () => clock.monotonicMs(),
    failed: (plugin, hook, error) => {
      const count = (failures.get(plugin) ?? 0) + 1
      failures.set(plugin, count)
      const text = `plugin "${plugin}" failed at hook "${hook}"; further failures are counted, not logged`
      if (count === 1) log.error({ plugin, hook, err: error }, text)
      const message = messageOf(error)
      if (failed.isWanted) tell(() => failed.emit({ plugin, hook, message }))
    },
    slow: (plugin, hook, durationMs) => {
      const text = `plugin "${plugin}" held up this node for ${durationMs.toFixed(0)} ms at hook "${hook}"; said once`
      if (!saidSlow.has(plugin)) log.warn({ plugin, hook, durationMs }, text)
      saidSlow.add(plugin)
      if (slow.isWanted) tell(() => slow.emit({ plugin, hook, durationMs }))
    },
  }
}
