/**
 * The process around one core: it starts from a disk, takes turns, and ends in every way a process can.
 *
 * A turn is what a real driver does (`core/node/`): first what the network and the disk have brought, then the
 * timer, then each `Ready` (carry-out.ts).
 */
import {
  checkInvariants,
  createRaft,
  hasReady,
  type Input,
  nextDeadline,
  type Persist,
  type Raft,
  type RaftConfig,
  setRoom,
  status,
  step,
  takeReady,
  type Time,
} from '../../core/raft/index.ts'
import { carryOut } from './carry-out.ts'
import { dropPending, receiveMail, runOperation } from './clients.ts'
import { loseTime, readClocks, trueTimeOf } from '../../core/testing/clocks.ts'
import { compactLog, termOnDisk } from './disk.ts'
import { mix } from './hash.ts'
import { judgeCommitIndex, judgeState } from './judge-commit.ts'
import { chainEnd, chainOf, Violation } from './judge.ts'
import { modelFrom } from './model.ts'
import { linkOf, resetConnection } from './network.ts'
import { finishPersist, fits, resetForPersist, storeSnapshot } from './store.ts'
import { later, type Node, nodeEvent, say, type Work, type World } from './world.ts'

/** Kept of what the disk takes for what was promised elsewhere: new commands may not have it. */
const RESERVE_BYTES = 1000

// ----------------------------------------------------------------------------------------------- start, end

export function start(world: World, node: Node): void {
  if (node.raft || node.retired) return
  const { disk } = node
  const { meta } = disk.snapshot
  node.life++
  node.model = { applied: meta, hash: 0 }
  if (meta.index > 0) {
    node.model = modelFrom(disk.snapshot)!
    judgeState(world.judge, node.id, node.model)
    if (disk.base < meta.index && termOnDisk(disk, meta.index) !== meta.term) {
      world.counters.recoveriesBehindSnapshot++
    }
  }
  if (disk.entries.length === 0) disk.base = Math.max(disk.base, meta.index)
  node.chain = chainOf(world.judge, disk)
  node.checked = undefined
  node.leadership = { term: disk.hardState.term, role: 'follower', leader: null, established: false }
  node.raft = createRaft(
    configOf(world, node),
    {
      hardState: disk.hardState,
      snapshot: meta,
      entries: disk.entries.slice(),
      tailInDoubt: node.inDoubt,
    },
    timeOf(world, node),
  )
  if (node.life > 1) world.counters.restarts++
  say(
    world,
    () =>
      `${node.id} starts: term ${disk.hardState.term}, vote ${disk.hardState.votedFor}, ` +
      `log ${disk.base + 1}..${chainEnd(node.chain)}, snapshot ${meta.index}`,
  )
  if (node.inDoubt) sayRegressed(world, node)
  later(world, 0, 'first turn', () => wake(world, node), node)
}

/** New connections tell the peers that what this node had acknowledged is void, and old ones are gone. */
function sayRegressed(world: World, node: Node): void {
  for (const peer of world.slots) {
    if (!peer || peer === node) continue
    resetConnection(world.network, peer.slot, node.slot)
    give(world, peer, { type: 'peerRegressed', peer: node.id })
  }
}

function configOf(world: World, node: Node): RaftConfig {
  const { profile } = world
  const { electionTimeoutMs, leaseMs } = timersOf(world, node)
  node.promisedMs = Math.max(node.promisedMs, leaseMs)
  return {
    id: node.id,
    electionTimeoutMs,
    heartbeatMs: profile.heartbeatMs,
    leaseMs,
    promisedMs: node.promisedMs,
    driftMs: profile.driftMs,
    maxMessageBytes: profile.maxMessageBytes,
    inflightBytes: profile.inflightBytes,
    maxPersistBytes: profile.maxReadyBytes,
    maxReadyBytes: profile.maxReadyBytes,
    retainBytes: profile.retainBytes,
    seed: mix(mix(world.plan.options.seed, node.serial), node.life),
  }
}

type Timers = Pick<RaftConfig, 'electionTimeoutMs' | 'leaseMs'>

