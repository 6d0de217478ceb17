/**
 * A slice on machines of its own, without a node: the same commands on two of them, on one that comes from a snapshot
 * halfway, and commands that nobody meant to send. The dates that `new Date()` gives are thirty years apart.
 */
import { inspect, isDeepStrictEqual } from 'node:util'
import { Writer } from '../../bytes.ts'
import { messageOf } from '../../errors.ts'
import type { AnyDefinition } from '../../host/definition.ts'
import { slicesOf } from '../../host/host.ts'
import {
  type Machine,
  type Slice,
  USERS,
  appendCommand,
  apply,
  createMachine,
  encodeSlice,
  encodeSliceRegister,
  pluginSpace,
  snapshotLoader,
  snapshotSource,
  stateHash,
} from '../../machine/index.ts'
import type { Entry } from '../../raft/types.ts'
import type { Findings } from './findings.ts'
import { atDate } from './other-date.ts'
import { odd } from './odd-commands.ts'

const HERE = Date.UTC(2001, 0, 1)
const THERE = Date.UTC(2031, 5, 15)
/** Of the stamps of entries. */
const STEP_MS = 1000
const SNAPSHOT_BYTES = 64 * 1024

export function judgeSlice(
  definition: AnyDefinition,
  commands: readonly unknown[],
  findings: Findings,
): void {
  const [slice] = slicesOf([definition])
  if (slice === undefined) return
  if (commands.length === 0) {
    const advice = 'give some as `commands`, or let `exercise` propose some'
    findings.add('slice-deterministic', `there is no command to judge the slice by: ${advice}`)
  }
  try {
    const half = Math.floor(commands.length / 2)
    const machine = begin(slice)
    const begun = run(machine, commands.slice(0, half), HERE)
    const snapshot = bytesOf(machine)
    const one = [...begun, ...run(machine, commands.slice(half), HERE)]
    compare(one, run(begin(slice), commands, THERE), 'slice-deterministic', commands, findings)
    // What the slice kept to itself is by now what it was at the end, not at the snapshot.
    const rest = run(load(slice, snapshot), commands.slice(half), HERE)
    const resumed = [...begun, ...rest]
    compare(one, resumed, 'slice-snapshot', commands, findings)
  } catch (error) {
    findings.add('slice-total', messageOf(error))
    return
  }
  judgeOdd(slice, commands, findings)
}

/** What one command made of a machine. */
interface Outcome {
  readonly answer: unknown
  readonly hash: string
}

function begin(slice: Slice): Machine {
  const machine = createMachine([slice])
  commit(machine, (writer) => encodeSliceRegister(writer, { space: USERS }, slice.name, slice.version))
  return machine
}

const run = (machine: Machine, commands: readonly unknown[], date: number): Outcome[] =>
  commands.map((command) => atDate(date, () => send(machine, command)))

function send(machine: Machine, command: unknown): Outcome {
  const [slice] = machine.slices.values()
  const { name, version } = slice!
  const { id } = pluginSpace(machine, name)!
  try {
    const [result] = commit(machine, (writer) =>
      encodeSlice(writer, { space: id }, version, command, machine.settings.valueBytes),
    )
    const { answer } = result as { readonly answer: unknown }
    return { answer, hash: stateHash(machine) }
  } catch (error) {
    const advice = 'every node would stop; what it does not want, it says in its answer'
    throw new Error(`apply throws for ${shown(command)}: ${messageOf(error)}: ${advice}`, { cause: error })
  }
}

function commit(machine: Machine, encode: (writer: Writer) => void) {
  const command = new Writer(256)
  encode(command)
  const data = new Writer(256)
  appendCommand(data, command.take())
  const index = machine.appliedIndex + 1
  const clusterTime = index * STEP_MS
  const stamps = { clusterTime, wallTime: HERE + clusterTime }
  const entry: Entry = { index, term: 1, kind: 'commands', ...stamps, data: data.take() }
  return apply(machine, entry, true).results
}

function bytesOf(machine: Machine): Uint8Array[] {
  const source = snapshotSource(machine)
  const pieces: Uint8Array[] = []
  for (let bytes = source.next(SNAPSHOT_BYTES); bytes !== undefined; bytes = source.next(SNAPSHOT_BYTES)) {
    pieces.push(bytes.slice())
  }
  return pieces
}

function load(slice: Slice, snapshot: readonly Uint8Array[]): Machine {
  const loader = snapshotLoader([slice])
  for (const bytes of snapshot) loader.push(bytes)
  return loader.finish()
}

/** The first difference is enough: all that follow may come from it. */
function compare(
  one: readonly Outcome[],
  two: readonly Outcome[],
  rule: 'slice-deterministic' | 'slice-snapshot',
  commands: readonly unknown[],
  findings: Findings,
): void {
  const at = one.findIndex(({ hash, answer }, index) => {
    const other = two[index]!
    return hash !== other.hash || !isDeepStrictEqual(answer, other.answer)
  })
  if (at < 0) return
  const what = one[at]!.hash === two[at]!.hash ? 'another answer' : 'another state'
  const where = rule === 'slice-snapshot' ? 'after a restart from a snapshot' : 'on a second node'
  const command = `command ${at + 1} of ${commands.length}, ${shown(commands[at])}`
  const why = 'apply may depend on nothing but space, command and meta'
  findings.add(rule, `${command}, leads to ${what} ${where}: ${why}`)
}

/** A command of another version, of another program or of nobody must not stop a cluster. */
function judgeOdd(slice: Slice, commands: readonly unknown[], findings: Findings): void {
  const start = (): Machine => {
    const machine = begin(slice)
    run(machine, commands, HERE)
    return machine
  }
  let machine = start()
  const said = new Set<string>()
  for (const command of odd(commands)) {
    try {
      send(machine, command)
    } catch (error) {
      // A bug shows with many commands; one of them is enough.
      const why = messageOf((error as Error).cause)
      if (!said.has(why)) findings.add('slice-total', messageOf(error))
      said.add(why)
      machine = start()
    }
  }
}

const shown = (command: unknown): string =>
  inspect(command, { depth: 2, breakLength: Infinity, maxStringLength: 60, maxArrayLength: 5 })
