/**
 * The world of one run: computers with real nodes on them, the network between, the clients' history, and what
 * no node can see of the others.
 */
import { nextTick } from 'node:process'
import type { OpenNode } from '../../core/open-node.ts'
import type { Clocks } from '../../core/testing/clocks.ts'
import { Computer } from '../../core/testing/computer.ts'
import type { Stream } from '../../core/testing/prng.ts'
import { Simulation } from '../../core/testing/simulation.ts'
import { MemoryNetwork } from '../../core/transport/memory.ts'
import { mixText } from '../sim/hash.ts'
import { type Counters, createCounters } from './counters.ts'
import { DurableLog } from './durable-log.ts'
import { History } from './history.ts'
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
  /** What it applies next of the slice throws. */
  hasBug: boolean
  /** It has met the bug, and may end. */
  isBroken: boolean
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
  /** When each value with a time to live was sent on its way, and how long it lives. */
  readonly lives: Map<string, { readonly fromMs: number; readonly ttlMs: number }>
  /** A member's data is lost, and the cluster has not replaced it yet. */
  wounded: string | undefined
  leader: string
  /** How many vote, or will: by the word of that leader, or what is about to be agreed on. */
  voters: number
  /** Members that are being removed. */
  removals: number
  failure: unknown
  traceHash: number
  readonly trace: ((line: string) => void) | undefined
  /** Calls under way: which, on whom, and in which of his lives. */
  readonly calls: Map<number, { readonly member: Member; readonly process: Computer['process'] }>
  /** Events since time last passed. */
  atOnce: number
  names: number
}

export function createWorld(plan: Plan, trace?: (line: string) => void): World {
  const { profile, options } = plan
  // Ticks run when no microtask is left, and nothing in this world waits for the real one's loop, which costs far more.
  const simulation = new Simulation(options.seed, (done) => nextTick(done))
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
    lives: new Map(),
    floor: 0,
    wounded: undefined,
    leader: '',
    voters: 0,
    removals: 0,
    failure: undefined,
    traceHash: 0,
    trace,
    calls: new Map(),
    atOnce: 0,
    names: 0,
  }
  for (let at = 0; at < profile.nodes; at++) addMember(world)
  return world
}

/** Of an id, which is a name and an incarnation, or of an address, which is a name and a port. */
const nameOf = (to: string): string => to.split(/[/:]/, 1)[0]!

export const addressOf = (name: string): string => `${name}:4100`

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
    log: new DurableLog(name, world.counters, (membership) => {
      world.voters = Math.min(world.voters, membership.voters.length)
    }),
    node: undefined,
    isGone: false,
    isReplaced: false,
    hasBug: false,
    isBroken: false,
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
