/**
 * The judge, on what is committed: applied once and everywhere the same, on the disks of a quorum; memberships,
 * removals, promotions and hand-overs; and what the clients were told.
 */
import type {
  Entry,
  Index,
  Leadership,
  Membership,
  NodeId,
  Persist,
  Removal,
  Term,
} from '../../core/raft/index.ts'
import { type Disk, holds, lastIndex } from './disk.ts'
import { mix } from './hash.ts'
import { claim, type Judge, type Witness } from './judge.ts'
import type { Model } from './model.ts'

/** One entry is on the node's model, in `term`: held against what others applied at its index. */
export function judgeApply(
  judge: Judge,
  node: Witness,
  entry: Entry,
  hash: number,
  term: Term,
  memberships: () => readonly Membership[],
  isHolder: (id: NodeId, entry: Entry) => boolean,
): void {
  const { index } = entry
  if (index === judge.states.length) {
    judgeCommit(judge, node, entry, memberships, isHolder)
    judge.committedTerms.push(entry.term)
    judge.committedHashes.push(hash)
    judge.committedChains.push(mix(judge.committedChains[index - 1]!, hash))
    judge.committedTimes.push(entry.clusterTime)
    judge.committedIn.push(term)
    judge.states.push(node.model.hash)
    judge.counters.entriesCommitted++
  } else {
    claim(index < judge.states.length, 'entries are applied in order', () => `${node.id} applies ${index}`)
    claim(
      judge.committedHashes[index] === hash,
      'state machine safety',
      () =>
        `${node.id} applies another entry at ${index}: term ${entry.term}, not ${judge.committedTerms[index]}`,
    )
    claim(
      judge.states[index] === node.model.hash,
      'equal state at equal index',
      () => `${node.id} at ${index}`,
    )
  }
  claim(
    holds(node.disk, index, entry.term),
    'what is applied is durable on the node',
    () => `${node.id} applies ${index}, its disk ends at ${lastIndex(node.disk)}`,
  )
}

/**
 * Durability: what is committed is on the disks of a quorum, whatever their memory says. `memberships` are those
 * that may have been in force for whoever committed it.
 */
function judgeCommit(
  judge: Judge,
  node: Witness,
  entry: Entry,
  memberships: () => readonly Membership[],
  isHolder: (id: NodeId, entry: Entry) => boolean,
): void {
  const quorum = (voters: readonly NodeId[]): boolean =>
    voters.length === 0 || 2 * voters.filter((id) => isHolder(id, entry)).length > voters.length
  claim(
    memberships().some((membership) => quorum(membership.voters) && quorum(membership.outgoing)),
    'a committed entry is durable on a quorum',
    () =>
      `${node.id} applies (${entry.index}, ${entry.term}) held by no quorum of ${JSON.stringify(memberships())}`,
  )
  if (judge.states.length > 1) {
    claim(
      entry.term >= judge.committedTerms.at(-1)!,
      'terms never fall along the committed log',
      () => `${node.id} at ${entry.index}`,
    )
  }
}

/** What a leader commits by counting is of its own term (Figure 3.7 of the thesis): judged when its index rose. */
export function judgeCommitIndex(node: Witness, termBefore: Term, commitIndex: Index, now: Leadership): void {
  if (now.role !== 'leader' || now.term !== termBefore) return
  const term = node.chain.terms[commitIndex - node.chain.base]
  claim(
    term === undefined || term === now.term,
    'a leader commits by counting in its own term only',
    () => `${node.id} leads term ${now.term} and commits (${commitIndex}, ${term})`,
  )
}

/**
 * clusterTime is a duration: it runs no faster than the fastest clock since the first entry, however far apart wall
 * clocks are, and machines sleep, and all restart. Only in a restart may a wall clock move it that was set meanwhile.
 */
export function judgeClusterTime(judge: Judge, entry: Entry, passedMs: number): void {
  const mostMs = judge.committedTimes[1]! + passedMs
  claim(
    entry.clusterTime <= mostMs + 1,
    'clusterTime runs no faster than the clocks',
    () => `entry ${entry.index} says ${entry.clusterTime}, at most ${mostMs} is possible`,
  )
}

/** Quorum overlap: from one committed membership to the next only by way of the joint one (4.3). */
export function judgeMembership(judge: Judge, node: Witness, before: Membership, after: Membership): void {
  const { counters } = judge
  const same = (a: readonly NodeId[], b: readonly NodeId[]): boolean =>
    a.toSorted().join() === b.toSorted().join()
  const enters = before.outgoing.length === 0 && same(after.outgoing, before.voters)
  const leaves = after.outgoing.length === 0 && same(after.voters, before.voters)
  claim(
    enters || leaves,
    'quorum overlap',
    () => `${node.id} goes from ${JSON.stringify(before)} to ${JSON.stringify(after)}`,
  )
  if (after.outgoing.length > 0) counters.membershipsJoint++
  else counters.membershipsFinal++
  counters.learnersPromoted += after.voters.filter((id) => before.learners.includes(id)).length
}

