/**
 * The HTTP API beside bare fastify and bare node:http, each in a process of its own, with 64 connections that ask again
 * as soon as they are answered. All are in memory: what is looked for is what the API costs, not the disk.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Connection } from '../http/connection.ts'
import { ANSWERS, REQUESTS } from '../http/requests.ts'
import { type Case, interleave } from '../measure.ts'
import { compare } from '../ratios.ts'
import { merge, type Suite, type SuiteResult } from '../suite.ts'

const CONNECTIONS = 64
const SERVERS = ['concord', 'fastify', 'node'] as const

type Server = (typeof SERVERS)[number]
type Asked = keyof typeof REQUESTS

export const httpSuite: Suite = async ({ plan }, say) => {
  await using stack = new AsyncDisposableStack()
  const connections = new Map<Server, Connection[]>()
  for (const server of SERVERS) connections.set(server, await connected(stack, server))
  const results: SuiteResult[] = []
  for (const asked of Object.keys(REQUESTS) as Asked[]) {
    say(`${asked}, ${CONNECTIONS} connections`)
    const cases = SERVERS.map((server) => caseOf(server, asked, connections.get(server)!))
    const measured = await interleave(cases, plan)
    const against = (server: Server) => ({
      id: `HTTP ${asked}: concord / ${server === 'node' ? 'node:http' : server}`,
      of: nameOf('concord', asked),
      against: nameOf(server, asked),
    })
    results.push({ measured, ratios: compare(measured, [against('fastify'), against('node')]) })
  }
  return merge(results)
}

async function connected(stack: AsyncDisposableStack, server: Server): Promise<Connection[]> {
  const child = fork(fileURLToPath(new URL('../http/server.ts', import.meta.url)), [server])
  stack.defer(() => child.disconnect())
  const [port] = (await once(child, 'message')) as [number]
  const opened = await Promise.all(Array.from({ length: CONNECTIONS }, () => Connection.to(port)))
  stack.defer(() => opened.forEach((connection) => connection.end()))
  return opened
}

const nameOf = (server: Server, asked: Asked): string =>
  `HTTP ${asked} of 100 B, ${CONNECTIONS} connections, ${server === 'node' ? 'node:http' : server}`

function caseOf(server: Server, asked: Asked, connections: readonly Connection[]): Case {
  const [request, expected] = [REQUESTS[asked], ANSWERS[asked]]
  return {
    id: nameOf(server, asked),
    callers: CONNECTIONS,
    conditions: { durable: 'memory', valueBytes: 100 },
    async caller(work, caller) {
      const connection = connections[caller]!
      while (work.next() !== -1) {
        const body = await connection.ask(request)
        if (!body.startsWith(expected)) throw new Error(`${server}: found ${body}, expected ${expected}…`)
      }
    },
  }
}
