/**
 * What is done to the cluster itself: changes of the membership, wished for or due by policy, and handing
 * leadership over. The node that leads does it; another asks that one. A change is proposed until the membership
 * is what was asked for, and whoever asked is answered when that is committed.
 */
import { ConcordError, type Outcome } from '../errors.ts'
import {
  heirWithRoom,
  isMembershipSettled,
  membershipDue,
  membershipNow,
  proposeMembership,
} from '../raft/index.ts'
import type { Membership, MembershipChange, NodeId, Standing, TransferEnd } from '../raft/index.ts'
import { type Leader, type Operated, type Operation, carryOut } from './operator.ts'
import type { Network } from './network.ts'
import { decodeOperated, encodeCall } from './peer-calls.ts'
import type { Guard } from '../machine/index.ts'
import type { Asked } from './replicated-log.ts'
import type { Whole } from './whole.ts'

type ClusterChangesOwner = Pick<
  Whole,
  'raft' | 'time' | 'leads' | 'leader' | 'refusal' | 'ledBy' | 'holds' | 'within' | 'input' | 'plan'
>

/** From the membership in force to the change that is wished for; undefined when it is so. Throws why it cannot be. */
export type Wish = (standing: Standing) => MembershipChange | undefined

interface Pending {
  readonly wish: Wish
  readonly deadlineMs: number
  readonly guard: Guard | undefined
  readonly resolve: () => void
  readonly reject: (error: Error) => void
  proposed: boolean
}

interface Handover {
  readonly to: NodeId | undefined
  readonly resolve: (leader: NodeId | null) => void
  readonly reject: (error: Error) => void
}

/** Wishes that wait for others to be carried out. */
const MAX_PENDING = 256
/** So much room at least has whoever is to lead in place of a node whose volume is full: plenty, or it goes back. */
const HEIR_BYTES = 4 * 1024 * 1024
/** After a hand-over for want of room that has come to nothing. */
const YIELD_AGAIN_MS = 5000
/** Reasons that pass by themselves. */
const PASSING: ReadonlySet<string> = new Set(['notEstablished', 'inProgress', 'changedMeanwhile'])

/** Reasons for which the same is refused for ever. */
const FINAL: ReadonlySet<string> = new Set(['lastVoter', 'tombstoned', 'invalid'])

export class ClusterChanges implements Leader {
  readonly #owner: ClusterChangesOwner
  readonly #network: Network
  readonly #voters: number
  #pending: Pending[] = []
  #handovers: Handover[] = []
  #yieldsFromMs = -Infinity

  /** @param voters how many there are to be; see `membershipDue`. */
  constructor(owner: ClusterChangesOwner, network: Network, voters: number) {
    this.#owner = owner
    this.#network = network
    this.#voters = voters
  }

  get isIdle(): boolean {
    return this.#pending.length === 0 && this.#handovers.length === 0
  }

  // ------------------------------------------------------------------------------------ by whoever leads

  /** Where the leader is. While leadership changes hands it waits for who leads next, as long as the caller does. */
  async operate(operation: Operation, asked: Asked): Promise<Operated> {
    for (;;) {
      await this.#owner.ledBy(asked)
      try {
        return await this.#operateAtLeader(operation, asked)
      } catch (error) {
        const isMoved =
          ConcordError.is(error) && error.code === 'NOT_LEADER' && error.outcome === 'not-applied'
        if (!isMoved) throw error
      }
    }
  }

