/** `concord status`: what the node knows of itself; with `--cluster`, what every member says of itself. */
import type { MemberStatus, Status } from '../types.ts'
import type { Cli } from './cli.ts'
import { withNode } from './node.ts'
import { type Column, facts, inCell } from './text.ts'

const COLUMNS: readonly Column<MemberStatus>[] = [
  { title: 'NAME', cell: ({ name }) => name },
  { title: 'ROLE', cell: ({ leader, role }) => (leader ? 'leader' : role) },
  { title: 'TERM', cell: ({ state }) => numberOf(state?.term) },
  { title: 'COMMITTED', cell: ({ state }) => numberOf(state?.commitIndex) },
  { title: 'APPLIED', cell: ({ state }) => numberOf(state?.appliedIndex) },
  { title: 'LAG', cell: ({ lag }) => numberOf(lag) },
  { title: 'VERSION', cell: ({ state }) => state?.version ?? '-' },
  { title: 'ANSWERS', cell: ({ reachable }) => (reachable ? 'yes' : 'no') },
  { title: 'STATE', cell: ({ state }) => (state ? `${state.stateHash.hash}@${state.stateHash.index}` : '-') },
  { title: 'ADDRESS', cell: ({ address }) => address, flexible: true },
]

const numberOf = (found: number | null | undefined): string => (found == null ? '-' : String(found))

export async function status(cli: Cli, { cluster }: { readonly cluster?: boolean }): Promise<void> {
  if (cluster === true) {
    return withNode(cli, async (node) => cli.rows(await node.cluster.status(), COLUMNS))
  }
  const found = await withNode(cli, (node) => node.status())
  cli.show(found, () => describe(found))
}

function describe(found: Status): string {
  const { node, storage, members, plugins, stalls, lastError, unsafe } = found
  const pairs: [string, string][] = [
    ['node', `${node.name}  (${found.version}, incarnation ${node.incarnation})`],
    ['cluster', `${found.clusterId}, ${members.length} ${members.length === 1 ? 'member' : 'members'}`],
    ['state', found.ready ? `ready, ${found.role} of term ${found.term}` : `not ready, ${found.role}`],
    ['leader', found.leader ?? 'none'],
    ['revision', String(found.revision)],
    ['keys', String(found.keys)],
    ['log', `committed ${found.commitIndex}, applied ${found.appliedIndex}, snapshot ${found.snapshotIndex}`],
    ['hash', `${found.stateHash.hash} at index ${found.stateHash.index}`],
    ['limits', `${found.settings['valueBytes']} bytes a value, ${found.settings['batch']} keys a call`],
    ['storage', storage.kind === 'file' ? `${storage.dir}, fsync ${storage.fsync}` : 'memory'],
    ['plugins', plugins.length === 0 ? 'none' : plugins.join(', ')],
    ['stalls', stalls.count === 0 ? 'none' : `${stalls.count}, the worst ${Math.round(stalls.worstMs)} ms`],
  ]
  for (const warning of unsafe) pairs.push(['unsafe', warning])
  if (lastError !== null) {
    const when = new Date(lastError.at).toISOString()
    pairs.push(['last error', `${when} ${lastError.code}: ${inCell(lastError.message)}`])
  }
  return facts(pairs)
}
