/** What joins a node to others: its transport, its discovery, its way into a cluster; from the config. */
import type { ResolvedConfig } from './config/index.ts'
import { dnsDiscovery, type DnsQuestion } from './discovery/dns.ts'
import { multicastDiscovery } from './discovery/multicast.ts'
import { staticDiscovery } from './discovery/static.ts'
import { Founder, type FoundingPlan } from './node/founding.ts'
import { Peering } from './node/peering.ts'
import { Scout } from './node/scout.ts'
import type { NodeStorage } from './node-storage.ts'
import type { Log } from './host/contract.ts'
import type { Discovery, Transport, TransportNotice } from './ports.ts'
import type { Security } from './transport/security.ts'
import type { World } from './world.ts'

export type ClusterConfig = NonNullable<ResolvedConfig['cluster']>

/** How a node reaches others: over TCP, or a test's own. */
export type OpenTransport = (cluster: ClusterConfig, world: World) => Promise<Transport>

export const openTransport: OpenTransport = (cluster, world) => openTcp(cluster, world)

/**
 * A node alone loads nothing of it.
 * @param dial Where a peer with this address is dialled, when the way leads through a proxy.
 */
export async function openTcp(
  cluster: ClusterConfig,
  { clock, entropy }: World,
  dial?: (address: string) => string,
): Promise<Transport> {
  const { tcpTransport } = await import('./transport/tcp.ts')
  return tcpTransport(
    {
      listen: cluster.listen,
      security: await securityOf(cluster),
      dial,
    },
    { clock, entropy },
  )
}

export interface Peers {
  readonly peering: Peering
  readonly founder: Founder
  /** How many voters the cluster is to have. */
  readonly voters: number
  /** Begins to look for others. */
  look(): Promise<void>
  close(): Promise<void>
}

export function peersOf(
  cluster: ClusterConfig,
  config: ResolvedConfig,
  storage: NodeStorage,
  transport: Transport,
  log: Log,
  world: World,
): Peers {
  const { identity, runId, previousRunId } = storage
  const address = addressOf(cluster, config.node.id)
  const fsync = config.storage === 'memory' ? 'never' : config.storage.fsync
  const peering = new Peering({
    transport,
    identity,
    clusterName: cluster.name,
    runId,
    previousRunId,
    address,
    mayLoseTail: fsync !== 'always',
    replaceAfterMs: cluster.replaceAfterMs,
    tell: (notice) => tell(log, notice),
  })
  const discovery = discoveryOf(cluster, identity.incarnation, address, log, world)
  const founder = new Founder({
    ...world,
    identity,
    self: peering.self,
    plan: planOf(cluster),
    candidates: () => discovery.candidates(),
    ask: (at, question, patience) => peering.call({ address: at }, question, patience),
    waitsFor: (problem) => log.info(`waits for ${problem}`),
    nameTaken: (problem) => log.warn(problem),
  })
  const scout = new Scout({
    clock: world.clock,
    candidates: () => discovery.candidates(),
    ask: (at, question, patience) => peering.call({ address: at }, question, patience),
    clusterId: () => identity.clusterId,
    hasLeader: () => peering.hasLeader,
    whereabouts: peering.whereabouts,
  })
  return {
    peering,
    founder,
    voters: votersOf(cluster),
    look: async () => {
      await discovery.start()
      scout.start()
    },
    close: async () => {
      scout.stop()
      founder.stop()
      await discovery.close()
      await peering.close()
    },
  }
}

const votersOf = ({ voters, members, expect }: ClusterConfig): number =>
  voters ?? (members === undefined ? (expect ?? 1) : Object.keys(members).length)

const planOf = ({ members, expect }: ClusterConfig): FoundingPlan =>
  members === undefined
    ? { kind: 'expect', count: expect ?? 1 }
    : { kind: 'members', names: Object.keys(members) }

/** Where others reach this node. The config's checks have seen to it that there is one. */
const addressOf = ({ advertise, members, listen }: ClusterConfig, name: string): string =>
  advertise ?? members?.[name] ?? listen

/** All ways at once: hints, of which each is judged by who answers there. */
function discoveryOf(
  { name, members, discovery, secret }: ClusterConfig,
  incarnation: string,
  address: string,
  log: Log,
  world: World,
): Discovery {
  const ways: Discovery[] = [staticDiscovery(Object.values(members ?? {}))]
  if (discovery?.dns !== undefined) {
    const questions = discovery.dns.map(questionOf)
    ways.push(dnsDiscovery({ questions, tell: (problem) => log.warn(problem) }, world))
  }
  if (discovery?.multicast) {
    ways.push(multicastDiscovery({ cluster: name, secret, incarnation, address }, world))
  }
  return {
    start: async () => void (await Promise.all(ways.map((way) => way.start()))),
    candidates: () => [...new Set(ways.flatMap((way) => way.candidates()))],
    close: async () => void (await Promise.all(ways.map((way) => way.close()))),
  }
}

/** `host:port` has addresses; a name of a service has them with their ports. */
function questionOf(name: string): DnsQuestion {
  const colon = name.lastIndexOf(':')
  return colon < 0 ? { srv: name } : { host: name.slice(0, colon), port: Number(name.slice(colon + 1)) }
}

async function securityOf({ name, secret, tls, insecure }: ClusterConfig): Promise<Security> {
  if (secret !== undefined) return { kind: 'secret', secret, clusterName: name }
  if (tls === undefined) return { kind: 'plain', insecure }
  const { readCertificates } = await import('./transport/certificates.ts')
  const { ca, cert, key } = await readCertificates(tls)
  return { kind: 'tls', ca, cert, key }
}

const QUIET: ReadonlySet<TransportNotice['kind']> = new Set(['connected', 'disconnected'])
/** Another life of the same node: one has the place of the other, which the members learn at about that time. */
const OTHER_LIFE = /^([^/]+)\/\S+ was meant, and this is \1\//

function tell(log: Log, { kind, message, ...facts }: TransportNotice): void {
  if (QUIET.has(kind) || isUsual(facts.reason, message)) log.info({ ...facts }, message)
  else log.warn({ ...facts }, message)
}

/** While a cluster is founded, and a member is replaced, somebody always comes too early. */
const isUsual = (reason: TransportNotice['reason'], message: string): boolean =>
  reason === 'NOT_FOUNDED' || (reason === 'WRONG_NODE' && OTHER_LIFE.test(message))
