/**
 * Increments, and operations that happen together: batches and transactions. One command, one revision, all
 * or nothing (H73).
 *
 * What could stop one in the middle is looked for before the first change: sizes, counts, and increments of
 * what is no number. Keys that are due go first, together and at a revision of their own, so that no
 * operation meets one.
 */
import { assertNever } from '../assert.ts'
import type { Stored } from '../codec.ts'
import { encodedOf, storedBytes, storedOf } from '../codec.ts'
import type { Command, Compare, DecodedOp } from './command.ts'
import type { Keyspace } from './keyspace.ts'
import { bytesAt, expiresAt, find, findRecord, valueAt } from './keyspace.ts'
import type { Machine } from './machine.ts'
import { isTooLarge, spaceOf } from './machine.ts'
import type {
  BatchDone,
  FailedOp,
  IncrementDone,
  IncrementFailure,
  OpResult,
  Refused,
  TxnDone,
} from './result.ts'
import type { Run } from './write.ts'
import {
  changeValue,
  conditionRevision,
  deleteKey,
  meetAll,
  nextRevision,
  putKey,
  touchKey,
} from './write.ts'

/** What `get` operations may leave in the request table. */
const REMEMBERED_BYTES = 64 * 1024

export function applyBatch(run: Run, space: Keyspace, ops: readonly DecodedOp[]): BatchDone | Refused {
  const { machine } = run
  const refused = refuseOps(machine, ops)
  if (refused !== undefined) return refused
  meetAll(run, space, ops)
  return runOps(run, space, ops)
}

export function applyTxn(
  run: Run,
  space: Keyspace,
  { compares, success, failure }: Command & { readonly kind: 'txn' },
): TxnDone | Refused {
  const { machine } = run
  const refused = refuseOps(machine, compares) ?? refuseOps(machine, success) ?? refuseOps(machine, failure)
  if (refused !== undefined) return refused
  meetAll(run, space, compares)
  const index = compares.findIndex((compare) => !holds(space, compare))
  const branch = index < 0 ? success : failure
  meetAll(run, space, branch)
  if (index < 0) return { succeeded: true, ...runOps(run, space, branch) }
  // Before the failure operations change what was compared.
  const conflict = { index, current: findRecord(space, compares[index]!.key) }
  return { succeeded: false, ...runOps(run, space, branch), conflict }
}

/**
 * Adds to a number; `slot` -1 counts as 0, of the type of `by`. A counter keeps its type: a whole number is
 * added to a bigint exactly, and a bigint to a number if the sum is a safe integer. Changes nothing when it
 * cannot be done.
 */
export function increment(
  run: Run,
  space: Keyspace,
  slot: number,
  op: { readonly key: string; readonly by: number | bigint; readonly ttlMs?: number | undefined },
  revision: number,
): IncrementDone {
  const { by, key, ttlMs = 0 } = op
  const current = slot < 0 ? zeroLike(by) : valueAt(space, slot)
  const value = add(current, by, run.machine.settings.valueBytes)
  if (typeof value === 'string') return { ok: false, reason: value, current }
  const encoded = encodedOf(value)
  if (slot < 0) putKey(run, space, slot, key, encoded, ttlMs, revision)
  else changeValue(run, space, slot, encoded, expiresAt(space, slot), revision)
  return { ok: true, value, revision }
}

/**
 * A refusal when the answer of a command could be more than the request table should remember: judged on
 * all values that its `get`s and its conflict could return, before anything is evaluated.
 */
export function boundRemembered(machine: Machine, command: Command): Refused | undefined {
  if (command.kind !== 'txn' && command.kind !== 'batch') return undefined
  const space = spaceOf(machine, command.header.space)
  if (space === undefined) return undefined
  const ops = command.kind === 'batch' ? command.ops : [...command.success, ...command.failure]
  let largestPut = 0
  for (const op of ops) if (op.op === 'put') largestPut = Math.max(largestPut, op.value.bytes)
  let bytes = 0
  for (const { op, key } of ops) if (op === 'get') bytes += Math.max(largestPut, sizeOf(space, key))
  if (command.kind === 'txn' && command.failure.length > 0) {
    let largest = 0
    for (const { key } of command.compares) largest = Math.max(largest, sizeOf(space, key))
    bytes += largest
  }
  if (bytes <= REMEMBERED_BYTES) return undefined
  return { refused: 'VALUE_TOO_LARGE', details: { field: 'results', bytes, maxBytes: REMEMBERED_BYTES } }
}

function sizeOf(space: Keyspace, key: string): number {
  const slot = find(space, key)
  return slot < 0 ? 0 : bytesAt(space, slot)
}

