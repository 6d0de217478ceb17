/** How nodes are named among each other: addresses, `host:port` with an IPv6 host in brackets, and ids. */
import { ConcordError } from './errors.ts'
import type { Introduced } from './ports.ts'
import type { NodeId } from './raft/types.ts'

export interface HostPort {
  /** Without brackets. */
  readonly host: string
  readonly port: number
}

/** Of an address; the first group is its host, with its brackets. */
export const ADDRESS_PATTERN = '^(\\[[0-9A-Fa-f:.]+\\]|[^\\s:/\\[\\]]+):[0-9]{1,5}$'
const ADDRESS = new RegExp(ADDRESS_PATTERN)

/** Undefined for what is no address. */
export function parseAddress(address: string): HostPort | undefined {
  const host = ADDRESS.exec(address)?.[1]
  if (host === undefined) return undefined
  const port = Number(address.slice(host.length + 1))
  return port > 65_535 ? undefined : { host: host.replace(/^\[|\]$/g, ''), port }
}

/** @throws `INVALID_OPTION` naming what was found. */
export function addressOf(address: string, field: string): HostPort {
  const parsed = parseAddress(address)
  if (parsed !== undefined) return parsed
  throw new ConcordError('INVALID_OPTION', `${field}: host:port expected, found "${address}"`, {
    details: { field, found: address, expected: 'host:port, an IPv6 host in brackets' },
  })
}

export const formatAddress = (host: string, port: number): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`

/** Of this machine only. A name may lead anywhere, `localhost` excepted. */
export function isLoopback(host: string): boolean {
  const plain = host.replace(/^::ffff:/i, '')
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(plain)
}

/** The name by which votes count. */
export const idOf = ({ name, incarnation }: Pick<Introduced, 'name' | 'incarnation'>): NodeId =>
  `${name}/${incarnation}`
