/** What is at an address for peers, for whoever runs no node: whether one could listen there, whether somebody does. */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { addressOf } from '../address.ts'

/** Why nobody can listen there; undefined when it was possible a moment ago. */
export function portProblem(address: string): Promise<string | undefined> {
  const { host, port } = addressOf(address, 'cluster.listen')
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', (error) => resolve(error.message))
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)))
  })
}

/** Whether something takes connections there, within `patienceMs`; what it is, it was not asked. */
export async function takesConnections(address: string, patienceMs: number): Promise<boolean> {
  const { host, port } = addressOf(address, 'address')
  const socket = connect({ host, port, timeout: patienceMs })
  try {
    await Promise.race([
      once(socket, 'connect'),
      once(socket, 'timeout').then(() => Promise.reject(new Error('nobody there'))),
    ])
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
