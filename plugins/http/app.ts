/**
 * The server below the routes: fastify for routing, parsing and limits, told to trust nobody. Every route is judged
 * by its schemas, answered in the envelope, and refused by one table of problems; nothing is logged of a request but
 * what went wrong in here.
 */
import { accessFor, ConcordError, type Log, type OfferedRoute, type Route } from '../../core/plugin.ts'
import type {
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  FastifyServerOptions,
  onRequestHookHandler,
} from 'fastify'
import { parseBody } from './body.ts'
import { Call, type CallOwner, mediaType, tokenOf, wayToShow } from './call.ts'
import { type ClientOf, clientBy, type IdOf } from './client.ts'
import { isForLeader } from './elsewhere.ts'
import { answerInTurn } from './in-turn.ts'
import { judgeOf } from './judge.ts'
import { nowhereIn, urlOf } from './nowhere.ts'
import type { HttpConfig } from './options.ts'
import type { Peers } from './peers.ts'
import { HttpError, problemOf, type Problem } from './problem.ts'
import { type OpenStream, sendProblem, sendResult } from './reply.ts'
import { Streams } from './streams.ts'
import { readTls } from './tls.ts'
import type { UnderWay } from './under-way.ts'
import { answerUnreadable } from './unreadable.ts'
import { isForConnections } from './upgrade.ts'

/** Longest path: a key of 1024 bytes, each of them percent-encoded, and the query. */
const PARAM_LENGTH = 3 * 1024
const HEADER_BYTES = 8 * 1024
/** A request has to arrive whole within these; checked every second. */
const HEADERS_MS = 10_000
const REQUEST_MS = 30_000
/** A connection on which nothing is asked any more. */
const IDLE_MS = 5_000

export interface AppOwner extends CallOwner {
  readonly log: Log
  readonly config: HttpConfig
  readonly peers: Peers
  readonly underWay: UnderWay
  readonly idOf: IdOf | undefined
  /** Throws what refuses whoever calls a route that is neither public nor the store's; resolves with who it is. */
  authorize(route: Route, token: string | undefined): Promise<string | undefined>
  /** Throws what sends whoever has this token to the leader; resolves when this node is it. */
  sendToLeader(route: Route, token: string | undefined, path: string): Promise<void>
}

function serverOptions(owner: AppOwner): FastifyServerOptions {
  const { tls } = owner.config
  const limits = {
    maxHeaderSize: HEADER_BYTES,
    headersTimeout: HEADERS_MS,
    connectionsCheckingInterval: 1000,
    shouldUpgradeCallback: isForConnections,
  }
  const below = tls === undefined ? { http: limits } : { https: { ...readTls(tls), ...limits } }
  return {
    ...below,
    logger: false,
    bodyLimit: owner.config.bodyBytes,
    routerOptions: { maxParamLength: PARAM_LENGTH, caseSensitive: true },
    requestTimeout: REQUEST_MS,
    keepAliveTimeout: IDLE_MS,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    clientErrorHandler: answerUnreadable,
    frameworkErrors: (error, request, reply) => void refuse(owner, error, request, reply),
  }
}

export async function createApp(owner: AppOwner, offered: readonly OfferedRoute[]): Promise<FastifyInstance> {
  const { config, peers } = owner
  const app = peers.fastify(serverOptions(owner)) as FastifyInstance
  app.server.maxConnections = config.connections
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    done(null, body) // parsed by the route: an empty body is no JSON only where JSON is asked for
  })
  for (const type of bodyTypes(offered)) {
    app.addContentTypeParser(type, { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  }
  app.setErrorHandler((error: unknown, request, reply) => refuse(owner, error, request, reply))
  answerInTurn(app, config.requests)
  watchRequests(app, owner)
  const clientOf = clientBy(owner.idOf)
  await addExtras(app, config, peers, clientOf)
  const nowhere = nowhereIn(offered)
  const limited = peers.rateLimit === undefined ? {} : { preHandler: app.rateLimit() }
  app.setNotFoundHandler(limited, (request, reply) => {
    refuse(owner, nowhere(request.method, request.url), request, reply)
  })
  const limit = limitRequests(owner)
  const streams = new Streams(config.streams)
  const openStream = (request: FastifyRequest, reply: FastifyReply): OpenStream => {
    return (source) => streams.open(clientOf(request), source, reply)
  }
  for (const { route } of offered) addRoute(app, owner, route, limit, openStream)
  return app
}

function bodyTypes(offered: readonly OfferedRoute[]): Set<string> {
  return new Set(offered.flatMap(({ route }) => route.bodyTypes ?? []))
}

async function addExtras(
  app: FastifyInstance,
  config: HttpConfig,
  peers: Peers,
  clientOf: ClientOf,
): Promise<void> {
  const { corsOrigins, rateLimit, rateWindowMs } = config
  if (peers.cors !== undefined) {
    const origin = corsOrigins.includes('*') ? '*' : [...corsOrigins]
    const exposedHeaders = ['ETag', 'Concord-Revision', 'Retry-After', 'RateLimit', 'RateLimit-Policy']
    await app.register(peers.cors, {
      origin,
      methods: ['GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE'],
      exposedHeaders,
    })
  }
  if (peers.rateLimit !== undefined) {
    await app.register(peers.rateLimit, {
      max: rateLimit,
      timeWindow: rateWindowMs,
      keyGenerator: clientOf,
      errorResponseBuilder: () =>
        new HttpError('RATE_LIMITED', `more than ${rateLimit} requests in ${rateWindowMs} ms`),
    })
  }
}

/** What is looked at before anything of the request is: also of those to no route. */
function watchRequests(app: FastifyInstance, { underWay }: AppOwner): void {
  app.addHook('onRequest', (request, reply, done) => {
    underWay.begin(reply.raw)
    if (saysTwoHosts(request)) return done(new HttpError('INVALID_REQUEST', 'Host: expected one, found two'))
    if (isReadAlready(request)) return done(new HttpError('INVALID_REQUEST', READ_ALREADY))
    done()
  })
}

/**
 * More than these would only wait for each other: whoever comes now is told at once, and nothing was done. Not those who
 * ask whether the process lives: a node that has much to do is not to be killed for it.
 */
function limitRequests({ config, signal, underWay }: AppOwner): onRequestHookHandler {
  return (_request, reply, done) => {
    if (signal.aborted) return done(new ConcordError('STOPPED', 'this node is being stopped'))
    if (underWay.counted >= config.requests) {
      return done(new ConcordError('OVERLOADED', `${config.requests} requests are under way; slow down`))
    }
    underWay.count(reply.raw)
    done()
  }
}

const READ_ALREADY =
  'the application has read the body, such as by a parser of JSON: mount the handler before it'

/** In a server of the application's own: nobody would ever see the end of it. */
function isReadAlready({ raw, headers }: FastifyRequest): boolean {
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
  return hasBody && raw.readableEnded
}

/** Those before and behind a proxy may each go by another of them (RFC 9112, 3.2). */
function saysTwoHosts({ raw: { rawHeaders } }: FastifyRequest): boolean {
  let hosts = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!
    if (name.length === 4 && name.toLowerCase() === 'host') hosts++
  }
  return hosts > 1
}

