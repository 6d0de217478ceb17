/**
 * One connection that this node dials, again and again if it is to be kept: dial, TLS, handshake, session; when
 * it ends, a pause that doubles from 50 ms to 2 s, with chance in it, and begins anew once a peer has shown that
 * it lives.
 *
 * A line that is kept also tells a dead peer from a silent one: a connection that was reset, and the one dialled
 * at once after it refused, means that nobody listens there any more (`lost`). Silence never does.
 */
import type { Socket } from 'node:net'

import type { ConcordError } from '../errors.ts'
import type { Introduction, RefusalReason, Timer } from '../ports.ts'
import type { NodeId } from '../raft/types.ts'
import { parseAddress } from '../address.ts'
import { cannotReach } from './calls.ts'
import { Greeter, type HandshakeResult } from './handshake.ts'
import type { Lane } from './hello.ts'
import type { TransportWorld } from './options.ts'
import type { Secured } from './security.ts'
import type { Session } from './session.ts'
import { type Closing, Wire } from './wire.ts'

/** A peer that dies may still accept a connection or two and reset them before it refuses. */
const SUSPECT_DIALS = 3

export interface LineOwner {
  /** Whether a kept line is to be dialled now; `dial` is called again when that changes. */
  wants?(): boolean
  otherRuns(id: NodeId, runId: string): Introduction['otherRuns']
  /** Before anything has come over it. */
  up(session: Session): void
  down(session: Session, closing: Closing): void
  lost?(): void
  failed(failure: LineFailure): void
}

export interface LineFailure {
  readonly kind: 'refused' | 'refusedBy' | 'failed' | 'malformed'
  readonly message: string
  readonly reason?: RefusalReason | undefined
  readonly peer?: NodeId | undefined
}

export interface LineGoal {
  readonly address: string
  readonly lane: Lane
  readonly expected?: NodeId | undefined
  /** Dial again when it ends; else once, when told to. */
  readonly isKept: boolean
}

interface Attempt {
  socket: Socket | undefined
  readonly timer: Timer
  settled: boolean
}

export class Line {
  readonly #goal: LineGoal
  readonly #world: TransportWorld
  readonly #secured: Secured
  readonly #owner: LineOwner
  session: Session | undefined
  #attempt: Attempt | undefined
  /** Who waits for the attempt under way. */
  #waiting: { resolve: (session: Session) => void; reject: (error: Error) => void }[] = []
  #pause: Timer
  #backoffMs: number
  #suspectDials = 0
  #upAtMs = 0
  #stopped = false

  constructor(goal: LineGoal, world: TransportWorld, secured: Secured, owner: LineOwner) {
    this.#goal = goal
    this.#world = world
    this.#secured = secured
    this.#owner = owner
    this.#backoffMs = world.settings.minBackoffMs
  }

  /** Times a session was established. */
  sessions = 0

  /** The session there is, or the one that the attempt under way may bring; dials if the line is not kept. */
  reach(): Promise<Session> {
    if (this.session?.isOpen === true) return Promise.resolve(this.session)
    if (this.#attempt === undefined && !this.#goal.isKept) this.dial()
    if (this.#attempt === undefined) {
      return Promise.reject(
        cannotReach(this.#goal.expected ?? this.#goal.address, 'it could not be a moment ago'),
      )
    }
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  dial(): void {
    if (this.#stopped || this.#attempt !== undefined || this.session !== undefined) return
    if (this.#owner.wants?.() === false) return
    this.#world.clock.cancel(this.#pause)
    const { handshakeMs } = this.#world.settings
    const attempt: Attempt = {
      socket: undefined,
      settled: false,
      timer: this.#world.clock.after(handshakeMs, () => {
        this.#failed(attempt, { kind: 'failed', message: `it has not answered in ${handshakeMs} ms` })
      }),
    }
    this.#attempt = attempt
    const to = parseAddress(this.#world.dial(this.#goal.address))
    if (to === undefined) {
      const message = `host:port expected, found "${this.#goal.address}"`
      return this.#world.clock.soon(() => this.#failed(attempt, { kind: 'failed', message }))
    }
    attempt.socket = this.#secured.dial(
      to,
      () => this.#connected(attempt),
      (error) => this.#notConnected(attempt, error),
    )
    attempt.socket.unref().on('error', () => {})
  }

  #connected(attempt: Attempt): void {
    const { socket } = attempt
    if (attempt.settled || socket === undefined) return
    const wire = new Wire(socket, this.#world.clock, this.#secured.checksums)
    const handshaking = {
      address: this.#goal.address,
      credentials: this.#secured.credentials(socket),
      otherRuns: (id: NodeId, runId: string) => this.#owner.otherRuns(id, runId),
      done: (result: HandshakeResult) => this.#shaken(attempt, result),
    }
    void new Greeter(wire, this.#world, handshaking, this.#goal.lane, this.#goal.expected)
  }

  #notConnected(attempt: Attempt, error: Error): void {
    if (attempt.settled) return
    const isRefused = codesOf(error).includes('ECONNREFUSED')
    if (isRefused && this.#suspectDials > 0) {
      this.#suspectDials = 0
      this.#owner.lost?.()
    } else if (!isReset(error)) {
      this.#suspectDials = 0
    }
    this.#failed(attempt, { kind: 'failed', message: error.message || codesOf(error).join(', ') })
  }

  #shaken(attempt: Attempt, result: HandshakeResult): void {
    if (attempt.settled) {
      if ('session' in result) result.session.close('local')
      return
    }
    if ('session' in result) return this.#up(attempt, result.session)
    if (result.kind === 'closed') {
      const { cause, error } = result.closing
      if (cause !== 'reset') this.#suspectDials = 0
      const kind = cause === 'malformed' ? 'malformed' : 'failed'
      return this.#failed(attempt, {
        kind,
        message: error?.message ?? this.#closedEarly,
      })
    }
    this.#suspectDials = 0
    const { kind, refusal, peer } = result
    this.#failed(attempt, { kind, ...refusal, peer }, false)
  }

