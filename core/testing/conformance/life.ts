/**
 * A plugin on real nodes of this process, in memory, on the system's clock: opened, used and closed; then on two nodes
 * at a time, of which one goes on when the other has closed.
 */
import { openResolved } from '../../concord.ts'
import { type Config, resolveConfig } from '../../config/index.ts'
import { ConcordError, messageOf } from '../../errors.ts'
import type { AnyDefinition } from '../../host/definition.ts'
import type { Concord } from '../../open-node.ts'
import type { BuiltinPlugins } from '../../plugin.ts'
import type { ConformanceRule, Findings } from './findings.ts'
import { Inventory } from './left-behind.ts'
import { type Observed, observe } from './observed.ts'

export interface Life {
  readonly definition: AnyDefinition
  /** Under the plugin's name in the config. */
  readonly options: object | true
  /** Everything else that the config says. */
  readonly config: Config
  readonly builtins: BuiltinPlugins
  readonly exercise: (service: never, db: Concord) => unknown
}

/** Any key: whoever stands at the door or the window has something to do. */
const KEY = 'conformance'

/** A node, and what was seen of the plugin on it. */
interface Node {
  readonly db: Concord
  readonly observed: Observed
}

/** What was seen on the first node that the plugin was set up on; undefined when it never was. */
export async function live(life: Life, findings: Findings): Promise<Observed | undefined> {
  const { watched, nodes } = observe(life.definition, findings)
  const openWith = async (config: Config, builtins: BuiltinPlugins): Promise<Concord> =>
    openResolved(await resolveConfig(config, { builtins }), { openEndpoint: undefined })
  const open = async (): Promise<Node> => {
    const db = await openWith(configWith(life, watched), builtinsWith(life, watched))
    return { db, observed: nodes.at(-1)! }
  }
  // What a first node leaves in a process is not the plugin's.
  await openWith(life.config, life.builtins).then(
    (db) => db.close(),
    () => {},
  )
  const inventory = new Inventory()
  if (await once(life, open, findings)) await twice(life, open, findings)
  for (const left of await inventory.left()) findings.add('left-behind', `after the close there is ${left}`)
  return nodes[0]
}

async function once(life: Life, open: () => Promise<Node>, findings: Findings): Promise<boolean> {
  const node = await open().catch((error: unknown) => {
    // Not what the plugin does, but what the test wants of it: unless no option of it is right.
    if (isOfConfig(error) && !findings.all.some(({ rule }) => rule === 'options')) throw error
    findings.add(ruleOf(error), messageOf(error))
  })
  if (node === undefined) return false
  await use(life, node, 'exercise', '', findings)
  await end(node, findings)
  return true
}

const isOfConfig = (error: unknown): boolean => ConcordError.is(error) && error.code === 'CONFIG_INVALID'

function ruleOf(error: unknown): ConformanceRule {
  if (!ConcordError.is(error) || error.code !== 'PLUGIN_INVALID') return 'lifecycle'
  return error.details?.['route'] === undefined ? 'definition' : 'routes'
}

async function twice(life: Life, open: () => Promise<Node>, findings: Findings): Promise<void> {
  const another = async (when: string): Promise<Node | undefined> => {
    try {
      return await open()
    } catch (error) {
      findings.add('again', `${when}: ${messageOf(error)}`)
      return undefined
    }
  }
  const one = await another('opened again, after a close')
  if (one === undefined) return
  const two = await another('opened while another node of this process has it')
  if (two !== undefined && haveOneService(life, one.db, two.db)) {
    findings.add('shared', 'two nodes have the same service: make it in setup, once for each node')
  }
  await use(life, one, 'again', 'opened again, after a close: ', findings)
  await end(one, findings)
  if (two === undefined) return
  await use(life, two, 'shared', 'when another node of this process has closed: ', findings)
  await end(two, findings)
}

function haveOneService({ definition }: Life, one: Concord, two: Concord): boolean {
  const [service, other] = [one, two].map((db) => db.plugin(definition.name as never) as unknown)
  const isThing = typeof service === 'function' || (typeof service === 'object' && service !== null)
  return isThing && service === other
}

async function use(
  { definition, exercise }: Life,
  { db }: Node,
  rule: ConformanceRule,
  when: string,
  findings: Findings,
): Promise<void> {
  try {
    await db.ready()
    for (const call of [() => db.put(KEY, 1), () => db.get(KEY), () => db.delete(KEY)]) {
      // To refuse is a plugin's right.
      await call().catch(() => {})
    }
    await exercise(db.plugin(definition.name as never), db)
  } catch (error) {
    findings.add(rule, `${when}${messageOf(error)}`)
  }
}

async function end({ db, observed }: Node, findings: Findings): Promise<void> {
  await db.close()
  for (const step of observed.running.values()) findings.add('lifecycle', `${step} does not end in time`)
  if (observed.timers.size === 0) return
  findings.add('left-behind', `after the close there is a timer of ctx.clock: cancel it in onClose`)
}

const isBuiltin = ({ builtins, definition }: Life): boolean => Object.hasOwn(builtins, definition.name)

function configWith(life: Life, watched: AnyDefinition): Config {
  const { config, definition, options } = life
  return {
    ...config,
    use: [...(config.use ?? []), isBuiltin(life) ? false : watched],
    plugins: { ...config.plugins, [definition.name]: options },
  }
}

/** A plugin of this package has its name already. */
function builtinsWith(life: Life, watched: AnyDefinition): BuiltinPlugins {
  const { builtins } = life
  return isBuiltin(life) ? { ...builtins, [watched.name]: async () => ({ default: watched }) } : builtins
}
