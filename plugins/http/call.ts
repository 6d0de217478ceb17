/** A call as a route's function sees it; what costs something is made when it is asked for. */
import type { RouteCall, Store, StoreDefaults } from '../../core/plugin.ts'
import type { FastifyRequest } from 'fastify'
import type { ServerResponse } from 'node:http'
import type { Judged } from './judge.ts'

export interface CallOwner {
  readonly store: Store
  /** Somebody looks at tokens; the store refuses what nobody looks at. */
  readonly hasAuth: boolean
  /** Aborts when the node takes no more. */
  readonly signal: AbortSignal
}

export class Call implements RouteCall {
  readonly params: RouteCall['params']
  readonly query: RouteCall['query']
  readonly headers: RouteCall['headers']
  readonly body: unknown
  readonly bytes: Uint8Array | undefined
  readonly contentType: string
  readonly token: string | undefined
  readonly actor: string | undefined
  readonly #owner: CallOwner
  readonly #response: ServerResponse
  #store: Store | undefined
  #signal: AbortSignal | undefined

  constructor(
    owner: CallOwner,
    request: FastifyRequest,
    response: ServerResponse,
    judged: Judged,
    body: unknown,
    actor?: string,
  ) {
    this.params = judged.params
    this.query = judged.query
    this.headers = request.headers
    this.contentType = mediaType(request.headers['content-type'])
    this.bytes = body instanceof Uint8Array ? body : undefined
    this.body = this.bytes === undefined ? body : undefined
    this.token = tokenOf(request.headers)
    this.actor = actor
    this.#owner = owner
    this.#response = response
  }

  get store(): Store {
    this.#store ??= this.#ofItsDefaults()
    return this.#store
  }

  #ofItsDefaults(): Store {
    const { store, hasAuth } = this.#owner
    const { consistency, timeout_ms: timeoutMs } = this.query
    if (!hasAuth && consistency === undefined && timeoutMs === undefined) return store
    const defaults = {
      timeoutMs: timeoutMs as number | undefined,
      consistency: consistency as StoreDefaults['consistency'],
    }
    return store.with(hasAuth ? { ...defaults, token: this.token ?? '' } : defaults)
  }

  get signal(): AbortSignal {
    this.#signal ??= AbortSignal.any([this.#owner.signal, goneSignal(this.#response)])
    return this.#signal
  }
}

/** Of this call, however many come over the same connection. */
function goneSignal(response: ServerResponse): AbortSignal {
  const abort = new AbortController()
  const gone = (): void => {
    if (!response.writableFinished) abort.abort(new Error('the client has gone'))
  }
  if (response.closed) gone()
  else response.once('close', gone)
  return abort.signal
}

export function mediaType(header: string | undefined): string {
  return header === undefined ? '' : header.split(';', 1)[0]!.trim().toLowerCase()
}

const BEARER = /^bearer +(\S+)$/i

/**
 * `Authorization: Bearer`, and for whoever cannot set that, `X-API-Key`. Another scheme is for somebody else, such as a
 * proxy on the way: it shows nothing here.
 */
export function tokenOf(headers: RouteCall['headers']): string | undefined {
  const bearer = BEARER.exec((headers['authorization'] as string | undefined) ?? '')
  if (bearer !== null) return bearer[1]
  const key = headers['x-api-key']
  return typeof key === 'string' ? key : undefined
}

/** For whoever is refused since he has shown none: how one is shown, or what is wrong with the way he has shown it. */
export function wayToShow(headers: RouteCall['headers']): string | undefined {
  if (tokenOf(headers) !== undefined) return undefined
  if (headers['authorization'] === undefined)
    return 'It is shown as "Authorization: Bearer TOKEN", or as X-API-Key'
  return 'The header Authorization is there in another form than "Bearer TOKEN"'
}
