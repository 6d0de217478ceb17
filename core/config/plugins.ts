/**
 * From names to code: imports what `use` lists and those built-ins that are on. A built-in that is off is
 * not imported. Judging, sorting and running definitions is the plugin host's.
 */
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { BuiltinPlugins } from '../plugin.ts'
import { checkDefinition, type AnyDefinition } from '../plugin-definition.ts'
import { isPlainObject } from './layers.ts'
import { describe, type Problem } from './problems.ts'

export interface UsedPlugins {
  readonly definitions: readonly AnyDefinition[]
  readonly problems: readonly Problem[]
}

/** The definitions that `use` names, specifiers imported from where the config is. */
export async function loadUsed(
  use: unknown,
  baseDir: string,
  builtins: BuiltinPlugins,
): Promise<UsedPlugins> {
  if (use === undefined) return { definitions: [], problems: [] }
  if (!Array.isArray(use)) {
    return {
      definitions: [],
      problems: [{ path: 'use', message: `expected an array, found ${describe(use)}` }],
    }
  }
  const definitions = new Map<string, AnyDefinition>()
  const problems: Problem[] = []
  for (const [at, item] of (use as unknown[]).entries()) {
    if (item === false || item == null) continue
    const path = `use[${at}]`
    const found = typeof item === 'string' ? await importUsed(item, baseDir) : definitionIn(item)
    if (typeof found === 'string') problems.push({ path, message: found })
    else if (Object.hasOwn(builtins, found.name)) {
      problems.push({
        path,
        message: `plugin "${found.name}" is built in; take it out of \`use\`, or give yours another name`,
      })
    } else if (definitions.has(found.name) && definitions.get(found.name) !== found) {
      problems.push({ path, message: `a second plugin named "${found.name}"` })
    } else definitions.set(found.name, found)
  }
  return { definitions: [...definitions.values()], problems }
}

/** A built-in's definition. A failing import is a fault of the package or of a missing peer: it passes through. */
export async function loadBuiltin(name: string, builtins: BuiltinPlugins): Promise<AnyDefinition> {
  const found = definitionIn(await builtins[name]!())
  if (typeof found === 'string') throw new TypeError(`built-in plugin "${name}": ${found}`)
  return found
}

async function importUsed(specifier: string, baseDir: string): Promise<AnyDefinition | string> {
  let target: string
  try {
    target = resolveFrom(baseDir, specifier)
  } catch (cause) {
    return whyUnresolved(specifier, baseDir, cause as NodeJS.ErrnoException)
  }
  try {
    const found = definitionIn((await import(pathToFileURL(target).href)) as object)
    return typeof found === 'string' ? `"${specifier}" ${found}` : found
  } catch (cause) {
    if ((cause as { code?: unknown }).code === 'PLUGIN_INVALID') throw cause
    return `"${specifier}" failed while it was imported: ${(cause as Error).message}`
  }
}

/** Not `import.meta.resolve`: it ignores the place to start from. */
function resolveFrom(baseDir: string, specifier: string): string {
  if (/^\.{0,2}[\\/]/.test(specifier)) return resolve(baseDir, specifier)
  return createRequire(join(baseDir, 'concord.config.js')).resolve(specifier)
}

function whyUnresolved(specifier: string, baseDir: string, { code, message }: NodeJS.ErrnoException): string {
  if (code === 'MODULE_NOT_FOUND') {
    return `no package "${specifier}" found from ${baseDir}. Install it (npm install ${specifier}), or write a path that starts with "./"`
  }
  if (code === 'ERR_PACKAGE_PATH_NOT_EXPORTED') {
    return `package "${specifier}" exports nothing under that name. Its author can add a "default" condition to its exports; until then import it in a concord.config.ts`
  }
  return `"${specifier}" cannot be resolved: ${message}`
}

/** The definition that a module or a value holds: itself, its default export, or its only one. */
function definitionIn(value: unknown): AnyDefinition | string {
  if (typeof value !== 'object' || value === null)
    return `expected a plugin or the name of a package, found ${describe(value)}`
  const inDefault = (value as { default?: unknown }).default
  const nested = isPlainObject(inDefault) ? (inDefault as { default?: unknown }).default : undefined
  const whole = [value, inDefault, nested].find(looksLikePlugin)
  const named = Object.values(value).filter(looksLikePlugin)
  const found = whole ?? (named.length === 1 ? named[0] : undefined)
  if (found !== undefined) {
    checkDefinition(found)
    return found as AnyDefinition
  }
  return named.length === 0
    ? 'is not a plugin: expected what definePlugin returns, as the default export or the only one'
    : `exports ${named.length} plugins: make one the default export, or import the one you mean`
}

const looksLikePlugin = (value: unknown): value is object =>
  isPlainObject(value) && typeof value['setup'] === 'function' && 'name' in value