/** H54: a change begins under a leader of which an entry of its own term is committed. */
export function judgeChange(
  node: Witness,
  { batch }: Persist,
  { role, term, established }: Leadership,
): void {
  if (role !== 'leader' || established) return
  claim(
    batch.entries.every((entry) => entry.kind !== 'membership' || entry.term < term),
    'no change before an entry of the term is committed',
    () => `${node.id} in term ${term}`,
  )
}

/** H58: whoever leaves was removed by a membership that is committed, and ids never come back. */
export function judgeRemoval(judge: Judge, node: Witness, removal: Removal, ownCommit: Index): void {
  const isTrue =
    removal.index <= Math.max(judge.commitIndex, ownCommit) &&
    judge.memberships.some(
      ({ index, membership }) => index <= removal.index && membership.removed.includes(node.id),
    )
  claim(isTrue, 'only the removed leave', () => `${node.id} by ${JSON.stringify(removal)}`)
}

/** H59: a learner that is promoted has, on disk, what was committed two election timeouts ago. */
export function judgePromotion(judge: Judge, learner: Witness, agoMs: number): void {
  const index = judge.committedAtMs.findLastIndex((at) => at <= agoMs)
  const { disk } = learner
  claim(
    Math.max(lastIndex(disk), disk.snapshot.meta.index) >= index,
    'a learner that is promoted keeps up',
    () => `${learner.id} ends at ${lastIndex(disk)}, ${index} was committed at ${agoMs}`,
  )
}

/** H07: a hand-over that is done has made that node a leader; in which term, a turn of many messages does not say. */
export function judgeTransfer(judge: Judge, node: Witness, to: NodeId | null): void {
  const hasLed = [...judge.leaders.values()].some((leader) => leader === to)
  claim(hasLed, 'a hand-over that is done is done', () => `${node.id} to ${to}, who never led`)
}

/** A snapshot put in the place of a machine. */
export function judgeInstall(judge: Judge, node: Witness, model: Model | undefined): asserts model is Model {
  claim(model !== undefined, 'an installed snapshot is whole', () => node.id)
  const { index, term } = model.applied
  claim(
    index > node.model.applied.index,
    'a snapshot never rolls the machine back',
    () => `${node.id} installs ${index} over ${node.model.applied.index}`,
  )
  judgeState(judge, node.id, model)
  claim(judge.committedTerms[index] === term, 'state machine safety', () => `${node.id} installs ${index}`)
}

/** A machine as it stands equals every other that ever stood at its index. */
export function judgeState(judge: Judge, owner: NodeId, model: Model): void {
  const { index } = model.applied
  claim(
    index < judge.states.length && judge.states[index] === model.hash,
    'equal state at equal index',
    () => `${owner} at ${index}`,
  )
}

/** Every payload has one effect, and a refused one has none (exactly once, and refused means refused). */
export function judgeEffect(judge: Judge, owner: NodeId, entry: Entry, payload: number): void {
  const known = judge.effects[payload]
  claim(
    known !== undefined && known !== -1,
    'a refused write has no effect',
    () => `${owner} payload ${payload}`,
  )
  claim(
    known === 0 || known === entry.index,
    'a write has one effect',
    () => `${owner} applies payload ${payload} at ${entry.index}, it was at ${known}`,
  )
  judge.effects[payload] = entry.index
}

/** Real-time order: an operation that began when `floor` was known must come after it. */
export function judgeAnswer(judge: Judge, kind: string, at: Index, floor: Index, strictly: boolean): void {
  claim(
    strictly ? at > floor : at >= floor,
    'linearizability',
    () => `a ${kind} answered at index ${at} began after an answer at ${floor}`,
  )
  if (at > judge.floor) judge.floor = at
}

/** At the end, at rest: all that was acknowledged is on the disks of a quorum and applied there. */
export function judgeEnd(
  judge: Judge,
  nodes: readonly (Witness | undefined)[],
  disks: (id: NodeId) => Disk | undefined,
): void {
  const last = judge.states.length - 1
  const newest = nodes.find((node) => node?.model.applied.index === last)
  claim(newest !== undefined && judge.floor <= last, 'durability', () => `nobody has applied ${last}`)
  const { voters } = newest.model.applied.membership
  const holders = voters.filter((id) => {
    const disk = disks(id)
    return disk !== undefined && holds(disk, last, judge.committedTerms[last]!)
  })
  claim(
    2 * holders.length > voters.length,
    'durability',
    () => `(${last}) is held by ${holders.join()} alone`,
  )
}
