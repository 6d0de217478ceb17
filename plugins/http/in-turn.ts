/**
 * Requests that come one behind another on a connection, before the first is answered. RFC 9112, 9.3.2: they may be
 * worked on at once only if none of them changes anything. So each waits for the one before it; and when its connection has
 * gone meanwhile it is not begun, for nobody would ever see the end of it.
 */
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'

export function answerInTurn(app: FastifyInstance): void {
  const last = new WeakMap<Socket, ServerResponse>()
  app.addHook('onRequest', ({ raw: { socket } }, reply, done) => {
    const before = last.get(socket)
    last.set(socket, reply.raw)
    if (before === undefined || before.writableFinished || before.destroyed) done()
    else
      before.once('close', () => {
        if (!socket.destroyed) done()
      })
  })
}
