/**
 * Connections of other processes: `GET /api/v1/connect` with `Upgrade: concord-endpoint`, after which both sides speak
 * the protocol of the node's own socket. Whoever may not is told so as an answer of HTTP, before any of the node's
 * memory is his; every other upgrade is answered, too, and never left waiting.
 */
import type { EventEmitter } from 'node:events'
import { STATUS_CODES, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { ConcordError, type EndpointPort, type Log } from '../../core/plugin.ts'
import { BASE } from './base.ts'
import { tokenOf } from './call.ts'
import { HttpError, type Problem, problemJson, problemOf, PROBLEM_JSON } from './problem.ts'

export const CONNECT_PATH = `${BASE}/connect`
const PROTOCOL = 'concord-endpoint'
/** Silent connections stay known to whatever translates addresses on the way. */
const KEEP_ALIVE_MS = 30_000
/** For an answer that nobody takes. */
const ANSWER_MS = 10_000
const ACCEPTED = `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${PROTOCOL}\r\n\r\n`
const UNFORESEEN: Omit<Problem, 'headers'> = {
  status: 500,
  code: 'INTERNAL',
  message: 'the node failed to answer; its log says more',
  outcome: 'not-applied',
  retryable: false,
  details: undefined,
}

export interface UpgradesOwner {
  readonly endpoint: EndpointPort
  readonly log: Log
  /** The node takes no more. */
  readonly signal: AbortSignal
  /** Throws what refuses whoever has this token. */
  authorize(token: string | undefined): Promise<unknown>
}

/** What wants another protocol, HTTP/2 for one, is answered in this one, where Node.js lets a server choose (from 24.9 on). */
export const isForConnections = ({ headers }: IncomingMessage): boolean =>
  headers.upgrade?.toLowerCase() === PROTOCOL

export class Upgrades {
  readonly #owner: UpgradesOwner
  readonly #visits = new Map<Socket, { finish(): Promise<void> }>()
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
    try {
      this.#judged.add(socket)
      await this.#judge(request)
      if (!socket.writable) return void socket.destroy()
      this.#open(socket, head)
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
    await Promise.all([...this.#visits.values()].map((visit) => visit.finish()))
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
      const text = `Upgrade: this server knows ${PROTOCOL} at GET ${CONNECT_PATH}, and no other protocol`
      throw new HttpError('INVALID_REQUEST', text)
    }
    // Nobody sends a body along; whatever follows is of the other protocol, and comes after the answer.
    if (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0) {
      throw new HttpError('INVALID_REQUEST', 'a request for a connection has no body')
    }
    if (signal.aborted) throw new ConcordError('STOPPED', 'this node is being stopped')
    this.#refuseWhenFull(endpoint)
    await this.#owner.authorize(tokenOf(headers))
    if (signal.aborted) throw new ConcordError('STOPPED', 'this node is being stopped')
    this.#refuseWhenFull(endpoint)
  }

  #refuseWhenFull({ refusal }: EndpointPort): void {
    if (refusal !== undefined) throw new ConcordError('OVERLOADED', refusal.message)
  }

  #open(socket: Socket, head: Buffer): void {
    socket.setNoDelay(true)
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    socket.write(ACCEPTED)
    if (head.length > 0) socket.unshift(head)
    socket.once('close', () => this.#visits.delete(socket))
    this.#visits.set(socket, this.#owner.endpoint.accept(socket))
  }
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
