/**
 * A config taken apart: the options themselves, the sections of its modes, `use`; and, of the merged
 * options, which plugins are on. Checks what core's schema does not: the shapes around the options.
 */
import { didYouMean } from '../suggest.ts'
import { isPlainObject, sourceOf, type Merged, type Tree } from './layers.ts'
import { describe, placeOf, type Problem } from './problems.ts'

export interface Parts {
  readonly base: Tree
  readonly use: unknown
  readonly modes: ReadonlyMap<string, Tree>
  readonly problems: readonly Problem[]
}

/** The object without what is not an option: `$schema`, `use`, and the sections of `env`. */
export function split(values: Tree): Parts {
  const { $schema: _, use, env, ...base } = ownCopy(values)
  const problems: Problem[] = []
  const modes = new Map<string, Tree>()
  if (env !== undefined && !isPlainObject(env)) {
    problems.push({ path: 'env', message: `expected an object of modes, found ${describe(env)}` })
  }
  for (const [mode, section] of Object.entries(isPlainObject(env) ? env : {})) {
    if (section === undefined) continue
    if (!isPlainObject(section)) {
      problems.push({
        path: `env.${mode}`,
        message: `expected an object of options, found ${describe(section)}`,
      })
      continue
    }
    const { use: code, env: nested, ...rest } = ownCopy(section)
    if (code !== undefined) {
      problems.push({
        path: `env.${mode}.use`,
        message:
          'which code there is does not depend on the mode. List the plugin in `use`, and turn it on here under `plugins`',
      })
    }
    if (nested !== undefined)
      problems.push({ path: `env.${mode}.env`, message: 'a mode has no modes of its own' })
    modes.set(mode, rest)
  }
  return { base, use, modes, problems }
}

/** A shallow copy that keeps a key named `__proto__` a key. */
export const ownCopy = (values: Tree): Tree => Object.assign(Object.create(null) as Tree, values)

export interface Switched {
  readonly on: readonly string[]
  readonly off: readonly string[]
  readonly problems: readonly Problem[]
  /** Names that nobody has. */
  readonly unknown: readonly Problem[]
}

export function pluginsIn({ values, sources }: Merged, names: readonly string[]): Switched {
  const given = values['plugins']
  const on: string[] = []
  const off: string[] = []
  const problems: Problem[] = []
  const unknown: Problem[] = []
  const report = (path: string, message: string, to = problems) =>
    to.push({ path: placeOf(path, sourceOf(sources, path)), message })
  if (given !== undefined && !isPlainObject(given)) {
    report('plugins', `expected an object of plugins by name, found ${describe(given)}`)
    return { on, off, problems, unknown }
  }
  for (const [name, value] of Object.entries(given ?? {})) {
    if (!names.includes(name)) report(`plugins.${name}`, unknownPlugin(name, names), unknown)
    else if (value === false) off.push(name)
    else if (value === true || isPlainObject(value)) on.push(name)
    else report(`plugins.${name}`, `expected true, false or an object of options, found ${describe(value)}`)
  }
  return { on, off, problems, unknown }
}

function unknownPlugin(name: string, names: readonly string[]): string {
  const near = didYouMean(name, names)
  return `no plugin named "${name}".${near === '' ? ' A plugin that is not built in is listed in `use`.' : near}`
}
