/**
 * The order of the plugins: what one `requires`, or comes `after`, is set up before it. Kahn's
 * algorithm; where nothing is asked for, the order of the config stays.
 */
import { ConcordError } from '../errors.ts'
import type { AnyDefinition } from './definition.ts'
import { unknownPlugin } from './resolve.ts'

interface Ordered {
  readonly definition: AnyDefinition
}

/**
 * @param known names of plugins that could be turned on, for the message about one that is not.
 * @throws `PLUGIN_NOT_ENABLED`, `PLUGIN_UNKNOWN` - a required plugin is off, or does not exist.
 *   `PLUGIN_INVALID` - a cycle. Both show the chain.
 */
export function sortPlugins<P extends Ordered>(plugins: readonly P[], known: Iterable<string> = []): P[] {
  const byName = new Map(plugins.map((plugin) => [plugin.definition.name, plugin]))
  checkRequired(plugins, byName, new Set(known))
  const placed = new Set<string>()
  const sorted: P[] = []
  while (sorted.length < plugins.length) {
    const next = plugins.find(
      ({ definition }) =>
        !placed.has(definition.name) &&
        neighbours(definition).every(({ name }) => placed.has(name) || !byName.has(name)),
    )
    if (next === undefined) throw cycle(plugins.filter(({ definition }) => !placed.has(definition.name)))
    placed.add(next.definition.name)
    sorted.push(next)
  }
  return sorted
}

interface Neighbour {
  readonly name: string
  readonly how: 'requires' | 'comes after'
}

function neighbours({ requires = [], after = [] }: AnyDefinition): Neighbour[] {
  return [
    ...requires.map((name) => ({ name, how: 'requires' }) as const),
    ...after.map((name) => ({ name, how: 'comes after' }) as const),
  ]
}

function checkRequired(
  plugins: readonly Ordered[],
  byName: ReadonlyMap<string, Ordered>,
  known: ReadonlySet<string>,
): void {
  for (const { definition } of plugins) {
    for (const name of definition.requires ?? []) {
      if (byName.has(name)) continue
      const chain = [...whoNeeds(definition.name, plugins), name]
        .map((link) => `"${link}"`)
        .join(' requires ')
      if (!known.has(name)) throw unknownPlugin(name, [...known, ...byName.keys()], chain)
      throw new ConcordError(
        'PLUGIN_NOT_ENABLED',
        `${chain}, which is not on. Turn it on: plugins: { ${JSON.stringify(name)}: true }`,
        { details: { plugin: definition.name, requires: name } },
      )
    }
  }
}

/** A chain of requirements that ends at `name`, from the plugin that nobody requires. */
function whoNeeds(name: string, plugins: readonly Ordered[]): string[] {
  const chain = [name]
  for (;;) {
    const first = chain[0] as string
    const above = plugins.find(
      ({ definition }) => definition.requires?.includes(first) && !chain.includes(definition.name),
    )
    if (above === undefined) return chain
    chain.unshift(above.definition.name)
  }
}

/** Walks from one plugin that cannot be placed to the next until one comes again. */
function cycle(stuck: readonly Ordered[]): ConcordError {
  const byName = new Map(stuck.map((plugin) => [plugin.definition.name, plugin]))
  const names: string[] = []
  const links: string[] = []
  let at = stuck[0] as Ordered
  while (!names.includes(at.definition.name)) {
    const next = neighbours(at.definition).find(({ name }) => byName.has(name)) as Neighbour
    names.push(at.definition.name)
    links.push(`"${at.definition.name}" ${next.how} "${next.name}"`)
    at = byName.get(next.name) as Ordered
  }
  const start = names.indexOf(at.definition.name)
  return new ConcordError(
    'PLUGIN_INVALID',
    `the plugins wait for each other: ${links.slice(start).join(', ')}`,
    {
      details: { cycle: names.slice(start) },
    },
  )
}
