/**
 * What happened in a run, counted: faults that struck, operations that were checked, and the states that a run
 * must *sometimes* reach. A long run in which one of the latter never happened proves less than it seems to.
 */

export function createCounters() {
  return {
    // Faults that took effect.
    lost: 0,
    duplicated: 0,
    replayed: 0,
    partition: 0,
    reset: 0,
    clog: 0,
    usurp: 0,
    'forgetful-voter': 0,
    'false-alarm': 0,
    'blind-leader': 0,
    crash: 0,
    'power-loss': 0,
    stop: 0,
    pause: 0,
    suspend: 0,
    'wall-step': 0,
    'disk-stall': 0,
    'fsync-failures-armed': 0,
    'fsync-failure': 0,
    'tail-loss': 0,
    entriesLost: 0,
    // Operations, by outcome.
    writesAcked: 0,
    writesLost: 0,
    writesUnknown: 0,
    writesRefused: 0,
    reads: 0,
    leaseReads: 0,
    forwardedReads: 0,
    readsRefused: 0,
    readsUnknown: 0,
    // What must be reached sometimes.
    leaderChanges: 0,
    entriesCommitted: 0,
    truncations: 0,
    truncatedMemberships: 0,
    preVotesRefused: 0,
    votesRefused: 0,
    refusedByStickiness: 0,
    appendsRefused: 0,
    crashesWhilePersisting: 0,
    crashesWhileInstalling: 0,
    recoveriesBehindSnapshot: 0,
    snapshotsTaken: 0,
    snapshotsInstalled: 0,
    snapshotsResumed: 0,
    installsOverConflict: 0,
    snapshotReadsFailed: 0,
    snapshotsRejected: 0,
    compactions: 0,
    restarts: 0,
    lateTimers: 0,
    transfers: 0,
    transfersEnded: 0,
    transfersDone: 0,
    membershipsProposed: 0,
    membershipsRefused: 0,
    membershipsJoint: 0,
    membershipsFinal: 0,
    leadersRemoved: 0,
    learnersPromoted: 0,
    incarnations: 0,
    membershipsDue: 0,
    leftWhenTold: 0,
    leftByOwnLog: 0,
    hintsTooLate: 0,
  }
}

export type Counters = ReturnType<typeof createCounters>
export type Counter = keyof Counters

export function addCounters(sum: Counters, more: Counters): void {
  for (const name of Object.keys(sum) as Counter[]) sum[name] += more[name]
}

/** Least counts per five million events (about 1,300 seeds): a quarter or less of what such a run reaches. */
const expected: Partial<Record<Counter, number>> = {
  lost: 20_000,
  duplicated: 5000,
  replayed: 5000,
  partition: 1500,
  reset: 500,
  clog: 800,
  usurp: 150,
  crash: 1000,
  'power-loss': 100,
  stop: 250,
  pause: 800,
  suspend: 250,
  'wall-step': 800,
  'disk-stall': 600,
  'fsync-failure': 150,
  writesAcked: 60_000,
  writesLost: 1000,
  reads: 10_000,
  leaseReads: 10_000,
  forwardedReads: 2500,
  leaderChanges: 2000,
  truncations: 150,
  truncatedMemberships: 10,
  preVotesRefused: 4000,
  votesRefused: 500,
  refusedByStickiness: 2000,
  appendsRefused: 15_000,
  crashesWhilePersisting: 400,
  crashesWhileInstalling: 60,
  recoveriesBehindSnapshot: 30,
  snapshotsTaken: 6000,
  snapshotsInstalled: 300,
  installsOverConflict: 4,
  snapshotReadsFailed: 100,
  snapshotsRejected: 3,
  compactions: 5000,
  restarts: 2500,
  lateTimers: 700,
  transfersDone: 200,
  membershipsJoint: 400,
  leadersRemoved: 100,
  learnersPromoted: 200,
  incarnations: 60,
  membershipsDue: 15,
  leftWhenTold: 20,
  leftByOwnLog: 40,
}

/** Which counters a run of so many events has left below what it must reach; short runs owe nothing. */
export function shortfalls(counters: Counters, events: number): readonly string[] {
  const scale = events / 5_000_000
  if (scale < 1) return []
  return Object.entries(expected).flatMap(([name, least]) => {
    const found = counters[name as Counter]
    return found < least * scale ? [`${name}: ${found}, expected at least ${Math.ceil(least * scale)}`] : []
  })
}
