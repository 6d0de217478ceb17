/**
 * Connections to addresses of which nobody knows yet who is there: for founding, joining, asking around. Dialled
 * when somebody calls, kept while they are used, never dialled again by themselves.
 */
import { ConcordError } from '../errors.ts'
import type { Timer } from '../ports.ts'
import { cannotReach } from './calls.ts'
import { Line, type LineFailure, type LineOwner } from './line.ts'
import type { TransportWorld } from './options.ts'
import type { Secured } from './security.ts'
import type { Session } from './session.ts'

const MAX_GUESTS = 256

export interface GuestsOwner extends Pick<LineOwner, 'otherRuns' | 'up' | 'down'> {
  failed(address: string, failure: LineFailure): void
}

interface Guest {
  readonly line: Line
  timer: Timer
}

export class Guests {
  readonly #world: TransportWorld
  readonly #secured: Secured
  readonly #owner: GuestsOwner
  readonly #guests = new Map<string, Guest>()

  constructor(world: TransportWorld, secured: Secured, owner: GuestsOwner) {
    this.#world = world
    this.#secured = secured
    this.#owner = owner
  }

  reach(address: string): Promise<Session> {
    if (!this.#guests.has(address) && this.#guests.size >= MAX_GUESTS) {
      return Promise.reject(
        new ConcordError('OVERLOADED', `${MAX_GUESTS} other addresses are being asked now`),
      )
    }
    const guest = this.#guests.get(address) ?? this.#invite(address)
    this.#keep(address, guest)
    return guest.line.reach()
  }

  #invite(address: string): Guest {
    const owner = this.#owner
    const line = new Line({ address, lane: 'control', isKept: false }, this.#world, this.#secured, {
      otherRuns: (id, runId) => owner.otherRuns(id, runId),
      up: (session) => owner.up(session),
      down: (session, closing) => owner.down(session, closing),
      failed: (failure) => owner.failed(address, failure),
    })
    const guest = { line, timer: undefined }
    this.#guests.set(address, guest)
    return guest
  }

  #keep(address: string, guest: Guest): void {
    const { clock, settings } = this.#world
    clock.cancel(guest.timer)
    guest.timer = clock.after(settings.idleMs, () => {
      if (guest.line.session?.isIdle === false) return this.#keep(address, guest)
      this.#guests.delete(address)
      guest.line.stop(cannotReach(address, 'nobody has asked for long'))
    })
  }

  close(why: ConcordError): void {
    for (const { line, timer } of this.#guests.values()) {
      this.#world.clock.cancel(timer)
      line.stop(why)
    }
    this.#guests.clear()
  }
}
