/**
 * apply(machine, entry): what a committed entry does. The only way the replicated state ever changes.
 *
 * Total: whatever the commands say, each has a result, and what cannot be done is a result too (H66). What
 * throws is the end of this node: a command or setting or slice that it does not have, bytes that are no
 * commands, or a bug. `appliedIndex` moves last, so that an entry that was not applied is not skipped.
 * Nothing here reads a clock: time is the entry's clusterTime, the same on every node (H62).
 */
import { assert, assertNever } from '../assert.ts'
import type { ErrorCode } from '../errors.ts'
import type { Entry } from '../raft/types.ts'
import type { Command, Guard, HashTable } from './command.ts'
import { decodeCommands } from './decode.ts'
import { activateSlice, makeSpace, retireSlice, setSettings } from './facts.ts'
import type { Keyspace } from './keyspace.ts'
import { dueAt, find, revisionAt } from './keyspace.ts'
import type { Machine } from './machine.ts'
import { isTooLarge, spaceOf } from './machine.ts'
import { applyBatch, applyTxn, boundRemembered, increment } from './ops.ts'
import { forgetSome, isFull, lookUp, remember } from './requests.ts'
import type { Change, CommandResult, Refused } from './result.ts'
import { runSlice } from './slice.ts'
import type { Run } from './write.ts'
import { deleteKey, expireKey, meet, nextRevision, putKey, touchKey } from './write.ts'

export interface Applied {
  /** One per command of the entry, in order. */
  readonly results: readonly CommandResult[]
  /** One per key that changed, in order; empty unless they were wanted. */
  readonly changes: readonly Change[]
  /** The hashes that the entry says the voters had, for whoever compares. */
  readonly table: HashTable | undefined
}

/** Room for what one command can still do: no revision is ever inexact. */
const LAST_REVISION = Number.MAX_SAFE_INTEGER - 1024

/**
 * Applies the next entry of the log.
 *
 * Throws `UnsupportedByThisNode`, `MalformedError`, or whatever a bug throws. The machine is then not to be
 * used any more, and the node stops.
 */
export function apply(machine: Machine, entry: Entry, wantChanges: boolean): Applied {
  assert(
    entry.index === machine.appliedIndex + 1,
    `the entry after ${machine.appliedIndex} expected, found ${entry.index}`,
  )
  const commands = entry.kind === 'commands' ? decodeCommands(entry.data) : []
  // The leader's stamps never fall; a machine would be wrong for ever if one did.
  machine.clusterTime = Math.max(machine.clusterTime, entry.clusterTime)
  machine.wallTime = entry.wallTime
  forgetSome(machine)
  const changes: Change[] = []
  let table: HashTable | undefined
  const results: CommandResult[] = []
  if (commands.length > 0) {
    const header = commands[0]!.header
    const run: Run = { machine, entry, changes: wantChanges ? changes : undefined, header, effects: 0 }
    for (const command of commands) {
      results.push(applyCommand(run, command))
      if (command.kind === 'hashes') table = command.table
    }
  }
  machine.appliedTerm = entry.term
  machine.appliedIndex = entry.index
  return { results, changes, table }
}

function applyCommand(run: Run, command: Command): CommandResult {
  const { machine } = run
  run.header = command.header
  run.effects = 0
  if (machine.revision > LAST_REVISION) return refuse('REVISION_EXHAUSTED', { revision: machine.revision })
  const { guard, requestId } = command.header
  if (guard !== undefined && !guardHolds(machine, guard)) return refuse('RIGHTS_CHANGED', {})
  return requestId === undefined ? perform(run, command) : performOnce(run, command)
}

/** Whether what somebody was let in by is still as it was. */
export function guardHolds(machine: Machine, { space: id, key, revision }: Guard): boolean {
  const space = spaceOf(machine, id)
  const slot = space === undefined ? -1 : find(space, key)
  return revision === (space === undefined || slot < 0 ? 0 : revisionAt(space, slot))
}

/** Looks the request up before anything is evaluated; only an attempt that took effect is remembered. */
function performOnce(run: Run, command: Command): CommandResult {
  const { machine } = run
  const { header } = command
  const known = lookUp(machine, header)
  if (known !== undefined) {
    return known.call === header.call
      ? known.result
      : refuse('REQUEST_ID_REUSED', { requestId: header.requestId })
  }
  if (isFull(machine)) return refuse('REQUEST_TABLE_FULL', { max: machine.settings['requests.max'] })
  const unbounded = boundRemembered(machine, command)
  if (unbounded !== undefined) return unbounded
  const result = perform(run, command)
  if (run.effects > 0) remember(machine, header, result)
  return result
}

