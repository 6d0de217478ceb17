/** Processes that die, stop, stand still, and come back. */
import { soon } from '../fleet.ts'
import { type Fault, shuffled, victim } from './fault.ts'

const READY_MS = 20_000

export const PROCESS_FAULTS: readonly Fault[] = [
  {
    name: 'kill',
    kind: 'process',
    lastsMs: [50, 3000],
    begin: async (fleet, random) => {
      const node = fleet.node(victim(fleet, random))
      const wasRunning = node.isRunning
      await node.kill()
      return async () => {
        await node.start()
        return wasRunning && node.isRunning
      }
    },
  },
  {
    name: 'stop',
    kind: 'process',
    lastsMs: [50, 2000],
    begin: async (fleet, random) => {
      const node = fleet.node(victim(fleet, random))
      const ended = await node.stop()
      if (ended !== undefined && ended.code !== 0) {
        const message = `${node.name} was told to stop and ended with ${ended.code ?? ended.signal}`
        fleet.problems.push({ rule: 'a node stops as told', message, evidence: [ended] })
      }
      return async () => {
        await node.start()
        return ended?.code === 0 && node.isRunning
      }
    },
  },
  {
    name: 'pause',
    kind: 'process',
    lastsMs: [100, 6000],
    begin: async (fleet, random) => {
      const node = fleet.node(victim(fleet, random))
      node.pause()
      const { isPaused } = node
      return async () => {
        node.resume()
        return isPaused
      }
    },
  },
  {
    name: 'long-pause',
    kind: 'process',
    lastsMs: [6000, 30_000],
    begin: async (fleet, random) => {
      const node = fleet.node(victim(fleet, random))
      node.pause()
      const { isPaused } = node
      return async () => {
        node.resume()
        return isPaused
      }
    },
  },
  {
    name: 'kill-all',
    kind: 'process',
    lastsMs: [20, 1000],
    begin: async (fleet, random) => {
      const nodes = fleet.founders.map((name) => fleet.node(name))
      await Promise.all(nodes.map((node) => node.kill()))
      return async () => {
        await Promise.all(shuffled(nodes, random).map((node) => node.start()))
        return nodes.every((node) => node.isRunning)
      }
    },
  },
  {
    name: 'rolling',
    kind: 'process',
    lastsMs: [10, 50],
    begin: async (fleet, random) => {
      let done = 0
      for (const name of shuffled(fleet.founders, random)) {
        const node = fleet.node(name)
        await node.stop()
        await node.start()
        if (await soon(() => fleet.isReady(name), READY_MS)) done++
      }
      return async () => done === fleet.founders.length
    },
  },
]
