/**
 * One run: found the cluster, let the plan happen, then heal and demand life, then look at what is left on the
 * disks. The outcome is a record; a seed gives the same one each time.
 */
import { readDirectory } from '../../core/storage/file/check.ts'
import { DIRECTORY } from '../../core/testing/computer.ts'
import { mix } from '../sim/hash.ts'
import { Violation } from '../sim/judge.ts'
import type { Failure, Outcome } from '../sim/simulator.ts'
import { placeCall } from './clients.ts'
import type { Counters } from './counters.ts'
import { mend, strike } from './faults.ts'
import type { Plan } from './plan.ts'
import { kill, prepareConfigs, start } from './nodes.ts'
import { createWorld, fail, leaderOf, type Member, running, type World } from './world.ts'

const MOST_NODES = 7
/** Events between two looks at the states of all nodes. */
/** Five have to hear each other out, where one message in ten is lost (seed 163925). */
const FOUNDING_MS = 600_000
/** Beyond the deadline of any call. */
const ANSWER_MS = 60_000
const COMPARE_EVERY = 100
/** At one instant: more, and nodes keep each other or themselves busy for ever. */
const MOST_EVENTS_AT_ONCE = 100_000
/** Until a cluster that is whole and well serves again, on every node. */
const LIFE_MS = 60_000
/** Between a refusal and the next try. A refusal can come at once: without a pause no time would ever pass. */
const PAUSE_MS = 50

export async function run(plan: Plan, trace?: (line: string) => void): Promise<Outcome<Counters>> {
  await prepareConfigs(MOST_NODES, plan.profile.nodes)
  const world = createWorld(plan, trace)
  const { simulation } = world
  let failure: Failure | undefined
  try {
    await found(world)
    await play(world)
    await demandLife(world)
    await demandAnswers(world)
    await look(world)
  } catch (error) {
    const at = { atEvent: simulation.events, atMs: simulation.now }
    const isViolation = error instanceof Violation
    const message =
      error instanceof Error ? (isViolation ? error.message : (error.stack ?? '')) : String(error)
    failure = { invariant: isViolation ? error.invariant : 'no crash', message, ...at }
  }
  world.counters.revisions = world.history.top
  world.counters.unanswered = world.calls.size
  return {
    seed: plan.options.seed,
    events: simulation.events,
    simulatedMs: simulation.now,
    traceHash: mix(world.traceHash, simulation.events),
    counters: world.counters,
    failure,
  }
}

async function step(world: World): Promise<void> {
  const { simulation } = world
  const { now } = simulation
  if (!(await simulation.step())) throw new Violation('something happens', 'the world stands still')
  world.atOnce = simulation.now === now ? world.atOnce + 1 : 0
  if (world.atOnce > MOST_EVENTS_AT_ONCE) throw new Violation('time passes', `it stands at ${now} ms`)
  if (simulation.events % COMPARE_EVERY === 0) await compare(world)
  if (world.failure !== undefined) throw world.failure as Error
}

async function passes(world: World, forMs: number, until: () => boolean): Promise<boolean> {
  const latest = world.simulation.now + forMs
  while (!until()) {
    if (world.simulation.now > latest) return false
    await step(world)
  }
  return true
}

async function found(world: World): Promise<void> {
  for (const member of world.members) start(world, member)
  if (!(await passes(world, FOUNDING_MS, () => leaderOf(world) !== undefined)))
    throw new Violation('life', 'no cluster was founded')
}

async function play(world: World): Promise<void> {
  const { plan, simulation } = world
  const began = simulation.now
  const firstEvent = simulation.events
  plan.operations.forEach((operation, at) => {
    simulation.after(operation.at, () => {
      if (isPlaying()) placeCall(world, operation, at + 1)
    })
  })
  for (const fault of plan.faults) {
    simulation.after(fault.at, () => {
      if (isPlaying()) strike(world, fault)
    })
  }
  const isPlaying = (): boolean =>
    simulation.events - firstEvent < plan.options.events && simulation.now - began < plan.horizonMs
  while (isPlaying()) await step(world)
}

// ---------------------------------------------------------------------------------------------------- life

