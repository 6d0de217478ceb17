/**
 * Tokens and roles, in the plugin's own replicated space: the same on every node, there after a restart. Every change
 * of rights also changes the key `epoch`, by which calls that were let in before are judged again.
 */
import {
  ConcordError,
  type Context,
  type PluginSpace,
  type TxnOperation,
  type TxnRequest,
  type Value,
} from '../../core/plugin.ts'
import type { AuthService, NewToken, TokenInfo } from './index.ts'
import {
  allowing,
  checkGrants,
  checkName,
  checkSeconds,
  type Grant,
  PREDEFINED,
  type Rights,
  type Role,
  rulingsOf,
} from './policy.ts'
import { hashOf, isSecretOf, makeToken, newSecret, parseToken, textOf, type Token } from './token.ts'

/** What calls are judged by: see `DoorRequest.decidedBy`. */
export const EPOCH = 'epoch'
const BOOTSTRAP = 'bootstrap'
/** There since the first token, whatever has become of that. */
const HAD = 'had'
const TOKENS = 'token/'
const OLD = 'old/'
/** There as long as a token that expires may be used: never written again, so that no change lengthens a life. */
const ENDS = 'ends/'
const ROLES = 'role/'
const USED = 'used/'

/** A token as it is kept: without its secret. */
export interface TokenRecord extends Rights {
  readonly name: string
  readonly hash: Uint8Array
  /** Wall clock, for people. */
  readonly createdAt: number
  readonly createdBy: string
  /** It goes when `ENDS` does, and not before this record: that may be there a little longer. */
  readonly expires?: boolean
}

interface RoleRecord {
  readonly grants: readonly Grant[]
}

const MAX_TOKENS_LISTED = 100_000
const MAX_IDS_NAMED = 3

export class Directory implements Omit<AuthService, 'can' | 'idOf'> {
  readonly #ctx: Context
  readonly #space: PluginSpace

  constructor(ctx: Context) {
    this.#ctx = ctx
    this.#space = ctx.space
  }

  // ------------------------------------------------------------------------- this node's state, at once

  /** The token that has this text; undefined when nobody has, or has it any more. */
  known(text: string): { readonly id: string; readonly record: TokenRecord } | undefined {
    const token = parseToken(text)
    const { id, secret } = token ?? { id: '', secret: '' }
    const record = token === undefined ? undefined : this.#space.local.get<TokenRecord>(TOKENS + id)
    if (record?.expires === true && this.#space.local.get(ENDS + id) === undefined) return undefined
    if (isSecretOf(secret, record?.hash)) return { id, record: record! }
    const old = record === undefined ? undefined : this.#space.local.get<Uint8Array>(OLD + id)
    return old !== undefined && isSecretOf(secret, old) ? { id, record: record! } : undefined
  }

  hadTokensHere = (): boolean => this.#space.local.get(HAD) !== undefined

  roleNow = (name: string): Role | undefined =>
    PREDEFINED.get(name) ?? this.#roleOf(name, this.#space.local.get<RoleRecord>(ROLES + name))

  #roleOf(name: string, record: RoleRecord | undefined): Role | undefined {
    return record && { name, grants: record.grants }
  }

  // ----------------------------------------------------------------------------------------- tokens

