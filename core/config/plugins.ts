/**
 * Which plugins there are, and the code of those that are on. Finding and importing is host/resolve.ts's;
 * here its errors become problems of the config, beside all others. A plugin that is broken itself
 * (`PLUGIN_INVALID`) is not the config's problem: that error passes.
 */
import { sep } from 'node:path'
import { ConcordError } from '../errors.ts'
import type { AnyDefinition } from '../host/definition.ts'
import { builtinPlugin, usedPlugin, type Candidate } from '../host/resolve.ts'
import type { BuiltinPlugins } from '../plugin.ts'
import { describe, type Problem } from './problems.ts'

export interface KnownPlugins {
  /** By name: built in, and from `use`. */
  readonly candidates: ReadonlyMap<string, Candidate>
  /** The names that `use` brought. */
  readonly used: readonly string[]
  readonly problems: readonly Problem[]
}

/** `from` is the config file, or the directory that stands for it. */
export async function knownPlugins(
  use: unknown,
  from: { readonly file: string | undefined; readonly baseDir: string },
  builtins: BuiltinPlugins,
): Promise<KnownPlugins> {
  const candidates = new Map(
    Object.entries(builtins).map(([name, load]) => [name, builtinPlugin(name, load)]),
  )
  const used: string[] = []
  const problems: Problem[] = []
  if (use !== undefined && !Array.isArray(use)) {
    problems.push({ path: 'use', message: `expected an array, found ${describe(use)}` })
    return { candidates, used, problems }
  }
  for (const [at, item] of ((use ?? []) as unknown[]).entries()) {
    if (item === false || item == null) continue
    const path = `use[${at}]`
    try {
      const candidate = await usedPlugin(item, path, from.file ?? from.baseDir + sep)
      const { name } = candidate
      const before = candidates.get(name)
      if (before === undefined) {
        candidates.set(name, candidate)
        used.push(name)
      } else {
        problems.push({ path, message: `there is a plugin named "${name}" already (${before.source})` })
      }
    } catch (error) {
      problems.push({ path, message: messageOf(error, path) })
    }
  }
  return { candidates, used, problems }
}

/** Imports those that are on, in the order of the config. */
export async function loadPlugins(
  on: readonly string[],
  { candidates }: KnownPlugins,
): Promise<{
  readonly definitions: ReadonlyMap<string, AnyDefinition>
  readonly problems: readonly Problem[]
}> {
  const definitions = new Map<string, AnyDefinition>()
  const problems: Problem[] = []
  for (const name of on) {
    try {
      definitions.set(name, await candidates.get(name)!.load())
    } catch (error) {
      const path = `plugins.${name}`
      problems.push({ path, message: messageOf(error, path) })
    }
  }
  return { definitions, problems }
}

function messageOf(error: unknown, path: string): string {
  if (!ConcordError.is(error) || error.code === 'PLUGIN_INVALID') throw error
  return error.message.startsWith(`${path}: `) ? error.message.slice(path.length + 2) : error.message
}
