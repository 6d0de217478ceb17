/**
 * The clients: each makes a call on some node when its time comes, and holds the answer against the history.
 * Nobody retries, but for a call with a `requestId` whose outcome is unknown.
 */
import { ConcordError } from '../../core/errors.ts'
import type { OpenNode } from '../../core/open-node.ts'
import type { Held } from './history.ts'
import { Violation } from '../sim/judge.ts'
import type { Operation } from './plan.ts'
import type { Observer } from './observer.ts'
import { attempt, type Member, running, say, textOf, type World } from './world.ts'

const TIMEOUT_MS = 1500
const REGISTERS = 6
const COUNTERS = 2
const BATCH = 4
const LASTING = 3

/** A call under way: what it may see is after everything that anybody knew when it began. */
interface Call {
  readonly world: World
  readonly operation: Operation
  readonly member: Member
  readonly db: OpenNode
  readonly floor: number
  /** Values that this call alone writes. */
  readonly values: string[]
}

export function placeCall(world: World, operation: Operation, number: number): void {
  const nodes = running(world)
  if (nodes.length === 0) return
  const member = nodes[operation.pick % nodes.length]!
  const db = member.node!
  // The application is in the process of the node, and stands still with it.
  member.computer.process?.reach(() =>
    begin({ world, operation, member, db, floor: world.floor, values: [] }, number),
  )
}

function begin(call: Call, number: number): void {
  const { world, member, operation } = call
  say(world, `${number} ${operation.kind} at ${member.name}`)
  const { process } = member.computer
  owes(world, number, member)
  actions[operation.kind](call, number).then(
    () => void world.calls.delete(number),
    (error: unknown) => {
      world.calls.delete(number)
      // What a killed process still says, nobody hears.
      if (member.computer.process === process) refused(call, number, error)
    },
  )
}

function owes({ calls }: World, number: number, member: Member): void {
  calls.set(number, { member, process: member.computer.process })
}

function refused({ world, values }: Call, number: number, error: unknown): void {
  if (error instanceof Violation || !ConcordError.is(error)) {
    attempt(world, () => {
      throw error
    })
    return
  }
  say(world, `${number} ends: ${error.code}, ${error.outcome}`)
  if (error.outcome === 'unknown') {
    world.counters.unknown++
    return
  }
  world.counters.refused++
  for (const value of values) attempt(world, () => world.history.refuse(value))
}

// -------------------------------------------------------------------------------------------------- actions

type Action = (call: Call, number: number) => Promise<void>

const actions: Record<Operation['kind'], Action> = {
  put: async (call, number) => {
    const key = `k${call.operation.pick % REGISTERS}`
    const value = valueOf(call, number)
    const { revision } = await call.db.put(key, value, patience)
    wrote(call, revision, new Map([[key, textOf(value)]]))
  },
  delete: async (call) => {
    const key = `k${call.operation.pick % REGISTERS}`
    const { deleted, revision } = await call.db.delete(key, patience)
    if (deleted) wrote(call, revision, new Map([[key, undefined]]))
    else saw(call, new Map([[key, undefined]]))
  },
  putMany: async (call, number) => {
    const value = valueOf(call, number)
    const keys = Array.from({ length: BATCH }, (_, at) => `m${at}`)
    const results = await call.db.putMany(
      keys.map((key) => ({ key, value })),
      patience,
    )
    wrote(call, results[0]!.revision, new Map(keys.map((key) => [key, textOf(value)])))
  },
  putTtl: async (call, number) => {
    const key = `t${call.operation.pick % LASTING}`
    const value = valueOf(call, number)
    const ttl = 0.2 + (call.operation.pick % 30) / 10
    call.world.lives.set(textOf(value), { fromMs: call.world.simulation.now, ttlMs: ttl * 1000 })
    const { revision } = await call.db.put(key, value, { ...patience, ttl })
    wrote(call, revision, new Map([[key, textOf(value)]]))
  },
  get: async (call) => {
    const key = `k${call.operation.pick % REGISTERS}`
    saw(call, new Map([[key, held(await call.db.get(key, readOf(call)))]]))
  },
  getTtl: async (call) => {
    const key = `t${call.operation.pick % LASTING}`
    const found = held(await call.db.get(key, readOf(call)))
    // What is overdue is hidden before it has been taken away, if the leader that was to do so has gone.
    if (found !== undefined || !isOverdue(call, key)) saw(call, new Map([[key, found]]))
  },
  getMany: async (call) => {
    const keys = [...Array.from({ length: BATCH }, (_, at) => `m${at}`), 'k0', 'k1']
    const values = await call.db.getMany(keys, readOf(call))
    saw(call, new Map(keys.map((key, at) => [key, held(values[at])])))
  },
  entries: async (call) => {
    const seen = new Map<string, Held>(Array.from({ length: REGISTERS }, (_, at) => [`k${at}`, undefined]))
    for await (const { key, value } of call.db.entries({ ...readOf(call), prefix: 'k' }))
      seen.set(key, held(value))
    saw(call, seen)
  },
  cas: async (call, number) => {
    const key = `k${call.operation.pick % REGISTERS}`
    const before = await call.db.getEntry(key, patience)
    saw(call, new Map([[key, held(before?.value)]]))
    const value = valueOf(call, number)
    const condition = before === undefined ? { ifAbsent: true as const } : { ifRevision: before.revision }
    const result = await call.db.putIf(key, value, { ...patience, ...condition })
    if (result.ok) wrote(call, result.revision, new Map([[key, textOf(value)]]))
    else {
      attempt(call.world, () => call.world.history.refuse(textOf(value)))
      saw(call, new Map([[key, held(result.current?.value)]]))
    }
  },
  slice: async (call, number) => {
    await (call.db.plugin('observer' as never) as Observer).propose(number)
  },
  increment: async (call, number) => increment(call, number, 3),
  txn: async (call, number) => {
    const [one, other] = [
      `k${call.operation.pick % REGISTERS}`,
      `k${(call.operation.pick >>> 8) % REGISTERS}`,
    ]
    const value = valueOf(call, number)
    await call.db.txn(async (tx) => {
      await tx.get(one)
      await tx.get(other)
      tx.put(one, value)
      tx.put(other, value)
    }, patience)
    const revision = call.world.history.revisionOf(textOf(value))
    if (revision === undefined) throw new Violation('an answer is true', `transaction ${number} is nowhere`)
    wrote(call, revision, new Map([one, other].map((key) => [key, textOf(value)])))
  },
}

