/** Carries out one `Ready` of a node's core, and shows each part of it to the judge. */
import {
  type Entry,
  type Membership,
  type Ready,
  type Removal,
  status,
  type TransferEnd,
} from '../../core/raft/index.ts'
import { answerReads, forgetWritesThrough, refuseReads, settleWrites } from './clients.ts'
import { holds } from './disk.ts'
import { mix } from './hash.ts'
import {
  judgeApply,
  judgeChange,
  judgeClusterTime,
  judgeInstall,
  judgeMembership,
  judgeRemoval,
  judgeTransfer,
} from './judge-commit.ts'
import { chainEnd, judgeLeader, judgePersist, judgeSend, Violation } from './judge.ts'
import { post } from './mail.ts'
import { applyToModel, hashEntry, modelFrom } from './model.ts'
import { beginPersist, compact, readSnapshot, snapshotAt, takeSnapshotIfDue, writeSnapshot } from './store.ts'
import { type Node, say, type World } from './world.ts'

export function carryOut(world: World, node: Node, ready: Ready): void {
  if (node.storageFailed && (ready.send.length > 0 || ready.persist || ready.committed.length > 0)) {
    throw new Violation('a node whose disk failed is silent', `${node.id} ${JSON.stringify(ready)}`)
  }
  const before = node.leadership
  if (ready.leadership) node.leadership = ready.leadership
  const { role, term } = node.leadership
  const stillLeads = role === 'leader' && before.role === 'leader' && before.term === term
  if (ready.persist) {
    judgePersist(world.judge, node, ready.persist, stillLeads ? term : 0)
    judgeChange(node, ready.persist, node.leadership)
    beginPersist(world, node, ready.persist)
  }
  if (role === 'leader' && !stillLeads) leads(world, node)
  for (const envelope of ready.send) {
    judgeSend(world.judge, node, envelope)
    const to = world.byId.get(envelope.to)
    if (!to) continue
    if (envelope.message.type === 'preVoteResult' && !envelope.message.granted && !isBehind(to, node)) {
      world.counters.refusedByStickiness++
    }
    if (envelope.message.type === 'requestVote' && envelope.message.reason === 'transfer') {
      node.transferTerm = envelope.message.term
    }
    post(world, node, to, envelope.message)
  }
  if (ready.installed) install(world, node, ready.installed.index)
  if (ready.committed.length > 0) applyCommitted(world, node, ready.committed)
  answerReads(world, node, ready.reads)
  refuseReads(world, node, ready.refusedReads)
  for (const end of ready.transfersEnded) endTransfer(world, node, end)
  if (ready.removed) leave(world, node, ready.removed)
  if (ready.compact !== undefined) compact(world, node, ready.compact)
  for (const read of ready.snapshotReads) readSnapshot(world, node, read)
  for (const write of ready.snapshotWrites) writeSnapshot(world, node, write)
  takeSnapshotIfDue(world, node)
}

/** Whether a's log is less up to date than b's (3.6.1). */
function isBehind({ chain: a }: Node, { chain: b }: Node): boolean {
  const term = a.terms.at(-1)! - b.terms.at(-1)!
  return term < 0 || (term === 0 && chainEnd(a) < chainEnd(b))
}

function leads(world: World, node: Node): void {
  const { term } = node.leadership
  world.counters.leaderChanges++
  if (node.transferTerm === term) world.counters.transfersDone++
  world.traceHash = mix(mix(world.traceHash, term), node.serial)
  say(world, () => `${node.id} leads term ${term}`)
  judgeLeader(world.judge, node, term, status(node.raft!).lastIndex)
}

function endTransfer(world: World, node: Node, { to, outcome }: TransferEnd): void {
  node.isHandingOver = false
  world.counters.transfersEnded++
  say(world, () => `${node.id} hands over to ${to}: ${outcome}`)
  if (outcome !== 'done' || to === node.id) return
  judgeTransfer(world.judge, node, to)
}

/** It is no member any more; half of those end at once, as they should, the rest live on. */
function leave(world: World, node: Node, removal: Removal): void {
  say(world, () => `${node.id} was removed at ${removal.index}, says ${removal.toldBy ?? 'its log'}`)
  if (removal.toldBy === null) world.counters.leftByOwnLog++
  else world.counters.leftWhenTold++
  judgeRemoval(world.judge, node, removal, status(node.raft!).commitIndex)
  if (node.stream.chance(0.5)) node.retired = true
}

function applyCommitted(world: World, node: Node, entries: readonly Entry[]): void {
  const isHolder = (id: string, entry: Entry) => holdsEntry(world, id, entry)
  for (const entry of entries) {
    const { applied } = node.model
    if (entry.index !== applied.index + 1) {
      throw new Violation('entries are applied in order', `${node.id} ${entry.index} after ${applied.index}`)
    }
    const hash = hashEntry(entry)
    applyToModel(node.model, entry, hash)
    const first = entry.index === world.judge.states.length
    const memberships = () => electorates(world, applied.membership, entry.index)
    judgeApply(world.judge, node, entry, hash, node.leadership.term, memberships, isHolder)
    if (first) world.judge.committedAtMs.push(world.now)
    settleWrites(world, node, entry)
    if (first) judgeClusterTime(world.judge, entry, mostTimePassed(world))
    if (first && entry.membership) judgeMembership(world.judge, node, applied.membership, entry.membership)
  }
  const last = node.model.applied.index
  world.traceHash = mix(world.traceHash, node.model.hash)
  say(world, () => `${node.id} applies through ${last}`)
}

/**
 * Wall clocks may move time over a restart, of all who elect, if they were set and their nodes could not take note.
 * Who that is, and how many, is known where no membership changes.
 */
function mostTimePassed({ now, profile, noRestarts, wallAheadMs }: World): number {
  const quorum = profile.membershipChanges ? 1 : Math.floor(profile.nodes / 2) + 1
  return now * (1 + profile.drift) + (noRestarts ? 0 : wallAheadMs / quorum)
}

/**
 * Whether it is on that node's disk; or was, before a power loss under a relaxed fsync mode: an acknowledgement
 * from before may still be believed, and the node votes for nobody until it has the entry again.
 */
function holdsEntry(world: World, id: string, entry: Entry): boolean {
  const node = world.byId.get(id)
  return node !== undefined && (node.hasLostTail || holds(node.disk, entry.index, entry.term))
}

/**
 * What may have been in force for whoever committed the entry: the membership applied before it, one from there on
 * in some log, or the one that a leader has appended and not yet written. It may have crashed before it could: so
 * once a joint membership is committed, the final one may be in force that nobody has on disk.
 */
function electorates(world: World, applied: Membership, index: number): readonly Membership[] {
  const { judge } = world
  const found = [applied, finalOf(applied)]
  for (const written of judge.memberships) {
    if (written.index < index) continue
    found.push(written.membership)
    if (written.index <= judge.commitIndex) found.push(finalOf(written.membership))
  }
  for (const node of world.slots) {
    if (node?.raft && node.leadership.role === 'leader') found.push(status(node.raft).membership)
  }
  return found
}

const finalOf = (membership: Membership): Membership => ({ ...membership, outgoing: [] })

function install(world: World, node: Node, index: number): void {
  const snapshot = snapshotAt(node, index)
  const model = snapshot && modelFrom(snapshot)
  judgeInstall(world.judge, node, model)
  node.model = model
  world.counters.snapshotsInstalled++
  say(world, () => `${node.id} installs snapshot ${index}`)
  forgetWritesThrough(world, node, index)
}
