/**
 * A schema read as a flat table of options: path, variable, default, secret or not. Everything that
 * speaks of single options starts here: environment, defaults, redaction, explain, the reference page.
 *
 * An option is a leaf: a property that has no `properties` of its own. A map (`additionalProperties`)
 * is one option. Of a union, the branch that is an object is read too.
 */

/** The part of JSON Schema 2020-12 that the table understands; a plugin's schema may say more. */
export interface Schema {
  readonly $schema?: string
  readonly $ref?: string
  readonly $defs?: { readonly [name: string]: Schema }
  readonly title?: string
  readonly description?: string
  readonly type?: string | readonly string[]
  readonly default?: unknown
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly properties?: { readonly [name: string]: Schema }
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | Schema
  readonly minProperties?: number
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly pattern?: string
  /** The environment variable that sets it. */
  readonly 'x-env'?: string
  /** Never printed. */
  readonly 'x-secret'?: boolean
  /** A file or directory, relative to the config file. */
  readonly 'x-path'?: boolean
  readonly 'x-unit'?: 'milliseconds' | 'seconds' | 'bytes'
  /** What `pattern` means, in words. */
  readonly 'x-expected'?: string
}

export interface Option {
  /** As in `storage.fsync`. */
  readonly path: string
  readonly keys: readonly string[]
  readonly schema: Schema
  readonly variable: string | undefined
  readonly default: unknown
  readonly secret: boolean
  /** The nearest section around it that is off while absent; an option alone does not turn it on. */
  readonly section: Section | undefined
}

export interface Section {
  readonly keys: readonly string[]
  /** True: off while absent. False: only off when something else stands in its place (`'memory'`). */
  readonly optional: boolean
}

/** All options of a schema, in its order. `prefix` is where its object sits in the config. */
export function optionsOf(root: Schema, prefix: readonly string[] = []): Option[] {
  const found: Option[] = []
  const visit = (schema: Schema, keys: readonly string[], section: Section | undefined): void => {
    // Deeper than anything a person configures: a schema that refers to itself.
    if (keys.length > 16) return
    const object = objectBranch(root, schema)
    const union = object !== undefined && schema.properties === undefined
    if (object === undefined || union) {
      const path = keys.join('.')
      found.push({
        path,
        keys,
        schema,
        variable: schema['x-env'],
        default: schema.default,
        secret: schema['x-secret'] === true,
        section,
      })
    }
    if (object === undefined) return
    const inside = union || isOptional(object) ? { keys, optional: !union } : section
    for (const [name, property] of Object.entries(object.properties ?? {})) {
      visit(dereference(root, property), [...keys, name], inside)
    }
  }
  for (const [name, property] of Object.entries(dereference(root, root).properties ?? {})) {
    visit(dereference(root, property), [...prefix, name], undefined)
  }
  return found
}

/** Sections that need something said are off until it is said. */
export const isOptional = (schema: Schema): boolean => (schema.required?.length ?? 0) > 0

/** The schema itself if it has properties, or the branch of its union that has. */
export function objectBranch(root: Schema, schema: Schema): Schema | undefined {
  if (schema.properties !== undefined) return schema
  return (schema.anyOf ?? schema.oneOf)
    ?.map((branch) => dereference(root, branch))
    .find((branch) => branch.properties !== undefined)
}

/** Follows references inside the same document; any other is left to the validator. */
export function dereference(root: Schema, schema: Schema): Schema {
  let found = schema
  for (let hops = 0; found.$ref?.startsWith('#/') && hops < 16; hops++) {
    const target = found.$ref
      .slice(2)
      .split('/')
      .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], root)
    if (target === undefined) break
    const { $ref: _, ...siblings } = found
    found = { ...(target as Schema), ...siblings }
  }
  return found
}

/** The words for what an option takes: `"a", "b" or "c"`, `integer`, `boolean or object`. */
export function typeOf(schema: Schema): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.enum !== undefined) return listed(schema.enum.map((value) => JSON.stringify(value)))
  const branches = schema.anyOf ?? schema.oneOf
  if (branches !== undefined) return listed(branches.map(typeOf))
  if (schema.type === undefined) return 'anything'
  return listed([schema.type].flat())
}

export function listed(words: readonly string[], last = 'or'): string {
  if (words.length < 2) return words[0] ?? ''
  return `${words.slice(0, -1).join(', ')} ${last} ${words.at(-1)!}`
}
