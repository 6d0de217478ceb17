/**
 * The request table: which request ids have taken effect, and with what result, so that a retried command
 * applies once (section 6.3 of the Raft thesis, by id instead of by session). A space like any other: the
 * key is actor and id, the value the call's fingerprint and the result, the deadline when it is forgotten.
 *
 * It is bounded by refusing new ids, never by forgetting early: an id that was remembered stays so for as
 * long as was promised.
 */
import { MalformedError, Reader, Writer } from '../bytes.ts'
import { encodedOf } from '../codec.ts'
import type { CommandHeader } from './command.ts'
import { dueAt, find, firstDue, insert, remove, valueAt } from './keyspace.ts'
import type { Machine } from './machine.ts'
import { readResult, writeResult } from './result-bytes.ts'
import type { CommandResult } from './result.ts'

/** How many ids go at an entry, and at each new id, once they may: twice as many as can come. */
const PER_ENTRY = 16
const PER_REQUEST = 2

export interface Known {
  /** The fingerprint of the call that took effect. */
  readonly call: string
  readonly result: CommandResult
}

/** What is remembered of a request; undefined when it has not taken effect, or long ago. */
export function lookUp(machine: Machine, header: CommandHeader): Known | undefined {
  const { requests } = machine
  const slot = find(requests, keyOf(header))
  if (slot < 0 || dueAt(requests, slot, machine.clusterTime)) return undefined
  return open(valueAt(requests, slot))
}

export function isFull(machine: Machine): boolean {
  forgetDue(machine, PER_REQUEST)
  return machine.requests.count >= machine.settings['requests.max']
}

export function remember(machine: Machine, header: CommandHeader, result: CommandResult): void {
  const { requests, clusterTime, settings, revision } = machine
  const key = keyOf(header)
  const old = find(requests, key)
  if (old >= 0) remove(requests, old)
  const value = encodedOf(seal(header.call, result))
  insert(requests, key, value, revision, clusterTime + settings['requests.keepMs'])
}

/** Called at every entry, so that the table empties when no new ids come. */
export function forgetSome(machine: Machine): void {
  forgetDue(machine, PER_ENTRY)
}

function forgetDue(machine: Machine, limit: number): void {
  const { requests, clusterTime } = machine
  for (let left = limit; left > 0; left--) {
    const slot = firstDue(requests, clusterTime)
    if (slot < 0) return
    remove(requests, slot)
  }
}

/** The length in front keeps two pairs of actor and id from having the same key. */
const keyOf = ({ actor = '', requestId }: CommandHeader): string => `${actor.length}:${actor}${requestId}`

/** Bytes, a unit of a string each: as a value they take three bytes more. */
function seal(call: string, result: CommandResult): string {
  const writer = new Writer(256)
  writer.utf8(call)
  writeResult(writer, result)
  return Buffer.from(writer.take()).toString('latin1')
}

function open(sealed: unknown): Known {
  if (typeof sealed !== 'string') throw new MalformedError('a remembered request expected', 0)
  const reader = new Reader(Buffer.from(sealed, 'latin1'))
  const call = reader.utf8()
  const result = readResult(reader)
  reader.finish()
  return { call, result }
}
