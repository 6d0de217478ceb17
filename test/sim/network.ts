/**
 * The links between the nodes: loss, duplication, delay, order or none, cuts, resets, and an archive of old
 * messages that come back. Each direction of a link has its own stream of chance.
 *
 * Messages travel by reference; the profile can ask for them to be frozen.
 */
import type { Profile } from './plan.ts'
import { Stream } from '../../core/testing/prng.ts'

export interface Link {
  readonly stream: Stream
  /** How many cuts are in force; they may overlap. */
  cuts: number
  extraMs: number
  /** Raised by a reset: what was in flight under a lower number is lost. */
  connection: number
  /** Arrival time of the latest message, which the next may not overtake on an ordered link. */
  lastArrival: number
}

export interface Network<Letter> {
  readonly profile: Profile
  readonly links: readonly (readonly Link[])[]
  /** Letters of very different age, for replay. */
  readonly archive: Letter[]
  sent: number
  /** Links between healed nodes are perfect from here on. */
  perfect: boolean
}

const archived = 128

export function createNetwork<Letter>(profile: Profile, seed: number, nodes: number): Network<Letter> {
  const ids = Array.from({ length: nodes }, (_, i) => i)
  return {
    profile,
    links: ids.map((from) =>
      ids.map((to) => ({
        stream: new Stream(seed, `net:${from}>${to}`),
        cuts: 0,
        extraMs: 0,
        connection: 0,
        lastArrival: 0,
      })),
    ),
    archive: [],
    sent: 0,
    perfect: false,
  }
}

export function linkOf<Letter>(network: Network<Letter>, from: number, to: number): Link {
  return network.links[from]![to]!
}

/** When a letter sent now arrives: no time if it is lost, two if it is duplicated. */
export function schedule<Letter>(
  network: Network<Letter>,
  from: number,
  to: number,
  now: number,
  arrivals: number[],
): void {
  const link = linkOf(network, from, to)
  arrivals.length = 0
  if (link.cuts > 0) return
  if (network.perfect) {
    arrivals.push(arrival(link, now, 1 + link.stream.float(), true))
    return
  }
  const { profile } = network
  const { stream } = link
  if (profile.lossRate > 0 && stream.chance(profile.lossRate)) return
  arrivals.push(arrival(link, now, delay(profile, link), profile.ordered))
  if (profile.duplicateRate > 0 && stream.chance(profile.duplicateRate)) {
    arrivals.push(arrival(link, now, delay(profile, link), false))
  }
}

function delay(profile: Profile, link: Link): number {
  const slow = profile.tailRate > 0 && link.stream.chance(profile.tailRate) ? 20 : 1
  return link.extraMs + profile.delayMs * slow * (0.2 + link.stream.exponential(0.8))
}

function arrival(link: Link, now: number, delayMs: number, ordered: boolean): number {
  const at = ordered ? Math.max(now + delayMs, link.lastArrival) : now + delayMs
  if (at > link.lastArrival) link.lastArrival = at
  return at
}

/** Keeps one letter in eight; each new one takes the place of a random older one. */
export function archive<Letter>(network: Network<Letter>, chance: Stream, letter: () => Letter): void {
  if ((network.sent++ & 7) !== 0) return
  if (network.archive.length < archived) network.archive.push(letter())
  else network.archive[chance.below(archived)] = letter()
}

/** Cuts the given directions; the result mends exactly those. */
export function cut<Letter>(
  network: Network<Letter>,
  pairs: readonly (readonly [number, number])[],
): () => void {
  for (const [from, to] of pairs) linkOf(network, from, to).cuts++
  return () => {
    for (const [from, to] of pairs) linkOf(network, from, to).cuts--
  }
}

export function resetConnection<Letter>(network: Network<Letter>, a: number, b: number): void {
  linkOf(network, a, b).connection++
  linkOf(network, b, a).connection++
}
