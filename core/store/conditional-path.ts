/**
 * The way of a conditional write. By revision or absence it is one command, judged in the machine; by the
 * caller's own eyes (`expected`, `condition`) it is judged here first: see judged-path.ts.
 */
import { toConditional } from './answers.ts'
import type { Call } from './calls.ts'
import type { CheckedCondition } from './conditions.ts'
import type { DoorRequest, Write } from '../hook-events.ts'
import type { JudgedPath } from './judged-path.ts'
import type { CommandResult, TxnDone } from '../machine/index.ts'
import { type ReadPath, readAccess } from './read-path.ts'
import type { ConditionalResult } from '../types.ts'
import { type WritePath, encodeCompared } from './write-path.ts'

export class ConditionalPath {
  readonly #reads: ReadPath
  readonly #writes: WritePath
  readonly #judged: JudgedPath

  constructor(reads: ReadPath, writes: WritePath, judged: JudgedPath) {
    this.#reads = reads
    this.#writes = writes
    this.#judged = judged
  }

  write(
    operation: 'putIf' | 'deleteIf',
    write: Write,
    condition: CheckedCondition,
    call: Call,
  ): Promise<ConditionalResult> {
    if (condition.kind !== 'revision') return this.#judged.write(operation, write, condition, call)
    const compares = [{ key: write.key, revision: condition.revision }]
    const map = (done: CommandResult, request: DoorRequest): ConditionalResult =>
      toConditional(done as TxnDone, condition.absent, (record) => this.#reads.entryNow(record, request))
    // Whether the condition holds, and what is there instead, is something to read.
    return this.#writes.write(operation, [write], call, encodeCompared(compares), map, [
      readAccess(write.key),
    ])
  }
}
