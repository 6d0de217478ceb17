// A node with the HTTP API on a port of its own, and calls of it. Every answer that any test gets is held to the
// node's own OpenAPI document: path, status, media type, and the body by its schema.

import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { type Concord, type Config, open } from '../../core/index.ts'
import { definePlugin, type Route } from '../../core/plugin.ts'
import type { HttpOptions } from '../../plugins/http/options.ts'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** Parsed, when it is JSON. */
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any
}

export interface Sent {
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

export interface Api {
  readonly db: Concord
  readonly url: string
  readonly document: Document
  /** `path` as it stands in the request line. A body that is text or bytes goes as it is. */
  call(method: string, path: string, sent?: Sent): Promise<Answer>
}

type Json = Record<string, unknown>

interface Operation {
  readonly responses: Record<string, { readonly content?: Record<string, { readonly schema: Json }> }>
  readonly requestBody?: { readonly content: Record<string, { readonly examples?: Json }> }
  readonly 'x-permission': string
}

export interface Document {
  readonly openapi: string
  readonly paths: Record<string, Record<string, Operation>>
}

export async function api(t: TestContext, options: HttpOptions = {}, config: Config = {}): Promise<Api> {
  const { plugins, ...rest } = config
  const db = await open({
    storage: 'memory',
    log: { level: 'silent' },
    ...rest,
    plugins: { http: { port: 0, ...options }, ...plugins },
  })
  t.after(() => db.close())
  return apiOf(db)
}

export function apiOf(db: Concord, at = db.plugin('http').url!): Api {
  const document = db.plugin('http').openapi() as unknown as Document
  const judge = judgeOf(document)
  return {
    db,
    url: at,
    document,
    async call(method, path, sent = {}) {
      const answer = await ask(at + path, method, sent)
      judge(method, path, answer)
      return answer
    },
  }
}

async function ask(url: string, method: string, { body, headers = {} }: Sent): Promise<Answer> {
  const isRaw = typeof body === 'string' || body instanceof Uint8Array
  const response = await fetch(url, {
    method,
    redirect: 'manual',
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body: isRaw ? (body as string) : JSON.stringify(body) }),
  })
  const text = await response.text()
  const isJson = /^application\/(problem\+)?json/.test(response.headers.get('content-type') ?? '')
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: isJson && text !== '' ? JSON.parse(text) : undefined,
  }
}

function judgeOf(document: Document): (method: string, path: string, answer: Answer) => void {
  const ajv = new Ajv2020({ strict: false, validateFormats: false })
  ajv.addSchema({ $id: 'document', ...document }, 'document')
  const templates = Object.keys(document.paths).map((template) => ({
    template,
    pattern: new RegExp(`^${template.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]*')}$`),
  }))
  return (method, path, answer) => {
    const [plain] = path.split('?', 1)
    // The most exact template: `/kv/bulk/get` before `/kv/{key}/touch`.
    const [found] = templates
      .filter(({ template, pattern }) => pattern.test(plain!) && methodIn(document.paths[template]!, method))
      .sort((a, b) => countOf(a.template) - countOf(b.template))
    if (found === undefined)
      return assert.ok([400, 404, 405, 429].includes(answer.status), `${method} ${path}: ${answer.status}`)
    const operation = document.paths[found.template]![methodIn(document.paths[found.template]!, method)!]!
    const response = operation.responses[answer.status]
    assert.ok(
      response !== undefined,
      `${method} ${found.template} answers ${answer.status}, which its document does not say: ${answer.text}`,
    )
    if (method === 'HEAD' || answer.text === '') return
    const type = (answer.headers.get('content-type') ?? '').split(';', 1)[0]!
    const content = response.content?.[type] ?? response.content?.['*/*']
    assert.ok(
      content !== undefined,
      `${method} ${found.template} ${answer.status} answers ${type}, which its document does not say`,
    )
    if (answer.body === undefined) return
    const at = [
      'paths',
      found.template,
      methodIn(document.paths[found.template]!, method)!,
      'responses',
      String(answer.status),
      'content',
      type,
      'schema',
    ]
    const pointer = at
      .map((step) => encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1')))
      .join('/')
    const validate = ajv.getSchema(`document#/${pointer}`) ?? ajv.compile({ $ref: `document#/${pointer}` })
    assert.ok(
      validate(answer.body),
      `${method} ${path} ${answer.status}: ${JSON.stringify(validate.errors)} in ${answer.text}`,
    )
  }
}

const countOf = (template: string): number => template.split('{').length

function methodIn(item: object, method: string): string | undefined {
  const lower = method.toLowerCase()
  if (Object.hasOwn(item, lower)) return lower
  return lower === 'head' && Object.hasOwn(item, 'get') ? 'get' : undefined
}

/** A plugin that offers one route to everybody, as part of a config. */
export function routeOf(route: Pick<Route, 'path' | 'handle'>): Config {
  const plugin = definePlugin({
    name: 'one-route',
    version: '1.0.0',
    apiVersion: 1,
    setup(ctx) {
      ctx.routes.add({
        method: 'GET',
        tag: 'Test',
        permission: 'store',
        summary: 'for a test',
        responses: { 200: { description: 'Whatever it gives.' } },
        ...route,
      })
    },
  })
  return { use: [plugin], plugins: { 'one-route': true } } as never
}
