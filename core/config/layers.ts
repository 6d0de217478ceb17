/**
 * Layers of a config, laid over each other: the object in the file, its `env` section for the mode, one
 * layer for each environment variable. Remembers for every leaf which layer it came from.
 *
 * Objects merge by key; arrays and scalars replace. For a plugin, `true` keeps the options of earlier
 * layers and `false` drops them. `undefined` says nothing. The result shares no plain object or array
 * with its sources; everything else (a buffer, a function, an instance) is kept as it is.
 */
import { ConcordError } from '../errors.ts'

/** `config` is the object itself, in a file or given to `open`. */
export type Layer = 'default' | 'config' | `env.${string}` | `CONCORD_${string}`

export interface ConfigLayer {
  readonly layer: Layer
  readonly values: Tree
}

export interface Tree {
  [key: string]: unknown
}

export interface Merged {
  readonly values: Tree
  readonly sources: Map<string, Layer>
}

const maxDepth = 32

export function mergeLayers(layers: readonly ConfigLayer[]): Merged {
  const merged: Merged = { values: {}, sources: new Map() }
  for (const { layer, values } of layers) mergeObject(merged.values, values, [], layer, merged.sources)
  return merged
}

function mergeObject(
  target: Tree,
  source: Tree,
  path: readonly string[],
  layer: Layer,
  sources: Map<string, Layer>,
): void {
  if (path.length > maxDepth) throw tooDeep(path)
  for (const key of Object.keys(source)) {
    const value = source[key]
    if (value === undefined) continue
    const at = [...path, key]
    const before = Object.hasOwn(target, key) ? target[key] : undefined
    if (isPlainObject(value) && isPlainObject(before)) {
      mergeObject(before, value, at, layer, sources)
    } else if (value === true && isPlainObject(before) && isPluginSwitch(at)) {
      sources.set(at.join('.'), layer)
    } else {
      forget(sources, at.join('.'))
      setOwn(target, key, copyOf(value, at, layer, sources))
    }
  }
}

/** A copy of a value that is new at its place; records its leaves. */
function copyOf(value: unknown, at: readonly string[], layer: Layer, sources: Map<string, Layer>): unknown {
  if (isPlainObject(value) && Object.keys(value).length > 0) {
    const copy: Tree = {}
    mergeObject(copy, value, at, layer, sources)
    return copy
  }
  sources.set(at.join('.'), layer)
  return copyPlain(value, at.length)
}

/** Copies plain objects and arrays all the way down. */
export function copyPlain(value: unknown, depth = 0): unknown {
  if (depth > maxDepth) throw tooDeep([])
  if (Array.isArray(value)) return value.map((item) => copyPlain(item, depth + 1))
  if (!isPlainObject(value)) return value
  const copy: Tree = {}
  for (const key of Object.keys(value)) setOwn(copy, key, copyPlain(value[key], depth + 1))
  return copy
}

const isPluginSwitch = (path: readonly string[]) => path.length === 2 && path[0] === 'plugins'

function forget(sources: Map<string, Layer>, path: string): void {
  for (const known of sources.keys()) {
    if (known === path || known.startsWith(`${path}.`)) sources.delete(known)
  }
}

/** Where a value came from; of an object, the last of the layers that say something in it. */
export function sourceOf(sources: ReadonlyMap<string, Layer>, path: string): Layer | undefined {
  const exact = sources.get(path)
  if (exact !== undefined) return exact
  let found: Layer | undefined
  for (const [known, layer] of sources) if (known.startsWith(`${path}.`)) found = layer
  return found
}

/** An assignment that a key named `__proto__` cannot turn into a change of the prototype. */
export function setOwn(target: Tree, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true })
}

export function isPlainObject(value: unknown): value is Tree {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  // The second test lets objects of another realm pass (a test runner's).
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

/** The value at a path; undefined when there is none. */
export function valueAt(tree: unknown, keys: readonly string[]): unknown {
  let at = tree
  for (const key of keys) {
    if (!isPlainObject(at) || !Object.hasOwn(at, key)) return undefined
    at = at[key]
  }
  return at
}

/** An object with one value, at the end of a path. */
export function treeOf(keys: readonly string[], value: unknown): Tree {
  return keys.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as Tree
}

const tooDeep = (path: readonly string[]) =>
  new ConcordError(
    'CONFIG_INVALID',
    `${path.slice(0, 4).join('.') || 'the config'}: nested deeper than ${maxDepth} objects. Does it refer to itself?`,
  )