function perform(run: Run, command: Command): CommandResult {
  const { machine } = run
  switch (command.kind) {
    case 'put':
    case 'delete':
    case 'touch':
    case 'increment':
    case 'batch':
    case 'txn': {
      const space = spaceOf(machine, command.header.space)
      return space === undefined ? noSpace(command.header.space) : performOnKeys(run, space, command)
    }
    case 'hashes':
      return { revision: machine.revision }
    case 'expire':
      return expire(run, command)
    case 'settings':
      setSettings(machine, command.values, nextRevision(run))
      return changed(run)
    case 'space':
      return { space: spaceFor(run, command.name).id, revision: machine.revision }
    case 'sliceRegister':
      return registerSlice(run, command.name, command.version)
    case 'sliceRetire':
      return retire(run, command.name)
    case 'slice':
      return commandSlice(run, command)
    default:
      return assertNever(command)
  }
}

function performOnKeys(
  run: Run,
  space: Keyspace,
  command: Command & { readonly kind: 'put' | 'delete' | 'touch' | 'increment' | 'batch' | 'txn' },
): CommandResult {
  const { machine } = run
  switch (command.kind) {
    case 'put': {
      const { bytes } = command.value
      if (isTooLarge(machine, bytes)) return tooLarge(machine, command.key, bytes)
      const slot = meet(run, space, command.key)
      const revision = ++machine.revision
      putKey(run, space, slot, command.key, command.value, command.ttlMs, revision)
      return { revision }
    }
    case 'delete': {
      const slot = meet(run, space, command.key)
      if (slot < 0) return { deleted: false, revision: machine.revision }
      const revision = ++machine.revision
      deleteKey(run, space, slot, revision)
      return { deleted: true, revision }
    }
    case 'touch': {
      const slot = meet(run, space, command.key)
      if (slot < 0) return { touched: false, revision: machine.revision }
      const revision = ++machine.revision
      touchKey(run, space, slot, command.ttlMs, revision)
      return { touched: true, revision }
    }
    case 'increment': {
      const slot = meet(run, space, command.key)
      const revision = nextRevision(run)
      const result = increment(run, space, slot, command, revision)
      if (result.ok) machine.revision = revision
      return result
    }
    case 'batch':
      return applyBatch(run, space, command.ops)
    case 'txn':
      return applyTxn(run, space, command)
    default:
      return assertNever(command)
  }
}

/** Keys whose time has come, as one change. Decided in another term, it is not for this log (H23). */
function expire(run: Run, command: Command & { readonly kind: 'expire' }): CommandResult {
  const { machine, entry } = run
  const { keys } = command
  if (keys.length > machine.settings.batch) return tooMany(machine, keys.length)
  let expired = 0
  if (entry.term === command.term) {
    const revision = nextRevision(run)
    for (const { space: id, key } of keys) {
      const space = spaceOf(machine, id)
      const slot = space === undefined ? -1 : find(space, key)
      if (space === undefined || slot < 0 || !dueAt(space, slot, machine.clusterTime)) continue
      expireKey(run, space, slot, revision)
      expired++
    }
    if (expired > 0) machine.revision = revision
  }
  return { expired, revision: machine.revision }
}

function spaceFor(run: Run, name: string): Keyspace {
  const { machine } = run
  const id = machine.spaceIds.get(name)
  if (id !== undefined) return machine.spaces.get(id)!
  const space = makeSpace(machine, name, nextRevision(run))
  changed(run)
  return space
}

function registerSlice(run: Run, name: string, version: number): CommandResult {
  const { machine } = run
  const { id } = spaceFor(run, name)
  const active = machine.active.get(id)
  if (active === undefined || active.version < version) {
    activateSlice(machine, id, name, version, nextRevision(run))
    changed(run)
  }
  return { space: id, revision: machine.revision }
}

function retire(run: Run, name: string): CommandResult {
  const { machine } = run
  const id = machine.spaceIds.get(name)
  if (id === undefined || !machine.active.has(id)) return { retired: false, revision: machine.revision }
  retireSlice(machine, name)
  return { retired: true, ...changed(run) }
}

function commandSlice(run: Run, command: Command & { readonly kind: 'slice' }): CommandResult {
  const { machine } = run
  const id = command.header.space
  const active = machine.active.get(id)
  if (active === undefined) return refuse('SLICE_MISSING', { space: id })
  if (isTooLarge(machine, command.bytes)) return tooLarge(machine, active.name, command.bytes)
  const answer = runSlice(run, machine.spaces.get(id)!, active, command)
  return { answer, revision: machine.revision }
}

/** One more change of the store, and an effect of the command at hand. */
function changed(run: Run): { revision: number } {
  run.effects++
  return { revision: ++run.machine.revision }
}

function refuse(code: ErrorCode, details: Refused['details']): Refused {
  return { refused: code, details }
}

const noSpace = (space: number): Refused =>
  refuse('INVALID_ARGUMENT', { field: 'space', found: space, expected: 'a space that has been given out' })

const tooLarge = ({ settings }: Machine, key: string, bytes: number): Refused =>
  refuse('VALUE_TOO_LARGE', { key, bytes, maxBytes: settings.valueBytes })

const tooMany = ({ settings }: Machine, count: number): Refused =>
  refuse('BATCH_TOO_LARGE', { count, max: settings.batch })
