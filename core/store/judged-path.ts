/**
 * The way of a conditional write that somebody judges, here or at a client: `expected` and `condition`.
 *
 * A retry under a request id must not be judged again, since what its first try did is in the way: the
 * replicated table is asked first (6.3). The id's fingerprint is of what the caller gave; the command
 * itself differs from try to try, by the revision that was judged.
 */
import type { Call } from './calls.ts'
import type { CheckedCondition } from './conditions.ts'
import type { Door } from './door.ts'
import { ConcordError, refusedAs } from '../errors.ts'
import { describe } from '../found.ts'
import { fingerprintOf } from './fingerprint.ts'
import type { Write } from '../hook-events.ts'
import { type TxnDone, USERS, lookUp } from '../machine/index.ts'
import type { ReplicatedLog } from '../node/replicated-log.ts'
import { type Judge, copyOf, expecting, satisfying, writeIfJudged } from './optimistic.ts'
import { readAccess } from './read-path.ts'
import type { TxnPath } from './txn-path.ts'
import { writeAccess } from './write-path.ts'
import type {
  ConditionalResult,
  PutResult,
  Revision,
  TxnOperation,
  TxnResult,
  Value,
  WriteOptions,
} from '../types.ts'

/** For a caller who judges the condition of a `putIf` or `deleteIf` elsewhere: a client of this node. */
export interface JudgedWrites {
  /** What the call has done already, under its request id; undefined when that has not taken effect. */
  recall(operation: TxnOperation, options?: WriteOptions): Promise<PutResult | undefined>
  /** Writes if the key's revision is the one that was judged; 0 for an absent key. */
  commitJudged(operation: TxnOperation, revision: Revision, options?: WriteOptions): Promise<TxnResult>
}

type Judged = Exclude<CheckedCondition, { readonly kind: 'revision' }>

export class JudgedPath {
  readonly #log: ReplicatedLog
  readonly #door: Door
  readonly #txns: TxnPath

  constructor(log: ReplicatedLog, door: Door, txns: TxnPath) {
    this.#log = log
    this.#door = door
    this.#txns = txns
  }

  /** Judges here, on a linearizable read, and again when another writer came between. */
  async write(
    operation: 'putIf' | 'deleteIf',
    write: Write,
    condition: Judged,
    call: Call,
  ): Promise<ConditionalResult> {
    // Whoever may not write is told so, and not whether the condition holds.
    const entered = this.#door.enter(this.#log, operation, [writeAccess(write), readAccess(write.key)], call)
    // Captured now: the caller may go on with his objects while the condition is judged.
    const asked = operationOf(write)
    const judge: Judge =
      condition.kind === 'expected' ? expecting(copyOf(condition.value)) : satisfying(condition.fn)
    const marked = { ...call, fingerprint: fingerprintOf(call, [operation, asked, markOf(condition)]) }
    await entered
    const recorded = await this.#recorded(marked)
    if (recorded !== undefined) return { ok: true, revision: recorded.revision }
    return writeIfJudged(this.#txns.optimist(operation, marked), write.key, judge, asked)
  }

  async recalled(asked: TxnOperation, call: Call): Promise<PutResult | undefined> {
    const recorded = await this.#recorded(this.#judgedElsewhere(asked, call).call)
    return recorded === undefined ? undefined : { revision: recorded.revision }
  }

  commit(asked: TxnOperation, revision: Revision, call: Call): Promise<TxnResult> {
    const elsewhere = this.#judgedElsewhere(asked, call)
    const request = { compare: [{ key: asked.key, revision }], success: [asked] }
    return this.#txns.commit(elsewhere.name, request, elsewhere.call)
  }

  #judgedElsewhere(
    asked: TxnOperation,
    call: Call,
  ): { readonly name: 'putIf' | 'deleteIf'; readonly call: Call } {
    if (asked.op !== 'put' && asked.op !== 'delete') {
      throw new ConcordError(
        'INVALID_ARGUMENT',
        `op: found ${describe(asked.op)}, expected "put" or "delete": only they have a condition`,
      )
    }
    const name = asked.op === 'put' ? 'putIf' : 'deleteIf'
    return { name, call: { ...call, fingerprint: fingerprintOf(call, [name, asked, 'condition']) } }
  }

  /** The result recorded under the call's request id, if it took effect before. */
  async #recorded(call: Call): Promise<TxnDone | undefined> {
    const { requestId, fingerprint = '' } = call
    if (requestId === undefined) return undefined
    const admitted = await this.#door.enter(this.#log, 'recall', [], call)
    await this.#log.readPoint('leader', 0, call)
    const { actor } = this.#door.still(admitted).request
    const known = lookUp(this.#log.machine, { space: USERS, actor, requestId, call: fingerprint })
    if (known === undefined) return undefined
    if (known.call !== fingerprint) throw refusedAs('REQUEST_ID_REUSED', { requestId })
    return known.result as TxnDone
  }
}

/** A function cannot be told from another: a condition is the same call if all else is. */
const markOf = (condition: Judged): unknown =>
  condition.kind === 'expected' ? ['expected', condition.value] : 'condition'

/** A put or delete as the public surface says it, with a value of its own. */
function operationOf(write: Write): TxnOperation {
  if (write.op !== 'put') return { op: 'delete', key: write.key }
  const { key, value, ttlMs } = write
  return {
    op: 'put',
    key,
    value: copyOf(value) as Value,
    ttl: ttlMs === undefined ? undefined : ttlMs / 1000,
  }
}
