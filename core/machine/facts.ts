/**
 * Core's own facts, kept as keys of a space of their own: `setting/NAME`, `space/NAME` (the id of a plugin's
 * space) and `slice/NAME` (the version in force). The machine repeats them in a form that is quick to ask;
 * this file keeps the two the same, and builds the second from the first after a load.
 */
import type { Stored } from '../codec.ts'
import { encodedOf } from '../codec.ts'
import { MalformedError } from '../bytes.ts'
import type { Keyspace } from './keyspace.ts'
import { createKeyspace, find, insert, remove, replace, scan } from './keyspace.ts'
import type { Machine } from './machine.ts'
import { FIRST_PLUGIN_SPACE } from './machine.ts'
import { DEFAULT_SETTINGS, changeSettings } from './settings.ts'
import { requireSlice } from './slice.ts'

const SETTING = 'setting/'
const SPACE = 'space/'
const SLICE = 'slice/'

/** Throws `UnsupportedByThisNode` when this node cannot honour one of them; then nothing has changed. */
export function setSettings(
  machine: Machine,
  values: Readonly<Record<string, Stored>>,
  revision: number,
): void {
  machine.settings = changeSettings(machine.settings, values)
  for (const [name, value] of Object.entries(values)) setFact(machine, SETTING + name, value, revision)
}

/** The plugin's space, made at `revision` when it is new. */
export function makeSpace(machine: Machine, name: string, revision: number): Keyspace {
  const id = FIRST_PLUGIN_SPACE + machine.spaceIds.size
  setFact(machine, SPACE + name, id, revision)
  return addSpace(machine, name, id)
}

/** Throws `UnsupportedByThisNode` when this node lacks the slice; then nothing has changed. */
export function activateSlice(
  machine: Machine,
  space: number,
  name: string,
  version: number,
  revision: number,
): void {
  requireSlice(machine, name, version)
  machine.active.set(space, { name, version })
  setFact(machine, SLICE + name, version, revision)
}

/** Its space and keys stay. */
export function retireSlice(machine: Machine, name: string): void {
  machine.active.delete(machine.spaceIds.get(name)!)
  remove(machine.facts, find(machine.facts, SLICE + name))
}

/**
 * The spaces that facts name, for loading their keys into. Throws `MalformedError` when the facts are not
 * ones that this file writes.
 */
export function restoreSpaces(machine: Machine): void {
  const named: [name: string, id: number][] = []
  for (const { key, value } of scan(machine.facts, { prefix: SPACE })) {
    if (typeof value !== 'number') throw malformed(key)
    named.push([key.slice(SPACE.length), value])
  }
  named.sort(([, a], [, b]) => a - b)
  for (const [at, [name, id]] of named.entries()) {
    if (id !== FIRST_PLUGIN_SPACE + at) throw malformed(SPACE + name)
    addSpace(machine, name, id)
  }
}

/** Settings and slices. Throws `UnsupportedByThisNode` for what this node cannot honour, or lacks. */
export function restoreFacts(machine: Machine): void {
  const values: [name: string, value: Stored][] = []
  for (const { key, value } of scan(machine.facts)) {
    if (key.startsWith(SETTING)) values.push([key.slice(SETTING.length), value])
    else if (key.startsWith(SLICE)) restoreSlice(machine, key, value)
    else if (!key.startsWith(SPACE)) throw malformed(key)
  }
  machine.settings = changeSettings(DEFAULT_SETTINGS, Object.fromEntries(values))
}

function restoreSlice(machine: Machine, key: string, version: Stored): void {
  const name = key.slice(SLICE.length)
  const space = machine.spaceIds.get(name)
  if (typeof version !== 'number' || space === undefined) throw malformed(key)
  requireSlice(machine, name, version)
  machine.active.set(space, { name, version })
}

function addSpace(machine: Machine, name: string, id: number): Keyspace {
  const space = createKeyspace(id)
  machine.spaceIds.set(name, id)
  machine.spaces.set(id, space)
  return space
}

function setFact(machine: Machine, key: string, value: Stored, revision: number): void {
  const slot = find(machine.facts, key)
  if (slot < 0) insert(machine.facts, key, encodedOf(value), revision, 0)
  else replace(machine.facts, slot, encodedOf(value), revision, 0)
}

const malformed = (fact: string) => new MalformedError(`a fact that this format does not have: ${fact}`, 0)
