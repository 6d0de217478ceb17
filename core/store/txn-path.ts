/**
 * The way of a transaction: one command that compares revisions and writes, or, when there is nothing to
 * write, one linearizable moment and no entry in the log. Transaction functions commit through here too.
 */
import { toTxn } from './answers.ts'
import type { Call } from './calls.ts'
import { type CheckedTxn, checkTxn, isReadOnly } from './conditions.ts'
import type { DoorRequest, Write } from '../hook-events.ts'
import type { CommandResult, TxnDone } from '../machine/index.ts'
import type { ReplicatedLog } from '../node/replicated-log.ts'
import { type Optimist, runTransaction } from './optimistic.ts'
import { withGrace } from './promised.ts'
import { type ReadPath, readAccess } from './read-path.ts'
import type { Transaction, TxnRequest, TxnResult } from '../types.ts'
import { type WritePath, encodeRewritten } from './write-path.ts'

export class TxnPath {
  readonly #log: ReplicatedLog
  readonly #reads: ReadPath
  readonly #writes: WritePath

  constructor(log: ReplicatedLog, reads: ReadPath, writes: WritePath) {
    this.#log = log
    this.#reads = reads
    this.#writes = writes
  }

  commit(operation: string, request: TxnRequest, call: Call): Promise<TxnResult> {
    const txn = checkTxn(request, this.#log.machine.settings.batch)
    return isReadOnly(txn)
      ? this.#read(operation, txn, linearizable(call))
      : this.#write(operation, txn, call)
  }

  /** A transaction function, until what it read is what it commits on. */
  run<R>(what: (tx: Transaction) => R | Promise<R>, call: Call): Promise<R> {
    return runTransaction(this.optimist('txn', call), what)
  }

  /** Reads and commits on behalf of one call: its deadline, its signal, its request id. */
  optimist(operation: string, call: Call): Optimist {
    const fresh = linearizable(call)
    return {
      read: (keys) =>
        this.#reads.many(operation, keys, fresh, (record, now, request) =>
          this.#reads.entry(record, now, request),
        ),
      commit: (request) => this.commit(operation, request, call),
      within: (work) => this.#log.within(work, withGrace(call)),
    }
  }

  #write(operation: string, txn: CheckedTxn, call: Call): Promise<TxnResult> {
    const all = [...txn.success, ...txn.failure]
    const writes = all.filter((op): op is Write => op.op !== 'get')
    const reads = [...txn.compares, ...all.filter(({ op }) => op === 'get')]
    const map = (done: CommandResult, request: DoorRequest): TxnResult =>
      toTxn(done as TxnDone, (record) => this.#reads.entryNow(record, request))
    const access = reads.map(({ key }) => readAccess(key))
    return this.#writes.write(operation, writes, call, encodeRewritten(txn), map, access)
  }

  async #read(operation: string, txn: CheckedTxn, call: Call): Promise<TxnResult> {
    const keys = [...txn.compares, ...txn.success, ...txn.failure].map(({ key }) => key)
    const records = await this.#reads.many(operation, keys, call, (record, now, request) =>
      this.#reads.entry(record, now, request),
    )
    const { revision } = this.#log.machine
    const succeeded = txn.compares.every((compare, at) => (records[at]?.revision ?? 0) === compare.revision)
    const from = txn.compares.length + (succeeded ? 0 : txn.success.length)
    const branch = succeeded ? txn.success : txn.failure
    return { succeeded, revision, results: branch.map((_, at) => ({ entry: records[from + at] })) }
  }
}

/** What is judged and then committed is never read from a node's own state alone. */
const linearizable = (call: Call): Call =>
  call.consistency === 'eventual' ? { ...call, consistency: 'leader' } : call
