/**
 * The safety invariants (Figure 3.2 of the Raft thesis, and what durability adds), checked as things happen.
 *
 * The judge sees what no node can: every log that was ever written, every vote ever sent, every disk. It knows
 * the core only through its `Ready` records and messages, never through its fields.
 */
import type {
  Entry,
  Envelope,
  Index,
  Leadership,
  Membership,
  NodeId,
  Persist,
  Removal,
  SnapshotMeta,
  Term,
} from '../../core/raft/index.ts'
import type { Counters } from './counters.ts'
import { type Disk, holds, lastIndex } from './disk.ts'
import { mix } from './hash.ts'
import { hashEntry, type Model } from './model.ts'

/** The end of a run: an invariant did not hold. */
export class Violation extends Error {
  override readonly name = 'Violation'
  readonly invariant: string

  constructor(invariant: string, message: string) {
    super(`${invariant}: ${message}`)
    this.invariant = invariant
  }
}

/** What one incarnation has written to its log, durable or not, with a hash over each prefix. */
export interface Chain {
  base: Index
  terms: Term[]
  hashes: number[]
  times: number[]
  memberships: boolean[]
}

/** What the judge needs to know of a node. */
export interface Witness {
  readonly id: NodeId
  /** Unique per incarnation. */
  readonly serial: number
  readonly disk: Disk
  chain: Chain
  model: Model
}

export interface Judge {
  readonly counters: Counters
  readonly leaders: Map<Term, NodeId>
  readonly votes: Map<number, NodeId>
  /** (index, term) -> hash of the log up to there, the same wherever it is found (log matching). */
  readonly prefixes: Map<number, number>
  /** Every membership that was ever in a log, with its index. */
  readonly memberships: { readonly index: Index; readonly membership: Membership }[]
  /** By index: what was committed, the prefix up to it, and the machine after it. */
  readonly committedTerms: Term[]
  readonly committedHashes: number[]
  readonly committedChains: number[]
  readonly committedTimes: number[]
  /** True time of its first application. */
  readonly committedAtMs: number[]
  /** The term in which whoever first applied it stood: at or above the one that committed it. */
  readonly committedIn: Term[]
  readonly states: number[]
  /** By payload number: where it was applied; 0 not yet, -1 must never be. */
  readonly effects: number[]
  /** Every write acknowledged and every state seen by a read is at or below this index. */
  floor: Index
}

export function createJudge(counters: Counters, founding: Model): Judge {
  return {
    counters,
    leaders: new Map(),
    votes: new Map(),
    prefixes: new Map(),
    memberships: [],
    committedTerms: [0],
    committedHashes: [0],
    committedChains: [0],
    committedTimes: [0],
    committedAtMs: [0],
    committedIn: [0],
    states: [founding.hash],
    effects: [0],
    floor: 0,
  }
}

function claim(holdsTrue: boolean, invariant: string, message: () => string): asserts holdsTrue {
  if (!holdsTrue) throw new Violation(invariant, message())
}

// ------------------------------------------------------------------------------------------------ the log

/** The chain of what a disk holds at a start. The base is committed, so its prefix is known. */
export function chainOf(judge: Judge, disk: Disk): Chain {
  const chain = emptyChain(judge, disk.base)
  for (const entry of disk.entries) extend(judge, chain, entry, 'disk')
  return chain
}

function emptyChain(judge: Judge, base: Index): Chain {
  return {
    base,
    terms: [judge.committedTerms[base]!],
    hashes: [judge.committedChains[base]!],
    times: [judge.committedTimes[base]!],
    memberships: [false],
  }
}

export function chainEnd(chain: Chain): Index {
  return chain.base + chain.terms.length - 1
}

function extend(judge: Judge, chain: Chain, entry: Entry, owner: string): void {
  const last = chain.terms.length - 1
  claim(
    entry.index === chain.base + last + 1,
    'log is contiguous',
    () => `${owner} wrote entry ${entry.index}`,
  )
  claim(
    entry.term >= chain.terms[last]!,
    'terms never fall along the log',
    () => `${owner} at ${entry.index}`,
  )
  claim(
    entry.clusterTime >= chain.times[last]!,
    'clusterTime never falls along the log',
    () => `${owner} at ${entry.index}: ${entry.clusterTime} after ${chain.times[last]}`,
  )
  const hash = mix(chain.hashes[last]!, hashEntry(entry))
  const key = entry.index * 2 ** 22 + entry.term
  const known = judge.prefixes.get(key)
  if (known === undefined) {
    judge.prefixes.set(key, hash)
    if (entry.membership) judge.memberships.push({ index: entry.index, membership: entry.membership })
  } else claim(known === hash, 'log matching', () => `${owner} at (${entry.index}, ${entry.term})`)
  chain.terms.push(entry.term)
  chain.hashes.push(hash)
  chain.times.push(entry.clusterTime)
  chain.memberships.push(entry.kind === 'membership')
}

/** A step towards the disk: `leads` is the term in which the node leads, or 0. */
export function judgePersist(judge: Judge, node: Witness, persist: Persist, leads: Term): void {
  const { chain } = node
  if (persist.reset) resetChain(judge, node, persist.reset.meta)
  const from = persist.batch.truncateFrom
  if (from !== undefined && from <= chainEnd(chain)) truncateChain(judge, node, from, leads)
  for (const entry of persist.batch.entries) extend(judge, chain, entry, node.id)
}

