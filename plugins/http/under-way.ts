/**
 * Requests that are not answered, or whose answers are not taken yet: a node that closes waits for them. The server below
 * would not: it takes a connection for idle as soon as an answer is written, and ends it with what its client has not read.
 */
import type { ServerResponse } from 'node:http'

/** A client that takes nothing for so long, of an answer that is there, is not waited for. */
const TAKE_MS = 2000

export class UnderWay {
  /** Whether `count` was called for each. */
  readonly #responses = new Map<ServerResponse, boolean>()
  #counted = 0
  #over: (() => void) | undefined

  /** Of those under way, how many `count` was called for. */
  get counted(): number {
    return this.#counted
  }

  begin(response: ServerResponse): void {
    this.#responses.set(response, false)
    if (this.#over !== undefined) hurry(response)
    response.once('close', () => {
      if (this.#responses.get(response) === true) this.#counted--
      this.#responses.delete(response)
      if (this.#responses.size === 0) this.#over?.()
    })
  }

  /** What has ended already, because its client has gone, is counted no more. */
  count(response: ServerResponse): void {
    if (this.#responses.get(response) !== false) return
    this.#responses.set(response, true)
    this.#counted++
  }

  /** Resolves when all answers have been taken, or will not be. */
  async finish(): Promise<void> {
    if (this.#responses.size === 0) return
    for (const response of this.#responses.keys()) hurry(response)
    await new Promise<void>((resolve) => {
      this.#over = resolve
    })
  }
}

/** The time runs anew with every piece that is taken; until there is an answer it means nothing. */
function hurry(response: ServerResponse): void {
  response.setTimeout(TAKE_MS, () => {
    if (response.writableEnded) response.destroy()
  })
}
