/**
 * Connections of other processes: `GET /api/v1/connect` with `Upgrade: concord-endpoint`, after which both sides speak
 * the protocol of the node's own socket. Whoever may not is told so as an answer of HTTP, before any of the node's
 * memory is his; every other upgrade is answered, too, and never left waiting.
 */
import type { EventEmitter } from 'node:events'
import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import {
  type Clock,
  CONNECT_PATH,
  CONNECT_PROTOCOL,
  ConcordError,
  type EndpointPort,
  type Log,
  type Route,
  type Timer,
} from '../../core/plugin.ts'
import { tokenOf } from './call.ts'
import { HttpError, type Problem, problemJson, problemOf, PROBLEM_JSON } from './problem.ts'
import { object, timeoutMs } from './schemas.ts'

/** Whoever says nothing holds a place: whether his token still holds is asked again after as long. */
const JUDGED_AGAIN_MS = 60_000
/** For an answer that nobody takes. */
const ANSWER_MS = 10_000
const ACCEPTED = `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${CONNECT_PROTOCOL}\r\n\r\n`
const UNFORESEEN: Omit<Problem, 'headers'> = {
  status: 500,
  code: 'INTERNAL',
  message: 'the node failed to answer; its log says more',
  outcome: 'not-applied',
  retryable: false,
  details: undefined,
}

const NO_UPGRADE =
  'no upgrade has arrived with this request: a server of your own needs server.on("upgrade", http.upgrade), and a proxy on the way has to pass Upgrade on'

/** For a request that should have been an upgrade, and has arrived as one for an answer. */
export const connectRoute: Route = {
  method: 'GET',
  path: '/connect',
  tag: 'Health',
  permission: 'public',
  summary: 'Connect a client of the whole store',
  description: `By \`Upgrade: ${CONNECT_PROTOCOL}\`, with which this is answered 101, and the connection becomes one of \`connect()\`.`,
  query: object({ timeout_ms: timeoutMs }),
  responses: { 426: { description: 'There was no upgrade.' } },
  examples: [{ summary: 'Without an upgrade', status: 426 }],
  handle: () => {
    throw new HttpError('UPGRADE_REQUIRED', NO_UPGRADE, {
      headers: { upgrade: CONNECT_PROTOCOL, connection: 'Upgrade' },
    })
  },
}

export interface UpgradesOwner {
  readonly clock: Clock
  readonly endpoint: EndpointPort
  readonly log: Log
  /** The node takes no more. */
  readonly signal: AbortSignal
  /** Throws what refuses whoever has this token. */
  authorize(token: string | undefined): Promise<unknown>
}

/** What wants another protocol, HTTP/2 for one, is answered in this one, where Node.js lets a server choose (from 24.9 on). */
export const isForConnections = ({ headers }: IncomingMessage): boolean =>
  headers.upgrade?.toLowerCase() === CONNECT_PROTOCOL

interface Visit {
  readonly session: ReturnType<EndpointPort['accept']>
  /** Until its token is judged again. */
  timer: Timer | undefined
}

export class Upgrades {
  readonly #owner: UpgradesOwner
  readonly #visits = new Map<Socket, Visit>()
  /** Their tokens are being judged. */
  readonly #judged = new Set<Socket>()

  constructor(owner: UpgradesOwner) {
    this.#owner = owner
  }

  /** For the `upgrade` event of a server. Never rejects. */
  async take(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    // In a server of the application's own others may wait for theirs.
    if (!isForConnections(request) && isHeardByOthers(socket)) return
    socket.on('error', () => socket.destroy())
    // What HTTP has left: its patience between two requests.
    socket.setTimeout(0)
    try {
      this.#judged.add(socket)
      await noAnswerIsOpen(socket)
      await this.#judge(request)
      if (!socket.writable) return void socket.destroy()
      this.#open(socket, head)
      this.#judgeAgain(socket, tokenOf(request.headers))
    } catch (error) {
      const known = problemOf(error)
      if (known === undefined)
        this.#owner.log.error({ err: error }, 'a connection failed in a way that nobody has foreseen')
      refuse(socket, known ?? { ...UNFORESEEN, headers: {} })
    } finally {
      this.#judged.delete(socket)
    }
  }

