/** One connection that asks, waits for the answer and asks again, with as little of its own as there can be. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

const HEAD_END = '\r\n\r\n'

export class Connection {
  readonly #socket: Socket
  #received = ''
  #answered: ((body: string) => void) | undefined

  constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => this.#take(chunk.toString('latin1')))
  }

  static async to(port: number): Promise<Connection> {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    return new Connection(socket)
  }

  /** The body of the answer. Throws when it is none of status 200. */
  ask(request: Buffer): Promise<string> {
    this.#socket.write(request)
    return new Promise((resolve) => {
      this.#answered = resolve
    })
  }

  end(): void {
    this.#socket.destroy()
  }

  #take(text: string): void {
    this.#received += text
    const end = this.#received.indexOf(HEAD_END)
    if (end === -1) return
    const head = this.#received.slice(0, end)
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
    const from = end + HEAD_END.length
    if (this.#received.length < from + length) return
    if (!head.startsWith('HTTP/1.1 200')) throw new Error(`found ${head}, expected status 200`)
    const body = this.#received.slice(from, from + length)
    this.#received = this.#received.slice(from + length)
    this.#answered?.(body)
  }
}
