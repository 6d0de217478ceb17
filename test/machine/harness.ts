// What the machine's tests share: a log that applies as it grows, commands in short, and the whole state as
// plain data. No test here waits for anything: the machine is a value.

import { Writer } from '../../core/bytes.ts'
import { Packed, openStored } from '../../core/codec.ts'
import * as machineApi from '../../core/machine/index.ts'
import type { Applied, CommandResult, Header, Machine, Op, Slice } from '../../core/machine/index.ts'
import type { Entry } from '../../core/raft/types.ts'

export const VALUE_BYTES = 1024 * 1024

export type Encode = (writer: Writer) => void

type Options = Partial<Header> & { readonly ttlMs?: number | undefined }

function head(options: Options = {}): Header {
  const { space = 0, actor, requestId, trace, fingerprint } = options
  return { space, actor, requestId, trace, fingerprint }
}

/** Commands, as functions that write themselves. */
export const c = {
  put: (key: string, value: unknown, options?: Options): Encode => {
    return (w) => machineApi.encodePut(w, head(options), key, value, options?.ttlMs, VALUE_BYTES * 16)
  },
  delete: (key: string, options?: Options): Encode => {
    return (w) => machineApi.encodeDelete(w, head(options), key)
  },
  touch: (key: string, ttlMs: number, options?: Options): Encode => {
    return (w) => machineApi.encodeTouch(w, head(options), key, ttlMs)
  },
  increment: (key: string, by: number | bigint = 1, options?: Options): Encode => {
    return (w) => machineApi.encodeIncrement(w, head(options), key, by, options?.ttlMs)
  },
  batch: (ops: readonly Op<unknown>[], options?: Options): Encode => {
    return (w) => machineApi.encodeBatch(w, head(options), ops, VALUE_BYTES * 16)
  },
  txn: (
    compares: readonly machineApi.Compare[],
    success: readonly Op<unknown>[],
    failure: readonly Op<unknown>[] = [],
    options?: Options,
  ): Encode => {
    return (w) => machineApi.encodeTxn(w, head(options), { compares, success, failure }, VALUE_BYTES * 16)
  },
  expire: (term: number, keys: readonly { space: number; key: string }[]): Encode => {
    return (w) => machineApi.encodeExpire(w, term, keys)
  },
  settings: (values: Record<string, number>, options?: Options): Encode => {
    return (w) => machineApi.encodeSettings(w, head(options), values)
  },
  space: (name: string, options?: Options): Encode => {
    return (w) => machineApi.encodeSpace(w, head(options), name)
  },
  sliceRegister: (name: string, version: number): Encode => {
    return (w) => machineApi.encodeSliceRegister(w, head(), name, version)
  },
  sliceRetire:
    (name: string): Encode =>
    (w) =>
      machineApi.encodeSliceRetire(w, head(), name),
  slice: (space: number, version: number, body: unknown, options?: Options): Encode => {
    return (w) => machineApi.encodeSlice(w, head({ ...options, space }), version, body, VALUE_BYTES)
  },
  hashes: (table: machineApi.HashTable): Encode => {
    return (w) => machineApi.encodeHashes(w, table)
  },
}

export function encode(command: Encode): Uint8Array {
  const writer = new Writer(256)
  command(writer)
  return writer.take()
}

export function entryData(commands: readonly Encode[]): Uint8Array {
  const data = new Writer(256)
  for (const command of commands) machineApi.appendCommand(data, encode(command))
  return data.take()
}

/** A log, and a machine that has applied all of it. */
export class Log {
  readonly entries: Entry[] = []
  machine: Machine
  term = 1
  /** Stamped into the next entry. */
  clusterTime = 1000

  constructor(slices: readonly Slice[] = []) {
    this.machine = machineApi.createMachine(slices)
  }

  /** Appends one entry with these commands, and applies it. */
  commit(...commands: readonly Encode[]): Applied {
    return this.commitData(entryData(commands))
  }

  commitData(data: Uint8Array, kind: Entry['kind'] = 'commands'): Applied {
    const entry: Entry = {
      index: this.machine.appliedIndex + 1,
      term: this.term,
      kind,
      clusterTime: this.clusterTime,
      wallTime: 1_700_000_000_000 + this.clusterTime,
      data,
    }
    this.entries.push(entry)
    return machineApi.apply(this.machine, entry, true)
  }

  /** The result of one command in an entry of its own, with its values opened. */
  one(command: Encode): unknown {
    return plain(this.commit(command).results[0]!)
  }
}

/** Applies entries to another machine. */
export function replay(machine: Machine, entries: readonly Entry[], wantChanges = false): CommandResult[] {
  const results: CommandResult[] = []
  for (const entry of entries) {
    if (entry.index <= machine.appliedIndex) continue
    results.push(...machineApi.apply(machine, entry, wantChanges).results)
  }
  return results
}

/** A copy in which stored values are opened and what is absent is left out. */
export function plain(value: unknown): unknown {
  if (value instanceof Packed) return openStored(value)
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) {
    return value
  }
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .map(([name, member]) => [name, plain(member)]),
  )
}

/** Everything that is replicated, as plain data; `machine.active` and the like too, which repeat it. */
export function dump(machine: Machine): unknown {
  const { revision, clusterTime, wallTime, appliedIndex, appliedTerm, settings } = machine
  return {
    ...{ revision, clusterTime, wallTime, appliedIndex, appliedTerm, settings },
    spaceIds: Object.fromEntries(machine.spaceIds),
    active: Object.fromEntries(machine.active),
    counts: [...machine.spaces.values()].map(({ id, count }) => [id, count]),
    spaces: [...machine.spaces.values()].map((space) => [
      space.id,
      [...machineApi.scan(space)].map((record) => plain(record)),
    ]),
    hash: machineApi.stateHash(machine),
    nextDue: machineApi.nextDue(machine),
  }
}

/** All users' keys with their values. */
export function contents(machine: Machine): Record<string, unknown> {
  return Object.fromEntries(
    [...machineApi.scan(machine.users)].map(({ key, value }) => [key, openStored(value)]),
  )
}

export function snapshotBytes(machine: Machine, maxBytes = 64 * 1024): Buffer {
  const source = machineApi.snapshotSource(machine)
  const chunks: Uint8Array[] = []
  for (let chunk = source.next(maxBytes); chunk !== undefined; chunk = source.next(maxBytes)) {
    chunks.push(Buffer.from(chunk))
  }
  return Buffer.concat(chunks)
}

/** Pushes a snapshot in pieces of `pieceBytes`. */
export function load(bytes: Uint8Array, slices: readonly Slice[] = [], pieceBytes = 1000): Machine {
  const loader = machineApi.snapshotLoader(slices)
  for (let at = 0; at < bytes.length; at += pieceBytes) loader.push(bytes.subarray(at, at + pieceBytes))
  return loader.finish()
}

export type Random = (below: number) => number

/** Whole numbers from 0 up to, but not including, `below` (mulberry32). */
export function random(seed: number): Random {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

export const pick = <T>(chance: Random, from: readonly T[]): T => from[chance(from.length)]!
