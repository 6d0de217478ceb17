/**
 * What all clients of a node's socket together may have under way: they may not take all the places that the node
 * has for reads that wait. Whoever finds it full waits his turn.
 */
export class Share {
  readonly #max: number
  readonly #waiting = new Set<() => void>()
  #inFlight = 0

  constructor(max: number) {
    this.#max = max
  }

  get isFull(): boolean {
    return this.#inFlight >= this.#max
  }

  begin(): void {
    this.#inFlight++
  }

  /** Whoever has waited longest goes on; who is still in no position to, comes again by himself. */
  end(): void {
    this.#inFlight--
    for (const goOn of this.#waiting) {
      if (this.isFull) return
      this.#waiting.delete(goOn)
      goOn()
    }
  }

  /** Calls it when there may be room. */
  await(goOn: () => void): void {
    this.#waiting.add(goOn)
  }

  forget(goOn: () => void): void {
    this.#waiting.delete(goOn)
  }
}