  get #closedEarly(): string {
    const hint = this.#secured.checksums
      ? '; if it has cluster.secret or cluster.tls, this node needs them too'
      : ''
    return `it has closed the connection in the handshake${hint}`
  }

  #up(attempt: Attempt, session: Session): void {
    this.#settle(attempt)
    this.#suspectDials = 0
    this.session = session
    this.sessions++
    this.#upAtMs = this.#world.clock.monotonicMs()
    session.closed = (closing) => this.#down(session, closing)
    this.#owner.up(session)
    for (const { resolve } of this.#waiting.splice(0)) resolve(session)
  }

  #down(session: Session, closing: Closing): void {
    this.session = undefined
    const { clock, settings } = this.#world
    // A peer that takes connections only to end them is not dialled without a pause.
    const hasLived = clock.monotonicMs() - this.#upAtMs >= settings.pingMs
    if (hasLived) this.#backoffMs = settings.minBackoffMs
    this.#owner.down(session, closing)
    if (!this.#goal.isKept || this.#stopped) return
    if (closing.cause === 'reset') this.#suspectDials = SUSPECT_DIALS
    if (closing.cause !== 'reset' || !hasLived) return this.#dialLater()
    // At once, but not within the call that closes: the kernel of a dying peer is still closing its sockets.
    clock.soon(() => this.dial())
  }

  #failed(attempt: Attempt, failure: LineFailure, destroy = true): void {
    if (attempt.settled) return
    this.#settle(attempt)
    if (destroy) attempt.socket?.destroy()
    if (this.#suspectDials > 0) this.#suspectDials--
    const what = this.#goal.expected ?? this.#goal.address
    for (const { reject } of this.#waiting.splice(0)) reject(cannotReach(what, failure.message))
    this.#owner.failed(failure)
    if (this.#goal.isKept && !this.#stopped) this.#dialLater()
  }

  #settle(attempt: Attempt): void {
    attempt.settled = true
    this.#world.clock.cancel(attempt.timer)
    if (this.#attempt === attempt) this.#attempt = undefined
  }

  #dialLater(): void {
    const { clock, entropy, settings } = this.#world
    const delayMs = this.#backoffMs * (0.5 + 0.5 * entropy.random())
    this.#backoffMs = Math.min(2 * this.#backoffMs, settings.maxBackoffMs)
    clock.cancel(this.#pause)
    this.#pause = clock.after(delayMs, () => this.dial())
  }

  /** `why`: what calls that were not sent reject with. */
  stop(why: ConcordError): void {
    if (this.#stopped) return
    this.#stopped = true
    this.#world.clock.cancel(this.#pause)
    const attempt = this.#attempt
    if (attempt !== undefined) {
      this.#settle(attempt)
      attempt.socket?.destroy()
    }
    for (const { reject } of this.#waiting.splice(0)) reject(why)
    this.session?.close('local', why)
  }
}

/** A host with several addresses fails with an error for each. */
function codesOf(error: Error): readonly string[] {
  const { code, errors, cause } = error as NodeJS.ErrnoException & { errors?: readonly Error[] }
  const own = code === undefined ? [] : [code]
  const inner = errors ?? (cause instanceof Error ? [cause] : [])
  return [...own, ...inner.flatMap(codesOf)]
}

const isReset = (error: Error): boolean =>
  codesOf(error).some((code) => code === 'ECONNRESET' || code === 'EPIPE')