function resetChain(judge: Judge, node: Witness, meta: SnapshotMeta): void {
  const { chain } = node
  const at = meta.index - chain.base
  if (at >= 0 && at < chain.terms.length && chain.terms[at] !== meta.term)
    judge.counters.installsOverConflict++
  claim(
    meta.index < judge.states.length,
    'a snapshot holds committed entries only',
    () => `${node.id} ${meta.index}`,
  )
  Object.assign(chain, emptyChain(judge, meta.index))
}

function truncateChain(judge: Judge, node: Witness, from: Index, leads: Term): void {
  const { chain } = node
  const keep = from - chain.base
  claim(
    from > node.model.applied.index || chain.terms[keep] !== judge.committedTerms[from],
    'nothing applied is truncated',
    () => `${node.id} truncates from ${from}, has applied ${node.model.applied.index}`,
  )
  claim(
    leads === 0 || chain.terms.at(-1)! < leads,
    'leader append-only',
    () => `${node.id} leads term ${leads} and truncates from ${from}`,
  )
  judge.counters.truncations++
  if (chain.memberships.includes(true, keep)) judge.counters.truncatedMemberships++
  chain.terms.length = keep
  chain.hashes.length = keep
  chain.times.length = keep
  chain.memberships.length = keep
}

// ------------------------------------------------------------------------------------------- leaders, votes

/**
 * Election safety and leader completeness, when a node says that it leads. A log is written piece by piece: of
 * what has not been handed to the disk yet, only the length, `lastIndexHeld`, is known here.
 */
export function judgeLeader(judge: Judge, node: Witness, term: Term, lastIndexHeld: Index): void {
  const known = judge.leaders.get(term)
  claim(
    known === undefined || known === node.id,
    'election safety',
    () => `${known} and ${node.id} both lead term ${term}`,
  )
  if (known === undefined) judge.leaders.set(term, node.id)
  // One that wins an old term late owes nothing to the terms above it.
  const last = judge.committedIn.findLastIndex((committed) => committed < term)
  const { chain } = node
  claim(
    chainEnd(chain) < last
      ? lastIndexHeld >= last
      : chain.base >= last || chain.terms[last - chain.base] === judge.committedTerms[last],
    'leader completeness',
    () =>
      `${node.id} leads term ${term} without the committed entry (${last}, ${judge.committedTerms[last]}); ` +
      `its log ends at (${chainEnd(chain)}, ${chain.terms.at(-1)})`,
  )
}

function judgeVote(judge: Judge, node: Witness, term: Term, candidate: NodeId): void {
  const key = node.serial * 2 ** 32 + term
  const known = judge.votes.get(key)
  if (known === undefined) judge.votes.set(key, candidate)
  claim(
    known === undefined || known === candidate,
    'one vote in each term',
    () => `${node.id} votes for ${candidate} in term ${term}, and did for ${known}`,
  )
}

/** Nothing leaves a node that its disk could not repeat after a crash. */
export function judgeSend(judge: Judge, node: Witness, envelope: Envelope): void {
  const { message, to } = envelope
  const { disk } = node
  if (message.type !== 'preVote') {
    claim(
      disk.hardState.term >= message.term,
      'a term is durable before it is told',
      () => `${node.id} sends ${message.type} of term ${message.term}, its disk is at ${disk.hardState.term}`,
    )
  }
  switch (message.type) {
    case 'requestVote':
      judgeVote(judge, node, message.term, node.id)
      break
    case 'requestVoteResult':
      if (!message.granted) {
        judge.counters.votesRefused++
        break
      }
      judgeVote(judge, node, message.term, to)
      claim(
        disk.hardState.term > message.term || disk.hardState.votedFor === to,
        'a vote is durable before it is told',
        () => `${node.id} grants ${to} term ${message.term}, its disk says ${disk.hardState.votedFor}`,
      )
      break
    case 'preVoteResult':
      if (!message.granted) judge.counters.preVotesRefused++
      break
    case 'appendEntriesResult':
      if (message.refusal) judge.counters.appendsRefused++
      judgeAck(node, message.matchIndex)
      break
    case 'installSnapshotResult':
      judgeAck(node, message.matchIndex)
      break
    case 'preVote':
    case 'appendEntries':
    case 'installSnapshot':
    case 'timeoutNow':
    case 'removed':
      break
  }
}

function judgeAck(node: Witness, matchIndex: Index): void {
  claim(
    matchIndex <= Math.max(lastIndex(node.disk), node.disk.snapshot.meta.index),
    'an entry is durable before it is acknowledged',
    () => `${node.id} acknowledges ${matchIndex}, its disk ends at ${lastIndex(node.disk)}`,
  )
}

// ------------------------------------------------------------------------------------------- commit, apply

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
 * clusterTime is a duration: it runs no faster than the fastest monotonic clock since the first entry, however
 * wall clocks jump and machines sleep. Only a quorum that has restarted may let wall clocks move it.
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

/** H58: whoever leaves was removed by a membership that is in a log, and ids never come back. */
export function judgeRemoval(judge: Judge, node: Witness, removal: Removal): void {
  const isTrue = judge.memberships.some(
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
