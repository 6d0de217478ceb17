/**
 * Who may do what, as a value. One rule: a token may do on a key what any of its roles, or any of its own grants,
 * allows on that key; nothing else. Nothing takes away what another gives.
 */
import { ConcordError, type Access, type Permission } from '../../core/plugin.ts'

/** On every key that begins with `prefix`; `''` is all of them, and the cluster. */
export interface Grant {
  /** What its keys begin with; '' is all keys. */
  readonly prefix: string
  /** What it allows there. */
  readonly permissions: readonly Permission[]
}

/** Grants with a name. */
export interface Role {
  /** As tokens refer to it. */
  readonly name: string
  /** What it allows. */
  readonly grants: readonly Grant[]
}

/** What a token brings: its roles by name, and grants of its own. */
export interface Rights {
  readonly roles: readonly string[]
  readonly grants: readonly Grant[]
}

export const PERMISSIONS: readonly Permission[] = ['read', 'write', 'delete', 'admin']

const everywhere = (...permissions: Permission[]): readonly Grant[] => [{ prefix: '', permissions }]

/** Always there, and always these. */
export const PREDEFINED: ReadonlyMap<string, Role> = new Map(
  [
    { name: 'admin', grants: everywhere('read', 'write', 'delete', 'admin') },
    { name: 'editor', grants: everywhere('read', 'write', 'delete') },
    { name: 'viewer', grants: everywhere('read') },
    { name: 'none', grants: [] },
  ].map((role) => [role.name, role]),
)

/** A grant, and where it comes from. */
export interface Ruling {
  /** `role editor`, or `grant` for one of the token's own. */
  readonly by: string
  readonly grant: Grant
}

/** All that a token's rights come to. A role that is gone gives nothing. */
export function rulingsOf(
  { roles, grants }: Rights,
  roleNamed: (name: string) => Role | undefined,
): Ruling[] {
  const byRole = roles.flatMap((name) =>
    (roleNamed(name)?.grants ?? []).map((grant) => ({ by: `role ${name}`, grant })),
  )
  return [...byRole, ...grants.map((grant) => ({ by: 'grant', grant }))]
}

/** What allows an access; undefined when nothing does. */
export function allowing(
  rulings: readonly Ruling[],
  { permission, key, prefix }: Access,
): Ruling | undefined {
  return rulings.find(({ grant }) => {
    if (!grant.permissions.includes(permission)) return false
    if (key !== undefined) return key.startsWith(grant.prefix)
    if (prefix !== undefined) return prefix.startsWith(grant.prefix)
    // On the cluster: to look at it, whoever may read anything; to change it, whoever may everywhere.
    return permission === 'read' || grant.prefix === ''
  })
}

/** Which keys may be read, when not all below a prefix may; undefined: none of them. */
export function readable(rulings: readonly Ruling[], prefix: string): ((key: string) => boolean) | undefined {
  const within = rulings
    .filter(({ grant }) => grant.permissions.includes('read') && grant.prefix.startsWith(prefix))
    .map(({ grant }) => grant.prefix)
  return within.length === 0 ? undefined : (key) => within.some((start) => key.startsWith(start))
}

/** @throws `INVALID_ARGUMENT` - names the field, what was found and what was expected. */
export function checkGrants(grants: unknown, field: string): readonly Grant[] {
  if (!Array.isArray(grants)) throw invalid(field, 'an array of { prefix, permissions }')
  return grants.map((given: unknown, at) => {
    const here = `${field}[${at}]`
    if (typeof given !== 'object' || given === null) throw invalid(here, '{ prefix, permissions }')
    const { prefix, permissions, ...rest } = given as Record<string, unknown>
    const [unknown] = Object.keys(rest)
    if (unknown !== undefined) throw invalid(`${here}.${unknown}`, 'only prefix and permissions')
    if (typeof prefix !== 'string' || Buffer.byteLength(prefix) > 1024) {
      throw invalid(`${here}.prefix`, 'a text of at most 1024 bytes; "" is all keys')
    }
    return { prefix, permissions: checkPermissions(permissions, `${here}.permissions`) }
  })
}

export function checkPermissions(given: unknown, field: string): readonly Permission[] {
  if (!Array.isArray(given)) throw invalid(field, `an array of ${PERMISSIONS.join(', ')}`)
  return [...new Set(given.map((one: unknown) => checkPermission(one, field)))]
}

export function checkPermission(given: unknown, field: string): Permission {
  if (PERMISSIONS.includes(given as Permission)) return given as Permission
  const expected = `one of ${PERMISSIONS.join(', ')}`
  throw typeof given === 'string' ? invalid(field, expected, given) : invalid(field, expected)
}

/** As people write it: `read,write:app/`, and `read:` for all keys. @throws `INVALID_ARGUMENT` */
export function grantIn(word: string): Grant {
  const colon = word.indexOf(':')
  const permissions = word.slice(0, colon).split(',') as Permission[]
  if (colon > 0 && permissions.every((one) => PERMISSIONS.includes(one))) {
    return { permissions: [...new Set(permissions)], prefix: word.slice(colon + 1) }
  }
  const example = 'such as "read,write:app/"; "read:" is on all keys'
  throw invalid('grant', `permissions (${PERMISSIONS.join(', ')}), a colon and a prefix, ${example}`, word)
}

/** @throws `INVALID_ARGUMENT` - it is there, and no time to live. */
export function checkSeconds(given: unknown, field: string): void {
  if (given === undefined || (typeof given === 'number' && given > 0 && Number.isFinite(given))) return
  throw invalid(field, 'a number of seconds above 0')
}

const NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/

export function checkName(name: unknown, field: string): string {
  if (typeof name === 'string' && NAME.test(name)) return name
  throw invalid(field, 'a lower-case letter or digit, then up to 62 of these, dots, dashes, underscores')
}

function invalid(field: string, expected: string, found?: string): ConcordError {
  const said = found === undefined ? '' : `found ${JSON.stringify(found.slice(0, 100))}, `
  return new ConcordError('INVALID_ARGUMENT', `${field}: ${said}expected ${expected}`, {
    details: { field, expected },
  })
}
