/**
 * Answers without an end: how many of them one client reads at once, and that each is let go of when its client goes.
 * What a client does not read is not made: the source is asked for more only when there is room.
 */
import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import { HttpError } from './problem.ts'

export class Streams {
  readonly #mostEach: number
  readonly #open = new Map<string, number>()

  /** @param mostEach of one client, at once. */
  constructor(mostEach: number) {
    this.#mostEach = mostEach
  }

  /** @throws HttpError `RATE_LIMITED` - the client reads as many as it may; `source` is not asked for anything. */
  open(client: string, source: AsyncIterable<string | Uint8Array>, reply: FastifyReply): Readable {
    const count = this.#open.get(client) ?? 0
    if (count >= this.#mostEach) {
      const why = `${this.#mostEach} answers without an end are read by this client already; end one`
      throw new HttpError('RATE_LIMITED', why, { headers: { 'retry-after': '1' } })
    }
    this.#open.set(client, count + 1)
    reply.raw.once('close', () => this.#closed(client))
    return Readable.from(source, { objectMode: false })
  }

  #closed(client: string): void {
    const left = (this.#open.get(client) ?? 1) - 1
    if (left === 0) this.#open.delete(client)
    else this.#open.set(client, left)
  }
}
