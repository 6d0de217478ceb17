/** What happened in a run, counted: faults that struck, operations that were checked, states that were reached. */

export function createCounters() {
  return {
    partition: 0,
    reset: 0,
    crash: 0,
    power: 0,
    blackout: 0,
    stop: 0,
    pause: 0,
    suspend: 0,
    'wall-step': 0,
    'disk-stall': 0,
    'fsync-failure': 0,
    'disk-full': 0,
    rot: 0,
    bug: 0,
    snapshot: 0,
    transfer: 0,
    replace: 0,
    join: 0,
    remove: 0,
    lost: 0,
    // Operations, by outcome.
    writes: 0,
    reads: 0,
    eventualReads: 0,
    refused: 0,
    unknown: 0,
    unanswered: 0,
    retriedOnce: 0,
    // What must be reached sometimes.
    revisions: 0,
    expired: 0,
    replayedBatches: 0,
    restarts: 0,
    recoveries: 0,
    recoveriesThatCut: 0,
    recoveriesRefused: 0,
    fromSnapshot: 0,
    snapshotsInstalled: 0,
    bugsMet: 0,
    nodesFailed: 0,
    nodesRemoved: 0,
    leaderChanges: 0,
    statesCompared: 0,
  }
}

export type Counters = ReturnType<typeof createCounters>
export type Counter = keyof Counters

export function addCounters(sum: Counters, more: Counters): void {
  for (const name of Object.keys(sum) as Counter[]) sum[name] += more[name]
}

/** Least counts per million events (about 170 seeds): a third or less of what such a run reaches. */
const expected: Partial<Record<Counter, number>> = {}

/** Which counters a run of so many events has left below what it must reach; short runs owe nothing. */
export function shortfalls(counters: Counters, events: number): readonly string[] {
  const scale = events / 1_000_000
  if (scale < 1) return []
  return Object.entries(expected).flatMap(([name, least]) => {
    const found = counters[name as Counter]
    return found < least * scale ? [`${name}: ${found}, expected at least ${Math.ceil(least * scale)}`] : []
  })
}
