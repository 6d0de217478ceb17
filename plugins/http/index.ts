/**
 * The HTTP API: everything that is not this process comes in here. Routes are data (core/host/routes.ts): those of the
 * store are in this folder, others come from the plugins that offer them, and all are served, judged, refused and
 * described in the same way.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { definePlugin } from '../../core/plugin.ts'
import { options } from './options.ts'
import { loadPeers } from './peers.ts'
import { Server } from './server.ts'

/** What `db.plugin('http')` gives. */
export interface HttpService {
  /** Where the API is, such as `http://127.0.0.1:4000`; undefined with `listen: false`. */
  readonly url: string | undefined
  /**
   * Answers one request, in a server of the application's own: `createServer(http.handler)`, `app.use(http.handler)`.
   * Paths are as they are without a mount: `/api/v1/…`, `/livez`.
   */
  readonly handler: (request: IncomingMessage, response: ServerResponse) => void
  /** For the `upgrade` event of such a server, so that `connect` reaches it: `server.on('upgrade', http.upgrade)`. */
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void
  /** The OpenAPI document. */
  openapi(): Record<string, unknown>
}

/** The plugin. `plugins.http` turns it on by its name; nobody needs to import it. */
export const http = definePlugin({
  name: 'http',
  version: '1.0.0',
  apiVersion: 1,
  options,
  after: ['auth'],
  async setup(ctx, config): Promise<HttpService> {
    return new Server(ctx, config, await loadPeers(config)).service
  },
})

declare module '../../core/plugin.ts' {
  interface PluginRegistry {
    http: typeof http
  }
}
