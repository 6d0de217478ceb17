/**
 * A node's log store, watched: what it has called durable has to be there at every later start, whatever happened
 * to the process or the power, unless the log was cut or reset meanwhile, or its disk was replaced.
 */
import type { NodeStorage } from '../../core/node-storage.ts'
import type { LogStore, RecoveredLog } from '../../core/ports.ts'
import type { HardState, Membership } from '../../core/raft/types.ts'
import { Violation } from '../sim/judge.ts'
import type { Counters } from './counters.ts'

export class DurableLog {
  readonly #name: string
  readonly #counters: Counters
  readonly #hear: (membership: Membership) => void
  /** The terms of the entries that are durable, by their index; and the hard state. */
  #terms = new Map<number, number>()
  #last = 0
  /** Where the last write began: what is damaged in it cannot be told from a torn one (design of the log). */
  #lastBatch = 0
  #term = 0
  #votedFor: string | null = null
  #snapshot = 0
  /** A start has begun to read it, and has not come to the end. */
  #isRecovering = false
  /** A byte of it has been changed. */
  isRotten = false

  /** @param hear is told of each membership before it is on this disk. */
  constructor(name: string, counters: Counters, hear: (membership: Membership) => void) {
    this.#name = name
    this.#counters = counters
    this.#hear = hear
  }

  /** The disk is another one. */
  forget(): void {
    this.#terms.clear()
    this.#last = 0
    this.#lastBatch = 0
    this.#term = 0
    this.#votedFor = null
    this.#snapshot = 0
    this.isRotten = false
  }

  over(storage: NodeStorage): NodeStorage {
    return {
      ...storage,
      log: this.#watch(storage.log),
      // Known when the log has been read.
      get tailInDoubt() {
        return storage.tailInDoubt
      },
    }
  }

  #watch(log: LogStore): LogStore {
    return {
      failed: log.failed,
      hasRoom: (bytes) => log.hasRoom(bytes),
      room: () => log.room(),
      close: (clean) => log.close(clean),
      compact: (index) => log.compact(index),
      recover: async (index, term) => {
        // One before that did not come to its end may have cut already, and have told nobody.
        const mayBeCut = this.#isRecovering
        this.#isRecovering = true
        const recovered = await log.recover(index, term)
        this.#isRecovering = false
        this.#judge(index, recovered, mayBeCut || recovered.cut !== undefined)
        this.#counters.recoveries++
        if (recovered.cut !== undefined) this.#counters.recoveriesThatCut++
        if (index > 0) this.#counters.fromSnapshot++
        return recovered
      },
      append: async (batch) => {
        if (batch.truncateFrom !== undefined) this.#truncate(batch.truncateFrom)
        for (const { membership } of batch.entries) if (membership !== undefined) this.#hear(membership)
        await log.append(batch)
        for (const { index, term } of batch.entries) this.#terms.set(index, term)
        this.#last = batch.entries.at(-1)?.index ?? this.#last
        this.#lastBatch = batch.entries[0]?.index ?? this.#last + 1
        if (batch.hardState !== undefined) this.#keep(batch.hardState)
      },
      reset: async (meta, hardState) => {
        this.#truncate(0)
        await log.reset(meta, hardState)
        this.#counters.snapshotsInstalled++
        this.#snapshot = meta.index
        this.#last = Math.max(this.#last, meta.index)
        this.#keep(hardState)
      },
    }
  }

  #keep({ term, votedFor }: HardState): void {
    this.#term = term
    this.#votedFor = votedFor
  }

  /** What is being cut is in doubt from now on. */
  #truncate(from: number): void {
    for (let index = from; index <= this.#last; index++) this.#terms.delete(index)
    this.#last = Math.min(this.#last, Math.max(0, from - 1))
  }

  #judge(snapshot: number, { entries, hardState }: RecoveredLog, mayBeCut: boolean): void {
    const last = entries.at(-1)?.index ?? snapshot
    const isForgetful = forgets(hardState, { term: this.#term, votedFor: this.#votedFor })
    if (last < this.#last || snapshot < this.#snapshot || isForgetful) {
      if (this.isRotten && mayBeCut && last >= this.#lastBatch - 1) throw new LostTail()
      const found = `entries up to ${last} behind a snapshot of ${snapshot}, term ${hardState.term}`
      const had = `${this.#last}, ${this.#snapshot}, ${this.#term} for ${this.#votedFor}`
      throw new Violation('what was durable is there', `${this.#name} has ${found}; had ${had}`)
    }
    for (const { index, term } of entries) {
      const known = this.#terms.get(index)
      if (known !== undefined && known !== term && index <= this.#last) {
        throw new Violation('what was durable is there', `${this.#name}: entry ${index} is of term ${term}`)
      }
    }
    this.#last = last
    this.isRotten = false
  }
}

/**
 * The byte that was changed is in the last write before an unclean end, which cannot be told from a torn one: the
 * one loss that recovery does not see. The computer is replaced.
 */
export class LostTail extends Error {}

const forgets = (found: HardState, had: HardState): boolean =>
  found.term < had.term ||
  (found.term === had.term && had.votedFor !== null && found.votedFor !== had.votedFor)
