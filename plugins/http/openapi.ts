/** The OpenAPI 3.1 document, made of the routes that are served and of the schemas that judge their calls. */
import type { JsonSchema, OfferedRoute, Route, RouteResponse } from '../../core/plugin.ts'
import { pageSchema } from './list-route.ts'
import { urlOf } from './nowhere.ts'
import { object } from './schemas.ts'

type Json = Record<string, unknown>

export function openapi(offered: readonly OfferedRoute[], version: string): Json {
  const paths: Record<string, Json> = {}
  for (const { route } of offered) {
    const path = pathOf(route)
    const item = (paths[path] ??= {})
    item[route.method.toLowerCase()] = operationOf(route)
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Concord HTTP API',
      version,
      description:
        'A strongly consistent key-value store. Clients should go by `code`; `outcome` says whether it may have happened.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    tags: [...new Set(offered.map(({ route }) => route.tag))].map((name) => ({ name })),
    paths,
    components: {
      securitySchemes,
      schemas: { Error: errorSchema, Problem: problemSchema, Page: pageSchema },
    },
  }
}

/** `/kv/:key` as `/api/v1/kv/{key}`. */
export function pathOf(route: Route): string {
  return urlOf(route).replaceAll(/:(\w+)/g, '{$1}')
}

function operationOf(route: Route): Json {
  const { method, summary, description, tag, permission } = route
  const words = pathOf(route)
    .split(/\W+/)
    .filter((word) => word !== '' && word !== 'api' && word !== 'v1')
  const operation: Json = {
    operationId: [method.toLowerCase(), ...words].join('-') + (route.atRoot === true ? '-root' : ''),
    summary,
    ...(description !== undefined && { description }),
    tags: [tag],
    'x-permission': permission,
    security: permission === 'public' ? [] : [{ BearerAuth: [] }, { ApiKeyAuth: [] }],
    parameters: parametersOf(route),
    responses: responsesOf(route),
  }
  return route.body === undefined ? operation : { ...operation, requestBody: bodyOf(route) }
}

function parametersOf({ params, query, headers, examples = [] }: Route): Json[] {
  const [first] = examples
  const of = (
    schema: JsonSchema | undefined,
    where: string,
    given: Readonly<Record<string, unknown>> | undefined,
  ) =>
    Object.entries((schema?.['properties'] ?? {}) as Record<string, Json>).map(
      ([name, { description, ...shape }]) => ({
        name,
        in: where,
        required: where === 'path' || ((schema?.['required'] ?? []) as readonly string[]).includes(name),
        ...(description !== undefined && { description }),
        schema: shape,
        ...(given?.[name] !== undefined && { example: given[name] }),
      }),
    )
  const fromHeaders = Object.entries(headers ?? {}).map(([name, { description, schema }]) => ({
    name: name.replaceAll(/(^|-)(\w)/g, (_, dash: string, letter: string) => dash + letter.toUpperCase()),
    in: 'header',
    required: false,
    description,
    schema,
  }))
  return [...of(params, 'path', first?.params), ...of(query, 'query', first?.query), ...fromHeaders]
}

function bodyOf({ body, bodyTypes = [], examples = [] }: Route): Json {
  const shown = examples.filter((example) => example.body !== undefined)
  const json: Json = { schema: body }
  if (shown.length > 0) {
    json['examples'] = Object.fromEntries(
      shown.map(({ summary, body: value }, at) => [`example${at + 1}`, { summary, value }]),
    )
  }
  const raw = bodyTypes.map((type) => [type, { schema: type.startsWith('text/') ? { type: 'string' } : {} }])
  const required = ((body?.['required'] ?? []) as unknown[]).length > 0
  return { required, content: { 'application/json': json, ...Object.fromEntries(raw) } }
}

function responsesOf(route: Route): Json {
  const own = Object.entries(route.responses).map(([status, response]) => [
    status,
    responseOf(Number(status), response, route),
  ])
  return { ...Object.fromEntries(own), ...everybodys(route) }
}

function responseOf(
  status: number,
  { description, schema, raw, headers }: RouteResponse,
  route: Route,
): Json {
  const shownHeaders = headers && {
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, header]) => [name, { ...header, schema: { type: 'string' } }]),
    ),
  }
  const base = { description, ...shownHeaders }
  if (raw === '') return base
  if (raw !== undefined) return { ...base, content: { [raw]: { schema: schema ?? {} } } }
  if (status >= 400) return { ...base, content: refusal }
  const content: Json = { 'application/json': { schema: envelopeOf(schema, route) } }
  if (route.method === 'GET' && route.path.startsWith('/kv')) Object.assign(content, rawValues)
  return { ...base, content }
}

const rawValues = { 'application/octet-stream': { schema: {} }, 'text/plain': { schema: { type: 'string' } } }

function envelopeOf(data: JsonSchema | undefined, { path, method }: Route): Json {
  const page = path === '/kv' && method === 'GET' ? { page: { $ref: '#/components/schemas/Page' } } : {}
  const properties = { status: { const: 'ok' }, ...(data !== undefined && { data }), ...page }
  return object(properties, data === undefined ? ['status'] : ['status', 'data'])
}

/** What any route may answer beside its own. */
function everybodys({ permission, responses, headers, query }: Route): Json {
  const all: Record<number, string> = {
    ...(Object.hasOwn(query?.['properties'] ?? {}, 'forward') && {
      307: 'With `forward=never`: the leader is at `Location`.',
    }),
    400: 'The call is wrong; the message says where.',
    ...(permission !== 'public' && {
      401: 'No token, or one that is not known.',
      403: 'The token may not do this.',
    }),
    408: 'Not done in time; `outcome` says whether it may have happened.',
    413: 'The body, the value or the batch is too large.',
    415: 'A body of another media type than the route takes.',
    ...(headers?.['idempotency-key'] && { 422: 'The Idempotency-Key belongs to another call.' }),
    429: 'Too many requests; `Retry-After` says when.',
    431: 'The path and the headers are too large.',
    500: 'A fault of the node.',
    503: 'Not now. With `Retry-After` nothing was applied.',
    504: 'As 408, for who asks for application/problem+json.',
  }
  return Object.fromEntries(
    Object.entries(all)
      .filter(([status]) => !Object.hasOwn(responses, status))
      .map(([status, description]) => [status, { description, content: refusal }]),
  )
}

const refusal = {
  'application/json': { schema: { $ref: '#/components/schemas/Error' } },
  'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
}

const outcome = { enum: ['not-applied', 'unknown'], description: 'Whether it may have happened.' }

const errorSchema = object(
  {
    status: { const: 'error' },
    error: object(
      {
        code: { type: 'string' },
        message: { type: 'string' },
        outcome,
        retryable: { type: 'boolean' },
        details: { type: 'object' },
      },
      ['code', 'message', 'outcome', 'retryable'],
    ),
  },
  ['status', 'error'],
)

const problemSchema = object(
  {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    instance: { type: 'string' },
    code: { type: 'string' },
    outcome,
    retryable: { type: 'boolean' },
    details: { type: 'object' },
  },
  ['type', 'title', 'status', 'detail', 'code', 'outcome', 'retryable'],
)

const securitySchemes = {
  BearerAuth: { type: 'http', scheme: 'bearer', description: 'A token, `sk_concord_…`.' },
  ApiKeyAuth: { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'The same token.' },
}
