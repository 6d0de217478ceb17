// `concord export` and `import`: every kind of value and what is left to live, there and back; refusals by line.

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Concord, Value } from '../../core/index.ts'
import { fileNode, temporary } from '../store/node.ts'
import { type Run, type Story, tellAll } from './command.ts'

const stories: Story[] = []
const story = (name: string, told: Story['told']): void => void stories.push({ name, told })

interface Place {
  readonly db: Concord
  readonly run: Run
  readonly file: (text: string) => Promise<string>
}

async function place(t: TestContext, inDirectory: (cwd: string) => Run): Promise<Place> {
  const cwd = await temporary(t)
  const db = await fileNode(t, cwd, { limits: { batch: 3 } })
  const path = join(cwd, 'keys.jsonl')
  return {
    db,
    run: inDirectory(cwd),
    file: async (text) => {
      await writeFile(path, text)
      return path
    },
  }
}

const VALUES: Readonly<Record<string, Value>> = {
  a: { since: new Date(0), by: 1n, bytes: new Uint8Array([0, 255]) },
  b: new Map<Value, Value>([['x', new Set([1, -0, Number.NaN])]]),
  c: 'text\u2028with\nlines',
  d: null,
  e: { $date: 'no date' },
  f: Number.MAX_SAFE_INTEGER,
  'other/g': [1, undefined as never],
}

story(
  'what was exported and imported elsewhere is the same, in batches, with what is left to live',
  async (t, inDirectory) => {
    const from = await place(t, inDirectory)
    for (const [key, value] of Object.entries(VALUES)) await from.db.put(key, value)
    await from.db.touch('a', 1000)
    const out = await from.run(['export'])
    assert.deepEqual([out.code, out.stderr], [0, 'exported 7 keys\n'])
    assert.equal(out.stdout.trimEnd().split('\n').length, 7)

    const to = await place(t, inDirectory)
    const before = (await to.db.status()).revision
    const done = await to.run(['import', '-'], { input: out.stdout })
    assert.deepEqual([done.code, done.stdout, done.stderr], [0, '{"imported":7}\n', ''])
    for (const [key, value] of Object.entries(VALUES)) assert.deepEqual(await to.db.get(key), value, key)
    assert.equal((await to.db.status()).revision - before, 3, 'batches of three, each one change')
    const left = await to.db.ttl('a')
    assert.ok(left! > 0 && left! <= 1000, String(left))
    assert.equal(await to.db.ttl('b'), null)
  },
)

story('only a prefix, and only behind a key; nothing is nothing', async (t, inDirectory) => {
  const { db, run } = await place(t, inDirectory)
  assert.deepEqual((await run(['export'])).stdout, '')
  for (const key of ['a/1', 'a/2', 'b']) await db.put(key, 1)
  assert.equal((await run(['export', 'a/', '--quiet'])).stdout.match(/a\/\d/g)?.join(), 'a/1,a/2')
  assert.equal((await run(['export', '--after', 'a/1'])).stdout.match(/"key":"[^"]+"/g)?.length, 2)
})

story(
  'a key that is there is refused with its line, and its batch with it; --overwrite replaces it',
  async (t, inDirectory) => {
    const { db, run, file } = await place(t, inDirectory)
    await db.put('k4', 'mine')
    const path = await file(
      ['k1', 'k2', 'k3', 'k4', 'k5'].map((key) => `{"key":"${key}","value":1}\n`).join(''),
    )
    const dry = await run(['import', path, '--dry-run'])
    assert.equal(dry.code, 6)
    assert.match(dry.stderr, /^CONDITION_FAILED: line 4: k4 is there already\. Try: --overwrite/)
    assert.equal(await db.get('k1'), undefined)
    const refused = await run(['import', path])
    assert.deepEqual([refused.code, refused.stdout], [6, ''])
    assert.match(
      refused.stderr,
      /^CONDITION_FAILED: line 4: k4 is there already; 3 keys were imported before/,
    )
    assert.deepEqual(await db.getMany(['k3', 'k4', 'k5']), [1, 'mine', undefined])
    const over = await run(['import', path, '--overwrite'])
    assert.deepEqual([over.code, over.stdout], [0, '{"imported":5}\n'])
    assert.deepEqual(await db.getMany(['k3', 'k4', 'k5']), [1, 1, 1])
    const would = await run(['import', path, '--overwrite', '--dry-run'])
    assert.equal(would.stdout, '{"imported":5,"dryRun":true}\n')
  },
)

story('the same key twice: what comes later wins with --overwrite', async (t, inDirectory) => {
  const { db, run } = await place(t, inDirectory)
  const input = '{"key":"k","value":1}\n\n{"key":"k","value":2,"ttl":60}\n'
  assert.equal((await run(['import', '-', '--overwrite'], { input })).code, 0)
  assert.equal(await db.get('k'), 2)
  assert.ok((await db.ttl('k'))! > 0)
})

story('a line that is wrong is named, and how many were imported before', async (t, inDirectory) => {
  const { db, run } = await place(t, inDirectory)
  const good = ['a', 'b', 'c'].map((key) => `{"key":"${key}","value":1}\n`).join('')
  for (const [line, message] of [
    ['no json', /line 4: no JSON/],
    ['[]', /line 4: expected an object/],
    ['{"key":"d"}', /line 4: expected a key, a string, and a value/],
    ['{"key":"d","value":1,"tll":5}', /line 4: unknown field "tll"\. Did you mean "ttl"\?/],
    ['{"key":"d","value":1,"ttl":0}', /line 4: ttl: expected seconds, more than 0/],
    ['{"key":"d","value":{"$date":"x"}}', /line 4: \{"\$date": …\} is not in its form/],
    ['{"key":"d","value":12345678901234567890}', /line 4: .*more than a number holds exactly/],
  ] as const) {
    const ran = await run(['import', '-', '--overwrite'], { input: `${good}${line}\n` })
    assert.equal(ran.code, 2, line)
    assert.match(ran.stderr, message)
  }
  assert.equal(await db.get('d'), undefined)
  const missing = await run(['import', 'none.jsonl'])
  assert.deepEqual([missing.code, /none\.jsonl cannot be read: ENOENT/.test(missing.stderr)], [2, true])
})

tellAll('export and import', stories)
