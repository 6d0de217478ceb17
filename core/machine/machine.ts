/**
 * The machine: the whole replicated state as one record. `apply` is the only function that changes it; this
 * file makes it and reads it. Same log, same bytes, on every node.
 *
 * Everything that must survive lives in a keyspace: users' keys, plugins' keys, and in spaces of their own
 * core's facts and the request table. So views, the hash and the snapshot know one kind of state. `settings`,
 * `spaceIds` and `active` repeat the facts in a form that is quick to ask; `facts.ts` keeps them.
 */
import { foldFloat, hashText } from './hash.ts'
import type { Keyspace } from './keyspace.ts'
import { createKeyspace, dueSlots, nextDueIn, recordAt } from './keyspace.ts'
import type { Settings } from './settings.ts'
import { DEFAULT_SETTINGS } from './settings.ts'
import type { Slice } from './slice.ts'

/** The users' keys. */
export const USERS = 0
/** Core's own facts: settings, which spaces there are, which slices at which version. */
export const FACTS = 1
/** Request ids and the results they had. */
export const REQUESTS = 2
/** Plugins' spaces count from here. */
export const FIRST_PLUGIN_SPACE = 16

export interface ActiveSlice {
  readonly name: string
  readonly version: number
}

export interface Machine {
  /** Of the last change of the store. */
  revision: number
  /** Of the last entry, in ms; never falls. */
  clusterTime: number
  wallTime: number
  appliedIndex: number
  appliedTerm: number
  /** All spaces by id, in the order they were made; the three below among them. */
  readonly spaces: Map<number, Keyspace>
  readonly users: Keyspace
  readonly facts: Keyspace
  readonly requests: Keyspace
  settings: Settings
  /** A plugin's space by the plugin's name. */
  readonly spaceIds: Map<string, number>
  /** Slices that are part of the state, by the id of their space. */
  readonly active: Map<number, ActiveSlice>
  /** The code of slices that this node has, by name. Not replicated. */
  readonly slices: ReadonlyMap<string, Slice>
}

/** An empty machine at index 0. `slices` is all the code of slices that this node has. */
export function createMachine(slices: readonly Slice[] = []): Machine {
  const users = createKeyspace(USERS, true)
  const facts = createKeyspace(FACTS)
  const requests = createKeyspace(REQUESTS)
  return {
    revision: 0,
    clusterTime: 0,
    wallTime: 0,
    appliedIndex: 0,
    appliedTerm: 0,
    spaces: new Map([users, facts, requests].map((space) => [space.id, space])),
    users,
    facts,
    requests,
    settings: DEFAULT_SETTINGS,
    spaceIds: new Map(),
    active: new Map(),
    slices: new Map(slices.map((slice) => [slice.name, slice])),
  }
}

/** The users' space or a plugin's; undefined when no such space has been given out. */
export function spaceOf(machine: Machine, id: number): Keyspace | undefined {
  if (id === USERS) return machine.users
  return id < FIRST_PLUGIN_SPACE ? undefined : machine.spaces.get(id)
}

/** The most that an envelope adds to a value: its first byte, and a length. The limit is of what is inside. */
const ENVELOPE_BYTES = 5

/** Whether a value of so many bytes, as written, is over the limit. */
export const isTooLarge = (machine: Machine, bytes: number): boolean =>
  bytes - ENVELOPE_BYTES > machine.settings.valueBytes

/** The space of a plugin's keys; undefined until its `space` or `sliceRegister` command has been applied. */
export function pluginSpace(machine: Machine, name: string): Keyspace | undefined {
  const id = machine.spaceIds.get(name)
  return id === undefined ? undefined : machine.spaces.get(id)
}

/** The clusterTime at which the next key is due; Infinity when none expires. */
export function nextDue(machine: Machine): number {
  let next = Infinity
  for (const space of machine.spaces.values()) {
    if (space !== machine.requests) next = Math.min(next, nextDueIn(space))
  }
  return next
}

/** Up to `limit` keys due at `clusterTime`, for an `expire` command. Costs as much as it finds. */
export function collectDue(
  machine: Machine,
  clusterTime: number,
  limit: number,
): { space: number; key: string }[] {
  const due: { space: number; key: string }[] = []
  for (const space of machine.spaces.values()) {
    if (space === machine.requests) continue
    for (const slot of dueSlots(space, clusterTime, limit - due.length)) {
      due.push({ space: space.id, key: recordAt(space, slot).key })
    }
    if (due.length >= limit) break
  }
  return due
}

/** 16 hex digits over the whole state: equal on every node at the same index. */
export function stateHash(machine: Machine): string {
  let a = 0
  let b = 0
  for (const space of machine.spaces.values()) {
    a = (a + space.hashA) | 0
    b = (b + space.hashB) | 0
  }
  const { revision, clusterTime, wallTime, appliedIndex, appliedTerm } = machine
  for (const number of [revision, clusterTime, wallTime, appliedIndex, appliedTerm]) {
    a = foldFloat(a, number)
    b = foldFloat(b, -1 - number)
  }
  return hashText(a, b)
}
