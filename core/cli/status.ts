/** `concord status`: what the node knows of itself. */
import type { Status } from '../types.ts'
import type { Cli } from './cli.ts'
import { withNode } from './node.ts'
import { facts, inCell } from './text.ts'

export async function status(cli: Cli): Promise<void> {
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
    ['storage', storage.kind === 'file' ? `${storage.dir}, fsync ${storage.fsync}` : 'memory'],
    ['plugins', plugins.length === 0 ? 'none' : plugins.join(', ')],
    ['stalls', stalls.count === 0 ? 'none' : `${stalls.count}, the worst ${Math.round(stalls.worstMs)} ms`],
  ]
  for (const warning of unsafe) pairs.push(['unsafe', warning])
  if (lastError !== null) pairs.push(['error', `${lastError.code}: ${inCell(lastError.message)}`])
  return facts(pairs)
}
