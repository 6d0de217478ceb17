/**
 * `db.local`: this node's applied state, synchronously. A flag inside a render loop costs a look into a map
 * when nobody stands at the door; no promise, no entry, no call is made for it.
 */
import type { Call } from './calls.ts'
import { checkKey } from '../codec.ts'
import type { Door } from './door.ts'
import { expiresAt, find, openAt } from '../machine/index.ts'
import type { ReplicatedLog } from '../node/replicated-log.ts'
import type { ReadPath } from './read-path.ts'
import type { LocalReads } from '../store.ts'
import type { Entry, Key } from '../types.ts'

/**
 * @param call makes a call without options, or throws what refuses it.
 * @param isRefused whether it would.
 */
export function localReads(
  log: ReplicatedLog,
  door: Door,
  reads: ReadPath,
  call: () => Call,
  isRefused: () => boolean,
): LocalReads {
  const entryOf = (key: Key): Entry | undefined => reads.local(checkKey(key), call())
  const valueOf = (key: Key): unknown => {
    if (!door.isOpenOut || log.isStopped || isRefused()) return entryOf(key)?.value
    const { users } = log.machine
    const slot = find(users, checkKey(key))
    if (slot === -1 || expiresAt(users, slot) !== 0) return entryOf(key)?.value
    return openAt(users, slot)
  }
  return { get: valueOf as LocalReads['get'], getEntry: entryOf as LocalReads['getEntry'] }
}
