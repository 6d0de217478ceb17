/**
 * The process of one node of `concord dev`, which forks it, says what node it is, and keeps the channel open: when
 * that closes, nobody is there any more, and the process ends at once. Signals from the terminal are the parent's.
 */
import { readSync } from 'node:fs'
import { builtins } from '../../plugins/index.ts'
import { openResolved } from '../concord.ts'
import { configOf } from '../dev/config.ts'
import { type DevNode, type Facts, type FromNode, PAUSE_FD, type ToNode } from '../dev/talk.ts'
import { openTcp, type OpenTransport } from '../node-peers.ts'
import type { OpenNode } from '../open-node.ts'
import { nodeExitCodeOf, sentenceOf } from './failure.ts'

const FACTS_MS = 200

const opening = Promise.withResolvers<OpenNode>()

process.on('disconnect', () => process.exit())
// It may have closed while this file was loaded.
if (!process.connected) process.exit()
process.on('message', (message: ToNode) => void obey(message))
for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined)
process.on('SIGTERM', () => void obey({ kind: 'stop' }))

async function obey(message: ToNode): Promise<void> {
  switch (message.kind) {
    case 'start':
      return run(message.node)
    case 'pause':
      return pause()
    case 'transfer':
      return transfer(message.to)
    case 'stop':
      return (await opening.promise).close()
  }
}

function say(message: FromNode): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.send!(message, () => resolve())
    else resolve()
  })
}

async function run(node: DevNode): Promise<void> {
  try {
    const config = await configOf(node, process.env, builtins)
    const db = await openResolved(config, { openTransport: through(node) })
    opening.resolve(db)
    const ports = Object.entries(config.plugins).map(([name, options]) => [name, options && options['port']])
    void say({
      kind: 'opened',
      ports: Object.fromEntries(ports.filter(([, port]) => typeof port === 'number')) as Record<
        string,
        number
      >,
    })
    setInterval(() => void tellFacts(db), FACTS_MS)
    const { error } = await db.closed
    if (error !== undefined) throw error
    process.exit(0)
  } catch (error) {
    const exitCode = nodeExitCodeOf(error)
    await say({ kind: 'failed', sentence: sentenceOf(error, { verb: 'start', dir: node.dir }), exitCode })
    process.exit(exitCode)
  }
}

/** Peers are dialled by their links; where this node listens is said, for the links of the others to lead here. */
const through =
  ({ dial }: DevNode): OpenTransport =>
  async (cluster, world) => {
    const transport = await openTcp(cluster, world, (address) => dial[address] ?? address)
    const listen = transport.listen.bind(transport)
    transport.listen = async (handlers) => {
      const address = await listen(handlers)
      void say({ kind: 'listens', address })
      return address
    }
    return transport
  }

async function tellFacts(db: OpenNode): Promise<void> {
  const { role, term, ready, commitIndex, appliedIndex, leader, members } = await db.forPlugins.status()
  const facts: Facts = {
    role,
    term,
    ready,
    commitIndex,
    appliedIndex,
    leader: leader?.split('/')[0] ?? null,
    belongs: members.length > 0,
  }
  void say({ kind: 'facts', facts })
}

/** As a process that is stopped: nothing runs, connections stay. It goes on when told, or when nobody is there. */
function pause(): void {
  readSync(PAUSE_FD, Buffer.alloc(1))
}

async function transfer(to: string | undefined): Promise<void> {
  const db = await opening.promise
  try {
    await db.forPlugins.cluster.transferLeadership(to)
  } catch (error) {
    void say({ kind: 'note', message: sentenceOf(error) })
  }
}
