/**
 * A cluster in the hand: cores, a network that delivers what it is told to, disks that finish when they are
 * told to, one clock. What happens is written down, for the scripts to show and the tests to look at.
 */
import assert from 'node:assert/strict'
import {
  checkInvariants,
  createRaft,
  hasReady,
  nextDeadline,
  propose,
  proposeMembership,
  snapshotMeta,
  status,
  step,
  takeReady,
} from '../../core/raft/index.ts'
import type {
  Checked,
  Entry,
  EntryId,
  HardState,
  Input,
  MemberInfo,
  Membership,
  MembershipChange,
  Message,
  NodeId,
  Persist,
  Raft,
  RaftConfig,
  Ready,
  SnapshotMeta,
  SnapshotRead,
  SnapshotWrite,
} from '../../core/raft/index.ts'
import { showEntries, showLeadership, showMessage, showPersist } from './show.ts'

export const DEFAULTS = {
  electionTimeoutMs: 1000,
  heartbeatMs: 50,
  leaseMs: 150,
  driftMs: 30,
  maxMessageBytes: 1 << 20,
  inflightBytes: 4 << 20,
  maxPersistBytes: 4 << 20,
  maxReadyBytes: 1 << 20,
  retainBytes: 0,
  maxUncommittedBytes: 64 << 20,
  seed: 1,
} satisfies Omit<RaftConfig, 'id'>

export type Options = Partial<Omit<RaftConfig, 'id'>>

export function membership(
  voters: readonly NodeId[],
  learners: readonly NodeId[] = [],
  outgoing: readonly NodeId[] = [],
): Membership {
  const ids = new Set([...voters, ...learners, ...outgoing])
  const members = [...ids].map((id) => [id, infoOf(id)] as const)
  return { voters, learners, outgoing, members: Object.fromEntries(members), removed: [] }
}

/** `name/incarnation`, or a name alone. */
function infoOf(id: NodeId): MemberInfo {
  const [name = id, incarnation = '1'] = id.split('/')
  return { name, incarnation, address: '' }
}

export function founding(members: Membership): SnapshotMeta {
  return { index: 0, term: 0, clusterTime: 0, wallTime: 0, membership: members }
}

/** Entries from index `from` on, one for each term; their data says nothing. */
export function entriesOf(terms: readonly number[], from = 1): Entry[] {
  return terms.map((term, i) => ({
    index: from + i,
    term,
    kind: 'commands',
    clusterTime: 0,
    wallTime: 0,
    data: new Uint8Array(0),
  }))
}

export interface Disk {
  hardState: HardState
  snapshot: SnapshotMeta
  snapshotBytes: number
  entries: Entry[]
}

export class Node {
  readonly id: NodeId
  readonly disk: Disk
  raft: Raft
  /** Writes finish by themselves; off: by `Cluster.finishWrite`. */
  isDiskFast = true
  writing: Persist | undefined
  applied: EntryId[] = []
  readonly chunksToRead: SnapshotRead[] = []
  readonly chunksToWrite: SnapshotWrite[] = []
  checked: Checked | undefined

  constructor(id: NodeId, disk: Disk, raft: Raft) {
    this.id = id
    this.disk = disk
    this.raft = raft
  }
}

export class Cluster {
  readonly nodes = new Map<NodeId, Node>()
  /** What is under way, oldest first. */
  readonly network: { from: NodeId; to: NodeId; message: Message }[] = []
  readonly lines: string[] = []
  readonly options: Options
  monotonicMs = 1000
  wallMs = 1_000_000
  /** By how much wall clocks differ from that. */
  readonly skewMs = new Map<NodeId, number>()
  isQuiet = false

  constructor(options: Options = {}) {
    this.options = options
  }

  add(id: NodeId, members: Membership, disk: Partial<Disk> = {}, tailInDoubt = false): Node {
    const whole: Disk = {
      hardState: { term: 0, votedFor: null },
      snapshot: founding(members),
      snapshotBytes: 100_000,
      entries: [],
      ...disk,
    }
    const node = new Node(id, whole, this.#start(id, whole, tailInDoubt))
    this.nodes.set(id, node)
    return node
  }

  #start(id: NodeId, disk: Disk, tailInDoubt = false): Raft {
    const config = { ...DEFAULTS, ...this.options, id }
    return createRaft(config, { ...disk, tailInDoubt }, this.time(id))
  }

  node(id: NodeId): Node {
    const node = this.nodes.get(id)
    assert.ok(node, `no node ${id}`)
    return node
  }

