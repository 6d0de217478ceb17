/**
 * Every change is the work of one operation, and of one only: whoever was told that it happened finds it at that
 * revision, whole; what was refused is nowhere; what nobody knows of is there once, or not at all.
 */
import type { Held, Operation, Problem, Told } from '../history.ts'
import type { Change } from './order.ts'
import type { Timeline } from './timeline.ts'

export interface Writes {
  /** By operation: the revision at which its change is. */
  readonly done: ReadonlyMap<Operation, number>
  readonly problems: readonly Problem[]
}

export function writesOf(
  operations: readonly Operation[],
  changes: readonly (Change | undefined)[],
  timeline: Timeline,
): Writes {
  const problems: Problem[] = []
  const blame = (rule: string, message: string, ...evidence: unknown[]): void => {
    if (problems.length < 20) problems.push({ rule, message, evidence })
  }
  const authors = authorsOf(operations)
  const done = new Map<Operation, number>()
  for (const [revision, change] of changes.entries()) {
    if (change === undefined || change.length === 0) continue
    const author = authors.get(signOf(change[0]!))
    if (author === undefined) {
      blame('nothing from nowhere', `nobody asked for the change at ${revision}`, change)
      continue
    }
    const earlier = done.get(author)
    if (earlier !== undefined) {
      blame('applied once', `one operation has changed ${earlier} and ${revision}`, author, change)
    }
    done.set(author, revision)
    if (author.outcome === 'refused') {
      blame('refused is never applied', `what was refused is there, at ${revision}`, author, change)
    }
    if (!isWhole(author, change)) {
      blame('all or nothing', `the change at ${revision} is not what was asked for`, author, change)
    }
    const why = whyWrong(author, change[0]!, timeline)
    if (why !== undefined) blame('a write follows from what was there', why, author, change)
  }
  for (const operation of operations) {
    const revision = acknowledged(operation)
    if (revision !== undefined && done.get(operation) !== revision) {
      const where = done.get(operation) ?? 'nowhere'
      blame('acknowledged is there', `acknowledged at ${revision}, found ${where}`, operation)
    }
  }
  return { done, problems }
}

/** The revision at which the answer says that a change was made. */
export function acknowledged({ answer }: Operation): number | undefined {
  switch (answer?.kind) {
    case 'put':
    case 'increment':
      return answer.revision
    case 'putMany':
      return answer.revisions[0]
    case 'putIf':
      return answer.ok ? answer.revision : undefined
    case 'delete':
      return answer.deleted ? answer.revision : undefined
    default:
      return undefined
  }
}

/** What tells whose change this is: a value is written by one operation, a request id used by one. */
const signOf = ({ value, requestId }: Told): string =>
  requestId === null ? `value ${String(value)}` : `request ${requestId}`

function authorsOf(operations: readonly Operation[]): ReadonlyMap<string, Operation> {
  const authors = new Map<string, Operation>()
  for (const operation of operations) {
    const { call } = operation
    if (call.kind === 'put' || call.kind === 'putIf') authors.set(`value ${call.value}`, operation)
    else if (call.kind === 'putMany') authors.set(`value ${call.items[0]?.value}`, operation)
    else if (call.kind === 'delete' || call.kind === 'increment') {
      authors.set(`request ${call.requestId}`, operation)
    }
  }
  return authors
}

function isWhole({ call, answer }: Operation, change: Change): boolean {
  const [one] = change
  const isOne = (type: string, key: string, value: Held | null): boolean =>
    change.length === 1 && one!.type === type && one!.key === key && one!.value === value
  switch (call.kind) {
    case 'put':
    case 'putIf':
      return isOne('put', call.key, call.value)
    case 'delete':
      return isOne('delete', call.key, null)
    case 'increment':
      return isOne('put', call.key, answer?.kind === 'increment' ? answer.value : one!.value)
    case 'putMany':
      return (
        change.length === call.items.length &&
        call.items.every(({ key, value }, at) => change[at]!.key === key && change[at]!.value === value) &&
        (answer?.kind !== 'putMany' || answer.revisions.every((revision) => revision === one!.revision))
      )
    default:
      return false
  }
}

/** A condition held, and a count went up by one. */
function whyWrong({ call }: Operation, told: Told, timeline: Timeline): string | undefined {
  if (call.kind === 'putIf' && told.previousRevision !== call.revision) {
    return `wanted the revision ${call.revision}, and found ${told.previousRevision}`
  }
  if (call.kind === 'increment') {
    const before = timeline.at(call.key, told.revision - 1).seen?.value ?? 0
    if (told.value !== Number(before) + 1) return `counted from ${before} to ${String(told.value)}`
  }
  return undefined
}
