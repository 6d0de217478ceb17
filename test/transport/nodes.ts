// Nodes that talk over real sockets on port 0, and write down what they hear.

import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import type { TestContext } from 'node:test'

import type {
  Acknowledged,
  Caller,
  Clock,
  Hello,
  Introduction,
  Transport,
  TransportHandlers,
  TransportNotice,
  Verdict,
} from '../../core/ports.ts'
import type { Message } from '../../core/raft/message.ts'
import type { NodeId } from '../../core/raft/types.ts'
import { tcpTransport } from '../../core/transport/tcp.ts'
import type { TcpOptions } from '../../core/transport/options.ts'
import { systemWorld } from '../../core/world.ts'

export const SECRET = 'a secret that is long enough for a test'

export interface TestNode {
  readonly id: NodeId
  readonly transport: Transport
  address: string
  hello: Hello
  acknowledged: Acknowledged
  judge: (introduction: Introduction) => Verdict
  answer: (from: Caller, question: Uint8Array) => Promise<Uint8Array>
  readonly messages: { readonly from: NodeId; readonly message: Message }[]
  readonly notices: TransportNotice[]
  readonly introductions: Introduction[]
  readonly lost: NodeId[]
}

export interface NodeOptions extends Partial<TcpOptions> {
  readonly clusterName?: string
  readonly runId?: string
  readonly incarnation?: string
  readonly clock?: Clock
}

export const world = systemWorld

/** Listens on a free port of loopback; closed after the test. */
export async function startNode(t: TestContext, name: string, options: NodeOptions = {}): Promise<TestNode> {
  const { clock = world.clock, clusterName = 'test', incarnation = 'x', ...others } = options
  const { runId = `${name}-run-1`, ...rest } = others
  const transport = tcpTransport(
    { listen: '127.0.0.1:0', security: { kind: 'secret', secret: SECRET, clusterName }, pingMs: 50, ...rest },
    { ...world, clock },
  )
  const node: TestNode = {
    id: `${name}/${incarnation}`,
    transport,
    address: '',
    hello: {
      name,
      incarnation,
      address: '',
      clusterName,
      clusterId: 'c1',
      runId,
      previousRunId: '',
      last: { index: 7, term: 3 },
    },
    acknowledged: { term: 0, upTo: new Map() },
    judge: () => ({ accept: 'member' }),
    answer: (_from, question) => Promise.resolve(question),
    messages: [],
    notices: [],
    introductions: [],
    lost: [],
  }
  const handlers: TransportHandlers = {
    hello: () => node.hello,
    acknowledged: () => node.acknowledged,
    judge: (introduction) => {
      node.introductions.push(introduction)
      return node.judge(introduction)
    },
    message: (from, message) => node.messages.push({ from, message }),
    answer: (from, question) => node.answer(from, question),
    peerLost: (id) => node.lost.push(id),
    tell: (notice) => node.notices.push(notice),
  }
  // A node keeps no process alive; a test that waits for one does.
  const alive = setInterval(() => {}, 1000)
  t.after(() => {
    clearInterval(alive)
    return transport.close()
  })
  node.address = await transport.listen(handlers)
  node.hello = { ...node.hello, address: node.address }
  return node
}

/** Each is to keep connected to all. */
export function introduce(...nodes: readonly TestNode[]): void {
  const peers = nodes.map(({ id, address }) => ({ id, address }))
  for (const { transport } of nodes) transport.setPeers(peers)
}

/** Waits for what comes in its own time. Fails, with what it waited for, after ten seconds. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const end = performance.now() + 10_000
  while (!holds()) {
    if (performance.now() > end) throw new Error(`still not: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

export const isConnected = (node: TestNode, to: TestNode): boolean =>
  node.transport.stats().peers.some((peer) => peer.id === to.id && peer.connected)

/** Both connections that `node` dials are there. */
export async function connected(node: TestNode, to: TestNode): Promise<void> {
  await until(`${node.id} is connected to ${to.id}`, () => isConnected(node, to))
}

