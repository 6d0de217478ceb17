/** Whom a fault strikes: chosen when its time comes, not when it is drawn. */
import type { Target } from './plan.ts'
import type { Node, World } from './world.ts'

export function find(world: World, target: Target): Node | undefined {
  if (target !== 'leader') return world.slots[target]
  return leaderOf(world)
}

/** Whoever leads in the highest term, as it believes. */
export function leaderOf(world: World): Node | undefined {
  let found: Node | undefined
  for (const node of world.slots) {
    if (!node?.raft || node.leadership.role !== 'leader') continue
    if (!found || node.leadership.term > found.leadership.term) found = node
  }
  return found
}
