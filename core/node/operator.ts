/**
 * What an operator does to the cluster, in his words: a member is named by its name, or by its whole id where
 * two incarnations have the same one. Carried out where the leader is.
 */
import { ConcordError } from '../errors.ts'
import { demote, promote, remove } from '../raft/index.ts'
import type { Membership, NodeId } from '../raft/index.ts'
import type { Wish } from './cluster-changes.ts'
import type { Asked } from './replicated-log.ts'

export type Operation =
  /** Takes in the empty node at an address, which need not know where the cluster is. */
  | { readonly kind: 'add'; readonly address: string }
  /** For ever; its id is never a member again. */
  | { readonly kind: 'remove'; readonly member: string }
  | { readonly kind: 'promote'; readonly member: string }
  | { readonly kind: 'demote'; readonly member: string }
  /** Hand leadership over; without `to`, to the voter that lacks least. */
  | { readonly kind: 'transfer'; readonly to: string | null }

export interface Operated {
  /** Who leads afterwards, as far as the node that was asked knows. */
  readonly leader: NodeId | null
  /** Of the member that was added. */
  readonly member?: NodeId | undefined
}

export interface Leader {
  readonly membership: Membership
  leader(): NodeId | null
  change(wish: Wish, asked: Asked): Promise<void>
  handOver(to?: NodeId): Promise<NodeId | null>
  /** Resolves with the id of the new member. */
  invite(address: string, asked: Asked): Promise<NodeId>
}

/** @throws `CHANGE_REFUSED`, `INVALID_ARGUMENT` (no such member) - nothing was done. `TIMEOUT`, `NOT_LEADER`. */
export async function carryOut(leader: Leader, operation: Operation, asked: Asked): Promise<Operated> {
  if (operation.kind === 'add') {
    return { member: await leader.invite(operation.address, asked), leader: leader.leader() }
  }
  if (operation.kind === 'transfer') {
    const to = operation.to === null ? undefined : memberCalled(leader.membership, operation.to)
    return { leader: await leader.handOver(to) }
  }
  const id = memberCalled(leader.membership, operation.member)
  if (operation.kind !== 'promote' && id === leader.leader()) await moveAway(leader, id)
  await leader.change(wishFor(operation.kind, id), asked)
  return { leader: leader.leader() }
}

/**
 * Who is to go does not see to it himself: he would be gone before he could say how it ended. A leader that has
 * just been elected has not heard of anybody yet, and so names the others one by one.
 */
async function moveAway(leader: Leader, self: NodeId): Promise<void> {
  const others = leader.membership.voters.filter((id) => id !== self)
  for (const heir of [undefined, ...others]) {
    if (others.length > 0 && (await tookOver(leader, heir))) {
      throw new ConcordError('NOT_LEADER', 'the node that is to go has handed its leadership over')
    }
  }
  // Nobody else can lead, which is what the change itself is then refused for.
}

const tookOver = (leader: Leader, heir: NodeId | undefined): Promise<boolean> =>
  leader.handOver(heir).then(
    () => true,
    () => false,
  )

function wishFor(kind: 'remove' | 'promote' | 'demote', id: NodeId): Wish {
  return (standing) => {
    const { voters, learners, members } = standing.membership
    const isMember = voters.includes(id) || learners.includes(id)
    if (kind === 'remove') return isMember ? remove(standing, id) : undefined
    if (kind === 'promote') return voters.includes(id) ? undefined : promote(standing, [id])
    return isMember && members[id]!.staysLearner !== true ? demote(standing, id) : undefined
  }
}

function memberCalled({ members }: Membership, name: string): NodeId {
  if (Object.hasOwn(members, name)) return name
  const ids = Object.keys(members).filter((id) => members[id]!.name === name)
  if (ids.length === 1) return ids[0]!
  const found = Object.entries(members).map(([id, info]) => (ids.includes(id) ? id : info.name))
  const why =
    ids.length === 0
      ? `no member is called ${name}; there are ${found.join(', ')}`
      : `${ids.length} members are called ${name}: say which of ${ids.join(', ')}`
  throw new ConcordError('INVALID_ARGUMENT', why, { details: { field: 'member', found: name } })
}

/** Checks what came over the wire. */
export function operationOf(value: unknown): Operation | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { kind, member, to, address } = value as Readonly<Record<string, unknown>>
  if (kind === 'add' && typeof address === 'string') return { kind, address }
  if (kind === 'transfer' && (to === null || typeof to === 'string')) return { kind, to }
  if ((kind === 'remove' || kind === 'promote' || kind === 'demote') && typeof member === 'string') {
    return { kind, member }
  }
  return undefined
}