  time(id: NodeId = '') {
    return { monotonicMs: this.monotonicMs, wallMs: this.wallMs + (this.skewMs.get(id) ?? 0) }
  }

  advance(ms: number): void {
    this.monotonicMs += ms
    this.wallMs += ms
  }

  say(line: string, always = false): void {
    if (always || !this.isQuiet) this.lines.push(line)
  }

  /** One input and the turn that it makes. */
  step(id: NodeId, input: Input): Ready[] {
    step(this.node(id).raft, this.time(id), input)
    return this.turn(id)
  }

  /** One input, and no turn yet: several inputs in a turn. */
  stepOnly(id: NodeId, input: Input): void {
    step(this.node(id).raft, this.time(id), input)
  }

  propose(id: NodeId, count = 1, bytes = 0): readonly EntryId[] | undefined {
    const datas = Array.from({ length: count }, () => new Uint8Array(bytes))
    const ids = propose(this.node(id).raft, this.time(id), datas)
    this.turn(id)
    return ids
  }

  /** As work that was decided in `term` does. */
  proposeFenced(id: NodeId, term: number): readonly EntryId[] | undefined {
    const ids = propose(this.node(id).raft, this.time(id), [new Uint8Array(0)], term)
    this.turn(id)
    return ids
  }

  change(id: NodeId, voters: readonly NodeId[], learners: readonly NodeId[], expected?: number) {
    const { raft } = this.node(id)
    const { members } = membership(voters, learners)
    return this.proposeChange(id, {
      voters,
      learners,
      members,
      expected: expected ?? status(raft).membershipIndex,
    })
  }

  proposeChange(id: NodeId, change: MembershipChange) {
    const proposal = proposeMembership(this.node(id).raft, this.time(id), change)
    this.turn(id)
    return proposal
  }

  /** Takes what is ready until nothing is, and does it. */
  turn(id: NodeId): Ready[] {
    const node = this.node(id)
    const taken: Ready[] = []
    while (hasReady(node.raft)) {
      const ready = takeReady(node.raft)
      taken.push(ready)
      node.checked = checkInvariants(node.raft, node.checked)
      this.#carryOut(node, ready)
      if (taken.length > 1000) throw new Error(`${id} never comes to rest`)
    }
    return taken
  }

  #carryOut(node: Node, ready: Ready): void {
    const { id, raft } = node
    if (ready.leadership !== undefined) this.say(`${id} ${showLeadership(ready.leadership)}`, true)
    for (const { to, message } of ready.send) {
      this.network.push({ from: id, to, message })
      this.say(`${id}->${to} ${showMessage(message)}`)
    }
    if (ready.installed !== undefined) {
      node.applied = [{ index: ready.installed.index, term: ready.installed.term }]
      this.say(`${id} installed ${ready.installed.index}/${ready.installed.term}`, true)
    }
    for (const { index, term } of ready.committed) node.applied.push({ index, term })
    if (ready.committed.length > 0) this.say(`${id} applies ${showEntries(ready.committed)}`)
    for (const read of ready.reads) this.say(`${id} read ${read.id} at ${read.index}`, true)
    for (const read of ready.refusedReads) this.say(`${id} refuses read ${read.id}, ask ${read.leader}`, true)
    for (const { to, outcome } of ready.transfersEnded) {
      this.say(`${id} hands over to ${to ?? 'anybody'}: ${outcome}`, true)
    }
    if (ready.removed !== undefined) {
      const { index, toldBy } = ready.removed
      this.say(`${id} was removed at ${index}, says ${toldBy ?? 'its own log'}`, true)
    }
    if (ready.compact !== undefined) this.say(`${id} compacts through ${ready.compact}`, true)
    for (const wish of ready.snapshotReads) {
      node.chunksToRead.push(wish)
      this.say(`${id} wants chunk ${wish.meta.index}@${wish.offset} for ${wish.to}`)
    }
    for (const wish of ready.snapshotWrites) {
      node.chunksToWrite.push(wish)
      const what = wish.kind === 'abort' ? 'abort' : `chunk ${wish.meta.index}@${wish.offset}`
      this.say(`${id} writes ${what}${wish.kind === 'chunk' && wish.done ? ' done' : ''}`)
    }
    if (ready.persist === undefined) return
    assert.equal(node.writing, undefined, 'two writes at once')
    node.writing = ready.persist
    this.say(`${id} ${node.isDiskFast ? 'wrote' : 'is writing'} ${showPersist(ready.persist)}`)
    if (node.isDiskFast) step(raft, this.time(id), this.#written(node))
  }

