/**
 * The clients: writes with unique payloads, reads by lease and by ReadIndex, on the leader or forwarded to it.
 *
 * Every answer is held against real-time order: what was acknowledged or seen before an operation began is at
 * or below `floor`, and the operation's answer must come after it. All nodes agree on the state at each index,
 * so this is strict serializability over the whole store.
 */
import {
  type Entry,
  leaseRead,
  propose,
  type ReadAnswer,
  type RefusedRead,
  step,
  type Time,
} from '../../core/raft/index.ts'
import { readClocks } from '../../core/testing/clocks.ts'
import { judgeAnswer, judgeEffect } from './judge-commit.ts'
import { Violation } from './judge.ts'
import { post } from './mail.ts'
import type { Operation } from './plan.ts'
import type { Mail, Node, PendingRead, World } from './world.ts'

function timeOf(world: World, node: Node): Time {
  return readClocks(node.clocks, world.now)
}

/** Whom a client asks: one who believes to lead, or anyone. */
export function chooseNode(world: World, operation: Operation): Node | undefined {
  const up = world.slots.filter((node) => node?.raft !== undefined)
  const leading = operation.anywhere ? [] : up.filter((node) => node!.leadership.role === 'leader')
  const choice = leading.length > 0 ? leading : up
  return choice[operation.pick % choice.length]
}

export function runOperation(world: World, node: Node, operation: Operation): void {
  if (operation.kind === 'write') write(world, node, operation)
  else read(world, node, operation.kind)
}

// ---------------------------------------------------------------------------------------------------- writes

function write(world: World, node: Node, operation: Operation): void {
  const { judge, counters } = world
  const first = judge.effects.length
  const datas: Uint8Array[] = []
  for (let i = 0; i < operation.count; i++) {
    judge.effects.push(0)
    datas.push(payload(first + i, world.profile.payloadBytes))
  }
  const stale = (operation.pick & 31) === 0
  const ids = stale
    ? propose(node.raft!, timeOf(world, node), datas, node.leadership.term - 1)
    : propose(node.raft!, timeOf(world, node), datas)
  if (!ids) {
    counters.writesRefused += operation.count
    judge.effects.fill(-1, first)
    return
  }
  if (stale) throw new Violation('proposals are fenced by term', node.id)
  ids.forEach(({ index, term }, i) => {
    node.pendingWrites.set(index, { term, payload: first + i, floor: judge.floor })
  })
}

function payload(number: number, sizeBytes: number): Uint8Array {
  const data = new Uint8Array(sizeBytes)
  for (let i = 0; i < 4; i++) data[i] = number >>> (8 * i)
  return data
}

function payloadOf(entry: Entry): number {
  const { data } = entry
  return data[0]! | (data[1]! << 8) | (data[2]! << 16) | (data[3]! << 24)
}

/** The entry is applied here: whoever waits for its index has an answer. */
export function settleWrites(world: World, node: Node, entry: Entry): void {
  const { judge, counters } = world
  const number = entry.kind === 'commands' ? payloadOf(entry) : 0
  if (number > 0 && judge.effects[number] !== entry.index) judgeEffect(judge, node.id, entry, number)
  const pending = node.pendingWrites.get(entry.index)
  if (!pending) return
  node.pendingWrites.delete(entry.index)
  if (pending.term !== entry.term) {
    counters.writesLost++
    if (judge.effects[pending.payload] === 0) judge.effects[pending.payload] = -1
    return
  }
  if (pending.payload !== number) throw new Violation('an acknowledged write is the one proposed', node.id)
  counters.writesAcked++
  judgeAnswer(judge, 'write', entry.index, pending.floor, true)
}

/** A snapshot took the place of the entries: what became of these writes is not known here. */
export function forgetWritesThrough(world: World, node: Node, index: number): void {
  for (const pending of node.pendingWrites.keys()) {
    if (pending > index) continue
    node.pendingWrites.delete(pending)
    world.counters.writesUnknown++
  }
}

