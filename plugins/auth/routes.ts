/** Tokens and roles over HTTP: for whoever has the permission `admin`. */
import type { JsonSchema, Permission, Route, RouteCall } from '../../core/plugin.ts'
import type { AuthService, NewToken } from './index.ts'
import { type Grant, PERMISSIONS } from './policy.ts'

const object = (properties: Record<string, unknown>, required: readonly string[] = []): JsonSchema => ({
  type: 'object',
  additionalProperties: false,
  properties,
  required,
})
const text = (description: string) => ({ type: 'string', minLength: 1, description }) as const
const grants = {
  type: 'array',
  description: 'On every key that begins with `prefix`; "" is all of them, and the cluster.',
  items: object(
    { prefix: { type: 'string' }, permissions: { type: 'array', items: { enum: PERMISSIONS } } },
    ['prefix', 'permissions'],
  ),
} as const
const names = { type: 'array', items: { type: 'string' } } as const
const info = {
  id: { type: 'string' },
  name: { type: 'string' },
  roles: names,
  grants,
  createdAt: { type: 'number' },
  createdBy: { type: 'string' },
  expiresIn: { type: ['number', 'null'] },
  usedAt: { type: ['number', 'null'] },
} as const
const infoSchema = object(info, Object.keys(info))
const shownOnce = object({ ...info, token: text('Shown this once.') }, [...Object.keys(info), 'token'])
const roleSchema = object({ name: { type: 'string' }, grants }, ['name', 'grants'])
const admin = { tag: 'Tokens', permission: 'admin' } as const
const idInPath = object({ id: text('Of the token.') }, ['id'])
const forced = object({
  force: { type: 'boolean', description: 'Even when nobody who may let others in is left.' },
})
const isForced = ({ query }: RouteCall) => ({ force: query['force'] === true })
const refused = { 409: { description: 'This cannot be done; nothing was.' } } as const

export function authRoutes(auth: AuthService): readonly Route[] {
  return [
    {
      ...admin,
      method: 'POST',
      path: '/tokens',
      summary: 'Make a token',
      body: object(
        { name: text('For people.'), roles: names, grants, ttl: { type: 'number', exclusiveMinimum: 0 } },
        ['name'],
      ),
      responses: { 200: { description: 'The token, shown this once.', schema: shownOnce } },
      examples: [
        {
          summary: 'One that may read below a prefix',
          body: { name: 'reader', grants: [{ prefix: 'app/', permissions: ['read'] }] },
        },
      ],
      handle: ({ body, actor }) => auth.createToken(body as NewToken, actor),
    },
    {
      ...admin,
      method: 'GET',
      path: '/tokens',
      summary: 'List the tokens',
      responses: {
        200: { description: 'Without their secrets.', schema: { type: 'array', items: infoSchema } },
      },
      examples: [{ summary: 'All of them' }],
      handle: () => auth.listTokens(),
    },
    {
      ...admin,
      method: 'DELETE',
      path: '/tokens/:id',
      summary: 'Revoke a token',
      params: idInPath,
      query: forced,
      responses: {
        200: {
          description: 'Nothing that it asked for is applied any more.',
          schema: object({ revoked: { type: 'boolean' } }, ['revoked']),
        },
        ...refused,
      },
      handle: (call) => auth.revokeToken(call.params['id']!, isForced(call)),
    },
    {
      ...admin,
      method: 'POST',
      path: '/tokens/:id/rotate',
      summary: 'Give a token a new secret',
      params: idInPath,
      body: object({
        overlap: { type: 'number', minimum: 0, description: 'Seconds for which the old one goes on.' },
      }),
      responses: { 200: { description: 'The token, shown this once.', schema: shownOnce } },
      handle: ({ params, body }) => auth.rotateToken(params['id']!, body ?? {}),
    },
    {
      ...admin,
      method: 'PUT',
      path: '/tokens/:id/roles/:role',
      summary: 'Give a token a role',
      params: object({ id: text('Of the token.'), role: text('Its name.') }, ['id', 'role']),
      responses: { 200: { description: 'It has it.' } },
      handle: ({ params }) => auth.grantRole(params['id']!, params['role']!),
    },
    {
      ...admin,
      method: 'DELETE',
      path: '/tokens/:id/roles/:role',
      summary: 'Take a role from a token',
      params: object({ id: text('Of the token.'), role: text('Its name.') }, ['id', 'role']),
      query: forced,
      responses: { 200: { description: 'It does not have it.' }, ...refused },
      handle: (call) => auth.revokeRole(call.params['id']!, call.params['role']!, isForced(call)),
    },
    {
      ...admin,
      method: 'PUT',
      path: '/tokens/:id/grants',
      summary: 'Set the grants of a token',
      params: idInPath,
      query: forced,
      body: object({ grants }, ['grants']),
      responses: { 200: { description: 'It has these, and those of its roles.' }, ...refused },
      handle: (call) =>
        auth.setGrants(call.params['id']!, (call.body as { grants: Grant[] }).grants, isForced(call)),
    },
    {
      ...admin,
      method: 'GET',
      path: '/roles',
      summary: 'List the roles',
      responses: {
        200: { description: 'The predefined ones first.', schema: { type: 'array', items: roleSchema } },
      },
      examples: [{ summary: 'All of them' }],
      handle: () => auth.listRoles(),
    },
    {
      ...admin,
      method: 'POST',
      path: '/roles',
      summary: 'Make a role',
      body: roleSchema,
      responses: { 200: { description: 'The role.', schema: roleSchema }, ...refused },
      examples: [
        {
          summary: 'Whoever edits below a prefix',
          body: {
            name: 'app-editor',
            grants: [{ prefix: 'app/', permissions: ['read', 'write', 'delete'] }],
          },
        },
      ],
      handle: ({ body }) => {
        const { name, grants: given } = body as { name: string; grants: Grant[] }
        return auth.createRole(name, given)
      },
    },
    {
      ...admin,
      method: 'DELETE',
      path: '/roles/:role',
      summary: 'Delete a role',
      params: object({ role: text('Its name.') }, ['role']),
      query: forced,
      responses: {
        200: {
          description: 'Tokens that had it have lost what it gave.',
          schema: object({ deleted: { type: 'boolean' } }, ['deleted']),
        },
        ...refused,
      },
      handle: (call) => auth.deleteRole(call.params['role']!, isForced(call)),
    },
    {
      tag: 'Tokens',
      permission: 'token',
      method: 'GET',
      path: '/can-i',
      summary: 'May this token do something, and what says so?',
      query: object({ permission: { enum: PERMISSIONS, type: 'string' }, key: { type: 'string' } }, [
        'permission',
      ]),
      responses: {
        200: {
          description: 'The decision, and the rule that makes it.',
          schema: object(
            {
              allowed: { type: 'boolean' },
              by: { type: ['string', 'null'] },
              prefix: { type: ['string', 'null'] },
            },
            ['allowed', 'by', 'prefix'],
          ),
        },
      },
      examples: [{ summary: 'Write a key', query: { permission: 'write', key: 'app/a' } }],
      handle: ({ token = '', query }) =>
        auth.can(token, query['permission'] as Permission, query['key'] as string | undefined),
    },
  ]
}
