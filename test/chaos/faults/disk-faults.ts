/** Disks that are full, fail, or take their time. */
import { soon } from '../fleet.ts'
import { type Fault, shuffled, victim } from './fault.ts'

/** A node whose disk has failed ends with this. */
const STORAGE_EXIT = 4
/** A node that has something to write meets its disk within this. */
const MEETS_MS = 3000
const NO_SHIM = 'there is no library of false fsyncs'

export const DISK_FAULTS: readonly Fault[] = [
  {
    name: 'disk-full',
    kind: 'disk',
    lastsMs: [1500, 6000],
    cannot: (fleet) => {
      if (fleet.volumes.size > 0) return undefined
      return `no volume can be mounted: ${fleet.noVolumes ?? 'none was asked for'}`
    },
    begin: async (fleet, random) => {
      const names = shuffled([...fleet.volumes.keys()], random)
      const full = random.chance(0.3) ? names : names.slice(0, 1)
      let bytes = 0
      for (const name of full) bytes += fleet.volumes.get(name)!.fill()
      return async () => {
        for (const name of full) fleet.volumes.get(name)!.clear()
        return bytes > 0
      }
    },
  },
  {
    name: 'fsync-error',
    kind: 'disk',
    lastsMs: [200, 2000],
    cannot: (fleet) => (fleet.node(fleet.founders[0]!).plan.lever === undefined ? NO_SHIM : undefined),
    begin: async (fleet, random) => {
      const node = fleet.node(victim(fleet, random))
      const lever = node.plan.lever!
      const before = lever.count.failed
      fleet.mayFail.set(node.name, STORAGE_EXIT)
      lever.set('fail')
      return async () => {
        // A node that has met a failed fsync has nothing more to say.
        const hasFailed = await soon(() => lever.count.failed > before, MEETS_MS)
        const isDown = !hasFailed || (await soon(() => !node.isRunning, 15_000))
        lever.set('as ever')
        if (!isDown) {
          const message = `${node.name} goes on after an fsync has failed`
          fleet.problems.push({ rule: 'a failed fsync ends the node', message, evidence: [] })
        }
        await node.start()
        fleet.mayFail.delete(node.name)
        return hasFailed
      }
    },
  },
  {
    name: 'fsync-slow',
    kind: 'disk',
    lastsMs: [500, 4000],
    cannot: (fleet) => (fleet.node(fleet.founders[0]!).plan.lever === undefined ? NO_SHIM : undefined),
    begin: async (fleet, random) => {
      const lever = fleet.node(victim(fleet, random)).plan.lever!
      const before = lever.count.slowed
      lever.set('slow')
      return async () => {
        const wasSlow = await soon(() => lever.count.slowed > before, MEETS_MS)
        lever.set('as ever')
        return wasSlow
      }
    },
  },
]
