/** What stands at index 0 of a log: the membership that the cluster was founded with. */
import { idOf } from '../address.ts'
import { ConcordError } from '../errors.ts'
import type { Clock, Entropy, Founding, IdentityStore, Introduced } from '../ports.ts'
import type { Membership, SnapshotMeta } from '../raft/index.ts'

/** The state before the first entry; of a node that belongs to no cluster yet, nobody is a member. */
export function beginning(founding: Founding | null): SnapshotMeta {
  const wallTime = founding?.foundedAt ?? 0
  return { index: 0, term: 0, clusterTime: 0, wallTime, membership: foundersOf(founding?.members ?? []) }
}

function foundersOf(members: readonly Introduced[]): Membership {
  const voters = members.map(idOf)
  const infos = Object.fromEntries(members.map((member) => [idOf(member), infoOf(member)]))
  return { voters, outgoing: [], learners: [], members: infos, removed: [] }
}

const infoOf = ({ name, incarnation, address }: Introduced): Introduced => ({ name, incarnation, address })

/** What the cluster of this node was founded by; null while it belongs to none. */
export const foundingOf = ({ clusterId, founding }: IdentityStore): Founding | null =>
  clusterId === '' ? null : founding

/**
 * The cluster of a node that is configured without peers: the one it belongs to, or one that it founds alone,
 * reaching nobody and reached by nobody.
 *
 * @throws `IDENTITY_MISMATCH` when it has given its word to found another: nothing is changed.
 */
export async function alone(identity: IdentityStore, clock: Clock, entropy: Entropy): Promise<Founding> {
  const { name, incarnation, clusterId, founding: held } = identity
  if (held !== null && clusterId !== '') return held
  if (held !== null) {
    const others = held.members.map((member) => member.name).join(', ')
    const why = `this node has accepted to found a cluster of ${others}; start it with the same cluster section, or on an empty directory`
    throw new ConcordError('IDENTITY_MISMATCH', why, { details: { field: 'cluster', expected: others } })
  }
  const founding = {
    id: entropy.id(),
    by: { name, incarnation },
    attempt: 1,
    members: [{ name, incarnation, address: '' }],
    foundedAt: clock.wallMs(),
  }
  await identity.update({ founding, clusterId: founding.id })
  return founding
}
