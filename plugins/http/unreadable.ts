/**
 * What is no request at all, or did not arrive in time: nobody below has seen it, so the answer is written to the
 * connection itself, in the envelope of all errors, and ends it.
 */
import type { Socket } from 'node:net'
import { envelopeOf, HttpError, problemOf } from './problem.ts'
import { JSON_TYPE } from './reply.ts'

const REASON: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
}

export function answerUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const problem = problemOf(errorFor(error.code))!
  const body = JSON.stringify(envelopeOf(problem))
  const { status } = problem
  const head = [
    `HTTP/1.1 ${status} ${REASON[status]}`,
    `Content-Type: ${JSON_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy())
}

function errorFor(code: string | undefined): HttpError {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return new HttpError('HEADERS_TOO_LARGE', 'the path and the headers are larger than 8 KiB')
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new HttpError('REQUEST_TIMEOUT', 'the request has not arrived whole in time; nothing was done')
  }
  return new HttpError('INVALID_REQUEST', 'this is no request of HTTP/1.1')
}
