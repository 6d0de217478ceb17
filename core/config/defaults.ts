/**
 * Fills in core's defaults and makes paths absolute, by the schema. A section that needs something said
 * (`cluster`) stays absent when it is; a union is read by its object branch.
 *
 * Plugins' defaults are filled in by their validator, because a plugin's schema may be anything.
 */
import { isAbsolute, resolve } from 'node:path'
import { copyPlain, isPlainObject, setOwn, type Tree } from './layers.ts'
import { dereference, isOptional, objectBranch, type Schema } from './options.ts'

/** A copy, in the schema's order, with what is missing filled in. `values` has passed validation. */
export function withDefaults(root: Schema, schema: Schema, values: Tree): Tree {
  const filled: Tree = {}
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const resolved = dereference(root, property)
    const object = objectBranch(root, resolved)
    const value = values[name] ?? copyPlain(resolved.default) ?? (isSectionByDefault(object) ? {} : undefined)
    if (value === undefined) continue
    filled[name] = object !== undefined && isPlainObject(value) ? withDefaults(root, object, value) : value
  }
  return filled
}

const isSectionByDefault = (object: Schema | undefined) => object !== undefined && !isOptional(object)

/** Makes every `x-path` absolute, in place: against `baseDir`, or what `baseOf` says for that option. */
export function resolvePaths(
  root: Schema,
  schema: Schema,
  values: Tree,
  baseOf: (keys: readonly string[]) => string,
  at: readonly string[] = [],
): void {
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const resolved = dereference(root, property)
    const value = values[name]
    const keys = [...at, name]
    if (resolved['x-path'] === true && typeof value === 'string' && !isAbsolute(value)) {
      setOwn(values, name, resolve(baseOf(keys), value))
    }
    const object = objectBranch(root, resolved)
    if (object !== undefined && isPlainObject(value)) resolvePaths(root, object, value, baseOf, keys)
  }
}
