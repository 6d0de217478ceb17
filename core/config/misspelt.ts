/** Variables that were meant for the command line and are not read by it: for verbs that load no config. */
import { CLI_VARIABLES, type Environment, isOfKubernetes } from './environment.ts'
import { optionsOf } from './options.ts'
import { configSchema } from './schema.ts'
import { closestTo } from '../suggest.ts'

const CONCORD = 'CONCORD_'
const WORDS = [...CLI_VARIABLES, 'CONCORD_DATA_DIR'].map((name) => name.slice(CONCORD.length))

/** A warning for each that looks like one of the command line's, and is no option's. */
export function misspeltVariables(env: Environment): string[] {
  const options = new Set(optionsOf(configSchema).map(({ variable }) => variable))
  const warnings: string[] = []
  for (const name of Object.keys(env).sort()) {
    if (!name.startsWith(CONCORD) || options.has(name) || isOfKubernetes(name, env[name])) continue
    const word = name.slice(CONCORD.length)
    const meant = WORDS.includes(word) ? undefined : closestTo(word, WORDS)
    if (meant === undefined) continue
    warnings.push(`${name} is no variable of the command line. Did you mean "${CONCORD}${meant}"?`)
  }
  return warnings
}
