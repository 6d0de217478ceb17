/**
 * Who may do what. Tokens are replicated and hashed, judged at the door of every call of every surface, and again at
 * the moment at which the answer is decided; a node that has lost its leader takes none.
 */
import { type Context, definePlugin, type Permission } from '../../core/plugin.ts'
import { Chores } from './chores.ts'
import { commands } from './commands.ts'
import { Directory } from './directory.ts'
import { AuthDoor } from './door.ts'
import { type AuthConfig, options } from './options.ts'
import { allowing, type Grant, type Role, rulingsOf } from './policy.ts'
import { authRoutes } from './routes.ts'

export type { Grant, Role } from './policy.ts'

/** What `createToken` makes. */
export interface NewToken {
  /** For people, and in logs: lower-case letters, digits, dots, dashes, underscores; at most 63. */
  readonly name: string
  /** Names of roles that are there. Default none. */
  readonly roles?: readonly string[] | undefined
  /** Beside what the roles give. Default none. */
  readonly grants?: readonly Grant[] | undefined
  /** Seconds until it expires, by the cluster's clock. Default never. */
  readonly ttl?: number | undefined
}

/** A token, without its secret, which nobody has but its owner. */
export interface TokenInfo {
  /** Never changes, and is no secret. */
  readonly id: string
  /** As it was made. */
  readonly name: string
  /** Names of its roles. */
  readonly roles: readonly string[]
  /** Of its own, beside what the roles give. */
  readonly grants: readonly Grant[]
  /** Milliseconds since 1970, by the clock of the node that made it. */
  readonly createdAt: number
  /** `token:ID`, or what made it without one. */
  readonly createdBy: string
  /** Seconds; null: it does not expire. */
  readonly expiresIn: number | null
  /** Milliseconds since 1970, by the clock of the node that saw it, to within a minute; null: not in 90 days. */
  readonly usedAt: number | null
}

/** May it, and what says so. */
export interface Decision {
  /** What was asked for. */
  readonly allowed: boolean
  /** `role editor`, or `grant` for one of the token's own; null: nothing allows it. */
  readonly by: string | null
  /** Of the grant that allows it; null: nothing does. */
  readonly prefix: string | null
}

/**
 * What `db.plugin('auth')` gives: for the application's own code, which is trusted. Each call rejects as a write or a
 * read of the store does, with `INVALID_ARGUMENT` for what is not there, and `CHANGE_REFUSED` where it says so.
 */
export interface AuthService {
  /** The only time that the token itself is seen. */
  createToken(token: NewToken, by?: string): Promise<TokenInfo & { readonly token: string }>
  /** All that are there, without their secrets. */
  listTokens(): Promise<TokenInfo[]>
  /**
   * When it resolves, nothing that the token has asked for is applied any more; every node that hears a leader refuses
   * it within a second.
   *
   * @throws `INVALID_ARGUMENT` - it is the name of a token, and no id. `CHANGE_REFUSED` - no other with the permission
   *   `admin` that does not expire would be left; `force` does it.
   */
  revokeToken(id: string, options?: { readonly force?: boolean }): Promise<{ readonly revoked: boolean }>
  /** A new secret under the same id. The old one goes on for `overlap` seconds; default 0. */
  rotateToken(
    id: string,
    options?: { readonly overlap?: number },
  ): Promise<TokenInfo & { readonly token: string }>
  /** The token has the role at once, beside those it has. */
  grantRole(id: string, role: string): Promise<void>
  /** @throws `CHANGE_REFUSED` - as `revokeToken`. */
  revokeRole(id: string, role: string, options?: { readonly force?: boolean }): Promise<void>
  /** In place of the grants that it has of its own. @throws `CHANGE_REFUSED` - as `revokeToken`. */
  setGrants(id: string, grants: readonly Grant[], options?: { readonly force?: boolean }): Promise<void>
  /** @throws `CHANGE_REFUSED` - it is there already. */
  createRole(name: string, grants: readonly Grant[]): Promise<Role>
  /** Tokens that have it lose what it gave. @throws `CHANGE_REFUSED` - it is predefined; or as `revokeToken`. */
  deleteRole(name: string, options?: { readonly force?: boolean }): Promise<{ readonly deleted: boolean }>
  /** The predefined ones, too. */
  listRoles(): Promise<Role[]>
  /** The first token, with the role `admin`. @throws `CHANGE_REFUSED` - this cluster has had it. */
  bootstrap(): Promise<TokenInfo & { readonly token: string }>
  /** Whether this cluster has had a token. Until then nobody is let in. */
  hadTokens(): Promise<boolean>
  /** By this node's state, at once: the id of the token that has this text; undefined: nobody has it, or has it any more. */
  idOf(token: string): string | undefined
  /** By this node's state. @param token its text, or its id. */
  can(token: string, permission: Permission, key?: string): Promise<Decision>
}

/** The plugin. `plugins.auth` turns it on by its name; nobody needs to import it. */
export const auth = definePlugin({
  name: 'auth',
  version: '1.0.0',
  apiVersion: 1,
  options,
  callOptions: ['token'],
  commands,
  setup(ctx: Context, config: AuthConfig): AuthService {
    const directory = new Directory(ctx)
    const door = new AuthDoor(directory, config, ctx)
    ctx.hooks.authorize.tap((request) => door.judge(request), { stage: -1000 })
    if (config.embedded === 'trusted') ctx.log.info('calls of the application itself need no token')
    if (config.staleReads) ctx.unsafe('staleReads: a node that is cut off takes tokens that were revoked')

    const chores = new Chores(ctx, directory, door.used)
    ctx.onReady(() => chores.begin(config.bootstrapToken))

    const service: AuthService = {
      createToken: (token, by) => directory.createToken(token, by),
      listTokens: () => directory.listTokens(),
      revokeToken: (id, more) => directory.revokeToken(id, more),
      rotateToken: (id, more) => directory.rotateToken(id, more),
      grantRole: (id, role) => directory.grantRole(id, role),
      revokeRole: (id, role, more) => directory.revokeRole(id, role, more),
      setGrants: (id, grants, more) => directory.setGrants(id, grants, more),
      createRole: (name, grants) => directory.createRole(name, grants),
      deleteRole: (name, more) => directory.deleteRole(name, more),
      listRoles: () => directory.listRoles(),
      bootstrap: () => directory.bootstrap(),
      idOf: (token) => directory.known(token)?.id,
      hadTokens: () => directory.hadTokens(),
      can: async (token, permission, key) => {
        const rights = directory.known(token)?.record ?? (await directory.rightsOf(token))
        const ruling = allowing(rulingsOf(rights, directory.roleNow), { permission, key })
        return { allowed: ruling !== undefined, by: ruling?.by ?? null, prefix: ruling?.grant.prefix ?? null }
      },
    }
    for (const route of authRoutes(service)) ctx.routes.add(route)
    return Object.freeze(service)
  },
})

declare module '../../core/plugin.ts' {
  interface PluginRegistry {
    auth: typeof auth
  }
}