export const within = (ms: number, signal?: AbortSignal) => ({ deadlineMs: performance.now() + ms, signal })

export const bytes = (text: string): Uint8Array => Buffer.from(text)
export const text = (answer: Uint8Array): string => Buffer.from(answer).toString()

export const heartbeat = (round: number): Message => ({
  type: 'appendEntries',
  term: 3,
  prevIndex: 0,
  prevTerm: 0,
  entries: [],
  commitIndex: 0,
  round,
  clusterTime: 0,
})

/** `count` entries of `size` bytes of commands after `prevIndex`. */
export function entries(prevIndex: number, count: number, size: number): Message {
  const list = Array.from({ length: count }, (_, at) => ({
    index: prevIndex + 1 + at,
    term: 3,
    kind: 'commands' as const,
    clusterTime: 1,
    wallTime: 2,
    data: Buffer.alloc(size, 1 + (at % 250)),
  }))
  const prevTerm = prevIndex === 0 ? 0 : 3
  return { ...(heartbeat(0) as Message & { type: 'appendEntries' }), prevIndex, prevTerm, entries: list }
}

/** A raw connection that remembers all it was sent. */
export async function rawSocket(t: TestContext, address: string): Promise<Socket & { got: Buffer[] }> {
  const [host, port] = address.split(':') as [string, string]
  const socket = Object.assign(connect({ host, port: Number(port) }), { got: [] as Buffer[] })
  t.after(() => socket.destroy())
  socket.on('data', (chunk: Buffer) => socket.got.push(chunk)).on('error', () => {})
  await once(socket, 'connect')
  return socket
}

export interface Proxy {
  readonly address: string
  /** Bytes for each second in each direction of each connection; as fast as can be while undefined. */
  bytesPerSecond: number | undefined
  /** Nothing passes, and nobody hears of it. */
  silent: boolean
  readonly sockets: Set<Socket>
  /** Sees all that goes to the node behind. */
  watch: (chunk: Buffer) => void
  /** Ends all connections. */
  cut(): void
  /** Nobody listens any more. */
  stop(): Promise<void>
}

/** Stands between two nodes. */
export async function proxyTo(t: TestContext, address: string): Promise<Proxy> {
  const [host, port] = address.split(':') as [string, string]
  const sockets = new Set<Socket>()
  const server: Server = createServer((near) => {
    const far = connect({ host, port: Number(port), noDelay: true })
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from)
      from.setNoDelay(true)
      from.on('error', () => {}).on('close', () => (sockets.delete(from), to.destroy()))
      from.on('data', (chunk: Buffer) => {
        if (from === near) proxy.watch(chunk)
        void pass(from, to, chunk)
      })
    }
  })
  async function pass(from: Socket, to: Socket, chunk: Buffer): Promise<void> {
    from.pause()
    for (let at = 0; at < chunk.length; at += SLICE) {
      if (proxy.silent || to.destroyed) break
      const slice = chunk.subarray(at, at + SLICE)
      if (proxy.bytesPerSecond !== undefined) {
        const delayMs = (1000 * slice.length) / proxy.bytesPerSecond
        await new Promise((resolve) => setTimeout(resolve, delayMs))
      }
      to.write(slice)
    }
    from.resume()
  }
  const SLICE = 4096
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port: own } = server.address() as { port: number }
  const proxy: Proxy = {
    address: `127.0.0.1:${own}`,
    bytesPerSecond: undefined,
    silent: false,
    sockets,
    watch: () => {},
    cut: () => {
      for (const socket of sockets) socket.resetAndDestroy()
    },
    stop: async () => {
      await new Promise((resolve) => (server.close(resolve), proxy.cut()))
    },
  }
  t.after(() => proxy.stop().catch(() => {}))
  return proxy
}
