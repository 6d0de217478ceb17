/** What every way of looking keeps: a list of addresses, and who wants to hear of its changes. */

/** Most addresses that any way of looking gives. */
export const MAX_ADDRESSES = 256

const ADDRESS = /^(?:\[[0-9A-Fa-f:.]+\]|[^\s:/[\]]{1,255}):\d{1,5}$/

/** `host:port` with a port that can be dialled, an IPv6 host in brackets. */
export function isAddress(text: string): boolean {
  const port = Number(text.slice(text.lastIndexOf(':') + 1))
  return ADDRESS.test(text) && port >= 1 && port <= 65_535
}

export class Addresses {
  #list: readonly string[] = []
  readonly #listeners = new Set<() => void>()

  get list(): readonly string[] {
    return this.#list
  }

  /** Sorted, without repetition, cut at `MAX_ADDRESSES`. Tells whoever listens when that changes anything. */
  set(addresses: Iterable<string>): void {
    const next = [...new Set(addresses)].sort().slice(0, MAX_ADDRESSES)
    if (next.length === this.#list.length && next.every((address, at) => address === this.#list[at])) return
    this.#list = next
    for (const changed of this.#listeners) changed()
  }

  onChange(changed: () => void): () => void {
    this.#listeners.add(changed)
    return () => this.#listeners.delete(changed)
  }

  close(): void {
    this.#listeners.clear()
  }
}
