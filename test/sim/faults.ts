/** Makes the items of the plan happen. Each picks its victim when its time comes, and counts only if it bit. */
import { blindLeader, falseAlarm, forgetfulVoter, transfer, usurp } from './coincidences.ts'
import { changeMembership } from './membership-faults.ts'
import { clog, partition, replay, reset } from './network-faults.ts'
import type { Fault } from './plan.ts'
import { crashFor, strikeNode } from './process-faults.ts'
import { find } from './targets.ts'
import { later, say, type World } from './world.ts'

export function strike(world: World, fault: Fault): void {
  if (world.calm) return
  say(world, () => `FAULT ${JSON.stringify(fault)}`)
  switch (fault.kind) {
    case 'partition':
      partition(world, fault.shape, fault.target, fault.bits, fault.forMs)
      break
    case 'reset':
      reset(world, fault.a, fault.b, fault.deafMs)
      break
    case 'clog':
      clog(world, fault.from, fault.to, fault.extraMs, fault.forMs)
      break
    case 'replay':
      replay(world, fault.picks)
      break
    case 'power-loss':
      world.counters['power-loss']++
      fault.downMs.forEach((downMs, slot) => crashFor(world, world.slots[slot], downMs))
      break
    case 'usurp':
      usurp(world, fault)
      break
    case 'forgetful-voter':
      forgetfulVoter(world, fault)
      break
    case 'false-alarm':
      falseAlarm(world, fault)
      break
    case 'blind-leader':
      blindLeader(world, fault)
      break
    case 'crash-installing':
      world.whenInstalling = (node) => {
        world.whenInstalling = undefined
        later(world, 0.01, 'crash while installing', () => crashFor(world, node, fault.downMs), node)
      }
      break
    case 'transfer':
      transfer(world, fault.to, fault.deafMs)
      break
    case 'membership':
      changeMembership(world, fault)
      break
    case 'crash':
    case 'stop':
    case 'pause':
    case 'suspend':
    case 'wall-step':
    case 'disk-stall':
    case 'disk-full':
    case 'fsync-failure':
    case 'tail-loss':
    case 'snapshot': {
      const node = find(world, fault.target)
      if (node?.raft) strikeNode(world, node, fault)
      break
    }
  }
}
