/**
 * Whether the other members of a cluster that is to be recovered live: each is asked who it is, as whoever comes with
 * an empty directory asks. One that answers as a member goes on with the old cluster, or may: then there would be two.
 */
import { ConcordError } from '../errors.ts'
import { decodeWho, encodeQuestion } from '../node/introductions.ts'
import { openTransport } from '../node-peers.ts'
import type { Hello, Transport, TransportHandlers } from '../ports.ts'
import { systemWorld } from '../world.ts'
import type { Cli } from './cli.ts'
import { CliError } from './failure.ts'
import { loadConfig } from './node.ts'

const ANSWER_MS = 2000

interface Other {
  readonly name: string
  readonly address: string
}

/**
 * Says, for people, what was found out.
 *
 * @throws `USAGE` - some of them live.
 */
export async function askMembers(
  cli: Cli,
  { name, clusterId }: { readonly name: string; readonly clusterId: string },
  others: readonly Other[],
): Promise<string> {
  const all = others.map((other) => `${other.name} (${other.address})`).join(', ')
  const config = await loadConfig(cli).catch((error: Error) => error)
  if (config instanceof Error || config.cluster === undefined) {
    const why = config instanceof Error ? config.message : 'the config has no cluster section'
    return `${all}: NOT ASKED whether they live, because ${why}`
  }
  const { cluster } = config
  const transport = await openTransport({ ...cluster, listen: '127.0.0.1:0' }, systemWorld)
  // Nothing of a transport keeps a process alive.
  const alive = setInterval(() => undefined, ANSWER_MS)
  try {
    await transport.listen(asStranger(name, cluster.name))
    const living = await Promise.all(others.map((other) => livesIn(clusterId, other, transport)))
    refuseLiving(others.filter((_, at) => living[at]))
    return `${all}: none answers`
  } finally {
    clearInterval(alive)
    await transport.close()
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

async function livesIn(clusterId: string, { address }: Other, transport: Transport): Promise<boolean> {
  const { clock } = systemWorld
  const patience = { deadlineMs: clock.monotonicMs() + ANSWER_MS }
  try {
    const answer = await transport.call({ address }, encodeQuestion({ kind: 'who' }), patience)
    return decodeWho(answer).clusterId === clusterId
  } catch (error) {
    if (ConcordError.is(error)) return false
    throw error
  }
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
