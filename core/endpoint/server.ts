/**
 * The node's own socket: where other processes of this machine, of the same user, reach the node. It has no
 * port, does not keep its host alive, and goes before the directory's lock does.
 */
import { chmod } from 'node:fs/promises'
import { type Server, createServer } from 'node:net'
import type { Log } from '../host/contract.ts'
import { type Place, clearPlace, removeSocket, socketPaths, writePlace } from './place.ts'
import type { Visitors } from './visitors.ts'

export interface EndpointOptions {
  /** The data directory, whose lock the caller holds. */
  readonly dir: string
  /** Who takes the connections that come. */
  readonly visitors: Visitors
  readonly from: Pick<Place, 'config' | 'mode'>
  readonly log: Log
}

export interface Endpoint {
  /** Of the socket, or the name of the pipe. */
  readonly path: string
  /** Ends the visits, and removes what was made. Never rejects. */
  close(): Promise<void>
}

/**
 * Listens, and says where in the data directory. Undefined when there is nowhere to listen, which is logged:
 * the node runs all the same, and is not to be reached from outside its process.
 */
export async function openEndpoint(options: EndpointOptions): Promise<Endpoint | undefined> {
  const { dir, log } = options
  try {
    await clearPlace(dir)
    const listener = new Listener(options)
    const path = await listener.listen()
    await writePlace(dir, { path, ...options.from })
    return { path, close: () => listener.close() }
  } catch (error) {
    log.warn({ err: error }, 'no socket: other processes, and the command line, cannot reach this node')
    return undefined
  }
}

class Listener {
  readonly #options: EndpointOptions
  readonly #server: Server
  #path = ''

  constructor(options: EndpointOptions) {
    this.#options = options
    this.#server = createServer((socket) => void options.visitors.accept(socket, true)).unref()
  }

  async listen(): Promise<string> {
    const { dir } = this.#options
    let failure: unknown = new Error('every path for a socket is too long')
    for await (const path of socketPaths(dir)) {
      try {
        await listening(this.#server, path)
        // Nobody is let in before the mode says who may come.
        if (process.platform !== 'win32') await chmod(path, 0o600)
        this.#server.on('error', (error) => this.#options.log.warn({ err: error }, 'the socket failed'))
        this.#path = path
        return path
      } catch (error) {
        failure = error
        await removeSocket(dir, path).catch(() => undefined)
      }
    }
    throw failure
  }

  async close(): Promise<void> {
    const { dir, log, visitors } = this.#options
    const closed = new Promise((resolve) => this.#server.close(resolve))
    await visitors.close()
    await removeSocket(dir, this.#path)
      .then(() => clearPlace(dir))
      .catch((error: unknown) => log.warn({ err: error }, 'could not remove the socket'))
    await closed
  }
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ path, exclusive: true }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}
