/**
 * All changes replayed in the order of their revisions: what each key held from which revision on, as a small
 * store of our own says it, which is held against what the nodes have told of revisions and versions.
 */
import type { Held, Problem, Seen } from '../history.ts'
import type { Change } from './order.ts'

/** What a key held from a revision on, up to the next. */
export interface Version {
  readonly from: number
  readonly seen: Seen | null
}

export interface Timeline {
  /** Of the last change. */
  readonly revision: number
  readonly problems: readonly Problem[]
  /** What the key holds at a revision. */
  at(key: string, revision: number): Version
  /** The first moment from `revision` on at which the key holds what is asked for; undefined for never. */
  next(key: string, revision: number, isWanted: (seen: Seen | null) => boolean): number | undefined
  keys(): Iterable<string>
}

const ABSENT: Version = { from: 0, seen: null }

export function timelineOf(changes: readonly (Change | undefined)[]): Timeline {
  const keys = new Map<string, Version[]>()
  const problems: Problem[] = []
  for (const change of changes) {
    for (const told of change ?? []) {
      const versions = keys.get(told.key) ?? [ABSENT]
      keys.set(told.key, versions)
      const before = versions.at(-1)!.seen
      const seen = after(before, told.revision, told.value)
      const isRight =
        told.previousRevision === (before?.revision ?? 0) &&
        (told.type === 'put' ? seen !== null : seen === null && before !== null) &&
        (seen === null || (seen.createRevision === told.createRevision && seen.version === told.version))
      if (!isRight && problems.length < 20) {
        const message = `the change of ${told.key} at ${told.revision} does not follow from what it was`
        problems.push({ rule: 'changes follow from each other', message, evidence: [before, told] })
      }
      versions.push({ from: told.revision, seen })
    }
  }
  const versionsOf = (key: string): readonly Version[] => keys.get(key) ?? [ABSENT]
  return {
    revision: Math.max(0, changes.length - 1),
    problems,
    at: (key, revision) => {
      const versions = versionsOf(key)
      return versions[indexAt(versions, revision)]!
    },
    next: (key, revision, isWanted) => {
      const versions = versionsOf(key)
      for (let at = indexAt(versions, revision); at < versions.length; at++) {
        if (isWanted(versions[at]!.seen)) return Math.max(revision, versions[at]!.from)
      }
      return undefined
    },
    keys: () => keys.keys(),
  }
}

function after(before: Seen | null, revision: number, value: Held | null): Seen | null {
  if (value === null) return null
  if (before === null) return { value, revision, createRevision: revision, version: 1 }
  return { value, revision, createRevision: before.createRevision, version: before.version + 1 }
}

/** The last version that began at or before the revision. */
function indexAt(versions: readonly Version[], revision: number): number {
  let low = 0
  let high = versions.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (versions[middle]!.from <= revision) low = middle
    else high = middle - 1
  }
  return low
}
