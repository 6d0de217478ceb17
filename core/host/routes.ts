/**
 * What plugins offer over HTTP, as data: method, path, schemas, permission, and a function that answers. The http
 * plugin serves them, judges every call by their schemas and describes them in its OpenAPI document; while it is off
 * they are kept and nobody can reach them, so whoever offers routes need not ask whether it is on.
 */
import { ConcordError } from '../errors.ts'
import type { Access, Permission } from '../hook-events.ts'
import type { Store } from '../store.ts'
import type { JsonSchema } from './contract.ts'

/** Where routes are that are not at the root. */
export const API_BASE = '/api/v1'

/**
 * Who may call a route. `public`: anybody. `store`: judged by the store, key by key, as every call of it is; for routes
 * that do nothing else. `token`: whoever has one that is known. Any other: whoever has this permission on the cluster.
 */
export type RoutePermission = 'public' | 'store' | 'token' | Permission

/** What a caller needs beside what the store asks for; undefined: nothing is asked. */
export function accessFor(permission: RoutePermission): readonly Access[] | undefined {
  if (permission === 'public' || permission === 'store') return undefined
  return permission === 'token' ? [] : [{ permission }]
}

/** A call that shows what a route does. */
export interface RouteExample {
  /** A few words. */
  readonly summary: string
  /** By the names in the path, as they are: they are percent-encoded for the call. */
  readonly params?: Readonly<Record<string, string>> | undefined
  /** Of the query. */
  readonly query?: Readonly<Record<string, string | number | boolean>> | undefined
  /** Beside `Content-Type`. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Sent as JSON. */
  readonly body?: unknown
  /** What it answers with. Default 200. */
  readonly status?: number | undefined
}

/** What a route answers with one status. */
export interface RouteResponse {
  /** When, and what it means. */
  readonly description: string
  /** Of `data` in the envelope; of the whole body with `raw`. */
  readonly schema?: JsonSchema | undefined
  /** The body is not the envelope: its media type. */
  readonly raw?: string | undefined
  /** Response headers that mean something, by name. */
  readonly headers?: Readonly<Record<string, { readonly description: string }>> | undefined
}

/** A request header that a route goes by. */
export interface RouteHeader {
  /** What it does. */
  readonly description: string
  /** Of its text. */
  readonly schema: JsonSchema
}

/** What a plugin offers at one method and path. */
export interface Route {
  /** `GET` routes answer `HEAD`, too. */
  readonly method: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE'
  /** Below `/api/v1`, parameters with a colon: `/backups/:id`. */
  readonly path: string
  /** The path stands as it is, not below `/api/v1`. */
  readonly atRoot?: boolean | undefined
  /** A few words, and what else there is to say. */
  readonly summary: string
  /** What else there is to say, in sentences. */
  readonly description?: string | undefined
  /** The heading that it stands under. */
  readonly tag: string
  /** Who may call it. */
  readonly permission: RoutePermission
  /** Schemas of type object, JSON Schema 2020-12. What they do not name is refused; absent: there is none. */
  readonly params?: JsonSchema | undefined
  /** Texts become the numbers and booleans that the schema asks for. */
  readonly query?: JsonSchema | undefined
  /** Request headers that mean something here, by lower-case name; others pass unseen. */
  readonly headers?: Readonly<Record<string, RouteHeader>> | undefined
  /** Of a JSON body; absent: the body is not looked at. One without `required` members may be left out. */
  readonly body?: JsonSchema | undefined
  /** Other media types that a body may have; it then arrives as it is, as `bytes`. */
  readonly bodyTypes?: readonly string[] | undefined
  /** Those of the route itself; what every route may answer (401, 403, 503 …) is added. */
  readonly responses: Readonly<Record<number, RouteResponse>>
  /** Each is executed by the tests of whoever offers the route. */
  readonly examples?: readonly RouteExample[] | undefined
  /**
   * Answers a call. What it returns is `data` in the envelope; an `answer(…)` says status, headers and body itself;
   * undefined is an envelope without data. What it throws is answered by its code.
   */
  readonly handle: (call: RouteCall) => unknown
}

/** A call that its schemas have passed. */
export interface RouteCall {
  /** From the path, decoded. */
  readonly params: Readonly<Record<string, string>>
  /** From the query, as its schema says. */
  readonly query: Readonly<Record<string, string | number | boolean | undefined>>
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** Parsed JSON; undefined when there is none. Values of the store in it are still in their JSON forms. */
  readonly body: unknown
  /** A body of one of the route's `bodyTypes`. */
  readonly bytes: Uint8Array | undefined
  /** Media type of the body, without its parameters; `''` without a body. */
  readonly contentType: string
  /** The secret that came along: for calls of the store and of services, never for a log. */
  readonly token: string | undefined
  /** Who calls, where the route itself has a permission to be judged by. */
  readonly actor: string | undefined
  /** As whoever calls may use it: with the token, the deadline and the consistency that were asked for. */
  readonly store: Store
  /** Aborts when the client has gone, or the node closes. */
  readonly signal: AbortSignal
}

