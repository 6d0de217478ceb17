/**
 * One order of changes everywhere: what the nodes have told, put together by revision. Each run tells the
 * changes in the order of their revisions and without a gap, but for what a snapshot has brought it; whatever two
 * runs tell of one revision is the same; and together they know of every revision.
 */
import type { Problem, Telling, Told } from '../history.ts'

/** All changes of one revision: of one command. */
export type Change = readonly Told[]

export interface Order {
  /** By revision; the first is 1. */
  readonly changes: readonly (Change | undefined)[]
  readonly problems: readonly Problem[]
}

const NO_MORE_THAN = 20

export function orderOf(tellings: readonly Telling[]): Order {
  const changes: (Change | undefined)[] = []
  const firsts: string[] = []
  const problems: Problem[] = []
  const blame = (rule: string, message: string, evidence: readonly unknown[]): void => {
    if (problems.length < NO_MORE_THAN) problems.push({ rule, message, evidence })
  }
  for (const { source, changes: told } of tellings) {
    let last: Told | undefined
    for (const change of inOnes(told)) {
      const [one] = change
      const { revision, index } = one!
      if (last !== undefined && (revision <= last.revision || index < last.index)) {
        blame('one order', `${source} tells revision ${revision} after ${last.revision}`, [last, one])
      }
      last = one
      const known = changes[revision]
      if (known === undefined) {
        changes[revision] = change
        firsts[revision] = source
      } else if (!isSame(known, change)) {
        blame('one order', `${firsts[revision]} and ${source} differ at revision ${revision}`, [
          known,
          change,
        ])
      }
    }
  }
  for (let revision = 1; revision < changes.length; revision++) {
    if (changes[revision] === undefined) blame('no gap', `nobody has told of revision ${revision}`, [])
  }
  return { changes, problems }
}

/** Neighbours of one revision are one change. */
function* inOnes(told: readonly Told[]): Generator<Change> {
  let from = 0
  for (let at = 1; at <= told.length; at++) {
    if (at < told.length && told[at]!.revision === told[from]!.revision) continue
    yield told.slice(from, at)
    from = at
  }
}

function isSame(a: Change, b: Change): boolean {
  return a.length === b.length && a.every((one, at) => isSameTold(one, b[at]!))
}

const FIELDS: readonly (keyof Told)[] = [
  'revision',
  'index',
  'term',
  'type',
  'key',
  'value',
  'createRevision',
  'version',
  'previousRevision',
  'requestId',
]

const isSameTold = (a: Told, b: Told): boolean => FIELDS.every((field) => a[field] === b[field])
