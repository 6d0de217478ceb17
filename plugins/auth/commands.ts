/** `concord token …`, `concord role …`, `concord can-i`. */
import { ConcordError, type CommandCall, type PluginCommand } from '../../core/plugin.ts'
import { noToken } from './directory.ts'
import type { AuthService, TokenInfo } from './index.ts'
import { checkPermission, type Grant, grantIn, PERMISSIONS } from './policy.ts'

type Call = CommandCall<AuthService>

const one = (call: Call, name: string): string => call.arguments[name] as string
const given = (call: Call, name: string): string | undefined => call.options[name] as string | undefined

const isForced = (call: Call): boolean => call.options['force'] === true

/** Several grants stand behind each other with spaces between. */
const grantsIn = (text = ''): Grant[] =>
  text
    .split(/\s+/)
    .filter((word) => word !== '')
    .map(grantIn)

const grantsOf = (call: Call): Grant[] =>
  grantsIn(((call.arguments['grants'] ?? []) as readonly string[]).join(' '))

const shown = ({ grants, createdAt, usedAt, ...rest }: TokenInfo) => ({
  ...rest,
  grants: grantsText(grants),
  createdAt: new Date(createdAt).toISOString(),
  usedAt: usedAt === null ? null : new Date(usedAt).toISOString(),
})

const grantsText = (grants: readonly Grant[]): string =>
  grants.map(({ permissions, prefix }) => `${permissions.join(',')}:${prefix}`).join(' ')

async function create(call: Call): Promise<unknown> {
  const { service, options } = call
  if (options['bootstrap'] === true) {
    if (!call.isLocal) {
      throw new ConcordError(
        'FORBIDDEN',
        'the first token is made where a node runs, by its own socket, not over the network',
      )
    }
    // Whatever stands beside it would be dropped.
    const beside = [given(call, 'role'), given(call, 'grant'), options['ttl'], call.arguments['name']]
    if (beside.some((each) => each !== undefined)) {
      throw new ConcordError(
        'INVALID_ARGUMENT',
        'bootstrap: found a name, a role, a grant or a ttl beside it; the first token is named bootstrap, has the role admin and does not expire',
      )
    }
    const { id, name, token } = await service.bootstrap()
    return { id, name, token }
  }
  const { actor } = await call.authorize([{ permission: 'admin' }])
  const name = call.arguments['name'] as string | undefined
  if (name === undefined)
    throw new ConcordError('INVALID_ARGUMENT', 'name: found none, expected a name for the token')
  const roles = given(call, 'role')?.split(',') ?? []
  const ttl = options['ttl'] as number | undefined
  const grants = grantsIn(given(call, 'grant'))
  const made = await service.createToken({ name, roles, grants, ttl }, actor)
  return { id: made.id, name: made.name, token: made.token }
}

const token = { name: 'id', summary: 'of the token' } as const
const forced = (summary: string) => ({ force: { type: 'boolean', summary } }) as const
const grantOption = { type: 'string', summary: 'what it may besides, such as "read,write:app/"' } as const

export const commands: readonly PluginCommand<AuthService>[] = [
  {
    name: 'token create',
    summary: 'make a token; it is shown this once',
    // The first one of a cluster needs nothing but to be on the machine of a node; all others are judged by `create`.
    permission: 'public',
    arguments: [{ name: 'name', summary: 'for people', required: false }],
    options: {
      bootstrap: { type: 'boolean', summary: 'the first of the cluster, with the role admin' },
      role: { type: 'string', summary: 'roles, with commas' },
      grant: grantOption,
      ttl: { type: 'duration', summary: 'it expires after this' },
    },
    run: create,
  },
  {
    name: 'token list',
    summary: 'list the tokens, without their secrets',
    run: async ({ service }) => (await service.listTokens()).map(shown),
  },
  {
    name: 'token revoke',
    summary: 'revoke a token, on every node',
    arguments: [token],
    options: forced('even the last that may let others in'),
    confirm: 'Revoke the token?',
    run: async (call) => {
      const id = one(call, 'id')
      const result = await call.service.revokeToken(id, { force: isForced(call) })
      if (!result.revoked) throw noToken(id)
      return result
    },
  },
  {
    name: 'token rotate',
    summary: 'give a token a new secret; it is shown this once',
    arguments: [token],
    options: {
      overlap: { type: 'duration', summary: 'the old one goes on for this; without it, it ends now' },
    },
    run: async (call) => {
      const overlap = (call.options['overlap'] as number | undefined) ?? 0
      const { id, name, token: text } = await call.service.rotateToken(one(call, 'id'), { overlap })
      return { id, name, token: text }
    },
  },
  {
    name: 'token grant',
    summary: 'set what a token may beside its roles',
    arguments: [
      token,
      { name: 'grants', summary: 'such as "read:app/" "write:app/x"', variadic: true, required: false },
    ],
    options: forced('even when nobody who may let others in is left'),
    run: (call) => call.service.setGrants(one(call, 'id'), grantsOf(call), { force: isForced(call) }),
  },
  {
    name: 'role list',
    summary: 'list the roles',
    run: async ({ service }) =>
      (await service.listRoles()).map(({ name, grants }) => ({ name, grants: grantsText(grants) })),
  },
  {
    name: 'role create',
    summary: 'make a role',
    arguments: [
      { name: 'name', summary: 'of the role' },
      { name: 'grants', summary: 'such as "read,write:app/"', variadic: true, required: false },
    ],
    run: async (call) => {
      const role = await call.service.createRole(one(call, 'name'), grantsOf(call))
      return { name: role.name, grants: grantsText(role.grants) }
    },
  },
  {
    name: 'role delete',
    summary: 'delete a role; tokens lose what it gave',
    arguments: [{ name: 'name', summary: 'of the role' }],
    options: forced('even when nobody who may let others in is left'),
    confirm: 'Delete the role?',
    run: async (call) => {
      const name = one(call, 'name')
      const result = await call.service.deleteRole(name, { force: isForced(call) })
      if (result.deleted) return result
      throw new ConcordError('INVALID_ARGUMENT', `there is no role ${JSON.stringify(name.slice(0, 64))}`)
    },
  },
  {
    name: 'role grant',
    summary: 'give a token a role',
    arguments: [{ name: 'role', summary: 'its name' }, token],
    run: (call) => call.service.grantRole(one(call, 'id'), one(call, 'role')),
  },
  {
    name: 'role revoke',
    summary: 'take a role from a token',
    arguments: [{ name: 'role', summary: 'its name' }, token],
    options: forced('even from the last that may let others in'),
    run: (call) => call.service.revokeRole(one(call, 'id'), one(call, 'role'), { force: isForced(call) }),
  },
  {
    name: 'can-i',
    summary: 'may this token do something, and which rule says so',
    permission: 'token',
    arguments: [
      { name: 'permission', summary: PERMISSIONS.join(', ') },
      { name: 'key', summary: 'on which key; none: on the cluster', required: false },
    ],
    run: async (call) => {
      const permission = checkPermission(one(call, 'permission'), 'permission')
      return call.service.can(call.token ?? '', permission, call.arguments['key'] as string | undefined)
    },
  },
]
