/**
 * What kind of container an object is. By its prototype, so that an instance of a class is never mistaken
 * for the plain object it would come back as; prototypes of another realm (a `vm` context, as under some
 * test runners) count like our own.
 */
import { types } from 'node:util'

export type Kind = 'array' | 'object' | 'map' | 'set' | 'date' | 'bytes'

export function kindOf(value: object): Kind | undefined {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (Array.isArray(value)) return prototype === Array.prototype || isDirect(value) ? 'array' : undefined
  switch (prototype) {
    case Object.prototype:
    case null:
      return 'object'
    case Uint8Array.prototype:
    case Buffer.prototype:
      return types.isUint8Array(value) ? 'bytes' : undefined
    case Map.prototype:
      return types.isMap(value) ? 'map' : undefined
    case Set.prototype:
      return types.isSet(value) ? 'set' : undefined
    case Date.prototype:
      return types.isDate(value) ? 'date' : undefined
    default:
      return kindOfForeign(value)
  }
}

function kindOfForeign(value: object): Kind | undefined {
  if (types.isUint8Array(value)) return 'bytes'
  if (isRoot(Object.getPrototypeOf(value))) return 'object'
  if (!isDirect(value)) return undefined
  if (types.isMap(value)) return 'map'
  if (types.isSet(value)) return 'set'
  return types.isDate(value) ? 'date' : undefined
}

/** Its prototype stands directly on some `Object.prototype`: not a subclass of `Map`, `Array` and the like. */
function isDirect(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return typeof prototype === 'object' && prototype !== null && isRoot(Object.getPrototypeOf(prototype))
}

/** Some realm's `Object.prototype`. */
function isRoot(prototype: unknown): boolean {
  return (
    typeof prototype === 'object' &&
    prototype !== null &&
    Object.getPrototypeOf(prototype) === null &&
    Object.hasOwn(prototype, 'isPrototypeOf')
  )
}

/** How to call what cannot be stored: `functions`, `instances of Foo`. */
export function nameKind(value: unknown): string {
  if (value === undefined) return 'undefined'
  if (typeof value !== 'object' || value === null) return `${typeof value}s`
  const prototype: unknown = Object.getPrototypeOf(value)
  const maker: unknown =
    typeof prototype === 'object' && prototype !== null
      ? Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value
      : undefined
  return typeof maker === 'function' && maker.name !== ''
    ? `instances of ${maker.name}`
    : 'instances of a class'
}
