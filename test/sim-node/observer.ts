/** The plugin on every node: it tells the judge what the node applies, and has a slice that may have a bug. */
import type { AppliedBatch } from '../../core/hook-events.ts'
import type { AnyDefinition } from '../../core/host/definition.ts'
import { definePlugin } from '../../core/plugin.ts'
import { Violation } from '../sim/judge.ts'
import type { Told } from './history.ts'
import { attempt, type Member, say, textOf, type World } from './world.ts'

/** Its service. */
export interface Observer {
  propose(number: number): Promise<unknown>
}

export const observerOf = (world: World, member: Member): AnyDefinition =>
  definePlugin({
    name: 'observer',
    version: '1.0.0',
    apiVersion: 1,
    slice: {
      version: 1,
      apply: (space, number: number) => {
        const count = (space.get<number>('count') ?? 0) + 1
        space.put('count', count)
        if (member.hasBug) breakDown(member)
        space.put(`number ${count % 5}`, number)
        return count
      },
    },
    setup: (ctx): Observer => {
      ctx.hooks.applied.tap((batch) => attempt(world, () => hear(world, member.name, batch)))
      ctx.on('leader', (event) => hearOfLeader(world, member.name, event))
      return { propose: (number) => ctx.slice.propose(number) }
    },
  }) as unknown as AnyDefinition

function breakDown(member: Member): never {
  member.hasBug = false
  member.isBroken = true
  throw new Error('a bug that one node alone has')
}

function hearOfLeader(
  world: World,
  name: string,
  {
    leader,
    term,
    isSelf,
  }: { readonly leader: string | null; readonly term: number; readonly isSelf: boolean },
): void {
  say(world, `${name} knows ${leader} as leader of ${term}`)
  if (!isSelf || world.leader === `${name} ${term}`) return
  world.leader = `${name} ${term}`
  world.counters.leaderChanges++
}

/** What one entry has changed, revision by revision. */
function hear(world: World, name: string, { changes, replay, clusterTime }: AppliedBatch): void {
  if (replay) world.counters.replayedBatches++
  for (let at = 0; at < changes.length;) {
    const { revision } = changes[at]!
    const told: Told[] = []
    for (; changes[at]?.revision === revision; at++) {
      const { type, key, value, previous, requestId, expiresAt } = changes[at]!
      told.push({ type, key, requestId, value: value === undefined ? undefined : textOf(value) })
      if (type !== 'expire') continue
      if (!replay) world.counters.expired++
      if (expiresAt === undefined || expiresAt > clusterTime)
        throw new Violation('nothing expires early', `${name}: ${key} at ${clusterTime}`)
      judgeExpiry(world, textOf(previous))
    }
    world.history.told(name, revision, told)
  }
}

/**
 * The cluster's time is that of its leaders' clocks, and no faster; over a restart of all it is that of wall clocks,
 * however far apart, if none was set.
 */
function judgeExpiry(world: World, value: string): void {
  const { simulation, profile, counters, lives } = world
  const life = lives.get(value)
  const mayBeSet = counters.restarts > profile.nodes && counters['wall-step'] > 0
  if (life === undefined || mayBeSet) return
  const lived = simulation.now - life.fromMs
  if (lived < life.ttlMs * (1 - 2 * profile.drift) - 1)
    throw new Violation('nothing expires early', `${value} after ${lived} of ${life.ttlMs} ms`)
}
