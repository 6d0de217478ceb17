/**
 * What one seed will do to a cluster of whole nodes, drawn as data before anything runs, so that a failure can be
 * shrunk by dropping items. As in the simulator of the core, each seed has its own classes of fault and rates.
 */
import { Stream } from '../../core/testing/prng.ts'
import type { PlanOptions } from '../sim/simulator.ts'
import { drawFaults, type Fault } from './draw-faults.ts'

/** The rates of one seed. */
export interface Profile {
  readonly nodes: number
  readonly electionTimeoutMs: number
  readonly lossRate: number
  readonly delayMs: number
  readonly diskMs: number
  /** Every clock's rate is within 1 +- this. */
  readonly drift: number
  /** Clocks on the wall differ by as much. */
  readonly wallSpreadMs: number
  /** A snapshot is taken when so much has been logged since the last one. */
  readonly snapshotLogBytes: number
  /** Of the log, kept in memory behind a snapshot for followers that lag. */
  readonly keepBytes: number
  readonly segmentBytes: number
  readonly entryBytes: number
  readonly valueBytes: number
}

export type OperationKind = (typeof OPERATIONS)[number]

const OPERATIONS = [
  'put',
  'put',
  'get',
  'get',
  'getMany',
  'entries',
  'delete',
  'putMany',
  'cas',
  'increment',
  'increment',
  'txn',
  'putTtl',
  'getTtl',
  'slice',
] as const

export interface Operation {
  readonly at: number
  readonly kind: OperationKind
  /** Chooses the node and the keys. */
  readonly pick: number
  readonly consistency: 'leader' | 'strong' | 'eventual'
}

export interface Plan {
  readonly options: PlanOptions
  readonly profile: Profile
  readonly faults: readonly Fault[]
  readonly operations: readonly Operation[]
  /** End of the phase with faults, if the events last that long; counted from the first leader on. */
  readonly horizonMs: number
}

export function drawPlan(options: PlanOptions): Plan {
  const swarm = new Stream(options.seed, 'swarm')
  const profile = drawProfile(options, swarm)
  const horizonMs = swarm.between(4000, 20_000) * (options.events / 5000)
  return {
    options,
    profile,
    faults: drawFaults(options.seed, swarm, profile, horizonMs),
    operations: drawOperations(options.seed, swarm, horizonMs),
    horizonMs,
  }
}

function drawProfile(options: PlanOptions, swarm: Stream): Profile {
  const drawnNodes = swarm.pick([1, 3, 3, 3, 3, 3, 3, 4, 5])
  const calm = swarm.chance(0.1)
  const noisy = (probability = 0.5) => swarm.chance(probability) && !calm
  return {
    nodes: options.nodes || drawnNodes,
    electionTimeoutMs: Math.floor(swarm.between(300, 1000)),
    lossRate: noisy() ? swarm.scaled(0.002, 0.1) : 0,
    delayMs: noisy() ? swarm.scaled(0.5, 20) : swarm.scaled(0.1, 2),
    diskMs: noisy() ? swarm.scaled(0.5, 30) : swarm.scaled(0.1, 1),
    drift: noisy() ? swarm.scaled(0.0001, 0.01) : 0,
    wallSpreadMs: noisy() ? swarm.scaled(100, 3_600_000) : 0,
    snapshotLogBytes: swarm.chance(0.7) ? Math.floor(swarm.scaled(1000, 30_000)) : 1 << 20,
    keepBytes: swarm.chance(0.5) ? 0 : Math.floor(swarm.scaled(500, 20_000)),
    segmentBytes: Math.floor(swarm.scaled(8192, 65_536)),
    entryBytes: swarm.chance(0.5) ? 1 << 20 : Math.floor(swarm.scaled(1024, 8192)),
    valueBytes: swarm.chance(0.7) ? 8 : Math.floor(swarm.scaled(8, 2000)),
  }
}

function drawOperations(seed: number, swarm: Stream, horizonMs: number): readonly Operation[] {
  const perSecond = swarm.scaled(10, 150)
  const levels = swarm.pick([['leader'], ['strong'], ['leader', 'strong'], ['leader', 'strong', 'eventual']])
  const stream = new Stream(seed, 'operations')
  const operations: Operation[] = []
  for (let at = 0; at < horizonMs; at += stream.exponential(1000 / perSecond)) {
    operations.push({
      at,
      kind: stream.pick(OPERATIONS),
      pick: stream.uint32(),
      consistency: stream.pick(levels) as Operation['consistency'],
    })
  }
  return operations
}