function addRoute(
  app: FastifyInstance,
  owner: AppOwner,
  route: Route,
  limit: onRequestHookHandler,
  openStream: (request: FastifyRequest, reply: FastifyReply) => OpenStream,
): void {
  const judge = judgeOf(route)
  app.route({
    method: route.method,
    url: urlOf(route),
    onRequest: route.permission === 'public' ? [] : limit,
    handler: async (request, reply) => {
      const { params, query } = judge.text(request.params, request.query)
      const body = bodyOf(route, request)
      if (!(body instanceof Uint8Array)) judge.body(body)
      const isJudgedHere = accessFor(route.permission) !== undefined
      const actor = isJudgedHere ? await owner.authorize(route, tokenOf(request.headers)) : undefined
      if (isForLeader({ query })) await owner.sendToLeader(route, tokenOf(request.headers), request.url)
      const call = new Call(owner, request, reply.raw, { params, query }, body, actor)
      const result = await route.handle(call)
      if (isWithoutEnd(request, owner.config)) reply.header('connection', 'close')
      return sendResult(reply, result, openStream(request, reply))
    },
  })
}

/** Parsed JSON, bytes of a type that the route takes, or nothing where it takes none. */
function bodyOf(route: Route, { headers, body }: FastifyRequest): unknown {
  const { body: schema, bodyTypes: rawTypes = [] } = route
  if (body === undefined || (schema === undefined && rawTypes.length === 0)) return undefined
  const encoding = headers['content-encoding'] ?? 'identity'
  if (encoding !== 'identity') {
    throw new HttpError('UNSUPPORTED_MEDIA_TYPE', 'Content-Encoding: expected none; a body is as it is')
  }
  const type = mediaType(headers['content-type'])
  if (type === 'application/json') return parseBody(body as Buffer)
  if (rawTypes.includes(type)) return body
  throw new HttpError(
    'UNSUPPORTED_MEDIA_TYPE',
    `Content-Type: expected ${['application/json', ...rawTypes].join(' or ')}`,
  )
}

function refuse(owner: AppOwner, error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const problem = problemOf(error) ?? unforeseen(owner.log, error)
  const way = problem.code === 'UNAUTHORIZED' ? wayToShow(request.headers) : undefined
  const message = way === undefined ? problem.message : `${problem.message}. ${way}`
  // Whoever comes while the node closes comes to another one next.
  const isLast = owner.signal.aborted || isWithoutEnd(request, owner.config)
  if (isLast) reply.header('connection', 'close')
  return sendProblem(request, reply, { ...problem, message })
}

/** A body that nobody has asked for, and that is more than the rest of it is worth: its connection is not read on. */
function isWithoutEnd({ raw, headers }: FastifyRequest, { bodyBytes }: HttpConfig): boolean {
  if (raw.complete) return false
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > bodyBytes
}

/** What went wrong is in the log of the node, for whoever runs it; nobody else learns of it. */
function unforeseen(log: Log, error: unknown): Problem {
  log.error({ err: error }, 'a request failed in a way that nobody has foreseen')
  const message = 'the node failed to answer; its log says more'
  return {
    status: 500,
    code: 'INTERNAL',
    message,
    outcome: 'unknown',
    retryable: false,
    details: undefined,
    headers: {},
  }
}
