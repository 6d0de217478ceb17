/**
 * The simulated world: nodes, network, agenda and judge as one record, and the loop that turns events into
 * steps. True time is `now`; nothing here reads a clock or rolls a die that the seed did not give.
 */
import type {
  Checked,
  Input,
  Leadership,
  Message,
  NodeId,
  Persist,
  Raft,
  SnapshotMeta,
} from '../../core/raft/index.ts'
import { Agenda } from '../../core/testing/agenda.ts'
import type { Clocks } from '../../core/testing/clocks.ts'
import { type Counters, createCounters } from './counters.ts'
import { createDisk, type Disk, type StoredSnapshot } from './disk.ts'
import { mix, mixText, mixTime } from './hash.ts'
import { chainOf, createJudge, type Judge, type Witness } from './judge.ts'
import type { Model } from './model.ts'
import { createNetwork, type Network } from './network.ts'
import type { FaultKind, Operation, Plan, Profile } from './plan.ts'
import { Stream } from '../../core/testing/prng.ts'

/** What drivers say to each other beside the core: a follower asks the leader where its read may stand. */
export type Mail =
  | Message
  | { readonly type: 'readIndex'; readonly id: number; readonly lease: boolean }
  | { readonly type: 'readIndexResult'; readonly id: number; readonly index: number | null }

/** What waits for a node's next turn. */
export type Work =
  | { readonly type: 'mail'; readonly from: Node; readonly mail: Mail }
  | { readonly type: 'operation'; readonly operation: Operation }
  | { readonly type: 'input'; readonly input: Input }

export interface PendingWrite {
  readonly term: number
  readonly payload: number
  readonly floor: number
}

export interface PendingRead {
  readonly floor: number
  readonly kind: 'read' | 'lease-read' | 'forwarded read'
  /** The node to answer to, and its number for the read, when the read came from there. */
  readonly askedBy?: { readonly node: Node; readonly id: number } | undefined
}

export interface Node extends Witness {
  readonly slot: number
  readonly clocks: Clocks
  readonly stream: Stream
  /** Undefined while the process is down. */
  raft: Raft | undefined
  /** Counts starts: events of an earlier life are void. */
  life: number
  /** The process has ended and is not to be started again. */
  retired: boolean
  checked: Checked | undefined
  leadership: Leadership
  /** The term it campaigned for because its leader handed over. */
  transferTerm: number
  /** It was asked to hand over, and has not said yet how that ended. */
  isHandingOver: boolean
  pausedUntil: number
  /** The longest lease that it has promised, as its directory remembers it. */
  promisedMs: number
  /** By how much the wall clock was set that the disk does not know of, and of that, what is being written. */
  wallSetMs: number
  markingMs: number
  /** True time since when the monotonic clock has stood still too; undefined when it runs. */
  suspendedAt: number | undefined
  mailbox: Work[]
  turnPending: boolean
  /** True time of the earliest timer event under way. */
  timerAt: number
  /** It has fired, and the next turn gives the core a tick. */
  timerIsDue: boolean
  persisting: Persist | undefined
  diskStalledUntil: number
  /** That its disk still takes of the log, beside term and vote; and until when that is so. */
  roomBytes: number
  fullUntil: number
  /** Before, its core takes it that there is room for everything. */
  seesRoomFrom: number
  /** The next write fails; the process ends, and comes back after so long. */
  failsForMs: number | undefined
  /** The core knows that a write has failed, and may say nothing more. */
  storageFailed: boolean
  /** It has lost power under a relaxed fsync mode, and its core does not trust its tail yet. */
  inDoubt: boolean
  /** It ever did: an acknowledgement from before may still be believed. */
  hasLostTail: boolean
  snapshotting: boolean
  /** The snapshot being received, and the one being made durable. */
  receiving: { readonly meta: SnapshotMeta; readonly term: number; readonly bytes: number[] } | undefined
  committing: StoredSnapshot | undefined
  previousSnapshot: StoredSnapshot | undefined
  compacting: number
  readonly pendingWrites: Map<number, PendingWrite>
  /** Reads asked of the own core, of another driver, and those that wait for the machine. */
  readonly coreReads: Map<number, PendingRead>
  readonly remoteReads: Map<number, PendingRead>
  waitingReads: { readonly index: number; readonly read: PendingRead }[]
}

/** An old message, and between whom it went. */
export interface Letter {
  readonly from: Node
  readonly to: Node
  readonly mail: Mail
}

export type Task = () => Input | undefined | void

export interface Happening {
  at: number
  sequence: number
  readonly kind: 'mail' | 'timer' | 'turn' | 'task'
  readonly node: Node | undefined
  readonly life: number
  readonly from: Node | undefined
  readonly connection: number
  readonly mail: Mail | undefined
  /** What comes out is an input for the node. */
  readonly run: Task | undefined
  readonly label: string
}

export interface World {
  readonly plan: Plan
  readonly profile: Profile
  readonly counters: Counters
  readonly judge: Judge
  readonly agenda: Agenda<Happening>
  readonly network: Network<Letter>
  readonly founding: StoredSnapshot
  /** The present incarnation of each slot. */
  readonly slots: (Node | undefined)[]
  readonly byId: Map<NodeId, Node>
  readonly chance: Stream
  /** Receives one line for each thing that happens; undefined unless someone is watching. */
  readonly trace: ((line: string) => void) | undefined
  now: number
  events: number
  traceHash: number
  nextSerial: number
  nextReadId: number
  /** The plan ends no process, so every clock anchor survives. */
  readonly noRestarts: boolean
  /** By how much wall clocks were set forward while their nodes did not run, all together. */
  wallAheadMs: number
  /** Called when a node begins to make a received snapshot durable. */
  whenInstalling: ((node: Node) => void) | undefined
  /** Faults are over: what is healed stays so. */
  calm: boolean
}

