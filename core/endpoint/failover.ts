/**
 * Where a cluster is reached at several endpoints, a call that one of them could not do goes on at the next, within
 * its own deadline: when it certainly did nothing, or when to do it twice is to do it once (a read, or a write with a
 * request id; thesis, 6.3). No sockets here.
 */
import { AbortError, ConcordError, type ErrorCode } from '../errors.ts'
import { within } from '../patience.ts'
import type { Ask, Link, Links, Told } from './ask.ts'

/** Between rounds through all endpoints. */
const PAUSE_MS = 100
/** The node is of no use at present; another may be. */
const USELESS: ReadonlySet<ErrorCode> = new Set(['NO_LEADER', 'NOT_READY', 'STOPPED', 'UNSUPPORTED'])
/** The call was lost on its way. */
const LOST: ReadonlySet<ErrorCode> = new Set(['CONNECTION_LOST', 'LEADERSHIP_LOST', 'STOPPED'])

export async function askAnywhere(links: Links, ask: Ask): Promise<Told> {
  let isUnknown = false
  for (let failures = 1; ; failures++) {
    let link: Link | undefined
    try {
      link = await links.link(ask)
      return await link.ask(ask)
    } catch (error) {
      if (!ConcordError.is(error)) throw isUnknown ? inDoubt(error, ask) : error
      if (link !== undefined && USELESS.has(error.code)) links.leave(link)
      if (!goesOn(links, ask, error, failures)) throw isUnknown ? inDoubt(error, ask) : error
      isUnknown ||= error.outcome === 'unknown'
      // Without a link, all endpoints have been tried.
      if (link !== undefined && failures % links.alternatives !== 0) continue
      await pause(links, ask).catch((aborted: unknown) => {
        throw isUnknown ? inDoubt(aborted, ask) : aborted
      })
    }
  }
}

function goesOn(links: Links, ask: Ask, error: ConcordError, failures: number): boolean {
  if (links.isClosed || links.alternatives < 2) return false
  if (ask.deadlineMs - links.clock.monotonicMs() <= PAUSE_MS) return false
  const { code, outcome, retryable } = error
  if (outcome === 'unknown') return LOST.has(code) && (!ask.isWrite || ask.isGuarded === true)
  if (code === 'CANNOT_CONNECT') return retryable
  // Does not pass by itself: one round.
  if (code === 'UNSUPPORTED') return failures < links.alternatives
  return USELESS.has(code) || LOST.has(code)
}

function pause({ clock }: Links, { deadlineMs, signal }: Ask): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = clock.after(PAUSE_MS, resolve, { keepAlive: true })
  return within(clock, { deadlineMs, signal }, promise).finally(() => clock.cancel(timer))
}

/** What the last try did not do, an earlier one may have done. */
function inDoubt(error: unknown, { signal }: Ask): unknown {
  if (error instanceof AbortError) return new AbortError(signal?.reason, 'unknown')
  if (!ConcordError.is(error) || error.outcome === 'unknown') return error
  const { code, message, details, cause } = error
  const text = `${message}; an earlier try of this call may have happened`
  return new ConcordError(code, text, { outcome: 'unknown', retryable: true, details, cause })
}
