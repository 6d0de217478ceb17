/**
 * Who asks, as far as limits of one client go: a token that is known here, wherever it comes from, or else the network
 * that the request comes from. What is only said to be a token makes nobody another client, however many are made up.
 */
import type { RouteCall } from '../../core/plugin.ts'
import { tokenOf } from './call.ts'

/** The id of the token that has this text, by what this node knows right now; undefined: nobody has it. */
export type IdOf = (token: string) => string | undefined

export type ClientOf = (request: {
  readonly headers: RouteCall['headers']
  /** None over a socket that has no address, or that is gone. */
  readonly ip: string | undefined
}) => string

/** @param idOf undefined: nobody looks at tokens. */
export function clientBy(idOf: IdOf | undefined): ClientOf {
  return ({ headers, ip }) => {
    const token = idOf && tokenOf(headers)
    const id = token && idOf(token)
    return id === undefined ? networkOf(ip ?? '') : `token ${id}`
  }
}

/** Of IPv6 the first 64 bits: whoever has one address of them has all. */
export function networkOf(ip: string): string {
  const mapped = /^::ffff:(\d+(\.\d+){3})$/i.exec(ip)
  if (mapped !== null) return mapped[1]!
  if (!ip.includes(':')) return ip
  const [before, after] = ip.split('::').map((groups) => groups.split(':').filter((group) => group !== ''))
  const zeros = 8 - before!.length - (after ?? []).length
  const groups = [...before!, ...Array.from({ length: zeros }, () => '0'), ...(after ?? [])]
  return `${groups.slice(0, 4).join(':')}::/64`
}
