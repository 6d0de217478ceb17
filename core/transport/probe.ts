/** Whether a node could listen for peers at an address now: for whoever looks before a node is started. */
import { createServer } from 'node:net'
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
