/**
 * What a node tells of itself while it runs: the driver's events become lines of its log, telemetry, what plugins
 * see at the window, and what `db.on` tells.
 */
import { appliedBatch } from './host/applied.ts'
import type { Hooks } from './hooks.ts'
import { differingMembers } from './member-hints.ts'
import type { Driver } from './node/driver.ts'
import type { DriverEvents } from './node/driver-ports.ts'
import type { Peering } from './node/peering.ts'
import type { OpenNode } from './open-node.ts'
import type { Log } from './host/contract.ts'
import type { Clock } from './ports.ts'
import type { Telemetry } from './telemetry.ts'

/** Between two `cluster.status` events. */
const STATUS_MS = 10_000

export interface NewsParts {
  /** Of this node, as it is called in the membership. */
  readonly id: string
  readonly hooks: Hooks
  readonly log: Log
  readonly telemetry: Telemetry
  /** Undefined on a node that is configured without peers. */
  readonly peering: Peering | undefined
  /** Whom `cluster.members` names; undefined when it names nobody. */
  readonly configured: readonly string[] | undefined
  /** Undefined while the node is being opened. */
  readonly node: () => OpenNode | undefined
}

export function newsOf({ id, hooks, log, telemetry, peering, configured, node }: NewsParts): DriverEvents {
  const stall = telemetry.event('node.stall')
  const change = telemetry.event('state.change')
  const created = telemetry.event('snapshot.created')
  const installed = telemetry.event('snapshot.installed')
  const space = telemetry.event('storage.space')
  const differs = telemetry.event('state.differs')
  let told: string | undefined
  return {
    wantsChanges: () => hooks.applied.isUsed(),
    applied: (entry, revision, changes, replay) =>
      hooks.applied.call(appliedBatch(entry, changes, revision, replay)),
    leadership: ({ role, term, leader, established }) => {
      log.info({ role, term, leader, established }, 'leadership')
      if (change.isWanted) change.emit({ role, term, leader })
      if (established) peering?.leads()
      // To others a leader is one that may decide.
      if (role !== 'leader' || established) node()?.tellLeader({ leader, term, isSelf: leader === id })
    },
    stall: (durationMs) => {
      log.warn({ durationMs: Math.round(durationMs) }, 'the event loop stood still')
      if (stall.isWanted) stall.emit({ durationMs })
      node()?.tell('stall', { durationMs })
    },
    snapshot: ({ meta, sizeBytes, durationMs }) => {
      log.info({ index: meta.index, sizeBytes, durationMs: Math.round(durationMs) }, 'snapshot taken')
      if (created.isWanted) created.emit({ index: meta.index, sizeBytes, durationMs })
    },
    space: (isFull) => {
      if (isFull) log.warn('the volume is full: new writes are refused until there is space for the log')
      else log.info('there is space for the log again: writes are taken')
      if (space.isWanted) space.emit({ isFull })
    },
    membership: (membership) => {
      log.info({ voters: membership.voters, learners: membership.learners }, 'membership')
      const difference = differingMembers(configured, membership, id)
      if (difference !== undefined && difference !== told) log.warn(difference)
      told = difference
      peering?.membership(membership)
    },
    differing: (comparison) => {
      log.error({ ...comparison }, 'not all voters had the same state')
      if (differs.isWanted) differs.emit(comparison)
    },
    disagreed: (values, why) => log.warn({ configured: values }, `limits of the config wait: ${why}`),
    installed: ({ meta: { index }, sizeBytes, durationMs }) => {
      log.info({ index, durationMs: Math.round(durationMs) }, "caught up by a leader's snapshot")
      if (installed.isWanted) installed.emit({ index, sizeBytes, durationMs })
    },
    failed: (error) => void node()?.stop({ reason: 'failed', error }),
  }
}

/** Every ten seconds while somebody listens, until the driver stops. */
export function tellStatus(driver: Driver, clock: Clock, telemetry: Telemetry): void {
  const event = telemetry.event('cluster.status')
  const tell = (): void => {
    if (driver.isStopped) return
    clock.after(STATUS_MS, tell)
    if (!event.isWanted) return
    const { members, commitIndex, appliedIndex, role } = driver.status()
    const { revision, users } = driver.machine
    event.emit({
      keys: users.count,
      revision,
      memberCount: members.length,
      commitIndex,
      appliedIndex,
      isLeader: role === 'leader',
    })
  }
  clock.after(STATUS_MS, tell)
}
