/** The server's life: made when the routes are known, drained before the node closes, its certificate kept fresh. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type AddressInfo, Server as Listener, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Server as TlsServer } from 'node:tls'
import {
  accessFor,
  ConcordError,
  type Context,
  type Route,
  type Status,
  type Timer,
} from '../../core/plugin.ts'
import type { FastifyInstance } from 'fastify'
import { createApp } from './app.ts'
import { bulkRoutes } from './bulk-routes.ts'
import type { IdOf } from './client.ts'
import { clusterRoutes } from './cluster-routes.ts'
import { docsRoutes } from './docs-routes.ts'
import { Elsewhere, isLoopback } from './elsewhere.ts'
import type { HttpService } from './index.ts'
import { kvRoutes } from './kv-routes.ts'
import { listRoute } from './list-route.ts'
import { openapi } from './openapi.ts'
import type { HttpConfig } from './options.ts'
import type { Peers } from './peers.ts'
import { probeRoutes } from './probe-routes.ts'
import { readTls, stampOf } from './tls.ts'
import { txnRoute } from './txn-route.ts'
import { UnderWay } from './under-way.ts'
import { Upgrades, connectRoute } from './upgrade.ts'

const TLS_CHECK_MS = 2000

export class Server {
  readonly service: HttpService
  readonly #ctx: Context
  readonly #config: HttpConfig
  readonly #peers: Peers
  readonly #closing = new AbortController()
  readonly #upgrades: Upgrades
  readonly #underWay = new UnderWay()
  #app: FastifyInstance | undefined
  #url: string | undefined
  #document: Record<string, unknown> | undefined
  /** Undefined without the plugin `auth`: nobody looks at tokens. */
  readonly #idOf: IdOf | undefined
  #isStarted = false
  #isDraining = false
  #renewal: Timer | undefined

  constructor(ctx: Context, config: HttpConfig, peers: Peers) {
    this.#ctx = ctx
    this.#config = config
    this.#peers = peers
    const self = (): Server => this
    this.service = Object.freeze({
      get url() {
        return self().#url
      },
      handler: (request: IncomingMessage, response: ServerResponse) => this.#answer(request, response),
      upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) =>
        void this.#upgrades.take(request, socket as Socket, head),
      openapi: () => this.#openapi(),
    })
    if (config.tls !== undefined) readTls(config.tls)
    const auth = ctx.plugin('auth', { optional: true })
    this.#idOf = auth && ((token) => auth.idOf(token))
    this.#upgrades = new Upgrades({
      clock: ctx.clock,
      endpoint: ctx.endpoint,
      log: ctx.log,
      signal: this.#closing.signal,
      authorize: async (token) => (this.#hasAuth ? ctx.authorize('connect', [], token ?? '') : undefined),
    })
    this.#refuseStrangers()
    for (const route of this.#routes()) ctx.routes.add(route)
    ctx.onReady(() => this.#start())
    ctx.onDrain(() => this.#drain())
    ctx.onClose(() => this.#close())
  }

  get #hasAuth(): boolean {
    return this.#idOf !== undefined
  }

  /** Beyond this machine nobody is let in without a token, unless that is said. */
  #refuseStrangers(): void {
    const { host, listen, insecure } = this.#config
    if (this.#hasAuth || !listen || isLoopback(host)) return
    if (!insecure) {
      const cure = 'turn plugins.auth on, or say plugins.http.insecure: true'
      throw new ConcordError(
        'CONFIG_INVALID',
        `plugins.http: whoever reaches ${host} could read and write everything: ${cure}`,
      )
    }
    this.#ctx.unsafe(`insecure: whoever reaches ${host} may read and write everything`)
  }

  #routes(): readonly Route[] {
    const isDraining = (): boolean => this.#isDraining
    const vitals = {
      status: () => this.#status(),
      get isDraining() {
        return isDraining()
      },
    }
    const document = (): string => JSON.stringify(this.#openapi())
    return [
      ...kvRoutes,
      listRoute,
      ...bulkRoutes,
      txnRoute,
      ...clusterRoutes,
      connectRoute,
      ...probeRoutes(vitals, () => this.#ctx.clock.wallMs()),
      ...docsRoutes(document, this.#config.docs),
    ]
  }

  async #status(): Promise<Status | undefined> {
    return this.#isStarted ? this.#ctx.store.status() : undefined
  }

  async #start(): Promise<void> {
    const { log, store, routes } = this.#ctx
    const config = this.#config
    const authorize = async ({ method, path, permission }: Route, token: string | undefined) => {
      const access = accessFor(permission)
      if (access === undefined) return undefined
      return (await this.#ctx.authorize(`${method} ${path}`, access, token)).actor
    }
    const elsewhere = new Elsewhere(store)
    const sendToLeader = async ({ method, path: name }: Route, token: string | undefined, path: string) => {
      await this.#ctx.authorize(`${method} ${name}`, [], token)
      return elsewhere.refuse(path)
    }
    const owner = {
      log,
      config,
      peers: this.#peers,
      underWay: this.#underWay,
      store,
      hasAuth: this.#hasAuth,
      idOf: this.#idOf,
      signal: this.#closing.signal,
      authorize,
      sendToLeader,
    }
    const app = (this.#app = await createApp(owner, routes.all))
    this.#isStarted = true
    await app.ready()
    if (config.listen) await this.#listen(app)
    const reachedAt = config.advertise ?? this.#url
    if (reachedAt !== undefined) this.#ctx.reachedAt(reachedAt)
  }

  async #listen(app: FastifyInstance): Promise<void> {
    const { log } = this.#ctx
    const config = this.#config
    app.server.on('upgrade', this.service.upgrade)
    await app.listen({ port: config.port, host: config.host }).catch((error: NodeJS.ErrnoException) => {
      throw cannotListen(config, error)
    })
    this.#url = urlOf(config, app.server.address() as AddressInfo)
    log.info({ url: this.#url }, 'HTTP API')
    if (config.tls !== undefined) this.#renew(config.tls, stampOf(config.tls))
  }

  /** A new certificate is taken as soon as it can be used; until then the old one stays. */
  #renew(files: NonNullable<HttpConfig['tls']>, known: string): void {
    const { clock, log } = this.#ctx
    this.#renewal = clock.after(TLS_CHECK_MS, () => {
      const stamp = stampOf(files)
      if (stamp !== known) {
        try {
          ;(this.#app!.server as unknown as TlsServer).setSecureContext(readTls(files))
          log.info({ cert: files.cert }, 'certificate read again')
        } catch (error) {
          log.warn({ err: error }, 'the certificate has changed and cannot be used; the old one stays')
        }
      }
      this.#renew(files, stamp)
    })
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    if (this.#app === undefined) {
      response.writeHead(503, { 'retry-after': '1' }).end()
      return
    }
    this.#app.routing(request, response)
  }

  #openapi(): Record<string, unknown> {
    this.#document ??= openapi(this.#ctx.routes.all, '1.0.0')
    return this.#document
  }

  /** Nobody new is let in, streams end, requests that are under way are finished; then all connections are closed. */
  async #drain(): Promise<void> {
    this.#isDraining = true
    this.#closing.abort(new ConcordError('STOPPED', 'the node is closing'))
    this.#ctx.clock.cancel(this.#renewal)
    // Not by the server's own `close`: see under-way.ts.
    if (this.#app?.server.listening === true) Listener.prototype.close.call(this.#app.server)
    await Promise.all([this.#upgrades.finish(), this.#underWay.finish()])
    this.#app?.server.closeAllConnections()
    await this.#app?.close()
  }

  async #close(): Promise<void> {
    this.#ctx.clock.cancel(this.#renewal)
    this.#upgrades.destroy()
    this.#app?.server.closeAllConnections()
    await this.#app?.close()
  }
}

function urlOf({ tls }: HttpConfig, { address, family, port }: AddressInfo): string {
  const host = family === 'IPv6' ? `[${address}]` : address
  return `${tls === undefined ? 'http' : 'https'}://${host}:${port}`
}

function cannotListen({ host, port }: HttpConfig, error: NodeJS.ErrnoException): ConcordError {
  const why =
    error.code === 'EADDRINUSE'
      ? 'somebody listens there already'
      : error.code === 'EACCES'
        ? 'this process may not listen there'
        : error.message
  return new ConcordError('PLUGIN_FAILED', `plugins.http: cannot listen on ${host}:${port}: ${why}`, {
    cause: error,
  })
}
