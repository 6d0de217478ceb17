/**
 * What one seed will do, drawn as data before anything runs, so that a failure can be shrunk by dropping items.
 *
 * Swarm testing: each seed switches each class of fault on or off and draws its rates. With everything on at
 * once nothing ever gets far enough to reach the deep states.
 */
import { type Direction, direct } from './directed.ts'
import { drawFaults } from './draw-faults.ts'
import { Stream } from '../../core/testing/prng.ts'

export interface Options {
  readonly seed: number
  /** Members at the founding; 0 draws it from the seed. */
  readonly nodes: number
  /** How many events the phase with faults may take. */
  readonly events: number
  /** Instead of the faults that the seed draws, one coincidence again and again. */
  readonly directed?: Direction | undefined
}

/** The rates of one seed. Milliseconds are true time. */
export interface Profile {
  readonly nodes: number
  readonly electionTimeoutMs: number
  readonly heartbeatMs: number
  readonly leaseMs: number
  readonly driftMs: number
  readonly lossRate: number
  readonly duplicateRate: number
  readonly delayMs: number
  /** Share of messages that take twenty times as long: on a link without order they overtake each other. */
  readonly tailRate: number
  /** Links keep their order, as one TCP connection does. */
  readonly ordered: boolean
  /** Every clock's rate is within 1 +- this. */
  readonly drift: number
  readonly diskMs: number
  readonly diskTailRate: number
  /** How late a timer may fire. */
  readonly timerLateMs: number
  /** How long a node gathers inputs before it takes what the core has ready; 0: never. */
  readonly turnMs: number
  /** A snapshot after so many applied entries; 0: only when a fault item asks for one. */
  readonly snapshotEvery: number
  readonly snapshotBytes: number
  readonly chunkBytes: number
  /** Bytes of entries kept in the log behind a snapshot, for slow followers. */
  readonly retainBytes: number
  readonly payloadBytes: number
  readonly maxMessageBytes: number
  readonly inflightBytes: number
  readonly maxReadyBytes: number
  /** Messages and their entries are frozen, so that a write through an alias throws. */
  readonly frozen: boolean
  /** Peers of a node whose process ends, or whose connection is reset, are told so. */
  readonly hints: boolean
  readonly membershipChanges: boolean
  /** Entries of commands are fsynced this often and not at once (`storage.fsync: 'interval'`); 0: always. */
  readonly fsyncEveryMs: number
}

/** A node by number, or whoever leads in the highest term when the time comes. */
export type Target = number | 'leader'

export type PartitionShape = 'halves' | 'isolate' | 'bridge' | 'one-way' | 'deaf' | 'mute'

export type Fault =
  | { at: number; kind: 'partition'; shape: PartitionShape; target: Target; bits: number; forMs: number }
  /** With the hint that the peer is lost; the first one may hear nothing for a while, and so live on. */
  | { at: number; kind: 'reset'; a: Target; b: number; deafMs: number }
  | { at: number; kind: 'clog'; from: number; to: number; extraMs: number; forMs: number }
  | { at: number; kind: 'replay'; picks: readonly number[] }
  | { at: number; kind: 'crash'; target: Target; downMs: number }
  | { at: number; kind: 'power-loss'; downMs: readonly number[] }
  /** One machine loses power under a relaxed fsync mode: what its process had written may be gone. */
  | { at: number; kind: 'tail-loss'; target: Target; downMs: number }
  /** The next node that makes a received snapshot durable crashes while it does. */
  | { at: number; kind: 'crash-installing'; downMs: number }
  | { at: number; kind: 'stop'; target: Target; downMs: number }
  | { at: number; kind: 'pause'; target: Target; forMs: number }
  | { at: number; kind: 'suspend'; target: Target; forMs: number }
  | { at: number; kind: 'wall-step'; target: Target; byMs: number }
  | { at: number; kind: 'disk-stall'; target: Target; forMs: number }
  /** The volume takes so much more of the log, and then refuses it; the node sees that late, or when it is refused. With `all`, that of every machine at once. */
  | {
      at: number
      kind: 'disk-full'
      target: Target
      all: boolean
      roomBytes: number
      blindMs: number
      forMs: number
    }
  | { at: number; kind: 'fsync-failure'; target: Target; downMs: number }
  | { at: number; kind: 'snapshot'; target: Target }
  /** The leader hears everything late, then is heard by nobody: it lives on old answers while others elect. */
  | { at: number; kind: 'usurp'; extraMs: number; afterMs: number; forMs: number }
  /** A voter that has helped the leader to its lease restarts, while another, long cut off, asks it for its vote. */
  | { at: number; kind: 'forgetful-voter'; pick: number; afterMs: number }
  /** A node that the leader does not reach takes it to be dead, while the leader's lease still holds. */
  | { at: number; kind: 'false-alarm'; pick: number; afterMs: number }
  /**
   * Relaxed fsync: a node loses acknowledged entries, and the leader that has them restarts; it leads again, does not
   * know how far the log is committed, and dies soon after.
   */
  | { at: number; kind: 'blind-leader'; pick: number; cutMs: number; liveMs: number }
  /** Leadership is handed over, and the old leader hears nothing of it for a while. */
  | { at: number; kind: 'transfer'; to: number; deafMs: number }
  /** A change drawn by `bits`; the leader that took it may crash soon after. 0: it does not. */
  | { at: number; kind: 'membership'; bits: number; crashAfterMs: number; downMs: number }

