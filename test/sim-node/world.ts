/**
 * The world of one run: computers with real nodes on them, the network between, the clients' history, and what
 * no node can see of the others.
 */
import { type ResolvedConfig, resolveConfig } from '../../core/config/index.ts'
import { ConcordError } from '../../core/errors.ts'
import type { AppliedBatch } from '../../core/hook-events.ts'
import type { AnyDefinition } from '../../core/host/definition.ts'
import type { OpenNode } from '../../core/open-node.ts'
import { definePlugin } from '../../core/plugin.ts'
import type { Clocks } from '../../core/testing/clocks.ts'
import { Computer, DIRECTORY } from '../../core/testing/computer.ts'
import type { Stream } from '../../core/testing/prng.ts'
import { Simulation } from '../../core/testing/simulation.ts'
import { MemoryNetwork } from '../../core/transport/memory.ts'
import { mixText } from '../sim/hash.ts'
import { Violation } from '../sim/judge.ts'
import { type Counters, createCounters } from './counters.ts'
import { DurableLog, LostTail } from './durable-log.ts'
import { History, type Told } from './history.ts'
import type { Plan, Profile } from './plan.ts'

export interface Member {
  readonly name: string
  readonly computer: Computer
  readonly log: DurableLog
  node: OpenNode | undefined
  /** It was removed from the cluster, and never starts again. */
  isGone: boolean
  /** Its disk is another one, and the cluster has not made it what it was yet. */
  isReplaced: boolean
  /** Milliseconds that its disk takes for everything until it is well again. */
  stallUntil: number
}

export interface World {
  readonly plan: Plan
  readonly profile: Profile
  readonly simulation: Simulation
  readonly network: MemoryNetwork
  readonly members: Member[]
  readonly history: History
  readonly counters: Counters
  /** Of the state, by the index of the last entry in it. */
  readonly states: Map<number, string>
  /** The newest revision that anybody has been told. */
  floor: number
  /** A member's data is lost, and the cluster has not replaced it yet. */
  wounded: string | undefined
  leader: string
  failure: unknown
  traceHash: number
  readonly trace: ((line: string) => void) | undefined
  /** Calls under way. */
  calls: number
  names: number
}

export function createWorld(plan: Plan, trace?: (line: string) => void): World {
  const { profile, options } = plan
  const simulation = new Simulation(options.seed)
  const chance = simulation.stream('network')
  const counters = createCounters()
  const world: World = {
    plan,
    profile,
    simulation,
    network: new MemoryNetwork(simulation.clock, {
      delayMs: () => profile.delayMs * (0.3 + chance.exponential(0.7)),
      loses: (from, to, what) => {
        if (!chance.chance(profile.lossRate)) return false
        counters.lost++
        say(world, `lost ${what} ${from} > ${to}`)
        return true
      },
      party: nameOf,
      hand: (to, arrive) => {
        const process = world.members.find(({ name }) => name === nameOf(to))?.computer.process
        if (process === undefined) arrive()
        else process.reach(arrive)
      },
    }),
    members: [],
    history: new History(),
    counters,
    states: new Map(),
    floor: 0,
    wounded: undefined,
    leader: '',
    failure: undefined,
    traceHash: 0,
    trace,
    calls: 0,
    names: 0,
  }
  for (let at = 0; at < profile.nodes; at++) addMember(world)
  return world
}

/** Of an id, which is a name and an incarnation, or of an address, which is a name and a port. */
const nameOf = (to: string): string => to.split(/[/:]/, 1)[0]!

export function addMember(world: World): Member {
  const { simulation, network, profile } = world
  const name = `n${++world.names}`
  const chance = simulation.stream(`disk:${name}`)
  const computer: Computer = new Computer(name, addressOf(name), clocksOf(world, name), {
    simulation,
    network,
    segmentBytes: profile.segmentBytes,
    diskMs: () => Math.max(0, member.stallUntil - simulation.now) + profile.diskMs * chance.exponential(1),
  })
  const member: Member = {
    name,
    computer,
    log: new DurableLog(name, world.counters),
    node: undefined,
    isGone: false,
    isReplaced: false,
    stallUntil: 0,
  }
  world.members.push(member)
  return member
}

