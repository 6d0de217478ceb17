/** What happens to one process, or to its disk and its clock. */
import { stepWall } from '../../core/testing/clocks.ts'
import { loseTail } from './disk.ts'
import type { Fault, Target } from './plan.ts'
import { crash, give, pause, start, stopCleanly } from './process.ts'
import { takeSnapshot } from './store.ts'
import { later, type Node, say, type World } from './world.ts'

export type NodeFault = Extract<Fault, { target: Target }>

export function strikeNode(world: World, node: Node, fault: Exclude<NodeFault, { kind: 'partition' }>): void {
  const { counters } = world
  if (fault.kind !== 'snapshot' && fault.kind !== 'tail-loss')
    counters[fault.kind === 'fsync-failure' ? 'fsync-failures-armed' : fault.kind]++
  switch (fault.kind) {
    case 'crash':
      crashFor(world, node, fault.downMs)
      break
    case 'stop':
      stop(world, node, fault.downMs)
      break
    case 'pause':
    case 'suspend':
      pause(world, node, fault.forMs, fault.kind === 'suspend')
      break
    case 'wall-step':
      stepWall(node.clocks, fault.byMs)
      if (node.raft) node.wallSetMs += fault.byMs
      else world.wallAheadMs += Math.max(0, fault.byMs)
      break
    case 'disk-stall':
      node.diskStalledUntil = world.now + fault.forMs
      break
    case 'disk-full':
      for (const each of fault.all ? world.slots : [node]) if (each) fillDisk(world, each, fault)
      break
    case 'fsync-failure':
      node.failsForMs = fault.downMs
      break
    case 'tail-loss':
      losePower(world, node, fault.downMs)
      break
    case 'snapshot':
      if (node.pausedUntil <= world.now) takeSnapshot(world, node)
      break
  }
}

export function crashFor(world: World, node: Node | undefined, downMs: number): void {
  if (!node?.raft) return
  crash(world, node)
  later(world, downMs, 'restart', () => start(world, node))
}

/** One machine at a time: while another is in doubt, losing a second tail may lose what was acknowledged. */
export function losePower(world: World, node: Node, downMs: number): void {
  if (world.slots.some((other) => other?.inDoubt)) return
  world.counters['tail-loss']++
  crashFor(world, node, downMs)
  const lost = loseTail(node.disk)
  world.counters.entriesLost += lost
  node.inDoubt = true
  node.hasLostTail = true
  say(world, () => `${node.id} has lost power, and ${lost} entries`)
}

/** Until somebody makes room, or another fault has filled it anew. */
function fillDisk(world: World, node: Node, fault: Extract<Fault, { kind: 'disk-full' }>): void {
  const { roomBytes, blindMs, forMs } = fault
  say(world, () => `the disk of ${node.id} takes ${roomBytes} bytes more`)
  const until = world.now + forMs
  node.roomBytes = roomBytes
  node.fullUntil = until
  node.seesRoomFrom = world.now + blindMs
  later(world, forMs, 'room', () => {
    if (node.fullUntil === until) node.roomBytes = Infinity
  })
}

/** A clean stop hands leadership over first, waits a little, and ends. */
function stop(world: World, node: Node, downMs: number): void {
  if (node.leadership.role === 'leader') give(world, node, { type: 'transfer' })
  const end = () => {
    stopCleanly(world, node)
    later(world, downMs, 'restart', () => start(world, node))
  }
  later(world, node.stream.between(1, 100), 'stop', end, node)
}
