/**
 * Whether two values are the same value, for `expected`: what would be stored of one is what would be stored
 * of the other, but for the order of members.
 */
import { assertNever } from '../assert.ts'
import { MAX_DEPTH } from './format.ts'
import { kindOf } from './kinds.ts'

/**
 * Numbers by `Object.is` (NaN equals itself, 0 and -0 differ), containers by what they hold; the order of an
 * object's members, of a map's and a set's items counts for nothing. What cannot be stored equals nothing
 * but itself.
 */
export function deepEqualValues(a: unknown, b: unknown): boolean {
  return equal(a, b, 0)
}

function equal(a: unknown, b: unknown, depth: number): boolean {
  if (Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  const kind = kindOf(a)
  if (kind === undefined || kind !== kindOf(b) || depth >= MAX_DEPTH) return false
  switch (kind) {
    case 'date':
      return Object.is((a as Date).getTime(), (b as Date).getTime())
    case 'bytes':
      return Buffer.compare(a as Uint8Array, b as Uint8Array) === 0
    case 'array':
      return equalArrays(a as unknown[], b as unknown[], depth + 1)
    case 'object':
      return equalObjects(a as Record<string, unknown>, b as Record<string, unknown>, depth + 1)
    case 'map':
      return equalMaps(a as Map<unknown, unknown>, b as Map<unknown, unknown>, depth + 1)
    case 'set':
      return equalSets(a as Set<unknown>, b as Set<unknown>, depth + 1)
    default:
      return assertNever(kind)
  }
}

function equalArrays(a: readonly unknown[], b: readonly unknown[], depth: number): boolean {
  return a.length === b.length && a.every((item, i) => equal(item, b[i], depth))
}

function equalObjects(a: Record<string, unknown>, b: Record<string, unknown>, depth: number): boolean {
  const names = Object.keys(a)
  if (names.length !== Object.keys(b).length) return false
  return names.every((name) => Object.hasOwn(b, name) && equal(a[name], b[name], depth))
}

function equalMaps(
  a: ReadonlyMap<unknown, unknown>,
  b: ReadonlyMap<unknown, unknown>,
  depth: number,
): boolean {
  if (a.size !== b.size) return false
  const found = [...a].every(([key, item]) => isObject(key) || (b.has(key) && equal(item, b.get(key), depth)))
  return (
    found &&
    equalMembers(
      [...a].filter(([key]) => isObject(key)),
      [...b].filter(([key]) => isObject(key)),
      ([x, xItem], [y, yItem]) => equal(x, y, depth) && equal(xItem, yItem, depth),
    )
  )
}

function equalSets(a: ReadonlySet<unknown>, b: ReadonlySet<unknown>, depth: number): boolean {
  if (a.size !== b.size || ![...a].every((item) => isObject(item) || b.has(item))) return false
  return equalMembers([...a].filter(isObject), [...b].filter(isObject), (x, y) => equal(x, y, depth))
}

/** Members that are objects have no identity here: each needs a partner of its own. The first mostly fits. */
function equalMembers<T>(a: readonly T[], b: readonly T[], same: (x: T, y: T) => boolean): boolean {
  if (a.length !== b.length) return false
  const left = [...b]
  return a.every((item) => {
    const at = left.findIndex((other) => same(item, other))
    if (at >= 0) left.splice(at, 1)
    return at >= 0
  })
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}
