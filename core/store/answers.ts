/**
 * From the machine's answers to the caller's: records become entries, stored values are opened, and the
 * outcome of a transaction becomes that of the call which was made of it.
 */
import { openStored } from '../codec.ts'
import { ConcordError } from '../errors.ts'
import type {
  BatchDone,
  CommandResult,
  IncrementDone,
  OpResult,
  RecordView,
  TxnDone,
} from '../machine/index.ts'
import type { ConditionalResult, Entry, IncrementResult, TxnOperationResult, TxnResult } from '../types.ts'

/** Opens a record's value for the caller: past the door, when a plugin stands there. */
export type OpenValue = (record: RecordView) => unknown

/** Seconds left at a cluster time: more than 0 for whoever still sees the key, null for ever. */
export function secondsLeft(expiresAt: number, clusterTime: number): number | null {
  return expiresAt === 0 ? null : Math.max(1, Math.ceil(expiresAt - clusterTime)) / 1000
}

export function toEntry(record: RecordView, clusterTime: number, open: OpenValue): Entry {
  return {
    key: record.key,
    value: open(record),
    revision: record.revision,
    createRevision: record.createRevision,
    version: record.version,
    ttl: secondsLeft(record.expiresAt, clusterTime),
  }
}

export function toIncrement(result: CommandResult | OpResult): IncrementResult {
  const done = result as IncrementDone
  return done.ok ? done : { ok: false, reason: done.reason, current: openStored(done.current) }
}

/** Of a put or delete with one compare; `absentWanted`: the compare asked for an absent key. */
export function toConditional(
  done: TxnDone,
  absentWanted: boolean,
  entry: (record: RecordView) => Entry,
): ConditionalResult {
  if (done.succeeded) return { ok: true, revision: done.revision }
  const current = done.conflict?.current
  if (current === undefined) return { ok: false, reason: 'absent' }
  return { ok: false, reason: absentWanted ? 'present' : 'changed', current: entry(current) }
}

export function toTxn(done: TxnDone, entry: (record: RecordView) => Entry): TxnResult {
  refuseFailed(done)
  const results = done.results.map((result): TxnOperationResult => {
    if ('entry' in result) return { entry: result.entry === undefined ? undefined : entry(result.entry) }
    return 'ok' in result ? toIncrement(result) : result
  })
  return { succeeded: done.succeeded, revision: done.revision, results }
}

/** The results of a batch, one per item. */
export function toMany<R extends OpResult>(result: CommandResult): R[] {
  const done = result as BatchDone
  refuseFailed(done)
  return done.results as R[]
}

function refuseFailed({ failed }: BatchDone | TxnDone): void {
  if (failed === undefined) return
  const { index, reason } = failed
  throw new ConcordError(
    'INVALID_VALUE',
    reason === 'overflow'
      ? `operation ${index}: the sum leaves the safe integers; nothing was written`
      : `operation ${index}: the key does not hold a number of the type of \`by\`; nothing was written`,
    { details: { index, reason } },
  )
}
