/**
 * Requests that come one behind another on a connection, before the first is answered. RFC 9112, 9.3.2: they may be
 * worked on at once only if none of them changes anything. So each waits for the one before it; and when its connection has
 * gone meanwhile it is not begun, for nobody would ever see the end of it.
 *
 * The server below reads on meanwhile, whatever waits: so their number has a bound, and who passes it loses the connection.
 */
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'

/** Of one connection. */
const MAX_WAITING = 256

interface Line {
  last: ServerResponse
  waiting: number
}

/** @param maxWaiting of all connections together. */
export function answerInTurn(app: FastifyInstance, maxWaiting: number): void {
  const lines = new WeakMap<Socket, Line>()
  let allWaiting = 0

  const leave = (line: Line, how: number): void => {
    line.waiting -= how
    allWaiting -= how
  }
  const begin = (socket: Socket, last: ServerResponse): void => {
    const line = { last, waiting: 0 }
    lines.set(socket, line)
    // Under Node.js 22 answers that are not written yet do not hear of it.
    socket.once('close', () => leave(line, line.waiting))
  }

  app.addHook('onRequest', ({ raw: { socket } }, reply, done) => {
    const line = lines.get(socket)
    if (line === undefined) {
      begin(socket, reply.raw)
      return done()
    }
    const before = line.last
    line.last = reply.raw
    if (before.writableFinished || before.destroyed) return done()
    if (socket.destroyed) return
    if (line.waiting >= MAX_WAITING || allWaiting >= maxWaiting) return void socket.destroy()
    line.waiting++
    allWaiting++
    before.once('close', () => {
      if (socket.destroyed) return
      leave(line, 1)
      done()
    })
  })
}
