/**
 * All connections with nodes that are known, by their ids: which runs of a node are connected now, which of its
 * own connections a peer can be answered on, and how many there may be.
 */
import type { ConcordError } from '../errors.ts'
import type { Clock, Introduction } from '../ports.ts'
import type { NodeId } from '../raft/types.ts'
import type { Lane } from './hello.ts'
import type { Session } from './session.ts'

export class Registry {
  readonly #clock: Clock
  readonly #maxAccepted: number
  readonly #sessions = new Map<NodeId, Session[]>()
  /** In the order in which they came. */
  readonly #accepted = new Set<Session>()
  size = 0

  constructor(clock: Clock, maxAccepted: number) {
    this.#clock = clock
    this.#maxAccepted = maxAccepted
  }

  /** A new run, let in, ends the connections of the one before. */
  add(session: Session): void {
    for (const other of this.#of(session.id)) {
      if (other.hello.runId !== session.hello.runId) other.close('local', new Error('it runs anew'))
    }
    this.#sessions.set(session.id, [...this.#of(session.id), session])
    this.size++
  }

  accepted(session: Session): void {
    this.add(session)
    this.#accepted.add(session)
    if (this.#accepted.size > this.#maxAccepted) this.#makeRoom()
  }

  #makeRoom(): void {
    const all = [...this.#accepted]
    const victim = all.find(({ isMember, isIdle }) => !isMember && isIdle) ?? all[0]
    victim?.close('local', new Error('too many connections'))
  }

  remove(session: Session): void {
    const others = this.#of(session.id).filter((other) => other !== session)
    if (others.length === this.#of(session.id).length) return
    if (others.length === 0) this.#sessions.delete(session.id)
    else this.#sessions.set(session.id, others)
    this.#accepted.delete(session)
    this.size--
  }

  #of(id: NodeId): readonly Session[] {
    return this.#sessions.get(id) ?? []
  }

  otherRuns(id: NodeId, runId: string): Introduction['otherRuns'] {
    const now = this.#clock.monotonicMs()
    const heard = new Map<string, number>()
    for (const { hello, heardAtMs, isOpen } of this.#of(id)) {
      if (!isOpen || hello.runId === runId) continue
      heard.set(hello.runId, Math.min(heard.get(hello.runId) ?? Infinity, now - heardAtMs))
    }
    return [...heard].map(([other, heardAgoMs]) => ({ runId: other, heardAgoMs }))
  }

  retire(id: NodeId | undefined): void {
    const sessions = id === undefined ? [...this.#sessions.values()].flat() : this.#of(id)
    for (const session of sessions) session.retire()
  }

  /** The newest that the peer has dialled itself. */
  acceptedFrom(id: NodeId, lane: Lane): Session | undefined {
    return this.#of(id).findLast((session) => session.lane === lane && !session.dialled && session.isOpen)
  }

  close(why: ConcordError): void {
    for (const session of [...this.#sessions.values()].flat()) session.close('local', why)
  }
}
