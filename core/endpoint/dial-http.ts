/**
 * The way to a node's own protocol over its HTTP port: a request for an upgrade, at the endpoints in order, beginning
 * with the one that answered last. What an endpoint refuses with is kept, and the next one is tried.
 */
import { type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { Socket } from 'node:net'
import { ConcordError } from '../errors.ts'
import type { Clock } from '../ports.ts'
import { nodesShareOf } from './ask.ts'
import { CONNECT_PATH, CONNECT_PROTOCOL, KEEP_ALIVE_MS } from './over-http.ts'
import { errorOf } from './shapes.ts'
import type { Way } from './way.ts'

const UNKNOWN_AUTHORITY: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])
/** Of an answer that refuses. */
const MAX_ANSWER_BYTES = 64 * 1024

export interface HttpDialOptions {
  readonly token?: string | undefined
  /** PEM text: of whom certificates are trusted. */
  readonly ca?: string | undefined
  /** For one round through all endpoints; each has its share. */
  readonly timeoutMs: number
  readonly clock: Clock
}

export function httpDial(endpoints: readonly URL[], options: HttpDialOptions): Way {
  const shareMs = Math.max(1, Math.floor(options.timeoutMs / endpoints.length))
  let first = 0
  const moveOn = (): void => {
    first = (first + 1) % endpoints.length
  }
  const dial = async (signal: AbortSignal): Promise<Socket> => {
    const refusals: ConcordError[] = []
    for (let tried = 0; tried < endpoints.length; tried++) {
      const at = (first + tried) % endpoints.length
      signal.throwIfAborted()
      try {
        const socket = await upgrade(endpoints[at]!, options, shareMs, signal)
        first = at
        return socket
      } catch (error) {
        refusals.push(error as ConcordError)
      }
    }
    // Begin elsewhere next time: whoever was good has failed now.
    moveOn()
    throw mostTelling(refusals)
  }
  return { alternatives: endpoints.length, endsInSilence: true, dial, moveOn }
}

/** What nothing but another token cures comes first; else what may pass. */
function mostTelling(refusals: readonly ConcordError[]): ConcordError {
  const [only] = refusals
  const chosen =
    refusals.find(({ code }) => code === 'UNAUTHORIZED' || code === 'FORBIDDEN') ??
    refusals.find(({ retryable }) => retryable) ??
    only!
  if (refusals.length === 1) return chosen
  const text = refusals.map(({ message }) => message).join('; ')
  const { code, retryable, details, cause } = chosen
  return new ConcordError(code, `no endpoint lets this client in: ${text}`, {
    outcome: 'not-applied',
    retryable,
    details,
    cause,
  })
}

function upgrade(
  endpoint: URL,
  { token, ca, clock }: HttpDialOptions,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>()
  const isTls = endpoint.protocol === 'https:'
  const url = new URL(CONNECT_PATH, endpoint)
  // So that it says what it waits for while somebody still listens.
  url.searchParams.set('timeout_ms', String(Math.floor(nodesShareOf(timeoutMs))))
  const request = (isTls ? requestHttps : requestHttp)(url, {
    agent: false,
    signal,
    headers: {
      connection: 'Upgrade',
      upgrade: CONNECT_PROTOCOL,
      accept: 'application/problem+json',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    ...(isTls && ca !== undefined && { ca }),
  })
  const timer = clock.after(timeoutMs, () => request.destroy(new Error(`no answer within ${timeoutMs} ms`)), {
    keepAlive: true,
  })
  request.on('error', (cause) => reject(unreachable(endpoint, cause)))
  request.on('upgrade', (_response, socket, head) => {
    clock.cancel(timer)
    socket.setNoDelay(true)
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    if (head.length > 0) socket.unshift(head)
    resolve(socket)
  })
  request.on('response', (response) => {
    refusalOf(endpoint, response).then(reject, (cause: Error) => reject(unreachable(endpoint, cause)))
  })
  request.on('close', () => clock.cancel(timer))
  request.end()
  return promise
}

async function refusalOf(endpoint: URL, response: IncomingMessage): Promise<ConcordError> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > MAX_ANSWER_BYTES) break
    chunks.push(chunk)
  }
  const said = problemIn(Buffer.concat(chunks).toString())
  const { statusCode = 0 } = response
  if (said === undefined || statusCode === 400 || statusCode === 404) return noNode(endpoint, statusCode)
  const { detail, retryable, details } = said
  // A code of HTTP's own: to a client it is no node yet.
  const code = statusCode === 426 ? 'CANNOT_CONNECT' : said['code']
  const message = `${endpoint.origin}: ${String(detail)}`
  return errorOf(
    { code, message, outcome: 'not-applied', retryable: retryable === true, details },
    undefined,
  ) as ConcordError
}

function problemIn(text: string): Record<string, unknown> | undefined {
  try {
    const found = JSON.parse(text) as unknown
    const isProblem = typeof found === 'object' && found !== null && 'code' in found && 'detail' in found
    return isProblem ? found : undefined
  } catch {
    return undefined
  }
}

function noNode(endpoint: URL, status: number): ConcordError {
  const why = status === 404 ? '; or there is one, and its server or a proxy does not pass Upgrade on' : ''
  const text = `${endpoint.origin}: something listens there, but it is no node with plugins.http (it answered ${status})${why}`
  return new ConcordError('CANNOT_CONNECT', text, { retryable: false, details: { status } })
}

function unreachable(endpoint: URL, cause: Error): ConcordError {
  // Of several addresses of one name, each has failed in its own way.
  const causes = cause instanceof AggregateError ? (cause.errors as Error[]) : [cause]
  const why = causes.map((each) => whyOf(endpoint, each)).join(', ')
  return new ConcordError('CANNOT_CONNECT', `${endpoint.origin}: ${why}`, { retryable: true, cause })
}

/** What Node.js says, in words that say what to do where it says what OpenSSL thought. */
function whyOf({ protocol, host }: URL, cause: NodeJS.ErrnoException): string {
  const { code = '', message } = cause
  if (protocol === 'https:' && (code === 'EPROTO' || code.startsWith('ERR_SSL_'))) {
    return `what listens there does not speak TLS as it should (${code}): was http://${host} meant?`
  }
  if (protocol === 'http:' && code === 'ECONNRESET') {
    return `the connection was ended without an answer: does it speak TLS, and was https://${host} meant?`
  }
  if (UNKNOWN_AUTHORITY.has(code)) {
    return `its certificate is of no authority that is trusted here (${code}): give that authority's as \`ca\`, PEM text`
  }
  return message
}
