/** What no single option can be wrong about alone: bounds between options, names that must match. */
import { isLoopback, parseAddress } from '../address.ts'
import type { CoreConfig } from './types.ts'
import type { Layer } from './layers.ts'
import { sourceOf } from './layers.ts'
import { placeOf, type Problem } from './problems.ts'

/** What two monotonic clocks may differ by within one lease: an election has to wait that much longer. */
export const DRIFT_MS = 15

/** Problems between options of a config whose defaults are filled in. */
export function checkTogether(config: CoreConfig, sources: ReadonlyMap<string, Layer>): Problem[] {
  const problems: Problem[] = []
  const wrong = (path: string, message: string) =>
    problems.push({ path: placeOf(path, sourceOf(sources, path)), message })
  const { raft, snapshot, limits, cluster } = config

  if (raft.leaseMs < 2 * raft.heartbeatMs) {
    wrong(
      'raft.leaseMs',
      `expected at least twice raft.heartbeatMs (${raft.heartbeatMs}), found ${raft.leaseMs}`,
    )
  }
  if (raft.electionTimeoutMs < raft.leaseMs + DRIFT_MS) {
    const { electionTimeoutMs, leaseMs } = raft
    wrong(
      'raft.electionTimeoutMs',
      `expected at least ${DRIFT_MS} more than raft.leaseMs (${leaseMs}), found ${electionTimeoutMs}`,
    )
  }
  if (snapshot.keepBytes > snapshot.logBytes) {
    const { keepBytes, logBytes } = snapshot
    wrong('snapshot.keepBytes', `expected at most snapshot.logBytes (${logBytes}), found ${keepBytes}`)
  }
  if (limits.queueBytes < limits.valueBytes) {
    const { queueBytes, valueBytes } = limits
    wrong('limits.queueBytes', `expected at least limits.valueBytes (${valueBytes}), found ${queueBytes}`)
  }
  if (cluster === undefined) return problems

  const isOfSeveral = Object.keys(cluster.members ?? {}).length > 1 || (cluster.expect ?? 1) > 1
  if (isOfSeveral && !sources.has('node.id')) {
    wrong('node.id', 'expected in a cluster of several nodes, another for each; found none')
  }
  if ((cluster.members === undefined) === (cluster.expect === undefined)) {
    const found = cluster.members === undefined ? 'neither' : 'both'
    wrong('cluster', `expected either members or expect, who founds the cluster; found ${found}`)
  }
  const { discovery } = cluster
  const finds = discovery !== undefined && (discovery.dns !== undefined || discovery.multicast)
  for (const name of discovery?.dns ?? []) {
    if (!/:/.test(name) || /^[^:]+:(?!0$)\d{1,5}$/.test(name)) continue
    wrong('cluster.discovery.dns', `expected the name of a service or host:port, found "${name}"`)
  }
  if (cluster.expect !== undefined && !finds) {
    wrong(
      'cluster.discovery',
      'expected dns or multicast with cluster.expect, how nodes find each other; found none',
    )
  }
  if (cluster.members === undefined && cluster.advertise === undefined && isWildcard(cluster.listen)) {
    wrong('cluster.advertise', `expected, since nobody can reach this node at ${cluster.listen}`)
  }
  const isFounder = cluster.members === undefined || Object.hasOwn(cluster.members, config.node.id)
  if (!isFounder && cluster.advertise === undefined) {
    wrong(
      'cluster.members',
      `expected this node, "${config.node.id}", among the founders, or cluster.advertise, the address of a node that joins them`,
    )
  }
  for (const { member, other, address } of sharedAddresses(cluster.members ?? {})) {
    wrong(`cluster.members.${member}`, `expected an address of its own, found that of "${other}", ${address}`)
  }
  for (const [member, address] of Object.entries({ ...cluster.members, '': cluster.listen })) {
    const port = Number(address.slice(address.lastIndexOf(':') + 1))
    const path = member === '' ? 'cluster.listen' : `cluster.members.${member}`
    if (port > 65_535 || (port === 0 && member !== ''))
      wrong(path, `expected a port of 1 to 65535, found ${port}`)
  }
  if (cluster.secret !== undefined && cluster.tls !== undefined) {
    wrong('cluster', 'has both secret and tls; peers authenticate by one of them')
  }
  const open = cluster.secret === undefined && cluster.tls === undefined && !cluster.insecure
  if (open && !isLoopback(parseAddress(cluster.listen)?.host ?? '')) {
    wrong(
      'cluster.listen',
      `${cluster.listen} is beyond loopback; give cluster.secret or cluster.tls, or say insecure: true`,
    )
  }
  return problems
}

/** Each member at the address of one before it. */
function sharedAddresses(
  members: Readonly<Record<string, string>>,
): { readonly member: string; readonly other: string; readonly address: string }[] {
  const all = Object.entries(members)
  return all.flatMap(([member, address], at) => {
    const [other] =
      all.slice(0, at).find((earlier) => earlier[1].toLowerCase() === address.toLowerCase()) ?? []
    return other === undefined ? [] : [{ member, other, address }]
  })
}

const isWildcard = (address: string): boolean =>
  /^(?:0\.0\.0\.0|\[::\]):/.test(address) || address.endsWith(':0')

/** Not wrong, but not what its writer meant. */
export function warningsOf(config: CoreConfig, sources: ReadonlyMap<string, Layer>): string[] {
  const { storage } = config
  const said = sources.get('storage.intervalMs')
  if (storage === 'memory' || said === undefined || storage.fsync === 'interval') return []
  return [`${placeOf('storage.intervalMs', said)} has no effect: storage.fsync is "${storage.fsync}"`]
}
