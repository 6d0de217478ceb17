/**
 * Strict serializability: every operation holds at one moment of the order of changes, a revision, and whatever had
 * ended before another began comes before it. Real time is held against the order alone: to each operation, in the
 * order in which they began, goes the earliest moment that its answer allows and that is not before those of
 * the operations that had ended. If that fails, no other choice does it: an earlier moment harms nobody.
 */
import type { Held, Operation, Problem, Seen } from '../history.ts'
import type { Timeline } from './timeline.ts'

/** The earliest moment from a revision on at which the answer holds; undefined: there is none. */
type Place = (from: number) => number | undefined

export function judgeTime(
  operations: readonly Operation[],
  done: ReadonlyMap<Operation, number>,
  timeline: Timeline,
): Problem[] {
  const problems: Problem[] = []
  const ends = operations.filter(({ outcome }) => outcome === 'ok').sort((a, b) => a.endMs - b.endMs)
  const starts = [...operations].sort((a, b) => a.startMs - b.startMs)
  const moments = new Map<Operation, number>()
  let ended = 0
  let floor = 0
  let raisedBy: Operation | undefined
  for (const operation of starts) {
    for (; ended < ends.length && ends[ended]!.endMs < operation.startMs; ended++) {
      const moment = moments.get(ends[ended]!) ?? 0
      if (moment <= floor) continue
      floor = moment
      raisedBy = ends[ended]!
    }
    const revision = done.get(operation)
    const moment = revision === undefined ? placed(operation, floor, timeline) : revision
    if (moment === 'nothing to place') continue
    if (moment === undefined || (revision !== undefined && revision <= floor)) {
      if (problems.length < 20) problems.push(tooLate(operation, revision, floor, raisedBy, timeline))
      continue
    }
    moments.set(operation, moment)
  }
  return problems
}

function placed(
  operation: Operation,
  floor: number,
  timeline: Timeline,
): number | undefined | 'nothing to place' {
  const place = placeOf(operation, timeline)
  return place === undefined ? 'nothing to place' : place(floor)
}

function tooLate(
  operation: Operation,
  revision: number | undefined,
  floor: number,
  raisedBy: Operation | undefined,
  timeline: Timeline,
): Problem {
  const isEver = revision !== undefined || placed(operation, 0, timeline) !== undefined
  const message = isEver
    ? `an operation that began when revision ${floor} had been seen holds only before it`
    : 'an answer that holds at no moment of the order'
  const rule = isEver ? 'real time' : 'an answer holds at a moment'
  return { rule, message, evidence: [operation, raisedBy] }
}

/** Undefined for what says nothing of any moment. */
function placeOf({ call, answer }: Operation, timeline: Timeline): Place | undefined {
  if (answer === undefined) return undefined
  const holds = (key: string, isWanted: (seen: Seen | null) => boolean): Place => {
    return (from) => timeline.next(key, from, isWanted)
  }
  const exactly = (revision: number, keys: readonly string[], seen: readonly (Seen | null)[]): Place => {
    const isSo = keys.every((key, at) => isSame(timeline.at(key, revision).seen, seen[at] ?? null))
    return (from) => (isSo && revision >= from && revision <= timeline.revision ? revision : undefined)
  }
  if (answer.kind === 'get' && call.kind === 'get') {
    return holds(call.key, (seen) => isSame(seen, answer.seen))
  }
  if (answer.kind === 'getMany' && call.kind === 'getMany') {
    return together(call.keys.map((key, at) => holds(key, (seen) => isHeld(seen, answer.values[at] ?? null))))
  }
  if (answer.kind === 'moment' && call.kind === 'moment') {
    return exactly(answer.revision, call.keys, answer.seen)
  }
  if (answer.kind === 'putIf' && !answer.ok && call.kind === 'putIf') {
    if ((answer.seen?.revision ?? 0) === call.revision) return () => undefined
    return holds(call.key, (seen) => isSame(seen, answer.seen))
  }
  if (answer.kind === 'delete' && !answer.deleted && call.kind === 'delete') {
    return exactly(answer.revision, [call.key], [null])
  }
  return undefined
}

/** The earliest moment at which all hold: none of them allows an earlier one than the latest so far. */
function together(places: readonly Place[]): Place {
  return (from) => {
    let moment = from
    for (let agreed = 0, at = 0; agreed < places.length; at = (at + 1) % places.length) {
      const next = places[at]!(moment)
      if (next === undefined) return undefined
      agreed = next === moment ? agreed + 1 : 1
      moment = next
    }
    return moment
  }
}

const isHeld = (seen: Seen | null, held: Held | null): boolean => (seen?.value ?? null) === held

const isSame = (a: Seen | null, b: Seen | null): boolean =>
  a === null || b === null
    ? a === b
    : a.revision === b.revision &&
      a.value === b.value &&
      a.createRevision === b.createRevision &&
      a.version === b.version