function clocksOf({ simulation, profile }: World, name: string): Clocks {
  const chance = simulation.stream(`clocks:${name}`)
  return {
    rate: 1 + profile.drift * chance.between(-1, 1),
    origin: chance.between(0, 1e6),
    wallOffset: 1_767_225_600_000 + profile.wallSpreadMs * chance.between(-1, 1),
    suspendedMs: 0,
  }
}

// ----------------------------------------------------------------------------------------------- starting

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

const addressOf = (name: string): string => `${name}:4100`

function configOf(world: World, { name }: Member): ResolvedConfig {
  const { nodes, electionTimeoutMs, snapshotLogBytes, keepBytes, entryBytes } = world.profile
  const config = resolved.get(`${name} of ${nodes}`)!
  return {
    ...config,
    raft: { ...config.raft, electionTimeoutMs },
    limits: { ...config.limits, entryBytes },
    snapshot: { ...config.snapshot, logBytes: snapshotLogBytes, keepBytes },
    plugins: { ...config.plugins, observer: {} },
    definitions: { ...config.definitions, observer: observerOf(world, name) },
  }
}

/** Tells what a node applies and whom it takes for the leader, as any plugin may. */
const observerOf = (world: World, name: string): AnyDefinition =>
  definePlugin({
    name: 'observer',
    version: '1.0.0',
    apiVersion: 1,
    setup: (ctx) => {
      ctx.hooks.applied.tap((batch) => attempt(world, () => hear(world, name, batch)))
      ctx.on('leader', ({ leader, term, isSelf }) => {
        say(world, `${name} knows ${leader} as leader of ${term}`)
        if (!isSelf || world.leader === `${name} ${term}`) return
        world.leader = `${name} ${term}`
        world.counters.leaderChanges++
      })
    },
  }) as unknown as AnyDefinition

/** What one entry has changed, revision by revision. */
function hear(world: World, name: string, { changes, replay, clusterTime }: AppliedBatch): void {
  if (replay) world.counters.replayedBatches++
  for (let at = 0; at < changes.length;) {
    const { revision } = changes[at]!
    const told: Told[] = []
    for (; changes[at]?.revision === revision; at++) {
      const { type, key, value, requestId, expiresAt } = changes[at]!
      told.push({ type, key, requestId, value: value === undefined ? undefined : textOf(value) })
      if (type !== 'expire') continue
      if (!replay) world.counters.expired++
      if (expiresAt === undefined || expiresAt > clusterTime)
        throw new Violation('nothing expires early', `${name}: ${key} at ${clusterTime}`)
    }
    world.history.told(name, revision, told)
  }
}

/** Values are numbers, or texts that begin with their number: unique, but for those of counters. */
export const textOf = (value: unknown): string => String(value)

// ------------------------------------------------------------------------------------------------- judging

export function attempt(world: World, judge: () => void): void {
  try {
    judge()
  } catch (error) {
    fail(world, error)
  }
}

/** The first thing that is wrong ends the run. */
export function fail(world: World, failure: unknown): void {
  world.failure ??= failure
}

export function say(world: World, line: string): void {
  world.traceHash = mixText(world.traceHash, line)
  world.trace?.(`${world.simulation.now.toFixed(3).padStart(10)}  ${line}`)
}

/** Whoever leads in the highest term, as it believes. */
export function leaderOf(world: World): Member | undefined {
  const [name] = world.leader.split(' ')
  return world.members.find((member) => member.name === name && member.node !== undefined)
}

export const running = (world: World): Member[] => world.members.filter(({ node }) => node !== undefined)

export const streamOf = (world: World, purpose: string): Stream => world.simulation.stream(purpose)
