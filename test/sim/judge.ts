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
  Membership,
  NodeId,
  Persist,
  SnapshotMeta,
  Term,
} from '../../core/raft/index.ts'
import type { Counters } from './counters.ts'
import { type Disk, lastIndex } from './disk.ts'
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
  /** The highest commitIndex that any core has had. */
  commitIndex: Index
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
    commitIndex: 0,
    floor: 0,
  }
}

export function claim(holdsTrue: boolean, invariant: string, message: () => string): asserts holdsTrue {
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