  /** Answers what is under way on every connection, and closes it; whoever is still being judged is let go. */
  async finish(): Promise<void> {
    for (const socket of this.#judged) socket.destroy()
    await Promise.all([...this.#visits.values()].map(({ session }) => session.finish()))
  }

  /** What `finish` has left. */
  destroy(): void {
    for (const socket of [...this.#judged, ...this.#visits.keys()]) socket.destroy()
  }

  async #judge(request: IncomingMessage): Promise<void> {
    const { method, url = '', headers } = request
    const { endpoint, signal } = this.#owner
    const isOurs = isForConnections(request) && url.split('?', 1)[0] === CONNECT_PATH
    if (!isOurs || method !== 'GET') {
      const text = `Upgrade: this server knows ${CONNECT_PROTOCOL} at GET ${CONNECT_PATH}, and no other protocol`
      throw new HttpError('INVALID_REQUEST', text)
    }
    // Nobody sends a body along; whatever follows is of the other protocol, and comes after the answer.
    if (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0) {
      throw new HttpError('INVALID_REQUEST', 'a request for a connection has no body')
    }
    if (signal.aborted) throw new ConcordError('STOPPED', 'this node is being stopped')
    mayEnter(endpoint)
    await this.#inTime(url, this.#owner.authorize(tokenOf(headers)))
    if (signal.aborted) throw new ConcordError('STOPPED', 'this node is being stopped')
    mayEnter(endpoint)
  }

  /** Whoever says that he does not wait long is told in that time what for. */
  async #inTime(url: string, judged: Promise<unknown>): Promise<void> {
    const ms = Number(new URLSearchParams(url.split('?', 2)[1]).get('timeout_ms') ?? NaN)
    if (!(ms > 0 && ms <= ANSWER_MS)) return void (await judged)
    const { clock } = this.#owner
    const late = Promise.withResolvers<never>()
    const timer = clock.after(ms, () => late.reject(new ConcordError('NOT_READY', NOT_JUDGED)))
    await Promise.race([judged, late.promise]).finally(() => clock.cancel(timer))
  }

  #open(socket: Socket, head: Buffer): void {
    socket.write(ACCEPTED)
    if (head.length > 0) socket.unshift(head)
    const session = this.#owner.endpoint.accept(socket)
    this.#visits.set(socket, { session, timer: undefined })
    socket.once('close', () => {
      this.#owner.clock.cancel(this.#visits.get(socket)?.timer)
      this.#visits.delete(socket)
    })
  }

  /** Calls are judged one by one, by tokens of their own. */
  #judgeAgain(socket: Socket, token: string | undefined): void {
    const visit = this.#visits.get(socket)
    if (visit === undefined) return
    const goOn = (): void => this.#judgeAgain(socket, token)
    visit.timer = this.#owner.clock.after(JUDGED_AGAIN_MS, () => {
      this.#owner.authorize(token).then(goOn, (error: unknown) => {
        // That nobody can tell just now says nothing of the token.
        if (ConcordError.is(error) && error.code === 'UNAUTHORIZED') socket.destroySoon()
        else goOn()
      })
    })
  }
}

const NOT_JUDGED = 'this node waits for a leader to know whether the token holds'

function mayEnter({ refusal }: EndpointPort): void {
  if (refusal === undefined) return
  throw refusal.code === 'CANNOT_CONNECT' ? new ConcordError('OVERLOADED', refusal.message) : refusal
}

/** Node.js has no other word for the answer that a socket is taken by. */
const OPEN_ANSWER = '_httpMessage'

/**
 * What was asked before on this connection is answered first, and then it is refused: a 101 in the middle of answers
 * would be taken for one of them, and what follows it as the rest.
 */
async function noAnswerIsOpen(socket: Socket & { [OPEN_ANSWER]?: ServerResponse | null }): Promise<void> {
  if (socket[OPEN_ANSWER] == null) return
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  for (let open = socket[OPEN_ANSWER]; open != null && !socket.destroyed; open = socket[OPEN_ANSWER]) {
    const { promise: finished, resolve } = Promise.withResolvers<void>()
    open.once('finish', resolve)
    await Promise.race([closed, finished])
  }
  throw new HttpError(
    'INVALID_REQUEST',
    'an upgrade is asked for on a connection that waits for no other answer',
  )
}

const isHeardByOthers = (socket: Socket & { readonly server?: EventEmitter }): boolean =>
  (socket.server?.listenerCount('upgrade') ?? 0) > 1

function refuse(socket: Socket, problem: Problem): void {
  if (!socket.writable) return void socket.destroy()
  const { status, body } = problemJson(problem, CONNECT_PATH)
  const text = JSON.stringify(body)
  const headers = {
    ...problem.headers,
    'content-type': PROBLEM_JSON,
    'content-length': String(Buffer.byteLength(text)),
    connection: 'close',
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  socket.setTimeout(ANSWER_MS, () => socket.destroy())
  socket.unref()
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('\r\n')}\r\n\r\n${text}`, () =>
    socket.destroy(),
  )
}
