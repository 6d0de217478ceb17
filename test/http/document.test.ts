// The OpenAPI document: made of what is served, and true. Every example in it is executed.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { definePlugin, type Route } from '../../core/plugin.ts'
import { bulkRoutes } from '../../plugins/http/bulk-routes.ts'
import { clusterRoutes } from '../../plugins/http/cluster-routes.ts'
import { docsRoutes } from '../../plugins/http/docs-routes.ts'
import { kvRoutes } from '../../plugins/http/kv-routes.ts'
import { listRoute } from '../../plugins/http/list-route.ts'
import { pathOf } from '../../plugins/http/openapi.ts'
import { probeRoutes } from '../../plugins/http/probe-routes.ts'
import { txnRoute } from '../../plugins/http/txn-route.ts'
import { connectRoute } from '../../plugins/http/upgrade.ts'
import { type Api, api, type Sent } from './api.ts'

const vitals = { status: () => Promise.resolve(undefined), isDraining: false }
const routes: readonly Route[] = [
  ...kvRoutes,
  listRoute,
  ...bulkRoutes,
  txnRoute,
  ...clusterRoutes,
  connectRoute,
  ...probeRoutes(vitals, () => 0),
  ...docsRoutes(() => '{}', true),
]

async function execute({ call }: Api, route: Route): Promise<void> {
  for (const { summary, params = {}, query = {}, headers = {}, body, status = 200 } of route.examples ?? []) {
    const path = pathOf(route).replaceAll(/\{(\w+)\}/g, (_, name: string) =>
      encodeURIComponent(params[name]!),
    )
    const search = new URLSearchParams(
      Object.entries(query).map(([name, value]): [string, string] => [name, String(value)]),
    )
    const sent: Sent = { headers, ...(body !== undefined && { body }) }
    const answer = await call(route.method, search.size === 0 ? path : `${path}?${search.toString()}`, sent)
    assert.equal(answer.status, status, `${route.method} ${path}, "${summary}": ${answer.text}`)
  }
}

describe('the OpenAPI document', () => {
  test('says of every route that is served what it does, and who may', async (t) => {
    const { document } = await api(t)
    assert.equal(document.openapi, '3.1.0')
    const said = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.entries(item).map(
        ([method, { 'x-permission': may }]) => `${method.toUpperCase()} ${path} ${may}`,
      ),
    )
    const served = routes.map((route) => `${route.method} ${pathOf(route)} ${route.permission}`)
    assert.deepEqual(said.sort(), served.sort())
  })

  test('has examples, and each of them does what it says', async (t) => {
    const node = await api(t)
    const writesFirst = [...routes].sort((a, b) => place(a) - place(b))
    for (const route of writesFirst) await execute(node, route)
    const shown = routes.filter(({ examples = [] }) => examples.length > 0)
    assert.ok(shown.length > 20, `${shown.length} routes have examples`)
  })

  test('is served in both places, and its own answers hold to it', async (t) => {
    const { call } = await api(t)
    const { text } = await call('GET', '/api/v1/openapi.json')
    assert.equal((await call('GET', '/openapi.json')).text, text)
    assert.equal(JSON.parse(text).info.title, 'Concord HTTP API')
  })

  test('has an operation id for each, once', async (t) => {
    const { document } = await api(t)
    const ids = Object.values(document.paths).flatMap((item) =>
      Object.values(item).map((operation) => (operation as unknown as { operationId: string }).operationId),
    )
    assert.equal(new Set(ids).size, ids.length)
  })
})

/** What is read has to be there, and what is removed goes last. */
const place = ({ method }: Route): number => ['PUT', 'POST', 'GET', 'PATCH', 'DELETE'].indexOf(method)

describe('a plugin that offers routes', () => {
  const shelf = definePlugin({
    name: 'shelf',
    version: '1.0.0',
    apiVersion: 1,
    setup(ctx) {
      ctx.routes.add({
        method: 'GET',
        path: '/shelf/:id',
        tag: 'Shelf',
        permission: 'public',
        summary: 'A book',
        params: {
          type: 'object',
          properties: { id: { type: 'string', pattern: '^[0-9]+$' } },
          required: ['id'],
        },
        responses: { 200: { description: 'The book.', schema: { type: 'object' } } },
        handle: ({ params }) => ({ book: params['id'] }),
      })
    },
  })
  const config = { use: [shelf], plugins: { shelf: true } } as never

  test('has them served, judged by their schemas and described', async (t) => {
    const { call, document } = await api(t, {}, config)
    assert.deepEqual((await call('GET', '/api/v1/shelf/7')).body, { status: 'ok', data: { book: '7' } })
    assert.equal((await call('GET', '/api/v1/shelf/x')).status, 400)
    assert.ok(document.paths['/api/v1/shelf/{id}'])
  })

  test('and is off has none, in the document neither', async (t) => {
    const { call, document } = await api(t)
    assert.equal((await call('GET', '/api/v1/shelf/7')).status, 404)
    assert.equal(document.paths['/api/v1/shelf/{id}'], undefined)
  })

  test('without a permission does not start', async (t) => {
    const open = definePlugin({
      name: 'open-door',
      version: '1.0.0',
      apiVersion: 1,
      setup(ctx) {
        ctx.routes.add({
          method: 'GET',
          path: '/x',
          tag: 'x',
          summary: 'x',
          responses: {},
          handle: () => 1,
        } as never)
      },
    })
    const started = api(t, {}, { use: [open], plugins: { 'open-door': true } } as never)
    await assert.rejects(started, {
      code: 'PLUGIN_INVALID',
      message: /route GET \/x: permission is undefined; expected/,
    })
  })

  test('that another has taken does not start', async (t) => {
    const twice = definePlugin({
      name: 'twice',
      version: '1.0.0',
      apiVersion: 1,
      setup(ctx) {
        ctx.routes.add({ ...listRoute, handle: () => 'mine' })
      },
    })
    const started = api(t, {}, { use: [twice], plugins: { twice: true } } as never)
    await assert.rejects(started, {
      code: 'PLUGIN_INVALID',
      message: /route GET \/kv is there already, of plugin "http"/,
    })
  })
})
