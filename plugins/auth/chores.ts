/**
 * What auth does of its own while its node runs: it writes down which tokens were used, and makes the token of the config.
 * Both are tried until they are done. What ends when the node has closed begins nothing any more.
 */
import { ConcordError, type Context, type Timer } from '../../core/plugin.ts'
import type { Directory } from './directory.ts'

/** Between two looks at which tokens have been used. */
const FLUSH_MS = 15_000
const AGAIN_MS = 1000

export class Chores {
  readonly #ctx: Context
  readonly #directory: Directory
  readonly #used: Map<string, number>
  readonly #timers = new Set<Timer>()

  /** @param used tokens whose use is to be written down, and when it was. */
  constructor(ctx: Context, directory: Directory, used: Map<string, number>) {
    this.#ctx = ctx
    this.#directory = directory
    this.#used = used
    ctx.onClose(() => this.#timers.forEach((timer) => ctx.clock.cancel(timer)))
  }

  begin(bootstrapToken: string | undefined): void {
    this.#flushLater()
    if (bootstrapToken !== undefined) this.#bootstrap(bootstrapToken)
  }

  #flushLater(): void {
    const again = (): void => this.#flushLater()
    // What could not be written is still there the next time: that is worth no word.
    this.#later(() => void this.#flush().then(again, again), FLUSH_MS)
  }

  async #flush(): Promise<void> {
    const { node } = await this.#ctx.store.status()
    for (const [id, atMs] of this.#used) {
      await this.#directory.noteUse(id, node.name, atMs)
      if (this.#used.get(id) === atMs) this.#used.delete(id)
    }
  }

  #bootstrap(token: string): void {
    this.#directory.bootstrap(token).catch((error: unknown) => {
      if (ConcordError.is(error) && error.code === 'CHANGE_REFUSED') return
      this.#later(() => this.#bootstrap(token), AGAIN_MS)
    })
  }

  #later(run: () => void, delayMs: number): void {
    if (this.#ctx.signal.aborted) return
    const timer = this.#ctx.clock.after(delayMs, () => {
      this.#timers.delete(timer)
      run()
    })
    this.#timers.add(timer)
  }
}
