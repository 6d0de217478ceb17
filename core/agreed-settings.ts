/**
 * Limits that `apply` enforces are facts in the log, the same on every node; what this node's config says only
 * proposes them. Of a node alone, here; of a cluster, when all agree (node/agreement.ts).
 */
import type { ResolvedConfig } from './config/index.ts'
import { ConcordError } from './errors.ts'
import { USERS, checkSettings, encodeSettings } from './machine/index.ts'
import type { ReplicatedLog } from './node/replicated-log.ts'

/** What a config says of the replicated settings. */
export const wantedSettings = ({ limits, requests }: Pick<ResolvedConfig, 'limits' | 'requests'>) => ({
  valueBytes: limits.valueBytes,
  batch: limits.batch,
  'requests.keepMs': requests.keepMs,
  'requests.max': requests.max,
})

/** What this node's config says otherwise than the log, by name. */
export function differing(
  { machine: { settings } }: ReplicatedLog,
  config: Pick<ResolvedConfig, 'limits' | 'requests'>,
): Readonly<Record<string, number>> {
  const wanted = wantedSettings(config)
  const names = Object.keys(wanted) as (keyof typeof wanted)[]
  const changed = names.filter((name) => settings[name] !== wanted[name])
  return Object.fromEntries(changed.map((name) => [name, wanted[name]]))
}

/**
 * Waits until the log that recovery found is applied, then proposes what differs.
 *
 * @throws `SETTING_REFUSED` - the cluster cannot have what the config asks for.
 */
export async function agreeOnSettings(
  log: ReplicatedLog,
  config: Pick<ResolvedConfig, 'limits' | 'requests'>,
): Promise<void> {
  const patience = { deadlineMs: Infinity }
  await log.readPoint('strong', 0, patience)
  const values = differing(log, config)
  if (Object.keys(values).length === 0) return
  const lack = checkSettings(values)
  if (lack !== undefined) throw new ConcordError('SETTING_REFUSED', lack.message, { cause: lack })
  await log.propose((writer) => encodeSettings(writer, { space: USERS }, values), patience)
}
