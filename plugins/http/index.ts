/**
 * The HTTP API: everything that is not this process comes in here. Routes are data (core/host/routes.ts): those of the
 * store are in this folder, others come from the plugins that offer them, and all are served, judged, refused and
 * described in the same way.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { ConcordError, definePlugin } from '../../core/plugin.ts'
import { options } from './options.ts'
import type { Server } from './server.ts'

/** What `db.plugin('http')` gives. */
export interface HttpService {
  /** Where the API is, such as `http://127.0.0.1:4000`; undefined with `listen: false`. */
  readonly url: string | undefined
  /**
   * Answers one request, in a server of the application's own: `createServer(http.handler)`, `app.use(http.handler)`.
   * Paths are as they are without a mount: `/api/v1/…`, `/livez`.
   */
  readonly handler: (request: IncomingMessage, response: ServerResponse) => void
  /** The OpenAPI document. */
  openapi(): Record<string, unknown>
}

export const http = definePlugin({
  name: 'http',
  version: '1.0.0',
  apiVersion: 1,
  options,
  after: ['auth'],
  async setup(ctx, config): Promise<HttpService> {
    const Api = await load()
    return new Api(ctx, config).service
  },
})

/** Fastify is an optional peer: whoever has this plugin off need not have it. */
async function load(): Promise<typeof Server> {
  try {
    return (await import('./server.ts')).Server
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error
    throw new ConcordError('PLUGIN_FAILED', 'plugin "http" needs fastify: npm install fastify', {
      cause: error,
    })
  }
}

declare module '../../core/plugin.ts' {
  interface PluginRegistry {
    http: typeof http
  }
}
