/**
 * One run: found the cluster, let the plan happen, then heal and demand life. The outcome is a record; a seed
 * gives the same one each time.
 */
import { createCounters, type Counters } from './counters.ts'
import { chooseNode } from './clients.ts'
import { describeMail } from './describe.ts'
import { strike } from './faults.ts'
import { mix } from './hash.ts'
import { judgeEnd } from './judge-commit.ts'
import { Violation } from './judge.ts'
import { demandLife } from './liveness.ts'
import type { Plan } from './plan.ts'
import type { Failure, Outcome } from './simulator.ts'
import { give, hand, start, timerFires, wake } from './process.ts'
import { linkOf } from './network.ts'
import { addNode, createWorld, diskOf, type Happening, noteTrace, say, type World } from './world.ts'

export function run(plan: Plan, trace?: (line: string) => void): Outcome<Counters> {
  const world = createWorld(plan, trace)
  let failure: Failure | undefined
  try {
    found(world)
    play(world)
    demandLife(world, advance)
    judgeEnd(world.judge, world.slots, (id) => diskOf(world, id))
  } catch (error) {
    failure = describe(world, error)
  }
  return {
    seed: plan.options.seed,
    events: world.events,
    simulatedMs: world.now,
    traceHash: mix(world.traceHash, world.events),
    counters: world.counters ?? createCounters(),
    failure,
  }
}

function describe(world: World, error: unknown): Failure {
  const at = { atEvent: world.events, atMs: world.now }
  if (error instanceof Violation) return { invariant: error.invariant, message: error.message, ...at }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { invariant: `thrown: ${firstLine(text)}`, message: text, ...at }
}

/** The first line of an assertion, without what differs from run to run. */
function firstLine(text: string): string {
  return text.split('\n')[0]!.replaceAll(/\d+/g, '#')
}

function found(world: World): void {
  const { plan } = world
  for (let slot = 0; slot < world.profile.nodes; slot++) start(world, addNode(world, slot))
  for (const fault of plan.faults) schedule(world, fault.at, fault.kind, () => strike(world, fault))
  for (const operation of plan.operations) {
    schedule(world, operation.at, operation.kind, () => {
      const node = world.calm ? undefined : chooseNode(world, operation)
      if (node) hand(world, node, { type: 'operation', operation })
    })
  }
}

function schedule(world: World, at: number, label: string, task: () => void): void {
  world.agenda.add({
    at,
    sequence: 0,
    kind: 'task',
    node: undefined,
    life: 0,
    from: undefined,
    connection: 0,
    mail: undefined,
    run: task,
    label,
  })
}

function play(world: World): void {
  const { events } = world.plan.options
  const { horizonMs } = world.plan
  while (world.events < events && world.now < horizonMs && advance(world));
}

/** Lets the next event happen; false when there is none. */
export function advance(world: World): boolean {
  const next = world.agenda.next()
  if (!next) return false
  world.now = next.at
  if (next.node && next.kind !== 'mail' && next.node.life !== next.life) return true
  world.events++
  noteTrace(world, next.label, next.node?.slot ?? 0)
  happen(world, next)
  return true
}

function happen(world: World, { kind, node, from, mail, connection, run: task }: Happening): void {
  switch (kind) {
    case 'mail':
      if (!node!.raft || linkOf(world.network, from!.slot, node!.slot).connection !== connection) break
      say(world, () => `${from!.id} > ${node!.id}  ${describeMail(mail!)}`)
      hand(world, node!, { type: 'mail', from: from!, mail: mail! })
      break
    case 'timer':
      timerFires(world, node!)
      break
    case 'turn':
      wake(world, node!)
      break
    case 'task': {
      const input = task!()
      if (input && node) give(world, node, input)
      break
    }
  }
}
