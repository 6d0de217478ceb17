/**
 * Tokens and roles, in the plugin's own replicated space: the same on every node, there after a restart. Every change
 * of rights also changes the key `epoch`, by which calls that were let in before are judged again.
 */
import { ConcordError, type Context, type PluginSpace } from '../../core/plugin.ts'
import type { AuthService, NewToken, TokenInfo } from './index.ts'
import {
  allowing,
  checkGrants,
  checkName,
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
const TOKENS = 'token/'
const OLD = 'old/'
const ROLES = 'role/'
const USED = 'used/'

/** A token as it is kept: without its secret. */
export interface TokenRecord extends Rights {
  readonly name: string
  readonly hash: Uint8Array
  /** Wall clock, for people. */
  readonly createdAt: number
  readonly createdBy: string
}

interface RoleRecord {
  readonly grants: readonly Grant[]
}

const MAX_TOKENS_LISTED = 100_000

export class Directory implements Omit<AuthService, 'can'> {
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
    if (isSecretOf(secret, record?.hash)) return { id, record: record! }
    const old = record === undefined ? undefined : this.#space.local.get<Uint8Array>(OLD + id)
    return old !== undefined && isSecretOf(secret, old) ? { id, record: record! } : undefined
  }

  roleNow = (name: string): Role | undefined =>
    PREDEFINED.get(name) ?? this.#roleOf(name, this.#space.local.get<RoleRecord>(ROLES + name))

  #roleOf(name: string, record: RoleRecord | undefined): Role | undefined {
    return record && { name, grants: record.grants }
  }

  // ----------------------------------------------------------------------------------------- tokens

  async createToken(
    given: NewToken,
    by = 'the application',
  ): Promise<TokenInfo & { readonly token: string }> {
    const token = makeToken()
    return this.#create(token, given, by)
  }

  async #create(token: Token, given: NewToken, by: string): Promise<TokenInfo & { readonly token: string }> {
    const { roles = [], grants = [], ttl } = given
    const name = checkName(given.name, 'name')
    for (const role of roles) await this.#mustBeRole(role)
    const record: TokenRecord = {
      name,
      hash: new Uint8Array(hashOf(token.secret)),
      roles: [...new Set(roles)],
      grants: checkGrants(grants, 'grants'),
      createdAt: this.#ctx.clock.wallMs(),
      createdBy: by,
    }
    const { ok } = await this.#space.putIf(TOKENS + token.id, record, 0, { ttl })
    if (!ok)
      throw new ConcordError('CHANGE_REFUSED', 'there is a token with this id already', { retryable: false })
    await this.#turn()
    this.#ctx.log.info({ id: token.id, name, by }, 'token created')
    return { ...infoOf(token.id, record, ttl ?? null, null), token: textOf(token) }
  }

  async listTokens(): Promise<TokenInfo[]> {
    const used = new Map<string, number>()
    for await (const { key, value } of this.#space.scan<number>({ prefix: USED })) {
      const id = key.slice(USED.length).split('/')[0]!
      used.set(id, Math.max(used.get(id) ?? 0, value))
    }
    const found: TokenInfo[] = []
    for await (const { key } of this.#space.scan({ prefix: TOKENS, limit: MAX_TOKENS_LISTED })) {
      const id = key.slice(TOKENS.length)
      const entry = await this.#space.getEntry<TokenRecord>(key, { consistency: 'eventual' })
      if (entry !== undefined) found.push(infoOf(id, entry.value, entry.ttl, used.get(id) ?? null))
    }
    return found
  }

  async revokeToken(id: string, { force = false } = {}): Promise<{ readonly revoked: boolean }> {
    const { record } = (await this.#find(id)) ?? {}
    if (record === undefined) return { revoked: false }
    if (!force) await this.#notTheLastAdmin(id)
    await this.#space.delete(TOKENS + id)
    await this.#turn()
    await this.#space.delete(OLD + id)
    this.#ctx.log.info({ id, name: record.name }, 'token revoked')
    return { revoked: true }
  }

  async rotateToken(id: string, { overlap = 0 } = {}): Promise<TokenInfo & { readonly token: string }> {
    const secret = newSecret()
    const before = await this.#mustFind(id)
    if (overlap > 0) await this.#space.put(OLD + id, before.record.hash, { ttl: overlap })
    const record = await this.#change(id, (now) => ({ ...now, hash: new Uint8Array(hashOf(secret)) }))
    this.#ctx.log.info({ id, name: record.name, overlap }, 'token rotated')
    return { ...infoOf(id, record, before.ttl, null), token: textOf({ id, secret }) }
  }

  async grantRole(id: string, role: string): Promise<void> {
    await this.#mustBeRole(role)
    await this.#change(id, (now) => ({ ...now, roles: [...new Set([...now.roles, role])] }))
  }

  async revokeRole(id: string, role: string, { force = false } = {}): Promise<void> {
    if (role === 'admin' && !force) await this.#notTheLastAdmin(id)
    await this.#change(id, (now) => ({ ...now, roles: now.roles.filter((name) => name !== role) }))
  }

  async setGrants(id: string, grants: readonly Grant[]): Promise<void> {
    const checked = checkGrants(grants, 'grants')
    await this.#change(id, (now) => ({ ...now, grants: checked }))
  }

  // ------------------------------------------------------------------------------------------ roles

  async createRole(name: string, grants: readonly Grant[]): Promise<Role> {
    checkName(name, 'name')
    const record: RoleRecord = { grants: checkGrants(grants, 'grants') }
    const isNew = !PREDEFINED.has(name) && (await this.#space.putIf(ROLES + name, record, 0)).ok
    if (!isNew)
      throw new ConcordError('CHANGE_REFUSED', `the role ${name} is there already`, { retryable: false })
    await this.#turn()
    return { name, grants: record.grants }
  }

  async deleteRole(name: string): Promise<{ readonly deleted: boolean }> {
    checkName(name, 'name')
    if (PREDEFINED.has(name)) {
      throw new ConcordError('CHANGE_REFUSED', `${name} is predefined, and stays`, { retryable: false })
    }
    const { deleted } = await this.#space.delete(ROLES + name)
    await this.#turn()
    return { deleted }
  }

  async listRoles(): Promise<Role[]> {
    const found = [...PREDEFINED.values()]
    for await (const { key, value } of this.#space.scan<RoleRecord>({ prefix: ROLES })) {
      found.push({ name: key.slice(ROLES.length), grants: value.grants })
    }
    return found
  }

  // ------------------------------------------------------------------------------------- bootstrapping

  /** Once for the whole cluster, whoever asks and however often. */
  async bootstrap(text?: string): Promise<TokenInfo & { readonly token: string }> {
    const token = text === undefined ? makeToken() : parseToken(text)!
    const { ok } = await this.#space.putIf(BOOTSTRAP, { at: this.#ctx.clock.wallMs(), id: token.id }, 0)
    if (!ok) {
      throw new ConcordError(
        'CHANGE_REFUSED',
        'the first token of this cluster was made already; whoever has the role admin makes others',
        {
          retryable: false,
        },
      )
    }
    return this.#create(token, { name: 'bootstrap', roles: ['admin'] }, 'bootstrap')
  }

  // -------------------------------------------------------------------------------------------- use

  /** For people: when this node has last seen a token. Changes no rights. */
  async noteUse(id: string, node: string, atMs: number): Promise<void> {
    await this.#space.put(`${USED}${id}/${node}`, atMs, { ttl: USED_TTL_SECONDS })
  }

  // ------------------------------------------------------------------------------------- small things

  /** What was let in by the rights before is judged again, wherever it is on its way. */
  async #turn(): Promise<void> {
    await this.#space.put(EPOCH, newSecret())
  }

  async #find(
    id: string,
  ): Promise<{ record: TokenRecord; revision: number; ttl: number | null } | undefined> {
    const entry = await this.#space.getEntry<TokenRecord>(TOKENS + id)
    return entry && { record: entry.value, revision: entry.revision, ttl: entry.ttl }
  }

  async #mustFind(id: string): Promise<{ record: TokenRecord; revision: number; ttl: number | null }> {
    const found = await this.#find(id)
    if (found !== undefined) return found
    throw new ConcordError('INVALID_ARGUMENT', `no token has the id ${JSON.stringify(id.slice(0, 64))}`)
  }

  /** Reads, changes and writes a token, again when somebody else came between. */
  async #change(id: string, change: (now: TokenRecord) => TokenRecord): Promise<TokenRecord> {
    for (;;) {
      const { record, revision, ttl } = await this.#mustFind(id)
      const changed = change(record)
      const { ok } = await this.#space.putIf(TOKENS + id, changed, revision, { ttl: ttl ?? undefined })
      if (!ok) continue
      await this.#turn()
      return changed
    }
  }

  async #mustBeRole(name: string): Promise<void> {
    if (PREDEFINED.has(name) || (await this.#space.get(ROLES + name)) !== undefined) return
    throw new ConcordError('INVALID_ARGUMENT', `there is no role ${JSON.stringify(name.slice(0, 64))}`)
  }

  /** Whoever removes the last who may let others in locks everybody out. */
  async #notTheLastAdmin(id: string): Promise<void> {
    const isAdmin = ({ roles, grants }: Rights): boolean =>
      allowing(rulingsOf({ roles, grants }, this.roleNow), { permission: 'admin' }) !== undefined
    const admins = (await this.listTokens()).filter((token) => token.expiresIn === null && isAdmin(token))
    if (admins.length > 1 || admins[0]?.id !== id) return
    throw new ConcordError(
      'CHANGE_REFUSED',
      'this is the last token with the permission admin that does not expire: nobody could make another',
      {
        retryable: false,
      },
    )
  }
}

const USED_TTL_SECONDS = 90 * 24 * 3600

function infoOf(id: string, record: TokenRecord, ttl: number | null, usedAt: number | null): TokenInfo {
  const { name, roles, grants, createdAt, createdBy } = record
  return { id, name, roles, grants, createdAt, createdBy, expiresIn: ttl, usedAt }
}
