// One of the servers that take turns, in a process of its own: `server.ts concord | fastify | node`. All answer the same
// requests with bodies of the same length; the first does what it says. Tells its port to the parent.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fastify } from 'fastify'
import { open } from '../../core/index.ts'
import { KEY, VALUE } from './requests.ts'

const JSON_TYPE = 'application/json; charset=utf-8'
const VALUE_BODY = { status: 'ok', data: { value: VALUE } }
const PUT_BODY = { status: 'ok', data: { revision: 1 } }

async function concord(): Promise<number> {
  const db = await open({ storage: 'memory', log: { level: 'silent' }, plugins: { http: { port: 0 } } })
  await db.put(KEY, VALUE)
  return Number(new URL(db.plugin('http').url!).port)
}

async function bareFastify(): Promise<number> {
  const app = fastify({ logger: false })
  app.get(`/api/v1/kv/:key`, async () => VALUE_BODY)
  app.put(`/api/v1/kv/:key`, async () => PUT_BODY)
  app.get('/livez', async (_request, reply) => reply.type('text/plain').send('ok\n'))
  await app.listen({ port: 0, host: '127.0.0.1' })
  return (app.server.address() as AddressInfo).port
}

async function bareNode(): Promise<number> {
  const server = createServer((request, response) => {
    if (request.method === 'PUT') readThenAnswer(request, response)
    else if (request.url === '/livez') answer(response, 'text/plain', 'ok\n')
    else answer(response, JSON_TYPE, JSON.stringify(VALUE_BODY))
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

function answer(response: ServerResponse, type: string, body: string): void {
  response.writeHead(200, { 'content-type': type, 'content-length': Buffer.byteLength(body) }).end(body)
}

function readThenAnswer(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    JSON.parse(Buffer.concat(chunks).toString())
    answer(response, JSON_TYPE, JSON.stringify(PUT_BODY))
  })
}

const servers: Readonly<Record<string, () => Promise<number>>> = {
  concord,
  fastify: bareFastify,
  node: bareNode,
}
process.send?.(await servers[process.argv[2] ?? '']!())
process.once('disconnect', () => process.exit())
