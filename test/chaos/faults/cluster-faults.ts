/** What operators and clocks do: members that come and go, leadership that is handed over, wall clocks that jump. */
import type { Member } from '../../../core/index.ts'
import { type Fleet, pause, soon } from '../fleet.ts'
import { type Fault, shuffled } from './fault.ts'

const PATIENCE = { timeoutMs: 8000 }
const REJOINED_MS = 30_000
const HOUR_MS = 3_600_000

/** Somebody who is not meant by what is done, and can be asked. */
async function other(fleet: Fleet, but: string): ReturnType<Fleet['remote']> {
  const name = [fleet.leader, ...fleet.founders].find((each) => each !== undefined && each !== but)!
  return fleet.remote(name)
}

/** Whether it was done; what may have happened or not is found out at the end of the run. */
const tried = (work: Promise<unknown>): Promise<boolean> =>
  work.then(
    () => true,
    () => false,
  )

async function membersSeenBy(fleet: Fleet, but: string): Promise<readonly Member[]> {
  try {
    return await (await other(fleet, but)).cluster.members(PATIENCE)
  } catch {
    return []
  }
}

/** In the cluster once, as a voter. */
export async function isVoter(fleet: Fleet, name: string): Promise<boolean> {
  const members = await membersSeenBy(fleet, name)
  const found = members.filter((member) => member.name === name)
  return found.length === 1 && found[0]!.role === 'voter'
}

export const CLUSTER_FAULTS: readonly Fault[] = [
  {
    name: 'replace',
    kind: 'cluster',
    lastsMs: [50, 1000],
    begin: async (fleet, random) => {
      const name = random.pick(fleet.founders)
      const node = fleet.node(name)
      node.expectEnd()
      const isRemoved = await tried((await other(fleet, name)).cluster.removeMember(name, PATIENCE))
      if (isRemoved) await tried(node.end(10_000))
      return async () => {
        // Removed or not, it comes back with nothing: as another incarnation.
        await node.kill()
        node.wipe()
        await node.start()
        return isRemoved && soon(() => isVoter(fleet, name), REJOINED_MS)
      }
    },
  },
  {
    name: 'wipe',
    kind: 'cluster',
    lastsMs: [50, 2000],
    begin: async (fleet, random) => {
      const name = random.pick(fleet.founders)
      const node = fleet.node(name)
      await node.kill()
      node.wipe()
      return async () => {
        await node.start()
        return soon(() => isVoter(fleet, name), REJOINED_MS)
      }
    },
  },
  {
    name: 'demote',
    kind: 'cluster',
    lastsMs: [100, 2000],
    begin: async (fleet, random) => {
      const name = random.pick(fleet.founders)
      const isDemoted = await tried((await other(fleet, name)).cluster.demote(name, PATIENCE))
      return async () => {
        const isPromoted = await tried((await other(fleet, name)).cluster.promote(name, PATIENCE))
        return isDemoted && (isPromoted || (await isVoter(fleet, name)))
      }
    },
  },
  {
    name: 'grow',
    kind: 'cluster',
    lastsMs: [200, 3000],
    cannot: (fleet) => (fleet.spares.length === 0 ? 'there is no spare node' : undefined),
    begin: async (fleet, random) => {
      const name = fleet.spares[0]!
      const node = fleet.node(name)
      node.wipe()
      await node.start()
      const hasJoined = await soon(async () => {
        return (await membersSeenBy(fleet, name)).some((member) => member.name === name)
      }, REJOINED_MS)
      if (random.chance(0.6)) await tried((await other(fleet, name)).cluster.promote(name, PATIENCE))
      return async () => hasJoined && (await leave(fleet, name))
    },
  },
  {
    name: 'transfer',
    kind: 'cluster',
    lastsMs: [10, 50],
    begin: async (fleet, random) => {
      let done = 0
      for (const name of shuffled(fleet.founders, random)) {
        if (await tried((await fleet.remote(name)).cluster.transferLeadership(name, PATIENCE))) done++
        await pause(random.between(0, 300))
      }
      return async () => done > 0
    },
  },
  {
    name: 'clock',
    kind: 'cluster',
    lastsMs: [100, 2000],
    begin: async (fleet, random) => {
      for (const name of fleet.founders) {
        if (random.chance(0.7)) {
          const offsetMs = Math.round(random.between(-HOUR_MS, HOUR_MS))
          fleet.node(name).tell({ kind: 'wall', offsetMs })
        }
      }
      // Clocks stay as they are: whoever starts next starts with that one.
      return async () => fleet.founders.some((name) => fleet.node(name).wallOffsetMs !== 0)
    },
  },
]

/** A spare node goes; its data is of no use any more. */
export async function leave(fleet: Fleet, name: string): Promise<boolean> {
  const node = fleet.node(name)
  node.expectEnd()
  const isGone = await soon(async () => {
    const members = await membersSeenBy(fleet, name)
    if (members.length > 0 && members.every((member) => member.name !== name)) return true
    await tried((await other(fleet, name)).cluster.removeMember(name, PATIENCE))
    return false
  }, REJOINED_MS)
  await tried(node.end(5000))
  await node.kill()
  node.wipe()
  return isGone
}
