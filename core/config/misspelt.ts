/** Variables that were meant for the command line and are not read by it: for verbs that load no config. */
import { CLI_VARIABLES, type Environment, strayVariables } from './environment.ts'
import { optionsOf } from './options.ts'
import { configSchema } from './schema.ts'
import { closestTo } from '../suggest.ts'

const CONCORD = 'CONCORD_'
const WORDS = [...CLI_VARIABLES, 'CONCORD_DATA_DIR'].map((name) => name.slice(CONCORD.length))

/** A warning for each that looks like one of the command line's, and is no option's. */
export function misspeltVariables(env: Environment): string[] {
  const known = new Set<string | undefined>(optionsOf(configSchema).map(({ variable }) => variable))
  for (const word of WORDS) known.add(CONCORD + word)
  return strayVariables(env, (name) => known.has(name)).flatMap((name) => {
    const meant = closestTo(name.slice(CONCORD.length), WORDS)
    if (meant === undefined) return []
    return `${name} is no variable of the command line. Did you mean "${CONCORD}${meant}"?`
  })
}
