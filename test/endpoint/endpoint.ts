/** A node without a disk that listens all the same, and clients of it. */
import { type Socket, connect as connectSocket, createServer } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { Writer } from '../../core/bytes.ts'
import { type Config, type Remote, connect, open } from '../../core/index.ts'
import { type Endpoint, openEndpoint } from '../../core/endpoint/server.ts'
import {
  FrameReader,
  KIND,
  type Message,
  PROTOCOL,
  readMessage,
  writeMessage,
} from '../../core/endpoint/frames.ts'
import { Visitors } from '../../core/endpoint/visitors.ts'
import { writePlace } from '../../core/endpoint/place.ts'
import type { OpenNode } from '../../core/open-node.ts'
import { systemWorld } from '../../core/world.ts'
import { atEnd, temporary } from '../store/node.ts'

export interface Listening {
  readonly dir: string
  readonly node: OpenNode
  readonly endpoint: Endpoint
  /** What the endpoint has said of its clients. */
  readonly complaints: readonly string[]
  /** Another client, closed with the test. */
  client(): Promise<Remote>
}

export interface ListeningOptions {
  readonly config?: Config | undefined
  readonly connections?: number | undefined
  readonly frameBytes?: number | undefined
  readonly iteratorIdleMs?: number | undefined
  readonly inFlight?: number | undefined
}

export async function listening(t: TestContext, options: ListeningOptions = {}): Promise<Listening> {
  const dir = join(await temporary(t))
  const node = (await open({
    storage: 'memory',
    log: { level: 'silent' },
    shutdownMs: 1,
    ...options.config,
  })) as OpenNode
  atEnd(t, () => node.close())
  const complaints: string[] = []
  const log = { warn: (fields: { readonly reason?: string }) => void complaints.push(fields.reason ?? '') }
  const { connections = 64, frameBytes = 4 * 1024 * 1024, iteratorIdleMs, inFlight } = options
  const visitors = new Visitors({
    node,
    clock: systemWorld.clock,
    hello: {
      version: 'test',
      frameBytes,
      batch: 500,
      timeoutMs: 5000,
      consistency: 'leader',
      callOptions: {},
    },
    connections,
    log: log as never,
    iteratorIdleMs,
    inFlight,
  })
  const endpoint = await openEndpoint({
    dir,
    visitors,
    from: { config: null, mode: null },
    log: log as never,
  })
  if (endpoint === undefined) throw new Error('the endpoint did not open')
  atEnd(t, () => endpoint.close())
  const client = (): Promise<Remote> => clientOf(t, dir)
  return { dir, node, endpoint, complaints, client }
}

export async function clientOf(t: TestContext, dir: string): Promise<Remote> {
  const remote = await connect(dir)
  atEnd(t, () => remote.close())
  return remote
}

/** A client that says what the test wants it to say. */
export class Stranger {
  readonly socket: Socket
  readonly messages: Message[] = []
  /** Resolves when the node has closed the connection. */
  readonly closed: Promise<void>
  #wake = (): void => {}

  constructor(t: TestContext, path: string) {
    this.socket = connectSocket(path)
    const reader = new FrameReader(2 ** 30)
    this.socket.on('data', (chunk) => {
      reader.push(chunk)
      for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
        this.messages.push(readMessage(frame))
      }
      this.#wake()
    })
    this.socket.on('error', () => undefined)
    this.closed = new Promise((resolve) => this.socket.on('close', () => resolve()))
    atEnd(t, async () => void this.socket.destroy())
  }

  send(...messages: readonly Partial<Message>[]): void {
    this.socket.write(bytesOf(...messages))
  }

  /** The first message that has come, or comes, of which this is true. */
  async message(is: (message: Message) => boolean): Promise<Message> {
    for (;;) {
      const found = this.messages.find(is)
      if (found !== undefined) return found
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  async greet(protocols: readonly number[] = [PROTOCOL]): Promise<Message> {
    this.send(helloOf(protocols))
    return this.message(({ id }) => id === 0)
  }
}

export const helloOf = (protocols: readonly number[] = [PROTOCOL]): Partial<Message> => ({
  kind: KIND.hello,
  head: { protocols, version: 'test' },
})

export function bytesOf(...messages: readonly Partial<Message>[]): Uint8Array {
  const writer = new Writer()
  for (const message of messages) {
    writeMessage(writer, { kind: KIND.request, id: 0, head: null, values: [], ...message }, 2 ** 30)
  }
  return writer.take()
}

/** Waits for something that happens elsewhere; the runner's own time limit is the only one. */
export async function until(is: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await is())) await new Promise<void>((resolve) => void setImmediate(resolve))
}

/**
 * Something that greets as a node does, when it may, and does with each request what the test says. Returns its
 * directory.
 */
export async function fakeNode(
  t: TestContext,
  answer: (request: Message, end: () => void, say: (message: Partial<Message>) => void) => void,
  mayGreet: () => Promise<void> = async () => undefined,
  more: object = {},
): Promise<string> {
  const dir = await temporary(t)
  const path = join(dir, 'endpoint.sock')
  const server = createServer((socket) => {
    const reader = new FrameReader(2 ** 20)
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      reader.push(chunk)
      for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
        const message = readMessage(frame)
        if (message.kind !== KIND.hello) {
          const end = (): void => void socket.destroy()
          answer(message, end, (said) => void socket.write(bytesOf(said)))
          continue
        }
        const head = {
          protocol: 1,
          frameBytes: 2 ** 20,
          batch: 500,
          timeoutMs: 5000,
          consistency: 'leader',
          callOptions: {},
          ...more,
        }
        void mayGreet().then(() => socket.write(bytesOf({ kind: KIND.hello, head })))
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  atEnd(t, () => new Promise((resolve) => server.close(resolve)))
  await writePlace(dir, { path, config: null, mode: null })
  return dir
}
