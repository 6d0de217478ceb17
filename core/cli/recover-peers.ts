/**
 * Whether the other members of a cluster that is to be recovered live: each is asked who it is, as whoever comes with
 * an empty directory asks. One that answers as a member goes on with the old cluster, or may: then there would be two.
 */
import { decodeWho, encodeQuestion } from '../node/introductions.ts'
import { type ClusterConfig, openTransport } from '../node-peers.ts'
import type { Hello, Transport, TransportHandlers } from '../ports.ts'
import { takesConnections } from '../transport/probe.ts'
import { systemWorld } from '../world.ts'
import type { Cli } from './cli.ts'
import { CliError } from './failure.ts'
import { loadConfig } from './node.ts'

const ANSWER_MS = 2000

interface Other {
  readonly name: string
  readonly address: string
}

/** What is known of one of them. Undefined: nothing listens there, or nobody has answered in time. */
type Found = 'lives' | Error | undefined

/**
 * Says, for people, what was found out.
 *
 * @param unasked the operator knows that they are stopped for good: it goes on also where one cannot be asked.
 * @throws `USAGE` - some of them live, or may.
 */
export async function askMembers(
  cli: Cli,
  { name, clusterId }: { readonly name: string; readonly clusterId: string },
  others: readonly Other[],
  unasked: boolean,
): Promise<string> {
  const all = namesOf(others)
  const config = await configOf(cli, name).catch((error: Error) => error)
  if (config instanceof Error) {
    if (unasked) return `${all}: NOT ASKED whether they live, because ${config.message}`
    throw cannotAsk(`${all} cannot be asked whether they live`, config.message)
  }
  const found = await askAll(name, clusterId, others, config)
  refuseLiving(others.filter((_, at) => found[at] === 'lives'))
  const dumb = others.filter((_, at) => found[at] instanceof Error)
  if (dumb.length === 0) return `${all}: none answers`
  const why = found.find((each) => each instanceof Error)!.message
  const known = `something listens at ${namesOf(dumb)} and says to nobody here whether it lives`
  if (unasked) return `${all}: none answers as a member; ${known}`
  throw cannotAsk(known, why)
}

const namesOf = (others: readonly Other[]): string =>
  others.map((other) => `${other.name} (${other.address})`).join(', ')

/** The directory knows its node's name, whatever a config for several nodes leaves open. */
async function configOf(cli: Cli, name: string): Promise<ClusterConfig> {
  const { cluster } = await loadConfig(cli, cli.mode, { CONCORD_NODE_ID: name })
  if (cluster === undefined) throw new Error('the config has no cluster section')
  return cluster
}

async function askAll(
  name: string,
  clusterId: string,
  others: readonly Other[],
  cluster: ClusterConfig,
): Promise<Found[]> {
  const transport = await openTransport({ ...cluster, listen: '127.0.0.1:0' }, systemWorld)
  // Nothing of a transport keeps a process alive.
  const alive = setInterval(() => undefined, ANSWER_MS)
  try {
    await transport.listen(asStranger(name, cluster.name))
    return await Promise.all(others.map((other) => ask(clusterId, other, transport)))
  } finally {
    clearInterval(alive)
    await transport.close()
  }
}

async function ask(clusterId: string, { address }: Other, transport: Transport): Promise<Found> {
  const { clock } = systemWorld
  const patience = { deadlineMs: clock.monotonicMs() + ANSWER_MS }
  try {
    const answer = await transport.call({ address }, encodeQuestion({ kind: 'who' }), patience)
    return decodeWho(answer).clusterId === clusterId ? 'lives' : undefined
  } catch (error) {
    // Whoever takes connections may be a member that has another secret or other certificates, or stands still.
    return (await takesConnections(address, ANSWER_MS)) ? (error as Error) : undefined
  }
}

function refuseLiving(living: readonly Other[]): void {
  if (living.length === 0) return
  const who = living.map(({ name, address }) => `${name} at ${address}`).join(', ')
  const why = `${who} still ${living.length === 1 ? 'answers as a member' : 'answer as members'} of this cluster`
  const next =
    'bring back a majority of the voters, those whose logs are in doubt after a loss of power with `concord start ' +
    '--accept-loss` (`concord status` says which); or stop all other members, for good, and recover then'
  throw new CliError('USAGE', why, next)
}

function cannotAsk(what: string, why: string): CliError {
  const next =
    'the same with the config of this node, its secret and its certificates; with --unasked when all others are ' +
    'stopped for good, or gone: one that lives goes on as the old cluster, beside the new one'
  return new CliError('USAGE', `${what}: ${why}`, next)
}

/** Under the node's name, for that is what a certificate stands for, and of no cluster. */
function asStranger(name: string, clusterName: string): TransportHandlers {
  const { entropy } = systemWorld
  const self: Hello = {
    name,
    incarnation: entropy.id(),
    address: '',
    clusterName,
    clusterId: '',
    runId: entropy.id(),
    previousRunId: '',
    last: { index: 0, term: 0 },
  }
  return {
    hello: () => self,
    acknowledged: () => ({ term: 0, upTo: new Map() }),
    judge: () => ({ accept: 'guest' }),
    message: () => undefined,
    answer: () => Promise.reject(new Error('it only asks')),
    peerLost: () => undefined,
    tell: () => undefined,
  }
}
