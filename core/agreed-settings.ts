/**
 * Limits that `apply` enforces are facts in the log, the same on every node; what this node's config says only
 * proposes them.
 */
import type { ResolvedConfig } from './config/index.ts'
import { ConcordError } from './errors.ts'
import { USERS, checkSettings, encodeSettings } from './machine/index.ts'
import type { ReplicatedLog } from './node/replicated-log.ts'

/**
 * Waits until the log that recovery found is applied, then proposes what differs.
 *
 * @throws `SETTING_REFUSED` - the cluster cannot have what the config asks for.
 */
export async function agreeOnSettings(
  log: ReplicatedLog,
  { limits, requests }: Pick<ResolvedConfig, 'limits' | 'requests'>,
): Promise<void> {
  const wanted = {
    valueBytes: limits.valueBytes,
    batch: limits.batch,
    'requests.keepMs': requests.keepMs,
    'requests.max': requests.max,
  }
  const patience = { deadlineMs: Infinity }
  await log.readPoint('strong', 0, patience)
  const { settings } = log.machine
  const names = Object.keys(wanted) as (keyof typeof wanted)[]
  const changed = names.filter((name) => settings[name] !== wanted[name])
  if (changed.length === 0) return
  const values = Object.fromEntries(changed.map((name) => [name, wanted[name]]))
  const lack = checkSettings(values)
  if (lack !== undefined) throw new ConcordError('SETTING_REFUSED', lack.message, { cause: lack })
  await log.propose((writer) => encodeSettings(writer, { space: USERS }, values), patience)
}