  async hadTokens(): Promise<boolean> {
    return (await this.#space.get(HAD)) !== undefined
  }

  createToken(given: NewToken, by = 'the application'): Promise<Shown> {
    return this.#create(makeToken(), given, by)
  }

  async #create(token: Token, given: NewToken, by: string): Promise<Shown> {
    const { roles = [], ttl } = given
    checkSeconds(ttl, 'ttl')
    const plain = await this.#recordOf(token, given, by)
    const record: TokenRecord = ttl === undefined ? plain : { ...plain, expires: true }
    await this.#change(async ({ has }) => {
      if (await has(TOKENS + token.id)) throw refused('there is a token with this id already')
      for (const role of roles) await this.#mustBeRole(role)
      return {
        seen: [absent(TOKENS + token.id)],
        writes: [
          put(TOKENS + token.id, record, ttl),
          put(HAD, true),
          ...(ttl === undefined ? [] : [put(ENDS + token.id, true, ttl)]),
        ],
        takesAway: false,
      }
    })
    this.#ctx.log.info({ id: token.id, name: record.name, by }, 'token created')
    return { ...infoOf(token.id, record, ttl ?? null, null), token: textOf(token) }
  }

  async #recordOf({ secret }: Token, given: NewToken, by: string): Promise<TokenRecord> {
    const { name, roles = [], grants = [] } = given
    return {
      name: checkName(name, 'name'),
      hash: new Uint8Array(hashOf(secret)),
      roles: [...new Set(roles)],
      grants: checkGrants(grants, 'grants'),
      createdAt: this.#ctx.clock.wallMs(),
      createdBy: by,
    }
  }

  async listTokens(): Promise<TokenInfo[]> {
    await this.#space.get(EPOCH) // this node has caught up with all that was answered before
    const used = new Map<string, number>()
    for await (const { key, value } of this.#space.scan<number>({ prefix: USED })) {
      const id = key.slice(USED.length).split('/')[0]!
      used.set(id, Math.max(used.get(id) ?? 0, value))
    }
    const found: TokenInfo[] = []
    for await (const { key } of this.#space.scan({ prefix: TOKENS, limit: MAX_TOKENS_LISTED })) {
      const id = key.slice(TOKENS.length)
      const token = await this.#find(id, { consistency: 'eventual' })
      if (token !== undefined) found.push(infoOf(id, token.record, token.ttl, used.get(id) ?? null))
    }
    return found
  }

  async revokeToken(id: string, { force = false } = {}): Promise<{ readonly revoked: boolean }> {
    let name: string | undefined
    await this.#change(async () => {
      name = (await this.#find(id))?.record.name
      if (name === undefined) {
        // Whoever took it has had everything judged again in the same command.
        await this.#mustBeNoName(id)
        return undefined
      }
      if (!force) await this.#leavesAnAdmin({ token: id, as: undefined })
      return { writes: [remove(TOKENS + id), remove(OLD + id), remove(ENDS + id)], takesAway: true }
    })
    if (name !== undefined) this.#ctx.log.info({ id, name }, 'token revoked')
    return { revoked: name !== undefined }
  }

  async rotateToken(id: string, { overlap = 0 } = {}): Promise<Shown> {
    checkSeconds(overlap === 0 ? undefined : overlap, 'overlap')
    const secret = newSecret()
    let rotated!: { record: TokenRecord; ttl: number | null }
    await this.#change(async () => {
      const { record, ttl, seen } = await this.#mustFind(id)
      rotated = { record: { ...record, hash: new Uint8Array(hashOf(secret)) }, ttl }
      // Without an overlap the one before goes, too, whatever was promised to it.
      const old = overlap > 0 ? put(OLD + id, record.hash, overlap) : remove(OLD + id)
      return { seen, writes: [old, put(TOKENS + id, rotated.record, ttl ?? undefined)], takesAway: true }
    })
    this.#ctx.log.info({ id, name: rotated.record.name, overlap }, 'token rotated')
    return { ...infoOf(id, rotated.record, rotated.ttl, null), token: textOf({ id, secret }) }
  }

  async grantRole(id: string, role: string): Promise<void> {
    await this.#change(async () => {
      await this.#mustBeRole(role)
      const { record, ttl, seen } = await this.#mustFind(id)
      const changed = { ...record, roles: [...new Set([...record.roles, role])] }
      return { seen, writes: [put(TOKENS + id, changed, ttl ?? undefined)], takesAway: false }
    })
  }

  async revokeRole(id: string, role: string, { force = false } = {}): Promise<void> {
    await this.#change(async () => {
      const { record, ttl, seen } = await this.#mustFind(id)
      const changed = { ...record, roles: record.roles.filter((name) => name !== role) }
      if (!force) await this.#leavesAnAdmin({ token: id, as: changed })
      return { seen, writes: [put(TOKENS + id, changed, ttl ?? undefined)], takesAway: true }
    })
  }

  async setGrants(id: string, grants: readonly Grant[], { force = false } = {}): Promise<void> {
    const checked = checkGrants(grants, 'grants')
    await this.#change(async () => {
      const { record, ttl, seen } = await this.#mustFind(id)
      const changed = { ...record, grants: checked }
      if (!force) await this.#leavesAnAdmin({ token: id, as: changed })
      return { seen, writes: [put(TOKENS + id, changed, ttl ?? undefined)], takesAway: true }
    })
  }

  // ------------------------------------------------------------------------------------------ roles

  async createRole(name: string, grants: readonly Grant[]): Promise<Role> {
    checkName(name, 'name')
    const record: RoleRecord = { grants: checkGrants(grants, 'grants') }
    await this.#change(async ({ has }) => {
      if (PREDEFINED.has(name) || (await has(ROLES + name)))
        throw refused(`the role ${name} is there already`)
      return { seen: [absent(ROLES + name)], writes: [put(ROLES + name, record)], takesAway: false }
    })
    return { name, grants: record.grants }
  }

  async deleteRole(name: string, { force = false } = {}): Promise<{ readonly deleted: boolean }> {
    checkName(name, 'name')
    if (PREDEFINED.has(name)) throw refused(`${name} is predefined, and stays`)
    let deleted = false
    await this.#change(async ({ has }) => {
      deleted = await has(ROLES + name)
      if (!deleted) return undefined
      if (!force) await this.#leavesAnAdmin({ role: name })
      return { writes: [remove(ROLES + name)], takesAway: true }
    })
    return { deleted }
  }

  async listRoles(): Promise<Role[]> {
    await this.#space.get(EPOCH)
    const found = [...PREDEFINED.values()]
    for await (const { key, value } of this.#space.scan<RoleRecord>({ prefix: ROLES })) {
      found.push({ name: key.slice(ROLES.length), grants: value.grants })
    }
    return found
  }

  // ------------------------------------------------------------------------------------- bootstrapping

  /** Once for the whole cluster, whoever asks and however often: the mark and the token are one change. */
  async bootstrap(text?: string): Promise<Shown> {
    const token = text === undefined ? makeToken() : parseToken(text)!
    const record = await this.#recordOf(token, { name: 'bootstrap', roles: ['admin'] }, 'bootstrap')
    await this.#change(async ({ has }) => {
      if (await has(BOOTSTRAP)) {
        throw refused(
          'the first token of this cluster was made already; whoever has the role admin makes others',
        )
      }
      const mark = put(BOOTSTRAP, { at: this.#ctx.clock.wallMs(), id: token.id })
      return {
        seen: [absent(BOOTSTRAP)],
        writes: [mark, put(HAD, true), put(TOKENS + token.id, record)],
        takesAway: false,
      }
    })
    this.#ctx.log.info({ id: token.id, name: record.name, by: 'bootstrap' }, 'token created')
    return { ...infoOf(token.id, record, null, null), token: textOf(token) }
  }

  // -------------------------------------------------------------------------------------------- use

  /** For people: when this node has last seen a token. Changes no rights. */
  async noteUse(id: string, node: string, atMs: number): Promise<void> {
    await this.#space.put(`${USED}${id}/${node}`, atMs, { ttl: USED_TTL_SECONDS })
  }

  // ------------------------------------------------------------------------------------- small things

  /**
   * Every change of tokens and roles is one command, on the state that it was decided on: `EPOCH` is compared, and
   * rewritten with it. What only gives leaves it as it is, so that nobody who was let in is judged again for nothing;
   * it is compared all the same, and so is what it was decided on. Of what is not there, nothing is written.
   */
  async #change(decide: (now: Now) => Promise<Decided | undefined>): Promise<void> {
    const has = async (key: string): Promise<boolean> => (await this.#space.get(key)) !== undefined
    for (;;) {
      const epoch = (await this.#space.getEntry(EPOCH))?.revision ?? 0
      const decided = await decide({ has })
      if (decided === undefined) return
      const { seen = [], writes, takesAway } = decided
      const turn = takesAway ? [put(EPOCH, newSecret())] : []
      const compare = [{ key: EPOCH, revision: epoch }, ...seen]
      const { succeeded } = await this.#space.txn({ compare, success: [...writes, ...turn] })
      if (succeeded) return
    }
  }

  async #find(id: string, options?: { readonly consistency: 'eventual' }): Promise<Found | undefined> {
    const entry = await this.#space.getEntry<TokenRecord>(TOKENS + id, options)
    if (entry === undefined) return undefined
    const { key, revision, value: record } = entry
    const seen = [{ key, revision }]
    if (record.expires !== true) return { record, ttl: null, seen }
    const ends = await this.#space.getEntry(ENDS + id, options)
    return ends && { record, ttl: ends.ttl, seen }
  }

  async #mustFind(id: string): Promise<Found> {
    const found = await this.#find(id)
    if (found !== undefined) return found
    await this.#mustBeNoName(id)
    throw noToken(id)
  }

  /** What says a name for an id means a token that is there. */
  async #mustBeNoName(id: string): Promise<void> {
    const named = (await this.listTokens()).filter(({ name }) => name === id)
    if (named.length === 0) return
    const ids = named.slice(0, MAX_IDS_NAMED).map((token) => token.id)
    throw noToken(id, `; the id of what is named so is ${ids.join(', ')}`)
  }

  /** What a token may, by its id. @throws `INVALID_ARGUMENT` - there is none. */
  rightsOf = async (id: string): Promise<Rights> => (await this.#mustFind(id)).record

  async #mustBeRole(name: string): Promise<void> {
    if (PREDEFINED.has(name) || (await this.#space.get(ROLES + name)) !== undefined) return
    throw new ConcordError('INVALID_ARGUMENT', `there is no role ${JSON.stringify(name.slice(0, 64))}`)
  }

  /** Whoever takes the last who may let others in locks everybody out. */
  async #leavesAnAdmin(change: { token: string; as: Rights | undefined } | { role: string }): Promise<void> {
    const roleAfter = (name: string): Role | undefined =>
      'role' in change && change.role === name ? undefined : this.roleNow(name)
    const isAdmin = (rights: Rights, roleNamed: (name: string) => Role | undefined): boolean =>
      allowing(rulingsOf(rights, roleNamed), { permission: 'admin' }) !== undefined
    const lasting = (await this.listTokens()).filter(({ expiresIn }) => expiresIn === null)
    const after = lasting.flatMap((token): Rights[] => {
      if (!('token' in change) || change.token !== token.id) return [token]
      return change.as === undefined ? [] : [change.as]
    })
    const had = lasting.some((rights) => isAdmin(rights, this.roleNow))
    if (!had || after.some((rights) => isAdmin(rights, roleAfter))) return
    throw refused(
      'no token with the permission admin would be left that does not expire: nobody could make another. `force` does it all the same',
    )
  }
}

