/** The processes of the simulated computers: how a node starts, ends and is replaced, and with which config. */
import { type ResolvedConfig, resolveConfig } from '../../core/config/index.ts'
import { ConcordError } from '../../core/errors.ts'
import { DIRECTORY } from '../../core/testing/computer.ts'
import { Violation } from '../sim/judge.ts'
import { LostTail } from './durable-log.ts'
import { observerOf } from './observer.ts'
import { addressOf, fail, type Member, say, type World } from './world.ts'

/** A process begins, and a node in it; what becomes of it is judged. */
export function start(world: World, member: Member): void {
  const { computer, name } = member
  if (member.isGone || computer.process !== undefined) return
  say(world, `${name} starts`)
  const opened = computer.start(configOf(world, member), (storage) => member.log.over(storage))
  const { process } = computer
  opened.then(
    (node) => {
      member.node = node
      // A changed byte that nothing is made of, or that was cut and never promised.
      if (world.wounded === name && !member.isReplaced) world.wounded = undefined
      world.counters.restarts++
      void node.closed.then(({ error }) => ended(world, member, error))
    },
    (error: unknown) => {
      if (computer.process === process) ended(world, member, error as Error)
    },
  )
}

/** A node has stopped by itself, or did not start. */
function ended(world: World, member: Member, error: Error | undefined): void {
  const code = ConcordError.is(error) ? error.code : undefined
  say(world, `${member.name} has ended: ${error?.message ?? 'closed'}`)
  kill(world, member)
  if (error === undefined) return
  world.counters.nodesFailed++
  if (code === 'NODE_REMOVED') {
    world.counters.nodesRemoved++
    member.isGone = true
  } else if (error instanceof LostTail || (code === 'CORRUPTED' && member.log.isRotten)) {
    world.counters.recoveriesRefused++
    replace(world, member)
  } else if (code === 'STORAGE_FAILED' || code === 'STORAGE_FULL') {
    world.simulation.after(world.profile.electionTimeoutMs, () => start(world, member))
  } else if (member.isBroken) {
    member.isBroken = false
    world.counters.bugsMet++
    world.simulation.after(world.profile.electionTimeoutMs, () => start(world, member))
  } else if (error instanceof Violation) {
    fail(world, error)
  } else {
    fail(world, new Violation('a node ends for a reason', `${member.name}: ${error.stack ?? error.message}`))
  }
}

export function kill(world: World, member: Member, power = false): void {
  if (member.computer.process === undefined) return
  say(world, `${member.name} ${power ? 'loses power' : 'is killed'}`)
  member.node = undefined
  if (power) member.computer.cutPower()
  else member.computer.kill()
}

/** A new computer under the same name, with nothing on its disk. */
export function replace(world: World, member: Member): void {
  kill(world, member)
  say(world, `${member.name} has an empty disk`)
  world.wounded = member.name
  member.isReplaced = true
  member.computer.replaceDisk()
  member.log.forget()
  start(world, member)
}

// ---------------------------------------------------------------------------------------------- the config

/** Checked once: what differs from node to node is put in afterwards. */
const templates = new Map<string, Promise<ResolvedConfig>>()

export async function prepareConfigs(names: number, founders: number): Promise<void> {
  for (let at = 1; at <= names; at++) {
    const key = `n${at} of ${founders}`
    if (!templates.has(key)) templates.set(key, templateOf(`n${at}`, founders))
    resolved.set(key, await templates.get(key)!)
  }
}

const resolved = new Map<string, ResolvedConfig>()

function templateOf(name: string, founders: number): Promise<ResolvedConfig> {
  const names = new Set([...Array.from({ length: founders }, (_, at) => `n${at + 1}`), name])
  const members = Object.fromEntries([...names].map((each) => [each, addressOf(each)]))
  return resolveConfig({
    log: { level: 'silent' },
    node: { id: name },
    storage: { dir: DIRECTORY },
    cluster: { name: 'sim', members, voters: founders, listen: addressOf(name), insecure: true },
  })
}

function configOf(world: World, member: Member): ResolvedConfig {
  const { nodes, electionTimeoutMs, snapshotLogBytes, keepBytes, entryBytes } = world.profile
  const config = resolved.get(`${member.name} of ${nodes}`)!
  return {
    ...config,
    raft: { ...config.raft, electionTimeoutMs },
    limits: { ...config.limits, entryBytes },
    snapshot: { ...config.snapshot, logBytes: snapshotLogBytes, keepBytes },
    plugins: { ...config.plugins, observer: {} },
    definitions: { ...config.definitions, observer: observerOf(world, member) },
  }
}
