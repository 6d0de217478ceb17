/**
 * `concord health`: whether the node lives and the cluster serves, as an exit code for whoever supervises it. What it
 * says last is known by a linearizable read, which takes a leader and a majority that answer now.
 */
import type { RemoteStore } from '../endpoint/remote-store.ts'
import { ConcordError } from '../errors.ts'
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
  readonly node: string
  readonly role: Status['role']
  readonly term: number
  readonly leader: string | null
  readonly unsafe: readonly string[]
}

export async function health(cli: Cli, { live }: { readonly live?: boolean }): Promise<void> {
  await withNode(cli, async (node) => {
    const status = await node.status()
    const problem = live === true ? undefined : await problemOf(node)
    const { role, term, leader, unsafe } = status
    const found: Health = {
      live: true,
      serving: live === true ? null : problem === undefined,
      node: status.node.name,
      role,
      term,
      leader,
      unsafe,
    }
    cli.show(found, () => describe(found))
    if (problem === undefined) return
    const why = `node ${found.node} answers, and the cluster does not serve: ${problem.message}`
    throw new CliError(problem.code, why, `${COMMAND} status --cluster${cli.again}`, exitCodeOf(problem))
  })
}

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
    ['node', `${node} answers, ${role} of term ${term}`],
    ['leader', leader ?? 'none'],
    ['cluster', serving === null ? 'not asked' : serving ? 'serves' : 'does not serve'],
    ...unsafe.map((warning): [string, string] => ['unsafe', warning]),
  ])
}