/** The process has ended: nobody here is answered any more. */
export function dropPending(world: World, node: Node): void {
  world.counters.writesUnknown += node.pendingWrites.size
  world.counters.readsUnknown += node.coreReads.size + node.remoteReads.size + node.waitingReads.length
  node.pendingWrites.clear()
  node.coreReads.clear()
  node.remoteReads.clear()
  node.waitingReads = []
}

// ----------------------------------------------------------------------------------------------------- reads

function read(world: World, node: Node, kind: 'read' | 'lease-read'): void {
  const { floor } = world.judge
  if (node.leadership.role === 'leader') {
    readHere(world, node, { floor, kind }, kind === 'lease-read')
    return
  }
  const leader = node.leadership.leader === null ? undefined : world.byId.get(node.leadership.leader)
  if (!leader || leader === node) {
    readHere(world, node, { floor, kind }, kind === 'lease-read')
    return
  }
  const id = world.nextReadId++
  node.remoteReads.set(id, { floor, kind: 'forwarded read' })
  post(world, node, leader, { type: 'readIndex', id, lease: kind === 'lease-read' })
}

/** Asks the core: by its lease at once, else by a round of heartbeats. */
function readHere(world: World, node: Node, pending: PendingRead, byLease: boolean): void {
  const time = timeOf(world, node)
  const index = byLease ? leaseRead(node.raft!, time) : undefined
  if (index !== undefined) {
    resolveRead(world, node, pending, index)
    return
  }
  const id = world.nextReadId++
  node.coreReads.set(id, pending.kind === 'lease-read' ? { ...pending, kind: 'read' } : pending)
  step(node.raft!, time, { type: 'read', id })
}

function resolveRead(world: World, node: Node, pending: PendingRead, index: number): void {
  const { askedBy } = pending
  if (askedBy) post(world, node, askedBy.node, { type: 'readIndexResult', id: askedBy.id, index })
  else if (node.model.applied.index >= index) answer(world, node, pending)
  else node.waitingReads.push({ index, read: pending })
}

function answer(world: World, node: Node, { kind, floor }: PendingRead): void {
  judgeAnswer(world.judge, kind, node.model.applied.index, floor, false)
  if (kind === 'lease-read') world.counters.leaseReads++
  else if (kind === 'read') world.counters.reads++
  else world.counters.forwardedReads++
}

/** The core's answers, and those that waited for what has just been applied. */
export function answerReads(world: World, node: Node, answers: readonly ReadAnswer[]): void {
  for (const { id, index } of answers) resolveRead(world, node, takeRead(node, id), index)
  if (node.waitingReads.length === 0) return
  const waiting = node.waitingReads
  node.waitingReads = waiting.filter(({ index }) => index > node.model.applied.index)
  for (const { index, read: pending } of waiting) {
    if (index <= node.model.applied.index) answer(world, node, pending)
  }
}

export function refuseReads(world: World, node: Node, refused: readonly RefusedRead[]): void {
  for (const { id } of refused) {
    const { askedBy } = takeRead(node, id)
    if (askedBy) post(world, node, askedBy.node, { type: 'readIndexResult', id: askedBy.id, index: null })
    else world.counters.readsRefused++
  }
}

function takeRead(node: Node, id: number): PendingRead {
  const pending = node.coreReads.get(id)
  if (!pending) throw new Violation('a read is answered once', `${node.id} read ${id}`)
  node.coreReads.delete(id)
  return pending
}

/** A message for the core, or one that drivers exchange about reads. */
export function receiveMail(world: World, node: Node, from: Node, mail: Mail): void {
  if (mail.type === 'readIndex') {
    const askedBy = { node: from, id: mail.id }
    readHere(world, node, { floor: 0, kind: 'forwarded read', askedBy }, mail.lease)
  } else if (mail.type === 'readIndexResult') {
    const pending = node.remoteReads.get(mail.id)
    if (!pending) return
    node.remoteReads.delete(mail.id)
    if (mail.index === null) world.counters.readsRefused++
    else resolveRead(world, node, pending, mail.index)
  } else {
    step(node.raft!, timeOf(world, node), { type: 'message', from: from.id, message: mail })
  }
}
