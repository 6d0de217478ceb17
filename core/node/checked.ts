/** What other members say, checked as it comes over the wire: they may be of another version. */
import { MalformedError } from '../bytes.ts'
import type { MemberState } from '../types.ts'

const NUMBERS = ['term', 'commitIndex', 'appliedIndex', 'lastIndex', 'snapshotIndex', 'revision'] as const
const ROLES: readonly unknown[] = ['follower', 'preCandidate', 'candidate', 'leader', 'stopped']

/** Throws `MalformedError`. */
export function memberStateOf(value: unknown): MemberState {
  const found = (typeof value === 'object' && value !== null ? value : {}) as MemberState
  const { stateHash } = found
  const isState =
    NUMBERS.every((name) => Number.isSafeInteger(found[name])) &&
    ROLES.includes(found.role) &&
    typeof found.ready === 'boolean' &&
    typeof found.version === 'string' &&
    typeof stateHash?.hash === 'string' &&
    Number.isSafeInteger(stateHash.index) &&
    Number.isFinite(found.wallMs) &&
    areTexts(found.urls ?? {})
  if (!isState) throw new MalformedError('the state of a member expected', 0)
  return found
}

const areTexts = (urls: unknown): boolean =>
  typeof urls === 'object' && urls !== null && Object.values(urls).every((url) => typeof url === 'string')

/** Values of replicated settings, by their names. */
export type SettingValues = Readonly<Record<string, number>>

/** Throws `MalformedError`. */
export function settingValuesOf(value: unknown): SettingValues {
  const isRecord = typeof value === 'object' && value !== null && !Array.isArray(value)
  const isSound = isRecord && Object.values(value).every((each) => typeof each === 'number')
  if (!isSound) throw new MalformedError('values of settings expected', 0)
  return value as SettingValues
}
