/** `pluginConformance` itself: whether a plugin keeps its contract, for the tests of whoever writes it. */
import type { Config } from '../../config/index.ts'
import { ConcordError } from '../../errors.ts'
import type { Concord } from '../../open-node.ts'
import type { BuiltinPlugins, Plugin } from '../../plugin.ts'
import { didYouMean } from '../../suggest.ts'
import { judgeDefinition, judgeOptions, judgeRoutes, judgeVerbs } from './declared.ts'
import { type Finding, Findings } from './findings.ts'
import { live } from './life.ts'
import { judgeSlice } from './slice.ts'

/** What `pluginConformance` takes beside the plugin. */
export interface ConformanceOptions<O, S> {
  /** What a config says under the plugin's name. Default `true`: on, with its defaults. */
  readonly options?: O | undefined
  /** What else the nodes' config says: `use` and `plugins` for plugins that this one requires, `pluginTimeoutMs`. */
  readonly config?: Omit<Config, 'node' | 'cluster' | 'env' | 'storage'> | undefined
  /**
   * Uses the plugin once, as an application would: called on each of three nodes, one of which has another beside it.
   * What it throws is a finding. Default: nothing but a write and a read of the store.
   */
  readonly exercise?: ((service: S, db: Concord) => unknown) | undefined
  /** Commands of the slice, in an order that makes sense; what `exercise` proposes is judged as well. */
  readonly commands?: readonly unknown[] | undefined
}

const OPTIONS = ['options', 'config', 'exercise', 'commands']

/** `pluginConformance`, in core/testing/index.ts, with the plugins that a config may name. */
export async function conformance<O, S>(
  plugin: Plugin<string, O, S>,
  given: ConformanceOptions<O, S>,
  builtins: BuiltinPlugins,
): Promise<Finding[]> {
  const unknown = Object.keys(given).find((name) => !OPTIONS.includes(name))
  if (unknown !== undefined) {
    const hint = didYouMean(unknown, OPTIONS)
    throw new ConcordError(
      'INVALID_OPTION',
      `pluginConformance has no option ${JSON.stringify(unknown)}.${hint}`,
    )
  }
  const { options = true, config = {}, exercise = () => {}, commands = [] } = given
  const findings = new Findings()
  const definition = judgeDefinition(plugin, findings)
  if (definition === undefined) return findings.all
  await judgeOptions(definition, findings)
  judgeVerbs(definition, findings)
  const { log = { level: 'silent' }, ...rest } = config
  const node: Config = { ...rest, log, storage: 'memory' }
  const first = await live(
    { definition, options: options as object | true, config: node, exercise, builtins },
    findings,
  )
  judgeRoutes(first?.routes ?? [], findings)
  judgeSlice(definition, [...commands, ...(first?.commands ?? [])], findings)
  return findings.all
}