/** Those that take the level that the plan says. */
const READS: ReadonlySet<string> = new Set(['get', 'getMany', 'getTtl', 'entries'])

const patience = { timeoutMs: TIMEOUT_MS }

const readOf = ({ operation: { consistency } }: Call) => ({ ...patience, consistency })

/** Once, however often it has to ask: at another node each time. */
async function increment(call: Call, number: number, tries: number): Promise<void> {
  const { world, operation } = call
  const key = `c${operation.pick % COUNTERS}`
  const nodes = running(world)
  const asked = nodes[(operation.pick + tries) % Math.max(1, nodes.length)]
  if (asked === undefined) return
  owes(world, number, asked)
  try {
    const result = await asked.node!.increment(key, { ...patience, requestId: `request-${number}` })
    if (!result.ok) throw new Violation('an answer is true', `${key} is no number`)
    wrote(call, result.revision, new Map([[key, String(result.value)]]), tries === 3)
  } catch (error) {
    if (!ConcordError.is(error) || error.outcome !== 'unknown' || tries === 1) throw error
    world.counters.retriedOnce++
    await increment(call, number, tries - 1)
  }
}

function isOverdue({ world, operation }: Call, key: string): boolean {
  if (operation.consistency === 'eventual') return true
  const { history, lives, simulation, profile } = world
  const life = lives.get(history.valueAt(key, history.top) ?? '')
  return life !== undefined && simulation.now - life.fromMs >= life.ttlMs * (1 - 2 * profile.drift) - 1
}

/** Unique, beyond what counters reach, and as long as the run says. */
function valueOf({ world, values }: Call, number: number): string | number {
  const { valueBytes } = world.profile
  const value = valueBytes <= 8 ? 1e6 + number : `${1e6 + number} `.padEnd(valueBytes, '.')
  values.push(textOf(value))
  return value
}

const held = (value: unknown): Held => (value === undefined ? undefined : textOf(value))

// -------------------------------------------------------------------------------------------------- judging

/** It was answered with a revision: what it wrote is there, and was not before the call began. */
function wrote(call: Call, revision: number, written: ReadonlyMap<string, Held>, isFirst = true): void {
  const { world, floor, operation } = call
  const { history } = world
  world.counters.writes++
  if (isFirst && revision <= floor) {
    throw new Violation('real time', `${operation.kind} at ${revision}, when ${floor} was known`)
  }
  for (const [key, value] of written) {
    const found = revision > history.top ? 'nothing yet' : history.valueAt(key, revision)
    if (found !== value)
      throw new Violation('an answer is true', `${key} at ${revision}: ${found}, not ${value}`)
  }
  world.floor = Math.max(world.floor, revision)
}

/** It was answered with values: they were there together, after all that was known when the call began. */
function saw(call: Call, seen: ReadonlyMap<string, Held>): void {
  const { world, operation } = call
  const isEventual = operation.consistency === 'eventual' && READS.has(operation.kind)
  const from = isEventual ? 0 : call.floor
  const moment = world.history.momentOf(seen, from, world.history.top)
  if (moment === undefined) {
    const text = [...seen].map(([key, value]) => `${key} = ${value}`).join(', ')
    throw new Violation(
      'an answer is true',
      `${operation.kind} (${operation.consistency}) saw ${text}; never so from ${from} to ${world.history.top}`,
    )
  }
  if (isEventual) world.counters.eventualReads++
  else {
    world.counters.reads++
    world.floor = Math.max(world.floor, moment)
  }
}
