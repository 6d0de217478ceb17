// The page that shows the API, in a browser: what a person does there works, and nothing of it leaves for elsewhere.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../cluster/processes.ts'
import { memoryNode } from '../store/node.ts'
import { browse, type Page } from './browser.ts'

interface Shown {
  readonly status: string
  readonly body: unknown
}

/** Opens an operation, and gives the selector of what is in it. */
async function tryOut(page: Page, method: string, path: string): Promise<string> {
  const summary = `.opblock-${method} [data-path="${path}"]`
  await until(() => page.evaluate<boolean>(`document.querySelector('${summary}') !== null`))
  const id = await page.evaluate<string>(`document.querySelector('${summary}').closest('.opblock').id`)
  const operation = `[id="${id}"]`
  await page.click(`${operation} .opblock-summary-control`)
  await page.click(`${operation} .try-out__btn`)
  return operation
}

/** Executes the operation; what the page shows as the server's answer. */
async function execute(page: Page, operation: string): Promise<Shown> {
  await page.click(`${operation} .execute`)
  const live = `${operation} .live-responses-table`
  await until(() => page.evaluate<boolean>(`document.querySelector('${live} pre code') !== null`))
  const [status, body] = await page.evaluate<[string, string]>(
    `['tbody td.response-col_status', 'pre code'].map((part) => document.querySelector('${live} ' + part).textContent)`,
  )
  return { status: status.trim(), body: JSON.parse(body) }
}

test('the API in a browser: a PUT and a GET by "Try it out", and no request leaves this node', async (t) => {
  const db = await memoryNode(t, { plugins: { http: { port: 0 } } })
  const url = db.plugin('http').url!
  const page = await browse(t)
  await page.open(`${url}/api/docs`)

  const put = await tryOut(page, 'put', '/api/v1/kv/{key}')
  await page.write(`${put} input[placeholder="key"]`, 'by hand/1')
  await page.write(`${put} textarea.body-param__text`, '{"value": {"colour": "green"}}')
  assert.deepEqual(await execute(page, put), { status: '200', body: { status: 'ok', data: { revision: 1 } } })
  assert.deepEqual(await db.get('by hand/1'), { colour: 'green' })

  await db.put('by hand/1', 'from within')
  const get = await tryOut(page, 'get', '/api/v1/kv/{key}')
  await page.write(`${get} input[placeholder="key"]`, 'by hand/1')
  const shown = await execute(page, get)
  assert.deepEqual(shown, { status: '200', body: { status: 'ok', data: { value: 'from within' } } })

  const asked = page.requests.filter((request) => !request.startsWith('data:'))
  assert.ok(
    asked.includes(`${url}/api/v1/openapi.json`) && asked.some((one) => one.includes('by%20hand%2F1')),
  )
  assert.deepEqual(
    asked.filter((request) => new URL(request).origin !== url),
    [],
  )
  assert.deepEqual(page.complaints, [], 'the policy of the page refuses nothing that it needs')
})
