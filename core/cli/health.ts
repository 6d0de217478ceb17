/**
 * `concord health`: whether the node lives and the cluster serves, as an exit code for whoever supervises it. What it
 * says last is known by a linearizable read, which takes a leader and a majority that answer now.
 */
import type { RemoteStore } from '../endpoint/remote-store.ts'
import { ConcordError, type ErrorCode } from '../errors.ts'
import type { Status } from '../types.ts'
import type { Cli } from './cli.ts'
import { CliError, COMMAND, EXIT, exitCodeOf } from './failure.ts'
import { withNode } from './node.ts'
import { facts } from './text.ts'

interface Health {
  /** The node answers. */
  readonly live: boolean
  /** A linearizable read was answered; null when nobody asked for one. */
  readonly serving: boolean | null
  /** Null, and what follows, when the node does not say so to whoever asked. */
  readonly node: string | null
  readonly role: Status['role'] | null
  readonly term: number | null
  readonly leader: string | null
  readonly unsafe: readonly string[]
}

export async function health(cli: Cli, { live }: { readonly live?: boolean }): Promise<void> {
  if (live === true) return liveness(cli)
  await withNode(cli, async (node) => {
    const status = await node.status()
    const problem = await problemOf(node)
    const found = healthOf(status, problem === undefined)
    cli.show(found, () => describe(found))
    if (problem === undefined) return
    const why = `node ${found.node} answers, and the cluster does not serve: ${problem.message}`
    throw new CliError(problem.code, why, `${COMMAND} status --cluster${cli.again}`, exitCodeOf(problem))
  })
}

/** A node that refuses whoever asks, or cannot tell whether it should, answers all the same: nobody is to kill it for that. */
async function liveness(cli: Cli): Promise<void> {
  let found: Health
  try {
    found = healthOf(await withNode(cli, (node) => node.status()), null)
  } catch (error) {
    if (!ConcordError.is(error) || !REFUSALS.has(error.code)) throw error
    cli.hint(`the node answers: ${error.message}`)
    found = { live: true, serving: null, node: null, role: null, term: null, leader: null, unsafe: [] }
  }
  cli.show(found, () => describe(found))
}

const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  'UNAUTHORIZED',
  'FORBIDDEN',
  'NOT_READY',
  'NO_LEADER',
  'UNSUPPORTED',
  'OVERLOADED',
])

const healthOf = ({ node, role, term, leader, unsafe }: Status, serving: boolean | null): Health => ({
  live: true,
  serving,
  node: node.name,
  role,
  term,
  leader,
  unsafe,
})

/** Why the cluster does not serve. @throws what says nothing of that, such as `UNAUTHORIZED`. */
async function problemOf(node: RemoteStore): Promise<ConcordError | undefined> {
  try {
    // Of no key: what counts is that the cluster answers, and no token may read them all.
    await node.getMany([], { consistency: 'strong' })
    return undefined
  } catch (error) {
    if (ConcordError.is(error) && exitCodeOf(error, 'get') === EXIT.unavailable) return error
    throw error
  }
}

function describe({ serving, node, role, term, leader, unsafe }: Health): string {
  return facts([
    ['node', node === null ? 'answers' : `${node} answers, ${role} of term ${term}`],
    ['leader', leader ?? (node === null ? 'not said' : 'none')],
    ['cluster', serving === null ? 'not asked' : serving ? 'serves' : 'does not serve'],
    ...unsafe.map((warning): [string, string] => ['unsafe', warning]),
  ])
}
