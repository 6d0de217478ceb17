/**
 * What a voter promises outlives its process: for the length of a lease it votes for nobody, whatever its config says
 * after a restart. The directory knows the longest lease that was promised before it is, and forgets it when it is
 * surely over.
 */
import type { Clock, IdentityStore } from '../ports.ts'

/** The longest lease that this node may have promised before, or may from now on; durable when it resolves. */
export async function rememberPromise(identity: IdentityStore, leaseMs: number): Promise<number> {
  const promisedMs = Math.max(leaseMs, identity.promisedMs ?? leaseMs)
  if (promisedMs !== identity.promisedMs) await identity.update({ promisedMs })
  return promisedMs
}

/**
 * Once this run has waited for longer than was promised, only what it promises itself counts. A node that was stopped
 * before writes nothing any more: its directory may be the next run's.
 *
 * @param failed the node, by a disk that does not take it.
 */
export function forgetPromise(
  { clock, identity }: { readonly clock: Clock; readonly identity: IdentityStore },
  waits: { readonly promisedMs: number; readonly leaseMs: number; readonly driftMs: number },
  isStopped: () => boolean,
  failed: (error: Error) => void,
): void {
  const { promisedMs, leaseMs, driftMs } = waits
  if (promisedMs === leaseMs) return
  clock.after(promisedMs + driftMs, () => {
    if (!isStopped()) identity.update({ promisedMs: leaseMs }).catch(failed)
  })
}
