/**
 * A peer that this node keeps connected to, over two connections that it dials: `control` for votes, heartbeats,
 * results and small calls, `bulk` for entries, snapshots and large calls, so that the first never wait behind
 * megabytes of the second (H10). The peer does the same in the other direction.
 */
import type { ConcordError } from '../errors.ts'
import type { PeerAddress, PeerStats } from '../ports.ts'
import type { Message } from '../raft/message.ts'
import type { Lane } from './hello.ts'
import { Line, type LineFailure, type LineOwner } from './line.ts'
import type { TransportWorld } from './options.ts'
import type { Secured } from './security.ts'
import type { Session } from './session.ts'
import type { Closing } from './wire.ts'

/** What is no larger than this does not hold up a heartbeat. */
export const SMALL_BYTES = 16 * 1024

export interface PeerOwner extends Pick<LineOwner, 'otherRuns'> {
  up(session: Session): void
  down(session: Session, closing: Closing): void
  lost(): void
  failed(failure: LineFailure): void
}

/** Which connection a message takes while both are there. */
export function laneOf(message: Message): Lane {
  switch (message.type) {
    case 'appendEntries':
      return message.entries.length > 0 ? 'bulk' : 'control'
    case 'installSnapshot':
      return 'bulk'
    default:
      return 'control'
  }
}

export class Peer {
  readonly id: string
  readonly address: string
  readonly #control: Line
  readonly #bulk: Line
  /** Of sessions that have ended. */
  #past = { sentBytes: 0, receivedBytes: 0, dropped: 0 }
  dropped = 0

  constructor({ id, address }: PeerAddress, world: TransportWorld, secured: Secured, owner: PeerOwner) {
    this.id = id
    this.address = address
    const line = (lane: Lane, lineOwner: LineOwner) =>
      new Line({ address, lane, expected: id, isKept: true }, world, secured, lineOwner)
    const otherRuns: LineOwner['otherRuns'] = (peer, runId) => owner.otherRuns(peer, runId)
    this.#bulk = line('bulk', {
      otherRuns,
      // Who cannot be reached is dialled once, not twice.
      wants: () => this.session('control') !== undefined,
      up: (session) => owner.up(session),
      down: (session, closing) => {
        this.#remember(session)
        owner.down(session, closing)
      },
      failed: () => {},
    })
    this.#control = line('control', {
      otherRuns,
      up: (session) => {
        owner.up(session)
        this.#bulk.dial()
      },
      down: (session, closing) => {
        this.#remember(session)
        // What is dead on one connection is dead on the other; that one would find out much later.
        if (closing.cause === 'timeout') this.#bulk.session?.close('timeout')
        owner.down(session, closing)
      },
      lost: () => owner.lost(),
      failed: (failure) => owner.failed(failure),
    })
    this.#control.dial()
  }

  session(lane: Lane): Session | undefined {
    const { session } = lane === 'control' ? this.#control : this.#bulk
    return session?.isOpen === true ? session : undefined
  }

  /** The connection that the attempt under way may bring. */
  async reach(lane: Lane): Promise<Session> {
    const control = await this.#control.reach()
    return lane === 'control' ? control : this.#bulk.reach()
  }

  #remember({ traffic, dropped }: Session): void {
    this.#past.sentBytes += traffic.sentBytes
    this.#past.receivedBytes += traffic.receivedBytes
    this.#past.dropped += dropped
  }

  stats(): PeerStats {
    const open = [this.#control.session, this.#bulk.session].filter((session) => session !== undefined)
    const sum = (of: (session: Session) => number) => open.reduce((total, session) => total + of(session), 0)
    return {
      id: this.id,
      address: this.address,
      connected: open.length === 2,
      queuedBytes: sum(({ traffic }) => traffic.queuedBytes),
      sentBytes: this.#past.sentBytes + sum(({ traffic }) => traffic.sentBytes),
      receivedBytes: this.#past.receivedBytes + sum(({ traffic }) => traffic.receivedBytes),
      dropped: this.#past.dropped + this.dropped + sum(({ dropped }) => dropped),
      reconnects: Math.max(0, this.#control.sessions - 1),
      rttMs: this.#control.session?.rttMs ?? null,
    }
  }

  /** `why`: what calls that were not sent reject with. */
  stop(why: ConcordError): void {
    this.#control.stop(why)
    this.#bulk.stop(why)
  }
}
