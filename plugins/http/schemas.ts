/** Schemas that many routes share, and what every call of one kind may say. */
import type { JsonSchema, RouteHeader, RouteResponse } from '../../core/plugin.ts'

export const key = {
  type: 'string',
  description: '1 to 1024 bytes of UTF-8. In a path, `/` is written `%2F`.',
} as const

export const anyJson = {
  description:
    'Any JSON. What JSON has no word for has a form: {"$date": …}, {"$bigint": "…"}, {"$bytes": base64}, {"$map": [[…]]}, {"$set": […]}, {"$number": "NaN"}. An object that only looks like one of these is written with one more $.',
} as const

export const ttl = {
  type: 'number',
  exclusiveMinimum: 0,
  description: 'Seconds until the key expires; fractions are allowed.',
} as const

export const ttlOrNull = {
  type: ['number', 'null'],
  description: 'Seconds left; null: it does not expire.',
} as const

export const revision = {
  type: 'integer',
  minimum: 0,
  description: 'Number of a change in the whole store; only ever rises.',
} as const

export const timeoutMs = {
  type: 'integer',
  minimum: 1,
  maximum: 2_147_483_647,
  description: 'How long the call may take, in milliseconds. Default: of the node.',
} as const

const forward = {
  type: 'string',
  enum: ['never'],
  description:
    '`never`: a node that does not lead answers 307, with `Location` at its leader, instead of asking that itself. 503 when it is not known where.',
} as const

const readQuery = {
  consistency: {
    type: 'string',
    enum: ['leader', 'strong', 'eventual'],
    description:
      '`leader`: linearizable while clocks drift within bounds. `strong`: linearizable without clocks. `eventual`: the state of the node that answers.',
  },
  timeout_ms: timeoutMs,
  forward,
  min_revision: { ...revision, description: 'Waits until the node that answers has reached this revision.' },
} as const

const writeQuery = { timeout_ms: timeoutMs, forward } as const

export function object(properties: Record<string, unknown>, required: readonly string[] = []): JsonSchema {
  return { type: 'object', additionalProperties: false, properties, required }
}

/** The query of a read, and more. */
export const reading = (more: Record<string, unknown> = {}, required: readonly string[] = []): JsonSchema =>
  object({ ...readQuery, ...more }, required)

/** The query of a write, and more. */
export const writing = (more: Record<string, unknown> = {}, required: readonly string[] = []): JsonSchema =>
  object({ ...writeQuery, ...more }, required)

export const idempotencyKey: Record<string, RouteHeader> = {
  'idempotency-key': {
    description: 'A retry with the same key applies once; the same key with another call is 422.',
    schema: { type: 'string', minLength: 1, maxLength: 128 },
  },
}

export const written: RouteResponse = {
  description: 'Durable on a quorum, and visible to every later linearizable read.',
  schema: object({ revision }, ['revision']),
  headers: {
    etag: { description: 'The revision of the key.' },
    'concord-revision': { description: 'The revision of the store at which the answer holds.' },
  },
}

export const notFound: RouteResponse = { description: 'The key is absent, or has expired.' }
export const conditionFailed: RouteResponse = {
  description: 'The condition does not hold; `ETag` is the present revision of the key, if there is one.',
}
