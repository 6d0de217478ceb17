/** The addresses that the configuration names. They never change. */
import { ConcordError } from '../errors.ts'
import type { Discovery } from '../ports.ts'
import { isAddress, MAX_ADDRESSES, sorted } from './addresses.ts'

/** @throws `INVALID_OPTION` - naming the address that is none, or how many there are. */
export function staticDiscovery(addresses: readonly string[]): Discovery {
  const wrong = addresses.find((address) => !isAddress(address))
  if (wrong !== undefined) {
    throw new ConcordError('INVALID_OPTION', `host:port expected, found "${wrong}"`, {
      details: { found: wrong, expected: 'host:port, an IPv6 host in brackets' },
    })
  }
  if (new Set(addresses).size > MAX_ADDRESSES) {
    const message = `at most ${MAX_ADDRESSES} addresses expected, found ${addresses.length}`
    throw new ConcordError('INVALID_OPTION', message)
  }
  const known = sorted(addresses)
  return {
    start: () => Promise.resolve(),
    candidates: () => known,
    close: () => Promise.resolve(),
  }
}