export const freeSlots = 2

const ending: ReadonlySet<FaultKind> = new Set<FaultKind>([
  'crash',
  'power-loss',
  'crash-installing',
  'stop',
  'fsync-failure',
  'tail-loss',
  'forgetful-voter',
  'blind-leader',
])

export function createWorld(plan: Plan, trace?: (line: string) => void): World {
  const { profile } = plan
  const { seed } = plan.options
  const slots = profile.nodes + (profile.membershipChanges ? freeSlots : 0)
  const counters = createCounters()
  const founding = foundingSnapshot(profile.nodes)
  return {
    plan,
    profile,
    counters,
    judge: createJudge(counters, { applied: founding.meta, hash: 0 }),
    agenda: new Agenda(),
    network: createNetwork(profile, seed, slots),
    founding,
    slots: Array.from({ length: slots }, () => undefined),
    byId: new Map(),
    chance: new Stream(seed, 'world'),
    trace,
    now: 0,
    events: 0,
    traceHash: mix(1, seed),
    nextSerial: 1,
    nextReadId: 1,
    noRestarts: !plan.faults.some(
      (fault) => ending.has(fault.kind) || (fault.kind === 'membership' && fault.crashAfterMs > 0),
    ),
    wallAheadMs: 0,
    whenInstalling: undefined,
    calm: false,
  }
}

export function memberInfo(id: NodeId) {
  const [name, incarnation] = id.split('/') as [string, string]
  return { name, incarnation, address: `${name}:4100` }
}

function foundingSnapshot(nodes: number): StoredSnapshot {
  const voters = Array.from({ length: nodes }, (_, slot) => nodeId(slot, 0))
  const members = Object.fromEntries(voters.map((id) => [id, memberInfo(id)]))
  const membership = { voters, outgoing: [], learners: [], members, removed: [] }
  return { meta: { index: 0, term: 0, clusterTime: 0, wallTime: 0, membership }, data: new Uint8Array(8) }
}

function nodeId(slot: number, incarnation: number): NodeId {
  return `n${slot + 1}/${String.fromCharCode(97 + incarnation)}`
}

/** A fresh incarnation in a slot, with an empty disk; not started. */
export function addNode(world: World, slot: number): Node {
  const previous = world.slots[slot]
  const incarnation = previous ? previous.id.charCodeAt(3) - 96 : 0
  const id = nodeId(slot, incarnation)
  const { seed } = world.plan.options
  const disk = createDisk(world.founding)
  const stream = new Stream(seed, `node:${id}`)
  const model: Model = { applied: world.founding.meta, hash: 0 }
  const node: Node = {
    id,
    slot,
    serial: world.nextSerial++,
    disk,
    chain: chainOf(world.judge, disk),
    model,
    stream,
    clocks: drawClocks(world, stream),
    raft: undefined,
    life: 0,
    retired: false,
    checked: undefined,
    leadership: { term: 0, role: 'follower', leader: null, established: false },
    transferTerm: 0,
    isHandingOver: false,
    pausedUntil: 0,
    promisedMs: 0,
    wallSetMs: 0,
    markingMs: 0,
    suspendedAt: undefined,
    mailbox: [],
    turnPending: false,
    timerAt: Infinity,
    timerIsDue: false,
    persisting: undefined,
    diskStalledUntil: 0,
    roomBytes: Infinity,
    fullUntil: 0,
    seesRoomFrom: 0,
    failsForMs: undefined,
    storageFailed: false,
    inDoubt: false,
    hasLostTail: false,
    snapshotting: false,
    receiving: undefined,
    committing: undefined,
    previousSnapshot: undefined,
    compacting: 0,
    pendingWrites: new Map(),
    coreReads: new Map(),
    remoteReads: new Map(),
    waitingReads: [],
  }
  if (previous) {
    previous.retired = true
    world.counters.incarnations++
  }
  world.slots[slot] = node
  world.byId.set(id, node)
  return node
}

const DAY_MS = 86_400_000

/** Monotonic clocks drift within bounds; wall clocks are days apart. */
function drawClocks(world: World, stream: Stream): Clocks {
  const { drift } = world.profile
  return {
    rate: 1 + drift * stream.pick([-1, 1, 2 * stream.float() - 1]),
    origin: stream.between(0, 1e6),
    wallOffset: 1.7e12 + stream.between(-DAY_MS, DAY_MS),
    suspendedMs: 0,
  }
}

export function diskOf(world: World, id: NodeId): Disk | undefined {
  return world.byId.get(id)?.disk
}

// -------------------------------------------------------------------------------------------------- events

/** Something of the world itself; with a node, something of that life of the node's, void after it. */
export function later(world: World, delayMs: number, label: string, run: Task, node?: Node): void {
  world.agenda.add({
    at: world.now + delayMs,
    sequence: 0,
    kind: 'task',
    node,
    life: node?.life ?? 0,
    from: undefined,
    connection: 0,
    mail: undefined,
    run,
    label,
  })
}

export function nodeEvent(world: World, at: number, kind: 'timer' | 'turn', node: Node): void {
  world.agenda.add({
    at,
    sequence: 0,
    kind,
    node,
    life: node.life,
    from: undefined,
    connection: 0,
    mail: undefined,
    run: undefined,
    label: kind,
  })
}

export function noteTrace(world: World, label: string, slot: number): void {
  world.traceHash = mixText(mix(mixTime(world.traceHash, world.now), slot), label)
}

export function say(world: World, text: () => string): void {
  world.trace?.(`${world.now.toFixed(2).padStart(10)}  ${text()}`)
}
