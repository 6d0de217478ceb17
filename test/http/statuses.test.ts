/** The table of errors in docs/http.md against what is answered: every code has one status, and both say the same. */

import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { readFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import { ConcordError } from '../../core/plugin.ts'
import { HTTP_STATUS, problemOf, STATUS } from '../../plugins/http/problem.ts'
import { UnderWay } from '../../plugins/http/under-way.ts'

const page = readFileSync(new URL('../../docs/http.md', import.meta.url), 'utf8')

/** Each code of the table with its status, as `503 STOPPED`. */
function inThePage(): string[] {
  const [, table = ''] = page.split('| status | code |')
  const rows = table.split('\n\n', 1)[0]!.matchAll(/^\| (\d{3}) \| (.+) \|$/gm)
  return [...rows].flatMap(([, status, text]) =>
    [...text!.matchAll(/`([A-Z_]+)`/g)].map(([, code]) => `${status} ${code}`),
  )
}

test('the page says of every code the status that it has, and of no other', () => {
  const inTheCode = [...Object.entries(STATUS), ...Object.entries(HTTP_STATUS)].map(
    ([code, status]) => `${status} ${code}`,
  )
  assert.deepEqual(inThePage().sort(), inTheCode.sort())
})

test('who may do what has changed meanwhile is 503: to be asked again at once only where nothing was applied', () => {
  const refused = problemOf(new ConcordError('RIGHTS_CHANGED', 'changed'))
  assert.deepEqual([refused?.status, refused?.headers], [503, { 'retry-after': '1' }])
  const proposed = new ConcordError('RIGHTS_CHANGED', 'changed', { outcome: 'unknown', retryable: true })
  assert.deepEqual([problemOf(proposed)?.status, problemOf(proposed)?.headers], [503, {}])
})

test('a code of a later version of Concord is 500', () => {
  const later = Object.assign(new ConcordError('INTERNAL', 'of a plugin'), { code: 'constructor' })
  assert.equal(problemOf(later)?.status, 500)
})

test('a request whose client goes before it is counted is not counted, and nobody waits for it', async () => {
  const underWay = new UnderWay()
  const response = new EventEmitter() as ServerResponse
  underWay.begin(response)
  response.emit('close')
  underWay.count(response)
  assert.equal(underWay.counted, 0)
  await underWay.finish()
})
