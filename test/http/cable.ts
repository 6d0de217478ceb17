/** A way to a node's port that the test may cut, as the death of the machine does. */
import { once } from 'node:events'
import { type AddressInfo, createServer, connect as connectSocket } from 'node:net'
import type { TestContext } from 'node:test'

export interface Cable {
  readonly url: string
  cut(): void
}

export async function cable(t: TestContext, url: string): Promise<Cable> {
  const sockets = new Set<{ destroy(): void }>()
  const server = createServer((near) => {
    const far = connectSocket(Number(new URL(url).port), '127.0.0.1')
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => void (near.destroy(), far.destroy()))
    }
    near.pipe(far).pipe(near)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = (): void => {
    server.close()
    for (const socket of sockets) socket.destroy()
  }
  t.after(cut)
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, cut }
}
