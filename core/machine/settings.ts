/**
 * Replicated settings: what `apply` reads besides the keys. They are facts in the log, changed by a command,
 * so a limit is the same on every node at the same index whatever its own config says.
 *
 * Only what differs from the defaults is stored. A default is therefore part of the format: to change one,
 * raise `APPLY_VERSION` and make the new default depend on `applyVersion`.
 */
import type { Stored } from '../codec.ts'
import { UnsupportedByThisNode } from './unsupported.ts'

/** The newest rules of `apply` that this build knows. */
export const APPLY_VERSION = 1

export interface Settings {
  /** Which rules `apply` follows; raised when every member knows the new ones. */
  readonly applyVersion: number
  /** The most bytes of one encoded value. */
  readonly valueBytes: number
  /** The most operations of one command. */
  readonly batch: number
  /** How long a request id is remembered, in ms of clusterTime. */
  readonly 'requests.keepMs': number
  /** How many request ids are remembered; when it is reached new ones are refused. */
  readonly 'requests.max': number
}

export const DEFAULT_SETTINGS: Settings = {
  applyVersion: 1,
  valueBytes: 1024 * 1024,
  batch: 500,
  'requests.keepMs': 600_000,
  'requests.max': 100_000,
}

/** What this build can honour. The config's schema allows no more; a test holds the two together. */
export const SETTING_BOUNDS: Readonly<Record<keyof Settings, readonly [least: number, most: number]>> = {
  applyVersion: [1, APPLY_VERSION],
  valueBytes: [1024, 16 * 1024 * 1024],
  batch: [1, 10_000],
  'requests.keepMs': [1000, 24 * 3_600_000],
  'requests.max': [1, 1_000_000],
}

/**
 * What of `values` this node cannot honour, for asking before they are proposed; undefined when all is well.
 * Once they are in the log, a node that cannot stops.
 */
export function checkSettings(values: Readonly<Record<string, Stored>>): UnsupportedByThisNode | undefined {
  for (const [name, value] of Object.entries(values)) {
    const found = typeof value === 'object' ? 'an object' : String(value)
    if (!Object.hasOwn(SETTING_BOUNDS, name)) {
      return new UnsupportedByThisNode({ kind: 'setting', name, found, supported: 'no such setting' })
    }
    const [least, most] = SETTING_BOUNDS[name as keyof Settings]
    if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) continue
    return new UnsupportedByThisNode({ kind: 'setting', name, found, supported: `${least} to ${most}` })
  }
  return undefined
}

/** Settings with some of them changed. Throws `UnsupportedByThisNode`. */
export function changeSettings(settings: Settings, values: Readonly<Record<string, Stored>>): Settings {
  const lack = checkSettings(values)
  if (lack !== undefined) throw lack
  return { ...settings, ...values }
}