/** In some runs the nodes are configured differently, and anew with each start: a rolling change of the timers. */
function timersOf({ profile, plan }: World, node: Node): Timers {
  const { seed } = plan.options
  const { electionTimeoutMs, leaseMs, driftMs } = profile
  if (mix(seed, 0x1ea5e) % 4 !== 0) return { electionTimeoutMs, leaseMs }
  const choices: readonly Timers[] = [
    { electionTimeoutMs: electionTimeoutMs / 2, leaseMs: leaseMs / 3 },
    { electionTimeoutMs, leaseMs },
    { electionTimeoutMs, leaseMs: electionTimeoutMs - driftMs },
  ]
  return choices[mix(mix(seed, node.serial), node.life) % choices.length]!
}

/** Ends the process at once: memory is gone, and each write in flight has happened or has not. */
export function crash(world: World, node: Node): void {
  if (!node.raft) return
  say(world, () => `${node.id} crashes`)
  const { persisting } = node
  if (persisting) {
    world.counters.crashesWhilePersisting++
    finishSomeOf(node, persisting)
  }
  if (node.committing) {
    world.counters.crashesWhileInstalling++
    if (node.stream.chance(0.5)) storeSnapshot(node, node.committing)
  }
  if (node.compacting > 0 && !persisting && node.stream.chance(0.5)) compactLog(node.disk, node.compacting)
  endProcess(world, node)
}

function finishSomeOf(node: Node, persist: Persist): void {
  const stage = node.stream.below(persist.reset ? 3 : 2)
  if (stage === 0) return
  if (stage === 1 && persist.reset) resetForPersist(node, persist.reset)
  else if (fits(node, persist)) finishPersist(node, persist)
}

/** Ends the process after what it had begun to write is written. */
export function stopCleanly(world: World, node: Node): void {
  if (!node.raft) return
  say(world, () => `${node.id} stops`)
  if (node.persisting && fits(node, node.persisting)) finishPersist(node, node.persisting)
  endProcess(world, node)
}

function endProcess(world: World, node: Node): void {
  world.wallAheadMs += Math.max(0, node.wallSetMs)
  node.wallSetMs = 0
  node.raft = undefined
  node.life++
  node.mailbox = []
  node.turnPending = false
  node.timerAt = Infinity
  node.timerIsDue = false
  node.persisting = undefined
  node.snapshotting = false
  node.receiving = undefined
  node.committing = undefined
  node.compacting = 0
  node.isHandingOver = false
  node.pausedUntil = 0
  runClock(world, node)
  node.failsForMs = undefined
  node.storageFailed = false
  dropPending(world, node)
  if (world.profile.hints) hintPeers(world, node)
}

/** What a reset connection and a refused reconnect tell the peers. */
function hintPeers(world: World, node: Node): void {
  for (const peer of world.slots) {
    if (!peer?.raft || peer === node || linkOf(world.network, peer.slot, node.slot).cuts > 0) continue
    const hint = () => {
      if (node.raft) world.counters.hintsTooLate++
      else give(world, peer, { type: 'peerLost', peer: node.id })
    }
    later(world, 1 + world.chance.float(), 'peer lost', hint, peer)
  }
}

// ----------------------------------------------------------------------------------------------------- turns

export function give(world: World, node: Node, input: Input): void {
  hand(world, node, { type: 'input', input })
  if (input.type === 'storageFailed') endAfterFailure(world, node)
}

/** The core knows that its disk has failed, lives a moment longer, and must stay silent; then it ends. */
function endAfterFailure(world: World, node: Node): void {
  const downMs = node.failsForMs ?? 0
  const end = () => {
    crash(world, node)
    later(world, downMs, 'restart', () => start(world, node))
  }
  later(world, node.stream.exponential(20), 'end after a failed write', end, node)
}

/** Puts work before the node: at once, in its next turn, or when its pause is over. */
export function hand(world: World, node: Node, work: Work): void {
  if (!node.raft) return
  node.mailbox.push(work)
  if (node.pausedUntil > world.now || node.turnPending) return
  if (world.profile.turnMs === 0) {
    wake(world, node)
    return
  }
  node.turnPending = true
  nodeEvent(world, world.now + node.stream.float() * world.profile.turnMs, 'turn', node)
}

