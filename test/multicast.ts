/** Whether multicast works on this machine: for tests that need it, and are skipped where it does not. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'

/** Why a datagram to this group is not heard here; undefined when it is. */
export async function whyNoMulticast(
  group: string,
  port: number,
  address?: string,
): Promise<string | undefined> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true })
  try {
    socket.bind({ port, address: group })
    await once(socket, 'listening')
    if (address !== undefined) socket.setMulticastInterface(address)
    socket.addMembership(group, address)
    socket.setMulticastLoopback(true)
    const heard = once(socket, 'message', { signal: AbortSignal.timeout(2000) })
    await new Promise<void>((resolve, reject) =>
      socket.send('x', port, group, (error) => (error === null ? resolve() : reject(error))),
    )
    await heard
    return undefined
  } catch (error) {
    return `no multicast ${address === undefined ? 'on this machine' : `on ${address}`}: ${(error as Error).message}`
  } finally {
    socket.close()
  }
}