function refuseOps(machine: Machine, ops: readonly (DecodedOp | Compare)[]): Refused | undefined {
  const { settings } = machine
  if (ops.length > settings.batch) {
    return { refused: 'BATCH_TOO_LARGE', details: { count: ops.length, max: settings.batch } }
  }
  for (const [index, op] of ops.entries()) {
    if (!('value' in op) || !isTooLarge(machine, op.value.bytes)) continue
    const { bytes } = op.value
    const details = { index, key: op.key, bytes, maxBytes: settings.valueBytes }
    return { refused: 'VALUE_TOO_LARGE', details }
  }
  return undefined
}

function holds(space: Keyspace, compare: Compare): boolean {
  return conditionRevision(space, find(space, compare.key)) === compare.revision
}

/** Requires that none of the keys is due. */
function runOps(run: Run, space: Keyspace, ops: readonly DecodedOp[]): BatchDone {
  const { machine } = run
  const failed = impossible(space, ops, machine.settings.valueBytes)
  if (failed !== undefined) return { revision: machine.revision, results: [], failed }
  const revision = nextRevision(run)
  const before = run.effects
  const results: OpResult[] = []
  for (const op of ops) {
    const isChanged = run.effects > before
    results.push(runOp(run, space, op, revision, isChanged ? revision : machine.revision))
  }
  if (run.effects > before) machine.revision = revision
  return { revision: machine.revision, results }
}

/** `current` is the revision of the store for an operation that finds nothing to change. */
function runOp(run: Run, space: Keyspace, op: DecodedOp, revision: number, current: number): OpResult {
  const slot = find(space, op.key)
  switch (op.op) {
    case 'put':
      putKey(run, space, slot, op.key, op.value, op.ttlMs ?? 0, revision)
      return { revision }
    case 'delete':
      if (slot < 0) return { deleted: false, revision: current }
      deleteKey(run, space, slot, revision)
      return { deleted: true, revision }
    case 'touch':
      if (slot < 0) return { touched: false, revision: current }
      touchKey(run, space, slot, op.ttlMs, revision)
      return { touched: true, revision }
    case 'increment':
      return increment(run, space, slot, op, revision)
    case 'get':
      return { entry: findRecord(space, op.key) }
    default:
      return assertNever(op)
  }
}

/** The first increment that cannot be done, seen as the operations before it leave its key. */
function impossible(space: Keyspace, ops: readonly DecodedOp[], maxBytes: number): FailedOp | undefined {
  if (!ops.some((op) => op.op === 'increment')) return undefined
  const pending = new Map<string, Stored | undefined>()
  for (const [index, op] of ops.entries()) {
    if (op.op === 'put') pending.set(op.key, storedOf(op.value))
    else if (op.op === 'delete') pending.set(op.key, undefined)
    else if (op.op === 'increment') {
      const slot = find(space, op.key)
      const before = slot < 0 ? undefined : valueAt(space, slot)
      const found = pending.has(op.key) ? pending.get(op.key) : before
      const current = found === undefined ? zeroLike(op.by) : found
      const sum = add(current, op.by, maxBytes)
      if (typeof sum === 'string') return { index, reason: sum, current }
      pending.set(op.key, sum)
    }
  }
  return undefined
}

const zeroLike = (by: number | bigint): number | bigint => (typeof by === 'bigint' ? 0n : 0)

/** The sum, in the type of `current`, or why there is none. */
export function add(
  current: Stored,
  by: number | bigint,
  maxBytes: number,
): number | bigint | IncrementFailure {
  if (typeof current === 'bigint') {
    if (typeof by === 'number' && !Number.isSafeInteger(by)) return 'not-a-number'
    const sum = current + BigInt(by)
    return storedBytes(sum) > maxBytes ? 'overflow' : sum
  }
  if (typeof current !== 'number' || Number.isNaN(current) || Number.isNaN(by)) return 'not-a-number'
  if (typeof by === 'bigint') return addBigint(current, by)
  const sum = current + by
  if (Number.isInteger(current) && Number.isInteger(by)) return Number.isSafeInteger(sum) ? sum : 'overflow'
  return Number.isFinite(sum) ? sum : 'overflow'
}

function addBigint(current: number, by: bigint): number | IncrementFailure {
  if (!Number.isInteger(current)) return 'not-a-number'
  const sum = BigInt(current) + by
  return sum >= Number.MIN_SAFE_INTEGER && sum <= Number.MAX_SAFE_INTEGER ? Number(sum) : 'overflow'
}
