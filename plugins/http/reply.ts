/** From what a route's function gave, or threw, to the bytes that leave. */
import { isAnswer, toJson, type RouteAnswer } from '../../core/plugin.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { envelopeOf, problemJson, PROBLEM_JSON, type Problem } from './problem.ts'

export const JSON_TYPE = 'application/json; charset=utf-8'

/** How an answer without an end becomes one that is sent. */
export type OpenStream = (source: AsyncIterable<string | Uint8Array>) => NodeJS.ReadableStream

export function sendResult(reply: FastifyReply, result: unknown, openStream: OpenStream): FastifyReply {
  if (result === undefined) return reply.type(JSON_TYPE).send('{"status":"ok"}')
  if (!isAnswer(result)) return reply.type(JSON_TYPE).send(envelope(JSON.stringify(result)))
  reply.code(result.status).headers(result.headers)
  if (result.raw !== undefined) return sendRaw(reply, result.raw, openStream)
  const json = result.json ?? (result.data === undefined ? undefined : JSON.stringify(result.data))
  return reply.type(JSON_TYPE).send(envelope(json, result.beside))
}

function sendRaw(
  reply: FastifyReply,
  { type, body }: NonNullable<RouteAnswer['raw']>,
  openStream: OpenStream,
): FastifyReply {
  reply.type(type)
  if (typeof body === 'string' || body instanceof Uint8Array) return reply.send(body)
  return reply.send(openStream(body))
}

function envelope(data: string | undefined, beside?: Readonly<Record<string, unknown>>): string {
  let text = '{"status":"ok"'
  if (data !== undefined) text += `,"data":${data}`
  for (const [name, value] of Object.entries(beside ?? {})) text += `,"${name}":${JSON.stringify(value)}`
  return `${text}}`
}

/** A value of the store as JSON text. */
export function valueText(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : JSON.stringify(toJson(value))
}

export function sendProblem(request: FastifyRequest, reply: FastifyReply, problem: Problem): FastifyReply {
  reply.headers(problem.headers)
  if (!wantsProblemJson(request)) {
    return reply
      .code(problem.status)
      .type(JSON_TYPE)
      .send(JSON.stringify(envelopeOf(problem)))
  }
  const [path] = request.url.split('?', 1)
  const { status, body } = problemJson(problem, path!)
  return reply.code(status).type(PROBLEM_JSON).send(JSON.stringify(body))
}

function wantsProblemJson({ headers: { accept } }: FastifyRequest): boolean {
  return accept?.includes('application/problem+json') ?? false
}
