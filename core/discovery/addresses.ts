/** What every way of looking gives: a list of addresses. */

/** Most addresses that any way of looking gives. */
export const MAX_ADDRESSES = 256

const ADDRESS = /^(?:\[[0-9A-Fa-f:.]+\]|[^\s:/[\]]{1,255}):\d{1,5}$/

/** `host:port` with a port that can be dialled, an IPv6 host in brackets. */
export function isAddress(text: string): boolean {
  const port = Number(text.slice(text.lastIndexOf(':') + 1))
  return ADDRESS.test(text) && port >= 1 && port <= 65_535
}

/** Without repetition, cut at `MAX_ADDRESSES`. */
export const sorted = (addresses: Iterable<string>): readonly string[] =>
  [...new Set(addresses)].sort().slice(0, MAX_ADDRESSES)
