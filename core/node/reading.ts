/**
 * The way of a read to the moment at which this machine may be asked: at once under a lease or where any state will
 * do, or else confirmed by the leader, here or elsewhere. What a read would see and is due goes first.
 */
import { assert } from '../assert.ts'
import { AbortError, type ConcordError } from '../errors.ts'
import type { Clock } from '../ports.ts'
import type { Ready } from '../raft/index.ts'
import type { Consistency } from '../types.ts'
import { askedAgain, type DueKey, type Expiry } from './expiry.ts'
import type { Network } from './network.ts'
import { decodePoint, encodeCall } from './peer-calls.ts'
import { Reads, type ReadPoint } from './reads.ts'
import { RemoteReads } from './remote-reads.ts'
import type { Patience } from './replicated-log.ts'
import type { Whole } from './whole.ts'

type ReadingOwner = Pick<
  Whole,
  'machine' | 'otherLeader' | 'leaseIndex' | 'clusterTimeNow' | 'refusal' | 'input' | 'look'
>

export class Reading {
  readonly #owner: ReadingOwner
  readonly #clock: Clock
  readonly #network: Network
  readonly #expiry: Expiry
  readonly #reads = new Reads()
  readonly #remote: RemoteReads

  constructor(owner: ReadingOwner, ports: { clock: Clock; network: Network }, expiry: Expiry) {
    this.#owner = owner
    this.#clock = ports.clock
    this.#network = ports.network
    this.#expiry = expiry
    const reader = {
      reads: this.#reads,
      nowMs: () => this.#clock.monotonicMs(),
      advance: () => this.advance(),
    }
    this.#remote = new RemoteReads(reader, ports.network)
  }

  get isIdle(): boolean {
    return this.#reads.isIdle
  }

  canReadNow(consistency: Consistency): boolean {
    if (consistency === 'strong' || this.#owner.refusal() !== undefined) return false
    if (consistency === 'eventual') return true
    const index = this.#owner.leaseIndex()
    return index !== undefined && index <= this.#owner.machine().appliedIndex
  }

  async point(consistency: Consistency, minRevision: number, patience: Patience): Promise<ReadPoint> {
    const { signal } = patience
    const refusal = this.#owner.refusal()
    if (refusal !== undefined) throw refusal
    if (signal?.aborted === true) throw new AbortError(signal.reason, 'not-applied')
    const point = await this.#confirmed(consistency, patience)
    if (minRevision <= this.#owner.machine().revision) return point
    const reached = this.#reads.until(point, minRevision, patience)
    this.#owner.look()
    return reached
  }

  #confirmed(consistency: Consistency, patience: Patience): ReadPoint | Promise<ReadPoint> {
    if (this.canReadNow(consistency)) {
      return { index: this.#owner.machine().appliedIndex, clusterTime: this.#owner.clusterTimeNow() }
    }
    assert(consistency !== 'eventual', 'an eventual read waits for nobody')
    const { id, point } = this.#reads.start(consistency, patience)
    this.#owner.input({ type: 'read', id })
    return point
  }

  /** Lets keys go that a read has found due, wherever the leader is. */
  async expireDue(keys: readonly DueKey[], patience: Patience): Promise<void> {
    await this.#reads.during(
      askedAgain(this.#clock, patience, () => this.#expireOnce(keys, patience)),
      patience,
    )
  }

  async #expireOnce(keys: readonly DueKey[], patience: Patience): Promise<void> {
    const leader = this.#owner.otherLeader()
    if (leader === null) return this.expireHere(keys, patience)
    const answer = await this.#network.call(leader, encodeCall({ kind: 'expire', keys }), patience)
    await this.#reads.until(decodePoint(answer), 0, patience)
  }

  expireHere(keys: readonly DueKey[], patience: Patience): Promise<void> {
    return this.#reads.during(this.#expiry.gone(keys), patience)
  }

  /** What the core has confirmed, and what it could not: that is asked of who leads, or waits for a leader. */
  carryOut({ reads, refusedReads }: Ready): void {
    for (const { id, index, clusterTime } of reads) this.#reads.confirm(id, { index, clusterTime })
    if (refusedReads.length === 0) return
    const leader = this.#owner.otherLeader()
    for (const { id } of refusedReads) {
      if (leader === null) this.#reads.hold(id)
      else this.#remote.add(id)
    }
    if (leader !== null) this.#remote.ask(leader)
  }

  /** There is a leader: whoever waited for one is asked for again. */
  retry(): void {
    for (const id of this.#reads.takeHeld()) this.#owner.input({ type: 'read', id })
  }

  /** The machine has moved on. */
  advance(): void {
    const { appliedIndex, revision } = this.#owner.machine()
    this.#reads.advance(appliedIndex, revision)
  }

  expire(noLeader: () => ConcordError): void {
    this.#reads.expire(this.#clock.monotonicMs(), noLeader)
  }

  failAll(error: () => Error): void {
    this.#reads.failAll(error)
  }
}
