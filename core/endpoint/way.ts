/** Where the sockets of a client come from; and the shorter way, to a node on the same machine. */
import { type Socket, connect as connectSocket } from 'node:net'

/** Finds the socket and connects to it, or throws `CANNOT_CONNECT`; ends at once when nobody wants it any more. */
export type Dial = (signal: AbortSignal) => Promise<Socket>

/** The endpoints of a client, in their order. */
export interface Way {
  /** At how many endpoints the cluster is reached. */
  readonly alternatives: number
  /** Whether one from which nothing comes is given up: another dial may find somebody, be it under the same name. */
  readonly endsInSilence: boolean
  readonly dial: Dial
  /** The next dial begins elsewhere, if there is another place. */
  moveOn(): void
}

/** Connects to a path. Rejects with what the system says. */
export function dialPath(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectSocket(path)
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      resolve(socket)
    })
  })
}
