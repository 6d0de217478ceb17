// A DNS server over UDP that says what a test wants: enough of RFC 1035 for A, AAAA and SRV.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { TestContext } from 'node:test'

export type Answer =
  | { readonly type: 'A' | 'AAAA'; readonly address: string }
  | { readonly type: 'SRV'; readonly port: number; readonly target: string }

/** `silent` never answers; `failing` says that the server has failed. */
export type Mood = 'answering' | 'silent' | 'failing'

export interface DnsServer {
  readonly address: string
  /** By name; a name that is not there does not exist. */
  readonly records: Map<string, readonly Answer[]>
  mood: Mood
  questions: number
}

const TYPES = { A: 1, AAAA: 28, SRV: 33 } as const
const NO_SUCH_NAME = 3
const SERVER_FAILED = 2

const u16 = (...values: readonly number[]) =>
  Buffer.from(values.flatMap((value) => [value >> 8, value & 0xff]))

const labels = (name: string) =>
  Buffer.concat([
    ...name.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)])),
    Buffer.from([0]),
  ])

function data(answer: Answer): Buffer {
  if (answer.type === 'SRV') return Buffer.concat([u16(10, 5, answer.port), labels(answer.target)])
  if (answer.type === 'A') return Buffer.from(answer.address.split('.').map(Number))
  const [head = '', tail = ''] = answer.address.split('::')
  const [before, after] = [head, tail].map((half) => half.split(':').filter((group) => group !== ''))
  const zeros = Array.from({ length: 8 - before!.length - after!.length }, () => '0')
  return u16(...[...before!, ...zeros, ...after!].map((group) => Number.parseInt(group, 16)))
}

function questionIn(query: Buffer): { name: string; type: number; end: number } {
  const parts: string[] = []
  let at = 12
  while (query[at] !== 0) {
    const length = query[at]!
    parts.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: parts.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 }
}

export async function startDnsServer(t: TestContext): Promise<DnsServer> {
  const socket = createSocket('udp4')
  const server: DnsServer = { address: '', records: new Map(), mood: 'answering', questions: 0 }
  socket.on('message', (query, from) => {
    server.questions++
    if (server.mood === 'silent') return
    const { name, type, end } = questionIn(query)
    const known = server.records.get(name)
    const answers = (known ?? []).filter((answer) => TYPES[answer.type] === type)
    const failure = known === undefined ? NO_SUCH_NAME : 0
    const code = server.mood === 'failing' ? SERVER_FAILED : failure
    const count = code === 0 ? answers.length : 0
    const head = Buffer.concat([
      query.subarray(0, 2),
      u16(0x8180 | code, 1, count, 0, 0),
      query.subarray(12, end),
    ])
    const records = answers.slice(0, count).map((answer) => {
      const body = data(answer)
      return Buffer.concat([u16(0xc00c, TYPES[answer.type], 1, 0, 0, body.length), body])
    })
    socket.send(Buffer.concat([head, ...records]), from.port, from.address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  t.after(() => socket.close())
  return Object.assign(server, { address: `127.0.0.1:${socket.address().port}` })
}
