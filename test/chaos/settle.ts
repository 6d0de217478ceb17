/**
 * After the faults: everything is healed, everybody runs, the members are the founders again, and every node is
 * ready and takes a write. A cluster that does not get there has a problem that is one of ours.
 */
import { isVoter, leave } from './faults/cluster-faults.ts'
import { type Fleet, soon } from './fleet.ts'

const SETTLED_MS = 60_000

export async function settle(fleet: Fleet, tell: (line: string) => void): Promise<boolean> {
  const beganMs = performance.now()
  await fleet.net.heal()
  for (const volume of fleet.volumes.values()) volume.clear()
  fleet.mayFail.clear()
  for (const node of fleet.nodes.values()) {
    node.resume()
    node.plan.lever?.set('as ever')
  }
  for (const name of fleet.founders) await comeBack(fleet, name)
  const areWell = await soon(async () => {
    for (const name of fleet.founders) {
      await comeBack(fleet, name)
      if (!(await fleet.isReady(name)) || !(await takesWrites(fleet, name))) return false
    }
    return true
  }, SETTLED_MS)
  for (const name of fleet.spares) if (fleet.node(name).isRunning) await leave(fleet, name)
  const areVoters = await soon(async () => {
    for (const name of fleet.founders) {
      if (await isVoter(fleet, name)) continue
      await promote(fleet, name)
      return false
    }
    return true
  }, SETTLED_MS)
  tell(`healed, ${Math.round(performance.now() - beganMs)} ms`)
  if (!areWell) blame(fleet, 'not every node takes writes')
  if (!areVoters) blame(fleet, 'not every founder is a voter again')
  return areWell && areVoters
}

function blame(fleet: Fleet, what: string): void {
  const message = `${what}, ${SETTLED_MS} ms after everything was healed`
  fleet.problems.push({ rule: 'all is well in the end', message, evidence: [] })
}

/** A node that was removed comes back with nothing. */
async function comeBack(fleet: Fleet, name: string): Promise<void> {
  const node = fleet.node(name)
  if (node.isRunning) return
  if (node.lastEnd?.failure?.code === 'NODE_REMOVED') node.wipe()
  await node.start()
}

/** Any write that asks for the whole way: one that changes nothing. */
async function takesWrites(fleet: Fleet, name: string): Promise<boolean> {
  try {
    await (await fleet.remote(name)).delete('nothing', { timeoutMs: 3000 })
    return true
  } catch {
    return false
  }
}

async function promote(fleet: Fleet, name: string): Promise<void> {
  try {
    await (await fleet.remote(name)).cluster.promote(name, { timeoutMs: 5000 })
  } catch {
    // Tried again until it is so.
  }
}