const ANSWER = Symbol('answer')

/** An answer that is more than data. */
export interface RouteAnswer {
  /** Tells it from data. */
  readonly [ANSWER]: true
  /** Of HTTP. */
  readonly status: number
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>
  /** `data` of the envelope. */
  readonly data?: unknown
  /** `data`, written as JSON already; the order of members is then the writer's. */
  readonly json?: string | undefined
  /** Members beside `data`. */
  readonly beside?: Readonly<Record<string, unknown>> | undefined
  /** The whole body instead of an envelope; `type` is its media type. An iterable is sent as it comes. */
  readonly raw?:
    | { readonly type: string; readonly body: string | Uint8Array | AsyncIterable<string | Uint8Array> }
    | undefined
}

/** What `answer` takes. */
export interface AnswerParts extends Partial<Omit<RouteAnswer, typeof ANSWER>> {}

/** Status 200 and no headers where nothing is said. */
export function answer(parts: AnswerParts): RouteAnswer {
  return { status: 200, headers: {}, ...parts, [ANSWER]: true }
}

/** Whether a route's function has given an answer rather than data. */
export function isAnswer(value: unknown): value is RouteAnswer {
  return typeof value === 'object' && value !== null && ANSWER in value
}

/** A route, and the plugin that offers it. */
export interface OfferedRoute {
  /** Who offers it. */
  readonly plugin: string
  /** As it was added. */
  readonly route: Route
}

// All of them, and no others: the compiler counts.
const METHODS: readonly unknown[] = Object.keys({
  GET: true,
  PUT: true,
  POST: true,
  PATCH: true,
  DELETE: true,
} satisfies Record<Route['method'], true>)
export const PERMISSIONS: readonly unknown[] = Object.keys({
  public: true,
  store: true,
  token: true,
  read: true,
  write: true,
  delete: true,
  admin: true,
} satisfies Record<RoutePermission, true>)
const PATH = /^(\/(:[a-z]\w*|[a-z0-9][a-z0-9._-]*))+$/

/** All routes of a node. */
export class Routes {
  readonly #offered: OfferedRoute[] = []
  readonly #taken = new Map<string, string>()

  get all(): readonly OfferedRoute[] {
    return this.#offered
  }

  /** @throws `PLUGIN_INVALID` - a route without a permission, or one that somebody else has. */
  add(plugin: string, route: Route): void {
    const { method, path, permission, summary, tag, responses } = route
    const at = `${method} ${path}`
    if (!METHODS.includes(method)) refuse(plugin, at, 'method', method, METHODS.join(', '))
    if (typeof path !== 'string' || !PATH.test(path)) {
      refuse(plugin, at, 'path', path, 'lower-case words and parameters, such as "/backups/:id"')
    }
    if (!PERMISSIONS.includes(permission))
      refuse(plugin, at, 'permission', permission, PERMISSIONS.join(', '))
    if (typeof route.handle !== 'function') refuse(plugin, at, 'handle', route.handle, 'a function')
    if (typeof summary !== 'string') refuse(plugin, at, 'summary', summary, 'a few words')
    if (typeof tag !== 'string') refuse(plugin, at, 'tag', tag, 'a heading')
    if (typeof responses !== 'object' || responses === null) {
      refuse(plugin, at, 'responses', responses, 'what it answers, by status')
    }
    const place = `${method} ${route.atRoot === true ? '' : API_BASE}${path.replaceAll(/:\w+/g, ':')}`
    const owner = this.#taken.get(place)
    if (owner !== undefined) {
      const text = `plugin "${plugin}": the route ${at} is there already, of plugin "${owner}"`
      throw new ConcordError('PLUGIN_INVALID', text, { details: { plugin, route: at, owner } })
    }
    this.#taken.set(place, plugin)
    this.#offered.push({ plugin, route })
  }
}

function refuse(plugin: string, route: string, field: string, found: unknown, expected: string): never {
  const shown = typeof found === 'string' ? JSON.stringify(found) : String(found)
  const text = `plugin "${plugin}": route ${route}: ${field} is ${shown}; expected ${expected}`
  throw new ConcordError('PLUGIN_INVALID', text, { details: { plugin, route, field, expected } })
}
