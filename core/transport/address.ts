/** Addresses of peers: `host:port`, an IPv6 host in brackets. */
import { isIP } from 'node:net'

import { ConcordError } from '../errors.ts'

export interface HostPort {
  /** Without brackets. */
  readonly host: string
  readonly port: number
}

const ADDRESS = /^(?:\[(?<v6>[0-9A-Fa-f:.]+)\]|(?<host>[^\s:/[\]]+)):(?<port>\d{1,5})$/

/** Undefined for what is no address. */
export function parseAddress(address: string): HostPort | undefined {
  const groups = ADDRESS.exec(address)?.groups
  const host = groups?.['v6'] ?? groups?.['host']
  const port = Number(groups?.['port'])
  return host === undefined || port > 65_535 ? undefined : { host, port }
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
  isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`

/** Of this machine only. A name may lead anywhere, `localhost` excepted. */
export function isLoopback(host: string): boolean {
  const plain = host.replace(/^::ffff:/i, '')
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(plain)
}
