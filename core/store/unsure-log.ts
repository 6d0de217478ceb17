/**
 * The log of a member of a cluster whose config says nothing of auth. Whether the cluster has tokens, which such a node must not be a
 * way around, it knows when it has caught up with a leader once; until then every call waits for that, and is looked
 * at again (docs/decisions/0009). An `eventual` read does not wait: it shows what is applied here, tokens among it.
 */
import { Writer } from '../bytes.ts'
import { type CommandResult, type Machine, encodeInto } from '../machine/index.ts'
import type { Operated, Operation } from '../node/operator.ts'
import type { ReadPoint } from '../node/reads.ts'
import type { Asked, LogStatus, Patience, ReplicatedLog } from '../node/replicated-log.ts'
import type { Consistency, MemberStatus } from '../types.ts'

type DueKeys = Parameters<ReplicatedLog['expireDue']>[0]

export class UnsureLog implements ReplicatedLog {
  readonly #log: ReplicatedLog
  readonly #refusal: () => Error | undefined
  readonly #bytes = new Writer()
  #isSure = false

  /** @param refusal why nobody is let in, by the state of now. */
  constructor(log: ReplicatedLog, refusal: () => Error | undefined) {
    this.#log = log
    this.#refusal = refusal
  }

  propose<R>(
    encode: (writer: Writer) => void,
    patience: Patience,
    map?: (result: CommandResult) => R,
  ): Promise<R> {
    return this.#isSure ? this.#log.propose(encode, patience, map) : this.#proposeLate(encode, patience, map)
  }

  /** Encoded now: the caller may go on with his objects. */
  async #proposeLate<R>(
    encode: (writer: Writer) => void,
    patience: Patience,
    map?: (result: CommandResult) => R,
  ): Promise<R> {
    encodeInto(this.#bytes, encode)
    const command = this.#bytes.take()
    await this.readPoint('leader', 0, patience)
    return this.#log.propose((writer) => writer.bytes(command), patience, map)
  }

  canReadNow(consistency: Consistency): boolean {
    return (this.#isSure || consistency === 'eventual') && this.#log.canReadNow(consistency)
  }

  async readPoint(consistency: Consistency, minRevision: number, patience: Patience): Promise<ReadPoint> {
    const point = await this.#log.readPoint(consistency, minRevision, patience)
    if (consistency !== 'eventual') this.#isSure = true
    const refusal = this.#refusal()
    if (refusal !== undefined) throw refusal
    return point
  }

  async operate(operation: Operation, asked: Asked): Promise<Operated> {
    if (!this.#isSure) await this.readPoint('leader', 0, asked)
    return this.#log.operate(operation, asked)
  }

  // ------------------------------------------------------------------------------------- as it is

  get machine(): Machine {
    return this.#log.machine
  }

  get isStopped(): boolean {
    return this.#log.isStopped
  }

  nowMs(): number {
    return this.#log.nowMs()
  }

  clusterTimeNow(): number {
    return this.#log.clusterTimeNow()
  }

  expireDue(keys: DueKeys, patience: Patience): Promise<void> {
    return this.#log.expireDue(keys, patience)
  }

  within<R>(work: PromiseLike<R>, patience: Patience): Promise<R> {
    return this.#log.within(work, patience)
  }

  pause(): Promise<void> {
    return this.#log.pause()
  }

  status(): LogStatus {
    return this.#log.status()
  }

  memberStates(patience: Patience): Promise<MemberStatus[]> {
    return this.#log.memberStates(patience)
  }

  askForSlice(name: string, version: number, patience: Patience): Promise<void> {
    return this.#log.askForSlice(name, version, patience)
  }

  snapshot(): ReturnType<ReplicatedLog['snapshot']> {
    return this.#log.snapshot()
  }
}
