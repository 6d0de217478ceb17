/** Where every call of every surface is judged: with which token, and whether that may. */
import { ConcordError, type Access, type Clock, type DoorRequest } from '../../core/plugin.ts'
import { type Directory, EPOCH } from './directory.ts'
import type { AuthConfig } from './options.ts'
import { allowing, readable, type Ruling, rulingsOf } from './policy.ts'
import { isToken } from './token.ts'

/** Between two notes of the use of one token, by one node. */
const NOTE_MS = 60_000
/** What operators ask of a node that has lost the others: how it is, and whom it knows. No keys, no values. */
const OF_NODE: ReadonlySet<string> = new Set(['status', 'members'])
/** Of how many tokens the last use is kept in mind. */
const NOTED = 10_000

export interface DoorOwner {
  readonly clock: Clock
  contactMs(): number
}

export class AuthDoor {
  readonly #directory: Directory
  readonly #config: AuthConfig
  readonly #owner: DoorOwner
  readonly #notedAt = new Map<string, number>()
  /** Tokens whose use is to be written down. */
  readonly used = new Map<string, number>()

  constructor(directory: Directory, config: AuthConfig, owner: DoorOwner) {
    this.#directory = directory
    this.#config = config
    this.#owner = owner
  }

  /** @throws `UNAUTHORIZED`, `FORBIDDEN`, `NOT_READY`. Nothing was proposed or read. */
  judge(request: DoorRequest): void {
    const { token } = request.options as { readonly token?: unknown }
    if (token === undefined && this.#isTrusted(request)) return
    if (typeof token !== 'string' || token === '') throw this.#stranger('a token is needed')
    if (!isToken(token)) throw unauthorized('what was given is no token')
    // From here on another state of the cluster may say otherwise.
    request.decidedBy = { plugin: 'auth', key: EPOCH }
    if (!OF_NODE.has(request.operation)) this.#mustBeInTouch()
    const known = this.#directory.known(token)
    if (known === undefined) throw this.#unknown()
    request.actor = `token:${known.id}`
    request.credential = known.id
    this.#note(known.id)
    const rulings = rulingsOf(known.record, this.#directory.roleNow)
    for (const access of request.access) this.#allow(request, access, rulings)
  }

  /**
   * What a node has applied before it has a leader again is less than what was committed: until then it knows neither
   * which tokens there are, nor that there is none.
   */
  #unknown(): ConcordError {
    if (this.#isInTouch()) return this.#stranger('the token is not known, or not any more')
    return new ConcordError(
      'NOT_READY',
      'this node does not know the token, and has no leader from whom it would have heard of all that there are',
    )
  }

  /** Whoever comes before the first token has to hear how that is made. */
  #stranger(why: string): ConcordError {
    if (this.#directory.hadTokensHere() || !this.#isInTouch()) return unauthorized(why)
    return new ConcordError('UNAUTHORIZED', `${why}. ${FIRST}`, { details: { reason: 'noTokens' } })
  }

  #isTrusted({ caller }: DoorRequest): boolean {
    return caller === 'plugin' || (caller === 'application' && this.#config.embedded === 'trusted')
  }

  /** A node that is cut off does not learn of tokens that are revoked. */
  #mustBeInTouch(): void {
    if (this.#config.staleReads || this.#isInTouch()) return
    throw new ConcordError(
      'NOT_READY',
      `this node has not been in touch with a leader for ${this.#config.staleMs} ms: it cannot tell whether a token still holds`,
    )
  }

  #isInTouch(): boolean {
    return this.#owner.contactMs() <= this.#config.staleMs
  }

  #allow(request: DoorRequest, access: Access, rulings: readonly Ruling[]): void {
    if (allowing(rulings, access) !== undefined) return
    const { prefix, permission } = access
    if (request.operation === 'entries' && prefix !== undefined) {
      const visible = readable(rulings, prefix)
      if (visible !== undefined) {
        request.visible = visible
        return
      }
    }
    throw new ConcordError('FORBIDDEN', `the token may not ${permission} ${whereOf(access)}`, {
      details: { ...access },
    })
  }

  /** At most once a minute for each token: the directory writes it down when it comes to it. */
  #note(id: string): void {
    const now = this.#owner.clock.wallMs()
    if (now - (this.#notedAt.get(id) ?? -Infinity) < NOTE_MS) return
    if (this.#notedAt.size >= NOTED) this.#notedAt.clear()
    this.#notedAt.set(id, now)
    this.used.set(id, now)
  }
}

const whereOf = ({ key, prefix }: Access): string => {
  if (key !== undefined) return `the key ${JSON.stringify(key.slice(0, 100))}`
  return prefix === undefined ? 'the cluster' : `keys below ${JSON.stringify(prefix.slice(0, 100))}`
}

const FIRST =
  'This node has heard of no token yet: "npx concord-kv token create --bootstrap" makes the first, where a node runs'

const unauthorized = (why: string): ConcordError => new ConcordError('UNAUTHORIZED', why)