export type FaultKind = Fault['kind']

export type OperationKind = 'write' | 'read' | 'lease-read'

export interface Operation {
  readonly at: number
  readonly kind: OperationKind
  /** Chooses the node: a believed leader, or any node when `anywhere`. */
  readonly pick: number
  readonly anywhere: boolean
  /** Entries in one proposal. */
  readonly count: number
}

export interface Plan {
  readonly options: Options
  readonly profile: Profile
  readonly faults: readonly Fault[]
  readonly operations: readonly Operation[]
  /** End of the phase with faults, if the events last that long. */
  readonly horizonMs: number
}

export function drawPlan(options: Options): Plan {
  const swarm = new Stream(options.seed, 'swarm')
  const profile = drawProfile(options, swarm)
  const horizonMs = swarm.between(3000, 22_000) * (options.events / 5000)
  const plan: Plan = {
    options,
    profile,
    faults: drawFaults(options.seed, swarm, profile, horizonMs),
    operations: drawOperations(options.seed, swarm, horizonMs),
    horizonMs,
  }
  return options.directed === undefined ? plan : direct(plan, options.directed)
}

function drawProfile(options: Options, swarm: Stream): Profile {
  const drawnNodes = swarm.pick([1, 2, 3, 3, 3, 3, 3, 3, 4, 5, 5, 5])
  const on = (probability = 0.5) => swarm.chance(probability)
  const calm = on(0.1)
  const noisy = (probability = 0.5) => on(probability) && !calm
  const nodes = options.nodes || drawnNodes
  const membershipChanges = on(0.4)
  const isRelaxed = on(0.25) && nodes > 2 && !membershipChanges
  return {
    nodes,
    electionTimeoutMs: 300,
    heartbeatMs: 50,
    leaseMs: 150,
    driftMs: 10,
    lossRate: noisy() ? swarm.scaled(0.002, 0.3) : 0,
    duplicateRate: noisy() ? swarm.scaled(0.002, 0.2) : 0,
    delayMs: noisy() ? swarm.scaled(0.5, 40) : swarm.scaled(0.1, 2),
    tailRate: noisy() ? swarm.scaled(0.002, 0.1) : 0,
    ordered: on(0.4),
    drift: noisy() ? swarm.scaled(0.0001, 0.03) : 0,
    diskMs: noisy() ? swarm.scaled(0.5, 60) : swarm.scaled(0.05, 1),
    diskTailRate: noisy(0.3) ? swarm.scaled(0.002, 0.1) : 0,
    timerLateMs: noisy() ? swarm.scaled(1, 60) : 0,
    turnMs: on() ? swarm.scaled(0.2, 10) : 0,
    snapshotEvery: on() ? Math.floor(swarm.scaled(3, 100)) : 0,
    snapshotBytes: Math.floor(swarm.scaled(48, 2000)),
    chunkBytes: Math.floor(swarm.scaled(40, 1000)),
    retainBytes: on() ? 1 : Math.floor(swarm.scaled(100, 20_000)),
    payloadBytes: on(0.7) ? 8 : Math.floor(swarm.scaled(8, 400)),
    maxMessageBytes: on() ? 65_536 : Math.floor(swarm.scaled(100, 4000)),
    inflightBytes: on() ? 1 << 20 : Math.floor(swarm.scaled(200, 8000)),
    maxReadyBytes: on() ? 1 << 20 : Math.floor(swarm.scaled(100, 4000)),
    frozen: on(0.05),
    hints: on(),
    membershipChanges,
    fsyncEveryMs: isRelaxed ? swarm.scaled(10, 2000) : 0,
  }
}

// -------------------------------------------------------------------------------------------- operations

function drawOperations(seed: number, swarm: Stream, horizonMs: number): readonly Operation[] {
  const perSecond = swarm.scaled(5, 300)
  const readShare = swarm.pick([0, 0.2, 0.5, 0.8])
  const leaseShare = swarm.pick([0, 0.5, 1])
  const anywhere = swarm.pick([0, 0.1, 0.5])
  const burst = swarm.pick([1, 1, 4])
  const stream = new Stream(seed, 'operations')
  const operations: Operation[] = []
  for (let at = 0; at < horizonMs; at += stream.exponential(1000 / perSecond)) {
    const read = stream.chance(readShare)
    const lease = stream.chance(leaseShare)
    operations.push({
      at,
      kind: read ? (lease ? 'lease-read' : 'read') : 'write',
      pick: stream.uint32(),
      anywhere: stream.chance(anywhere),
      count: 1 + stream.below(burst),
    })
  }
  return operations
}
