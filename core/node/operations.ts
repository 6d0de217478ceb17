/**
 * What is done to the cluster itself, by the node that leads: changes of the membership, wished for or due by
 * policy, and handing leadership over. A change is proposed until the membership is what was asked for, and
 * whoever asked is answered when that is committed.
 */
import { ConcordError } from '../errors.ts'
import { isMembershipSettled, membershipDue, membershipNow, proposeMembership } from '../raft/index.ts'
import type { MembershipChange, NodeId, Raft, Standing, Time, TransferEnd } from '../raft/index.ts'
import type { Patience } from './replicated-log.ts'

export interface OperationsOwner {
  raft(): Raft
  time(): Time
  readonly leads: boolean
  /** Something was proposed: a turn has work. */
  plan(): void
}

/** From the membership in force to the change that is wished for; undefined when it is so. Throws why it cannot be. */
export type Wish = (standing: Standing) => MembershipChange | undefined

interface Pending {
  readonly wish: Wish
  readonly deadlineMs: number
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
/** Reasons that pass by themselves. */
const PASSING: ReadonlySet<string> = new Set(['notEstablished', 'inProgress', 'changedMeanwhile'])

export class Operations {
  readonly #owner: OperationsOwner
  readonly #voters: number
  #pending: Pending[] = []
  #handovers: Handover[] = []

  /** @param voters how many there are to be; see `membershipDue`. */
  constructor(owner: OperationsOwner, voters: number) {
    this.#owner = owner
    this.#voters = voters
  }

  get isIdle(): boolean {
    return this.#pending.length === 0 && this.#handovers.length === 0
  }

  /** Resolves when the membership is as wished, and committed. */
  change(wish: Wish, { deadlineMs }: Patience): Promise<void> {
    if (this.#pending.length >= MAX_PENDING) {
      return Promise.reject(new ConcordError('OVERLOADED', 'too many changes of the membership wait already'))
    }
    const done = new Promise<void>((resolve, reject) => {
      this.#pending.push({ wish, deadlineMs, resolve, reject, proposed: false })
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
    if (!this.#owner.leads) return
    const due = membershipDue(this.#owner.raft(), this.#voters)
    if (due !== undefined && proposeMembership(this.#owner.raft(), this.#owner.time(), due).ok)
      this.#owner.plan()
  }

  /** True when whoever asked has been answered. */
  #advance(pending: Pending, settled: boolean): boolean {
    const outcome = pending.proposed ? 'unknown' : 'not-applied'
    if (!this.#owner.leads) {
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
      if (change !== undefined) return this.#propose(pending, change)
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
    const details = { reason: proposal.reason }
    pending.reject(new ConcordError('CHANGE_REFUSED', proposal.message, { details }))
    return true
  }

  /** Resolves with who leads then, as far as this node knows. The core is told by whoever calls. */
  handOver(to: NodeId | undefined): Promise<NodeId | null> {
    return new Promise((resolve, reject) => this.#handovers.push({ to, resolve, reject }))
  }

  handedOver(ends: readonly TransferEnd[], leader: NodeId | null): void {
    for (const { to, outcome } of ends) {
      const all = this.#handovers
      const isMeant = (handover: Handover): boolean => handover.to === undefined || handover.to === to
      this.#handovers = all.filter((handover) => !isMeant(handover))
      for (const { resolve, reject } of all.filter(isMeant)) {
        if (outcome === 'done' || outcome === 'elsewhere') resolve(leader)
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
