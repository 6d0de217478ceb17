/**
 * The document, and the page that shows it. The page comes from the package `swagger-ui-dist` on this machine: no
 * request leaves for anywhere else, and its policy would not let one.
 */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { answer, type Route, type RouteCall } from '../../core/plugin.ts'
import { HttpError } from './problem.ts'
import { object } from './schemas.ts'

const TAG = 'Health'
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"

const FILES: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
}

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>Concord HTTP API</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="docs/swagger-ui.css">
  </head>
  <body>
    <div id="ui"></div>
    <script src="docs/swagger-ui-bundle.js"></script>
    <script src="docs/start.js"></script>
  </body>
</html>
`

const START = `SwaggerUIBundle({ url: 'v1/openapi.json', dom_id: '#ui', deepLinking: true, validatorUrl: null })\n`

const headers = {
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-cache',
}

const page = (type: string, body: string | Uint8Array) => answer({ headers, raw: { type, body } })

function packageDir(): string {
  try {
    return join(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'), '..')
  } catch {
    throw new HttpError('NOT_FOUND', 'to see the API in a browser: npm install swagger-ui-dist')
  }
}

async function file({ params }: RouteCall): Promise<unknown> {
  const name = params['file']!
  if (name === 'start.js') return page('text/javascript; charset=utf-8', START)
  const type = Object.hasOwn(FILES, name) ? FILES[name] : undefined
  if (type === undefined) throw new HttpError('NOT_FOUND', 'API endpoint not found')
  return page(type, await readFile(join(packageDir(), name)))
}

function html(): unknown {
  packageDir()
  return page('text/html; charset=utf-8', PAGE)
}

/** @param document made when it is first asked for: all routes are known by then. */
export function docsRoutes(document: () => string, withPage: boolean): readonly Route[] {
  const common = { method: 'GET', tag: TAG, permission: 'public', query: object({}) } as const
  const json = { 200: { description: 'OpenAPI 3.1.', raw: 'application/json', schema: { type: 'object' } } }
  const spec = () =>
    answer({
      headers: { 'cache-control': 'no-cache' },
      raw: { type: 'application/json; charset=utf-8', body: document() },
    })
  const shown = { 200: { description: 'The page.', raw: 'text/html', schema: { type: 'string' } } }
  const routes: Route[] = [
    {
      ...common,
      path: '/openapi.json',
      summary: 'This document',
      responses: json,
      examples: [{ summary: 'The document' }],
      handle: spec,
    },
    {
      ...common,
      path: '/openapi.json',
      atRoot: true,
      summary: 'This document',
      responses: json,
      handle: spec,
    },
  ]
  if (!withPage) return routes
  return [
    ...routes,
    {
      ...common,
      path: '/api/docs',
      atRoot: true,
      summary: 'The API in a browser',
      responses: shown,
      handle: html,
    },
    {
      ...common,
      path: '/api/docs/:file',
      atRoot: true,
      summary: 'What the page is made of',
      params: object({ file: { type: 'string', enum: [...Object.keys(FILES), 'start.js'] } }, ['file']),
      responses: { 200: { description: 'A script or a style.', raw: '*/*' } },
      handle: file,
    },
  ]
}
