/**
 * The one clock and the one record of all clients: operations with their beginnings and ends, and what is counted of
 * them. An operation whose end nobody knows never ends.
 */
import { ConcordError } from '../../core/errors.ts'
import type { Answer, Call, Operation, Outcome, Problem } from './history.ts'

/** Ways in which a call may fail while there are faults; any other is a finding. */
const EXPECTED: ReadonlySet<string> = new Set([
  'NO_LEADER',
  'NOT_LEADER',
  'NOT_READY',
  'OVERLOADED',
  'STORAGE_FULL',
  'STORAGE_FAILED',
  'STOPPED',
  'TIMEOUT',
  'LEADERSHIP_LOST',
  'CONNECTION_LOST',
  'CANNOT_CONNECT',
])

export class Recorder {
  readonly operations: Operation[] = []
  readonly problems: Problem[] = []
  /** By code: how often a call has failed so. */
  readonly codes = new Map<string, number>()
  #nextId = 1

  nowMs(): number {
    return performance.now()
  }

  /** Runs one call and records it. Resolves with the record. */
  async record(
    client: string,
    node: string,
    call: Call,
    run: () => Promise<Answer>,
    startMs = this.nowMs(),
  ): Promise<Operation> {
    const id = this.#nextId++
    const base = { id, client, node, call, startMs }
    try {
      const answer = await run()
      return this.#keep({ ...base, endMs: this.nowMs(), outcome: 'ok', answer })
    } catch (error) {
      const code = ConcordError.is(error) ? error.code : (error as Error).name
      this.codes.set(code, (this.codes.get(code) ?? 0) + 1)
      const outcome: Outcome =
        ConcordError.is(error) && error.outcome === 'not-applied' ? 'refused' : 'unknown'
      const endMs = outcome === 'refused' ? this.nowMs() : Infinity
      const operation = this.#keep({ ...base, endMs, outcome, code })
      if (!EXPECTED.has(code)) {
        const message = `a call failed with ${code}: ${(error as Error).message}`
        this.problems.push({ rule: 'calls fail as documented', message, evidence: [operation] })
      }
      return operation
    }
  }

  #keep(operation: Operation): Operation {
    this.operations.push(operation)
    return operation
  }
}
