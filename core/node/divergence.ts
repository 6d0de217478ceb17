/**
 * Divergence is noticed (H46). At fixed indexes every voter computes the hash of its state and tells it to the
 * leader; the leader puts the table of them into the log, and whoever applies it compares it with what it had
 * itself. A node stops if a strict majority of all voters agree on another hash. Where there is no such majority
 * nobody can say who is right: that is said, and no snapshot is taken of a state that is in doubt.
 *
 * A report that is lost costs one comparison: the next index comes.
 */
import { ConcordError } from '../errors.ts'
import { encodeHashes, stateHash } from '../machine/index.ts'
import type { HashTable } from '../machine/index.ts'
import type { Index, NodeId } from '../raft/index.ts'
import type { Network } from './network.ts'
import { encodeCall } from './peer-calls.ts'
import type { Whole } from './whole.ts'

/** Entries between two comparisons. */
export const COMPARE_EVERY = 128
/** How long the leader waits for the last voters to report. */
const REPORTS_MS = 2000
const PATIENCE_MS = 5000
/** Indexes of which this node remembers what it had. */
const REMEMBERED = 32

/** What a table says, to whoever has applied it. */
export interface Comparison {
  readonly index: Index
  readonly hashes: HashTable['hashes']
  /** What this node had at that index. */
  readonly own: string
}

export type DivergenceOwner = Pick<
  Whole,
  'self' | 'machine' | 'membership' | 'leads' | 'otherLeader' | 'nowMs' | 'log' | 'doubt' | 'differing'
>

export class Divergence {
  readonly #owner: DivergenceOwner
  readonly #network: Network
  /** What this node had, by index. */
  readonly #own = new Map<Index, string>()
  /** What the voters say they had at one index: only the newest one is gathered. */
  #reports:
    | { readonly index: Index; readonly sinceMs: number; readonly hashes: Map<NodeId, string> }
    | undefined

  constructor(owner: DivergenceOwner, network: Network) {
    this.#owner = owner
    this.#network = network
  }

  /**
   * An entry has been applied. What is replayed at a start is compared and not reported: the table is in the log.
   *
   * @throws `DIVERGED` - this node has another state than a majority of the voters.
   */
  applied(index: Index, table: HashTable | undefined, replay: boolean): void {
    if (index % COMPARE_EVERY === 0) this.#note(index, replay)
    if (table !== undefined) this.#compare(table)
  }

  #note(index: Index, replay: boolean): void {
    const hash = stateHash(this.#owner.machine())
    this.#own.set(index, hash)
    for (const old of this.#own.keys()) if (this.#own.size > REMEMBERED) this.#own.delete(old)
    const voters = this.#voters()
    const self = this.#owner.self()
    if (replay || voters.length < 2 || !voters.includes(self)) return
    if (this.#owner.leads()) return this.reported(self, index, hash)
    const leader = this.#owner.otherLeader()
    if (leader === null) return
    const question = encodeCall({ kind: 'hash', member: self, index, hash })
    const patience = { deadlineMs: this.#owner.nowMs() + PATIENCE_MS }
    void this.#network.call(leader, question, patience).catch(() => undefined)
  }

  /** By the leader: what a voter had at an index. */
  reported(member: NodeId, index: Index, hash: string): void {
    const voters = this.#voters()
    if (!voters.includes(member) || index < (this.#reports?.index ?? 0)) return
    if (this.#reports?.index !== index) {
      this.#log()
      this.#reports = { index, sinceMs: this.#owner.nowMs(), hashes: new Map() }
    }
    this.#reports.hashes.set(member, hash)
    if (voters.every((id) => this.#reports!.hashes.has(id))) this.#log()
  }

  /** At every tick: who has not reported by now is not waited for. */
  consider(): void {
    if (this.#reports !== undefined && this.#owner.nowMs() - this.#reports.sinceMs >= REPORTS_MS) this.#log()
  }

  /** One voter alone has nobody to be compared with. */
  #log(): void {
    const reports = this.#reports
    this.#reports = undefined
    if (reports === undefined || reports.hashes.size < 2 || !this.#owner.leads()) return
    const table = { index: reports.index, voters: this.#voters().length, hashes: [...reports.hashes] }
    void this.#owner.log((writer) => encodeHashes(writer, table)).catch(() => undefined)
  }

  #compare({ index, voters, hashes }: HashTable): void {
    const own = this.#own.get(index)
    if (own === undefined) return
    const counts = new Map<string, number>()
    for (const [, hash] of hashes) counts.set(hash, (counts.get(hash) ?? 0) + 1)
    const agreed = [...counts].find(([, count]) => 2 * count > voters)
    if (agreed !== undefined && agreed[0] !== own) throw diverged(index, own, agreed[0], agreed[1], voters)
    this.#owner.doubt(agreed === undefined && [...counts.keys()].some((hash) => hash !== own))
    if ([...counts.keys()].some((hash) => hash !== own)) this.#owner.differing({ index, hashes, own })
  }

  #voters(): NodeId[] {
    const { voters, outgoing } = this.#owner.membership()
    return [...new Set([...voters, ...outgoing])]
  }
}

function diverged(index: Index, own: string, theirs: string, count: number, voters: number): ConcordError {
  const why = `at index ${index} this node has a state (hash ${own}) other than ${count} of ${voters} voters (hash ${theirs}). Its data is set aside: to take part again, start it on an empty directory`
  return new ConcordError('DIVERGED', why, { details: { index, own, agreed: theirs, count, voters } })
}