  #written(node: Node): Input {
    const { disk, writing } = node
    assert.ok(writing, `${node.id} is not writing`)
    node.writing = undefined
    const { batch, reset, sequence } = writing
    if (reset !== undefined) {
      disk.entries = []
      disk.hardState = reset.hardState
    }
    const from = batch.truncateFrom ?? Infinity
    disk.entries = disk.entries.filter((entry) => entry.index < from).concat(batch.entries)
    disk.hardState = batch.hardState ?? disk.hardState
    return { type: 'persisted', sequence }
  }

  finishWrite(id: NodeId): void {
    this.step(id, this.#written(this.node(id)))
  }

  /** Reads and writes of chunks that were wished for, each answered. */
  doChunks(id: NodeId): number {
    const node = this.node(id)
    const reads = node.chunksToRead.splice(0)
    const writes = node.chunksToWrite.splice(0)
    for (const { to, meta, offset, maxBytes } of reads) {
      const length = Math.min(maxBytes, node.disk.snapshotBytes - offset)
      const done = offset + length === node.disk.snapshotBytes
      const data = new Uint8Array(length)
      this.step(id, { type: 'snapshotChunkRead', to, index: meta.index, offset, data, done })
    }
    for (const wish of writes) {
      if (wish.kind === 'abort') continue
      const { index } = wish.meta
      if (wish.done) {
        node.disk.snapshot = wish.meta
        this.step(id, { type: 'snapshotReceived', index })
      } else {
        const offset = wish.offset + wish.data.length
        this.step(id, { type: 'snapshotChunkWritten', index, offset })
      }
    }
    return reads.length + writes.length
  }

  deliver(match: (from: NodeId, to: NodeId) => boolean, keep = false): number {
    const due = this.network.filter(({ from, to }) => match(from, to))
    if (!keep) this.drop(match)
    for (const { from, to, message } of due) {
      if (this.nodes.has(to)) this.step(to, { type: 'message', from, message })
    }
    return due.length
  }

  drop(match: (from: NodeId, to: NodeId) => boolean): number {
    const kept = this.network.filter(({ from, to }) => !match(from, to))
    const count = this.network.length - kept.length
    this.network.splice(0, Infinity, ...kept)
    return count
  }

  /** Delivers among `ids` (all), and does what disks and chunks want, until nothing moves. */
  settle(ids: readonly NodeId[] = [...this.nodes.keys()]): void {
    const among = (from: NodeId, to: NodeId) => ids.includes(from) && ids.includes(to)
    for (let round = 0; round < 1000; round++) {
      const chunks = ids.map((id) => this.doChunks(id)).reduce((sum, count) => sum + count, 0)
      if (this.deliver(among) + chunks === 0) return
    }
    throw new Error('the cluster never comes to rest')
  }

  /** Lets time pass among `ids` (all), with their timers and messages; the others are cut off. */
  run(ms: number, ids: readonly NodeId[] = [...this.nodes.keys()]): void {
    const stepMs = 10
    for (let passed = 0; passed < ms; passed += stepMs) {
      this.advance(stepMs)
      for (const id of ids) {
        if (nextDeadline(this.node(id).raft) <= this.monotonicMs) this.step(id, { type: 'tick' })
      }
      this.settle(ids)
      this.drop((from, to) => ids.includes(from) !== ids.includes(to))
    }
  }

  /** Lets time pass until this node's next timer, and gives it the tick. */
  timeout(id: NodeId): void {
    this.advance(Math.max(0, nextDeadline(this.node(id).raft) - this.monotonicMs))
    this.step(id, { type: 'tick' })
  }

  /** Loses what was not written. */
  restart(id: NodeId): void {
    const node = this.node(id)
    node.raft = this.#start(id, node.disk)
    node.writing = undefined
    node.checked = undefined
    node.applied = []
    node.chunksToRead.length = 0
    node.chunksToWrite.length = 0
  }

  snapshot(id: NodeId): void {
    const node = this.node(id)
    const meta = snapshotMeta(node.raft, status(node.raft).appliedIndex)
    node.disk.snapshot = meta
    const readies = this.step(id, { type: 'snapshotTaken', meta })
    const through = Math.max(0, ...readies.map((ready) => ready.compact ?? 0))
    node.disk.entries = node.disk.entries.filter((entry) => entry.index > through)
  }
}
