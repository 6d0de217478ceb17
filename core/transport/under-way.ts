/**
 * Which entries are under way to a peer on one connection: sent, and not yet reported as received.
 *
 * A heartbeat that overtakes entries on the other connection makes the leader believe that they are lost, and
 * send them again (core/raft/progress.ts). What is still under way on a connection that keeps order and loses
 * nothing need not go twice: on a slow link that would be several copies of the same megabytes. To leave a
 * message out is always allowed; when the connection breaks, nothing is under way any more.
 */
import type { AppendEntries, Message } from '../raft/message.ts'
import type { Index, Term } from '../raft/types.ts'

interface Sent {
  readonly bytes: number
  readonly atMs: number
  /** The last entry that it carries; 0 for none. */
  readonly through: Index
  /** How often the leader had gone back by then. */
  readonly era: number
}

export class UnderWay {
  readonly #sent: Sent[] = []
  #received = 0
  #term: Term = 0
  /** Entries of this term's leader, one after another, none of them sent since the leader last went back. */
  #from: Index = 0
  #through: Index = 0
  #era = 0
  bytes = 0

  /** Whether all entries of the message are on their way already. */
  covers(message: Message): boolean {
    if (message.type !== 'appendEntries' || message.entries.length === 0 || this.#sent.length === 0)
      return false
    return (
      message.term === this.#term && message.prevIndex + 1 >= this.#from && lastOf(message) <= this.#through
    )
  }

  /** Since when the oldest message has been on its way; undefined when there is none. */
  get sinceMs(): number | undefined {
    return this.#sent[0]?.atMs
  }

  add(message: Message, bytes: number, atMs: number): void {
    const hasEntries = message.type === 'appendEntries' && message.entries.length > 0
    if (hasEntries) this.#extend(message)
    this.#sent.push({ bytes, atMs, through: hasEntries ? lastOf(message) : 0, era: this.#era })
    this.bytes += bytes
  }

  /** A leader that goes back has been told that what follows does not fit: all that is to go again. */
  #extend(message: AppendEntries): void {
    if (message.term !== this.#term || message.prevIndex !== this.#through) {
      this.#from = message.prevIndex + 1
      this.#era++
    }
    this.#term = message.term
    this.#through = lastOf(message)
  }

  /** The peer has received `count` messages on this connection in all. False: more than were sent. */
  received(count: number): boolean {
    if (count - this.#received > this.#sent.length) return false
    for (; this.#received < count; this.#received++) {
      const { bytes, through, era } = this.#sent.shift()!
      this.bytes -= bytes
      if (era === this.#era) this.#from = Math.max(this.#from, through + 1)
    }
    return true
  }
}

const lastOf = ({ prevIndex, entries }: AppendEntries): Index => prevIndex + entries.length
