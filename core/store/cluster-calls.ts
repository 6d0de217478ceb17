/** `db.cluster`: what is asked of the node and its cluster rather than of keys. Each passes the door first. */
import { type Call, OPTIONS, describe } from './calls.ts'
import type { Door } from './door.ts'
import { ConcordError } from '../errors.ts'
import { USERS, encodeSliceRetire } from '../machine/index.ts'
import type { ReplicatedLog } from '../node/replicated-log.ts'
import { promised } from './promised.ts'
import type { Cluster } from '../store.ts'

type Check = (options: object | undefined, allowed: ReadonlySet<string>) => Call

/** @param check makes a checked call, or throws what refuses it. */
export function clusterCalls(log: ReplicatedLog, door: Door, check: Check): Cluster {
  return {
    members: () =>
      promised(() => {
        door.admit('members', [{ permission: 'read' }], check(undefined, OPTIONS.call))
        return [...log.status().members]
      }),
    snapshot: () =>
      promised(() => {
        door.admit('snapshot', [{ permission: 'admin' }], check(undefined, OPTIONS.call))
        return log.snapshot()
      }),
    retire: (plugin) =>
      promised(() => {
        checkPluginName(plugin)
        const call = check(undefined, OPTIONS.call)
        const { actor } = door.admit('retire', [{ permission: 'admin' }], call)
        return log.propose((writer) => encodeSliceRetire(writer, { space: USERS, actor }, plugin), call)
      }),
  }
}

function checkPluginName(plugin: unknown): void {
  if (typeof plugin === 'string' && plugin !== '' && plugin.isWellFormed()) return
  throw new ConcordError(
    'INVALID_ARGUMENT',
    `retire: found ${describe(plugin)}, expected the name of a plugin`,
  )
}
