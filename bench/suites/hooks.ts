/**
 * What it costs that plugins could stand somewhere: nobody there, plugins that tap nothing, and then one
 * empty tap at each place. All nodes are in memory, so that nothing hides the cost.
 */
import type { Config } from '../../core/index.ts'
import { type PluginHooks, definePlugin } from '../../core/plugin.ts'
import { interleave } from '../measure.ts'
import { operations } from '../operations.ts'
import { compare } from '../ratios.ts'
import { openSubject, type Subject, strings } from '../subject.ts'
import { merge, type Suite, type SuiteResult } from '../suite.ts'

/** Plugins that are set up and tap nothing. */
const IDLE_PLUGINS = 8

const idle = Array.from({ length: IDLE_PLUGINS }, (_, i) => plugin(`idle-${i}`, () => {}))

const TAPPED: Readonly<Record<string, ReturnType<typeof plugin>[]>> = {
  'none that tap': idle,
  'one at applied': [plugin('watches', ({ applied }) => applied.tap(() => {}))],
  'one at authorize': [plugin('authorizes', ({ authorize }) => authorize.tap(() => {}))],
  'one at write': [plugin('rewrites', ({ write }) => write.tap(() => {}))],
  'one at read': [plugin('reads', ({ read }) => read.tap(() => {}))],
}

function plugin(name: string, tap: (hooks: PluginHooks) => void) {
  return definePlugin({
    name,
    version: '1.0.0',
    apiVersion: 1,
    setup: (ctx) => tap(ctx.hooks),
  })
}

export const hooksSuite: Suite = async ({ plan, quick }, say) => {
  await using stack = new AsyncDisposableStack()
  const records = strings(100)
  const subjects: Subject[] = []
  for (const [kind, plugins] of [['no plugins', []] as const, ...Object.entries(TAPPED)]) {
    const named = { ...records, kind: `with plugins: ${kind}` }
    subjects.push(await openSubject(stack, 'memory', named, configOf(plugins)))
  }
  // A difference of a hundredth is looked for: more rounds than elsewhere.
  const patient = { ...plan, rounds: quick ? plan.rounds : plan.rounds * 3 }
  const results: SuiteResult[] = []
  for (const operation of ['put', 'get'] as const) {
    say(`${operation}, 256 callers`)
    const cases = subjects.map((subject) => operations[operation](subject, 256))
    const measured = await interleave(cases, patient)
    const bare = cases[0]!.id
    const ratios = compare(
      measured,
      cases.slice(1).map(({ id }, i) => {
        return { id: `${operation}: ${Object.keys(TAPPED)[i]} / no plugins`, of: id, against: bare }
      }),
    )
    results.push({ measured, ratios })
  }
  return merge(results)
}

function configOf(plugins: readonly ReturnType<typeof plugin>[]): Config {
  const on = Object.fromEntries(plugins.map(({ name }) => [name, true]))
  return { use: [...plugins], plugins: on }
}