type Shown = TokenInfo & { readonly token: string }

/** A token as it stands, and where that is compared. */
interface Found {
  readonly record: TokenRecord
  readonly ttl: number | null
  readonly seen: TxnRequest['compare']
}

interface Now {
  readonly has: (key: string) => Promise<boolean>
}

interface Decided {
  /** What it goes by, beside the epoch. */
  readonly seen?: TxnRequest['compare']
  readonly writes: readonly TxnOperation[]
  /** Somebody may do less than before: what was let in has to be judged again. */
  readonly takesAway: boolean
}

const absent = (key: string) => ({ key, revision: 0 })
const put = (key: string, value: Value, ttl?: number): TxnOperation => ({ op: 'put', key, value, ttl })
const remove = (key: string): TxnOperation => ({ op: 'delete', key })

const refused = (why: string): ConcordError => new ConcordError('CHANGE_REFUSED', why, { retryable: false })

/** @param hint behind it. */
export const noToken = (id: string, hint = ''): ConcordError =>
  new ConcordError('INVALID_ARGUMENT', `no token has the id ${JSON.stringify(id.slice(0, 64))}${hint}`)

const USED_TTL_SECONDS = 90 * 24 * 3600

function infoOf(id: string, record: TokenRecord, ttl: number | null, usedAt: number | null): TokenInfo {
  const { name, roles, grants, createdAt, createdBy } = record
  return { id, name, roles, grants, createdAt, createdBy, expiresIn: ttl, usedAt }
}
