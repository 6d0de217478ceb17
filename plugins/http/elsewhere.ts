/**
 * Calls that are not to be passed on: with `forward=never` a node that does not lead says where its leader serves HTTP,
 * and the client asks there itself. Members tell each other where they serve when they are asked how they are.
 */
import { ConcordError, type Context, type RouteCall } from '../../core/plugin.ts'
import { HttpError } from './problem.ts'

/** Whether only a leader can answer, and the node that is asked is not to ask it. */
export const isForLeader = ({ query }: Pick<RouteCall, 'query'>): boolean =>
  query['forward'] === 'never' && query['consistency'] !== 'eventual'

export class Elsewhere {
  readonly #store: Context['store']
  /** Where the leader of this term serves: a node that starts again leads in a later one. */
  #known: { readonly term: number; readonly url: string } | undefined

  constructor(store: Context['store']) {
    this.#store = store
  }

  /**
   * Resolves when this node leads.
   *
   * @param path with its query, as it was asked for.
   * @throws HttpError `NOT_LEADER` - 307, with `Location`. `NOT_LEADER`, `NO_LEADER` - 503: nobody knows where.
   */
  async refuse(path: string): Promise<void> {
    const { role, term, leader, members } = await this.#store.status()
    if (role === 'leader') return
    const name = members.find(({ id }) => id === leader)?.name
    if (leader === null || name === undefined) throw new ConcordError('NO_LEADER', 'no leader is known')
    const url = this.#known?.term === term ? this.#known.url : await this.#ask(leader, term)
    const details = { leader: name }
    if (url === undefined) {
      const why = `${name} leads, and where it serves HTTP is not known: see plugins.http.advertise there`
      throw new ConcordError('NOT_LEADER', why, { details })
    }
    const headers = { location: url + path }
    throw new HttpError('NOT_LEADER', `${name} leads: ask ${url}`, { details, headers })
  }

  async #ask(leader: string, term: number): Promise<string | undefined> {
    const found = (await this.#store.cluster.status()).find(({ id }) => id === leader)
    const url = found && reachableAt(found.state?.urls?.['http'], found.address)
    if (url !== undefined) this.#known = { term, url }
    return url
  }
}

/**
 * Where a member serves, as others can use it: it may listen on all addresses of its machine, and is then at the one that
 * its peers have; or only on its own machine, where nobody of another one finds it.
 *
 * @param said by the member, which may be of another version: only what is an address becomes a header.
 * @param peerAddress of the member, `host:port`.
 */
export function reachableAt(said: string | undefined, peerAddress: string): string | undefined {
  if (said === undefined || !URL.canParse(said)) return undefined
  const url = new URL(said)
  if (!/^https?:$/.test(url.protocol)) return undefined
  const peerHost = peerAddress.slice(0, peerAddress.lastIndexOf(':'))
  if (isWildcard(url.hostname)) url.hostname = peerHost
  return isLoopback(url.hostname) && !isLoopback(peerHost) ? undefined : url.origin
}

const isWildcard = (host: string): boolean => host === '0.0.0.0' || host === '[::]'

/** As in a URL or without its brackets. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || /^\[?::1\]?$/.test(host) || /^\[?(::ffff:)?127\./.test(host)