export function timeOf(world: World, node: Node): Time {
  return readClocks(node.clocks, world.now)
}

/** One turn. A paused node has none; all that came meanwhile is in its mailbox when it wakes. */
export function wake(world: World, node: Node): void {
  const { raft } = node
  if (!raft || node.pausedUntil > world.now) return
  node.turnPending = false
  const works = node.mailbox
  node.mailbox = []
  const roomBytes = node.seesRoomFrom > world.now ? Infinity : node.roomBytes
  setRoom(raft, { commandBytes: roomBytes - RESERVE_BYTES, entryBytes: roomBytes })
  for (const work of works) perform(world, node, work)
  if (node.timerIsDue) {
    node.timerIsDue = false
    step(raft, timeOf(world, node), { type: 'tick' })
  }
  drain(world, node, raft)
}

function perform(world: World, node: Node, work: Work): void {
  switch (work.type) {
    case 'mail':
      receiveMail(world, node, work.from, work.mail)
      break
    case 'operation':
      runOperation(world, node, work.operation)
      break
    case 'input':
      if (work.input.type === 'storageFailed') node.storageFailed = true
      if (work.input.type === 'transfer') node.isHandingOver = true
      step(node.raft!, timeOf(world, node), work.input)
      break
  }
}

function drain(world: World, node: Node, raft: Raft): void {
  for (let rounds = 0; hasReady(raft); rounds++) {
    if (rounds > 10_000) throw new Violation('the core comes to rest', `${node.id} is always ready`)
    carryOut(world, node, takeReady(raft))
  }
  if (node.retired) return stopCleanly(world, node)
  if (node.inDoubt) node.inDoubt = status(raft).tailInDoubt
  const before = node.checked
  node.checked = checkInvariants(raft, before)
  world.judge.commitIndex = Math.max(world.judge.commitIndex, node.checked.commitIndex)
  if (before && node.checked.commitIndex > before.commitIndex) {
    judgeCommitIndex(node, before.term, node.checked.commitIndex, node.leadership)
  }
  setTimer(world, node, raft)
}

function setTimer(world: World, node: Node, raft: Raft): void {
  const deadline = nextDeadline(raft)
  if (deadline === Infinity) return
  const at = Math.max(world.now, trueTimeOf(node.clocks, deadline)) + 0.001
  if (at >= node.timerAt) return
  const lateMs = world.calm ? 0 : world.profile.timerLateMs
  const late = lateMs > 0 && node.stream.chance(0.3) ? node.stream.exponential(lateMs) : 0
  if (late > world.profile.heartbeatMs) world.counters.lateTimers++
  node.timerAt = at + late
  nodeEvent(world, node.timerAt, 'timer', node)
}

/** A timer event; void when an earlier one has taken its place. */
export function timerFires(world: World, node: Node): void {
  if (world.now < node.timerAt) return
  node.timerAt = Infinity
  node.timerIsDue = true
  if (!node.turnPending) wake(world, node)
}

// ---------------------------------------------------------------------------------------------------- pauses

/** Stops the process for a while: everything is late, then comes in a burst. */
export function pause(world: World, node: Node, forMs: number, suspend: boolean): void {
  if (!node.raft || node.pausedUntil > world.now) return
  say(world, () => `${node.id} ${suspend ? 'is suspended' : 'pauses'} for ${forMs.toFixed(1)}`)
  const { life } = node
  const until = world.now + forMs
  node.pausedUntil = until
  if (suspend) node.suspendedAt = world.now
  later(world, forMs, 'resume', () => {
    if (node.life === life && node.pausedUntil === until) resume(world, node)
  })
}

/** Ends a pause, on time or before. */
export function resume(world: World, node: Node): void {
  say(world, () => `${node.id} resumes`)
  runClock(world, node)
  node.pausedUntil = 0
  node.timerAt = Infinity
  node.timerIsDue = true
  wake(world, node)
}

function runClock(world: World, node: Node): void {
  if (node.suspendedAt === undefined) return
  const setMs = loseTime(node.clocks, world.now - node.suspendedAt)
  if (node.raft) node.wallSetMs += setMs
  else world.wallAheadMs += setMs
  node.suspendedAt = undefined
}