/** Every node that belongs to the cluster takes a write, and all of them come to the same state. */
async function demandLife(world: World): Promise<void> {
  mend(world)
  const waiting = new Map<Member, Asked>()
  const isServed = (): boolean => {
    mendStarted(world)
    for (const member of world.members) ask(world, member, waiting)
    return world.members.every((member) => member.isGone || waiting.get(member)?.isServed)
  }
  if (!(await passes(world, LIFE_MS, isServed))) {
    const left = world.members.filter((member) => !member.isGone && waiting.get(member)?.isServed !== true)
    throw new Violation('life', `nobody serves at ${left.map(({ name }) => name).join(', ')}`)
  }
  const top = world.history.top
  let same = false
  const isSame = (): boolean => {
    void agree(world, top).then((yes) => (same = yes))
    return same
  }
  if (!(await passes(world, LIFE_MS, isSame)))
    throw new Violation('life', 'the nodes do not come to one state')
}

/** What fails in healing, for a fault that had struck already, starts again. */
function mendStarted(world: World): void {
  for (const member of world.members)
    if (member.computer.process?.isPaused === true) member.computer.process.resume()
}

interface Asked {
  isServed: boolean
}

function ask(world: World, member: Member, waiting: Map<Member, Asked>): void {
  if (member.node === undefined || member.isGone || waiting.has(member)) return
  const asked: Asked = { isServed: false }
  waiting.set(member, asked)
  const { node } = member
  const again = (): void => {
    if (waiting.get(member) === asked && !asked.isServed) waiting.delete(member)
  }
  // Whoever is killed meanwhile answers nothing; he is asked again when he is back.
  world.simulation.after(3000, again)
  node.put(`life ${member.name}`, 1, { timeoutMs: 2000 }).then(
    () => {
      if (member.node === node) asked.isServed = true
    },
    () => world.simulation.after(PAUSE_MS, again),
  )
}

/** Whoever lives has answered, by the deadline of each call at the latest. */
async function demandAnswers(world: World): Promise<void> {
  const owed = (): number[] => {
    const all = [...world.calls]
    return all
      .filter(([, { member, process }]) => member.computer.process === process)
      .map(([number]) => number)
  }
  if (await passes(world, ANSWER_MS, () => owed().length === 0)) return
  const open = owed().map((number) => `${number} at ${world.calls.get(number)!.member.name}`)
  throw new Violation('every call is answered', open.join(', '))
}

async function agree(world: World, top: number): Promise<boolean> {
  const said = await Promise.all(running(world).map(({ node }) => node!.status())).catch(() => [])
  const [first] = said
  return (
    first !== undefined &&
    said.every(({ stateHash, revision }) => {
      return (
        revision >= top &&
        stateHash.index === first.stateHash.index &&
        stateHash.hash === first.stateHash.hash
      )
    })
  )
}

// ------------------------------------------------------------------------------------------ looking at nodes

/** Nodes that have applied the same entries have the same state. */
async function compare(world: World): Promise<void> {
  for (const { name, node } of running(world)) {
    const status = await node!.status().catch(() => undefined)
    if (status === undefined) continue
    const { stateHash, members, role, commitIndex, lastIndex, term } = status
    world.counters.statesCompared++
    const known = world.states.get(stateHash.index)
    if (known === undefined) world.states.set(stateHash.index, stateHash.hash)
    else if (known !== stateHash.hash)
      fail(world, new Violation('one state at each index', `${name} at ${stateHash.index}`))
    // A change of members that has begun is in the log behind what is committed.
    if (role !== 'leader' || commitIndex !== lastIndex) continue
    closeWound(world, members)
    if (world.leader === `${name} ${term}`)
      world.voters = members.filter((each) => each.role === 'voter').length
  }
}

/** What was lost is there again: the cluster has taken the new computer in the place of the old one. */
function closeWound(world: World, members: readonly { readonly id: string; readonly name: string }[]): void {
  const member = world.members.find(({ name }) => name === world.wounded)
  const node = member?.node
  if (member === undefined || node === undefined || !member.isReplaced) return
  const same = members.filter(({ name }) => name === member.name)
  const whenKnown = ({ node: { id } }: { readonly node: { readonly id: string } }): void => {
    if (same.length !== 1 || same[0]!.id !== id) return
    member.isReplaced = false
    world.wounded = undefined
  }
  node.status().then(whenKnown, () => {})
}

/** What the disks hold when everything has ended at once is whole. */
async function look(world: World): Promise<void> {
  for (const member of world.members) {
    if (member.isGone || member.log.isRotten) continue
    kill(world, member)
    const { disk } = member.computer
    const check = readDirectory(DIRECTORY, disk)
    let isDone = false
    void check.then(() => (isDone = true))
    while (!isDone) if (!(await world.simulation.step())) await check
    const [problem] = (await check).problems
    if (problem !== undefined)
      throw new Violation('the disks are whole', `${member.name}: ${problem.message}`)
  }
}