  async #operateAtLeader(operation: Operation, asked: Asked): Promise<Operated> {
    const leader = this.leader()
    if (this.#owner.leads() || leader === null) return this.operateHere(operation, asked)
    const question = encodeCall({ kind: 'operate', operation, guard: asked.guard })
    return decodeOperated(await this.#network.call(leader, question, asked))
  }

  /** Here, or not at all. */
  async operateHere(operation: Operation, asked: Asked): Promise<Operated> {
    await this.#judged(asked)
    return carryOut(this, operation, asked)
  }

  /** What hands leadership over, or asks a stranger, is not proposed: it is judged here. What is, again by `#advance`. */
  async #judged(asked: Asked): Promise<void> {
    while (asked.guard !== undefined) {
      if (!this.#owner.leads()) throw new ConcordError('NOT_LEADER', 'this node does not lead')
      await this.#owner.ledBy(asked)
      if (this.#mayGoOn(asked.guard, 'not-applied')) return
    }
  }

  /** False: it cannot be told yet. By the state that all have who were ever told that a right has gone. */
  #mayGoOn(guard: Guard, outcome: Outcome): boolean {
    const holds = this.#owner.holds(guard)
    if (holds !== false) return holds === true
    const why = 'who may do what has changed meanwhile'
    throw new ConcordError('RIGHTS_CHANGED', why, { outcome, retryable: true })
  }

  // ------------------------------------------------------------------------------------ at the leader

  get membership(): Membership {
    return membershipNow(this.#owner.raft()).membership
  }

  leader(): NodeId | null {
    return this.#owner.leader()
  }

  invite(address: string, asked: Asked): Promise<NodeId> {
    return this.#network.invite(address, asked)
  }

  /** Resolves when the membership is as wished, and committed. */
  change(wish: Wish, { deadlineMs, guard }: Asked): Promise<void> {
    if (!this.#owner.leads()) {
      return Promise.reject(new ConcordError('NOT_LEADER', 'this node does not lead'))
    }
    if (this.#pending.length >= MAX_PENDING) {
      return Promise.reject(new ConcordError('OVERLOADED', 'too many changes of the membership wait already'))
    }
    const done = new Promise<void>((resolve, reject) => {
      this.#pending.push({ wish, deadlineMs, guard, resolve, reject, proposed: false })
    })
    this.look()
    return done
  }

  /** At every tick, and after a turn in which somebody waits. */
  look(): void {
    if (this.#pending.length === 0) return
    const settled = isMembershipSettled(this.#owner.raft())
    this.#pending = this.#pending.filter((pending) => !this.#advance(pending, settled))
  }

  /** What the policy asks for, by the node that leads. */
  considerPolicy(): void {
    if (!this.#owner.leads()) return
    const due = membershipDue(this.#owner.raft(), this.#voters)
    if (due !== undefined && proposeMembership(this.#owner.raft(), this.#owner.time(), due).ok)
      this.#owner.plan()
  }

  /** True when whoever asked has been answered. */
  #advance(pending: Pending, settled: boolean): boolean {
    const outcome = pending.proposed ? 'unknown' : 'not-applied'
    if (!this.#owner.leads()) {
      const why = 'this node does not lead any more'
      pending.reject(new ConcordError('NOT_LEADER', why, { outcome, retryable: true }))
      return true
    }
    if (this.#owner.time().monotonicMs >= pending.deadlineMs) {
      const why = 'the membership did not change in time'
      pending.reject(new ConcordError('TIMEOUT', why, { outcome, retryable: true }))
      return true
    }
    if (!settled) return false
    try {
      const change = pending.wish(membershipNow(this.#owner.raft()))
      if (change !== undefined) {
        const { guard } = pending
        return (guard === undefined || this.#mayGoOn(guard, outcome)) && this.#propose(pending, change)
      }
      pending.resolve()
    } catch (error) {
      pending.reject(error as Error)
    }
    return true
  }

  #propose(pending: Pending, change: MembershipChange): boolean {
    const proposal = proposeMembership(this.#owner.raft(), this.#owner.time(), change)
    if (proposal.ok) {
      pending.proposed = true
      this.#owner.plan()
      return false
    }
    if (PASSING.has(proposal.reason)) return false
    const { reason, message } = proposal
    const retryable = !FINAL.has(reason)
    pending.reject(new ConcordError('CHANGE_REFUSED', message, { details: { reason }, retryable }))
    return true
  }

  /** To this voter, or to the one that lacks least; resolves with who leads then, as far as this node knows. */
  handOver(to?: NodeId): Promise<NodeId | null> {
    const refusal = this.#owner.refusal()
    if (refusal !== undefined) return Promise.reject(refusal)
    const done = new Promise<NodeId | null>((resolve, reject) => {
      this.#handovers.push({ to, resolve, reject })
    })
    this.#owner.input({ type: 'transfer', to })
    return done
  }

  /** Before a clean stop: leadership goes to whoever lacks least. If nobody can take it, the stop goes on. */
  async yieldLeadership(timeoutMs: number): Promise<void> {
    if (!this.#owner.leads() || this.membership.voters.length < 2) return
    const patience = { deadlineMs: this.#owner.time().monotonicMs + timeoutMs }
    await this.#owner.within(this.handOver(), patience).catch(() => undefined)
  }

  /** The volume here is full: leadership goes to a voter that has room, if there is one. At every tick. */
  considerRoom(): void {
    const { monotonicMs } = this.#owner.time()
    if (!this.#owner.leads() || monotonicMs < this.#yieldsFromMs) return
    const to = heirWithRoom(this.#owner.raft(), HEIR_BYTES)
    if (to === undefined) return
    this.#yieldsFromMs = monotonicMs + YIELD_AGAIN_MS
    this.#owner.input({ type: 'transfer', to })
  }

  /** The core says how each hand-over has ended. */
  handedOver(ends: readonly TransferEnd[]): void {
    for (const { to, outcome } of ends) {
      const all = this.#handovers
      const isMeant = (handover: Handover): boolean => handover.to === undefined || handover.to === to
      this.#handovers = all.filter((handover) => !isMeant(handover))
      for (const { resolve, reject } of all.filter(isMeant)) {
        if (outcome === 'done' || outcome === 'elsewhere') resolve(this.leader())
        else
          reject(
            new ConcordError('CHANGE_REFUSED', HANDOVER_PROBLEMS[outcome], { details: { reason: outcome } }),
          )
      }
    }
  }

  failAll(error: () => Error): void {
    for (const { reject } of [...this.#pending, ...this.#handovers]) reject(error())
    this.#pending = []
    this.#handovers = []
  }
}

const HANDOVER_PROBLEMS = {
  timedOut: 'the other node did not take over within an election timeout',
  notLeader: 'this node does not lead',
  inProgress: 'leadership is being handed to another node',
  notAVoter: 'only a voter can lead',
  noTarget: 'no other voter answers',
} as const
